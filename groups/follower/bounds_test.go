package follower

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// These tests hold what one peer, who makes as many users and rooms as it likes, can have
// this provider keep and do, and that others are none the worse for it.

// TestSybilsDrainNoKeyPackages: the claims of a provider's users are bounded together.
func TestSybilsDrainNoKeyPackages(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.PeerClaims = 3 })
	l.publish(clientB1, 10)
	claim := func(i int) Input {
		sybil := uri(fmt.Sprintf("mimi://a.example/d/sybil%d/1", i))
		return ClaimKeyMaterial{"a.example", l.request(sybil, bob, clubhouse, nil)}
	}
	for i := range 3 {
		l.step(claim(i))
	}
	l.refused(429, "mimi://a.example has claimed", claim(3))
	// A hub claims in the name of whom it likes: the limit is on who asks.
	l.refused(429, "mimi://a.example has claimed", ClaimKeyMaterial{"a.example", l.request(uri("mimi://c.example/d/cathy/1"), bob, clubhouse, nil)})
	other := l.step(ClaimKeyMaterial{"c.example", l.request(uri("mimi://c.example/d/cathy/1"), bob, ident.URI{}, nil)})
	if r := other.Response.(*mimi.KeyMaterialResponse); r.UserStatus != mimi.UserPartialSuccess {
		t.Errorf("another provider: got %v, want partialSuccess", r.UserStatus)
	}
	if n := len(l.f.clients[clientB1].packages); n != 6 {
		t.Errorf("%d KeyPackages are left, want 6", n)
	}
}

// TestLongLists: lists that are looked up in each KeyPackage or profile are bounded.
func TestLongLists(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	for _, change := range []func(*mimi.KeyMaterialRequest){
		func(r *mimi.KeyMaterialRequest) { r.AcceptableCiphersuites = make([]suite.ID, maxRequired+1) },
		func(r *mimi.KeyMaterialRequest) {
			r.RequiredCapabilities.Proposals = make([]message.ProposalType, maxRequired+1)
		},
	} {
		r := l.request(clientA1, bob, clubhouse, nil)
		change(r)
		l.refused(400, "suites or capabilities", ClaimKeyMaterial{"a.example", r})
	}
	l.refused(400, "query_elements", query(slices.Repeat([]mimi.QueryElement{element(mimi.SearchNick, "x")}, maxElements+1)...))
	l.refused(400, "searchValue", query(element(mimi.SearchPartialName, strings.Repeat("x", maxValue+1))))
}

// TestConsentFlood: neither requests nor grants and revocations of a peer's users are
// remembered without end.
func TestConsentFlood(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.PeerRequests, c.Limits.Consents = 3, 5 })
	sybil := func(domain string, i int) ident.URI { return uri(fmt.Sprintf("mimi://%s/u/sybil%d", domain, i)) }
	request := func(domain string, i int) Input {
		return Consent{domain, mimi.EndpointRequestConsent, consentEntry(mimi.ConsentRequest, sybil(domain, i), bob, nil)}
	}
	for i := range 3 {
		l.step(request("a.example", i))
	}
	l.refused(429, "too many requests of a.example", request("a.example", 3))
	l.step(request("c.example", 0)) // the user can still be asked by others
	update := func(op mimi.ConsentOperation, i int) Input {
		return Consent{"a.example", mimi.EndpointUpdateConsent, consentEntry(op, bob, sybil("a.example", i), nil)}
	}
	l.step(update(mimi.ConsentGrant, 0))
	l.step(update(mimi.ConsentRevoke, 1))
	l.refused(429, "too much is known", update(mimi.ConsentGrant, 2))
	l.restart()
	l.refused(429, "too much is known", update(mimi.ConsentGrant, 2))
	l.step(update(mimi.ConsentRevoke, 0)) // what is known may change
	if n := len(l.f.consent); n != 6 {
		t.Errorf("%d consents, want 6", n)
	}
	// Once more the same is no news.
	before := l.f.clients[clientB1].nextBox
	l.step(update(mimi.ConsentRevoke, 0))
	if l.f.clients[clientB1].nextBox != before {
		t.Error("a revocation that was known was delivered again")
	}
}

// TestFloodTellsNobodyWhoExists: a provider that hides its users does not say either that
// one of them has been asked too often.
func TestFloodTellsNobodyWhoExists(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Hide = true; c.Limits.PeerRequests = 1 })
	for i := range 3 {
		sybil := uri(fmt.Sprintf("mimi://a.example/u/%d", i))
		for _, target := range []ident.URI{bob, uri("mimi://b.example/u/nobody")} {
			l.step(Consent{"a.example", mimi.EndpointRequestConsent, consentEntry(mimi.ConsentRequest, sybil, target, nil)})
		}
	}
	if n := len(l.f.consent); n != 1 {
		t.Errorf("%d requests are kept, want 1", n)
	}
}

