package ident

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// VisibleKind says how a user-visible identifier is to be read.
type VisibleKind uint8

// The kinds that WhatsApp's Reference Offer 1.0.3 names as examples (phone
// number, email, name), and the user name. In the identifierQuery of
// draft-ietf-mimi-protocol-06 they are phone(4), email(3), handle(1) and nick(2).
const (
	Phone    VisibleKind = iota + 1 // an E.164 number: "+" and 3 to 15 digits, the first not 0
	Email                           // local-part "@" domain (RFC 5321, Section 4.1.2), ASCII, without quoting; the domain in lower case
	Username                        // 1 to 64 of a-z, 0-9, dot, dash, underscore; the first a letter or digit
	Name                            // 1 to 128 bytes of printable UTF-8 without spaces at the ends; need not be unique
)

// visibleNames is the registry of kinds, in their text form.
var visibleNames = [...]string{Phone: "phone", Email: "email", Username: "username", Name: "name"}

// String returns the kind as [Visible.String] writes it: "phone".
func (k VisibleKind) String() string {
	if k == 0 || int(k) >= len(visibleNames) {
		return "VisibleKind(" + strconv.Itoa(int(k)) + ")"
	}
	return visibleNames[k]
}

// Bounds of this implementation, but for the phone number's (E.164, Section 6)
// and the mailbox's (RFC 5321, Section 4.5.3.1).
const (
	minPhone    = 3
	maxPhone    = 15
	maxLocal    = 64
	maxEmail    = 254
	maxUsername = 64
	maxName     = 128
)

// Visible is a user-visible identifier: what one user knows of another before
// any lookup, in contrast to the internal identifier ([Address]) that a
// gatekeeper assigns at enlistment. The zero value is none.
//
// Its text form is the kind, a colon and the value ("phone:+4915112345"), a
// notation of this project.
type Visible struct {
	kind  VisibleKind
	value string // canonical
}

// NewVisible checks value and brings it into the canonical form that the kind
// describes: capitals of user names and of mail domains become lower case.
func NewVisible(kind VisibleKind, value string) (Visible, error) {
	canonical, off, want := canonicalVisible(kind, value)
	if want != "" {
		return Visible{}, &Error{What: kind.String(), Input: value, Offset: off, Want: want}
	}
	return Visible{kind: kind, value: canonical}, nil
}

// ParseVisible parses the text form.
func ParseVisible(s string) (Visible, error) {
	prefix, value, found := strings.Cut(s, ":")
	for k := Phone; found && int(k) < len(visibleNames); k++ {
		if prefix == visibleNames[k] {
			return NewVisible(k, value)
		}
	}
	return Visible{}, &Error{What: "user-visible identifier", Input: s, Want: "one of phone:, email:, username:, name:"}
}

// canonicalVisible returns the canonical form of value, or says at which byte it
// is wrong and what belongs there.
func canonicalVisible(kind VisibleKind, value string) (canonical string, off int, want string) {
	switch kind {
	case Phone:
		off, want = checkPhone(value)
	case Email:
		off, want = checkEmail(value)
		if want == "" {
			at := strings.LastIndexByte(value, '@')
			value = value[:at] + lower(value[at:])
		}
	case Username:
		off, want = checkUsername(value)
		value = lower(value)
	case Name:
		off, want = checkName(value)
	default:
		want = "a known kind of identifier"
	}
	return value, off, want
}

func checkPhone(s string) (off int, want string) {
	if s == "" || s[0] != '+' {
		return 0, `"+" before the country code`
	}
	n := digits(s[1:])
	switch {
	case n < len(s)-1:
		return 1 + n, "a digit"
	case n < minPhone || n > maxPhone:
		return 1 + min(n, maxPhone), "3 to 15 digits"
	case s[1] == '0':
		return 1, "a country code, which never begins with 0"
	}
	return 0, ""
}

func checkEmail(s string) (off int, want string) {
	if len(s) > maxEmail {
		return maxEmail, "at most 254 bytes"
	}
	at := strings.IndexByte(s, '@')
	if at < 1 || at > maxLocal {
		return max(at, 0), `1 to 64 bytes before "@"`
	}
	for i := 0; i < at; i++ {
		c := s[i]
		switch {
		case isAlpha(c), isDigit(c), strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0: // atext, RFC 5322
		case c == '.' && i > 0 && i < at-1 && s[i-1] != '.':
		default:
			return i, "a letter, digit or other character of a mailbox, or a dot between two of them"
		}
	}
	off, want = checkDomain(s[at+1:])
	return at + 1 + off, want
}

func checkUsername(s string) (off int, want string) {
	if len(s) == 0 || len(s) > maxUsername {
		return min(len(s), maxUsername), "1 to 64 bytes"
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; isAlpha(c) || isDigit(c) || i > 0 && (c == '.' || c == '-' || c == '_') {
			continue
		}
		return i, "a letter or digit, or after the first also a dot, dash or underscore"
	}
	return 0, ""
}

func checkName(s string) (off int, want string) {
	if len(s) == 0 || len(s) > maxName {
		return min(len(s), maxName), "1 to 128 bytes"
	}
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return i, "valid UTF-8"
		}
		if !unicode.IsPrint(r) { // of all spaces, only U+0020 is printable
			return i, "a printable character"
		}
	}
	if s[0] == ' ' || s[len(s)-1] == ' ' {
		return 0, "no space at either end"
	}
	return 0, ""
}

// Kind returns the kind; 0 for the zero value.
func (v Visible) Kind() VisibleKind { return v.kind }

// Value returns the identifier without its kind, in canonical form.
func (v Visible) Value() string { return v.value }

// IsZero reports whether v is the zero value.
func (v Visible) IsZero() bool { return v == Visible{} }

// String returns the text form, and "" for the zero value.
func (v Visible) String() string {
	b, _ := v.AppendText(nil)
	return string(b)
}

// AppendText implements [encoding.TextAppender]. It refuses the zero value.
func (v Visible) AppendText(dst []byte) ([]byte, error) {
	if v.kind == 0 {
		return dst, &Error{What: "user-visible identifier", Want: "an identifier, not the zero value"}
	}
	dst = append(dst, visibleNames[v.kind]...)
	dst = append(dst, ':')
	return append(dst, v.value...), nil
}

// MarshalText implements [encoding.TextMarshaler].
func (v Visible) MarshalText() ([]byte, error) { return v.AppendText(nil) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Visible) UnmarshalText(text []byte) error {
	w, err := ParseVisible(string(text))
	if err != nil {
		return err
	}
	*v = w
	return nil
}
