//go:build !linux

package mls

import "time"

var began = time.Now()

// cpuTime returns a time that passes, where there is no other.
func cpuTime() time.Duration { return time.Since(began) }
