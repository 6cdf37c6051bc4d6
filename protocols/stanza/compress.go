package stanza

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"sync"
)

// AppendCompressed appends the binary form of a tree to dst as AppendBinary
// does, but with all after the header as one zlib stream (RFC 1950) if that is
// shorter. What it writes depends on the version of Go's compressor; what it
// reads back as does not.
func AppendCompressed(dst []byte, n Node) ([]byte, error) {
	out, err := AppendBinary(dst, n)
	if err != nil {
		return dst, err
	}
	plain := out[len(dst):]
	z := deflaters.Get().(*deflater)
	defer deflaters.Put(z)
	z.buf.Reset()
	z.w.Reset(&z.buf)
	if _, err := z.w.Write(plain[1:]); err != nil {
		return dst, err // a bytes.Buffer does not fail
	}
	if err := z.w.Close(); err != nil {
		return dst, err
	}
	if z.buf.Len() >= len(plain)-1 {
		return out, nil
	}
	plain[0] |= flagCompressed
	return append(out[:len(dst)+1], z.buf.Bytes()...), nil
}

// deflater is a compressor with its output; both are large and kept.
type deflater struct {
	w   *zlib.Writer
	buf bytes.Buffer
}

var deflaters = sync.Pool{New: func() any { return &deflater{w: zlib.NewWriter(nil)} }}

// decompress returns a compressed stanza in its uncompressed form, header
// included. It stops at the byte after MaxSize, and its memory grows with what
// has really been decompressed.
func decompress(b []byte) ([]byte, error) {
	in := bytes.NewReader(b[1:])
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, compressError(err)
	}
	var out bytes.Buffer
	out.WriteByte(b[0] &^ flagCompressed)
	if _, err := io.Copy(&out, io.LimitReader(r, MaxSize)); err != nil {
		return nil, compressError(err)
	}
	if out.Len() > MaxSize {
		return nil, &FormatError{Check: CheckSize, Offset: MaxSize}
	}
	// Only the end of the stream checks its sum.
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return nil, compressError(err)
	}
	if in.Len() > 0 {
		return nil, &FormatError{Check: CheckTrailing, Offset: len(b) - in.Len()}
	}
	return out.Bytes(), nil
}

func compressError(err error) error {
	e := &FormatError{Check: CheckCompress, Offset: 1}
	if err != nil {
		e.Detail = err.Error()
	}
	return e
}
