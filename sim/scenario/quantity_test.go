package scenario

import (
	"encoding"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantities(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		got  encoding.TextUnmarshaler
		want string // the canonical text, or "" if the text is refused
	}{
		{"0", new(Duration), "0"},
		{"50ms", new(Duration), "50ms"},
		{"1.5s", new(Duration), "1s500ms"},
		{"90m", new(Duration), "1h30m"},
		{"720h", new(Duration), "30d"},
		{"1d12h", new(Duration), "1d12h"},
		{"7us", new(Duration), "7us"},
		{"7µs", new(Duration), "7us"},
		{"0s", new(Duration), "0"},
		{"106751d", new(Duration), "106751d"},
		{"106752d", new(Duration), ""}, // more than 63 bits of nanoseconds
		{"30m1h", new(Duration), ""},   // the larger unit comes first
		{"1h1h", new(Duration), ""},
		{"50", new(Duration), ""},
		{"-5s", new(Duration), ""},
		{"5 s", new(Duration), ""},
		{"5sec", new(Duration), ""},
		{"1.2.3s", new(Duration), ""},
		{"1.s", new(Duration), ""},
		{".5s", new(Duration), ""},
		{"1.5ns", new(Duration), ""},
		{"", new(Duration), ""},
		{"60B", new(Bytes), "60B"},
		{"16MB", new(Bytes), "16MB"},
		{"16000KB", new(Bytes), "16MB"},
		{"1.5kB", new(Bytes), "1500B"},
		{"4096B", new(Bytes), "4KiB"},
		{"0.25KiB", new(Bytes), "256B"},
		{"10MiB", new(Bytes), "10MiB"},
		{"0.5B", new(Bytes), ""},
		{"16mb", new(Bytes), ""},
		{"16MB1kB", new(Bytes), ""},
		{"16", new(Bytes), ""},
		{"9999999TB", new(Bytes), ""},
		{"20Mbps", new(Rate), "20Mbps"},
		{"1.5Mbps", new(Rate), "1500kbps"},
		{"2400bps", new(Rate), "2400bps"},
		{"20MB", new(Rate), ""},
		{"0", new(Share), "0"},
		{"0%", new(Share), "0"},
		{"0.3", new(Share), "30%"},
		{"7%", new(Share), "7%"},
		{"0.1%", new(Share), "0.1%"},
		{"1", new(Share), "100%"},
		{"100.1%", new(Share), ""},
		{"1.01", new(Share), ""},
		{"-1%", new(Share), ""},
		{"1e-3", new(Share), ""},
		{"NaN", new(Share), ""},
		{"%", new(Share), ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%T %s", tt.got, tt.text), func(t *testing.T) {
			t.Parallel()
			err := tt.got.UnmarshalText([]byte(tt.text))
			if tt.want == "" {
				if err == nil {
					t.Fatalf("%q became %v, want an error", tt.text, tt.got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(tt.got); got != tt.want {
				t.Errorf("%q became %s, want %s", tt.text, got, tt.want)
			}
		})
	}
}

// Every value's canonical text must give the value back.
func TestQuantityRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, math.MaxInt64).Draw(t, "n")
		if rapid.Bool().Draw(t, "round") {
			n -= n % 1_000_000
		}
		d, b, r := Duration(n), Bytes(n), Rate(n)
		s := Share(rapid.Float64Range(0, 1).Draw(t, "share"))
		var d2 Duration
		var b2 Bytes
		var r2 Rate
		var s2 Share
		for _, q := range []struct {
			from fmt.Stringer
			to   encoding.TextUnmarshaler
		}{{d, &d2}, {b, &b2}, {r, &r2}, {s, &s2}} {
			if err := q.to.UnmarshalText([]byte(q.from.String())); err != nil {
				t.Fatalf("%s of %T: %v", q.from, q.from, err)
			}
		}
		if d != d2 || b != b2 || r != r2 || s != s2 {
			t.Fatalf("%v %v %v %v came back as %v %v %v %v", d, b, r, s, d2, b2, r2, s2)
		}
	})
}
