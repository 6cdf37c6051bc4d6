package mls

import (
	"syscall"
	"time"
)

// cpuTime returns how long the calling thread has run, which does not count what
// others have the machine do meanwhile. The caller has locked itself to its thread.
func cpuTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD, which package syscall does not name
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
