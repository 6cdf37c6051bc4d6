package channel

import (
	"bufio"
	"fmt"
	"io"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// lengthSize is the size of a frame's length in bytes. It counts what a stanza of
// [stanza.MaxSize] bytes needs.
const lengthSize = 3

// FrameError says why what came is no frame.
type FrameError struct{ Reason string }

// Error implements error.
func (e *FrameError) Error() string { return "channel: frame: " + e.Reason }

// frames reads frames.
type frames struct {
	r     io.Reader
	began func() // called when the length has come; nil for nothing
}

// next reads one stanza of at most limit bytes. io.EOF is the end between two frames.
func (f *frames) next(limit int) (stanza.Stanza, error) {
	var head [lengthSize]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return nil, err
	}
	if f.began != nil {
		f.began()
	}
	n := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	if n == 0 || n > limit {
		return nil, &FrameError{fmt.Sprintf("%d bytes, want 1 to %d", n, limit)}
	}
	// A stanza keeps slices of its frame, and a call outlives the next frame: each has
	// bytes of its own.
	b := make([]byte, n)
	if _, err := io.ReadFull(f.r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if b[0] != stanza.DictionaryVersion<<4 {
		return nil, &FrameError{fmt.Sprintf("header %#02x, want %#02x: version %d, not compressed", b[0], stanza.DictionaryVersion<<4, stanza.DictionaryVersion)}
	}
	tree, err := stanza.ParseBinary(b)
	if err != nil {
		return nil, err
	}
	return stanza.Parse(tree)
}

// appendFrame appends a stanza as a frame.
func appendFrame(dst []byte, e *stanza.Encoder, s stanza.Stanza) ([]byte, error) {
	start := len(dst)
	dst = append(dst, make([]byte, lengthSize)...)
	out, err := e.Append(dst, s)
	if err != nil {
		return dst[:start], err
	}
	n := len(out) - start - lengthSize
	out[start], out[start+1], out[start+2] = byte(n>>16), byte(n>>8), byte(n)
	return out, nil
}

// sender writes frames, several at once if they are ready.
type sender struct {
	w       *bufio.Writer
	encoder stanza.Encoder
	buf     []byte
}

func newSender(w io.Writer) *sender { return &sender{w: bufio.NewWriterSize(w, 16<<10)} }

func (s *sender) write(st stanza.Stanza) error {
	var err error
	if s.buf, err = appendFrame(s.buf[:0], &s.encoder, st); err != nil {
		return err
	}
	_, err = s.w.Write(s.buf)
	if cap(s.buf) > 1<<20 {
		s.buf = nil // one large stanza is no reason to keep room for the next
	}
	return err
}
