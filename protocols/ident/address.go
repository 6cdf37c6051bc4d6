package ident

import (
	"strconv"
	"strings"
)

// Server is the part of an [Address] behind the at sign: the space in which the
// user part is unique.
type Server string

// The servers, as read in public WhatsApp client libraries; @interop also stands
// in the enlistment sample of WhatsApp's Reference Offer 1.0.3, technical
// specification.
const (
	User      Server = "s.whatsapp.net" // users of the gatekeeper, by phone number or account
	Group     Server = "g.us"           // groups
	Interop   Server = "interop"        // users of partners, by integrator and account
	Messenger Server = "msgr"           // users of Messenger
)

// Valid reports whether s is one of the four known servers.
func (s Server) Valid() bool {
	switch s {
	case User, Group, Interop, Messenger:
		return true
	}
	return false
}

// Bounds of this implementation; no public document gives any.
const (
	// MaxAccount is the largest number of digits in one account or phone number.
	// E.164 numbers have up to 15, and any uint64 has up to 20.
	MaxAccount = 20
	// MaxAddress bounds the text form of an address in bytes.
	MaxAddress = 2*MaxAccount + len("-:65535@s.whatsapp.net")
)

// Address names a user, a device of a user, a group or, with an empty User, a
// server itself. The zero value is no address.
//
//	address = [ user "@" ] server
//	user    = digits [ ":" device ]                      ; User, Messenger
//	user    = integrator "-" digits [ ":" device ]       ; Interop
//	user    = digits [ "-" digits ]                      ; Group
//
// Device 0 is a user's first device and is not written.
type Address struct {
	User       string // the account: 1 to [MaxAccount] digits; for a group also two such numbers and a dash
	Server     Server // the space in which User is unique
	Integrator uint16 // the partner that runs the account, from 1; only with [Interop]
	Device     uint16 // the device, 0 for the first; never with [Group]
}

// ParseAddress parses the text form of an address. It accepts nothing but what
// String writes.
func ParseAddress(s string) (Address, error) {
	fail := func(at int, want string) (Address, error) {
		return Address{}, &Error{What: "address", Input: s, Offset: at, Want: want}
	}
	if len(s) > MaxAddress {
		return fail(MaxAddress, "at most "+strconv.Itoa(MaxAddress)+" bytes")
	}
	at := strings.IndexByte(s, '@')
	a := Address{Server: Server(s[at+1:])}
	if !a.Server.Valid() {
		return fail(at+1, "one of the servers s.whatsapp.net, g.us, interop, msgr")
	}
	if at < 0 {
		return a, nil
	}
	a.User = s[:at]
	if colon := strings.IndexByte(a.User, ':'); colon >= 0 && a.Server != Group {
		dev, ok := uint16Text(a.User[colon+1:])
		if !ok {
			return fail(colon+1, "a device from 1 to 65535 without leading zeros")
		}
		a.User, a.Device = a.User[:colon], dev
	}
	skipped := 0
	if a.Server == Interop {
		dash := max(strings.IndexByte(a.User, '-'), 0)
		integrator, ok := uint16Text(a.User[:dash])
		if !ok {
			return fail(0, "an integrator from 1 to 65535 without leading zeros, and a dash")
		}
		a.User, a.Integrator, skipped = a.User[dash+1:], integrator, dash+1
	}
	if off, want := checkAccount(a.User, a.Server); want != "" {
		return fail(skipped+off, want)
	}
	return a, nil
}

// checkAccount says at which byte user is not an account of server and what
// belongs there; want is empty if all is well.
func checkAccount(user string, server Server) (off int, want string) {
	const account = "an account of 1 to 20 digits"
	n := digits(user)
	if n == 0 || n > MaxAccount {
		return min(n, MaxAccount), account
	}
	if n == len(user) {
		return 0, ""
	}
	if server != Group {
		return n, "a digit or the end of the account"
	}
	if user[n] != '-' {
		return n, "a digit, a dash or the end of the group"
	}
	rest := user[n+1:]
	m := digits(rest)
	if m == 0 || m > MaxAccount {
		return n + 1 + min(m, MaxAccount), account
	}
	if m != len(rest) {
		return n + 1 + m, "a digit or the end of the group"
	}
	return 0, ""
}

// Validate returns nil if a is an address that ParseAddress could have returned.
func (a Address) Validate() error {
	fail := func(want string) error {
		return &Error{What: "address", Input: a.String(), Want: want}
	}
	switch {
	case !a.Server.Valid():
		return fail("one of the servers s.whatsapp.net, g.us, interop, msgr")
	case a.User == "" && (a.Integrator != 0 || a.Device != 0):
		return fail("no integrator or device without a user")
	case a.User == "":
		return nil
	case a.Server == Interop && a.Integrator == 0:
		return fail("an integrator from 1 to 65535")
	case a.Server != Interop && a.Integrator != 0:
		return fail("no integrator but with the server interop")
	case a.Server == Group && a.Device != 0:
		return fail("no device of a group")
	}
	if _, want := checkAccount(a.User, a.Server); want != "" {
		return fail(want)
	}
	return nil
}

// IsZero reports whether a is the zero value.
func (a Address) IsZero() bool { return a == Address{} }

// Account returns a without its device: the address of the user as a whole.
func (a Address) Account() Address {
	a.Device = 0
	return a
}

// WithDevice returns the address of the given device of a's user.
func (a Address) WithDevice(device uint16) Address {
	a.Device = device
	return a
}

// String returns the text form. It does not check that a is valid.
func (a Address) String() string {
	var buf [MaxAddress]byte
	return string(a.append(buf[:0]))
}

// AppendText implements [encoding.TextAppender]. It refuses an invalid address,
// and it does not allocate if dst has room for [MaxAddress] more bytes.
func (a Address) AppendText(dst []byte) ([]byte, error) {
	if err := a.Validate(); err != nil {
		return dst, err
	}
	return a.append(dst), nil
}

// MarshalText implements [encoding.TextMarshaler].
func (a Address) MarshalText() ([]byte, error) { return a.AppendText(nil) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *Address) UnmarshalText(text []byte) error {
	b, err := ParseAddress(string(text))
	if err != nil {
		return err
	}
	*a = b
	return nil
}

func (a Address) append(dst []byte) []byte {
	if a.User != "" {
		if a.Server == Interop {
			dst = strconv.AppendUint(dst, uint64(a.Integrator), 10)
			dst = append(dst, '-')
		}
		dst = append(dst, a.User...)
		if a.Device != 0 {
			dst = append(dst, ':')
			dst = strconv.AppendUint(dst, uint64(a.Device), 10)
		}
		dst = append(dst, '@')
	}
	return append(dst, a.Server...)
}
