package wire

import "testing"

// BenchmarkMarshal and BenchmarkUnmarshal: a value of about 20 KB, most of it a
// vector of uint16, and one with an opaque of 1 KiB.
func BenchmarkMarshal(b *testing.B) {
	for name, x := range benchValues() {
		b.Run(name, func(b *testing.B) {
			buf, err := Marshal(x)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Append(buf[:0], x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	for name, x := range benchValues() {
		b.Run(name, func(b *testing.B) {
			buf, err := Marshal(x)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			var y, z everything
			h := make([]uint16, 0, len(x.h))
			for b.Loop() {
				y = everything{h: h}
				if x.i != nil {
					y.i = &z
				}
				if err := Unmarshal(buf, &y); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchValues() map[string]*everything {
	return map[string]*everything{
		"vector": {h: make([]uint16, 10000)},
		"opaque": {g: make([]byte, 1024)},
	}
}
