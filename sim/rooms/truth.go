package rooms

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// truth follows one room beside its hub: an MLS group of its own, which takes what the
// hub has accepted and made durable, and who was in it when. It is what the checks
// compare with.
type truth struct {
	w     *World
	room  ident.URI
	cfg   *mls.Config
	group *mls.PublicGroup // nil until the room is made
	last  uint64           // the timestamp of the last event

	members  map[tree.LeafIndex]*stay
	stays    map[string][]*stay // by device, in order
	accepted []*acceptance
	// away are the times in which a provider that was there had no client in the group.
	away map[string][]span

	wishes map[string][]*wish // of each device, in order
	sealed map[string]*wish   // whose message a ciphertext is
	report func(c Check, node, format string, args ...any)
}

// stay is a client's leaf from the epoch that it came with to the one that it was not in.
type stay struct {
	device            string
	from, to          uint64
	since, until      uint64 // the timestamps of the Commits
	welcomed, outside bool   // how it came
}

// never is the end of what goes on.
const never = math.MaxUint64

// span is a time between two timestamps.
type span struct{ from, to uint64 }

// acceptance is a message that the hub has accepted.
type acceptance struct {
	wish     *wish  // of whom, nil if nobody's
	epoch    uint64 // of the message
	hubEpoch uint64
	at       uint64 // timestamp
	when     des.Time
	// held are the users whom the hub was free to keep it from, or those who may not
	// read.
	listed map[string]bool
}

// wish is an intention that a device has, and what became of it.
type wish struct {
	device  *Device
	id      uint64
	in      member.Input
	at      des.Time
	text    string       // of a message
	outcome member.Event // nil as long as there is none
}

func newTruth(w *World, uri ident.URI, s *mls.Config) *truth {
	cfg := *s
	cfg.Points = &mimi.DefaultCodePoints.MLS
	cfg.PublicHandshake = true
	cfg.Components = room.DefaultPoints.MLSComponents()
	agent := func(_ []byte, updates [][]byte) ([]byte, error) { return updates[0], nil }
	cfg.Components[mimi.DefaultCodePoints.FrankingAgent] = mls.Component{Update: agent}
	cfg.Components[mimi.DefaultCodePoints.FrankAAD] = mls.Component{SafeAAD: true}
	cfg.Authenticate = func(*message.Credential, []byte, mls.Where) error { return nil }
	return &truth{
		w: w, room: uri, cfg: &cfg, members: make(map[tree.LeafIndex]*stay), stays: make(map[string][]*stay),
		away: make(map[string][]span), wishes: make(map[string][]*wish), sealed: make(map[string]*wish),
	}
}

// hub takes what a hub has accepted, as soon as it is durable. What has changed nothing
// is an answer that was given before.
func (t *truth) hub(p *Provider, in hub.Input, out *hub.Output) {
	if p.Domain != t.room.Provider() || len(out.Persist) == 0 {
		return
	}
	var err error
	switch in := in.(type) {
	case hub.CreateRoom:
		err = t.create(in)
	case hub.UpdateRequest:
		if r, ok := out.Response.(*mimi.UpdateRoomResponse); ok && r.ResponseCode == mimi.UpdateSuccess {
			err = t.update(in, r.AcceptedTimestamp, out)
		}
	case hub.SubmitMessageRequest:
		if r, ok := out.Response.(*mimi.SubmitMessageResponse); ok && r.StatusCode == mimi.SubmitAccepted {
			err = t.submit(in, r.AcceptedTimestamp)
		}
	}
	if err != nil {
		t.report(CheckFork, p.Domain, "accepted %T: %v", in, err)
	}
}

func (t *truth) create(in hub.CreateRoom) (err error) {
	if t.group, err = mls.NewPublicGroup(t.cfg, t.w.Time(), in.GroupInfo, bytes.Clone(in.RatchetTree)); err != nil {
		return err
	}
	for i := range t.group.Tree().All() {
		t.come(i, 0, &stay{})
	}
	return nil
}

// come notes a client that is new in the group.
func (t *truth) come(i tree.LeafIndex, at uint64, x *stay) {
	c, _ := t.group.Tree().Credential(i)
	uri, _ := ident.ParseURI(string(c.Identity))
	x.device = t.w.device(uri).Name
	x.from, x.to, x.since, x.until = t.group.Epoch(), never, at, never
	t.members[i] = x
	t.stays[x.device] = append(t.stays[x.device], x)
}

