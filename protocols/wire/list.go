package wire

import "slices"

// List reads a vector of T. P is *T.
func List[T any, P interface {
	*T
	Unmarshaler
}](r *Reader) (v []T) {
	r.Vector(func() {
		v = Extend(v)
		P(&v[len(v)-1]).UnmarshalTLS(r)
	})
	return v
}

// PutList writes a vector of T. P is *T.
func PutList[T any, P interface {
	*T
	Marshaler
}](w *Writer, v []T) {
	w.Vector(func() {
		for i := range v {
			P(&v[i]).MarshalTLS(w)
		}
	})
}

// Extend appends a zero to a list of unknown length, for its element to be read into.
// The slice doubles, where append alone would go in smaller steps and allocate
// five times of what a long list takes.
func Extend[T any](v []T) []T {
	if len(v) == cap(v) {
		v = slices.Grow(v, len(v)+1)
	}
	return v[:len(v)+1]
}

// Codes reads a vector of numbers of 16 bits, such as an enum's.
func Codes[T ~uint16](r *Reader) (v []T) {
	r.Vector(func() { v = append(v, T(r.Uint16())) })
	return v
}

// PutCodes writes one.
func PutCodes[T ~uint16](w *Writer, v []T) {
	w.Vector(func() {
		for _, c := range v {
			w.Uint16(uint16(c))
		}
	})
}
