package check

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// peer is a provider that the checker plays, with one user, who has a device.
type peer struct {
	r        *run
	domain   string
	cert     tls.Certificate
	user     ident.URI
	hubID    *mls.Identity
	franking suite.KeyPair
	http     *http.Client
	server   *http.Server
	slots    chan struct{} // one for each request that is being answered
	served   []servedTemplate
	document []byte

	changed chan struct{} // holds a token if something came since it was looked at

	mu       sync.Mutex // guards what follows
	follower *follower.Follower
	hub      *hub.Hub
	member   *member.Member
	requests []follower.Request // of own clients, to be made by pump
	sends    []hub.Send         // of the own hub
	wake     time.Time          // of the member
	events   []member.Event
	inbox    []notified
	size     int // of the bodies in inbox
	claims   []claimed
	denied   error // why the last request to keyMaterial was refused
	consents []*mimi.ConsentEntry
	updates  []*mimi.UpdateRequest // that the device has made
	probed   int                   // requests that an asset server would get
	// answer says how a request to notify is answered, with what Retry-After; nil
	// takes it.
	answer func(n *notified) (status, after int)
	broken error // of a machine
}

type servedTemplate struct {
	endpoint *mimi.Endpoint
	template *mimi.Template
}

// newPeer makes a peer of the configuration, with a device that has KeyPackages, or none.
func newPeer(r *run, cfg *Peer, keys int) (*peer, error) {
	p := &peer{
		r: r, domain: cfg.Domain, cert: cfg.Certificate, changed: make(chan struct{}, 1), slots: make(chan struct{}, maxRequests),
		http: r.client(&cfg.Certificate),
	}
	var err error
	if p.user, err = ident.NewURI(ident.KindUser, p.domain, r.cfg.Name); err != nil {
		return nil, err
	}
	if err := p.newMachines(keys); err != nil {
		return nil, err
	}
	d, err := mimi.NewDirectory(cfg.Base)
	if err != nil {
		return nil, err
	}
	if p.document, err = json.Marshal(d); err != nil {
		return nil, err
	}
	for i := range mimi.Endpoints {
		e := &mimi.Endpoints[i]
		t, err := d.Template(e.Name)
		if err != nil {
			return nil, err
		}
		p.served = append(p.served, servedTemplate{e, t})
	}
	p.server = &http.Server{
		Handler: p, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 32 << 10,
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cfg.Certificate},
			ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: r.cfg.Roots,
		},
		ErrorLog: discard,
	}
	go func() { _ = p.server.ServeTLS(cfg.Listener, "", "") }()
	return p, nil
}

func (p *peer) close() {
	_ = p.server.Close()
	p.http.CloseIdleConnections()
}

// signal says that something came.
func (p *peer) signal() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// until waits until ok holds, which is called with the lock held, and reports whether it
// does. What the device has to ask meanwhile is asked.
func (p *peer) until(ctx context.Context, ok func() bool) bool {
	return p.untilIn(ctx, p.r.cfg.Timeout, ok)
}

func (p *peer) untilIn(ctx context.Context, most time.Duration, ok func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		p.pump(ctx)
		p.mu.Lock()
		done := ok()
		p.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-p.changed:
		case <-time.After(200 * time.Millisecond): // for what the device waits for
		case <-ctx.Done():
			return false
		}
	}
}

// event returns the last event of a type that the device has had. The caller holds the
// lock.
func event[E member.Event](p *peer, is func(E) bool) (e E, ok bool) {
	for _, x := range p.events {
		if y, same := x.(E); same && (is == nil || is(y)) {
			e, ok = y, true
		}
	}
	return e, ok
}

// client returns an HTTP client for the checked provider, with a certificate or none.
func (r *run) client(cert *tls.Certificate) *http.Client {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: r.cfg.Domain, RootCAs: r.cfg.Roots}
	if cert != nil {
		// Whatever authorities the provider names: that it refuses is to be seen.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			r.asked.Store(true)
			return cert, nil
		}
	}
	dial := r.cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: r.cfg.Timeout}).DialContext
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: cfg, ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: 32 << 10,
			TLSHandshakeTimeout: r.cfg.Timeout, IdleConnTimeout: 90 * time.Second, MaxConnsPerHost: 8,
		},
	}
}
