package kat

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestMutations changes the values of cases of every file, one at a time, and wants the
// case to fail: each byte of what is short, and bytes all over what is long. Of files
// with many cases it takes one of several.
func TestMutations(t *testing.T) {
	t.Parallel()
	for _, f := range generated(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			v, err := Read(f.Name, f.Data)
			if err != nil {
				t.Fatal(err)
			}
			total := 0
			for i := 0; i < v.Len(); i += 1 + v.Len()/40 {
				m := &mutator{t: t, file: f.Name, index: i, run: v.file.check, root: tree(v.cases[i])}
				m.walk("", m.root, func(x any) { m.root = x })
				total += m.changes
			}
			t.Logf("%d changes", total)
			if total < 20 {
				t.Errorf("%d changes, want more", total)
			}
		})
	}
}

// mutator changes the values of a case one after the other.
type mutator struct {
	t       *testing.T
	file    string
	index   int
	run     func(*checker, json.RawMessage)
	root    any
	changes int
}

func (m *mutator) passes() bool {
	b, err := json.Marshal(m.root)
	if err != nil {
		m.t.Fatal(err)
	}
	c := &checker{}
	m.run(c, b)
	return len(c.failures) == 0 && !c.skipped
}

// walk changes v, which set puts into the case, and all within it.
func (m *mutator) walk(path string, v any, set func(any)) {
	refusing := m.refusing()
	try := func(what string, changed any) {
		set(changed)
		m.changes++
		if m.passes() && !accepted(m.file, path, what, refusing) {
			m.t.Errorf("case %d, %s: %s passes", m.index, path, what)
		}
		set(v)
	}
	switch v := v.(type) {
	case nil:
		try("an object instead of null", map[string]any{})
		try("digits instead of null", "00")
	case bool:
		try("the contrary", !v)
	case json.Number:
		n, _ := v.Int64()
		try("another number", n+1)
	case string:
		m.text(v, try)
	case []any:
		if len(v) > 0 {
			try("without the last", slices.Clone(v[:len(v)-1]))
			try("the first twice", append(slices.Clone(v), v[0]))
		}
		for i := range v {
			if i < 3 || i == len(v)-1 {
				m.walk(fmt.Sprintf("%s[%d]", path, i), v[i], func(e any) { v[i] = e })
			}
		}
	case map[string]any:
		more := maps.Clone(v)
		more["unknown"] = 1
		try("one more field", more)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			less := maps.Clone(v)
			delete(less, name)
			try("without "+name, less)
			if path == "" && (name == "name" || name == "section" || name == "deviations") {
				continue // for people
			}
			m.walk(path+"."+name, v[name], func(e any) { v[name] = e })
		}
	}
}

// text changes a string: bytes in hexadecimal digits, or words.
func (m *mutator) text(v string, try func(string, any)) {
	b, err := hex.DecodeString(v)
	if err != nil || v == "" {
		try("other words", v+"x")
		return
	}
	try("more bytes", v+"01")
	try("fewer bytes", v[:len(v)-2])
	step := 1 + len(b)/12
	for at := m.index % step; at < len(b); at += step { // so that cases differ in which
		changed := slices.Clone(b)
		changed[at] ^= 0x10
		try(fmt.Sprintf("another bit of byte %d", at), hex.EncodeToString(changed))
	}
}

// refusing reports whether the case expects something to be refused, as another input
// may be for the same reason.
func (m *mutator) refusing() bool {
	root := m.root.(map[string]any)
	for _, name := range []string{"received", "report"} {
		if x, ok := root[name].(map[string]any); ok && x["refused"] != "" {
			return true
		}
	}
	opens, ok := root["opens"].(bool)
	failure, _ := root["failure"].(string)
	return failure != "" || ok && !opens
}

// accepted reports whether a change may pass, which needs a reason.
func accepted(file, path, what string, refusing bool) bool {
	for _, a := range acceptable {
		if (a.file == file || a.file == "") && strings.HasPrefix(path, a.path) && strings.HasPrefix(what, a.what) && (refusing || !a.refusing) {
			return true
		}
	}
	return false
}

// What may pass are other inputs that lead to the same, and no value that a case
// expects.
var acceptable = []struct {
	file, path, what string // file "": all
	refusing         bool   // only if the case expects that something is refused
	why              string
}{
	{"", ".data", "", true, "it is refused for the same reason"},
	{"", ".body", "", true, "it is refused for the same reason"},
	{"", ".updates", "", true, "it is refused for the same reason"},
	{"", ".dictionary_before", "", true, "it is refused for the same reason"},
	{"", ".proposals", "", true, "it is refused for the same reason"},
	{"", ".authenticated_data", "", true, "it is refused for the same reason"},
	{"", ".http_status", "another number", false, "it is another status with the same outcome"},
	{"participant-list", ".updates", "the first twice", false, "an update of nothing is made twice"},
	{"app-data-dictionary", ".dictionary_before", "another bit", false, "it is the data of what is removed or replaced"},
	{"app-data-dictionary", ".proposals", "the first twice", false, "an update of nothing is made twice"},
	{"authorization", ".policy", "", false, "it is for people"},
	{"authorization", ".dictionary", "another bit", false, "it is what the verdict does not depend on"},
	{"authorization", ".clients", "", false, "it is what the verdict does not depend on"},
	{"authorization", ".actor", "", false, "it is what the verdict does not depend on"},
	{"authorization", ".changes", "", false, "it is another change with the same verdict"},
	{"safe-aad", ".message", "another bit", false, "it is what is encrypted"},
	{"franking", ".franking_agent", "another bit", false, "it is the credential, which is looked at where the frank is received"},
	{"franking", ".received", "", true, "it is refused at the same step"},
	{"franking", ".report", "", true, "it is refused at the same step"},
	{"franking", ".report.franking_agent", "another bit", false, "it is the credential, of which a hub knows that it is its own"},
	{"franking", ".report.hub_keys", "", false, "one of the keys is enough"},
	{"group-info-encryption", ".room_id", "other words", true, "it does not open either"},
	{"directory", ".document", "other words", false, "it is no directory either"},
	{"directory", ".domain", "other words", false, "it is not the host of an endpoint"},
	{"directory", ".hosts", "", false, "it is not the host of an endpoint, or is there twice"},
	{"url-templates", ".path", "other words", false, "it does not match either"},
	{"pseudonymous-credential", ".link_key", "", true, "it does not open either"},
	{"pseudonymous-credential", ".credential", "another bit", true, "it does not open either"},
}
