package follower

import (
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

func consentEntry(op mimi.ConsentOperation, requester, target ident.URI, room *ident.URI) *mimi.ConsentEntry {
	e := &mimi.ConsentEntry{ConsentOperation: op, RequesterURI: mimi.URI(requester), TargetURI: mimi.URI(target)}
	if room != nil {
		r := mimi.URI(*room)
		e.RoomID = &r
	}
	return e
}

// decides lets Bob's client say something about Alice.
func (l *lab) decides(op mimi.ConsentOperation, room *ident.URI) Output {
	l.Helper()
	return l.step(Call{Client: clientB1, ID: 1, Endpoint: mimi.EndpointUpdateConsent, Body: consentEntry(op, alice, bob, room)})
}

// Who may claim key material, by what the target has said of every room and of one.
func TestConsentStatus(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		every, here mimi.ConsentOperation
		open, need  string // without and with NeedConsent, in the room
		other       string // with NeedConsent, in another room
	}{
		{0, 0, "ok", "noConsent", "noConsent"},
		{mimi.ConsentGrant, 0, "ok", "ok", "ok"},
		{mimi.ConsentRevoke, 0, "noConsent", "noConsent", "noConsent"},
		{0, mimi.ConsentGrant, "ok", "ok", "noConsentForThisRoom"},
		{0, mimi.ConsentRevoke, "noConsentForThisRoom", "noConsent", "noConsent"},
		{mimi.ConsentGrant, mimi.ConsentRevoke, "noConsentForThisRoom", "noConsentForThisRoom", "ok"},
		{mimi.ConsentRevoke, mimi.ConsentGrant, "ok", "ok", "noConsent"},
		{mimi.ConsentRevoke, mimi.ConsentRevoke, "noConsent", "noConsent", "noConsent"},
	} {
		t.Run(fmt.Sprintf("every room %v, this %v", row.every, row.here), func(t *testing.T) {
			t.Parallel()
			for _, need := range []bool{false, true} {
				l := newLab(t, func(c *Config) { c.NeedConsent = need })
				if row.every != 0 {
					l.decides(row.every, nil)
				}
				if row.here != 0 {
					l.decides(row.here, &clubhouse)
				}
				l.restart()
				status := func(room ident.URI) string {
					l.publish(clientB1, 1)
					l.publish(clientB2, 1)
					if s := l.claim(room).UserStatus; s != mimi.UserSuccess {
						return s.String()
					}
					return "ok"
				}
				want := row.open
				if need {
					want = row.need
					if got := status(otherRoom); got != row.other {
						t.Errorf("another room: %s, want %s", got, row.other)
					}
				}
				if got := status(clubhouse); got != want {
					t.Errorf("need %v: %s, want %s", need, got, want)
				}
			}
		})
	}
}

// What was granted for a room and taken back leaves nothing that tells of it.
func TestConsentTakenBack(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.NeedConsent = true })
	want := func(room ident.URI, code mimi.KeyMaterialUserCode) {
		t.Helper()
		if got := l.claim(room).UserStatus; got != code {
			t.Errorf("%v, want %v", got, code)
		}
	}
	l.decides(mimi.ConsentGrant, &clubhouse)
	l.decides(mimi.ConsentGrant, &clubhouse)
	want(otherRoom, mimi.UserNoConsentForThisRoom)
	l.restart()
	want(otherRoom, mimi.UserNoConsentForThisRoom)
	l.decides(mimi.ConsentRevoke, &clubhouse)
	want(otherRoom, mimi.UserNoConsent)
}

