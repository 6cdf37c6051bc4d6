package noise

import (
	"fmt"
	"io"
	"time"
)

// ReadFrame reads the body of a frame of at most limit bytes. began, if not nil, is
// called with the body's length when its header has come. io.EOF is the end between two
// frames. The body is the caller's.
func ReadFrame(r io.Reader, limit int, began func(n int)) ([]byte, error) {
	var head [HeaderSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n, err := FrameLength(head, limit)
	if err != nil {
		return nil, err
	}
	if began != nil {
		began(n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}

// Accept does the server's side of a handshake on a connection. It reads no more than
// that, and blocks as long as r and w do.
func Accept(r io.Reader, w io.Writer, cfg ServerConfig) (*Peer, *Channel, error) {
	s, err := NewServer(cfg)
	if err != nil {
		return nil, nil, err
	}
	prologue := make([]byte, s.PrologueSize())
	if _, err := io.ReadFull(r, prologue); err != nil {
		return nil, nil, err
	}
	if err := s.Prologue(prologue); err != nil {
		return nil, nil, err
	}
	body, err := ReadFrame(r, MaxClientHello, nil)
	if err != nil {
		return nil, nil, err
	}
	hello, err := s.Hello(body)
	if err != nil {
		return nil, nil, err
	}
	if _, err := w.Write(hello); err != nil {
		return nil, nil, err
	}
	if body, err = ReadFrame(r, MaxClientFinish, nil); err != nil {
		return nil, nil, err
	}
	return s.Finish(body)
}

// Connect does the client's side of a handshake on a connection, see [Accept]. now is
// what the server's certificate is held against.
func Connect(r io.Reader, w io.Writer, now time.Time, cfg Config, trust Trust, payload *ClientPayload) (*Channel, error) {
	c, first, err := NewClient(cfg, trust, payload)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(first); err != nil {
		return nil, fmt.Errorf("noise: client hello: %w", err)
	}
	hello, err := ReadFrame(r, MaxServerHello, nil)
	if err != nil {
		return nil, fmt.Errorf("noise: server hello: %w", err)
	}
	last, channel, err := c.Finish(now, hello)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(last); err != nil {
		return nil, fmt.Errorf("noise: client finish: %w", err)
	}
	return channel, nil
}
