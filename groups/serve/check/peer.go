package check

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
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

// notified is a request to notify that came.
type notified struct {
	at     time.Time
	room   mimi.IdentifierURI
	body   []byte
	list   []mimi.FanoutMessage
	err    error // if the body can't be read
	status int   // that it was answered with
}

// claimed is a request to keyMaterial that came, and what it was answered.
type claimed struct {
	subject string
	body    []byte
	answer  []byte
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

// newMachines makes the machines, and the user with its device.
func (p *peer) newMachines(keys int) (err error) {
	s := p.r.suite
	groups := &mls.Config{Suite: s, Components: room.DefaultPoints.MLSComponents()}
	p.follower, err = follower.New(&follower.Config{Domain: p.domain, Groups: map[suite.ID]*mls.Config{s.ID(): groups}})
	if err != nil {
		return err
	}
	if p.hubID, err = mls.NewIdentity(s, []byte("mimi://"+p.domain)); err != nil {
		return err
	}
	if p.franking, err = s.GenerateSigner(); err != nil {
		return err
	}
	key, err := mimi.NewHubKey(s)
	if err != nil {
		return err
	}
	p.hub, err = hub.New(hub.Config{
		Domain: p.domain, Groups: &mls.Config{Suite: s}, Identity: p.hubID, Franking: p.franking, FrankKeys: []mimi.HubKey{key},
	})
	if err != nil {
		return err
	}
	client, id, err := p.newClient(p.r.cfg.Name, "member")
	if err != nil {
		return err
	}
	p.member, err = member.New(member.Config{Client: client, Identity: id, Groups: &mls.Config{Suite: s}})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range []follower.Input{follower.AddUser{User: p.user}, follower.AddClient{Client: client}, follower.Connect{Client: client}} {
		p.atFollower(in)
	}
	if keys > 0 {
		p.atMember(member.PublishKeyPackages{N: keys})
	}
	return p.broken
}

// newClient returns the name and the identity of a client of the peer's user.
func (p *peer) newClient(user, device string) (ident.URI, *mls.Identity, error) {
	u, err := ident.NewURI(ident.KindClient, p.domain, user, device)
	if err != nil {
		return u, nil, err
	}
	id, err := mls.NewIdentity(p.r.suite, []byte(u.String()))
	return u, id, err
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

// atFollower steps the follower. The caller holds the lock.
func (p *peer) atFollower(in follower.Input) (follower.Body, error) {
	out, err := p.follower.Step(p.r.now(), in)
	if err != nil {
		return nil, err
	}
	// The slices are the machine's until its next step.
	response := out.Response
	p.requests = append(p.requests, out.Requests...)
	deliveries, replies := slices.Clone(out.Deliveries), slices.Clone(out.Replies)
	for _, d := range deliveries {
		p.atMember(member.Delivered{Room: d.Room, Seq: d.Seq, About: d.About, Body: slices.Clone(d.Body)})
	}
	for _, r := range replies {
		p.atMember(member.Replied{ID: r.ID, Body: r.Body, Err: r.Err})
	}
	return response, nil
}

// atMember steps the device. The caller holds the lock.
func (p *peer) atMember(in member.Input) {
	out, err := p.member.Step(p.r.now(), in)
	if err != nil {
		p.events = append(p.events, member.Failed{What: fmt.Sprintf("%T", in), Why: err})
		return
	}
	p.wake = out.WakeAt
	if len(p.events) < maxInbox {
		p.events = append(p.events, out.Events...)
	}
	var todo []follower.Input
	for _, in := range out.Publish {
		todo = append(todo, in)
	}
	for _, in := range out.Calls {
		todo = append(todo, in)
	}
	for _, in := range out.Acks {
		todo = append(todo, in)
	}
	for _, in := range out.Leaves {
		todo = append(todo, in)
	}
	creations := slices.Clone(out.Creations)
	for _, in := range todo {
		if _, err := p.atFollower(in); err != nil {
			if c, ok := in.(follower.Call); ok {
				p.atMember(member.Replied{ID: c.ID, Err: err})
			} else if p.broken == nil {
				p.broken = fmt.Errorf("check: %T: %w", in, err)
			}
		}
	}
	for _, c := range creations {
		_, err := p.atHub(hub.CreateRoom{Room: c.Room, GroupInfo: c.GroupInfo, RatchetTree: c.RatchetTree})
		if err == nil {
			_, err = p.atFollower(follower.Join{Client: p.member.Client(), Room: c.Room})
		}
		p.atMember(member.RoomCreated{Room: c.Room, Err: err})
	}
}

// atHub steps the own hub. The caller holds the lock. What it has for own clients goes
// there at once, what it has for others waits to be sent.
func (p *peer) atHub(in hub.Input) (hub.Output, error) {
	out, err := p.hub.Step(p.r.now(), in)
	if err != nil {
		return out, err
	}
	sends := slices.Clone(out.Sends)
	for _, s := range sends {
		s.Body = slices.Clone(s.Body)
		if s.To != p.domain {
			p.sends = append(p.sends, s)
			continue
		}
		list, err := mimi.ParseFanoutMessages(s.Body, nil)
		if err == nil {
			_, err = p.atFollower(follower.Notify{From: p.domain, Room: s.Room, Messages: list})
		}
		if err != nil && p.broken == nil {
			p.broken = fmt.Errorf("check: own events: %w", err)
		}
		if _, err := p.atHub(hub.Delivered{Room: s.Room, To: s.To, Last: s.Last}); err != nil && p.broken == nil {
			p.broken = fmt.Errorf("check: own events: %w", err)
		}
	}
	return out, nil
}

// do has the device do something and makes what requests come of it.
func (p *peer) do(ctx context.Context, in member.Input) {
	p.mu.Lock()
	p.atMember(in)
	p.mu.Unlock()
	p.pump(ctx)
}

// pump makes the requests of the device, and those that come of their answers, until
// there are none.
func (p *peer) pump(ctx context.Context) {
	for range maxInbox { // what goes on for longer goes on without end
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		if len(p.requests) == 0 {
			if wake := p.wake; !wake.IsZero() && !p.r.now().Before(wake) {
				p.wake = time.Time{}
				p.atMember(member.Wake{})
			}
		}
		if len(p.requests) == 0 {
			p.mu.Unlock()
			return
		}
		q := p.requests[0]
		p.requests = p.requests[1:]
		p.mu.Unlock()
		body, err := p.make(ctx, &q)
		p.mu.Lock()
		if _, err := p.atFollower(follower.Answer{ID: q.ID, Body: body, Err: err}); err != nil && p.broken == nil {
			p.broken = err
		}
		p.mu.Unlock()
	}
}

// make makes a request of an own client, at the own hub or the checked provider.
func (p *peer) make(ctx context.Context, q *follower.Request) (follower.Body, error) {
	body, err := wire.Marshal(q.Body)
	if err != nil {
		return nil, err
	}
	e, ok := mimi.FindEndpoint(q.Endpoint)
	switch {
	case !ok:
		return nil, fmt.Errorf("no endpoint %s", q.Endpoint)
	case q.To == p.domain:
		return p.makeOwn(ctx, q, body)
	case q.To != p.r.cfg.Domain:
		return nil, &follower.Refusal{Status: http.StatusForbidden, Reason: "the checker asks the checked provider alone"}
	}
	if m, ok := q.Body.(*mimi.UpdateRequest); ok {
		p.mu.Lock()
		p.updates = append(p.updates, m)
		p.mu.Unlock()
	}
	a := p.ask(ctx, q.Endpoint, q.Subject, body)
	if a.err != nil {
		return nil, a.err
	}
	if e.Outcome(a.status) != mimi.OutcomeDone {
		return nil, &follower.Refusal{Status: a.status, Reason: a.String()}
	}
	if e.Response == "" {
		return nil, nil
	}
	m, err := e.ParseResponse(a.body, nil)
	if err != nil {
		return nil, err
	}
	return m.(follower.Body), nil
}

// makeOwn makes a request at the own hub.
func (p *peer) makeOwn(ctx context.Context, q *follower.Request, body []byte) (follower.Body, error) {
	to, err := ident.ParseURI(q.Subject)
	if err != nil {
		return nil, err
	}
	var in hub.Input
	switch q.Endpoint {
	case mimi.EndpointKeyMaterial:
		in = hub.KeyMaterialRequest{From: p.domain, Body: body}
	case mimi.EndpointUpdate:
		in = hub.UpdateRequest{From: p.domain, Room: to, Body: body}
	case mimi.EndpointSubmitMessage:
		in = hub.SubmitMessageRequest{From: p.domain, Room: to, Body: body}
	default:
		return nil, fmt.Errorf("the checker's hub has no use for %s", q.Endpoint)
	}
	p.mu.Lock()
	out, err := p.atHub(in)
	p.mu.Unlock()
	if err != nil || out.Forward == nil {
		return out.Response, err
	}
	forward := *out.Forward
	if forward.To != p.r.cfg.Domain {
		return nil, fmt.Errorf("the checker asks the checked provider alone, not %s", forward.To)
	}
	a := p.ask(ctx, mimi.EndpointKeyMaterial, forward.Target.String(), forward.Body)
	if !a.accepted() {
		return nil, errors.New(a.String())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err = p.atHub(hub.KeyMaterialResponse{Provider: forward.To, Request: forward.Body, Body: a.body})
	return out.Response, err
}

// ServeHTTP implements [http.Handler]: what the checked provider asks of the peer.
func (p *peer) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests", http.StatusServiceUnavailable)
		return
	}
	if q.URL.Path == mimi.DirectoryPath {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(p.document)
		return
	}
	for _, s := range p.served {
		subject, ok := s.template.Match(q.URL.EscapedPath())
		if !ok {
			continue
		}
		if status := p.caller(q); status != 0 {
			http.Error(w, "the request is not the checked provider's", status)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBody))
		if err != nil {
			http.Error(w, "the body is too long, or does not arrive", http.StatusBadRequest)
			return
		}
		status, after, answer := p.take(s.endpoint, subject, body)
		if after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(after))
		}
		w.Header().Set("Content-Type", mimi.MediaType)
		w.WriteHeader(status)
		_, _ = w.Write(answer)
		return
	}
	p.mu.Lock()
	p.probed++
	p.mu.Unlock()
	http.Error(w, "nothing here", http.StatusNotFound)
}

