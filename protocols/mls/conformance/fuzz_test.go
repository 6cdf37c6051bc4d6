package conformance_test

import (
	"encoding/json"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/conformance"
)

// FuzzCheck runs changed cases of all files, which must neither panic nor be counted
// otherwise than as one case each.
func FuzzCheck(f *testing.F) {
	files := conformance.Files()
	for i, file := range files {
		var cases []json.RawMessage
		if err := json.Unmarshal(published(f, file.Name), &cases); err != nil {
			f.Fatal(err)
		}
		least := cases[0]
		for _, c := range cases {
			if len(c) < len(least) {
				least = c
			}
		}
		if len(least) < 1<<16 { // the rest has runners that others have too
			f.Add(uint8(i), []byte(least))
		}
		f.Add(uint8(i), []byte(`{}`))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		name := files[int(which)%len(files)].Name
		v, err := conformance.Read(name, append(append([]byte{'['}, data...), ']'))
		if err != nil {
			return
		}
		var r conformance.Result
		for i := range v.Len() {
			r.Add(v.Check(i))
		}
		if r.Cases != v.Len() || r.Passed+r.Failed+r.Skipped != r.Cases || r.Failed > len(r.Failures) {
			t.Errorf("%s: %+v of %d cases", name, r, v.Len())
		}
	})
}
