package hub

import (
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// keyMaterial passes a request for key material on to the provider of its target.
// Whether the target consents is for that provider to say, and so is whether the
// requester may add it for the Commit to show.
func (h *Hub) keyMaterial(now time.Time, in KeyMaterialRequest) error {
	req, target, err := h.readKeyMaterial(in.Body)
	if err != nil {
		return err
	}
	user, ok := userURI(req.RequestingUser)
	if !ok {
		return fail(Malformed, "key material: requestingUser %q, want the URI of a user", req.RequestingUser)
	}
	if user.Provider() != in.From {
		return fail(Forbidden, "key material: %v asks through %s, want its own provider", user, in.From)
	}
	if named, err := h.cfg.User(&req.RequesterCredential); err != nil || named != user {
		return fail(Forbidden, "key material: requesterCredential is not that of %v", user)
	}
	if err := req.Verify(h.groups.Suite); err != nil {
		return fail(Forbidden, "key material: %w", err)
	}
	if err := h.authenticate(now, &req.RequesterCredential, req.RequesterSignatureKey); err != nil {
		return fail(Forbidden, "key material: %w", err)
	}
	r, err := h.roomOf(req.RoomID)
	if err != nil {
		return err
	}
	if !r.mayAct(user) {
		return fail(Forbidden, "key material: %v is no participant of %v", user, r.uri)
	}
	h.out.Forward = &Forward{To: target.Provider(), Target: target, Body: in.Body}
	return nil
}

// readKeyMaterial reads a request and its target.
func (h *Hub) readKeyMaterial(body []byte) (*mimi.KeyMaterialRequest, ident.URI, error) {
	if err := checkBody(body); err != nil {
		return nil, ident.URI{}, err
	}
	req, err := mimi.ParseKeyMaterialRequest(body)
	if err != nil {
		return nil, ident.URI{}, fail(Malformed, "key material: %w", err)
	}
	if err := req.Check(); err != nil {
		return nil, ident.URI{}, fail(Malformed, "key material: %w", err)
	}
	target, ok := userURI(req.TargetUser)
	if !ok {
		return nil, ident.URI{}, fail(Malformed, "key material: targetUser %q, want the URI of a user", req.TargetUser)
	}
	return req, target, nil
}

// userURI returns the URI of a user or a pseudonym.
func userURI(u mimi.IdentifierURI) (ident.URI, bool) {
	v, err := u.Ident()
	return v, err == nil && (v.Kind() == ident.KindUser || v.Kind() == ident.KindPseudonym)
}

// roomOf returns the room that a body names.
func (h *Hub) roomOf(u mimi.IdentifierURI) (*chatRoom, error) {
	v, ok := u.Is(ident.KindRoom)
	if !ok {
		return nil, fail(Malformed, "room %q, want the URI of a room", u)
	}
	return h.room(v)
}

// keyMaterialAnswer remembers where the KeyPackages of a response came from, and
// hands the response on.
func (h *Hub) keyMaterialAnswer(now time.Time, in KeyMaterialResponse) error {
	_, target, err := h.readKeyMaterial(in.Request)
	if err != nil {
		return err
	}
	if err := checkBody(in.Body); err != nil {
		return err
	}
	resp, err := mimi.ParseKeyMaterialResponse(in.Body)
	if err != nil {
		return fail(Malformed, "key material: %w", err)
	}
	if err := resp.Check(); err != nil {
		return fail(Malformed, "key material: %w", err)
	}
	if user, ok := userURI(resp.UserURI); !ok || user != target {
		return fail(Malformed, "key material: response for %q, want %v", resp.UserURI, target)
	}
	var keys []*message.KeyPackage
	for i := range resp.Clients {
		if k := resp.Clients[i].KeyPackage; k != nil {
			keys = append(keys, k)
		}
	}
	refs, err := h.checkKeys(now, in.Provider, keys)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if user, _ := h.cfg.User(&k.LeafNode.Credential); user != target {
			return fail(Forbidden, "key material: a KeyPackage of %v, want %v", user, target)
		}
	}
	h.remember(now, in.Provider, refs, keys)
	h.out.Response = resp
	return nil
}

// granted remembers KeyPackages that came with a grant of consent.
func (h *Hub) granted(now time.Time, in GrantedKeyPackages) error {
	keys := make([]*message.KeyPackage, len(in.KeyPackages))
	for i := range in.KeyPackages {
		keys[i] = &in.KeyPackages[i]
	}
	refs, err := h.checkKeys(now, in.Provider, keys)
	if err != nil {
		return err
	}
	h.remember(now, in.Provider, refs, keys)
	return nil
}

// checkKeys checks KeyPackages that are to be remembered, and returns their
// references. A provider speaks for its own users alone: it could else draw the
// Welcomes of others to itself.
func (h *Hub) checkKeys(now time.Time, provider string, keys []*message.KeyPackage) ([]message.KeyPackageRef, error) {
	if len(keys) > maxKeys {
		return nil, fail(TooLarge, "key material: %d KeyPackages at once, want at most %d", len(keys), maxKeys)
	}
	if n := h.routes.of[provider]; n+len(keys) > h.cfg.KeyPackages {
		return nil, fail(TooLarge, "key material: %d KeyPackages beside %d of %s, want at most %d", len(keys), n, provider, h.cfg.KeyPackages)
	}
	refs := make([]message.KeyPackageRef, len(keys))
	before := make(map[string]bool, len(keys))
	for i, k := range keys {
		user, err := h.cfg.User(&k.LeafNode.Credential)
		if err != nil {
			return nil, fail(Malformed, "key material: KeyPackage %d: %w", i, err)
		}
		if user.Provider() != provider {
			return nil, fail(Forbidden, "key material: %s has a KeyPackage of %v", provider, user)
		}
		if k.Suite != h.groups.Suite.ID() {
			return nil, fail(Malformed, "key material: KeyPackage %d of suite %d, want %d", i, k.Suite, h.groups.Suite.ID())
		}
		if notAfter(k) < now.UnixMilli() {
			return nil, fail(Malformed, "key material: KeyPackage %d has expired", i)
		}
		if refs[i], err = k.Ref(h.groups.Suite); err != nil {
			return nil, fail(Malformed, "key material: KeyPackage %d: %w", i, err)
		}
		if before[string(refs[i])] {
			return nil, fail(Malformed, "key material: KeyPackage %d is there twice", i)
		}
		before[string(refs[i])] = true
	}
	return refs, nil
}