// caller looks at who makes a request (Transport layer), and returns with which status
// code to refuse it, or 0.
func (p *peer) caller(q *http.Request) int {
	r := p.r
	if q.TLS == nil || len(q.TLS.VerifiedChains) == 0 {
		r.fail("transport.calls-certificate", "a request to %s without a client certificate", p.domain)
		return http.StatusUnauthorized
	}
	if err := q.TLS.PeerCertificates[0].VerifyHostname(r.cfg.Domain); err != nil {
		r.fail("transport.calls-certificate", "a request to %s: %v", p.domain, err)
		return http.StatusForbidden
	}
	r.pass("transport.calls-certificate", "the certificate is for %s", r.cfg.Domain)
	list := q.Header.Values("From")
	if from, err := mimi.ParseFrom(q.Header.Get("From")); err != nil || len(list) != 1 || from != r.cfg.Domain {
		r.fail("transport.calls-from", "From %q, want %s", list, mimi.From(r.cfg.Domain))
		return http.StatusForbidden
	}
	r.pass("transport.calls-from", "%s", list[0])
	if host, err := mimi.ParseHost(q.Host); err != nil || host != p.domain {
		r.fail("transport.calls-host", "Host %q, want %s", q.Host, p.domain)
		return http.StatusMisdirectedRequest
	}
	r.pass("transport.calls-host", "%s", q.Host)
	return 0
}

