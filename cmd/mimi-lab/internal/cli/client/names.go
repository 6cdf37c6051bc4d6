package client

import (
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// main is the device of a user who names none.
const main = "main"

// ParseClient reads a client: alice@a.example, alice@a.example/phone or its URI.
func ParseClient(s string) (ident.URI, error) {
	const hint = "It is a user and a provider, such as alice@a.example, one device of several, such as alice@a.example/phone, or a URI, such as mimi://a.example/d/alice/phone."
	if s == "" {
		return ident.URI{}, exit.Usagef(hint, "--as is missing: who does it?")
	}
	if u, err := ident.ParseURI(s); err == nil {
		if u.Kind() == ident.KindClient && len(u.Segments()) == 2 {
			return u, nil
		}
		return ident.URI{}, exit.Usagef(hint, "--as %q: that is a %v", s, u.Kind())
	}
	name, rest, ok := strings.Cut(s, "@")
	domain, device, named := strings.Cut(rest, "/")
	if !named {
		device = main
	}
	u, err := ident.NewURI(ident.KindClient, domain, name, device)
	if !ok || err != nil {
		return ident.URI{}, exit.Usagef(hint, "--as %q: no such name", s)
	}
	return u, nil
}

// ParseUser reads a user: bob@b.example or its URI.
func ParseUser(s string) (ident.URI, error) {
	return parse(s, ident.KindUser, "bob@b.example")
}

// parse reads a name at a provider, or a URI of the kind.
func parse(s string, kind ident.Kind, example string) (ident.URI, error) {
	u, err := ident.ParseURI(s)
	if err != nil {
		name, domain, ok := strings.Cut(s, "@")
		if u, err = ident.NewURI(kind, domain, name); !ok {
			u = ident.URI{}
		}
	}
	if err != nil || u.Kind() != kind {
		uri, _ := parse(example, kind, "")
		return ident.URI{}, exit.Usagef("It is such as "+example+" or "+uri.String()+".", "%q names no %v", s, kind)
	}
	return u, nil
}

// Short writes a user or room as name@provider, a client as name@provider/device.
func Short(u ident.URI) string {
	s := u.Segments()
	switch {
	case len(s) == 0:
		return u.Provider()
	case u.Kind() == ident.KindClient && len(s) == 2:
		return s[0] + "@" + u.Provider() + "/" + s[1]
	case u.Kind() == ident.KindUser, u.Kind() == ident.KindRoom:
		return s[0] + "@" + u.Provider()
	}
	return u.String()
}

// ShortName is Short of a URI as text, which may be any.
func ShortName(s string) string {
	if u, err := ident.ParseURI(s); err == nil {
		return Short(u)
	}
	return s
}
