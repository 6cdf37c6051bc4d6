package enlist

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// keyType is Signal's type of a key on Curve25519, the only one there is.
const keyType = 0x05

// Names are what is not public of the form. The zero value means [DefaultNames].
type Names struct {
	Identifier string // the field with the user-visible identifier
	Version    string // the field with the version of the protocol
}

// DefaultNames are assumed.
var DefaultNames = Names{Identifier: "identifier", Version: "interop_version"}

func (n Names) orDefault() Names {
	if n == (Names{}) {
		return DefaultNames
	}
	return n
}

// Version is the version of the interoperability protocol that this project speaks. The
// number is assumed.
const Version = 1

// Form is an enlistment: the keys of the user's one device, and a proof of who the user
// is.
type Form struct {
	AuthKey        [32]byte // the static key of the chat channel
	RegistrationID uint32
	Identity       [32]byte
	SignedPreKeyID uint32 // of 24 bits
	SignedPreKey   [32]byte
	Signature      [64]byte
	Token          string // a JWT
	Identifier     string // what others find the user by
	Version        int    // 1 to 65535
}

// String leaves the token out.
func (f Form) String() string {
	return fmt.Sprintf("{%q version %d auth key %x, token of %d bytes}", f.Identifier, f.Version, f.AuthKey, len(f.Token))
}

// GoString leaves the token out.
func (f Form) GoString() string { return f.String() }

// binary is a field of bytes in base64url.
type binary struct {
	name string
	size int
	get  func(*Form) []byte
	set  func(*Form, []byte) error
}

// fields are the binary ones, in the order of the Reference Offer.
var fields = []binary{
	{"authkey", 32, func(f *Form) []byte { return f.AuthKey[:] }, func(f *Form, b []byte) error { copy(f.AuthKey[:], b); return nil }},
	{"e_keytype", 1, func(*Form) []byte { return []byte{keyType} }, func(_ *Form, b []byte) error {
		if b[0] != keyType {
			return fmt.Errorf("type %#02x, want %#02x", b[0], keyType)
		}
		return nil
	}},
	{"e_regid", 4, func(f *Form) []byte { return number(f.RegistrationID, 4) }, func(f *Form, b []byte) error { f.RegistrationID = value(b); return nil }},
	{"e_ident", 32, func(f *Form) []byte { return f.Identity[:] }, func(f *Form, b []byte) error { copy(f.Identity[:], b); return nil }},
	{"e_skey_id", 3, func(f *Form) []byte { return number(f.SignedPreKeyID, 3) }, func(f *Form, b []byte) error { f.SignedPreKeyID = value(b); return nil }},
	{"e_skey_val", 32, func(f *Form) []byte { return f.SignedPreKey[:] }, func(f *Form, b []byte) error { copy(f.SignedPreKey[:], b); return nil }},
	{"e_skey_sig", 64, func(f *Form) []byte { return f.Signature[:] }, func(f *Form, b []byte) error { copy(f.Signature[:], b); return nil }},
}

func number(n uint32, size int) []byte {
	b := []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	return b[4-size:]
}

func value(b []byte) (n uint32) {
	for _, x := range b {
		n = n<<8 | uint32(x)
	}
	return n
}

// Encode returns the body of the request.
func (n Names) Encode(f *Form) ([]byte, error) {
	n = n.orDefault()
	if f.SignedPreKeyID >= 1<<24 {
		return nil, wrong(BadParam, "e_skey_id", "%d, want less than %d", f.SignedPreKeyID, 1<<24)
	}
	if err := f.check(n); err != nil {
		return nil, err
	}
	v := url.Values{}
	for _, b := range fields {
		v.Set(b.name, base64.RawURLEncoding.EncodeToString(b.get(f)))
	}
	v.Set("token", f.Token)
	v.Set(n.Identifier, f.Identifier)
	v.Set(n.Version, strconv.Itoa(f.Version))
	return []byte(v.Encode()), nil
}

// check looks at what is no binary field.
func (f *Form) check(n Names) error {
	switch {
	case f.Token == "":
		return wrong(BadToken, "token", "none, want one")
	case len(f.Token) > MaxToken:
		return wrong(BadToken, "token", "%d bytes, want at most %d", len(f.Token), MaxToken)
	case strings.ContainsFunc(f.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return wrong(BadToken, "token", "other than printable ASCII, want a JWT")
	case f.Identifier == "" || len(f.Identifier) > MaxIdentifier:
		return wrong(BadIdentifier, n.Identifier, "%d bytes, want 1 to %d", len(f.Identifier), MaxIdentifier)
	case !utf8.ValidString(f.Identifier) || strings.ContainsFunc(f.Identifier, unicode.IsControl):
		return wrong(BadIdentifier, n.Identifier, "control characters or no UTF-8, want text")
	case f.Version < 1 || f.Version > 65535:
		return wrong(BadVersion, n.Version, "%d, want 1 to 65535", f.Version)
	}
	return nil
}

// Parse reads the body of a request. A field that it does not know is skipped, one that
// it knows and that is missing, comes twice or is of another size is an *[Error].
func (n Names) Parse(body []byte) (*Form, error) {
	n = n.orDefault()
	if len(body) > MaxForm {
		return nil, wrong(BadParam, "", "%d bytes, want at most %d", len(body), MaxForm)
	}
	if c := strings.Count(string(body), "&"); c >= maxFields {
		return nil, wrong(BadParam, "", "%d fields, want at most %d", c+1, maxFields)
	}
	v, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, wrong(BadParam, "", "%v", err)
	}
	f := new(Form)
	for _, b := range fields {
		if err := b.parse(f, v); err != nil {
			return nil, err
		}
	}
	if f.Token, err = one(v, "token", BadToken); err != nil {
		return nil, err
	}
	if f.Identifier, err = one(v, n.Identifier, BadIdentifier); err != nil {
		return nil, err
	}
	version, err := one(v, n.Version, BadVersion)
	if err != nil {
		return nil, err
	}
	if f.Version, err = strconv.Atoi(version); err != nil || strconv.Itoa(f.Version) != version {
		return nil, wrong(BadVersion, n.Version, "%q, want a number", clip(version))
	}
	if err := f.check(n); err != nil {
		return nil, err
	}
	return f, nil
}

func (b *binary) parse(f *Form, v url.Values) error {
	s, err := one(v, b.name, BadParam)
	if err != nil {
		return err
	}
	// The length is looked at first. Besides, encoding/base64 skips line breaks.
	if want := base64.RawURLEncoding.EncodedLen(b.size); len(s) != want || strings.ContainsAny(s, "\r\n") {
		return wrong(BadParam, b.name, "%d characters, want %d bytes in %d characters of base64url without padding", len(s), b.size, want)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return wrong(BadParam, b.name, "%v, want base64url without padding", err)
	}
	if err := b.set(f, raw); err != nil {
		return wrong(BadParam, b.name, "%v", err)
	}
	return nil
}

// one returns the value of a field that is there once.
func one(v url.Values, name string, reason Reason) (string, error) {
	switch list := v[name]; len(list) {
	case 1:
		return list[0], nil
	case 0:
		return "", wrong(reason, name, "missing")
	default:
		return "", wrong(reason, name, "comes %d times, want once", len(list))
	}
}

// clip bounds what an error repeats of its input.
func clip(s string) string { return s[:min(len(s), 64)] }
