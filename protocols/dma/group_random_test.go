package dma

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestGroupRandom: users come, go, write, crash and lose their connections, and frames are
// lost, doubled and come out of order. Whoever was a member when the gatekeeper accepted a
// message, and stayed, reads it once; who was none can't, whatever keys it kept.
func TestGroupRandom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newGroupWorld(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"":              func(*rapid.T) {},
			"deliver":       w.deliver,
			"deliver more":  w.deliver,
			"deliver many":  w.deliverMany,
			"lose":          w.lose,
			"double":        w.double,
			"write":         w.write,
			"write more":    w.write,
			"add":           w.addSome,
			"remove":        w.removeSome,
			"leave":         w.leave,
			"connect":       w.reconnect,
			"disconnect":    w.cut,
			"crash":         w.crashDevice,
			"crash at send": w.crashAtSend,
			"crash server":  w.crashServer,
			"time":          func(*rapid.T) { w.time() },
		})
		w.settle()
		w.judge()
	})
}

// groupWorld is a party under bad conditions, and what is to be right about it.
type groupWorld struct {
	*party
	names   []string
	byAddr  map[ident.Address]string
	texts   map[string]string                        // by sender and ID
	routed  map[string]map[string]bool               // who was a member when a text was accepted, and is since
	stays   map[string]map[string]bool               // of them, who has stayed
	sealed  map[string]sealedText                    // as it was accepted
	members map[string]bool                          // at the gatekeeper
	ghosts  map[string][]protocols.HostedGroupClient // of who is no member, from when it ceased to be one
	left    map[string]bool                          // who ever ceased to be one
}

type sealedText struct {
	from ident.Address
	enc  stanza.Enc
}

func newGroupWorld(rt *rapid.T) *groupWorld {
	cfg := GatekeeperConfig{Native: ident.User, Reach: DefaultOn, Window: 1, ResendAfter: time.Second, RefillBelow: 3}
	gk, err := NewGatekeeper(cfg)
	if err != nil {
		rt.Fatal(err)
	}
	w := &groupWorld{
		party: &party{network: newNetworkOf(rt, cfg, gk)}, names: []string{"alice", "bob", "pia", "pat", "carol"},
		byAddr: map[ident.Address]string{}, texts: map[string]string{}, routed: map[string]map[string]bool{}, stays: map[string]map[string]bool{},
		sealed: map[string]sealedText{}, members: map[string]bool{}, ghosts: map[string][]protocols.HostedGroupClient{}, left: map[string]bool{},
	}
	w.set = func(c *DeviceConfig) { c.Window, c.ResendAfter = 1, time.Second }
	for _, name := range w.names {
		d := w.user(name)
		w.byAddr[d.addr] = name
	}
	w.stepped = w.observe
	w.group = w.create("alice", w.addresses([]string{"bob", "pia"})...)
	return w
}

// observe notes what the gatekeeper did.
func (w *groupWorld) observe(out Output) {
	now := map[string]bool{}
	for _, gr := range w.gk.groups {
		w.group = gr.addr
		for a := range gr.members {
			now[w.byAddr[a]] = true
		}
	}
	for _, e := range out.Events {
		if e.Kind != Routed || e.Group.IsZero() {
			continue
		}
		text := w.texts[e.Peer.String()+e.ID]
		to := w.byAddr[e.Account]
		entry := w.gk.accounts[e.Account].find(messageEntry, e.Group, e.Peer, e.ID, "")
		m := mustMessage(w.t, entry.frame)
		if m.Enc[0].Count > 0 {
			if !w.routed[text][to] {
				w.t.Fatalf("%q was sent again to %s, who was no member", text, to)
			}
			continue
		}
		if w.routed[text] == nil {
			w.routed[text], w.stays[text] = map[string]bool{}, map[string]bool{}
			w.sealed[text] = sealedText{e.Peer, m.Enc[0]}
		} else if w.routed[text][to] {
			w.t.Fatalf("%q was accepted for %s twice", text, to)
		}
		w.routed[text][to], w.stays[text][to] = true, true
		for name, ghosts := range w.ghosts {
			for _, g := range ghosts {
				w.cannotOpen("who was removed, "+name, g, text)
			}
		}
	}
	for _, name := range w.names {
		switch {
		case now[name]:
			delete(w.ghosts, name)
		case w.members[name]:
			w.ghosts[name] = append(w.ghosts[name], w.ghost(name))
			w.left[name] = true
			for _, stays := range w.stays {
				delete(stays, name)
			}
		}
	}
	w.members = now
}

func mustMessage(t tb, frame []byte) *stanza.Message {
	t.Helper()
	s, err := parseFrame(frame)
	m, ok := s.(*stanza.Message)
	if err != nil || !ok {
		t.Fatalf("frame with %T, %v, want a message", s, err)
	}
	return m
}

// cannotOpen demands that a client does not read what was sealed for others.
func (w *groupWorld) cannotOpen(who string, c protocols.HostedGroupClient, text string) {
	w.t.Helper()
	s := w.sealed[text]
	o, err := c.OpenGroup(w.now, protocols.GroupID(w.group.String()), protocols.Address(s.from.String()), sealedOf(&s.enc))
	if err == nil && o.Plaintext != nil {
		w.t.Fatalf("%s can read %q", who, text)
	}
}

func (w *groupWorld) some(rt *rapid.T) *node {
	return w.devices[rapid.SampledFrom(w.names).Draw(rt, "who")]
}

