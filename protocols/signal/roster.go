package signal

import (
	"errors"
	"fmt"
)

// MaxAddressSize bounds the address of a group's member in bytes.
const MaxAddressSize = 255

// ChangeTo returns what makes the members of a group, among them self if it is in the
// group, those that a server names.
func ChangeTo[A ~string](self A, now, named []A) (*GroupChange, error) {
	in := make(map[A]bool, len(named))
	for _, a := range named {
		if a == "" || len(a) > MaxAddressSize || in[a] {
			return nil, fmt.Errorf("%w: member %q", errMembers, a)
		}
		in[a] = true
	}
	var c GroupChange
	had := make(map[A]bool, len(now))
	for _, a := range now {
		had[a] = true
		if !in[a] {
			c.Remove = append(c.Remove, string(a))
		}
	}
	for _, a := range named {
		if a != self && !had[a] {
			c.Add = append(c.Add, string(a))
		}
	}
	return &c, nil
}

var errMembers = errors.New("impossible list of members")
