package noise

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"
)

// TestReadFrame: what comes of a stream that ends, or that announces too much.
func TestReadFrame(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tt := range []struct {
		name  string
		in    io.Reader
		want  string
		began int // what the callback is told, -1 if it is not called
		err   error
	}{
		{"a frame and more", bytes.NewReader([]byte("\x00\x00\x02ab\x00")), "ab", 2, nil},
		{"in single bytes", iotest.OneByteReader(bytes.NewReader([]byte("\x00\x00\x02ab"))), "ab", 2, nil},
		{"at the bound", bytes.NewReader([]byte("\x00\x00\x04abcd")), "abcd", 4, nil},
		{"the end", bytes.NewReader(nil), "", -1, io.EOF},
		{"half a header", bytes.NewReader([]byte("\x00\x00")), "", -1, io.ErrUnexpectedEOF},
		{"no body", bytes.NewReader([]byte("\x00\x00\x02")), "", 2, io.ErrUnexpectedEOF},
		{"half a body", bytes.NewReader([]byte("\x00\x00\x02a")), "", 2, io.ErrUnexpectedEOF},
		{"beyond the bound", bytes.NewReader([]byte("\x00\x00\x05abcde")), "", -1, ErrFrame},
		{"an empty frame", bytes.NewReader([]byte("\x00\x00\x00")), "", -1, ErrFrame},
		{"an error before it", iotest.ErrReader(broken), "", -1, broken},
		{"an error within", io.MultiReader(bytes.NewReader([]byte("\x00\x00\x02a")), iotest.ErrReader(broken)), "", 2, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			began := -1
			got, err := ReadFrame(tt.in, 4, func(n int) { began = n })
			if string(got) != tt.want || !errors.Is(err, tt.err) || began != tt.began {
				t.Errorf("got %q, %v, began with %d; want %q, %v, %d", got, err, began, tt.want, tt.err, tt.began)
			}
		})
	}
}

// TestStream: a handshake over a stream leaves it where the stanzas begin.
func TestStream(t *testing.T) {
	t.Parallel()
	e := newEnds(t, Lab)
	near, far := net.Pipe()
	type accepted struct {
		peer    *Peer
		channel *Channel
		err     error
	}
	server := make(chan accepted, 1)
	go func() {
		peer, channel, err := Accept(far, far, ServerConfig{Config: e.server, Certificate: e.certificate})
		server <- accepted{peer, channel, err}
	}()
	up, err := Connect(near, near, now, e.client, e.trust, &e.payload)
	if err != nil {
		t.Fatal(err)
	}
	got := <-server
	if got.err != nil {
		t.Fatal(got.err)
	}
	if got.peer.Payload.AccountID != e.payload.AccountID || !bytes.Equal(got.peer.Static[:], e.client.Static.Public) {
		t.Errorf("the server has learned %+v", got.peer)
	}
	frame, err := up.Seal(nil, []byte("a stanza"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = near.Write(frame) }()
	b, err := ReadFrame(far, got.channel.MaxBody(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = got.channel.Open(b); err != nil || string(b) != "a stanza" {
		t.Errorf("got %q, %v, want the stanza", b, err)
	}
}

// TestStreamEnds: a connection that ends in a handshake says so, wherever it does.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	e := newEnds(t, Lab)
	_, first, err := NewClient(e.client, e.trust, &e.payload)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(first) + 1 {
		_, _, err := Accept(bytes.NewReader(first[:n]), io.Discard, ServerConfig{Config: e.server, Certificate: e.certificate})
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the server, after %d bytes: %v, want the end", n, err)
		}
	}
	broken := errors.New("broken")
	for name, end := range map[string]struct {
		r    io.Reader
		w    io.Writer
		want error
	}{
		"nothing comes":         {bytes.NewReader(nil), io.Discard, io.EOF},
		"half a hello comes":    {bytes.NewReader([]byte("\x00\x00\x40x")), io.Discard, io.ErrUnexpectedEOF},
		"a hello beyond bounds": {bytes.NewReader([]byte("\xff\xff\xff")), io.Discard, ErrFrame},
		"nothing can be said":   {bytes.NewReader(nil), brokenWriter{broken}, broken},
	} {
		if _, err := Connect(end.r, end.w, now, e.client, e.trust, &e.payload); !errors.Is(err, end.want) {
			t.Errorf("the client, when %s: %v, want %v", name, err, end.want)
		}
	}
}

// brokenWriter fails, as iotest.ErrReader does.
type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }
