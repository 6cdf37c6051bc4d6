package check

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
)

// pushes sends pushes that are right, and pushes that anybody could send.
func (r *run) pushes(ctx context.Context) {
	r.mu.Lock()
	user := r.seen.visible
	r.mu.Unlock()
	body, err := json.Marshal(serve.PushRequest{To: user})
	if err != nil {
		r.unseen(err.Error(), "messaging.push")
		return
	}
	now := time.Now()
	right := token.Claims{Issuer: serve.PushIssuer, Audience: []string{r.cfg.Base}, IssuedAt: now, Expires: now.Add(serve.PushLifetime)}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		r.unseen(err.Error(), "messaging.push-key")
		return
	}
	forger, err := token.NewSigner("checker-1", private) // whose kid is the gatekeeper's
	if err != nil {
		r.unseen(err.Error(), "messaging.push-key")
		return
	}
	post := func(protocol string, s *token.Signer, set func(*token.Claims)) (int, []byte, error) {
		c := right
		if set != nil {
			set(&c)
		}
		bearer := ""
		if s != nil {
			if bearer, err = s.Sign(c); err != nil {
				return 0, nil, err
			}
		}
		return r.request(ctx, protocol, http.MethodPost, serve.PushPath, body, func(h http.Header) {
			h.Set("Content-Type", "application/json")
			if bearer != "" {
				h.Set("Authorization", "Bearer "+bearer)
			}
		})
	}
	for _, v := range []struct{ id, protocol string }{{"messaging.push", http2}, {"messaging.push-http1", http1}} {
		status, answer, err := post(v.protocol, r.own, nil)
		switch {
		case err != nil:
			r.fail(v.id, "%v", err)
		case status != http.StatusOK || len(answer) > 0:
			r.fail(v.id, "status %d and %d bytes, want an empty 200", status, len(answer))
		default:
			r.pass(v.id, "an empty 200")
		}
	}
	for _, f := range []struct {
		id     string
		signer *token.Signer
		set    func(*token.Claims)
	}{
		{"messaging.push-none", nil, nil},
		{"messaging.push-key", forger, nil},
		{"messaging.push-issuer", r.own, func(c *token.Claims) { c.Issuer = "SOMEBODY" }},
		{"messaging.push-audience", r.own, func(c *token.Claims) { c.Audience = []string{"https://another-partner.invalid"} }},
		{"messaging.push-expired", r.own, func(c *token.Claims) {
			c.IssuedAt, c.Expires = now.Add(-3*time.Hour), now.Add(-2*time.Hour)
		}},
	} {
		status, _, err := post(http2, f.signer, f.set)
		if err != nil { // a server of HTTP/1.1 alone
			status, _, err = post(http1, f.signer, f.set)
		}
		switch {
		case err != nil:
			r.fail(f.id, "%v", err)
		case status != http.StatusUnauthorized && status != http.StatusForbidden:
			r.fail(f.id, "status %d", status)
		default:
			r.pass(f.id, "status %d", status)
		}
	}
}
