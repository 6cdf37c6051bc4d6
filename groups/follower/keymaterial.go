package follower

import (
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Publish stores KeyPackages of a client for others to claim, all or none.
type Publish struct {
	Client      ident.URI
	KeyPackages []message.KeyPackage
}

// ClaimKeyMaterial is a KeyMaterialRequest from the provider of the domain From: the
// hub of the room, or outside of a room the provider of the requesting user. An own
// client's comes from the own domain.
type ClaimKeyMaterial struct {
	From    string
	Request *mimi.KeyMaterialRequest
}

func (Publish) input()          {}
func (ClaimKeyMaterial) input() {}

// keyPackage is one that waits to be claimed.
type keyPackage struct {
	seq        uint64 // its place among the client's
	ref        string
	value      message.KeyPackage
	lastResort bool
}

// given is where the Welcome for a KeyPackage that was given out is to go.
type given struct {
	client   ident.URI
	notAfter time.Time
}

// claim is whose material whom gets. The requester is a user or, for all of its, the
// provider that the request came through.
type claim struct{ requester, target ident.URI }

func (f *Follower) publish(now time.Time, in Publish) error {
	c, err := f.client(in.Client)
	if err != nil {
		return err
	}
	live := slices.DeleteFunc(slices.Clone(c.packages), func(k keyPackage) bool { return k.expired(now) })
	if n := len(live) + len(in.KeyPackages); n > f.limits.KeyPackages {
		return refuse(statusTooManyRequests, "%d KeyPackages of %v, want at most %d", n, c.uri, f.limits.KeyPackages)
	}
	fresh := make([]keyPackage, 0, len(in.KeyPackages))
	for i := range in.KeyPackages {
		k, err := f.checkPackage(now, c, &in.KeyPackages[i])
		if err != nil {
			return refuse(statusBadRequest, "KeyPackage %d: %v", i+1, err)
		}
		same := func(o keyPackage) bool { return o.ref == k.ref }
		if _, used := f.given[k.ref]; used || slices.ContainsFunc(c.packages, same) || slices.ContainsFunc(fresh, same) {
			return refuse(statusConflict, "KeyPackage %d was published before", i+1)
		}
		fresh = append(fresh, k)
	}
	next := uint64(0)
	if n := len(c.packages); n > 0 {
		next = c.packages[n-1].seq + 1
	}
	f.dropExpired(now, c)
	for i, k := range fresh {
		k.seq = next + uint64(i)
		c.packages = append(c.packages, k)
		f.put(packageKey(c.uri, k.seq), mustMarshal(&k.value))
	}
	return nil
}

// checkPackage checks that a KeyPackage is valid and the client's own.
func (f *Follower) checkPackage(now time.Time, c *client, k *message.KeyPackage) (keyPackage, error) {
	known, err := f.known(k)
	if err != nil {
		return keyPackage{}, err
	}
	if err := f.cfg.Groups[k.Suite].CheckKeyPackage(now, k); err != nil {
		return keyPackage{}, err
	}
	name, _, err := mimi.Client(&k.LeafNode.Credential)
	if err != nil {
		return keyPackage{}, err
	}
	if name != c.uri {
		return keyPackage{}, fmt.Errorf("its credential is of %v, want %v", name, c.uri)
	}
	return known, nil
}

// known returns what is kept of a KeyPackage, unchecked.
func (f *Follower) known(k *message.KeyPackage) (keyPackage, error) {
	cfg := f.cfg.Groups[k.Suite]
	if cfg == nil {
		return keyPackage{}, fmt.Errorf("cipher suite %v, want one of %v", k.Suite, f.suites())
	}
	ref, err := k.Ref(cfg.Suite)
	if err != nil {
		return keyPackage{}, err
	}
	return keyPackage{ref: string(ref), value: *k, lastResort: cfg.IsLastResort(k)}, nil
}

// suites returns the cipher suites that the provider takes, in order.
func (f *Follower) suites() []suite.ID {
	return sortedKeys(f.cfg.Groups)
}

// claimKeyMaterial answers a KeyMaterialRequest (draft-ietf-mimi-protocol-06, Fetch
// Key Material).
func (f *Follower) claimKeyMaterial(now time.Time, in ClaimKeyMaterial) error {
	r := in.Request
	if err := r.Check(); err != nil {
		return refuse(statusBadRequest, "%v", err)
	}
	if c := &r.RequiredCapabilities; max(len(r.AcceptableCiphersuites), len(c.Extensions), len(c.Proposals), len(c.Credentials)) > maxRequired {
		return refuse(statusBadRequest, "a list of more than %d suites or capabilities", maxRequired)
	}
	target, requester, err := f.checkClaim(in.From, r)
	if err != nil {
		return err
	}
	response := &mimi.KeyMaterialResponse{UserURI: r.TargetUser}
	f.out.Response = response
	u := f.users[target]
	if response.UserStatus = f.claimStatus(u, requester, r.RoomID); response.UserStatus != mimi.UserSuccess {
		return nil
	}
	through, err := ident.NewURI(ident.KindProvider, in.From)
	if err != nil {
		return refuse(statusForbidden, "%v", err)
	}
	limited := []struct {
		claim
		most int
	}{{claim{requester, target}, f.limits.Claims}, {claim{through, target}, f.limits.PeerClaims}}
	for _, l := range limited {
		if recent := within(f.claims[l.claim], now, f.limits.ClaimWindow); len(recent) >= l.most {
			return &Refusal{
				Status: statusTooManyRequests, After: recent[0].Add(f.limits.ClaimWindow).Sub(now),
				Reason: l.requester.String() + " has claimed key material of this user too often",
			}
		}
	}
	for _, l := range limited {
		f.claims[l.claim] = append(within(f.claims[l.claim], now, f.limits.ClaimWindow), now)
	}
	f.give(now, u, r, response)
	return nil
}

// maxRequired bounds what is looked for in each KeyPackage; a choice of this
// implementation.
const maxRequired = 256

// within returns those of the times, in order, that are no longer ago than d.
func within(times []time.Time, now time.Time, d time.Duration) []time.Time {
	return slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool { return now.Sub(t) >= d })
}

