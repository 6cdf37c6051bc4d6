package trace

import "testing"

// TestWidth compares the estimates with the widths of labels in DejaVu Sans 2.37 and
// its bold face, for which they must leave room and not much more.
func TestWidth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text         string
		normal, bold float64 // at 100 pixels
	}{
		{"delivered", 467, 530},
		{"rejected", 411, 466},
		{"messenger/1", 651, 725},
		{"the partner's proxy", 963, 1090},
		{"device of a native user", 1144, 1287},
		{"One message, from sealing to showing", 1949, 2191},
		{"lost: partition", 670, 778},
		{"1.24 kB", 381, 424},
		{"34 ms  ·  retry 1", 805, 899},
	} {
		for _, w := range [...]struct {
			face      string
			got, want float64
		}{{"normal", width(tt.text, 100), tt.normal}, {"bold", boldWidth(tt.text, 100), tt.bold}} {
			if w.got < w.want || w.got > 1.08*w.want {
				t.Errorf("%q, %s: %.0f, want %.0f to %.0f", tt.text, w.face, w.got, w.want, 1.08*w.want)
			}
		}
	}
}
