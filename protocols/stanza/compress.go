package stanza

import (
	"bytes"
	"compress/zlib"
	"io"
	"sync"
)

// AppendCompressed appends the binary form of a tree to dst as AppendBinary
// does, but with all after the header as one zlib stream (RFC 1950) if that is
// shorter. What it writes depends on the version of Go's compressor; what it
// reads back as does not.
func AppendCompressed(dst []byte, n Node) ([]byte, error) {
	return appendCompressed(nil, DictionaryVersion<<4, dst, n)
}

func appendCompressed(d *Dictionary, header byte, dst []byte, n Node) ([]byte, error) {
	out, err := appendBinary(d, header, dst, n)
	if err != nil {
		return dst, err
	}
	plain := out[len(dst):]
	z := deflaters.Get().(*deflater)
	defer z.release()
	z.w.Reset(&z.out)
	if _, err := z.w.Write(plain[1:]); err != nil {
		return dst, err // a bytes.Buffer does not fail
	}
	if err := z.w.Close(); err != nil {
		return dst, err
	}
	if z.out.Len() >= len(plain)-1 {
		return out, nil
	}
	plain[0] |= flagCompressed
	return append(out[:len(dst)+1], z.out.Bytes()...), nil
}

// maxKept is the capacity in bytes of the largest buffer that a pool keeps.
const maxKept = 1 << 16

// deflater is a compressor with its output. Its tables are large, so it is used
// again.
type deflater struct {
	w   *zlib.Writer
	out bytes.Buffer
}

var deflaters = sync.Pool{New: func() any { return &deflater{w: zlib.NewWriter(nil)} }}

func (z *deflater) release() {
	if z.out.Cap() <= maxKept {
		z.out.Reset()
		deflaters.Put(z)
	}
}

// inflater is a decompressor with its input and output, used again as well.
type inflater struct {
	in  bytes.Reader
	r   io.ReadCloser // nil before the first use
	out bytes.Buffer
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

func (z *inflater) release() {
	if z.out.Cap() <= maxKept {
		z.in.Reset(nil)
		z.out.Reset()
		inflaters.Put(z)
	}
}

// inflate returns a compressed stanza in its uncompressed form, header included,
// which is valid until release. It stops at the byte after limit; below that,
// copying has seen the stream's end, where its sum is checked. Memory grows with
// what has really been decompressed.
func (z *inflater) inflate(b []byte, limit int) ([]byte, error) {
	z.in.Reset(b[1:])
	if err := z.start(); err != nil {
		return nil, compressError(err.Error())
	}
	z.out.WriteByte(b[0] &^ flagCompressed)
	if _, err := io.Copy(&z.out, io.LimitReader(z.r, int64(limit))); err != nil {
		return nil, compressError(err.Error())
	}
	if z.out.Len() > limit {
		return nil, &FormatError{Check: CheckSize, Offset: limit}
	}
	if z.in.Len() > 0 {
		return nil, &FormatError{Check: CheckTrailing, Offset: len(b) - z.in.Len()}
	}
	return z.out.Bytes(), nil
}

// start reads the stream's header.
func (z *inflater) start() (err error) {
	if z.r == nil {
		z.r, err = zlib.NewReader(&z.in)
		return err
	}
	return z.r.(zlib.Resetter).Reset(&z.in, nil)
}

func compressError(detail string) error {
	return &FormatError{Check: CheckCompress, Offset: 1, Detail: detail}
}
