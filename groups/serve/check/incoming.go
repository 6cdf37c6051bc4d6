package check

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

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
