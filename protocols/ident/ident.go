// Package ident holds the names that users, devices, providers, rooms and
// groups go by, with one strict parser and one canonical text form for each:
//
//   - [Address]: who a stanza is from or to,
//
//     4915112345@s.whatsapp.net      a user of the gatekeeper
//     1-10853634039893@interop       account 10853634039893 of integrator 1
//     1-10853634039893:2@interop     its device 2
//     123-456@g.us                   a group
//     42@msgr                        a user of Messenger
//
//   - [URI]: a mimi:// URI of draft-ietf-mimi-protocol-06, Example protocol flow
//     (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/),
//
//     mimi://a.example               a provider
//     mimi://a.example/u/alice       a user
//     mimi://a.example/d/ClientA1    a client
//     mimi://a.example/r/clubhouse   a room
//     mimi://a.example/g/clubhouse   an MLS group
//
//   - [Visible]: what one user types to find another, such as a phone number.
//
// Each Parse function is the inverse of String: Parse(x.String()) == x for every
// x that a parser or constructor returned. The types are comparable and serve as
// map keys, since a value holds the canonical form only. Inputs are bounded in
// length, and every error is an [*Error].
//
// The package does not look names up, does not decide who owns one, and does not
// normalise Unicode.
package ident

import "fmt"

// Error says what is wrong with an identifier and where.
type Error struct {
	What   string // what was parsed: "address", "mimi URI", ...
	Input  string // the input, whole
	Offset int    // the byte of Input at which it went wrong, 0 to len(Input)
	Want   string // what was expected there
}

// maxQuoted is how many bytes of a hostile input an error message repeats.
const maxQuoted = 64

// Error implements error.
func (e *Error) Error() string {
	in, more := e.Input, ""
	if len(in) > maxQuoted {
		in, more = in[:maxQuoted], "..."
	}
	return fmt.Sprintf("ident: %s %q%s: at byte %d: expected %s", e.What, in, more, e.Offset, e.Want)
}

// isDigit reports whether c is an ASCII digit.
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isAlpha reports whether c is an ASCII letter.
func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// digits returns the length of the run of ASCII digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// uint16Text reads a decimal of 1 to 65535 that has no leading zero, which is
// the only form that String writes.
func uint16Text(s string) (uint16, bool) {
	if len(s) == 0 || len(s) > 5 || s[0] == '0' || digits(s) != len(s) {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		n = n*10 + int(s[i]-'0')
	}
	return uint16(n), n <= 0xffff
}