// "A requestConsent request is used by one provider to request explicit consent [...]
// or to cancel that request."
func TestConsentRequests(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.Requests = 2 })
	l.step(Connect{clientB1})
	take := func(e *mimi.ConsentEntry) Output {
		t.Helper()
		return l.step(Consent{"a.example", mimi.EndpointRequestConsent, e})
	}
	// "in response to a cancel which has no request matching the ConsentScope, a 201
	// Accepted is sent and no further action is taken"
	wantDeliveries(t, take(consentEntry(mimi.ConsentCancel, alice, bob, nil)), "")
	wantDeliveries(t, take(consentEntry(mimi.ConsentRequest, alice, bob, nil)), "ClientB1 box 1")
	wantDeliveries(t, take(consentEntry(mimi.ConsentRequest, alice, bob, nil)), "")              // again
	wantDeliveries(t, take(consentEntry(mimi.ConsentCancel, alice, bob, &clubhouse)), "")        // another scope
	wantDeliveries(t, take(consentEntry(mimi.ConsentCancel, alice, bob, nil)), "ClientB1 box 2") // the same
	wantDeliveries(t, take(consentEntry(mimi.ConsentRequest, alice, bob, nil)), "ClientB1 box 3")
	wantDeliveries(t, take(consentEntry(mimi.ConsentRequest, alice, bob, &clubhouse)), "ClientB1 box 4")
	l.refused(429, "too many requests", Consent{"a.example", mimi.EndpointRequestConsent, consentEntry(mimi.ConsentRequest, alice, bob, &otherRoom)})
	l.restart()
	l.refused(429, "too many requests", Consent{"a.example", mimi.EndpointRequestConsent, consentEntry(mimi.ConsentRequest, alice, bob, &otherRoom)})
	l.decides(mimi.ConsentRevoke, nil) // answers the first
	l.step(Consent{"a.example", mimi.EndpointRequestConsent, consentEntry(mimi.ConsentRequest, alice, bob, &otherRoom)})
	// One who was revoked asks in vain.
	l.step(Connect{clientB1})
	wantDeliveries(t, take(consentEntry(mimi.ConsentRequest, alice, bob, nil)), "")
}

// "A grant or revoke does not need to be in response to an explicit request."
func TestConsentUpdates(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.step(Connect{clientB2})
	grant := consentEntry(mimi.ConsentGrant, bob, alice, nil)
	grant.ClientKeyPackages = []message.KeyPackage{l.keyPackage(clientA1, mls.LeafOptions{})}
	out := l.step(Consent{"a.example", mimi.EndpointUpdateConsent, grant})
	wantDeliveries(t, out, "ClientB2 box 1")
	e, err := mimi.ParseConsentEntry(out.Deliveries[0].Body)
	if err != nil || len(e.ClientKeyPackages) != 1 || !out.Deliveries[0].About.IsZero() {
		t.Errorf("delivered %+v, %v", e, err)
	}
}

func TestConsentRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	request, update := mimi.EndpointRequestConsent, mimi.EndpointUpdateConsent
	foreign := consentEntry(mimi.ConsentGrant, bob, alice, nil)
	foreign.ClientKeyPackages = []message.KeyPackage{l.keyPackage(clientA1, mls.LeafOptions{}), l.keyPackage(clientX1, mls.LeafOptions{})}
	for name, row := range map[string]struct {
		in     Consent
		status int
		says   string
	}{
		"a grant as a request":      {Consent{"a.example", request, consentEntry(mimi.ConsentGrant, alice, bob, nil)}, 400, "consentOperation grant"},
		"a request as an update":    {Consent{"a.example", update, consentEntry(mimi.ConsentRequest, alice, bob, nil)}, 400, "consentOperation request"},
		"for another's user":        {Consent{"c.example", request, consentEntry(mimi.ConsentRequest, alice, bob, nil)}, 403, "comes from c.example"},
		"to another's user":         {Consent{"a.example", request, consentEntry(mimi.ConsentRequest, alice, alice, nil)}, 404, "no user of b.example"},
		"a grant for another's":     {Consent{"c.example", update, consentEntry(mimi.ConsentGrant, bob, alice, nil)}, 403, "comes from c.example"},
		"a grant to another's user": {Consent{"a.example", update, consentEntry(mimi.ConsentGrant, alice, alice, nil)}, 404, "no user of b.example"},
		"others' KeyPackages":       {Consent{"a.example", update, foreign}, 403, "KeyPackage 2 is of mimi://b.example/u/bella"},
		"to nobody":                 {Consent{"a.example", request, consentEntry(mimi.ConsentRequest, alice, uri("mimi://b.example/u/nobody"), nil)}, 404, "no user"},
		"a client":                  {Consent{"a.example", request, consentEntry(mimi.ConsentRequest, clientA1, bob, nil)}, 400, "no user's URI"},
		"a target that is a room":   {Consent{"a.example", request, consentEntry(mimi.ConsentRequest, alice, clubhouse, nil)}, 400, "no user's URI"},
		"a room that is none":       {Consent{"a.example", request, consentEntry(mimi.ConsentRequest, alice, bob, &bob)}, 400, "no room's URI"},
	} {
		t.Log(name)
		l.refused(row.status, row.says, row.in)
	}
	l = newLab(t, func(c *Config) { c.Hide = true })
	l.step(Consent{"a.example", request, consentEntry(mimi.ConsentRequest, alice, uri("mimi://b.example/u/nobody"), nil)})
}

