package channel

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// line is a connection that stanzas go over: in TLS, or sealed one by one by Noise.
type line struct {
	net.Conn
	raw   net.Conn // as it was accepted
	r     io.Reader
	noise *noise.Channel // nil with TLS
}

// lineOver returns a line over TLS, or over a connection that needs none.
func lineOver(raw, nc net.Conn) *line { return &line{Conn: nc, raw: raw, r: nc} }

// FrameError says why what came is no frame.
type FrameError struct{ Reason string }

// Error implements error.
func (e *FrameError) Error() string { return "channel: frame: " + e.Reason }

// frames reads frames.
type frames struct {
	*line
	began func(n int) // called when the length has come; nil for nothing
}

// next reads one stanza of at most limit bytes. io.EOF is the end between two frames.
func (f *frames) next(limit int) (stanza.Stanza, error) {
	if f.noise != nil {
		limit += noise.Overhead
	}
	// A stanza keeps slices of its frame, and a call outlives the next frame: each has
	// bytes of its own.
	b, err := noise.ReadFrame(f.r, limit, f.began)
	var length *noise.Error
	switch {
	case errors.As(err, &length):
		return nil, &FrameError{length.Detail}
	case err != nil:
		return nil, err
	}
	if f.noise != nil {
		if b, err = f.noise.Open(b); err != nil {
			return nil, err
		}
	}
	if len(b) == 0 || b[0] != stanza.DictionaryVersion<<4 {
		return nil, &FrameError{fmt.Sprintf("header %#02x, want %#02x: version %d, not compressed", b[:min(len(b), 1)], stanza.DictionaryVersion<<4, stanza.DictionaryVersion)}
	}
	tree, err := stanza.ParseBinary(b)
	if err != nil {
		return nil, err
	}
	return stanza.Parse(tree)
}

// encoder makes frames of stanzas.
type encoder struct {
	noise  *noise.Channel // nil with TLS
	stanza stanza.Encoder
	plain  []byte
}

// append appends a stanza as a frame.
func (e *encoder) append(dst []byte, s stanza.Stanza) ([]byte, error) {
	if e.noise != nil {
		var err error
		if e.plain, err = e.stanza.Append(e.plain[:0], s); err != nil {
			return dst, err
		}
		return e.noise.Seal(dst, e.plain)
	}
	start := len(dst)
	out, err := e.stanza.Append(append(dst, make([]byte, noise.HeaderSize)...), s)
	if err != nil {
		return dst, err
	}
	if _, err := noise.AppendHeader(out[:start], len(out)-start-noise.HeaderSize); err != nil {
		return dst, err
	}
	return out, nil
}

// say writes one stanza, for who writes no others beside.
func (l *line) say(s stanza.Stanza) error {
	b, err := (&encoder{noise: l.noise}).append(nil, s)
	if err == nil {
		_, err = l.Write(b)
	}
	return err
}

// sender writes frames, several at once if they are ready.
type sender struct {
	w       *bufio.Writer
	encoder encoder
	buf     []byte
}

func newSender(l *line) *sender {
	return &sender{w: bufio.NewWriterSize(l, 16<<10), encoder: encoder{noise: l.noise}}
}

func (s *sender) write(st stanza.Stanza) error {
	var err error
	if s.buf, err = s.encoder.append(s.buf[:0], st); err != nil {
		return err
	}
	_, err = s.w.Write(s.buf)
	if cap(s.buf) > 1<<20 {
		s.buf, s.encoder.plain = nil, nil // one large stanza is no reason to keep room for the next
	}
	return err
}
