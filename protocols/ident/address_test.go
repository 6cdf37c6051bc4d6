package ident

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     Address
	}{
		{"user", "4915112345@s.whatsapp.net", Address{User: "4915112345", Server: User}},
		{"user's device", "4915112345:7@s.whatsapp.net", Address{User: "4915112345", Server: User, Device: 7}},
		{"enlistment sample", "1-10853634039893@interop", Address{User: "10853634039893", Server: Interop, Integrator: 1}},
		{"interop device", "65535-1:65535@interop", Address{User: "1", Server: Interop, Integrator: 65535, Device: 65535}},
		{"group", "123-456@g.us", Address{User: "123-456", Server: Group}},
		{"group in one number", "120363041234567890@g.us", Address{User: "120363041234567890", Server: Group}},
		{"messenger", "42@msgr", Address{User: "42", Server: Messenger}},
		{"server", "s.whatsapp.net", Address{Server: User}},
		{"leading zeros of an account are part of it", "007@msgr", Address{User: "007", Server: Messenger}},
		{"longest", strings.Repeat("9", 20) + "-" + strings.Repeat("9", 20) + "@g.us",
			Address{User: strings.Repeat("9", 20) + "-" + strings.Repeat("9", 20), Server: Group}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseAddress(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("ParseAddress(%q) = %#v, want %#v", tt.in, got, tt.want)
			}
			if got.String() != tt.in {
				t.Errorf("String() = %q, want %q", got.String(), tt.in)
			}
			if err := got.Validate(); err != nil {
				t.Errorf("Validate() = %v, want nil", err)
			}
		})
	}
}

func TestParseAddressRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		offset   int
		want     string // part of what the error says was expected
	}{
		{"empty", "", 0, "servers"},
		{"unknown server", "1@example.com", 2, "servers"},
		{"server in capitals", "1@MSGR", 2, "servers"},
		{"two at signs", "1@2@msgr", 2, "servers"},
		{"no user", "@msgr", 0, "account"},
		{"letters", "alice@msgr", 0, "account"},
		{"trailing letter", "12x@msgr", 2, "digit"},
		{"space", " 12@msgr", 0, "account"},
		{"plus", "+4915112345@s.whatsapp.net", 0, "account"},
		{"too long", "123456789012345678901@msgr", 20, "account"},
		{"device zero", "1:0@msgr", 2, "device"},
		{"device with leading zero", "1:01@msgr", 2, "device"},
		{"device too large", "1:65536@msgr", 2, "device"},
		{"device missing", "1:@msgr", 2, "device"},
		{"two devices", "1:2:3@msgr", 2, "device"},
		{"device of a group", "1:2@g.us", 1, "group"},
		{"user with a dash", "1-2@msgr", 1, "digit"},
		{"group with two dashes", "1-2-3@g.us", 3, "group"},
		{"group ends in a dash", "1-@g.us", 2, "account"},
		{"no integrator", "10853634039893@interop", 0, "integrator"},
		{"integrator zero", "0-1@interop", 0, "integrator"},
		{"integrator with leading zero", "01-1@interop", 0, "integrator"},
		{"integrator too large", "65536-1@interop", 0, "integrator"},
		{"no account", "1-@interop", 2, "account"},
		{"account with a dash", "1-2-3@interop", 3, "digit"},
		{"invalid UTF-8", "\xff@msgr", 0, "account"},
		{"too long at all", strings.Repeat("1", 1000) + "@msgr", MaxAddress, "bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseAddress(tt.in)
			checkError(t, err, tt.offset, tt.want)
			if !got.IsZero() {
				t.Errorf("ParseAddress(%q) = %#v with an error, want the zero value", tt.in, got)
			}
		})
	}
}

