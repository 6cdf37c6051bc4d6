package hub

import (
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// propose sends proposals of the hub: "The hub provider also fans out any messages
// which originate from itself (ex: MLS External Proposals)"
// (draft-ietf-mimi-protocol-06, Fanout Messages and Room Events). They are held to
// the room's policy like those of others.
func (h *Hub) propose(now time.Time, in Propose) error {
	r, err := h.room(in.Room)
	if err != nil {
		return err
	}
	if len(in.Proposals) == 0 {
		return fail(Malformed, "propose in %v: no proposals", in.Room)
	}
	if len(in.Proposals)+len(r.pending) > maxProposals {
		return fail(TooLarge, "propose in %v: %d proposals beside %d, want at most %d", in.Room, len(in.Proposals), len(r.pending), maxProposals)
	}
	all := make([]*message.PublicMessage, len(in.Proposals))
	for i := range in.Proposals {
		if all[i], err = h.external(r, in.Proposals[i]); err != nil {
			return fail(Malformed, "propose in %v: %w", in.Room, err)
		}
	}
	u := update{h: h, room: r, from: h.cfg.Domain, now: now}
	if _, err := u.authenticated(all[0]); err != nil {
		return fail(Forbidden, "propose in %v: %w", in.Room, err)
	}
	received, err := u.checkAll(all)
	if err != nil {
		return fail(Conflict, "propose in %v: %w", in.Room, err)
	}
	next, err := u.authorize(received)
	if err != nil {
		return fail(Forbidden, "propose in %v: %w", in.Room, err)
	}
	at := r.accept(now)
	for i, p := range received {
		if err := r.group.Keep(p); err != nil {
			panic(fmt.Sprintf("hub: invariant broken, a checked proposal can be kept: %v", err))
		}
		h.addPending(r, pendingProposal{message.Message{Public: all[i]}, at, nil})
	}
	r.setState(next)
	h.putGroup(r)
	f := mimi.FanoutMessage{Timestamp: at, Message: message.Message{Public: all[0]}}
	for _, m := range all[1:] {
		f.MoreProposals = append(f.MoreProposals, message.Message{Public: m})
	}
	h.publish(r, fanoutMessage(&f), r.others(""))
	h.put(r.key+"head", r.marshalHead())
	return nil
}

// external returns a proposal of the hub in the current epoch.
func (h *Hub) external(r *chatRoom, p message.Proposal) (*message.PublicMessage, error) {
	return r.group.FrameExternal(h.cfg.Identity, p, mls.SendOptions{})
}

// repropose proposes again what an external Commit left in the air. What the Commit
// has made impossible is left out: nobody was promised more. It returns the messages
// to be stapled to the Commit.
func (h *Hub) repropose(r *chatRoom, now time.Time, at uint64, list []message.Proposal) []message.Message {
	u := update{h: h, room: r, now: now}
	var all []*message.PublicMessage
	for i := range list {
		if m, err := h.external(r, list[i]); err == nil {
			all = append(all, m)
		}
	}
	return u.repropose(all, at)
}

// repropose takes proposals of the hub together if it can, since one may be allowed
// only beside another, as the removal of a client is beside that of its user. Else it
// tries them by halves.
func (u *update) repropose(all []*message.PublicMessage, at uint64) (out []message.Message) {
	if len(all) == 0 {
		return nil
	}
	received, err := u.checkAll(all)
	if err == nil {
		var next policy
		if next, err = u.authorize(received); err == nil {
			u.room.setState(next)
		}
	}
	if err != nil {
		if len(all) == 1 {
			return nil
		}
		half := len(all) / 2
		return append(u.repropose(all[:half], at), u.repropose(all[half:], at)...)
	}
	for i, p := range received {
		if err := u.room.group.Keep(p); err != nil {
			panic(fmt.Sprintf("hub: invariant broken, a checked proposal can be kept: %v", err))
		}
		m := message.Message{Public: all[i]}
		u.h.addPending(u.room, pendingProposal{m, at, nil})
		out = append(out, m)
	}
	return out
}