func (w *groupWorld) takeFrame(rt *rapid.T) func() {
	if len(w.frames) == 0 {
		rt.Skip("nothing is under way")
	}
	// Near the front mostly, or hardly anything would come to an end.
	i := min(rapid.IntRange(0, len(w.frames)-1).Draw(rt, "frame"), rapid.IntRange(0, len(w.frames)-1).Draw(rt, "or frame"))
	f := w.frames[i]
	w.frames = slices.Delete(w.frames, i, i+1)
	return f
}

func (w *groupWorld) deliver(rt *rapid.T) { w.takeFrame(rt)() }

func (w *groupWorld) deliverMany(rt *rapid.T) {
	for range rapid.IntRange(1, 30).Draw(rt, "frames") {
		if len(w.frames) > 0 {
			w.takeFrame(rt)()
		}
	}
}

func (w *groupWorld) lose(rt *rapid.T) { w.takeFrame(rt) }

func (w *groupWorld) double(rt *rapid.T) {
	f := w.takeFrame(rt)
	w.frames = append(w.frames, f)
	f()
}

func (w *groupWorld) write(rt *rapid.T) {
	d := w.some(rt)
	if d.dev.groups[w.group] == nil {
		return
	}
	text := fmt.Sprintf("%d of %s", len(w.texts), d.name)
	id := w.step(d, Compose{To: w.group, Content: Content{Kind: Text, Text: text}}).ID
	w.texts[d.addr.String()+id] = text
}

func (w *groupWorld) addSome(rt *rapid.T) {
	if d := w.some(rt); d.dev.groups[w.group] != nil {
		if other := w.some(rt); other != d {
			w.step(d, AddMembers{w.group, []ident.Address{other.addr}})
		}
	}
}

func (w *groupWorld) removeSome(rt *rapid.T) {
	if d := w.some(rt); d.dev.groups[w.group] != nil {
		if other := w.some(rt); other != d {
			w.step(d, RemoveMembers{w.group, []ident.Address{other.addr}})
		}
	}
}

func (w *groupWorld) leave(rt *rapid.T) {
	if d := w.some(rt); d.dev.groups[w.group] != nil && len(w.members) > 2 {
		w.step(d, LeaveGroup{w.group})
	}
}

func (w *groupWorld) cut(rt *rapid.T) { w.cutOff(w.some(rt)) }

func (w *groupWorld) cutOff(d *node) {
	if d.conn != 0 {
		w.gatekeeper(Disconnect{Conn: d.conn})
		w.step(d, Disconnect{Conn: d.conn})
		d.conn = 0
	}
}

func (w *groupWorld) reconnect(rt *rapid.T) { w.join(w.some(rt)) }

func (w *groupWorld) join(d *node) {
	w.cutOff(d)
	w.conns++
	d.conn = w.conns
	w.gatekeeper(Connect{Conn: d.conn, Account: d.addr})
	w.step(d, Connect{Conn: d.conn})
}

func (w *groupWorld) crashDevice(rt *rapid.T) { w.crash(w.some(rt)) }

// crashAtSend is a crash between what a step writes and what it sends.
func (w *groupWorld) crashAtSend(rt *rapid.T) {
	d := w.some(rt)
	f := w.takeFrame(rt)
	before := len(w.frames)
	f()
	w.frames = w.frames[:min(before, len(w.frames))]
	w.crash(d)
}

func (w *groupWorld) crashServer(rt *rapid.T) {
	if rapid.IntRange(0, 3).Draw(rt, "rarely") == 0 {
		w.crashGatekeeper()
	}
}

func (w *groupWorld) time() {
	w.now = w.now.Add(1500 * time.Millisecond)
	w.gatekeeper(Wake{})
	for _, name := range w.names {
		w.step(w.devices[name], Wake{})
	}
}

// settle lets everything come to an end over a good line.
func (w *groupWorld) settle() {
	for range 30 {
		for _, name := range w.names {
			if w.devices[name].conn == 0 {
				w.join(w.devices[name])
			}
		}
		w.run()
		w.time()
		w.run()
	}
}

// judge demands what is to be right at the end.
func (w *groupWorld) judge() {
	log := strings.Join(w.events, "\n")
	for _, name := range w.names {
		d := w.devices[name]
		if out, sent := d.dev.Waiting(); out+sent != 0 {
			w.t.Fatalf("%s still waits for %d acks and %d receipts\n%s", name, out, sent, log)
		}
		if box := w.gk.accounts[d.addr].box; len(box) != 0 {
			w.t.Fatalf("%d entries still wait for %s, the first %+v\n%s", len(box), name, *box[0], log)
		}
		if gr := d.dev.groups[w.group]; (gr != nil) != w.members[name] || gr != nil && gr.hash != w.gk.groups[w.group].phash() {
			w.t.Fatalf("%s knows other members than the gatekeeper\n%s", name, log)
		}
		got := map[string]int{}
		for _, text := range d.got {
			got[text]++
		}
		for text, n := range got {
			if n != 1 || !w.routed[text][name] {
				w.t.Fatalf("%s read %q %d times; it was accepted for %v\n%s", name, text, n, w.routed[text], log)
			}
		}
		for text := range w.routed {
			if w.stays[text][name] && got[text] != 1 && !w.left[w.byAddr[w.sealed[text].from]] {
				w.t.Fatalf("%s, a member, did not read %q\n%s", name, text, log)
			}
			if !w.routed[text][name] && w.sealed[text].from != d.addr {
				w.cannotOpen(name, w.ghost(name), text)
			}
		}
	}
	for _, text := range w.texts {
		if w.routed[text] == nil && !strings.Contains(log, "refused") && len(w.members) > 1 && len(w.left) == 0 {
			w.t.Fatalf("%q was neither accepted nor refused\n%s", text, log)
		}
	}
}
