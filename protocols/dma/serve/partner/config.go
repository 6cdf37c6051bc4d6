package partner

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// Where a partner is asked, below its base URL, beside token.WellKnown and serve.PushPath.
const (
	// MediaPath is where the ciphertext of its users' media is: it is the {3p_base_url}
	// below which the gatekeeper GETs {storage_ref} (Reference Offer, media). The name is
	// assumed.
	MediaPath = "/media"
	// TokenPath is where its users' devices get tokens, and JoinPath where users join.
	// Both are assumed.
	TokenPath = "/lab/token"
	JoinPath  = "/lab/join"
)

// Gatekeeper verifies the bearer tokens of pushes. A jwks.Source is one.
type Gatekeeper interface {
	// VerifyBearer returns what the token says, or an error: that of
	// token.Policy.VerifyBearer, or jwks.ErrUnavailable if nobody knows.
	VerifyBearer(ctx context.Context, t string) (*token.Claims, error)
}

// Config is what a partner's server is. It is not modified.
type Config struct {
	// Issuer is what its tokens say in iss, and Audience, the gatekeeper, in aud.
	Issuer, Audience string
	// Store is where its users and keys are, by a URL of store/byurl; "" means "memory:".
	// Opened, if not nil, is used in its place, and left open.
	Store  string
	Opened store.Store
	// Certificate is that of the server.
	Certificate tls.Certificate
	// Gatekeeper verifies who pushes; nil refuses all pushes.
	Gatekeeper Gatekeeper
	// Media hosts what users send, below [MediaPath], which it does not see; nil hosts
	// none.
	Media http.Handler
	// Invitation opens [JoinPath] to whoever has it; "" opens it to nobody.
	Invitation string

	// Lifetime is that of tokens; default 1 h. RotateEvery is the age at which another key
	// takes the place of the one that signs; default 30 days. The other one is published
	// Ahead of that, default 1 h, so that gatekeepers have it when it signs. All assumed.
	Lifetime, RotateEvery, Ahead time.Duration
	// Requests is how many tokens are made, users join and pushes are verified at once;
	// default 64. Assumed.
	Requests int

	// Woken, if not nil, is called with a user for whom something waits at the gatekeeper.
	// It must not block.
	Woken func(user string)
	// Logger is told what happens, without tokens, credentials or secrets; nil discards it.
	Logger *slog.Logger
}

// complete returns the configuration with its defaults.
func (c Config) complete() (Config, error) {
	c.Store = cmp.Or(c.Store, "memory:")
	c.Lifetime = cmp.Or(c.Lifetime, time.Hour)
	c.RotateEvery = cmp.Or(c.RotateEvery, 30*24*time.Hour)
	c.Ahead = cmp.Or(c.Ahead, time.Hour)
	c.Requests = cmp.Or(c.Requests, 64)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Issuer == "" || c.Audience == "":
		return c, errors.New("partner: config: issuer or audience is missing")
	case min(c.Lifetime, c.RotateEvery, c.Ahead) < 0 || c.Requests < 0:
		return c, errors.New("partner: config: a limit is negative")
	case c.RotateEvery <= c.Ahead:
		return c, fmt.Errorf("partner: config: keys change every %v, want more than the %v that they are published ahead", c.RotateEvery, c.Ahead)
	}
	return c, nil
}
