// Package accept takes connections of a listener although there is at times no room for
// one more in the process or the system, as accept of POSIX has it
// (https://pubs.opengroup.org/onlinepubs/9799919799/functions/accept.html): who opens very
// many connections must not end a service for all. Servers of net/http do so by themselves.
//
// Start with [Next], in place of a listener's Accept.
package accept

import (
	"errors"
	"log/slog"
	"net"
	"slices"
	"syscall"
	"time"
)

// again is how long no connection is taken when there is no room.
const again = 20 * time.Millisecond

// passing are errors of accept(2) after which the listener goes on: there is no room for one
// more file, or the peer has left already.
var passing = []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED}

// Next waits for the next connection. An error is the listener's end.
func Next(l net.Listener, log *slog.Logger) (net.Conn, error) {
	for {
		nc, err := l.Accept()
		if err == nil || !slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }) {
			return nc, err
		}
		log.Error("accepting", "error", err)
		time.Sleep(again)
	}
}
