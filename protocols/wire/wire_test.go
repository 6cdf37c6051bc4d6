package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
)

// TestDeserializationVectors checks lengths against the MLS working group's file.
func TestDeserializationVectors(t *testing.T) {
	t.Parallel()
	var cases []struct {
		Header string `json:"vlbytes_header"`
		Length int    `json:"length"`
	}
	if err := json.Unmarshal(vectorstest.Read(t, "mls/deserialization.json"), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		header, err := hex.DecodeString(c.Header)
		if err != nil {
			t.Fatal(err)
		}
		w := NewWriter(nil)
		w.length(c.Length)
		if got, err := w.Bytes(); err != nil || !bytes.Equal(got, header) {
			t.Errorf("length %d is written as %x, %v, want %x", c.Length, got, err, header)
		}
		r := NewReader(header)
		if got := r.Length(); got != c.Length || r.Done() != nil {
			t.Errorf("header %x is of %d bytes, %v, want %d", header, got, r.Done(), c.Length)
		}
		// The bytes themselves are not there, which must be noticed at the offset of
		// the length and not before the length was understood.
		r = NewReader(header)
		r.Opaque()
		if want := ErrTruncated; c.Length > 0 && !errors.Is(r.Err(), want) {
			t.Errorf("header %x: %v, want %v", header, r.Err(), want)
		}
		if c.Length > 1<<20 {
			continue
		}
		r = NewReader(append(header, make([]byte, c.Length)...))
		if got := r.Opaque(); len(got) != c.Length || r.Done() != nil {
			t.Errorf("header %x: %d bytes, %v, want %d", header, len(got), r.Done(), c.Length)
		}
	}
}

// TestLengths holds the examples and bounds of RFC 9420, Section 2.1.2.
func TestLengths(t *testing.T) {
	t.Parallel()
	tests := []struct {
		n      int
		header string
	}{
		{0, "00"}, {37, "25"}, {63, "3f"}, {64, "4040"}, {15293, "7bbd"}, {16383, "7fff"}, {16384, "80004000"},
	}
	for _, tt := range tests {
		w := NewWriter([]byte("before"))
		w.Opaque(bytes.Repeat([]byte{'x'}, tt.n))
		b, err := w.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		want := "before" + string(must(t, tt.header)) + strings.Repeat("x", tt.n)
		if string(b) != want {
			t.Errorf("opaque of %d bytes begins %x, want %x", tt.n, b[6:12], want[6:12])
		}
		v := NewWriter([]byte("before"))
		v.Vector(func() {
			for range tt.n {
				v.Uint8('x')
			}
		})
		if b, err := v.Bytes(); err != nil || string(b) != want {
			t.Errorf("vector of %d bytes differs from the opaque (%v)", tt.n, err)
		}
		if got := LengthSize(tt.n); got != len(tt.header)/2 {
			t.Errorf("LengthSize(%d) = %d, want %d", tt.n, got, len(tt.header)/2)
		}
	}
	w := NewWriter(nil)
	w.length(MaxLength + 1)
	if b, err := w.Bytes(); b != nil || !errors.Is(err, ErrTooLong) {
		t.Errorf("length 2^30 = %x, %v, want ErrTooLong", b, err)
	}
}

