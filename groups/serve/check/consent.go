package check

import (
	"context"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// consentWait is how long a grant is waited for: somebody may have to be asked.
const consentWait = 3 * time.Second

// consent sends an entry of a peer.
func (r *run) consent(ctx context.Context, e mimi.EndpointName, entry *mimi.ConsentEntry) *answer {
	b, err := wire.Marshal(entry)
	if err != nil {
		return &answer{err: err}
	}
	about := entry.TargetURI
	if e == mimi.EndpointUpdateConsent {
		about = entry.RequesterURI
	}
	subject := r.cfg.Domain
	if u, ok := about.Is(ident.KindUser); ok && u.Provider() == r.cfg.Domain {
		subject = u.String()
	}
	return r.b.ask(ctx, e, subject, b)
}

// created is a check of what is answered by 201 alone. The draft calls it Accepted,
// which is 202 (deviation 11 of protocols/mimi).
func (r *run) created(id string, a *answer) {
	switch {
	case a.err == nil && a.status == 201:
		r.pass(id, "%v", a)
	case a.accepted():
		r.warn(id, "%v, where the draft has 201", a)
	default:
		r.fail(id, "%v", a)
	}
}

// checkConsent is Convey explicit consent (5.7).
func (r *run) checkConsent(ctx context.Context) {
	ask, tell := mimi.EndpointRequestConsent, mimi.EndpointUpdateConsent
	self := mimi.URI(r.b.user)
	nobody, stranger := r.nobody(r.cfg.Domain), r.nobody("checker.invalid")
	entry := func(op mimi.ConsentOperation, requester, target mimi.IdentifierURI) *mimi.ConsentEntry {
		return &mimi.ConsentEntry{ConsentOperation: op, RequesterURI: requester, TargetURI: target}
	}

	unknown := r.consent(ctx, ask, entry(mimi.ConsentRequest, self, nobody))
	if unknown.status >= 500 {
		r.warn("requestConsent.unknown", "%v, which the draft allows and says nothing", unknown)
	} else {
		r.holds("requestConsent.unknown", unknown.err == nil && (unknown.status == 404 || unknown.accepted()), "%v", unknown)
	}
	if unknown.accepted() {
		r.consent(ctx, ask, entry(mimi.ConsentCancel, self, nobody))
	}
	elsewhere := r.consent(ctx, ask, entry(mimi.ConsentRequest, self, stranger))
	if elsewhere.accepted() {
		r.warn("requestConsent.target", "%v, as to hide who exists", elsewhere)
	} else {
		r.refuses("requestConsent.target", elsewhere)
	}
	target := nobody
	if !r.cfg.User.IsZero() {
		target = mimi.URI(r.cfg.User)
	}
	r.refuses("requestConsent.operation", r.consent(ctx, ask, entry(mimi.ConsentGrant, self, target)))
	r.refuses("requestConsent.requester", r.consent(ctx, ask, entry(mimi.ConsentRequest, stranger, target)))
	r.refuses("updateConsent.operation", r.consent(ctx, tell, entry(mimi.ConsentRequest, target, self)))
	r.refuses("updateConsent.target", r.consent(ctx, tell, entry(mimi.ConsentRevoke, target, stranger)))
	if r.cfg.User.IsZero() {
		r.skip("no user was given", "requestConsent.request", "requestConsent.repeated", "requestConsent.cancel", "requestConsent.cancel-none",
			"updateConsent.grant", "updateConsent.revoke", "updateConsent.received")
		return
	}

	// For a room that there is not, so that nobody takes it for more than it is.
	room := mimi.IdentifierURI("mimi://" + r.b.domain + "/r/consent")
	scoped := func(e *mimi.ConsentEntry) *mimi.ConsentEntry {
		e.RoomID = &room
		return e
	}
	r.created("requestConsent.cancel-none", r.consent(ctx, ask, scoped(entry(mimi.ConsentCancel, self, target))))
	r.created("updateConsent.grant", r.consent(ctx, tell, scoped(entry(mimi.ConsentGrant, target, self))))
	r.created("updateConsent.revoke", r.consent(ctx, tell, scoped(entry(mimi.ConsentRevoke, target, self))))
	r.created("requestConsent.request", r.consent(ctx, ask, scoped(entry(mimi.ConsentRequest, self, target))))
	r.created("requestConsent.repeated", r.consent(ctx, ask, scoped(entry(mimi.ConsentRequest, self, target))))
	r.created("requestConsent.cancel", r.consent(ctx, ask, scoped(entry(mimi.ConsentCancel, self, target))))

	// The one that counts is asked for by the device: for all rooms.
	r.b.do(ctx, member.Consent{Operation: mimi.ConsentRequest, User: r.cfg.User})
	r.b.untilIn(ctx, min(consentWait, r.cfg.Timeout), func() bool {
		// A grant of what was asked for before may still come.
		return slices.ContainsFunc(r.b.consents, func(e *mimi.ConsentEntry) bool { return e.RoomID == nil })
	})
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if len(r.b.consents) == 0 {
		r.skip("the provider sent no updateConsent to a request for its user's consent", "updateConsent.received")
		return
	}
	for _, e := range r.b.consents {
		err := e.Check(tell)
		ok := err == nil && e.RequesterURI.Equal(self) && e.TargetURI.Equal(target)
		r.holds("updateConsent.received", ok, "%v of %q for %q: %v", e.ConsentOperation, e.TargetURI, e.RequesterURI, problem(err))
	}
}

// problem is what an error says, or that there is none.
func problem(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}