// take answers a request of the checked provider.
func (p *peer) take(e *mimi.Endpoint, subject string, body []byte) (status, after int, answer []byte) {
	defer p.signal()
	p.mu.Lock()
	defer p.mu.Unlock()
	var in follower.Input
	switch e.Name {
	case mimi.EndpointNotify:
		status, after = p.notify(subject, body)
		return status, after, nil
	case mimi.EndpointKeyMaterial:
		m, err := mimi.ParseKeyMaterialRequest(body)
		if err == nil && !m.TargetUser.Equal(mimi.IdentifierURI(subject)) {
			err = errors.New("targetUser is not the user in the path")
		}
		if err != nil {
			p.denied = err
			return http.StatusBadRequest, 0, nil
		}
		in = follower.ClaimKeyMaterial{From: p.r.cfg.Domain, Request: m}
	case mimi.EndpointRequestConsent, mimi.EndpointUpdateConsent:
		m, err := mimi.ParseConsentEntry(body)
		if err != nil {
			return http.StatusBadRequest, 0, nil
		}
		if len(p.consents) < maxInbox {
			p.consents = append(p.consents, m)
		}
		in = follower.Consent{From: p.r.cfg.Domain, Endpoint: e.Name, Entry: m}
	case mimi.EndpointIdentifierQuery:
		m, err := mimi.ParseIdentifierRequest(body)
		if err != nil {
			return http.StatusBadRequest, 0, nil
		}
		in = follower.FindUsers{From: p.r.cfg.Domain, Request: m}
	default:
		return http.StatusNotFound, 0, nil
	}
	response, err := p.atFollower(in)
	if err != nil {
		if e.Name == mimi.EndpointKeyMaterial {
			p.denied = err
		}
		status = http.StatusInternalServerError
		var refused *follower.Refusal
		if errors.As(err, &refused) {
			status = refused.Status
		}
		return status, 0, []byte(err.Error())
	}
	if e.Response != "" {
		if answer, err = wire.Marshal(response); err != nil {
			return http.StatusInternalServerError, 0, nil
		}
	}
	if e.Name == mimi.EndpointKeyMaterial && len(p.claims) < maxInbox {
		p.claims = append(p.claims, claimed{subject, body, answer})
	}
	return e.Success[0], 0, answer
}

// notify takes events, unless p.answer has something against it. The caller holds the
// lock.
func (p *peer) notify(subject string, body []byte) (status, after int) {
	if len(p.inbox) >= maxInbox || p.size+len(body) > maxInboxAll {
		return http.StatusServiceUnavailable, 60
	}
	n := notified{at: p.r.now(), room: mimi.IdentifierURI(subject), body: body, status: http.StatusCreated}
	n.list, n.err = mimi.ParseFanoutMessages(body, nil)
	where, ok := n.room.Is(ident.KindRoom)
	if n.err == nil && !ok {
		n.err = fmt.Errorf("%q in the path is no room", subject)
	}
	switch {
	case n.err != nil:
		n.status = http.StatusBadRequest
	case p.answer != nil:
		n.status, after = p.answer(&n)
	}
	if n.status == http.StatusCreated {
		if _, err := p.atFollower(follower.Notify{From: p.r.cfg.Domain, Room: where, Messages: n.list}); err != nil {
			n.err, n.status = err, http.StatusBadRequest
			var refused *follower.Refusal
			if errors.As(err, &refused) {
				n.status = refused.Status
			}
		}
	}
	p.inbox = append(p.inbox, n)
	p.size += len(body)
	return n.status, after
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
