package client

import (
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

func TestParseClient(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want, short string }{
		{"alice@a.example", "mimi://a.example/d/alice/main", "alice@a.example/main"},
		{"alice@a.example/phone", "mimi://a.example/d/alice/phone", "alice@a.example/phone"},
		{"mimi://a.example/d/alice/ClientA1", "mimi://a.example/d/alice/ClientA1", "alice@a.example/ClientA1"},
		{"alice@A.Example", "mimi://a.example/d/alice/main", "alice@a.example/main"},
		{"", "error: --as is missing", ""},
		{"alice", "error: no such name", ""},
		{"@a.example", "error: no such name", ""},
		{"alice@", "error: no such name", ""},
		{"alice@a.example/", "error: no such name", ""},
		{"alice@a.example/..", "error: no such name", ""},
		{"alice@a.example/a/b", "mimi://a.example/d/alice/a%2Fb", "alice@a.example/a/b"},
		{"mimi://a.example/u/alice", "error: that is a user", ""},
		{"mimi://a.example/d/ClientA1", "error: that is a client", ""}, // whose is it?
	} {
		u, err := ParseClient(tt.in)
		if want, bad := strings.CutPrefix(tt.want, "error: "); bad {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, %v; want the error %q", tt.in, u, err, want)
			}
			continue
		}
		if err != nil || u.String() != tt.want || Short(u) != tt.short {
			t.Errorf("%q: %v, short %q, %v; want %s, %q", tt.in, u, Short(u), err, tt.want, tt.short)
		}
	}
}

func TestParseUser(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"bob@b.example", "mimi://b.example/u/bob"},
		{"mimi://b.example/u/bob", "mimi://b.example/u/bob"},
		{"bob", ""},
		{"mimi://b.example/d/bob/phone", ""},
		{"bob@b example", ""},
	} {
		u, err := ParseUser(tt.in)
		if (err == nil) != (tt.want != "") || u.String() != tt.want {
			t.Errorf("%q: %v, %v; want %q", tt.in, u, err, tt.want)
		}
	}
}

func TestShortName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"mimi://a.example/r/clubhouse": "clubhouse@a.example",
		"mimi://a.example":             "a.example",
		"mimi://a.example/g/clubhouse": "mimi://a.example/g/clubhouse",
		"im:bob@b.example":             "im:bob@b.example",
		"":                             "",
	} {
		if got := ShortName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if u := (ident.URI{}); Short(u) != "" {
		t.Errorf("the zero URI: %q, want nothing", Short(u))
	}
}
