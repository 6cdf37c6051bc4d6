package hub

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// TestRandomRooms lets users of five providers do what they like, over a network that
// loses requests to notify and hubs that crash. In the end everybody who is in the
// room sees the same, has read what was accepted while it was there once and in
// order, and a hub that is restored after each step has done the same.
func TestRandomRooms(t *testing.T) {
	t.Parallel()
	seeds := uint64(10)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			log := randomRoom(t, seed, false)
			if again := randomRoom(t, seed, true); again != log {
				t.Errorf("restored hubs do something else: %s", firstDifference(log, again))
			}
		})
	}
}

// randomWorld is a world in which things happen at random.
type randomWorld struct {
	*world
	*rand.Rand
	t testing.TB
	// expect are the texts that each client is to read.
	expect map[string][]string
	since  map[string]uint64 // the clients in the group
	log    strings.Builder
	texts  int
}

func randomRoom(t testing.TB, seed uint64, restart bool) string {
	w := &randomWorld{world: newWorld(nil), Rand: rand.New(rand.NewPCG(seed, 1)), t: t, expect: make(map[string][]string), since: make(map[string]uint64)}
	w.restart = restart
	for _, name := range []string{"alice/A1", "alice/A2", "bob/B1", "bob/B2", "cathy/C1", "dora/D1", "eve/E1", "berta/B1"} {
		w.client(name)
	}
	if _, err := w.create(w.client("alice/A1")); err != nil {
		t.Fatal(err)
	}
	for range 120 {
		w.act()
		w.now = w.now.Add(time.Duration(w.IntN(1500)) * time.Millisecond)
		if w.IntN(3) == 0 {
			w.network()
		}
	}
	w.settle()
	w.agree(t)
	for name, want := range w.expect {
		if got := w.client(name).got; !slices.Equal(got, want) {
			t.Errorf("seed %d: %s read\n %q, want\n %q", seed, name, got, want)
		}
	}
	return w.log.String()
}

// settle delivers everything.
func (w *randomWorld) settle() {
	for range 1000 {
		if len(w.flying) == 0 && len(w.hub.Backlogs()) == 0 {
			return
		}
		w.quiet(w.t)
		w.now = w.now.Add(10 * time.Second)
		must(w.step(Wake{}))
	}
	w.t.Fatalf("not delivered: %+v", w.hub.Backlogs())
}

// network answers a request to notify in one way or another.
func (w *randomWorld) network() {
	must(w.step(Wake{}))
	if w.IntN(25) == 0 { // a crash
		w.flying = nil
		w.restore()
		must(w.step(Resume{}))
		return
	}
	w.track()
	if len(w.flying) == 0 {
		return
	}
	i := w.IntN(len(w.flying))
	s := w.flying[i]
	w.flying = slices.Delete(w.flying, i, i+1)
	kind := w.IntN(4)
	if kind != 0 { // it arrives
		if err := w.receive(s); err != nil {
			w.t.Fatalf("%s: %v\n%s", s.To, err, w.log.String())
		}
	}
	if kind < 2 { // the answer does not, or is no
		w.flight(DeliveryFailed{s.Room, s.To, s.Last, time.Duration(w.IntN(3)) * time.Second})
		return
	}
	w.flight(Delivered{s.Room, s.To, s.Last})
}

func (w *randomWorld) flight(in Input) { w.note(fmt.Sprintf("%T", in), must(w.step(in)), nil) }

// note logs what a step did.
func (w *randomWorld) note(what string, out Output, err error) {
	fmt.Fprintf(&w.log, "%v %v", what, err)
	switch r := out.Response.(type) {
	case *mimi.UpdateRoomResponse:
		fmt.Fprintf(&w.log, " %v %d", r.ResponseCode, r.AcceptedTimestamp)
	case *mimi.SubmitMessageResponse:
		fmt.Fprintf(&w.log, " %v %d", r.StatusCode, r.AcceptedTimestamp)
	}
	fmt.Fprintf(&w.log, " %v %d records %v", out.Refused, len(out.Persist), out.WakeAt)
	for _, s := range out.Sends {
		fmt.Fprintf(&w.log, " %s..%d(%d)", s.To, s.Last, len(s.Body))
	}
	fmt.Fprintln(&w.log)
}

// members returns the clients that believe to be in the group.
func (w *randomWorld) members() (list []*client) {
	for _, c := range w.sorted() {
		if c.group != nil && !c.group.Removed() {
			list = append(list, c)
		}
	}
	return list
}

