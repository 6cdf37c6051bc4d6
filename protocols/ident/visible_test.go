package ident

import (
	"strings"
	"testing"
)

func TestNewVisible(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		kind  VisibleKind
		in    string
		value string
		text  string
	}{
		{"phone", Phone, "+4915112345", "+4915112345", "phone:+4915112345"},
		{"phone of 15 digits", Phone, "+123456789012345", "+123456789012345", "phone:+123456789012345"},
		{"email", Email, "Alice.B+x@A.Example", "Alice.B+x@a.example", "email:Alice.B+x@a.example"},
		{"username", Username, "Alice_B", "alice_b", "username:alice_b"},
		{"name", Name, "Zoë Example", "Zoë Example", "name:Zoë Example"},
		{"name with a colon", Name, "a:b", "a:b", "name:a:b"},
		{"name with U+FFFD", Name, "a\ufffdb", "a\ufffdb", "name:a\ufffdb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := NewVisible(tt.kind, tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if v.Kind() != tt.kind || v.Value() != tt.value || v.String() != tt.text {
				t.Errorf("got %v %q %q, want %v %q %q", v.Kind(), v.Value(), v, tt.kind, tt.value, tt.text)
			}
			if back, err := ParseVisible(v.String()); err != nil || back != v {
				t.Errorf("ParseVisible(%q) = %v, %v, want %v", v, back, err, v)
			}
		})
	}
}

func TestNewVisibleRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		kind   VisibleKind
		in     string
		offset int
		want   string
	}{
		{"no kind", 0, "x", 0, "kind"},
		{"empty phone", Phone, "", 0, "+"},
		{"phone without plus", Phone, "4915112345", 0, "+"},
		{"phone with 00", Phone, "004915112345", 0, "+"},
		{"phone with a space", Phone, "+49 15112345", 3, "digit"},
		{"phone with other digits", Phone, "+٤٩١٥", 1, "digit"},
		{"phone too short", Phone, "+49", 3, "15 digits"},
		{"phone too long", Phone, "+1234567890123456", 16, "15 digits"},
		{"phone begins with 0", Phone, "+0151", 1, "country"},
		{"email without at", Email, "alice", 0, "@"},
		{"email without local part", Email, "@a.example", 0, "@"},
		{"email with a long local part", Email, strings.Repeat("a", 65) + "@a.example", 65, "@"},
		{"email too long", Email, "a@" + strings.Repeat("a.", 130) + "example", 254, "254"},
		{"email with two at", Email, "a@b@c", 3, "letter"},
		{"email quoted", Email, `"a b"@a.example`, 0, "letter"},
		{"email with two dots", Email, "a..b@a.example", 2, "dot"},
		{"email begins with a dot", Email, ".a@a.example", 0, "dot"},
		{"email ends with a dot", Email, "a.@a.example", 1, "dot"},
		{"email at an address", Email, "a@192.0.2.1", 10, "number"},
		{"email with UTF-8", Email, "zü@a.example", 1, "letter"},
		{"username empty", Username, "", 0, "64"},
		{"username too long", Username, strings.Repeat("a", 65), 64, "64"},
		{"username begins with a dot", Username, ".a", 0, "letter"},
		{"username with a slash", Username, "a/b", 1, "letter"},
		{"name empty", Name, "", 0, "128"},
		{"name too long", Name, strings.Repeat("a", 129), 128, "128"},
		{"name not UTF-8", Name, "a\xff", 1, "UTF-8"},
		{"name with a line end", Name, "a\nb", 1, "printable"},
		{"name with a right-to-left override", Name, "a\u202eb", 1, "printable"},
		{"name begins with a space", Name, " a", 0, "space"},
		{"name ends with a space", Name, "a ", 0, "space"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := NewVisible(tt.kind, tt.in)
			checkError(t, err, tt.offset, tt.want)
			if !v.IsZero() {
				t.Errorf("NewVisible(%v, %q) = %v with an error, want the zero value", tt.kind, tt.in, v)
			}
		})
	}
	for _, s := range []string{"", "phone", "Phone:+491511", "fax:+491511", ":x"} {
		if v, err := ParseVisible(s); err == nil {
			t.Errorf("ParseVisible(%q) = %v, want an error", s, v)
		}
	}
}

func FuzzParseVisible(f *testing.F) {
	for _, s := range []string{"", "phone:+4915112345", "email:a.b@c.example", "username:Alice", "name:Zoë", "name: "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseVisible(s)
		if err != nil {
			if !v.IsZero() {
				t.Fatalf("%q: %v with an error", s, v)
			}
			return
		}
		if again, err := ParseVisible(v.String()); err != nil || again != v {
			t.Fatalf("%q: ParseVisible(%q) = %v, %v", s, v, again, err)
		}
		if len(v.String()) != len(s) {
			t.Fatalf("%q changes its length as %q", s, v)
		}
	})
}
