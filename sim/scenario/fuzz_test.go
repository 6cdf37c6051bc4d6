package scenario

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever the bytes and the override: no panic, an error of type Errors or a
// file, and what loads has a canonical form that says the same.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(small), "partners.count=5")
	f.Add([]byte(small), "gatekeepers.*.users=${1,2}")
	f.Add([]byte(small), "faults.crashes.device={every: {dist: exponential, mean: 1h}, down: 5s}")
	f.Add([]byte(template), "links=null")
	f.Fuzz(func(t *testing.T, data []byte, override string) {
		var overrides []string
		if override != "" {
			overrides = []string{override}
		}
		file, err := Load("fuzz.yaml", data, overrides...)
		if err != nil {
			var all Errors
			if file != nil || !errors.As(err, &all) || len(all) == 0 || len(all) > maxErrors {
				t.Fatalf("file %v beside the error %v", file, err)
			}
			return
		}
		points := file.Points()
		for _, p := range []Point{points[0], points[len(points)-1]} {
			s := reload(t, p.Scenario.Canonical())
			if diff := cmp.Diff(p.Scenario, s); diff != "" {
				t.Fatalf("the canonical form is another scenario:\n%s", diff)
			}
			buildAll(t, &p.Scenario)
		}
	})
}

func FuzzQuantities(f *testing.F) {
	for _, s := range []string{"1h30m", "16MB", "20Mbps", "0.1%", "0", "106751d", "0.25KiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d, d2 Duration
		var b, b2 Bytes
		var r, r2 Rate
		var s, s2 Share
		if d.UnmarshalText([]byte(text)) == nil && (d < 0 || d2.UnmarshalText([]byte(d.String())) != nil || d != d2) {
			t.Errorf("%q is %v, which is %v", text, d, d2)
		}
		if b.UnmarshalText([]byte(text)) == nil && (b < 0 || b2.UnmarshalText([]byte(b.String())) != nil || b != b2) {
			t.Errorf("%q is %v, which is %v", text, b, b2)
		}
		if r.UnmarshalText([]byte(text)) == nil && (r < 0 || r2.UnmarshalText([]byte(r.String())) != nil || r != r2) {
			t.Errorf("%q is %v, which is %v", text, r, r2)
		}
		if s.UnmarshalText([]byte(text)) == nil && (s < 0 || s > 1 || s2.UnmarshalText([]byte(s.String())) != nil || s != s2) {
			t.Errorf("%q is %v, which is %v", text, s, s2)
		}
	})
}
