//go:build unix

package rooms

import (
	"syscall"
	"time"
)

// cpuTime returns how much time of the machine's cores the process has had.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