// checkError fails the test unless err is an *Error at offset whose expectation
// contains want.
func checkError(t *testing.T, err error, offset int, want string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v, want an *Error", err)
	}
	if e.Offset != offset || !strings.Contains(e.Want, want) {
		t.Errorf("error = %q, want one at byte %d that expects %q", err, offset, want)
	}
	if len(e.Error()) > 400 {
		t.Errorf("error is %d bytes long, want at most 400", len(e.Error()))
	}
}

func TestAddressValidate(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]Address{
		"zero":                   {},
		"no server":              {User: "1"},
		"unknown server":         {User: "1", Server: "example.com"},
		"user with integrator":   {User: "1", Server: User, Integrator: 1},
		"interop without":        {User: "1", Server: Interop},
		"group device":           {User: "1-2", Server: Group, Device: 1},
		"device of a server":     {Server: User, Device: 1},
		"integrator of a server": {Server: Interop, Integrator: 1},
		"letters":                {User: "bob", Server: Messenger},
		"injection":              {User: "1@g.us' x='", Server: Messenger},
	} {
		if err := a.Validate(); err == nil {
			t.Errorf("%s: Validate(%#v) = nil, want an error", name, a)
		}
		if b, err := a.AppendText([]byte("x")); err == nil || string(b) != "x" {
			t.Errorf("%s: AppendText = %q, %v, want %q and an error", name, b, err, "x")
		}
	}
}

func TestAddressText(t *testing.T) {
	t.Parallel()
	a := Address{User: "10853634039893", Server: Interop, Integrator: 1, Device: 3}
	b, err := a.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var back Address
	if err := back.UnmarshalText(b); err != nil || back != a {
		t.Errorf("UnmarshalText(%q) = %#v, %v, want %#v", b, back, err, a)
	}
	if err := back.UnmarshalText([]byte("1@nowhere")); err == nil || back != a {
		t.Errorf("UnmarshalText of a bad address left %#v, %v, want %#v and an error", back, err, a)
	}
	if got := a.Account(); got.Device != 0 || got.WithDevice(3) != a {
		t.Errorf("Account() = %v, want %v without its device", got, a)
	}
}

func TestAddressAllocations(t *testing.T) {
	a := Address{User: "10853634039893", Server: Interop, Integrator: 1, Device: 3}
	text, buf := a.String(), make([]byte, 0, MaxAddress)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := a.AppendText(buf); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseAddress(text); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("AppendText and ParseAddress allocate %v times, want 0", n)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"", "msgr", "1@msgr", "1:2@msgr", "1-2@interop", "1-2:3@interop", "1-2@g.us", "1-2:3@g.us"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			if !a.IsZero() {
				t.Fatalf("%q: %#v with an error", s, a)
			}
			return
		}
		if a.String() != s {
			t.Fatalf("%q renders as %q", s, a)
		}
		if b, err := a.AppendText(nil); err != nil || string(b) != s {
			t.Fatalf("%q: AppendText = %q, %v", s, b, err)
		}
	})
}

// FuzzAddressValidate checks the other direction: what Validate lets pass, the
// parser gives back.
func FuzzAddressValidate(f *testing.F) {
	f.Add("1", "interop", uint16(1), uint16(0))
	f.Add("1-2", "g.us", uint16(0), uint16(0))
	f.Add("", "msgr", uint16(0), uint16(0))
	f.Fuzz(func(t *testing.T, user, server string, integrator, device uint16) {
		a := Address{User: user, Server: Server(server), Integrator: integrator, Device: device}
		if a.Validate() != nil {
			return
		}
		if b, err := ParseAddress(a.String()); err != nil || b != a {
			t.Fatalf("%#v: ParseAddress(%q) = %#v, %v", a, a, b, err)
		}
	})
}

func BenchmarkAddress(b *testing.B) {
	const text = "1-10853634039893:3@interop"
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseAddress(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append", func(b *testing.B) {
		a, err := ParseAddress(text)
		if err != nil {
			b.Fatal(err)
		}
		buf := make([]byte, 0, MaxAddress)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.AppendText(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}
