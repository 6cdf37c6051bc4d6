package conformance_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/conformance"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
)

// counts says how many cases each file has, so that none goes missing.
var counts = map[string]int{
	"crypto-basics":                  7,
	"deserialization":                14,
	"key-schedule":                   7,
	"message-protection":             7,
	"messages":                       300,
	"passive-client-handling-commit": 91,
	"passive-client-random":          1,
	"passive-client-welcome":         56,
	"psk_secret":                     77,
	"secret-tree":                    21,
	"transcript-hashes":              7,
	"tree-math":                      10,
	"tree-operations":                5,
	"tree-validation":                98,
	"treekem":                        77,
	"welcome":                        7,
}

// published returns the contents of a file.
func published(t testing.TB, name string) []byte {
	t.Helper()
	return vectorstest.Read(t, "mls/"+name+".json")
}

// TestVectors verifies all cases of all files.
func TestVectors(t *testing.T) {
	t.Parallel()
	for name, want := range counts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := conformance.Read(name, published(t, name))
			if err != nil {
				t.Fatal(err)
			}
			outcomes := make([]conformance.Outcome, v.Len())
			t.Run("case", func(t *testing.T) {
				for i := range outcomes {
					t.Run(fmt.Sprint(i), func(t *testing.T) {
						t.Parallel()
						outcomes[i] = v.Check(i)
					})
				}
			})
			r := conformance.Result{File: name}
			for _, o := range outcomes {
				r.Add(o)
			}
			for _, f := range r.Failures {
				t.Errorf("case %d of suite %d: %s", f.Case, f.Suite, f.What)
			}
			if r.Cases != want || r.Passed != want || r.Failed != 0 || r.Skipped != 0 {
				t.Errorf("%d cases, %d passed, %d failed, %d skipped, want %d that pass", r.Cases, r.Passed, r.Failed, r.Skipped, want)
			}
		})
	}
}

// TestFiles: there is a runner for every file that was published, and no other.
func TestFiles(t *testing.T) {
	t.Parallel()
	files := conformance.Files()
	names := vectors.Names("mls")
	if len(files) != len(names) || len(files) != len(counts) {
		t.Fatalf("%d runners for %d published files, of which %d are counted", len(files), len(names), len(counts))
	}
	for i, f := range files {
		if got := "mls/" + f.Name + ".json"; got != names[i] || f.About == "" {
			t.Errorf("runner %d is of %s, about %q, want one of %s", i, got, f.About, names[i])
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file, data string
		want             error
	}{
		{"other file", "tree-meth", `[{}]`, conformance.ErrFile},
		{"nothing", "tree-math", ``, conformance.ErrFormat},
		{"no cases", "tree-math", `[]`, conformance.ErrFormat},
		{"null", "tree-math", `null`, conformance.ErrFormat},
		{"object", "tree-math", `{}`, conformance.ErrFormat},
		{"more than an array", "tree-math", `[{}] {}`, conformance.ErrFormat},
	} {
		if r, err := conformance.Run(tt.file, []byte(tt.data)); !errors.Is(err, tt.want) || r.Cases != 0 {
			t.Errorf("%s: got %+v, %v, want %v", tt.name, r, err, tt.want)
		}
	}
}

// TestOutcomes plants one case of each kind.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	const good = `{"vlbytes_header": "4040", "length": 64}`
	const psk = `{"cipher_suite": %d, "psks": [], "psk_secret": "%064d"}`
	for _, tt := range []struct {
		name, file, data        string
		passed, failed, skipped int
		what                    string
	}{
		{"good", "deserialization", good + "," + good, 2, 0, 0, ""},
		{"other value", "deserialization", good + `,{"vlbytes_header": "4041", "length": 64}`, 1, 1, 0, "length: got 65, want 64"},
		{"malformed", "deserialization", `{"vlbytes_header": "403f", "length": 63}`, 0, 1, 0, "vlbytes_header: wire: at byte 0: length is not in its shortest form"},
		{"field is missing", "deserialization", `{"length": 63}`, 0, 1, 0, "case.vlbytes_header: is missing"},
		{"unknown field", "deserialization", `{"vlbytes_header": "4040", "length": 64, "size": 1}`, 0, 1, 0, "case.size: is not a field of the format"},
		{"null", "deserialization", `{"vlbytes_header": null, "length": 64}`, 0, 1, 0, "case.vlbytes_header: is null"},
		{"no case", "deserialization", `null`, 0, 1, 0, "case: is null"},
		{"no object", "deserialization", `7`, 0, 1, 0, "case: is not an object"},
		{"no array", "psk_secret", `{"cipher_suite": 1, "psks": {}, "psk_secret": ""}`, 0, 1, 0, "case.psks: is not an array"},
		{"deep", "psk_secret", `{"cipher_suite": 1, "psks": [{}], "psk_secret": ""}`, 0, 1, 0, "case.psks[0].psk_id: is missing"},
		{"not hexadecimal", "psk_secret", `{"cipher_suite": 1, "psks": [], "psk_secret": "0"}`, 0, 1, 0, "case: encoding/hex: odd length hex string"},
		{"suite", "psk_secret", fmt.Sprintf(psk, 1, 0), 1, 0, 0, ""},
		{"no such suite", "psk_secret", fmt.Sprintf(psk, 1, 0) + "," + fmt.Sprintf(psk, 8, 0), 1, 0, 1, ""},
		{"long value", "psk_secret", fmt.Sprintf(psk, 1, 1), 0, 1, 0, "psk_secret: got 00, want 01, after 31 equal bytes"},
		{"other length", "psk_secret", `{"cipher_suite": 1, "psks": [], "psk_secret": ""}`, 0, 1, 0, "psk_secret: got 0000000000000000..., want nothing (32 bytes, want 0)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := conformance.Run(tt.file, []byte("["+tt.data+"]"))
			if err != nil {
				t.Fatal(err)
			}
			if r.Passed != tt.passed || r.Failed != tt.failed || r.Skipped != tt.skipped || r.Cases != tt.passed+tt.failed+tt.skipped {
				t.Errorf("got %+v, want %d passed, %d failed, %d skipped", r, tt.passed, tt.failed, tt.skipped)
			}
			if got := ""; len(r.Failures) > 0 {
				if got = r.Failures[0].What; got != tt.what {
					t.Errorf("got failure %q, want %q", got, tt.what)
				}
			} else if tt.what != "" {
				t.Errorf("got no failure, want %q", tt.what)
			}
		})
	}
}
