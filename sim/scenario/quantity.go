package scenario

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time of at least 0, in nanoseconds. In text it is a sum
// of numbers with the units ns, us, ms, s, m, h and d, the largest first: "50ms",
// "1h30m", "30d", "1.5s". A bare 0 needs no unit.
type Duration time.Duration

// Bytes is a size of at least 0. In text it is a number with one of the units B,
// kB (or KB), MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (powers of
// 1024): "60B", "16MB". A bare 0 needs no unit.
type Bytes int64

// Rate is a bandwidth of at least 0 in bits per second. In text it is a number
// with one of the units bps, kbps, Mbps and Gbps: "20Mbps". A bare 0 needs no
// unit.
type Rate int64

// Share is a number from 0 to 1. In text it is that number or a percentage:
// "0.001", "0.1%".
type Share float64

type unit struct {
	name string
	size int64
}

// The units, the largest first. Of two names for one size the first is printed.
var (
	durationUnits = []unit{
		{"d", 24 * int64(time.Hour)}, {"h", int64(time.Hour)}, {"m", int64(time.Minute)}, {"s", int64(time.Second)},
		{"ms", int64(time.Millisecond)}, {"us", int64(time.Microsecond)}, {"µs", int64(time.Microsecond)}, {"ns", 1},
	}
	byteUnits = []unit{
		{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6},
		{"KiB", 1 << 10}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
	}
	rateUnits = []unit{{"Gbps", 1e9}, {"Mbps", 1e6}, {"kbps", 1e3}, {"bps", 1}}
)

const (
	wantDuration = "a duration such as 50ms, 1h30m or 30d"
	wantBytes    = "a size such as 60B, 100kB or 16MB"
	wantRate     = "a bandwidth such as 20Mbps"
	wantShare    = "a share from 0 to 1, such as 0.3 or 30%"
)

// expectation is an error that says what a text should have been.
type expectation string

func (e expectation) Error() string { return "expected " + string(e) }

// UnmarshalText parses a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "0" {
		*d = 0
		return nil
	}
	var sum int64
	last := int64(math.MaxInt64)
	for s != "" {
		v, size, rest, ok := quantity(s, durationUnits)
		if !ok || size >= last || v > math.MaxInt64-sum {
			return expectation(wantDuration)
		}
		sum, last, s = sum+v, size, rest
	}
	if last == math.MaxInt64 {
		return expectation(wantDuration)
	}
	*d = Duration(sum)
	return nil
}

// String returns the canonical text: whole numbers of the units in use.
func (d Duration) String() string {
	if d == 0 {
		return "0"
	}
	var b strings.Builder
	rest := int64(d)
	if rest < 0 { // only a Duration that was computed
		return "-" + Duration(-rest).String()
	}
	for _, u := range durationUnits {
		if n := rest / u.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			rest -= n * u.size
		}
	}
	return b.String()
}

// MarshalText returns the canonical text.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Seconds returns the duration in seconds.
func (d Duration) Seconds() float64 { return time.Duration(d).Seconds() }

// UnmarshalText parses a size.
func (b *Bytes) UnmarshalText(text []byte) error {
	return unmarshalUnit((*int64)(b), text, byteUnits, wantBytes)
}

// String returns the canonical text: the unit with the shortest whole number.
func (b Bytes) String() string { return formatUnit(int64(b), byteUnits) }

// MarshalText returns the canonical text.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText parses a bandwidth.
func (r *Rate) UnmarshalText(text []byte) error {
	return unmarshalUnit((*int64)(r), text, rateUnits, wantRate)
}

// String returns the canonical text: the largest unit with a whole number.
func (r Rate) String() string { return formatUnit(int64(r), rateUnits) }

// MarshalText returns the canonical text.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText parses a share.
func (s *Share) UnmarshalText(text []byte) error {
	digits, percent := strings.CutSuffix(string(text), "%")
	if decimal(digits) != len(digits) || digits == "" {
		return expectation(wantShare)
	}
	if percent {
		digits += "e-2" // exact: the decimal is rounded once
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || v > 1 {
		return expectation(wantShare)
	}
	*s = Share(v)
	return nil
}

// String returns the canonical text: a percentage where that is exact.
func (s Share) String() string {
	if s == 0 {
		return "0"
	}
	plain := strconv.FormatFloat(float64(s), 'f', -1, 64)
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(float64(s), 'e', -1, 64), "e")
	e, _ := strconv.Atoi(exponent)
	p, err := strconv.ParseFloat(mantissa+"e"+strconv.Itoa(e+2), 64)
	if err != nil {
		return plain
	}
	percent := strconv.FormatFloat(p, 'f', -1, 64)
	if back, err := strconv.ParseFloat(percent+"e-2", 64); err != nil || back != float64(s) {
		return plain
	}
	return percent + "%"
}

// MarshalText returns the canonical text.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// unmarshalUnit parses a single number with a unit.
func unmarshalUnit(v *int64, text []byte, units []unit, want string) error {
	if string(text) == "0" {
		*v = 0
		return nil
	}
	n, _, rest, ok := quantity(string(text), units)
	if !ok || rest != "" {
		return expectation(want)
	}
	*v = n
	return nil
}

// formatUnit prints v with the unit that needs the fewest digits, the larger one
// of equals.
func formatUnit(v int64, units []unit) string {
	if v == 0 {
		return "0"
	}
	var digits, name string
	for _, u := range units {
		if v%u.size != 0 {
			continue
		}
		if d := strconv.FormatInt(v/u.size, 10); name == "" || len(d) < len(digits) {
			digits, name = d, u.name
		}
	}
	return digits + name
}

// quantity splits a number with a unit off the front of s and returns it in the
// smallest unit, with the size of the unit. The number must come out whole.
func quantity(s string, units []unit) (v, size int64, rest string, ok bool) {
	n := decimal(s)
	end := n
	for end < len(s) && s[end] != '.' && (s[end] < '0' || s[end] > '9') {
		end++
	}
	for _, u := range units {
		if n > 0 && s[n:end] == u.name {
			v, ok := scale(s[:n], u.size)
			return v, u.size, s[end:], ok
		}
	}
	return 0, 0, "", false
}

// decimal returns the length of the decimal number at the front of s: digits
// with at most one point between them.
func decimal(s string) int {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	if i == 0 || i+1 >= len(s) || s[i] != '.' || s[i+1] < '0' || s[i+1] > '9' {
		return i
	}
	for i++; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
	}
	return i
}

// scale multiplies a decimal number by size and reports whether the result is
// whole and fits.
func scale(digits string, size int64) (int64, bool) {
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return n * size, n <= math.MaxInt64/size
	}
	const longest = 40 // more digits than any int64 with a fraction needs
	if len(digits) > longest {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(digits)
	if !ok {
		return 0, false
	}
	r.Mul(r, new(big.Rat).SetInt64(size))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	return r.Num().Int64(), true
}