func must(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	opaque := func(r *Reader) { r.Opaque() }
	pair := func(r *Reader) { r.Uint8(); r.Uint16() }
	tests := []struct {
		name, in string
		read     func(*Reader)
		offset   int
		want     error
	}{
		{"nothing", "", opaque, 0, ErrTruncated},
		{"uint8", "", func(r *Reader) { r.Uint8() }, 0, ErrTruncated},
		{"uint16", "01", func(r *Reader) { r.Uint16() }, 0, ErrTruncated},
		{"uint24", "0102", func(r *Reader) { r.Uint24() }, 0, ErrTruncated},
		{"uint32", "010203", func(r *Reader) { r.Uint32() }, 0, ErrTruncated},
		{"uint64", "01020304050607", func(r *Reader) { r.Uint64() }, 0, ErrTruncated},
		{"second field", "0102", pair, 1, ErrTruncated},
		{"fixed", "0102", func(r *Reader) { r.Fixed(3) }, 0, ErrTruncated},
		{"trailing", "0000", opaque, 1, ErrTrailing},
		{"half a length of 2", "40", opaque, 1, ErrTruncated},
		{"half a length of 4", "800040", opaque, 1, ErrTruncated},
		{"0 in two bytes", "4000", opaque, 0, ErrNotMinimal},
		{"63 in two bytes", "403f" + strings.Repeat("00", 63), opaque, 0, ErrNotMinimal},
		{"0 in four bytes", "80000000", opaque, 0, ErrNotMinimal},
		{"16383 in four bytes", "80003fff" + strings.Repeat("00", 16383), opaque, 0, ErrNotMinimal},
		{"reserved bits", "c000000000000000", opaque, 0, ErrLength},
		{"reserved bits, at the end", "ff", opaque, 0, ErrLength},
		{"too short by one", "020a", opaque, 0, ErrTruncated},
		{"1 GiB that is not there", "bfffffff00", opaque, 0, ErrTruncated},
		{"vector longer than the input", "0300", func(r *Reader) { r.Vector(func() { opaque(r) }) }, 0, ErrTruncated},
		{"element beyond its vector", "02010203", func(r *Reader) { r.Vector(func() { pair(r) }) }, 2, ErrTruncated},
		{"opaque beyond its vector", "0301ff020000", func(r *Reader) { r.Vector(func() { opaque(r) }) }, 3, ErrTruncated},
		{"opaque longer than its vector", "0202ffff", func(r *Reader) { r.Vector(func() { opaque(r) }) }, 1, ErrTruncated},
		{"vector in a vector", "0302000000", func(r *Reader) { r.Vector(func() { r.Vector(func() { pair(r) }) }) }, 3, ErrTruncated},
		{"element without bytes", "0100", func(r *Reader) { r.Vector(func() {}) }, 1, errNoProgress},
		{"presence 2", "02", func(r *Reader) { r.Optional(func() { opaque(r) }) }, 0, ErrOptional},
		{"presence missing", "", func(r *Reader) { r.Optional(func() { opaque(r) }) }, 0, ErrTruncated},
		{"present and missing", "01", func(r *Reader) { r.Optional(func() { opaque(r) }) }, 1, ErrTruncated},
		{"first error stays", "01", func(r *Reader) { r.Uint8(); r.Fail(errTest); r.Fail(ErrLength); r.Uint8() }, 1, errTest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := NewReader(must(t, tt.in))
			tt.read(r)
			err := r.Done()
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, tt.want) || e.Offset != tt.offset {
				t.Fatalf("error = %v, want %v at byte %d", err, tt.want, tt.offset)
			}
			// The error sticks, and reads after it give zeros.
			if r.Uint8() != 0 || r.Uint16() != 0 || r.Uint24() != 0 || r.Uint32() != 0 || r.Uint64() != 0 ||
				r.Fixed(0) != nil || r.Fixed(1) != nil || r.Opaque() != nil || !r.Empty() || r.Err() != err ||
				r.Optional(func() { t.Error("read of a value after an error") }) {
				t.Error("something was read after an error")
			}
			r.Vector(func() { t.Error("read of an element after an error") })
		})
	}
}

var errTest = errors.New("test")

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		write  func(*Writer)
		offset int
		want   error
	}{
		{"uint24", func(w *Writer) { w.Uint8(1); w.Uint24(1 << 24) }, 1, ErrTooLong},
		{"first error stays", func(w *Writer) { w.Fail(errTest); w.Uint24(1 << 24) }, 0, errTest},
		{"in a vector", func(w *Writer) { w.Uint16(0); w.Vector(func() { w.Fail(errTest) }) }, 3, errTest},
		{"in an optional", func(w *Writer) { w.Optional(true, func() { w.Fail(errTest) }) }, 1, errTest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dst := []byte("before")
			got, err := Append(dst, writerFunc(tt.write))
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, tt.want) || e.Offset != tt.offset {
				t.Errorf("error = %v, want %v at byte %d", err, tt.want, tt.offset)
			}
			if !bytes.Equal(got, dst) {
				t.Errorf("Append = %q with an error, want %q", got, dst)
			}
			w := NewWriter(nil)
			tt.write(w)
			w.Uint8(1)
			w.Uint16(1)
			w.Uint24(1)
			w.Uint32(1)
			w.Uint64(1)
			w.Fixed([]byte{1})
			w.Opaque([]byte{1})
			w.OpaqueString("x")
			w.Vector(func() { w.Uint8(1) })
			w.Optional(false, nil)
			if b, again := w.Bytes(); b != nil || !errors.Is(again, tt.want) {
				t.Errorf("Bytes() = %x, %v, want %v", b, again, tt.want)
			}
		})
	}
}

type writerFunc func(*Writer)

func (f writerFunc) MarshalTLS(w *Writer) { f(w) }

