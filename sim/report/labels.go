package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Labels says which part of a metric a value belongs to: a set of keys with
// values in its canonical form "k=v,k=v", sorted by key. It is comparable, so it
// is built once (with [NewLabels]) and then used as often as needed at no cost.
// The zero value is the empty set.
//
// Within keys and values the bytes '%', ',', '=', controls and DEL stand as
// "%" and two upper-case hexadecimal digits.
type Labels struct{ text string }

// NewLabels builds labels from alternating keys and values. An odd number of
// strings, an empty key and a key given twice are mistakes of the program and
// panic.
func NewLabels(keysAndValues ...string) Labels {
	if len(keysAndValues)%2 != 0 {
		panic(fmt.Sprintf("report: labels %q: want alternating keys and values", keysAndValues))
	}
	pairs := make([][2]string, 0, len(keysAndValues)/2)
	for i := 0; i < len(keysAndValues); i += 2 {
		pairs = append(pairs, [2]string{keysAndValues[i], keysAndValues[i+1]})
	}
	l, err := joinLabels(pairs)
	if err != nil {
		panic("report: " + err.Error())
	}
	return l
}

// ParseLabels reads the canonical form. Text in any other form is an error.
func ParseLabels(text string) (Labels, error) {
	pairs, err := splitLabels(text)
	if err != nil {
		return Labels{}, err
	}
	l, err := joinLabels(pairs)
	if err != nil {
		return Labels{}, err
	}
	if l.text != text {
		return Labels{}, fmt.Errorf("labels %q: not canonical, want %q", text, l.text)
	}
	return l, nil
}

// String returns the canonical form.
func (l Labels) String() string { return l.text }

// Get returns the value of key, and whether there is one.
func (l Labels) Get(key string) (string, bool) {
	for rest := l.text; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, ",")
		k, v, _ := strings.Cut(pair, "=")
		if unescapeLabel(k) == key {
			return unescapeLabel(v), true
		}
	}
	return "", false
}

// With returns the labels with key set to value, replacing the one it had.
func (l Labels) With(key, value string) Labels {
	pairs := slices.DeleteFunc(l.Pairs(), func(p [2]string) bool { return p[0] == key })
	out, err := joinLabels(append(pairs, [2]string{key, value}))
	if err != nil {
		panic("report: " + err.Error())
	}
	return out
}

// Without returns the labels less the given keys.
func (l Labels) Without(keys ...string) Labels {
	pairs := slices.DeleteFunc(l.Pairs(), func(p [2]string) bool { return slices.Contains(keys, p[0]) })
	out, err := joinLabels(pairs)
	if err != nil {
		panic("report: " + err.Error()) // unreachable: pairs came out of valid labels
	}
	return out
}

// Has reports whether every key of want has the same value in l.
func (l Labels) Has(want Labels) bool {
	for _, p := range want.Pairs() {
		if v, ok := l.Get(p[0]); !ok || v != p[1] {
			return false
		}
	}
	return true
}

// Pairs returns keys and values, sorted by key.
func (l Labels) Pairs() [][2]string {
	pairs, _ := splitLabels(l.text) // labels are valid by construction
	return pairs
}

// MarshalText returns the canonical form.
func (l Labels) MarshalText() ([]byte, error) { return []byte(l.text), nil }

// UnmarshalText reads the canonical form.
func (l *Labels) UnmarshalText(text []byte) error {
	parsed, err := ParseLabels(string(text))
	if err == nil {
		*l = parsed
	}
	return err
}

func joinLabels(pairs [][2]string) (Labels, error) {
	slices.SortFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	var b strings.Builder
	for i, p := range pairs {
		if p[0] == "" {
			return Labels{}, fmt.Errorf("labels: empty key with value %q", p[1])
		}
		if i > 0 {
			if pairs[i-1][0] == p[0] {
				return Labels{}, fmt.Errorf("labels: key %q given twice", p[0])
			}
			b.WriteByte(',')
		}
		escapeLabel(&b, p[0])
		b.WriteByte('=')
		escapeLabel(&b, p[1])
	}
	return Labels{b.String()}, nil
}

func splitLabels(text string) ([][2]string, error) {
	if text == "" {
		return nil, nil
	}
	var pairs [][2]string
	for pair := range strings.SplitSeq(text, ",") {
		k, v, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("labels %q: %q is not key=value", text, pair)
		}
		pairs = append(pairs, [2]string{unescapeLabel(k), unescapeLabel(v)})
	}
	return pairs, nil
}

func reservedInLabel(c byte) bool {
	return c == '%' || c == ',' || c == '=' || c < ' ' || c == 0x7f
}

func escapeLabel(b *strings.Builder, s string) {
	for i := range len(s) {
		if reservedInLabel(s[i]) {
			fmt.Fprintf(b, "%%%02X", s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
}

// unescapeLabel undoes escapeLabel. Other text comes out as something whose
// canonical form differs, which is how ParseLabels refuses it.
func unescapeLabel(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
