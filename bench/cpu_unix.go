//go:build unix

package bench

import (
	"syscall"
	"time"
)

// CPUTime returns how much time of the machine's cores the process has had.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
