package kat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// heads are what all cases of a file begin with.
func heads(t *testing.T, f *Made) []head {
	t.Helper()
	var list []head
	if err := json.Unmarshal(f.Data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestNames: each case of a file has a name of its own and a section.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, f := range generated(t) {
		seen := map[string]bool{}
		for i, h := range heads(t, &f) {
			if h.Name == "" || !strings.HasPrefix(h.Section, "draft-") || seen[h.Name] {
				t.Errorf("%s, case %d: name %q, section %q, want a name of its own and a draft", f.Name, i, h.Name, h.Section)
			}
			seen[h.Name] = true
		}
	}
}

// TestDeviations: cases name entries that there are.
func TestDeviations(t *testing.T) {
	t.Parallel()
	documents := map[string]string{}
	for _, d := range []string{mimi1, room1} {
		b, err := os.ReadFile("../../" + d + "/DEVIATIONS.md")
		if err != nil {
			t.Fatal(err)
		}
		documents[d+"/DEVIATIONS.md"] = string(b)
	}
	for _, f := range generated(t) {
		for i, h := range heads(t, &f) {
			for _, d := range h.Deviations {
				document, n, _ := strings.Cut(d, " ")
				if _, err := strconv.Atoi(n); err != nil || !strings.Contains(documents[document], "\n## "+n+". ") {
					t.Errorf("%s, case %d: no deviation %q", f.Name, i, d)
				}
			}
		}
	}
}

// TestCodes: there is a case for each value of each enum of the endpoints, and for
// each kind of failure and step of a frank.
func TestCodes(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	by := map[string][]byte{}
	for _, f := range generated(t) {
		if err := json.Compact(&b, f.Data); err != nil {
			t.Fatal(err)
		}
		by[f.Name] = bytes.Clone(b.Bytes())
		b.Reset()
	}
	count := 0
	want := func(file, field, value string) {
		t.Helper()
		count++
		if !bytes.Contains(by[file], fmt.Appendf(nil, "%q:%q", field, value)) {
			t.Errorf("%s: no case with %s %q", file, field, value)
		}
	}
	// values calls f for the values of an enum, which have names.
	values := func(name func(uint8) string, f func(string)) {
		for v := range uint8(255) {
			if s := name(v); !strings.HasPrefix(s, "0x") {
				f(s)
			}
		}
	}
	for _, e := range []struct {
		file, field string
		name        func(uint8) string
	}{
		{"key-material", "userStatus", func(v uint8) string { return mimi.KeyMaterialUserCode(v).String() }},
		{"key-material", "clientStatus", func(v uint8) string { return mimi.KeyMaterialClientCode(v).String() }},
		{"update", "responseCode", func(v uint8) string { return mimi.UpdateResponseCode(v).String() }},
		{"submit-message", "statusCode", func(v uint8) string { return mimi.SubmitResponseCode(v).String() }},
		{"group-info", "status", func(v uint8) string { return mimi.GroupInfoCode(v).String() }},
		{"identifier-query", "responseCode", func(v uint8) string { return mimi.IdentifierQueryCode(v).String() }},
		{"identifier-query", "searchType", func(v uint8) string { return mimi.SearchIdentifierType(v).String() }},
		{"identifier-query", "fieldSource", func(v uint8) string { return mimi.FieldSource(v).String() }},
		{"report-abuse", "reasonCode", func(v uint8) string { return mimi.AbuseType(v).String() }},
		{"update", "representation", func(v uint8) string { return mimi.RatchetTreeRepresentation(v).String() }},
		{"update", "representation", func(v uint8) string { return mimi.GroupInfoRepresentation(v).String() }},
	} {
		values(e.name, func(s string) { want(e.file, e.field, s) })
	}
	want("request-consent", "consentOperation", mimi.ConsentRequest.String())
	want("request-consent", "consentOperation", mimi.ConsentCancel.String())
	want("update-consent", "consentOperation", mimi.ConsentGrant.String())
	want("update-consent", "consentOperation", mimi.ConsentRevoke.String())
	values(func(v uint8) string { return mimi.FrankStep(v).String() }, func(s string) { want("franking", "refused", s) })
	for _, p := range room.Policies() {
		want("authorization", "policy", p.Name)
	}
	if count < 50 {
		t.Errorf("%d values, want more", count)
	}

	all := slices.Concat(func() (list [][]byte) {
		for _, f := range files {
			list = append(list, by[f.Name])
		}
		return list
	}()...)
	names := []string{kindEnum, kindRule, kindContent}
	for _, k := range kinds {
		names = append(names, k.name)
	}
	for _, name := range names {
		if !bytes.Contains(all, fmt.Appendf(nil, `"failure":%q`, name)) {
			t.Errorf("no case fails as %q", name)
		}
	}
	for rule := range cited {
		if !bytes.Contains(by["authorization"], fmt.Appendf(nil, `"rule":%q`, string(rule))) {
			t.Errorf("no verdict is a denial by %q", rule)
		}
	}
}

// TestReadme: the README describes every file, and no line of it is out of place.
func TestReadme(t *testing.T) {
	t.Parallel()
	all := generated(t)
	m := NewManifest(all, "v1", "abc", true, []string{"RFC 9420"})
	text := string(Readme(all, m))
	for i, f := range all {
		if format(f.Name) == "" {
			t.Errorf("format.md says nothing of %s", f.Name)
		}
		for _, want := range []string{"\n## " + f.Name + "\n", fmt.Sprintf("| [%s.json](#%s) | %d | %s |", f.Name, f.Name, f.Cases, f.About)} {
			if !strings.Contains(text, want) {
				t.Errorf("the README lacks %q", want)
			}
		}
		if m.Changed(f.Name+".json", f.Data) || !m.Changed(f.Name+".json", f.Data[1:]) || m.Files[i].Bytes != len(f.Data) {
			t.Errorf("the manifest does not tell %s from another", f.Name)
		}
	}
	if n := strings.Count(formats, "\n## ") + 1; n != len(all) {
		t.Errorf("format.md has %d sections, want %d", n, len(all))
	}
	if strings.Contains(text, "%!") || !strings.Contains(text, "mimi-lab v1, commit abc and changes to it") {
		t.Error("the README does not say what made the files")
	}
	// Every field of a case is in its format, or in that of the file that it refers to.
	for _, f := range all {
		var list []map[string]json.RawMessage
		if err := json.Unmarshal(f.Data, &list); err != nil {
			t.Fatal(err)
		}
		described := format(f.Name) + format("room-metadata") + format("key-material")
		for name := range list[0] {
			if name != "name" && name != "section" && name != "deviations" && !strings.Contains(described, `"`+name+`"`) {
				t.Errorf("%s: the format does not name %q", f.Name, name)
			}
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseManifest(b); err != nil || again.Cases != m.Cases {
		t.Errorf("manifest is read as %+v, %v", again, err)
	}
	if _, err := ParseManifest([]byte("{")); err == nil {
		t.Error("half a manifest is read")
	}
}
