package follower

import (
	"errors"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Consent is a ConsentEntry from the provider of the domain From, to requestConsent
// or updateConsent (draft-ietf-mimi-protocol-06, Convey explicit consent).
type Consent struct {
	From     string
	Endpoint mimi.EndpointName // mimi.EndpointRequestConsent or mimi.EndpointUpdateConsent
	Entry    *mimi.ConsentEntry
}

func (Consent) input() {}

// scope is a ConsentScope: who may add whom, to one room or, if that is zero, any.
type scope struct{ requester, target, room ident.URI }

// consent is what is known of a scope. Of a local target it is what that user has
// decided, or is asked; of a local requester what the other has told.
type consent byte

const (
	asked   consent = 'a'
	granted consent = 'g'
	revoked consent = 'r'
)

// peering is a local user and whom it has to do with: the users of another provider
// together, since that one makes as many as it likes, or a user of this one.
type peering struct {
	user  ident.URI
	other string
	asked bool // only those that are asked for
}

// peerings returns whose bounds a scope counts for.
func (f *Follower) peerings(s scope) (list []ident.URI, of []string) {
	for _, p := range [][2]ident.URI{{s.target, s.requester}, {s.requester, s.target}} {
		if p[0].Provider() != f.cfg.Domain {
			continue
		}
		other := p[1].Provider()
		if other == f.cfg.Domain {
			other = p[1].String()
		}
		list, of = append(list, p[0]), append(of, other)
	}
	return list, of
}

// crowded says why nothing more is remembered of those that a scope is of.
func (f *Follower) crowded(s scope, next consent) error {
	users, others := f.peerings(s)
	for i, u := range users {
		if f.dealings[peering{u, others[i], false}] >= f.limits.Consents {
			return refuse(statusTooManyRequests, "too much is known between %v and %s", u, others[i])
		}
		if next == asked && u == s.target && f.dealings[peering{u, others[i], true}] >= f.limits.PeerRequests {
			return refuse(statusTooManyRequests, "too many requests of %s wait for this user", others[i])
		}
	}
	return nil
}

// consentStatus says whether a user lets another add it to a room. What was said of
// the room goes before what was said of every room.
func (f *Follower) consentStatus(target, requester ident.URI, room mimi.IdentifierURI) mimi.KeyMaterialUserCode {
	every := f.consent[scope{requester, target, ident.URI{}}]
	here := consent(0)
	if uri, err := room.Ident(); err == nil {
		here = f.consent[scope{requester, target, uri}]
	}
	switch {
	case here == granted:
		return mimi.UserSuccess
	case here == revoked && (every == granted || !f.cfg.NeedConsent && every != revoked):
		return mimi.UserNoConsentForThisRoom
	case here == revoked || every == revoked:
		return mimi.UserNoConsent
	case every == granted || !f.cfg.NeedConsent:
		return mimi.UserSuccess
	case f.grants[claim{requester, target}] > 0: // to be added to other rooms
		return mimi.UserNoConsentForThisRoom
	}
	return mimi.UserNoConsent
}

// takeConsent takes an entry from another provider.
func (f *Follower) takeConsent(now time.Time, in Consent) error {
	s, err := f.checkConsent(in)
	if err != nil {
		return err
	}
	local := s.target // whom it is for
	if in.Endpoint == mimi.EndpointUpdateConsent {
		local = s.requester
	}
	u := f.users[local]
	if u == nil || u.deleted {
		if f.cfg.Hide {
			return nil // accepted, and nobody learns more
		}
		return refuse(statusNotFound, "no user %v", local)
	}
	err = f.applyConsent(now, u, s, in.Entry)
	if r := (*Refusal)(nil); f.cfg.Hide && errors.As(err, &r) {
		return nil // only one who exists can be asked too often
	}
	return err
}

// checkConsent checks that the operation is one of the endpoint's and that both
// providers are those of the users.
func (f *Follower) checkConsent(in Consent) (scope, error) {
	op := in.Entry.ConsentOperation
	request := op == mimi.ConsentRequest || op == mimi.ConsentCancel
	if request != (in.Endpoint == mimi.EndpointRequestConsent) {
		return scope{}, refuse(statusBadRequest, "consentOperation %v at %s", op, in.Endpoint)
	}
	s, err := scopeOf(in.Entry)
	if err != nil {
		return scope{}, err
	}
	from, to := s.requester, s.target
	if !request {
		from, to = to, from
	}
	if from.Provider() != in.From {
		return scope{}, refuse(statusForbidden, "%v of %v comes from %s", op, from, in.From)
	}
	if to.Provider() != f.cfg.Domain {
		return scope{}, refuse(statusNotFound, "%v is no user of %s", to, f.cfg.Domain)
	}
	for i := range in.Entry.ClientKeyPackages {
		// "a list of clientKeyPackages for the target user". What names nobody that is
		// known here is for the requester to judge.
		_, user, err := mimi.Client(&in.Entry.ClientKeyPackages[i].LeafNode.Credential)
		if err == nil && user != s.target {
			return scope{}, refuse(statusForbidden, "KeyPackage %d is of %v, want of %v", i+1, user, s.target)
		}
	}
	return s, nil
}

// scopeOf reads the scope of an entry.
func scopeOf(e *mimi.ConsentEntry) (s scope, err error) {
	var ok bool
	if s.requester, ok = e.RequesterURI.Is(ident.KindUser); !ok {
		return s, refuse(statusBadRequest, "requesterUri %q is no user's URI", e.RequesterURI)
	}
	if s.target, ok = e.TargetURI.Is(ident.KindUser); !ok {
		return s, refuse(statusBadRequest, "targetUri %q is no user's URI", e.TargetURI)
	}
	if e.RoomID != nil {
		if s.room, ok = e.RoomID.Is(ident.KindRoom); !ok {
			return s, refuse(statusBadRequest, "roomId %q is no room's URI", *e.RoomID)
		}
	}
	return s, nil
}

// applyConsent notes an entry for the local user whom it is for and tells the user's
// clients what is news.
func (f *Follower) applyConsent(now time.Time, u *user, s scope, e *mimi.ConsentEntry) error {
	before := f.consent[s]
	switch e.ConsentOperation {
	case mimi.ConsentRequest:
		if before != 0 {
			return nil // asked already, or answered
		}
		if u.waiting >= f.limits.Requests {
			return refuse(statusTooManyRequests, "too many requests wait for this user")
		}
		if err := f.crowded(s, asked); err != nil {
			return err
		}
		f.setConsent(s, asked)
	case mimi.ConsentCancel:
		if before != asked {
			return nil // nothing to cancel: no further action
		}
		f.setConsent(s, 0)
	case mimi.ConsentGrant, mimi.ConsentRevoke:
		next := decisions[e.ConsentOperation]
		if before == next && len(e.ClientKeyPackages) == 0 {
			return nil // known, and no news
		}
		if before == 0 {
			if err := f.crowded(s, next); err != nil {
				return err
			}
		}
		f.setConsent(s, next)
	}
	f.toUser(now, u, other(u, s), mustMarshal(e))
	return nil
}

// decisions are what operations of a target say.
var decisions = map[mimi.ConsentOperation]consent{mimi.ConsentGrant: granted, mimi.ConsentRevoke: revoked}

// other returns the provider of whom a user has to do with in a scope.
func other(u *user, s scope) string {
	if s.target == u.uri {
		return s.requester.Provider()
	}
	return s.target.Provider()
}

// setConsent changes what is known of a scope; 0 forgets it.
func (f *Follower) setConsent(s scope, c consent) {
	before := f.consent[s]
	f.noteConsent(s, c)
	switch {
	case c == before:
	case c == 0:
		f.remove(consentKey(s))
	default:
		f.put(consentKey(s), []byte{byte(c)})
	}
}

// noteConsent is setConsent without the record.
func (f *Follower) noteConsent(s scope, c consent) {
	if u := f.users[s.target]; u != nil {
		if f.consent[s] == asked {
			u.waiting--
		}
		if c == asked {
			u.waiting++
		}
	}
	users, others := f.peerings(s)
	for i, u := range users {
		f.count(peering{u, others[i], false}, f.consent[s] != 0, c != 0)
		f.count(peering{u, others[i], true}, f.consent[s] == asked, c == asked)
	}
	if pair := (claim{s.requester, s.target}); !s.room.IsZero() {
		if f.consent[s] == granted {
			f.grants[pair]--
		}
		if c == granted {
			f.grants[pair]++
		}
		if f.grants[pair] == 0 {
			delete(f.grants, pair)
		}
	}
	if c == 0 {
		delete(f.consent, s)
		return
	}
	f.consent[s] = c
}

// count keeps a count of dealings in step.
func (f *Follower) count(p peering, before, after bool) {
	switch {
	case before == after:
	case after:
		f.dealings[p]++
	default:
		if f.dealings[p]--; f.dealings[p] == 0 {
			delete(f.dealings, p)
		}
	}
}

// handOut notes where the Welcomes for the KeyPackages of a grant are to go, and that
// they are not to be given out again. They are of the user's clients, all or none.
func (f *Follower) handOut(now time.Time, u *user, packages []message.KeyPackage) error {
	type handed struct {
		client *client
		keyPackage
	}
	var all []handed
	for i := range packages {
		name, _, err := mimi.Client(&packages[i].LeafNode.Credential)
		if err != nil {
			return refuse(statusBadRequest, "KeyPackage %d of the grant: %v", i+1, err)
		}
		c := f.clients[name]
		if c == nil || c.user != u {
			return refuse(statusForbidden, "KeyPackage %d of the grant is of %v, no client of %v", i+1, name, u.uri)
		}
		k, err := f.checkPackage(now, c, &packages[i])
		if err != nil {
			return refuse(statusBadRequest, "KeyPackage %d of the grant: %v", i+1, err)
		}
		if _, used := f.given[k.ref]; used {
			return refuse(statusConflict, "KeyPackage %d of the grant was given out before", i+1)
		}
		all = append(all, handed{c, k})
	}
	for _, h := range all {
		if i := slices.IndexFunc(h.client.packages, func(k keyPackage) bool { return k.ref == h.ref }); i >= 0 {
			f.take(h.client, i)
		} else {
			f.giveTo(h.client, h.keyPackage)
		}
	}
	return nil
}

// decide is a local user's own ConsentEntry: it is noted here, and sent to the
// other's provider unless that is this one, where the other is told at once.
func (f *Follower) decide(now time.Time, c *client, e *mimi.ConsentEntry) (other ident.URI, err error) {
	s, err := scopeOf(e)
	if err != nil {
		return other, err
	}
	request := e.ConsentOperation == mimi.ConsentRequest || e.ConsentOperation == mimi.ConsentCancel
	own, other := s.target, s.requester
	if request {
		own, other = other, own
	}
	if own != c.user.uri {
		return other, refuse(statusForbidden, "%v of %v by a client of %v", e.ConsentOperation, own, c.user.uri)
	}
	var u *user // the other, if this provider is to tell it
	if other.Provider() == f.cfg.Domain {
		if u = f.users[other]; u == nil || u.deleted {
			if u = nil; !f.cfg.Hide {
				return other, refuse(statusNotFound, "no user %v", other)
			}
		}
	}
	if request {
		if u != nil {
			return other, f.applyConsent(now, u, s, e)
		}
		return other, nil
	}
	if f.consent[s] == 0 {
		if err := f.crowded(s, decisions[e.ConsentOperation]); err != nil {
			return other, err
		}
	}
	if err := f.handOut(now, c.user, e.ClientKeyPackages); err != nil {
		return other, err
	}
	f.setConsent(s, decisions[e.ConsentOperation])
	if u != nil {
		f.toUser(now, u, f.cfg.Domain, mustMarshal(e))
	}
	return other, nil
}
