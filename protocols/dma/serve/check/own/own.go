// Package own is this project's implementation of a partner, its server and the device of
// one user, who does what a check of package check asks for: as WhatsApp's Reference Offer
// 1.0.3 has it, with tokens by RFC 7519. Tests break it in one place, to see that the check finds it.
package own

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/check"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// quiet is where the server logs what clients do to it.
var quiet = log.New(io.Discard, "", 0)

// User is the user-visible identifier of the user.
const User = "bob@partner.example"

// Config says where everything is, and what is done in another way than it should.
type Config struct {
	Certificate tls.Certificate // of the server, for 127.0.0.1
	Roots       *x509.CertPool  // who has signed it and the gatekeeper's
	Adapter     protocols.Adapter
	Suite       suite.Suite

	// Gatekeeper is who checks; its listeners are there.
	Gatekeeper check.Gatekeeper
	// Faults are for tests; the zero value has none.
	Faults Faults
}

// Faults change what is right. Those that are nil change nothing.
type Faults struct {
	Server   func(*partner.Config)
	TLS      func(*tls.Config)
	Wrap     func(http.Handler) http.Handler
	Token    func(good string) string
	Enlist   func(*serve.EnlistConfig)
	Enlisted func(context.Context, serve.EnlistConfig) error // before the right form
	Device   func(*serve.DeviceConfig)
	// Refuses are steps that the user does not take.
	Refuses map[check.Step]bool
	// NoFetch has the device not fetch media.
	NoFetch bool
	// Instead takes a step in another way. It reports whether it does.
	Instead func(ctx context.Context, d *serve.Device, a check.Ask) bool
}

// Partner is a partner that runs.
type Partner struct {
	cfg    Config
	base   string
	server *partner.Server
	http   *http.Server
	ctx    context.Context
	stop   context.CancelFunc
	runs   sync.WaitGroup
	blobs  *blob.Store // of media that the user sends
	dir    string      // where they are
	asks   chan check.Ask

	// Of the goroutine that takes steps.
	credential string
	store      store.Store
	device     *serve.Device
	off        func() // ends the device's connection; nil without one

	mu   sync.Mutex        // guards what follows
	read []*serve.Received // what has come, and was not read by the user
}

// Start runs a partner, whose server is at the URL that Base returns.
func Start(ctx context.Context, cfg Config) (*Partner, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("own: %w", err)
	}
	p := &Partner{cfg: cfg, base: "https://" + l.Addr().String(), asks: make(chan check.Ask, 64)}
	p.ctx, p.stop = context.WithCancel(ctx)
	// A gatekeeper's keys are at its enlistment server (assumed).
	keys, err := jwks.New(jwks.Config{
		Base: "https://" + cfg.Gatekeeper.HTTPS.Addr().String(), Roots: cfg.Gatekeeper.Roots, Private: true, Again: time.Millisecond,
		Policy: token.Policy{Issuer: serve.PushIssuer, Audience: p.base},
	})
	if err != nil {
		p.stop()
		return nil, errors.Join(err, l.Close())
	}
	media, err := p.hostMedia()
	if err != nil {
		p.stop()
		return nil, errors.Join(err, l.Close())
	}
	server := partner.Config{Issuer: p.base, Audience: cfg.Gatekeeper.Audience, Gatekeeper: keys, Media: media}
	if cfg.Faults.Server != nil {
		cfg.Faults.Server(&server)
	}
	if p.server, err = partner.New(ctx, server); err != nil {
		p.stop()
		return nil, errors.Join(err, l.Close())
	}
	if p.credential, err = p.server.Join(ctx, User); err != nil {
		p.stop()
		return nil, errors.Join(err, l.Close(), p.server.Close())
	}
	h, conf := p.server.Handler(), &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cfg.Certificate}, NextProtos: []string{"h2", "http/1.1"}}
	if cfg.Faults.Wrap != nil {
		h = cfg.Faults.Wrap(h)
	}
	p.http = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet, TLSConfig: conf}
	if cfg.Faults.TLS != nil {
		cfg.Faults.TLS(conf)
		p.http.Protocols = new(http.Protocols)
		for _, name := range conf.NextProtos {
			p.http.Protocols.SetHTTP1(p.http.Protocols.HTTP1() || name == "http/1.1")
			p.http.Protocols.SetHTTP2(p.http.Protocols.HTTP2() || name == "h2")
		}
	}
	p.runs.Go(func() { _ = p.http.ServeTLS(l, "", "") })
	p.runs.Go(p.takeSteps)
	return p, nil
}

