package conformance

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/vectors"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
)

// files reads both files of an example.
func files(t testing.TB, set, name string) (encoded, notation []byte) {
	t.Helper()
	return vectorstest.Read(t, set+"/"+name+".cbor"), vectorstest.Read(t, set+"/"+name+".edn")
}

// TestPublished checks all examples.
func TestPublished(t *testing.T) {
	t.Parallel()
	for set, examples := range sets {
		for _, e := range examples {
			t.Run(set+"/"+e.Name, func(t *testing.T) {
				t.Parallel()
				encoded, notation := files(t, set, e.Name)
				differences, err := Check(set, e.Name, encoded, notation)
				if err != nil || len(differences) > 0 {
					t.Error(err, differences)
				}
			})
		}
	}
}

// TestComplete demands an example for every file that is published, but for those
// that the package comment leaves out.
func TestComplete(t *testing.T) {
	t.Parallel()
	for set := range sets {
		var want []string
		for _, name := range vectors.Names(set) {
			if name, ok := strings.CutSuffix(name, ".cbor"); ok && name != "mimi-content/implied-original" {
				want = append(want, strings.TrimPrefix(name, set+"/"))
			}
		}
		var got []string
		for _, e := range Examples(set) {
			if e.About == "" {
				t.Errorf("%s: nothing about it", e.Name)
			}
			got = append(got, e.Name)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: examples %q, want %q", set, got, want)
		}
	}
	if Examples("mls") != nil {
		t.Error("examples of a set that does not exist")
	}
	if _, err := Check(Messages, "status", nil, nil); !errors.Is(err, ErrExample) {
		t.Errorf("got %v, want %v", err, ErrExample)
	}
}

// TestMutations changes each byte of an example in turn, which must be noticed.
func TestMutations(t *testing.T) {
	t.Parallel()
	for set, name := range map[string]string{Messages: "edit", Reports: "status"} {
		encoded, notation := files(t, set, name)
		for i := range encoded {
			changed := bytes.Clone(encoded)
			changed[i] ^= 1
			if differences, err := Check(set, name, changed, notation); err != nil || len(differences) == 0 {
				t.Errorf("%s: byte %d changed, and nothing differs (%v)", name, i, err)
			}
		}
	}
	encoded, notation := files(t, Messages, "reply")
	for _, tt := range []struct{ old, new, want string }{
		{"h'015354", "h'015355", "message ID: got 015354"},
		{"message ID", "message id", "message ID: the example says none"},
		{"bob-jones", "bob-james", "diagnostic notation: got 200 bytes, want 200; from byte"},
		{"[", "(", "diagnostic notation: at byte"},
	} {
		changed := strings.Replace(string(notation), tt.old, tt.new, 1)
		differences, err := Check(Messages, "reply", encoded, []byte(changed))
		if err != nil || len(differences) != 1 || !strings.HasPrefix(differences[0], tt.want) {
			t.Errorf("%q for %q: got %q, %v, want %q", tt.new, tt.old, differences, err, tt.want)
		}
	}
}

// TestEDN reads every form of the notation.
func TestEDN(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"null", "f6"},
		{"true # x", "f5"},
		{"/ x / false", "f4"},
		{"18446744073709551615", "1bffffffffffffffff"},
		{`"a\"b"`, "63612262"},
		{`'a\'b\n' + 'c'`, "456127620a63"},
		{"h'00 # x\n FF' + h''", "4200ff"},
		{"[]", "80"},
		{"[1, 2,]", "820102"},
		{"[1 # no comma\n 2]", "820102"},
		{`{2: 'x', 1: {"a": []}}`, "a201a161618002" + "4178"},
	} {
		v, err := parseEDN([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if b, err := deterministic.Marshal(v); err != nil || hex.EncodeToString(b) != tt.want {
			t.Errorf("%s: %x (%v), want %s", tt.in, b, err, tt.want)
		}
	}
	for _, bad := range []string{
		"", "[", "[1", "{1: 2", "{1 2}", "{[]: 1}", "nul", "1 2", "/ x", `"x`, `'\x'`, "h'0'", "h'00", "h'0g'", "'a' + 1", "18446744073709551616", "-1",
		strings.Repeat("[", 100),
	} {
		if v, err := parseEDN([]byte(bad)); err == nil || v != nil {
			t.Errorf("%.20s: got %v, want an error", bad, v)
		}
	}
}

// FuzzEDN wants an end and no panic, and of what was read something that can be
// encoded.
func FuzzEDN(f *testing.F) {
	f.Add([]byte("[h'00 # x\n', {1: \"a\" + 'b'}, null, / x / 'y']"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseEDN(b)
		if err != nil {
			return
		}
		if _, err := deterministic.Marshal(v); err != nil {
			t.Fatal(err)
		}
	})
}

// The two forms of this example are not the same.
func ExampleCheck() {
	differences, err := Check(Reports, "status", []byte{0x80}, []byte("[1]"))
	fmt.Println(differences, err)
	// Output: [diagnostic notation: got 2 bytes, want 1; from byte 0 on got 8101, want 80] <nil>
}