// act lets a client do something.
func (w *randomWorld) act() {
	members := w.members()
	c := members[w.IntN(len(members))]
	if w.IntN(3) > 0 && c.group.Epoch() != w.hub.rooms[clubhouse].group.Epoch() {
		w.catchUp(c.provider())
		if c.group.Removed() {
			return
		}
	}
	w.track()
	users := []string{"alice", "bob", "cathy", "dora", "eve", "berta"}
	user := users[w.IntN(len(users))]
	name := c.user.Segments()[0]
	_, listed := c.state().Find("mimi://" + user[:1] + ".example/u/" + user)
	switch w.IntN(12) {
	case 0, 1, 2, 3:
		w.say(c)
	case 4, 5:
		if listed {
			return
		}
		keys, err := w.keyMaterial(c, user)
		if err != nil {
			return // who asks is no participant any more
		}
		list := []message.Proposal{c.participants(fmt.Sprintf("+%s:%d", user, 2+w.IntN(2)))}
		for _, k := range keys {
			list = append(list, mls.AddProposal(k))
		}
		w.tryCommit(c, list...)
	case 6:
		if user != name && listed {
			list := []message.Proposal{c.participants([]string{"-" + user, user + ":1"}[w.IntN(2)])}
			for _, leaf := range c.leaves(user) {
				list = append(list, mls.RemoveProposal(leaf))
			}
			w.tryCommit(c, list...)
		}
	case 7:
		w.tryCommit(c)
	case 8:
		if name != "alice" {
			if _, in := c.state().Find(c.user.String()); in {
				out, err := w.leave(c)
				w.note("leave", out, err)
			}
		}
	case 9:
		out, err := w.propose(c, c.cfg.SelfRemoveProposal())
		w.note("selfremove", out, err)
	case 10:
		before := c.group.State()
		b, err := c.group.ProposeUpdate(w.now, mls.LeafChange{}, mls.SendOptions{})
		if err != nil {
			return
		}
		out, err := w.update(c.provider(), &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{ProposalOrCommit: *must(message.Parse(b, nil))}})
		w.note("update", out, err)
		if !took(out, err) {
			c.group = must(mls.Restore(c.cfg, before))
		}
	case 11:
		w.comeBack()
	}
}

// comeBack lets a client that is not in the group join from outside.
func (w *randomWorld) comeBack() {
	all := w.sorted()
	c := all[w.IntN(len(all))]
	w.catchUp(c.provider()) // a Welcome may be on its way
	if c.group != nil && !c.group.Removed() {
		return
	}
	info, out, err := w.groupInfo(c, "sesame")
	w.note("groupInfo", out, err)
	if info == nil {
		return
	}
	var list []message.Proposal
	view := &client{cfg: c.cfg, group: nil}
	for _, m := range w.members() {
		if m.group.Epoch() == info.GroupInfo.Context.Epoch {
			view.group = m.group
		}
	}
	if view.group == nil {
		return
	}
	if _, listed := view.state().Find(c.user.String()); !listed {
		list = append(list, view.participants("+"+c.user.Segments()[0]+":2"))
	}
	out, err = w.join(c, info, list...)
	w.note("join", out, err)
}

// catchUp delivers what a provider has not got, whatever stands against it.
func (w *randomWorld) catchUp(provider string) {
	for range 100 {
		if !slices.ContainsFunc(w.hub.Backlogs(), func(b Backlog) bool { return b.To == provider }) {
			return
		}
		if err := w.deliver(provider); err != nil {
			w.t.Fatalf("%s: %v\n%s", provider, err, w.log.String())
		}
		w.now = w.now.Add(5 * time.Second)
		must(w.step(Wake{}))
	}
	w.t.Fatalf("%s does not catch up: %+v", provider, w.hub.Backlogs())
}

// say sends a message, which those who may read it are to read.
func (w *randomWorld) say(c *client) {
	w.texts++
	text := fmt.Sprintf("m%d", w.texts)
	if len(c.group.Proposals()) > 0 {
		return // it would have to commit first
	}
	out, err := w.send(c, text)
	w.note("send", out, err)
	if r, ok := out.Response.(*mimi.SubmitMessageResponse); !ok || err != nil || r.StatusCode != mimi.SubmitAccepted {
		return
	}
	r := w.hub.rooms[clubhouse]
	w.track()
	for _, o := range w.sorted() {
		// The hub decides for providers, and not for their clients.
		if since, in := w.since[o.name]; in && o != c && since <= c.group.Epoch() && slices.Contains(r.applicationTargets(""), o.provider()) {
			w.expect[o.name] = append(w.expect[o.name], text)
		}
	}
}

// track notes since which epoch each client has been in the group.
func (w *randomWorld) track() {
	g := w.hub.rooms[clubhouse].group
	in := make(map[string]bool)
	for _, leaf := range g.Tree().All() {
		_, name, _ := strings.Cut(string(leaf.Credential.Identity), "/d/")
		in[name] = true
		if _, was := w.since[name]; !was {
			w.since[name] = g.Epoch()
		}
	}
	for name := range w.since {
		if !in[name] {
			delete(w.since, name)
		}
	}
}

// tryCommit commits what waits and more, and catches up if it was late.
func (w *randomWorld) tryCommit(c *client, list ...message.Proposal) {
	out, err := w.commit(c, mls.CommitOptions{Proposals: list})
	w.note("commit", out, err)
	if r, ok := out.Response.(*mimi.UpdateRoomResponse); ok && r.ResponseCode == mimi.UpdateWrongEpoch {
		w.catchUp(c.provider())
	}
}