// TestOwnUsersFlood: a user of the same provider can't fill another's memory either.
func TestOwnUsersFlood(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.Consents = 2 })
	grant := func(i int) Input {
		room := uri(fmt.Sprintf("mimi://a.example/r/%d", i))
		return Call{Client: clientX1, Endpoint: mimi.EndpointUpdateConsent, Body: consentEntry(mimi.ConsentGrant, bob, bella, &room)}
	}
	l.step(grant(0))
	l.step(grant(1))
	l.refused(429, "too much is known", grant(2))
	// What is refused changes nothing, to whomever it is.
	nobody := uri("mimi://b.example/u/nobody")
	l.refused(404, "no user", Call{Client: clientX1, Endpoint: mimi.EndpointUpdateConsent, Body: consentEntry(mimi.ConsentGrant, nobody, bella, nil)})
}

// TestMailboxOfAClientThatIsAway: asking and cancelling in turn fills no mailbox, and
// takes nothing of others out of it.
func TestMailboxOfAClientThatIsAway(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.Mail = 4 })
	ask := func(domain string, op mimi.ConsentOperation) {
		l.step(Consent{domain, mimi.EndpointRequestConsent, consentEntry(op, uri("mimi://"+domain+"/u/x"), bob, nil)})
	}
	ask("c.example", mimi.ConsentRequest)
	k := l.publish(clientB1, 1)
	l.claim(clubhouse)
	l.notify(l.welcome(&k[0]))
	for range 10 {
		ask("a.example", mimi.ConsentRequest)
		ask("a.example", mimi.ConsentCancel)
	}
	want := "ClientB1 box 1, ClientB1 box 2, ClientB1 box 19, ClientB1 box 20, ClientB1 box 21, ClientB1 box 22"
	wantDeliveries(t, l.step(Connect{clientB1}), want)
	l.restart()
	wantDeliveries(t, l.step(Connect{clientB1}), want)
	ask("a.example", mimi.ConsentRequest)
	if n := len(l.f.clients[clientB1].box); n != 6 {
		t.Errorf("%d in the mailbox after a restart, want 6", n)
	}
}

// TestLogOfAHub: what a hub sends for a client that is away is bounded, for a room and
// for all of its rooms.
func TestLogOfAHub(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.RoomLog, c.Limits.HubLog = 4000, 5000 })
	l.bring(clientB1, clientB2)
	for i := range 100 {
		l.notify(l.application(uint64(i)))
	}
	r := l.f.rooms[clubhouse]
	if n := len(r.log); r.size > 4000 || n < 10 || r.log[n-1].seq != 100 {
		t.Errorf("%d events of %d bytes, want the newest of at most 4000", n, r.size)
	}
	l.restart()
	if r = l.f.rooms[clubhouse]; r.size > 4000 || l.f.logged["a.example"] != r.size {
		t.Errorf("restarted: %d bytes, and %d of the hub", r.size, l.f.logged["a.example"])
	}
	l.step(Ack{clientB1, clubhouse, 50}) // of what was dropped
	l.step(Ack{clientB1, clubhouse, 95})
	l.step(Ack{clientB2, clubhouse, 100})
	if n := len(r.log); n != 5 {
		t.Errorf("%d events wait, want those after 95", n)
	}
	l.step(Ack{clientB1, clubhouse, 100})
	if r.size != 0 || len(l.f.logged) != 0 {
		t.Errorf("%d bytes, and %v", r.size, l.f.logged)
	}
}

// TestRoomsOfAHub: a hub that has a KeyPackage of last resort can't bring a client into
// rooms without end.
func TestRoomsOfAHub(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.Rooms = 3 })
	last := l.keyPackage(clientB1, mls.LeafOptions{LastResort: true})
	l.step(Publish{clientB1, []message.KeyPackage{last}})
	l.claim(clubhouse)
	for i := range 10 {
		l.step(Notify{From: "a.example", Room: uri(fmt.Sprintf("mimi://a.example/r/%d", i)), Messages: []mimi.FanoutMessage{l.welcome(&last)}})
	}
	if n := len(l.f.rooms); n != 3 {
		t.Errorf("%d rooms, want 3", n)
	}
	l.refused(429, "3 rooms of a.example", Call{Client: clientB1, Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: commit(message.Sender{Type: message.SenderNewMemberCommit})})
	l.step(Leave{Client: clientB1, Room: uri("mimi://a.example/r/0")})
	l.step(Call{Client: clientB1, Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: commit(message.Sender{Type: message.SenderNewMemberCommit})})
}
