// Package wiretest has the tests that every type which package wire reads and writes
// passes. The presentation language is that of TLS (RFC 8446, Section 3) with the
// vectors of MLS (RFC 9420, Section 2.1.2).
package wiretest

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Value is a pointer to what reads and writes itself.
type Value interface {
	wire.Marshaler
	wire.Unmarshaler
}

// Sample reads an encoding into the values that make makes, and returns the first. It
// demands that the encoding is written as it was read, and that no part of it, nor more
// than it, is read.
func Sample(t *testing.T, sample string, make func() Value) Value {
	t.Helper()
	v := make()
	if err := wire.Unmarshal([]byte(sample), v); err != nil {
		t.Fatalf("reading %x: %v", sample, err)
	}
	if got, err := wire.Marshal(v); err != nil || string(got) != sample {
		t.Errorf("%x was written as %x, %v", sample, got, err)
	}
	for n := range sample {
		if err := wire.Unmarshal([]byte(sample[:n]), make()); err == nil {
			t.Errorf("the first %d bytes of %x were read", n, sample)
		}
	}
	if err := wire.Unmarshal([]byte(sample+"\x00"), make()); !errors.Is(err, wire.ErrTrailing) {
		t.Errorf("a byte behind %x: %v, want %v", sample, err, wire.ErrTrailing)
	}
	return v
}

// Flood returns an encoding of about n bytes: head, then a vector of as many
// elements as fit, then tail.
func Flood(head, element, tail string, n int) []byte {
	w := wire.NewWriter(nil)
	w.Fixed([]byte(head))
	w.Vector(func() { w.Fixed([]byte(strings.Repeat(element, n/len(element)))) })
	w.Fixed([]byte(tail))
	b, err := w.Bytes()
	if err != nil {
		panic(err)
	}
	return b
}

// Cost demands that reading an encoding into v allocates at most perByte bytes for each
// of its own, and that it is written as it was read. It counts the allocations of the
// process, so that its test must not run beside others.
func Cost(t *testing.T, in []byte, v Value, perByte uint64) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := wire.Unmarshal(in, v)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > perByte*uint64(len(in)) {
		t.Errorf("reading %d bytes allocates %d, %.0f times as many, want at most %d times", len(in), got, float64(got)/float64(len(in)), perByte)
	}
	if b, err := wire.Marshal(v); err != nil || !bytes.Equal(b, in) {
		t.Errorf("it was not written as it was read: %v", err)
	}
}
