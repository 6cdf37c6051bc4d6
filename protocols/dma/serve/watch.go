package serve

import (
	"bytes"

	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// Watch is told what passes at a gatekeeper, for those who look at how others behave (package
// serve/check). Its functions are nil or called by several goroutines at once, and must not
// block. What they are given is theirs.
type Watch struct {
	// Enlisted: a form came, and an account or a reason was answered. The form is nil if it
	// could not be read.
	Enlisted func(f *enlist.Form, login ident.Address, err error)
	// Connected: somebody connected to the chat channel and was let in, or not. The address
	// is zero if it did not come to that.
	Connected func(a ident.Address, err error)
	// Frame: a stanza came from a client, or is sent to it, in the binary encoding.
	Frame func(a ident.Address, sent bool, frame []byte)
	// Gone: the connection of a client has ended.
	Gone func(a ident.Address, err error)
}

func (w *Watch) enlisted(f *enlist.Form, login ident.Address, err error) {
	if w.Enlisted != nil {
		w.Enlisted(f, login, err)
	}
}

func (w *Watch) connected(a ident.Address, err error) {
	if w.Connected != nil {
		w.Connected(a, err)
	}
}

func (w *Watch) frame(a ident.Address, sent bool, frame []byte) {
	if w.Frame != nil {
		w.Frame(a, sent, bytes.Clone(frame))
	}
}

func (w *Watch) gone(a ident.Address, err error) {
	if w.Gone != nil {
		w.Gone(a, err)
	}
}
