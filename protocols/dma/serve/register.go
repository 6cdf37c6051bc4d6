package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// newHTTP returns the enlistment server.
func (g *Gatekeeper) newHTTP() (*http.Server, error) {
	mux := http.NewServeMux()
	if g.cfg.Signer != nil {
		keys, err := token.Document(g.cfg.Signer)
		if err != nil {
			return nil, err
		}
		mux.HandleFunc("GET "+token.WellKnown, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(keys)
		})
	}
	mux.HandleFunc("POST "+enlist.Path, func(w http.ResponseWriter, r *http.Request) { g.form(w, r, g.enlist) })
	if g.cfg.Own != nil {
		mux.HandleFunc("POST "+RegisterPath, func(w http.ResponseWriter, r *http.Request) { g.form(w, r, g.register) })
	}
	if g.media != nil {
		g.media.routes(mux)
	}
	return &http.Server{
		Handler: mux, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{g.cfg.Certificate}},
		ReadHeaderTimeout: min(10*time.Second, g.cfg.Limits.RequestTimeout), ReadTimeout: g.cfg.Limits.RequestTimeout, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}, nil
}

// ServeHTTPS takes enlistments of l, over TLS, until the gatekeeper stops, and returns why.
func (g *Gatekeeper) ServeHTTPS(l net.Listener) error {
	err := g.http.ServeTLS(&gated{l, g, make(chan struct{}, g.cfg.Limits.Requests)}, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		<-g.ctx.Done() // while requests are answered
		return g.Err()
	}
	return err
}

// taker makes an account of a form.
type taker func(context.Context, *enlist.Form) (ident.Address, error)

// form answers a form. Whatever comes of it, the status code is 200 (Reference Offer),
// unless it is no form.
func (g *Gatekeeper) form(w http.ResponseWriter, r *http.Request, take taker) {
	if typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || typ != enlist.ContentType {
		http.Error(w, "want "+enlist.ContentType, http.StatusUnsupportedMediaType)
		return
	}
	login, err := g.answer(w, r, take)
	answer := enlist.Answer{Login: login}
	if err != nil {
		answer = enlist.Answer{Reason: reason(err)}
		g.stats.rejected.Add(1)
		g.log.Info("enlistment refused", "peer", r.RemoteAddr, "answer", string(answer.Reason), "reason", why(err))
		g.refusals.add(why(err))
	} else {
		g.stats.enlisted.Add(1)
		g.log.Info("enlisted", g.account(login))
	}
	if err == nil && login.Server != ident.Interop {
		w.WriteHeader(http.StatusNoContent) // a native user knows the address
		return
	}
	body, err := answer.Marshal()
	if err != nil {
		g.log.Error("an answer that can't be written", "error", err)
		http.Error(w, "the gatekeeper failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// answer reads a form and has it taken.
func (g *Gatekeeper) answer(w http.ResponseWriter, r *http.Request, take taker) (login ident.Address, err error) {
	var f *enlist.Form
	defer func() { g.cfg.Watch.enlisted(f, login, err) }()
	if !g.gate.enlist(textAddr(r.RemoteAddr)) {
		return login, enlist.TooMany
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, enlist.MaxForm))
	if err != nil {
		return login, errors.Join(enlist.BadParam, err)
	}
	if f, err = g.cfg.Names.Parse(body); err != nil {
		return login, err
	}
	if !slices.Contains(g.cfg.Versions, f.Version) {
		return login, enlist.BadVersion
	}
	// Only now, as who sends slowly is not to take a place from others.
	select {
	case g.enlistments <- struct{}{}:
		defer func() { <-g.enlistments }()
	default:
		return login, enlist.TooMany
	}
	return take(r.Context(), f)
}

// enlist makes an account for a partner's user.
func (g *Gatekeeper) enlist(ctx context.Context, f *enlist.Form) (login ident.Address, err error) {
	h, err := token.Peek(f.Token)
	if err != nil {
		return login, err
	}
	p := g.cfg.partner(h.Issuer)
	if p == nil {
		return login, enlist.BadIntegrator
	}
	if err := g.check(ctx, p, f.Token, f.Identifier); err != nil {
		return login, err
	}
	if !g.gate.partners.take(p.Integrator, time.Now()) {
		return login, enlist.TooMany
	}
	out, err := g.ask(ctx, dma.Enlist{Integrator: p.Integrator, Visible: f.Identifier, Device: device(f)})
	return out.Account, err
}

// register makes an account for a native user.
func (g *Gatekeeper) register(ctx context.Context, f *enlist.Form) (login ident.Address, err error) {
	if _, err := g.cfg.Own.Verify(ctx, f.Token, f.Identifier); err != nil {
		return login, err
	}
	out, err := g.ask(ctx, dma.Register{User: f.Identifier, Eligible: true, Device: device(f)})
	return out.Account, err
}

// device returns what a form says of the device.
func device(f *enlist.Form) *dma.EnlistedDevice {
	return &dma.EnlistedDevice{AuthKey: f.AuthKey[:], Keys: stanza.Keys{
		Registration: f.RegistrationID, Identity: f.Identity[:],
		Signed: &stanza.SignedKey{ID: f.SignedPreKeyID, Value: f.SignedPreKey[:], Signature: f.Signature[:]},
	}}
}

// reason returns what a client is told of an error.
func reason(err error) enlist.Reason {
	var (
		field  *enlist.Error
		proof  *token.Error
		answer enlist.Reason
	)
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.As(err, &field):
		return field.Reason
	case errors.Is(err, errBusy):
		return enlist.TooMany
	case errors.Is(err, dma.ErrSignature):
		return enlist.BadSignature
	case errors.Is(err, jwks.ErrUnavailable):
		return enlist.Internal
	case errors.Is(err, token.ErrIdentifier):
		return enlist.BadIdentifier
	case errors.As(err, &proof):
		return enlist.BadToken
	case errors.Is(err, stanza.AgreementRevoked):
		return enlist.BadIntegrator
	}
	return enlist.Internal
}
