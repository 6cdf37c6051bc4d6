package serve

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/egress"
)

// PushPath is where a partner takes pushes, below its base URL (Reference Offer).
const PushPath = "/push"

// PushIssuer is what the tokens of pushes say in iss (Reference Offer).
const PushIssuer = "WHATSAPP"

// PushLifetime is that of these tokens, as in the Reference Offer's sample.
const PushLifetime = time.Hour

// PushRequest is the body of a push: POST {base}/push with {"to": user-visible id} and
// Authorization: Bearer, a token for the base URL. The answer is an empty 200.
type PushRequest struct {
	To string `json:"to"`
}

// Pushes says how a partner is told that something waits for its users.
type Pushes struct {
	Base  string         // the partner's URL, https alone
	Roots *x509.CertPool // who signs its certificate; nil means the system's
	// Private lets the URL lead to addresses that are not public, for one machine.
	Private bool
	// Dial makes connections in place of the network; nil means TCP. Private is not looked
	// at then.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout of a request, default 10 s. One that fails is made again after Again, default
	// 1 s, which doubles, Tries times in all, default 6; then it is lost, which is harmless:
	// the next message makes another. Assumed.
	Timeout, Again time.Duration
	Tries          int
}

// Bounds of the pushes of one partner.
const (
	maxPushes   = 4096 // users that wait for theirs
	pushWorkers = 4    // under way at once
)

// pusher sends the pushes of one partner, one for each user however many are due.
type pusher struct {
	cfg    Pushes
	url    string
	signer *token.Signer
	http   *http.Client
	g      *Gatekeeper
	queue  chan string

	mu      sync.Mutex // guards waiting
	waiting map[string]bool
}

func (g *Gatekeeper) newPusher(cfg Pushes) (*pusher, error) {
	if !httpsBase(cfg.Base) {
		return nil, errors.New("serve: config: pushes: base is no https://HOST with a path at most")
	}
	cfg.Timeout, cfg.Again, cfg.Tries = cmp.Or(cfg.Timeout, 10*time.Second), cmp.Or(cfg.Again, time.Second), cmp.Or(cfg.Tries, 6)
	if cfg.Dial == nil {
		d := &net.Dialer{Timeout: cfg.Timeout}
		if !cfg.Private {
			d.Control = egress.PublicOnly
		}
		cfg.Dial = d.DialContext
	}
	p := &pusher{
		cfg: cfg, url: strings.TrimSuffix(cfg.Base, "/") + PushPath, signer: g.cfg.Signer, g: g,
		queue: make(chan string, maxPushes), waiting: map[string]bool{},
	}
	p.http = &http.Client{Timeout: cfg.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{
		DialContext: cfg.Dial, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: cfg.Roots},
		ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: 32 << 10, MaxIdleConnsPerHost: pushWorkers, IdleConnTimeout: time.Minute,
	}}
	for range pushWorkers {
		g.running.Go(func() { p.run(g.ctx) })
	}
	return p, nil
}

// push queues what is due. It does not block: a partner that is down holds up nobody.
func (g *Gatekeeper) push(due []dma.Push) {
	g.stats.pushes.Add(uint64(len(due)))
	for _, d := range due {
		if p := g.pushers[d.Integrator]; p != nil {
			p.add(d.To)
		}
	}
}

func (p *pusher) add(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting[to] {
		return
	}
	select {
	case p.queue <- to:
		p.waiting[to] = true
	default: // more users than are kept: they find their messages when they connect
	}
}

func (p *pusher) run(ctx context.Context) {
	defer p.http.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return
		case to := <-p.queue:
			p.mu.Lock()
			delete(p.waiting, to) // what comes from now on is news
			p.mu.Unlock()
			p.send(ctx, to)
		}
	}
}

// send makes a push until the partner has it.
func (p *pusher) send(ctx context.Context, to string) {
	wait := p.cfg.Again
	for try := 1; ; try++ {
		err := p.post(ctx, to)
		if err == nil {
			p.g.stats.pushed.Add(1)
			return
		}
		p.g.log.Info("push failed", "url", p.url, "try", try, "error", err)
		if try == p.cfg.Tries {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait *= 2
	}
}

func (p *pusher) post(ctx context.Context, to string) error {
	now := time.Now()
	bearer, err := p.signer.Sign(token.Claims{Issuer: PushIssuer, Audience: []string{p.cfg.Base}, IssuedAt: now, Expires: now.Add(PushLifetime)})
	if err != nil {
		return err
	}
	body, err := json.Marshal(PushRequest{to})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 1<<10) // so that the connection serves again
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d, want 200", resp.StatusCode)
	}
	return nil
}
