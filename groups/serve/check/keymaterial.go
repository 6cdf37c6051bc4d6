package check

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// claim is a request for key material as it should be, but for what change does to it
// before it is signed and spoil after.
type claim struct {
	by     *peer
	id     *mls.Identity
	target mimi.IdentifierURI
	room   mimi.IdentifierURI
	change func(*mimi.KeyMaterialRequest)
	spoil  func(*mimi.KeyMaterialRequest)
	path   string // "" means the target
}

// make makes the request.
func (r *run) claim(ctx context.Context, c claim) (*mimi.KeyMaterialResponse, *answer) {
	m := &mimi.KeyMaterialRequest{
		RequestingUser: mimi.URI(c.by.user), TargetUser: c.target, RoomID: c.room, AcceptableCiphersuites: []suite.ID{r.suite.ID()},
		RequesterSignatureKey: c.id.Signer.Public, RequesterCredential: c.id.Credential,
	}
	if c.change != nil {
		c.change(m)
	}
	if err := m.Sign(r.suite, c.id.Signer.Private); err != nil {
		return nil, &answer{err: err}
	}
	if c.spoil != nil {
		c.spoil(m)
	}
	path := c.path
	if path == "" {
		path = string(c.target)
	}
	return post[*mimi.KeyMaterialResponse](ctx, c.by, mimi.EndpointKeyMaterial, path, m)
}

// gives reports whether an answer has key material.
func gives(m *mimi.KeyMaterialResponse) bool {
	if m == nil {
		return false
	}
	for i := range m.Clients {
		if m.Clients[i].KeyPackage != nil {
			return true
		}
	}
	return m.UserStatus == mimi.UserSuccess || m.UserStatus == mimi.UserPartialSuccess
}

// keeps is a check of a request that must not be given anything. That a code says so
// means nothing if what is right is given nothing either.
func (r *run) keeps(id string, m *mimi.KeyMaterialResponse, a *answer) {
	found := r.verdict("keyMaterial.found")
	switch {
	case m != nil && a.err == nil && !gives(m) && found == Skip:
		r.skip("nothing is given in any case: "+m.UserStatus.String(), id)
	case a.refused() && found == Fail:
		r.skip("a request is refused in any case", id)
	case a.refused():
		r.pass(id, "%v", a)
	case a.err != nil || !a.accepted():
		r.fail(id, "%v", a)
	default:
		r.holds(id, !gives(m), "%v, %d clients", m.UserStatus, len(m.Clients))
	}
}

// says is keeps for certain codes.
func (r *run) says(id string, m *mimi.KeyMaterialResponse, a *answer, codes ...mimi.KeyMaterialUserCode) {
	if m == nil || a.err != nil {
		r.fail(id, "%v", a)
		return
	}
	for _, c := range codes {
		if m.UserStatus == c && !gives(m) {
			r.pass(id, "%v", m.UserStatus)
			return
		}
	}
	r.fail(id, "%v, %d clients", m.UserStatus, len(m.Clients))
}

// checkKeyMaterial is Fetch Key Material (5.2), of a user for a room of the checker's
// hub.
func (r *run) checkKeyMaterial(ctx context.Context) {
	_, id, err := r.b.newClient(r.cfg.Name, "claimer")
	if err != nil {
		r.stopped = err.Error()
		return
	}
	here := mimi.IdentifierURI("mimi://" + r.b.domain + "/r/claims")
	base := claim{by: r.b, id: id, target: mimi.URI(r.cfg.User), room: here}

	c := base
	c.target = r.nobody(r.cfg.Domain)
	m, a := r.claim(ctx, c)
	r.says("keyMaterial.unknown", m, a, mimi.UserUnknown, mimi.UserNoConsent)
	if r.cfg.Refusing.IsZero() {
		r.skip("no user who refuses was given", "keyMaterial.refusing")
	} else {
		c.target = mimi.URI(r.cfg.Refusing)
		m, a = r.claim(ctx, c)
		r.says("keyMaterial.refusing", m, a, mimi.UserNoConsent, mimi.UserNoConsentForThisRoom)
	}
	if r.cfg.User.IsZero() {
		r.skip("no user was given", of("keyMaterial", "keyMaterial.via-hub", "keyMaterial.via-hub-outsider")...)
		return
	}
	first, a := r.claim(ctx, base)
	switch {
	case first == nil || a.err != nil:
		r.fail("keyMaterial.found", "%v", a)
		r.skip("no key material was given", "keyMaterial.package", "keyMaterial.once", "keyMaterial.incompatible")
		r.refusedClaims(ctx, base)
		return
	case !gives(first):
		r.skip("the provider gives no key material of the user: "+first.UserStatus.String(), "keyMaterial.found", "keyMaterial.package", "keyMaterial.once", "keyMaterial.incompatible")
		r.refusedClaims(ctx, base)
		return
	}
	r.found(first)
	r.refusedClaims(ctx, base)
	second, a := r.claim(ctx, base)
	r.once(first, second, a)
}

