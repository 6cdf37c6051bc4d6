package mimi

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Client returns the client and the user that a basic credential names. The drafts
// say that the sender's identity in its credential matches a user URI
// (draft-ietf-mimi-protocol-06, Receiver verification of frank) and that clients
// have URIs of their own, and not how one follows from the other. Here the identity
// is the client's URI in the form that has its user,
//
//	mimi://a.example/d/alice/ClientA1   of   mimi://a.example/u/alice
//
// (draft-mahy-mimi-identity-05, Types of MIMI URI identifiers; deviation 48).
func Client(c *message.Credential) (client, user ident.URI, err error) {
	if c.Type != message.CredentialBasic {
		return ident.URI{}, ident.URI{}, fmt.Errorf("mimi: credential of type %d, want basic (1) with a client's URI", c.Type)
	}
	client, err = ident.ParseURI(string(c.Identity))
	if err != nil {
		return ident.URI{}, ident.URI{}, fmt.Errorf("mimi: credential: %w", err)
	}
	user, err = UserOf(client)
	return client, user, err
}

// UserOf returns the user of a client's URI of two segments.
func UserOf(client ident.URI) (ident.URI, error) {
	s := client.Segments()
	if client.Kind() != ident.KindClient || len(s) != 2 {
		return ident.URI{}, fmt.Errorf("mimi: %v is no URI of a client with its user, such as mimi://a.example/d/alice/ClientA1", client)
	}
	return ident.NewURI(ident.KindUser, client.Provider(), s[0])
}
