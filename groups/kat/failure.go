package kat

import (
	"errors"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// kinds are the kinds of failure that a case may expect, the first that fits. A case
// names the kind, since an implementation that refuses it for another reason has not
// done what the case asks.
var kinds = []struct {
	name  string
	about string
	err   error
}{
	{"truncated", "the bytes end before the struct does", wire.ErrTruncated},
	{"trailing", "there are bytes behind the struct", wire.ErrTrailing},
	{"length", "the length of a vector is not in its shortest form", wire.ErrNotMinimal},
	{"optional", "a presence octet is neither 0 nor 1", wire.ErrOptional},
	{"no-such-index", "an index points behind the end of its list", room.ErrIndex},
	{"changed-twice", "one Commit changes the same participant or join link more than once", room.ErrSameUser},
	{"present", "a user is added who is in the list", room.ErrPresent},
	{"not-a-user", "a user is added by a URI that is not the canonical one of a user", room.ErrUser},
	{"replaced-twice", "one Commit replaces the same component more than once", room.ErrUpdates},
	{"component", "the component takes no such change", room.ErrComponent},
	{"incoherent", "components contradict each other", room.ErrIncoherent},
	{"not-allowed", "the bytes are well-formed and say what the draft forbids", room.ErrInvalid},
}

// Kinds of failure that have types in place of values.
const (
	kindEnum    = "enum"    // a *mimi.CodeError
	kindRule    = "rule"    // a *mimi.RuleError
	kindContent = "content" // another
)

// kindOf returns the kind of an error, "" of nil.
func kindOf(err error) string {
	if err == nil {
		return ""
	}
	var code *mimi.CodeError
	var protocol *mimi.ProtocolError
	var rule *mimi.RuleError
	switch {
	case errors.As(err, &code), errors.As(err, &protocol):
		return kindEnum
	case errors.As(err, &rule):
		return kindRule
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.name
		}
	}
	return kindContent
}

// failed compares an error with the kind that the case expects, and reports whether
// there is a value to go on with.
func (c *checker) failed(err error, want string) bool {
	if got := kindOf(err); got != want {
		c.fail("failure", "got %q (%v), the case has %q", got, err, want)
		return false
	}
	return err == nil
}