// everything has a field of each kind.
//
//	struct {
//	    uint8 a; uint16 b; uint24 c; uint32 d; uint64 e;
//	    opaque f[3];
//	    opaque g<V>;
//	    uint16 h<V>;
//	    optional<Everything> i;
//	} Everything;
type everything struct {
	a    uint8
	b    uint16
	c, d uint32
	e    uint64
	f    [3]byte
	g    []byte
	h    []uint16
	i    *everything
}

func (x *everything) MarshalTLS(w *Writer) {
	w.Uint8(x.a)
	w.Uint16(x.b)
	w.Uint24(x.c)
	w.Uint32(x.d)
	w.Uint64(x.e)
	w.Fixed(x.f[:])
	w.Opaque(x.g)
	w.Vector(func() {
		for _, v := range x.h {
			w.Uint16(v)
		}
	})
	w.Optional(x.i != nil, func() { x.i.MarshalTLS(w) })
}

func (x *everything) UnmarshalTLS(r *Reader) {
	x.a = r.Uint8()
	x.b = r.Uint16()
	x.c = r.Uint24()
	x.d = r.Uint32()
	x.e = r.Uint64()
	copy(x.f[:], r.Fixed(3))
	x.g = r.Opaque()
	r.Vector(func() { x.h = append(x.h, r.Uint16()) })
	r.Optional(func() {
		x.i = new(everything)
		x.i.UnmarshalTLS(r)
	})
}

func sample() *everything {
	return &everything{
		a: math.MaxUint8, b: math.MaxUint16, c: 1<<24 - 1, d: math.MaxUint32, e: math.MaxUint64,
		f: [3]byte{1, 2, 3}, g: []byte("opaque"), h: []uint16{4, 5},
		i: &everything{g: bytes.Repeat([]byte{7}, 100), h: make([]uint16, 10000)},
	}
}

func TestEverything(t *testing.T) {
	t.Parallel()
	x := sample()
	b, err := Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	const head = "ff" + "ffff" + "ffffff" + "ffffffff" + "ffffffffffffffff" + "010203" + "066f7061717565" + "0400040005" + "01"
	if got := fmt.Sprintf("%x", b[:len(head)/2]); got != head {
		t.Errorf("Marshal begins %s, want %s", got, head)
	}
	var y everything
	if err := Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	again, err := Marshal(&y)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("Marshal after Unmarshal differs (%v)", err)
	}
	for n := range b {
		if err := Unmarshal(b[:n], new(everything)); !errors.Is(err, ErrTruncated) {
			t.Fatalf("Unmarshal of %d of %d bytes: %v, want ErrTruncated", n, len(b), err)
		}
	}
	if err := Unmarshal(append(b, 0), new(everything)); !errors.Is(err, ErrTrailing) {
		t.Errorf("Unmarshal with a byte more: %v, want ErrTrailing", err)
	}
}

// TestViews: what is handed out cannot be grown over what follows it.
func TestViews(t *testing.T) {
	t.Parallel()
	in := must(t, "0201020304")
	r := NewReader(in)
	_ = append(r.Opaque(), 9)
	_ = append(r.Fixed(1), 9)
	if want := must(t, "0201020304"); !bytes.Equal(in, want) {
		t.Errorf("appending to a view changes the input to %x, want %x", in, want)
	}
	if r := NewReader(nil); r.Fixed(0) == nil || r.Done() != nil {
		t.Errorf("no bytes of no input: %v, want success", r.Done())
	}
}

func TestAllocations(t *testing.T) {
	x := sample()
	buf, err := Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		w := NewWriter(buf[:0])
		w.Opaque(x.g)
		w.Vector(func() {
			for _, v := range x.h {
				w.Uint16(v)
			}
		})
		if _, err := w.Bytes(); err != nil {
			t.Fatal(err)
		}
		r := NewReader(buf[:12])
		sum := 0
		r.Opaque()
		r.Vector(func() { sum += int(r.Uint16()) })
		if r.Done() != nil || sum != 9 {
			t.Fatal(r.Done(), sum)
		}
	}); n != 0 {
		t.Errorf("writing and reading allocate %v times, want 0", n)
	}
}

// TestLengthRefuses reads lengths that no writer writes.
func TestLengthRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header string
		want   error
	}{
		{"", ErrTruncated}, {"40", ErrTruncated}, {"800000", ErrTruncated},
		{"403f", ErrNotMinimal}, {"80003fff", ErrNotMinimal}, {"c000000000000000", ErrLength},
	} {
		r := NewReader(must(t, tt.header))
		if got := r.Length(); got != 0 || !errors.Is(r.Err(), tt.want) {
			t.Errorf("header %s: length %d, %v, want %v", tt.header, got, r.Err(), tt.want)
		}
	}
}
