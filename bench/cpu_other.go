//go:build !unix

package bench

import "time"

// CPUTime returns 0: it is not known.
func CPUTime() time.Duration { return 0 }
