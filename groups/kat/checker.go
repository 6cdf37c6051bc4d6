package kat

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// octets are bytes, in a file hexadecimal digits.
type octets []byte

// MarshalText writes lower-case digits.
func (o octets) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, o), nil }

// UnmarshalText reads them.
func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.AppendDecode([]byte{}, text)
	return err
}

// head is what every case begins with. It is for people, and not verified.
type head struct {
	Name       string   `json:"name"`
	Section    string   `json:"section"`    // of the draft
	Deviations []string `json:"deviations"` // readings of this project that it depends on
}

func (h *head) title() string { return h.Name }

// checker collects what is wrong with one case.
type checker struct {
	title    string
	suite    suite.ID
	skipped  bool
	failures []string
}

// maxFailures is how much is kept of a case that differs all over.
const maxFailures = 8

// name puts the case's name before what is wrong.
func (c *checker) name(what string) string {
	if c.title == "" {
		return what
	}
	return fmt.Sprintf("%.80s: %s", c.title, what)
}

// fail notes that what, a field of the case, is not as it should be.
func (c *checker) fail(what, format string, args ...any) {
	if len(c.failures) < maxFailures {
		c.failures = append(c.failures, what+": "+fmt.Sprintf(format, args...))
	}
}

// ok notes an error.
func (c *checker) ok(what string, err error) bool {
	if err != nil {
		c.fail(what, "%v", err)
	}
	return err == nil
}

// equal notes bytes that differ.
func (c *checker) equal(what string, got, want []byte) bool {
	if bytes.Equal(got, want) {
		return true
	}
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	c.fail(what, "got %d bytes, the case has %d; they differ from byte %d: %.16x, %.16x", len(got), len(want), at, got[at:], want[at:])
	return false
}

// same notes a value that differs.
func same[T comparable](c *checker, what string, got, want T) bool {
	if got != want {
		c.fail(what, "got %v, the case has %v", got, want)
	}
	return got == want
}

// alike compares what was read with the JSON of the case.
func (c *checker) alike(what string, got any, want json.RawMessage) bool {
	b, err := json.Marshal(got)
	if !c.ok(what, err) {
		return false
	}
	path, why := differ(tree(b), tree(want))
	if why != "" {
		c.fail(what+path, "%s", why)
	}
	return why == ""
}

// withSuite returns the suite of a case. Its randomness is not the case's.
func (c *checker) withSuite(id suite.ID) (suite.Suite, bool) {
	c.suite = id
	if !id.Known() {
		c.skipped = true
		return nil, false
	}
	s, err := suite.NewSeeded(id, [32]byte{}, "kat/check")
	return s, c.ok("cipher_suite", err)
}

// plain makes a check of cases of type T: it reads the case and calls check.
func plain[T any, P interface {
	*T
	title() string
}](check func(*checker, P)) func(*checker, json.RawMessage) {
	return func(c *checker, raw json.RawMessage) {
		v := P(new(T))
		if err := decode(raw, v); err != nil {
			c.fail("case", "%v", err)
			return
		}
		c.title = v.title()
		check(c, v)
	}
}

// decode reads a case strictly. What the format has not, has twice in another
// spelling or lacks shows when the value is written again: package json would pass
// over it and so make the case smaller than it is.
func decode(raw json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	again, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if path, why := differ(tree(again), tree(raw)); why != "" {
		return fmt.Errorf("%s: %w: %s", path, errFields, why)
	}
	return nil
}

var errFields = errors.New("not in the format")

// tree reads JSON into maps, slices and literals; numbers stay as they were written.
func tree(b []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// differ says where two trees differ, and how; why is "" if they don't.
func differ(got, want any) (path, why string) {
	switch g := got.(type) {
	case map[string]any:
		w, ok := want.(map[string]any)
		if !ok {
			return "", fmt.Sprintf("got an object, the case has %s", short(want))
		}
		for _, k := range slices.Sorted(maps.Keys(g)) {
			e, ok := w[k]
			if !ok {
				return "." + k, "is missing"
			}
			if path, why := differ(g[k], e); why != "" {
				return "." + k + path, why
			}
		}
		for _, k := range slices.Sorted(maps.Keys(w)) {
			if _, ok := g[k]; !ok {
				return fmt.Sprintf(".%.40s", k), "is not known"
			}
		}
	case []any:
		w, ok := want.([]any)
		if !ok || len(w) != len(g) {
			return "", fmt.Sprintf("got %d elements, the case has %s", len(g), short(want))
		}
		for i := range g {
			if path, why := differ(g[i], w[i]); why != "" {
				return fmt.Sprintf("[%d]%s", i, path), why
			}
		}
	default:
		switch want.(type) {
		case map[string]any, []any:
			return "", fmt.Sprintf("got %s, the case has %s", short(got), short(want))
		}
		if got != want {
			return "", fmt.Sprintf("got %s, the case has %s", short(got), short(want))
		}
	}
	return "", ""
}

// short shows a literal, or what it is.
func short(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return fmt.Sprintf("%d elements", len(v))
	case string:
		return fmt.Sprintf("%.60q", v)
	}
	return fmt.Sprintf("%.60v", v)
}