// refusedClaims are requests that must not be given anything, each for a reason.
func (r *run) refusedClaims(ctx context.Context, base claim) {
	c := base
	c.change = func(m *mimi.KeyMaterialRequest) { m.RequiredCapabilities.Extensions = []message.ExtensionType{0xf0f0} }
	m, a := r.claim(ctx, c)
	if r.verdict("keyMaterial.incompatible") == "" {
		r.says("keyMaterial.incompatible", m, a, mimi.UserNoCompatibleMaterial)
	}

	c = base
	c.spoil = func(m *mimi.KeyMaterialRequest) { m.AcceptableCiphersuites = []suite.ID{0xf0f0} }
	m, a = r.claim(ctx, c)
	r.keeps("keyMaterial.suite", m, a)

	c = base
	c.spoil = func(m *mimi.KeyMaterialRequest) { m.Signature[0] ^= 1 }
	m, a = r.claim(ctx, c)
	r.keeps("keyMaterial.signature", m, a)

	c = base
	c.change = func(m *mimi.KeyMaterialRequest) {
		m.RequesterCredential = message.BasicCredential([]byte("mimi://" + r.b.domain + "/d/nobody/none"))
	}
	m, a = r.claim(ctx, c)
	r.keeps("keyMaterial.credential", m, a)

	c = base
	c.path = string(r.nobody(r.cfg.Domain))
	m, a = r.claim(ctx, c)
	r.keeps("keyMaterial.target", m, a)

	c = base
	c.room = "mimi://checker.invalid/r/elsewhere"
	m, a = r.claim(ctx, c)
	r.keeps("keyMaterial.other-hub", m, a)

	r.otherProtocol(ctx, base)
}

// otherProtocol asks in a protocol that is not MLS 1.0, whose first byte says so.
func (r *run) otherProtocol(ctx context.Context, c claim) {
	body := r.sample(mimi.EndpointKeyMaterial)
	body[0] = 0x7f
	m, a := read[*mimi.KeyMaterialResponse](mimi.EndpointKeyMaterial, c.by.ask(ctx, mimi.EndpointKeyMaterial, string(c.target), body))
	if a.accepted() && a.err != nil && bytes.HasPrefix(a.body, []byte{0x7f, byte(mimi.UserIncompatibleProtocol)}) {
		r.pass("keyMaterial.protocol", "incompatibleProtocol") // in that protocol, of which nothing else is known
		return
	}
	if a.refused() {
		r.pass("keyMaterial.protocol", "%v", a)
		return
	}
	r.says("keyMaterial.protocol", m, a, mimi.UserIncompatibleProtocol)
}

// found looks at key material that was given.
func (r *run) found(m *mimi.KeyMaterialResponse) {
	given := 0
	cfg := r.groups()
	for i := range m.Clients {
		c := &m.Clients[i]
		if _, ok := c.ClientURI.Is(ident.KindClient); !ok {
			r.fail("keyMaterial.found", "clientUri %q", c.ClientURI)
		}
		if c.KeyPackage == nil {
			continue
		}
		given++
		if err := r.valid(cfg, c.KeyPackage); err != nil {
			r.fail("keyMaterial.package", "%s: %v", c.ClientURI, err)
		}
	}
	want := mimi.UserSuccess
	if given < len(m.Clients) {
		want = mimi.UserPartialSuccess
	}
	ok := m.UserStatus == want && given > 0 && m.UserURI.Equal(mimi.URI(r.cfg.User))
	r.holds("keyMaterial.found", ok, "%v for %q: %d clients, %d KeyPackages", m.UserStatus, m.UserURI, len(m.Clients), given)
	r.pass("keyMaterial.package", "%d KeyPackages", given)
}

// valid says what is wrong with a KeyPackage.
func (r *run) valid(cfg *mls.Config, k *message.KeyPackage) error {
	if k.Suite != r.suite.ID() {
		return fmt.Errorf("suite %d, want %d", k.Suite, r.suite.ID())
	}
	if err := cfg.CheckKeyPackage(r.now(), k); err != nil {
		return err
	}
	_, user, err := mimi.Client(&k.LeafNode.Credential)
	if err == nil && user != r.cfg.User {
		err = fmt.Errorf("a KeyPackage of %v", user)
	}
	return err
}

// once compares two answers: "Keying material provided from one response MUST NOT be
// provided in any other response".
func (r *run) once(first, second *mimi.KeyMaterialResponse, a *answer) {
	if second == nil || a.err != nil || !gives(second) {
		what := a.String()
		if second != nil {
			what = second.UserStatus.String()
		}
		r.skip("the second request was given nothing: "+what, "keyMaterial.once")
		return
	}
	cfg := r.groups()
	seen := map[string]bool{}
	for i := range first.Clients {
		if k := first.Clients[i].KeyPackage; k != nil {
			if ref, err := k.Ref(r.suite); err == nil {
				seen[string(ref)] = true
			}
		}
	}
	for i := range second.Clients {
		k := second.Clients[i].KeyPackage
		if k == nil {
			continue
		}
		ref, err := k.Ref(r.suite)
		switch {
		case err != nil || !seen[string(ref)]:
		case cfg.IsLastResort(k):
			r.warn("keyMaterial.once", "%s has nothing but a KeyPackage of last resort", second.Clients[i].ClientURI)
		default:
			r.fail("keyMaterial.once", "%s: the same KeyPackage twice", second.Clients[i].ClientURI)
		}
	}
	r.pass("keyMaterial.once", "other KeyPackages")
}

// token is a text that nobody has had before.
func token() string { return rand.Text() }
