package wire

import (
	"bytes"
	"testing"
)

// FuzzReader reads data as the fields that a program names, writes what it read
// by the same program, and wants the bytes back that were read.
func FuzzReader(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08"), []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"))
	f.Add([]byte("\x06\x06\x06"), []byte("\x00\x40\x40"+string(make([]byte, 64))+"\x80\x00\x40\x00"))
	f.Add([]byte("\x07\x06"), []byte("\x04\x01x\x01y"))
	f.Add([]byte("\x08\x07\x08\x06"), []byte("\x01\x05\x01\x02ab\x00"))
	f.Add([]byte("\x07"), []byte("\x01\x00"))
	f.Fuzz(func(t *testing.T, program, data []byte) {
		if len(program) > 50 {
			return
		}
		r, w := NewReader(data), NewWriter(nil)
		for p := program; len(p) > 0 && r.Err() == nil; {
			p = copyField(p, r, w)
		}
		read := data[:r.Offset()]
		if r.Err() != nil {
			return
		}
		if written, err := w.Bytes(); err != nil || !bytes.Equal(written, read) {
			t.Fatalf("program %x: read %x, wrote %x (%v)", program, read, written, err)
		}
		if err := r.Done(); (err == nil) != (len(read) == len(data)) {
			t.Fatalf("Done() = %v after %d of %d bytes", err, len(read), len(data))
		}
	})
}

// copyField reads the field that program begins with, writes it, and returns the
// rest of the program. A vector or optional takes one field for its element.
func copyField(program []byte, r *Reader, w *Writer) (rest []byte) {
	if len(program) == 0 {
		return nil
	}
	op, rest := program[0]%9, program[1:]
	switch op {
	case 0:
		w.Uint8(r.Uint8())
	case 1:
		w.Uint16(r.Uint16())
	case 2:
		w.Uint24(r.Uint24())
	case 3:
		w.Uint32(r.Uint32())
	case 4:
		w.Uint64(r.Uint64())
	case 5:
		w.Fixed(r.Fixed(int(program[0]) / 9))
	case 6:
		w.Opaque(r.Opaque())
	case 7:
		after := skipField(rest)
		w.Vector(func() {
			r.Vector(func() { copyField(rest, r, w) })
		})
		return after
	case 8:
		if present := len(r.s) > 0 && r.s[0] == 1; !present {
			w.Optional(r.Optional(func() {}), nil) // none, or an error
		} else {
			w.Optional(true, func() {
				r.Optional(func() { copyField(rest, r, w) })
			})
		}
		return skipField(rest)
	}
	return rest
}

// skipField returns what follows the field that program begins with.
func skipField(program []byte) []byte {
	for len(program) > 0 && program[0]%9 >= 7 {
		program = program[1:]
	}
	return program[min(1, len(program)):]
}

// FuzzUnmarshal: a type that is read has the encoding that it was read from.
func FuzzUnmarshal(f *testing.F) {
	b, err := Marshal(&everything{g: []byte("x"), h: []uint16{1}, i: &everything{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<12 { // a nested value takes 24 bytes and a frame of the stack
			return
		}
		var x everything
		if Unmarshal(data, &x) != nil {
			return
		}
		if again, err := Marshal(&x); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x (%v)", data, again, err)
		}
	})
}
