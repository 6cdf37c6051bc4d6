package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type color string

func (c *color) UnmarshalText(b []byte) error {
	if string(b) != "red" && string(b) != "blue" {
		return errors.New("red or blue")
	}
	*c = color(b)
	return nil
}

type sample struct {
	Name  string                              `json:"name"`
	On    bool                                `json:"on"`
	N     int                                 `json:"n"`
	Small uint16                              `json:"small"`
	Wait  time.Duration                       `json:"wait"`
	Color color                               `json:"color"`
	List  []string                            `json:"list"`
	Peers map[string]struct{ Address string } `json:"peers"`
	Deep  struct {
		X int `json:"x"`
	} `json:"deep"`
	hidden int
}

func TestParse(t *testing.T) {
	t.Parallel()
	want := sample{Name: "a: b", On: true, N: 12, Small: 7, Wait: 90 * time.Second, Color: "red", List: []string{"1", "two"},
		Peers: map[string]struct{ Address string }{"b.example": {"127.0.0.1:1"}}}
	want.Deep.X = 3
	for name, text := range map[string]string{
		"YAML": `
# a comment
name: "a: b"
on: true
n: 12      # with a comment
small: 7
wait: 1m30s
color: red
list: [1, two]
peers:
  b.example:
    address: 127.0.0.1:1
deep: {x: 3}
`,
		"JSON": "{\n\t\"name\": \"a: b\", \"on\": true, \"n\": 12,\n\t\"small\": 7, \"wait\": \"1m30s\", \"color\": \"red\", \"list\": [\"1\", \"two\"],\n\t\"peers\": {\"b.example\": {\"address\": \"127.0.0.1:1\"}}, \"deep\": {\"x\": 3}\n}\n",
	} {
		var got sample
		if err := Parse("f", []byte(text), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(sample{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	kept := sample{N: 5}
	if err := Parse("f", []byte("\n# nothing\n"), &kept); err != nil || kept.N != 5 {
		t.Errorf("an empty file: %+v, %v", kept, err)
	}
}

// TestErrors: each error names the line, the key and what was expected.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "name: x\nlits: [a]\n", "f:2:1: found the key lits, expected list"},
		{"far from all", "zzzzzz: 1\n", "f:1:1: found the key zzzzzz, expected one of name, on, n, small, wait, color, list, peers, deep"},
		{"unexported", "hidden: 1\n", "f:1:1: found the key hidden, expected one of"},
		{"unknown below", "deep:\n  y: 3\n", "f:2:3: deep: found the key y, expected x"},
		{"bool", "on: yes please\n", `f:1:5: on: found "yes please", expected true or false`},
		{"number", "n: many\n", `f:1:4: n: found "many", expected a whole number from 0 to 9223372036854775807`},
		{"negative", "n: -1\n", "f:1:4: n: found -1, expected a whole number"},
		{"too large", "small: 65536\n", "f:1:8: small: found 65536, expected a whole number from 0 to 65535"},
		{"duration", "wait: 10\n", "f:1:7: wait: found 10, expected a duration such as 10s"},
		{"text", "color: green\n", `f:1:8: color: found "green", expected red or blue`},
		{"list", "list: a\n", `f:1:7: list: found "a", expected a list`},
		{"item", "list:\n- a\n- [b]\n", "list.1: found a list, expected text"},
		{"struct", "deep: 3\n", "f:1:7: deep: found 3, expected keys with values"},
		{"map", "peers: [a]\n", "peers: found a list, expected keys with values"},
		{"in a map", "peers:\n  a:\n    adress: x\n", "f:3:5: peers.a: found the key adress, expected address"},
		{"nothing", "name:\n", "name: found nothing, expected text"},
		{"alias", "name: &x a\nlist: [*x]\n", "expected text"},
		{"no mapping", "- a\n", "found a list, expected keys with values"},
		{"syntax", "name: [a\n", "f:1:"},
		{"twice", "n: 1\nn: 2\n", "f:2:"},
		{"two documents", "n: 1\n---\nn: 2\n", "f: found several documents, expected one"},
		{"no UTF-8", "name: \xff\n", "f: found bytes that are not UTF-8"},
		{"too long", strings.Repeat("#", maxSize+1), "expected at most"},
	} {
		var s sample
		err := Parse("f", []byte(tt.text), &s)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if s.hidden != 0 {
			t.Errorf("%s: a field that is not exported was set", tt.name)
		}
	}
	err := Parse("f", []byte("n: a\non: b\nx: c\n"), new(sample))
	if got := strings.Count(err.Error(), "\n"); got != 2 {
		t.Errorf("three mistakes: got %v", err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(file, []byte("name: key.pem\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var s sample
	if err := Read(file, &s); err != nil {
		t.Fatal(err)
	}
	store := "sqlite:a.db"
	Beside(file, &s.Name)
	BesideStore(file, &store)
	if s.Name != filepath.Join(dir, "key.pem") || store != "sqlite:"+filepath.Join(dir, "a.db") {
		t.Errorf("got %s and %s", s.Name, store)
	}
	if err := Read(filepath.Join(dir, "none"), &s); err == nil || !strings.HasPrefix(err.Error(), "configuration: open ") {
		t.Errorf("no file: %v", err)
	}
	if err := Private("key", file); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Private("key", file); err == nil {
		t.Error("others may read it")
	}
}

// FuzzParse: no file makes it panic, and what is refused has a reason.
func FuzzParse(f *testing.F) {
	f.Add("name: x\npeers: {a: {address: b}}\nlist: [1, 2]\n")
	f.Add("{\"n\": 1}")
	f.Add("a: &x [*x]")
	f.Fuzz(func(t *testing.T, text string) {
		var s sample
		if err := Parse("f", []byte(text), &s); err != nil && err.Error() == "" {
			t.Error("an error without a reason")
		}
	})
}