// hostMedia makes the host of what the user sends.
func (p *Partner) hostMedia() (http.Handler, error) {
	var err error
	if p.dir, err = os.MkdirTemp("", "mimi-lab-own-"); err != nil {
		return nil, fmt.Errorf("own: %w", err)
	}
	if p.blobs, err = blob.Open(blob.Config{Dir: p.dir}); err != nil {
		return nil, err
	}
	return serve.NewPartnerMedia(serve.PartnerMediaConfig{Store: p.blobs, User: func(r *http.Request) (string, error) { return p.server.User(r) }})
}

// Base returns the URL of the server.
func (p *Partner) Base() string { return p.base }

// Ask is for check.Config.Ask.
func (p *Partner) Ask(a check.Ask) {
	select {
	case p.asks <- a:
	default:
	}
}

// Close stops the partner.
func (p *Partner) Close() error {
	p.stop()
	_ = p.http.Close()
	p.runs.Wait()
	return errors.Join(p.server.Close(), p.blobs.Close(), os.RemoveAll(p.dir))
}

// takeSteps has the user do what is asked, one after the other.
func (p *Partner) takeSteps() {
	defer p.leave()
	for {
		select {
		case <-p.ctx.Done():
			return
		case a := <-p.asks:
			if !p.cfg.Faults.Refuses[a.Step] {
				_ = p.take(a) // the check sees what does not come
			}
		}
	}
}

// take takes a step.
func (p *Partner) take(a check.Ask) error {
	switch a.Step {
	case check.Enlist, check.Again:
		return p.enlist()
	case check.Leave:
		return p.leave()
	case check.Return:
		return p.connect()
	}
	if p.device == nil {
		return serve.ErrNoAccount
	}
	if f := p.cfg.Faults.Instead; f != nil && f(p.ctx, p.device, a) {
		return nil
	}
	to := ident.Address{User: a.Number, Server: ident.User}
	var in dma.Input
	switch a.Step {
	case check.Send:
		in = dma.Compose{To: to, Content: dma.Content{Kind: dma.Text, Text: "Hello across"}}
	case check.Read:
		in = dma.MarkRead{Peer: to, IDs: p.unread()}
	case check.React:
		in = dma.Compose{To: to, Content: dma.Content{Kind: dma.Reaction, Text: "👍", Target: a.Message}}
	case check.Revoke:
		in = dma.Compose{To: to, Content: dma.Content{Kind: dma.Reaction, Target: a.Message}}
	case check.Reply:
		in = dma.Compose{To: to, Content: dma.Content{Kind: dma.Text, Text: "Much.", ReplyTo: a.Message}}
	case check.Photo:
		_, err := p.device.SendMedia(p.ctx, to, serve.Medium{Kind: dma.Image, MIME: "image/png"}, strings.NewReader("a photo"), nil)
		return err
	case check.Type:
		in = dma.Typing{To: to}
	case check.Ping:
		in = dma.AskPing{To: to}
	case check.Block:
		in = dma.Block{User: to, On: true}
	case check.Unblock:
		in = dma.Block{User: to}
	case check.Delete:
		in = dma.Delete{}
	}
	_, err := p.device.Do(p.ctx, in)
	return err
}

// unread returns the IDs of what the user has not read.
func (p *Partner) unread() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.read {
		ids = append(ids, m.ID)
	}
	p.read = nil
	return ids
}

