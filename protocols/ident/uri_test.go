package ident

import (
	"slices"
	"strings"
	"testing"
)

// TestParseURIDraft holds the tables of draft-ietf-mimi-protocol-06 ("MIMI URI
// examples") and draft-mahy-mimi-identity-05 ("types of MIMI URI identifiers").
func TestParseURIDraft(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in       string
		kind     Kind
		segments []string
	}{
		{"mimi://a.example", KindProvider, nil},
		{"mimi://a.example/u/alice", KindUser, []string{"alice"}},
		{"mimi://a.example/d/ClientA1", KindClient, []string{"ClientA1"}},
		{"mimi://a.example/d/alice/ClientA1", KindClient, []string{"alice", "ClientA1"}},
		{"mimi://a.example/r/clubhouse", KindRoom, []string{"clubhouse"}},
		{"mimi://a.example/g/TII9t5viBrXiXc", KindGroup, []string{"TII9t5viBrXiXc"}},
		{"mimi://a.example/p/crazykoala75", KindPseudonym, []string{"crazykoala75"}},
		{"mimi://a.example/t/engineering", KindTeam, []string{"engineering"}},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			u, err := ParseURI(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if u.Kind() != tt.kind || u.Provider() != "a.example" || !slices.Equal(u.Segments(), tt.segments) {
				t.Errorf("got %v %q %q, want %v %q %q", u.Kind(), u.Provider(), u.Segments(), tt.kind, "a.example", tt.segments)
			}
			if u.String() != tt.in {
				t.Errorf("String() = %q, want %q", u, tt.in)
			}
			if made, err := NewURI(tt.kind, "A.example", tt.segments...); err != nil || made != u {
				t.Errorf("NewURI = %v, %v, want %v", made, err, u)
			}
			if u.ProviderURI().String() != "mimi://a.example" {
				t.Errorf("ProviderURI() = %v, want mimi://a.example", u.ProviderURI())
			}
		})
	}
}

// TestURICanonical follows RFC 3986, Sections 6.2.2.1 and 6.2.2.2.
func TestURICanonical(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"scheme and domain in lower case", "MIMI://A.Example/u/Alice", "mimi://a.example/u/Alice"},
		{"capital digits", "mimi://a.example/u/a%2fb", "mimi://a.example/u/a%2Fb"},
		{"unreserved decoded", "mimi://a.example/u/%61%2D%7e", "mimi://a.example/u/a-~"},
		{"reserved that may stand decoded", "mimi://a.example/u/a%40b", "mimi://a.example/u/a@b"},
		{"UTF-8 stays encoded", "mimi://a.example/u/z%c3%bc", "mimi://a.example/u/z%C3%BC"},
		{"percent", "mimi://a.example/u/100%25", "mimi://a.example/u/100%25"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := ParseURI(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if u.String() != tt.want {
				t.Errorf("ParseURI(%q) = %q, want %q", tt.in, u, tt.want)
			}
		})
	}
}

func TestParseURIRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		offset   int
		want     string
	}{
		{"empty", "", 0, "mimi://"},
		{"other scheme", "https://a.example/u/alice", 0, "mimi://"},
		{"no domain", "mimi://", 7, "domain"},
		{"no domain but a path", "mimi:///u/alice", 7, "domain"},
		{"user information", "mimi://alice@a.example", 12, "letter"},
		{"port", "mimi://a.example:443/u/alice", 16, "letter"},
		{"IPv4 address", "mimi://192.0.2.1/u/alice", 15, "number"},
		{"IPv6 address", "mimi://[2001:db8::1]/u/alice", 7, "letter"},
		{"empty label", "mimi://a..example", 9, "label"},
		{"final dot", "mimi://a.example.", 17, "label"},
		{"label begins with a hyphen", "mimi://-a.example", 7, "letter"},
		{"label ends with a hyphen", "mimi://a-.example", 8, "letter"},
		{"underscore", "mimi://a_b.example", 8, "letter"},
		{"U-label", "mimi://zü.example", 8, "letter"},
		{"long label", "mimi://" + strings.Repeat("a", 64) + ".example", 7, "63"},
		{"long domain", "mimi://" + strings.Repeat("a.", 130) + "example", 7 + 253, "253"},
		{"slash alone", "mimi://a.example/", 17, "u/"},
		{"kind without a name", "mimi://a.example/u", 17, "u/"},
		{"unknown kind", "mimi://a.example/x/alice", 17, "u/"},
		{"kind in capitals", "mimi://a.example/U/alice", 17, "u/"},
		{"empty name", "mimi://a.example/u/", 19, "not empty"},
		{"dot segment", "mimi://a.example/u/..", 19, "not empty"},
		{"encoded dot segment", "mimi://a.example/u/%2e%2E", 19, "not empty"},
		{"two segments of a user", "mimi://a.example/u/alice/x", 19, "segments"},
		{"three segments of a client", "mimi://a.example/d/alice/x/y", 19, "segments"},
		{"trailing slash", "mimi://a.example/d/alice/", 25, "not empty"},
		{"query", "mimi://a.example/u/alice?x", 24, "character"},
		{"fragment", "mimi://a.example/u/alice#x", 24, "character"},
		{"space", "mimi://a.example/u/a b", 20, "character"},
		{"raw UTF-8", "mimi://a.example/u/zü", 20, "character"},
		{"cut percent", "mimi://a.example/u/a%2", 20, "hexadecimal"},
		{"percent without hex", "mimi://a.example/u/a%zz", 20, "hexadecimal"},
		{"encoded NUL", "mimi://a.example/u/a%00", 20, "control"},
		{"encoded invalid UTF-8", "mimi://a.example/u/%ff", 19, "UTF-8"},
		{"too long", "mimi://a.example/u/" + strings.Repeat("a", MaxURI), MaxURI, "bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := ParseURI(tt.in)
			checkError(t, err, tt.offset, tt.want)
			if !u.IsZero() {
				t.Errorf("ParseURI(%q) = %v with an error, want the zero value", tt.in, u)
			}
		})
	}
}

func TestNewURI(t *testing.T) {
	t.Parallel()
	u, err := NewURI(KindUser, "a.example", "a/b %ü")
	if err != nil {
		t.Fatal(err)
	}
	if want := "mimi://a.example/u/a%2Fb%20%25%C3%BC"; u.String() != want {
		t.Errorf("NewURI = %q, want %q", u, want)
	}
	if want := []string{"a/b %ü"}; !slices.Equal(u.Segments(), want) {
		t.Errorf("Segments() = %q, want %q", u.Segments(), want)
	}
	for name, f := range map[string]func() (URI, error){
		"kind 0":                 func() (URI, error) { return NewURI(0, "a.example") },
		"kind 200":               func() (URI, error) { return NewURI(200, "a.example", "x") },
		"path in the provider":   func() (URI, error) { return NewURI(KindProvider, "a.example/u/alice") },
		"kind 0 with a path":     func() (URI, error) { return NewURI(0, "a.example", "u", "alice") },
		"user without a name":    func() (URI, error) { return NewURI(KindUser, "a.example") },
		"user with two":          func() (URI, error) { return NewURI(KindUser, "a.example", "a", "b") },
		"provider with a name":   func() (URI, error) { return NewURI(KindProvider, "a.example", "a") },
		"not UTF-8":              func() (URI, error) { return NewURI(KindUser, "a.example", "\xff") },
		"control character":      func() (URI, error) { return NewURI(KindUser, "a.example", "\n") },
		"client shifts its path": func() (URI, error) { return NewURI(KindClient, "a.example/d/x", "y") },
	} {
		if u, err := f(); err == nil {
			t.Errorf("%s: NewURI = %v, want an error", name, u)
		}
	}
	if _, err := (URI{}).MarshalText(); err == nil {
		t.Error("the zero URI marshals, want an error")
	}
}

func FuzzParseURI(f *testing.F) {
	for _, s := range []string{"", "mimi://a.example", "mimi://a.example/u/alice", "mimi://A/d/a/b", "mimi://a/u/%2f%41%c3%bc", "mimi://a/g/.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseURI(s)
		if err != nil {
			if !u.IsZero() {
				t.Fatalf("%q: %v with an error", s, u)
			}
			return
		}
		canonical := u.String()
		if len(canonical) > len(s) {
			t.Fatalf("%q grows to %q", s, canonical)
		}
		if again, err := ParseURI(canonical); err != nil || again != u || again.String() != canonical {
			t.Fatalf("%q: ParseURI(%q) = %q, %v", s, canonical, again, err)
		}
		if made, err := NewURI(u.Kind(), u.Provider(), u.Segments()...); err != nil || made != u {
			t.Fatalf("%q: NewURI(%v, %q, %q) = %q, %v", s, u.Kind(), u.Provider(), u.Segments(), made, err)
		}
	})
}
