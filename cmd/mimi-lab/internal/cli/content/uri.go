package content

import (
	"net/url"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// checkSender refuses a sender by whose name nobody could know a message. Pseudonyms
// send messages too (draft-mahy-mimi-identity-05).
func checkSender(uri string) error {
	return checkURI("--sender", uri, "mimi://a.example/u/alice", ident.KindUser, ident.KindPseudonym)
}

func checkRoom(uri string) error {
	return checkURI("--room", uri, "mimi://a.example/r/clubhouse", ident.KindRoom)
}

// checkURI refuses what is no URI, and a MIMI URI that names something else. A
// message ID is computed over the bytes of both URIs, whatever they are, so that a
// slip would show in nothing but an ID that no receiver has. URIs of other schemes
// pass: the draft does not fix the scheme (draft-ietf-mimi-content-09, Message ID).
func checkURI(flag, uri, example string, kinds ...ident.Kind) error {
	u, err := url.Parse(uri)
	ok := err == nil && u.Scheme != "" && (u.Host != "" || u.Opaque != "")
	if ok && strings.EqualFold(u.Scheme, "mimi") {
		m, err := ident.ParseURI(uri)
		ok = err == nil && slices.Contains(kinds, m.Kind())
	}
	if !ok {
		return exit.Usagef("", "%s %q: want a URI such as %s", flag, uri, example)
	}
	return nil
}