// checkClaim checks who asks for whom.
func (f *Follower) checkClaim(from string, r *mimi.KeyMaterialRequest) (target, requester ident.URI, err error) {
	target, ok := r.TargetUser.Is(ident.KindUser)
	if !ok || target.Provider() != f.cfg.Domain {
		return target, requester, refuse(statusNotFound, "targetUser %q is no user of %s", r.TargetUser, f.cfg.Domain)
	}
	requester, ok = r.RequestingUser.Is(ident.KindUser)
	if !ok {
		return target, requester, refuse(statusBadRequest, "requestingUser %q is no user's URI", r.RequestingUser)
	}
	via := requester.Provider()
	if r.RoomID != "" {
		room, ok := r.RoomID.Is(ident.KindRoom)
		if !ok {
			return target, requester, refuse(statusBadRequest, "roomId %q is no room's URI", r.RoomID)
		}
		via = room.Provider()
	}
	if from != via {
		return target, requester, refuse(statusForbidden, "a request of %v for the room %q comes from %s, want it from %s", requester, r.RoomID, from, via)
	}
	if _, owner, err := mimi.Client(&r.RequesterCredential); err != nil || owner != requester {
		return target, requester, refuse(statusForbidden, "requesterCredential is not of a client of %v", requester)
	}
	if err := f.verify(r); err != nil {
		return target, requester, refuse(statusForbidden, "key_material_request_signature: %v", err)
	}
	return target, requester, nil
}

// verify checks the signature of a request.
func (f *Follower) verify(r *mimi.KeyMaterialRequest) error {
	cfg := f.cfg.Groups[r.SignatureSuite()]
	if cfg == nil {
		return fmt.Errorf("by cipher suite %v, want one of %v", r.SignatureSuite(), f.suites())
	}
	return r.Verify(cfg.Suite)
}

// claimStatus says whether a user's material may be given out, before any is looked
// for.
func (f *Follower) claimStatus(u *user, requester ident.URI, room mimi.IdentifierURI) mimi.KeyMaterialUserCode {
	switch {
	case f.cfg.Hide && (u == nil || u.deleted):
		return mimi.UserNoConsent
	case u == nil:
		return mimi.UserUnknown
	case u.deleted:
		return mimi.UserDeleted
	case requester == u.uri:
		return mimi.UserSuccess
	}
	return f.consentStatus(u.uri, requester, room)
}

