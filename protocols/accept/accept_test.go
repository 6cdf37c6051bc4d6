package accept

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
)

// failing is a listener whose Accept returns errors, and then a connection, again and again.
type failing struct {
	net.Listener
	errs []error
	conn net.Conn
}

func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) == 0 {
		return f.conn, nil
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return nil, err
}

// accepting is an error as package net has it.
func accepting(err error) error {
	return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
}

// TestNext: what passes is waited for, and what does not is returned at once.
func TestNext(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	for _, tt := range []struct {
		name string
		errs []error
		want error // nil: the connection
		left int   // errors that were not met
	}{
		{"nothing", nil, nil, 0},
		{"no room", []error{accepting(syscall.EMFILE), accepting(syscall.ENFILE), accepting(syscall.EMFILE)}, nil, 0},
		{"who left", []error{accepting(syscall.ECONNABORTED)}, nil, 0},
		{"the end", []error{net.ErrClosed, accepting(syscall.EMFILE)}, net.ErrClosed, 1},
		{"no room, and the end", []error{accepting(syscall.EMFILE), fmt.Errorf("wrapped: %w", net.ErrClosed)}, net.ErrClosed, 0},
		{"something else", []error{accepting(syscall.EBADF)}, syscall.EBADF, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &failing{errs: tt.errs, conn: near}
				nc, err := Next(l, slog.New(slog.NewTextHandler(io.Discard, nil)))
				if !errors.Is(err, tt.want) || (nc == near) != (tt.want == nil) || len(l.errs) != tt.left {
					t.Errorf("got %v, %v, with %d errors left; want %v and %d", nc, err, len(l.errs), tt.want, tt.left)
				}
			})
		})
	}
}