// token returns a token of the server's.
func (p *Partner) token(ctx context.Context) (string, error) {
	c := &partner.Client{Base: p.base, Roots: p.cfg.Roots, User: User, Credential: p.credential}
	t, err := c.Token(ctx)
	if err != nil { // a server that speaks nothing that this client does
		t, err = p.server.Token(User)
	}
	if err == nil && p.cfg.Faults.Token != nil {
		t = p.cfg.Faults.Token(t)
	}
	return t, err
}

// enlist makes a device, and connects it.
func (p *Partner) enlist() error {
	if err := p.leave(); err != nil {
		return err
	}
	t, err := p.token(p.ctx)
	if err != nil {
		return err
	}
	p.store = store.NewMemory()
	cfg := serve.EnlistConfig{
		Base: "https://" + p.cfg.Gatekeeper.HTTPS.Addr().String(), Roots: p.cfg.Gatekeeper.Roots, Store: p.store,
		Adapter: p.cfg.Adapter, Suite: p.cfg.Suite, Identifier: User, Token: t,
	}
	if f := p.cfg.Faults.Enlisted; f != nil {
		if err := f(p.ctx, cfg); err != nil {
			return err
		}
	}
	if p.cfg.Faults.Enlist != nil {
		p.cfg.Faults.Enlist(&cfg)
	}
	if _, err := serve.Enlist(p.ctx, cfg); err != nil {
		return err
	}
	return p.connect()
}

// connect has the device run until leave.
func (p *Partner) connect() error {
	if p.store == nil || p.off != nil {
		return nil
	}
	cfg := serve.DeviceConfig{
		Store: p.store, Adapter: p.cfg.Adapter, Suite: p.cfg.Suite, Address: p.cfg.Gatekeeper.Chat.Addr().String(), Dialect: p.cfg.Gatekeeper.Dialect,
		Trust: noise.Trust{Pin: p.cfg.Gatekeeper.Static.Public}, Token: p.token, KeepAlive: time.Second, Again: 10 * time.Millisecond, AgainMost: time.Second,
		Media: serve.DeviceMedia{Roots: p.cfg.Gatekeeper.Roots, Host: p.hosted, Tries: 1},
	}
	if p.cfg.Faults.Device != nil {
		p.cfg.Faults.Device(&cfg)
	}
	d, err := serve.NewDevice(p.ctx, cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(p.ctx)
	var runs sync.WaitGroup
	runs.Go(func() { _ = d.Run(ctx) })
	runs.Go(func() { p.receive(ctx, d) })
	p.device = d
	p.off = func() {
		cancel()
		runs.Wait()
		_ = d.Close()
	}
	return nil
}

// hosted takes a ciphertext to the partner's own host.
func (p *Partner) hosted(ctx context.Context, body io.Reader, size int64) (string, error) {
	user := &partner.Client{User: User, Credential: p.credential}
	c := &serve.PartnerMediaClient{Base: p.base + partner.MediaPath, Roots: p.cfg.Roots, Authorize: user.Authorize}
	return c.Put(ctx, body, size)
}

// leave ends the device's connection.
func (p *Partner) leave() error {
	if p.off != nil {
		p.off()
		p.off = nil
	}
	return nil
}

// receive takes what comes.
func (p *Partner) receive(ctx context.Context, d *serve.Device) {
	for {
		m, err := d.Receive(ctx)
		if err != nil {
			return
		}
		if m.Content.Kind.Media() && !p.cfg.Faults.NoFetch {
			_ = d.SaveMedia(ctx, &m.Content, io.Discard, nil) // the check sees that it is fetched
		}
		p.mu.Lock()
		p.read = append(p.read, m)
		p.mu.Unlock()
		if d.Taken(ctx, m) != nil {
			return
		}
	}
}

// Has fills in what a check of the partner needs.
func (p *Partner) Has(cfg *check.Config) {
	cfg.Base, cfg.Roots, cfg.Ask = p.base, p.cfg.Roots, p.Ask
	cfg.Wait = cmp.Or(cfg.Wait, 10*time.Second)
}
