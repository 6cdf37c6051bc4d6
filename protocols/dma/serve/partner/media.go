package partner

import (
	"errors"
	"net/http"
)

// errNobody: a request that does not prove whose it is.
var errNobody = errors.New("partner: not the credential of a user")

// User returns which user makes a request, as [Client.Authorize] proves it. It is what a host
// of media (serve.PartnerMedia) asks.
func (s *Server) User(r *http.Request) (string, error) {
	user, credential, ok := r.BasicAuth()
	if !ok || !s.is(user, credential) {
		s.stats.refused.Add(1)
		return "", errNobody
	}
	return user, nil
}

// Authorize puts into a request to the server what proves whose it is.
func (c *Client) Authorize(r *http.Request) error {
	if c.Credential == "" {
		return errors.New("partner: no credential; join first")
	}
	r.SetBasicAuth(c.User, c.Credential)
	return nil
}