// A user's own decisions: noted here, and told to the other's provider or, if that is
// this one, to the other.
func TestConsentCalls(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.NeedConsent = true })
	l.step(Connect{clientX1})
	out := l.decides(mimi.ConsentGrant, nil)
	if len(out.Requests) != 1 || out.Requests[0].To != "a.example" || out.Requests[0].Endpoint != mimi.EndpointUpdateConsent {
		t.Errorf("requests %+v", out.Requests)
	}
	call := func(op mimi.ConsentOperation, requester, target ident.URI) Call {
		endpoint := mimi.EndpointUpdateConsent
		if op == mimi.ConsentRequest || op == mimi.ConsentCancel {
			endpoint = mimi.EndpointRequestConsent
		}
		return Call{Client: clientB1, ID: 2, Endpoint: endpoint, Body: consentEntry(op, requester, target, nil)}
	}
	out = l.step(call(mimi.ConsentRequest, bob, bella))
	wantDeliveries(t, out, "ClientX1 box 1")
	if len(out.Requests) != 0 || len(out.Replies) != 1 {
		t.Errorf("between users of one provider: requests %+v, replies %+v", out.Requests, out.Replies)
	}
	wantDeliveries(t, l.step(call(mimi.ConsentGrant, bella, bob)), "ClientX1 box 2")
	out = l.step(call(mimi.ConsentRequest, bob, alice))
	if len(out.Requests) != 1 || out.Requests[0].To != "a.example" || out.Requests[0].Endpoint != mimi.EndpointRequestConsent {
		t.Errorf("requests %+v", out.Requests)
	}
	l.refused(403, "by a client of mimi://b.example/u/bob", call(mimi.ConsentGrant, alice, bella))
	l.refused(403, "by a client of mimi://b.example/u/bob", call(mimi.ConsentRequest, bella, alice))
	l.refused(404, "no user", call(mimi.ConsentRequest, bob, uri("mimi://b.example/u/nobody")))
	l.refused(400, "want updateConsent", Call{Client: clientB1, Endpoint: mimi.EndpointRequestConsent, Body: consentEntry(mimi.ConsentGrant, alice, bob, nil)})
}

// The KeyPackages of a grant are given out by it, and the Welcome for them arrives.
func TestGrantedKeyPackages(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	published := l.publish(clientB2, 1)
	fresh := l.keyPackage(clientB1, mls.LeafOptions{})
	grant := consentEntry(mimi.ConsentGrant, alice, bob, nil)
	grant.ClientKeyPackages = []message.KeyPackage{fresh, published[0]}
	in := Call{Client: clientB1, ID: 1, Endpoint: mimi.EndpointUpdateConsent, Body: grant}
	l.step(in)
	l.refused(409, "KeyPackage 1 of the grant was given out before", in)
	if got := statuses(l.claim(clubhouse)); got != "noCompatibleMaterial keyMaterialExhausted keyMaterialExhausted" {
		t.Errorf("claimed once more: %s", got)
	}
	l.step(Connect{clientB1})
	l.step(Connect{clientB2})
	wantDeliveries(t, l.notify(l.welcome(&fresh, &published[0])), "ClientB1 box 1, ClientB2 box 1")

	grant.ClientKeyPackages = []message.KeyPackage{l.keyPackage(clientX1, mls.LeafOptions{})}
	l.refused(403, "no client of mimi://b.example/u/bob", in)
}