// give takes a KeyPackage of each client out of the store.
func (f *Follower) give(now time.Time, u *user, r *mimi.KeyMaterialRequest, response *mimi.KeyMaterialResponse) {
	found := 0
	for _, c := range u.clients {
		m := mimi.ClientKeyMaterial{ClientURI: mimi.URI(c.uri), ClientStatus: mimi.ClientKeyMaterialExhausted}
		f.dropExpired(now, c)
		if len(c.packages) > 0 {
			m.ClientStatus = mimi.ClientNothingCompatible
		}
		if i := choose(c.packages, r); i >= 0 {
			m.ClientStatus, m.KeyPackage = mimi.ClientSuccess, f.take(c, i)
			found++
		}
		response.Clients = append(response.Clients, m)
	}
	switch {
	case found == 0:
		response.UserStatus = mimi.UserNoCompatibleMaterial
	case found < len(u.clients):
		response.UserStatus = mimi.UserPartialSuccess
	}
}

// dropExpired removes what must not be given out any more.
func (f *Follower) dropExpired(now time.Time, c *client) {
	c.packages = slices.DeleteFunc(c.packages, func(k keyPackage) bool {
		if k.expired(now) {
			f.remove(packageKey(c.uri, k.seq))
			return true
		}
		return false
	})
}

// expired reports whether a KeyPackage must not be given out any more.
func (k *keyPackage) expired(now time.Time) bool {
	return k.value.LeafNode.Lifetime.NotAfter < uint64(max(now.Unix(), 0))
}

// Lasts reports whether a KeyPackage is good for a while: more than a tenth of its
// lifetime is left. A client that publishes others in place of those that do not last has
// time to, and is never without.
func Lasts(k *message.KeyPackage, now time.Time) bool {
	l, at := k.LeafNode.Lifetime, uint64(max(now.Unix(), 0))
	return l.NotAfter > at && l.NotAfter-at > (l.NotAfter-min(l.NotBefore, l.NotAfter))/10
}

// KeyPackages returns how many KeyPackages of a client others can claim, those of last
// resort aside and those that do not last. What was claimed and came to nothing is known
// here alone.
func (f *Follower) KeyPackages(now time.Time, client ident.URI) (n int, err error) {
	c, err := f.client(client)
	if err != nil {
		return 0, err
	}
	for i := range c.packages {
		if k := &c.packages[i]; !k.lastResort && Lasts(&k.value, now) {
			n++
		}
	}
	return n, nil
}

// choose returns which KeyPackage to give: of the first cipher suite that there is
// one of with what is required, the oldest, and one of last resort only if there is
// no other. It returns -1 if none fits.
func choose(packages []keyPackage, r *mimi.KeyMaterialRequest) int {
	for _, last := range []bool{false, true} {
		for _, id := range r.AcceptableCiphersuites {
			i := slices.IndexFunc(packages, func(k keyPackage) bool {
				return k.value.Suite == id && k.lastResort == last && meets(&k.value.LeafNode.Capabilities, &r.RequiredCapabilities)
			})
			if i >= 0 {
				return i
			}
		}
	}
	return -1
}

// meets reports whether a client has what is required.
func meets(c *message.Capabilities, want *message.RequiredCapabilities) bool {
	all := true
	for _, t := range want.Extensions {
		all = all && c.SupportsExtension(t)
	}
	for _, t := range want.Proposals {
		all = all && c.SupportsProposal(t)
	}
	for _, t := range want.Credentials {
		all = all && c.SupportsCredential(t)
	}
	return all
}

// take gives a KeyPackage of the store out. One of last resort stays (deviation 47):
// the draft's "MUST NOT be provided in any other response" would leave no meaning to
// what its own reference, mls-extensions, defines.
func (f *Follower) take(c *client, i int) *message.KeyPackage {
	k := c.packages[i]
	f.giveTo(c, k)
	if !k.lastResort {
		c.packages = slices.Delete(c.packages, i, i+1)
		f.remove(packageKey(c.uri, k.seq))
	}
	return &k.value
}

// giveTo notes that a Welcome for a KeyPackage is to go to a client.
func (f *Follower) giveTo(c *client, k keyPackage) {
	g := given{client: c.uri, notAfter: time.Unix(int64(min(k.value.LeafNode.Lifetime.NotAfter, maxUnix)), 0).UTC()}
	f.given[k.ref] = g
	f.put(givenKey(k.ref), mustJSON(givenRecord{c.uri.String(), g.notAfter}))
}

// maxUnix is the last second that a record holds: that of the year 9999.
const maxUnix = 253402300799

// mustMarshal writes what was read or checked before, which cannot fail.
func mustMarshal(v wire.Marshaler) []byte {
	b, err := wire.Marshal(v)
	if err != nil {
		panic("follower: a checked value cannot be written: " + err.Error())
	}
	return b
}