// update takes a Commit or proposals.
func (t *truth) update(in hub.UpdateRequest, at uint64, out *hub.Output) error {
	req, err := mimi.ParseUpdateRequest(in.Body, nil)
	if err != nil {
		return err
	}
	if at <= t.last {
		return fmt.Errorf("at %d, after an event at %d", at, t.last)
	}
	t.last = at
	if req.Bundle.Type() == message.ContentCommit {
		if err := t.commit(req.Bundle.ProposalOrCommit.Public, at); err != nil {
			return err
		}
	} else {
		t.w.counts.Proposals++
	}
	// What waits for a Commit now are the proposals of the request, or those that the hub
	// has made again after a Commit from outside.
	for _, r := range out.Persist {
		if strings.Contains(r.Key, "/pending/") && r.Value != nil {
			if err := t.pending(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// pending takes a proposal that waits, out of the hub's record of it.
func (t *truth) pending(rec protocols.Record) error {
	r := wire.NewReader(rec.Value)
	r.Uint8()
	m := t.cfg.Points.Message(r)
	if err := r.Err(); err != nil {
		return err
	}
	p, err := t.group.CheckProposal(t.w.Time(), m.Public)
	if err != nil {
		return err
	}
	return t.group.Keep(p)
}

func (t *truth) commit(m *message.PublicMessage, at uint64) error {
	if m.Content.Epoch != t.group.Epoch() {
		return fmt.Errorf("commit of epoch %d, the room is at %d", m.Content.Epoch, t.group.Epoch())
	}
	ev, err := t.group.Stage(t.w.Time(), m)
	if err != nil {
		return err
	}
	s, ok := ev.(*mls.Staged)
	if !ok {
		return fmt.Errorf("a %T", ev)
	}
	before := t.providers()
	if err := t.group.Merge(s); err != nil {
		return err
	}
	t.w.counts.Commits++
	for _, i := range s.RemovedLeaves() {
		x := t.members[i]
		x.to, x.until = t.group.Epoch(), at
		delete(t.members, i)
		t.w.counts.Removals++
	}
	for _, i := range s.Added() {
		t.come(i, at, &stay{welcomed: true})
		t.w.counts.Welcomes++
	}
	if s.Committer().Type == message.SenderNewMemberCommit {
		t.come(s.Leaf(), at, &stay{outside: true})
		t.w.counts.Joins++
	}
	after := t.providers()
	for d := range before {
		if !after[d] {
			t.away[d] = append(t.away[d], span{at, never})
		}
	}
	for d := range after {
		if list := t.away[d]; len(list) > 0 && list[len(list)-1].to == never {
			list[len(list)-1].to = at
		}
	}
	return nil
}

// providers returns those with a client in the group.
func (t *truth) providers() map[string]bool {
	all := make(map[string]bool)
	for _, x := range t.members {
		all[t.w.devices[x.device].provider.Domain] = true
	}
	return all
}

// submit takes a message.
func (t *truth) submit(in hub.SubmitMessageRequest, at uint64) error {
	req, err := mimi.ParseSubmitMessageRequest(in.Body)
	if err != nil {
		return err
	}
	if at <= t.last {
		return fmt.Errorf("at %d, after an event at %d", at, t.last)
	}
	t.last = at
	a := &acceptance{
		wish: t.sealed[string(req.AppMessage.Ciphertext)], epoch: req.AppMessage.Epoch, hubEpoch: t.group.Epoch(), at: at, when: t.w.Now(),
	}
	t.w.counts.Messages++
	if a.epoch < a.hubEpoch {
		t.w.counts.Late++
	}
	if a.wish == nil {
		return fmt.Errorf("message at %d of nobody", at)
	}
	// Those who read are on the participant list, with the proposals applied that wait for
	// a Commit (Update Room State).
	data, _, err := t.group.PendingComponentData(room.DefaultPoints.ParticipantList)
	if err != nil {
		return err
	}
	var list room.ParticipantListData
	if err := wire.Unmarshal(data, &list); err != nil {
		return err
	}
	a.listed = make(map[string]bool, len(list.Participants))
	for _, p := range list.Participants {
		if p.Role != room.RoleBanned {
			a.listed[p.User] = true
		}
	}
	t.accepted = append(t.accepted, a)
	return nil
}

// device takes what a device has done, as soon as it is durable.
func (t *truth) device(d *Device, in member.Input, out *member.Output) {
	if out.ID != 0 {
		if _, shell := in.(member.Wake); !shell {
			t.wish(d, in, out.ID)
		}
	}
	for _, e := range out.Events {
		id := member.Outcome(e)
		for _, v := range t.wishes[d.Name] {
			if v.id != id || id == 0 {
				continue
			}
			v.outcome = e
		}
	}
	for _, c := range out.Calls {
		r, ok := c.Body.(*mimi.SubmitMessageRequest)
		if !ok {
			continue
		}
		if _, known := t.sealed[string(r.AppMessage.Ciphertext)]; known {
			continue // asked again
		}
		// A room works on one intention at a time, in their order.
		i := slices.IndexFunc(t.wishes[d.Name], func(v *wish) bool { return v.text != "" && v.outcome == nil })
		if i >= 0 {
			t.sealed[string(r.AppMessage.Ciphertext)] = t.wishes[d.Name][i]
		}
	}
}

// wish notes an intention.
func (t *truth) wish(d *Device, in member.Input, id uint64) {
	v := &wish{device: d, id: id, in: in, at: t.w.Now()}
	switch in := in.(type) {
	case member.Send:
		v.text, _ = in.Message.Body.PlainText()
	case member.AddUser, member.RemoveUser, member.Ban, member.ChangeRole, member.SetMetadata, member.SetComponent,
		member.CreateRoom, member.Leave, member.Join, member.CommitPending, member.Report, member.Consent, member.FindUsers:
	default:
		return
	}
	t.wishes[d.Name] = append(t.wishes[d.Name], v)
}
