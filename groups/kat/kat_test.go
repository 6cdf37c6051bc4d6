package kat

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/golden.txt anew")

// made returns all files, which are made once.
var made = sync.OnceValues(Generate)

func generated(t testing.TB) []Made {
	t.Helper()
	all, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestGenerated verifies all cases that are made.
func TestGenerated(t *testing.T) {
	t.Parallel()
	for _, f := range generated(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			r, err := Run(f.Name, f.Data)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range r.Failures {
				t.Errorf("case %d: %s", x.Case, x.What)
			}
			if r.Cases != f.Cases || r.Passed != r.Cases {
				t.Errorf("%d cases, %d passed, want %d that pass", r.Cases, r.Passed, f.Cases)
			}
		})
	}
}

// TestGolden: a change of the vectors shows in testdata/golden.txt, which -rewrite
// writes anew.
func TestGolden(t *testing.T) {
	t.Parallel()
	const path = "testdata/golden.txt"
	var b bytes.Buffer
	for _, f := range generated(t) {
		fmt.Fprintf(&b, "%s  %4d  %s.json\n", f.SHA256(), f.Cases, f.Name)
	}
	if *rewrite {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(b.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Errorf("line %d of %s: files are not what it says, want %q; if they are to change, run with -rewrite", i+1, path, line)
		}
	}
	if b.Len() != len(want) {
		t.Errorf("%d bytes, %s has %d", b.Len(), path, len(want))
	}
}

// TestDeterministic: the same build makes the same bytes, whatever it made before.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	again, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range generated(t) {
		if !bytes.Equal(f.Data, again[i].Data) {
			t.Errorf("%s was made otherwise the second time", f.Name)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file, data string
		want             error
	}{
		{"no such file", "participant-lust", `[{}]`, ErrFile},
		{"nothing", "directory", ``, ErrFormat},
		{"no cases", "directory", `[]`, ErrFormat},
		{"null", "directory", `null`, ErrFormat},
		{"object", "directory", `{}`, ErrFormat},
		{"more than an array", "directory", `[{}] {}`, ErrFormat},
		{"large", "directory", strings.Repeat(" ", MaxFile+1), ErrFormat},
	} {
		if r, err := Run(tt.file, []byte(tt.data)); !errors.Is(err, tt.want) || r.Cases != 0 {
			t.Errorf("%s: got %+v, %v, want %v", tt.name, r, err, tt.want)
		}
	}
}

// TestOutcomes plants one case of each kind.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	const start = `{"name": "n", "section": "s", "deviations": [], `
	const good = start + `"value": 1, "capability": "canRemoveParticipant", "reserved": false}`
	for _, tt := range []struct {
		name, file, data        string
		passed, failed, skipped int
		what                    string
	}{
		{"good", "capabilities", good + "," + good, 2, 0, 0, ""},
		{"other value", "capabilities", good + "," + strings.Replace(good, "1,", "2,", 1), 1, 1, 0, "n: capability: got canAddOwnClient, the case has canRemoveParticipant"},
		{"missing", "capabilities", start + `"value": 1, "reserved": false}`, 0, 1, 0, `case: .capability: not in the format: is missing`},
		{"unknown", "capabilities", start + `"value": 1, "capability": "canRemoveParticipant", "reserved": false, "x": 1}`, 0, 1, 0, `case: json: unknown field "x"`},
		{"another spelling", "capabilities", strings.Replace(good, `"value"`, `"Value"`, 1), 0, 1, 0, `case: .value: not in the format: is missing`},
		{"null", "capabilities", `null`, 0, 1, 0, "case: : not in the format: got an object, the case has null"},
		{"number", "capabilities", `7`, 0, 1, 0, "case: json: cannot unmarshal number into Go value of type kat.capabilityCase"},
		{"digits in capitals", "safe-aad", start + `"authenticated_data": "0A", "message": "", "failure": "truncated", "items": [], "franking_tag": null}`, 0, 1, 0, `case: .authenticated_data: not in the format: got "0a", the case has "0A"`},
		{"no digits", "safe-aad", start + `"authenticated_data": "0", "message": "", "failure": "truncated", "items": [], "franking_tag": null}`, 0, 1, 0, "case: encoding/hex: odd length hex string"},
		{"suite", "group-info-encryption", start + `"cipher_suite": 8, "group_info_priv": "", "group_info_public_key": "", "label": "", "room_id": "", "response": "", "kem_output": "", "ciphertext": "", "opens": false, "plaintext": "", "failure": "", "fields": null}`, 0, 0, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := Run(tt.file, []byte("["+tt.data+"]"))
			if err != nil {
				t.Fatal(err)
			}
			if r.Passed != tt.passed || r.Failed != tt.failed || r.Skipped != tt.skipped {
				t.Errorf("got %+v, want %d passed, %d failed, %d skipped", r, tt.passed, tt.failed, tt.skipped)
			}
			what := ""
			if len(r.Failures) > 0 {
				what = r.Failures[0].What
			}
			if what != tt.what {
				t.Errorf("got failure %q, want %q", what, tt.what)
			}
		})
	}
}

// FuzzCheck runs changed cases of all files, which must neither panic nor be counted
// otherwise than as what they are.
func FuzzCheck(f *testing.F) {
	for i, file := range generated(f) {
		v, err := Read(file.Name, file.Data)
		if err != nil {
			f.Fatal(err)
		}
		for at := 0; at < v.Len(); at += 1 + v.Len()/4 {
			f.Add(uint8(i), []byte(v.cases[at]))
		}
		f.Add(uint8(i), []byte(`{}`))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		name := files[int(which)%len(files)].Name
		r, err := Run(name, append(append([]byte{'['}, data...), ']'))
		if err == nil && (r.Cases == 0 || r.Passed+r.Failed+r.Skipped != r.Cases || r.Failed > len(r.Failures)) {
			t.Errorf("%s: %+v", name, r)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"files": [{"name": "directory.json", "sha256": "00"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if (m == nil) != (err != nil) {
			t.Fatalf("got %v, %v", m, err)
		}
		if err == nil {
			m.Changed("directory.json", b)
		}
	})
}
