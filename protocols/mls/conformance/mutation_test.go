package conformance_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/conformance"
)

// TestMutations changes every field of a case of each file, in every way that
// changes what the case says, and wants the case to fail.
func TestMutations(t *testing.T) {
	t.Parallel()
	for _, f := range conformance.Files() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m := &mutator{t: t, file: f.Name, root: richest(t, f.Name)}
			if what := m.failures(); what != "" {
				t.Fatalf("unchanged: %s", what)
			}
			m.walk("", m.root, func(v any) { m.root = v })
			t.Logf("%d changes", m.changes)
			if m.changes < 4 {
				t.Errorf("%d changes, want more", m.changes)
			}
		})
	}
}

// mutator changes the values of a case one after the other.
type mutator struct {
	t       *testing.T
	file    string
	root    any
	changes int
}

// failures runs the case and returns what differs first, "" if all is right.
func (m *mutator) failures() string {
	m.t.Helper()
	data, err := json.Marshal([]any{m.root})
	if err != nil {
		m.t.Fatal(err)
	}
	r, err := conformance.Run(m.file, data)
	switch {
	case err != nil:
		m.t.Fatal(err)
	case r.Skipped > 0:
		m.t.Fatal("the case was skipped")
	case len(r.Failures) > 0:
		return r.Failures[0].What
	}
	return ""
}

// walk changes v, which set puts into the case, and all within it.
func (m *mutator) walk(path string, v any, set func(any)) {
	try := func(what string, changed any) {
		set(changed)
		m.changes++
		if m.failures() == "" && !accepted(m.file, what+" "+path) {
			m.t.Errorf("%s: %s passes", path, what)
		}
		set(v)
	}
	switch v := v.(type) {
	case nil:
		try("value instead of null", map[bool]any{true: 0, false: "00"}[m.file == "tree-math"])
	case json.Number:
		n, _ := v.Int64()
		if path == ".cipher_suite" {
			n = 3 // and suite 4 has another hash
		}
		try("other number", n+1)
	case string:
		m.text(path, v, try)
	case []any:
		if len(v) > 0 {
			try("without the last", slices.Clone(v[:len(v)-1]))
		}
		for i := range v {
			if i < 2 || i == len(v)-1 {
				m.walk(fmt.Sprintf("%s[%d]", path, i), v[i], func(e any) { v[i] = e })
			}
		}
	case map[string]any:
		more := maps.Clone(v)
		more["unknown"] = 1
		try("unknown field in", more)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			less := maps.Clone(v)
			delete(less, name)
			try("without "+name+" in", less)
			m.walk(path+"."+name, v[name], func(e any) { v[name] = e })
		}
	}
}

// text changes a string: bytes in hexadecimal, or a label.
func (m *mutator) text(path, v string, try func(string, any)) {
	b, err := hex.DecodeString(v)
	if strings.HasSuffix(path, ".label") || err != nil {
		try("other label", v+"x")
		return
	}
	try("more bytes", v+"01")
	if len(b) > 0 {
		try("fewer bytes", v[:len(v)-2])
		// A quarter on, no bit is one that an X25519 key ignores, and a ciphertext
		// is still within the sample that gives its sender data key.
		b[len(b)/4] ^= 0x10
		try("other bit", hex.EncodeToString(b))
	}
}

// accepted reports whether a change may pass, which needs a reason.
func accepted(file, what string) bool {
	for _, a := range []struct{ file, prefix, why string }{
		{"messages", "other bit .", "it is another value, which is read and written as well"},
		{"secret-tree", "more bytes .sender_data.ciphertext", "keys depend on the beginning alone (RFC 9420, Section 6.3.2)"},
		{"secret-tree", "fewer bytes .sender_data.ciphertext", "keys depend on the beginning alone"},
		{"secret-tree", "without the last .leaves", "fewer keys are compared"},
		{"key-schedule", "without the last .epochs", "fewer epochs are compared"},
		{"passive-client-handling-commit", "without the last .epochs", "fewer epochs are compared"},
		{"passive-client-random", "without the last .epochs", "fewer epochs are compared"},
		{"treekem", "without the last .update_paths", "fewer paths are compared"},
		{"treekem", "without the last .leaves_private[0].path_secrets", "the member knows less, and enough to follow"},
		{"treekem", "without the last .leaves_private[1].path_secrets", "the member knows less, and enough to follow"},
	} {
		if a.file == file && strings.HasPrefix(what, a.prefix) {
			return true
		}
	}
	return false
}

// richest returns the shortest of those cases of suite 1 that have the most lists
// and values that may be missing. Of tree-operations it is the update, the one
// proposal whose sender matters.
func richest(t *testing.T, name string) map[string]any {
	t.Helper()
	var cases []json.RawMessage
	if err := json.Unmarshal(published(t, name), &cases); err != nil {
		t.Fatal(err)
	}
	var best map[string]any
	most, least := -1, 0
	for _, raw := range cases {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var v map[string]any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if suite := v["cipher_suite"]; suite != nil && suite != json.Number("1") {
			continue
		}
		if p, ok := v["proposal"].(string); ok && name == "tree-operations" && !strings.HasPrefix(p, "0002") {
			continue
		}
		if n := present(v); n > most || n == most && len(raw) < least {
			best, most, least = v, n, len(raw)
		}
	}
	if epochs, ok := best["epochs"].([]any); ok && len(epochs) > 3 {
		best["epochs"] = epochs[:3] // of 200, which take a while for each change
	}
	return best
}

// present counts the lists that are not empty, by their first elements alone, and the
// values that are not null.
func present(v any) (n int) {
	switch v := v.(type) {
	case nil:
		return 0
	case []any:
		if len(v) == 0 {
			return 0
		}
		return 1 + present(v[0])
	case map[string]any:
		for _, e := range v {
			n += present(e)
		}
		return n
	}
	return 1
}
