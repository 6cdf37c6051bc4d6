package hub

import (
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// groupInfo answers a client that wants to join from outside
// (draft-ietf-mimi-protocol-06, Claim group key information).
func (h *Hub) groupInfo(now time.Time, in GroupInfoRequest) error {
	if err := checkBody(in.Body); err != nil {
		return err
	}
	req, err := mimi.ParseGroupInfoRequest(in.Body)
	if err != nil {
		return fail(Malformed, "groupInfo: %w", err)
	}
	refuse := func(code mimi.GroupInfoCode, err error) {
		h.out.Response, h.out.Refused = &mimi.GroupInfoResponse{RoomID: mimi.URI(in.Room), Status: code}, err
	}
	r := h.rooms[in.Room]
	if r == nil {
		refuse(mimi.GroupInfoNoSuchRoom, fmt.Errorf("no room %v", in.Room))
		return nil
	}
	user, byCode, err := h.mayJoin(now, r, in.From, req)
	if err != nil {
		refuse(mimi.GroupInfoNotAuthorized, err)
		return nil
	}
	content := &mimi.GroupInfoRatchetTreeTBE{
		GroupInfo: r.info.full(r.group.Context()), RatchetTreeOption: r.treeOption(),
	}
	for i := range r.pending {
		p := &r.pending[i]
		content.PendingProposals = append(content.PendingProposals, mimi.PendingProposal{Proposal: p.message, HubAcceptedTime: p.time})
	}
	self := message.ExternalSender{SignatureKey: h.cfg.Identity.Signer.Public, Credential: h.cfg.Identity.Credential}
	resp, err := mimi.NewGroupInfoResponse(h.groups.Suite, req, r.name(), content, self, h.cfg.Identity.Signer.Private)
	if err != nil {
		return fail(Malformed, "groupInfo: %w", err)
	}
	if byCode {
		// "This user identity is used by the hub to correlate this request with the
		// subsequent external commit."
		h.expireJoins(r, now.UnixMilli())
		until := now.Add(h.cfg.JoinWindow).UnixMilli()
		r.joins[user] = until
		h.put(r.joinKey(user), marshalTime(until))
	}
	h.out.Response = resp
	return nil
}

// maxJoins bounds the users of a room who may join by a code and have not yet, and
// maxJoinsOf those of one provider, which has as many as it likes.
const (
	maxJoins   = 4096
	maxJoinsOf = 256
)

// mayJoin returns the user who asks, and whether it is a joining code that lets it.
func (h *Hub) mayJoin(now time.Time, r *chatRoom, from string, req *mimi.GroupInfoRequest) (u ident.URI, byCode bool, err error) {
	if u, err = h.cfg.User(&req.RequestingCredential); err != nil {
		return u, false, err
	}
	if u.Provider() != from {
		return u, false, fmt.Errorf("request of %v through %s, want its own provider", u, from)
	}
	if err := req.Verify(h.groups.Suite); err != nil {
		return u, false, err
	}
	if err := h.authenticate(now, &req.RequestingCredential, req.RequestingSignatureKey); err != nil {
		return u, false, err
	}
	a := h.roomActor(&actor{user: u, origin: room.FromNewMemberCommit, credential: &req.RequestingCredential})
	if err := r.state.mayJoin(a); err == nil || len(req.JoiningCode) == 0 {
		return u, false, err
	}
	if err := r.state.opens(req.JoiningCode); err != nil {
		return u, false, err
	}
	a.JoinCode = &room.JoinCode{}
	if err := r.state.mayJoin(a); err != nil {
		return u, false, err
	}
	about, of := 0, 0
	for other, until := range r.joins {
		if until >= now.UnixMilli() && other != u {
			about++
			if other.Provider() == from {
				of++
			}
		}
	}
	if about >= maxJoins || of >= maxJoinsOf {
		return u, false, fmt.Errorf("%d users are about to join by a code, %d of them of %s, want fewer than %d and %d", about, of, from, maxJoins, maxJoinsOf)
	}
	return u, true, nil
}
