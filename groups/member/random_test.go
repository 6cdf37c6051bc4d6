package member

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// acceptance is a message that the hub has accepted.
type acceptance struct {
	epoch uint64 // of the message
	at    uint64 // the hub's
	time  int64
}

// stay is a time in the room: from the epoch that a device joined in up to the one that
// it was not a member of any more.
type stay struct{ from, to uint64 }

// TestRandomRooms lets users of three providers do what they like at once, over ways
// that are slow in any manner, with answers that get lost and machines that stop. In
// the end all who are in agree, each has read what was accepted while it was in once,
// and nobody what was sent after its removal.
func TestRandomRooms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { randomRoom(t) })
}

func randomRoom(t *rapid.T) {
	w := newWorld()
	rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	w.next = func(ways []string) string { return ways[rnd.IntN(len(ways))] }
	lossy := rapid.Bool().Draw(t, "lossy")
	if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
		w.restart["member"] = true // after every step
	}
	names := []string{"alice/A1", "alice/A2", "bob/B1", "bob/B2", "berta/B1", "cathy/C1"}
	for _, n := range names {
		w.device(n)
	}
	w.quiet()
	w.create(w.device("alice/A1"))
	var accepted []acceptance
	hubEpoch := uint64(0)
	w.submitted = func(epoch, at uint64) { accepted = append(accepted, acceptance{epoch, hubEpoch, int64(at)}) }
	w.committed = func(epoch uint64) { hubEpoch = epoch + 1 }
	if lossy {
		w.lose = func() bool { return rnd.IntN(10) == 0 }
	}
	users := []string{"alice", "bob", "berta", "cathy"}
	texts := 0
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		d := w.device(rapid.SampledFrom(names).Draw(t, "device"))
		user := userURI(rapid.SampledFrom(users).Draw(t, "user"))
		role := uint32(rapid.IntRange(roleUser, roleAdmin).Draw(t, "role"))
		var in Input
		switch rapid.IntRange(0, 15).Draw(t, "what") {
		case 0, 1, 2:
			in = AddUser{Room: clubhouse, User: user, Role: role}
		case 3:
			in = RemoveUser{Room: clubhouse, User: user}
		case 4:
			in = Ban{Room: clubhouse, User: user}
		case 5:
			in = ChangeRole{Room: clubhouse, User: user, Role: role}
		case 6:
			in = SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: fmt.Sprint(texts)}}
		case 7:
			in = Leave{Room: clubhouse}
		case 8, 9:
			in = Join{Room: clubhouse}
		case 10:
			in = CommitPending{Room: clubhouse}
		case 11:
			w.reboot(d)
		case 12:
			if lossy {
				w.rebootProvider(w.followers[domainOf(d.name)])
			}
		default:
			texts++
			in = Send{Room: clubhouse, Message: text(fmt.Sprint("message ", texts))}
		}
		if in != nil {
			w.step(d, in) // it may be refused
		}
		for range rapid.IntRange(0, 30).Draw(t, "passed on") {
			w.pass()
		}
		w.now = w.now.Add(time.Duration(rnd.IntN(500)) * time.Millisecond)
	}
	w.lose = nil
	w.quiet()
	for range 3 { // what is left of those who leave
		for _, d := range w.inRoom() {
			if r, _ := d.m.Room(clubhouse); r.Status == string(inside) && r.Pending > 0 {
				w.step(d, CommitPending{Room: clubhouse})
				w.quiet()
			}
		}
	}
	if testing.Verbose() {
		t.Log(w.log)
	}
	w.agreeRandom(t, hubEpoch)
	w.checkRead(t, accepted)
}

// agreeRandom checks that all who are in agree, with the hub as well.
func (w *world) agreeRandom(t *rapid.T, epoch uint64) {
	var first *Room
	in := w.inRoom()
	for _, d := range in {
		r, _ := d.m.Room(clubhouse)
		if r.Waiting > 0 {
			t.Fatalf("%s: %d intentions wait for ever\n%s", d.name, r.Waiting, w.log)
		}
		if r.Epoch != epoch || r.State.Clients() != len(in) {
			t.Fatalf("%s is at epoch %d with %d clients, the hub at %d, and %d are in\n%s", d.name, r.Epoch, r.State.Clients(), epoch, len(in), w.log)
		}
		if first == nil {
			first = &r
		} else if string(first.Authenticator) != string(r.Authenticator) {
			t.Fatalf("%s has another epoch authenticator\n%s", d.name, w.log)
		}
	}
	for _, d := range w.devices {
		for _, e := range d.events {
			switch e := e.(type) {
			case Gap, Refused:
				t.Fatalf("%s: %s\n%s", d.name, show(e), w.log)
			}
		}
	}
}

// checkRead checks who has read what.
func (w *world) checkRead(t *rapid.T, accepted []acceptance) {
	byTime := make(map[int64]acceptance)
	for _, a := range accepted {
		if _, again := byTime[a.time]; !again { // as when its answer was lost
			byTime[a.time] = a
		}
	}
	type sent struct {
		by string
		at acceptance
	}
	all := make(map[content.MessageID]sent)
	for _, d := range w.devices {
		for _, e := range d.events {
			if s, ok := e.(Sent); ok {
				all[s.Message] = sent{d.name, byTime[s.Accepted.UnixMilli()]}
			}
		}
	}
	for _, d := range w.devices {
		var stays []stay
		read := make(map[content.MessageID]bool)
		told := make(map[content.MessageID]bool) // in this stay
		goes := ^uint64(0)                       // the epoch from which on the hub may hold back what is for one who goes
		var hold []stay
		last, latest := uint64(0), uint64(0)
		for _, e := range d.events {
			switch e := e.(type) {
			case Joined:
				stays, last, goes = append(stays, stay{e.Epoch, ^uint64(0)}), e.Epoch, ^uint64(0)
				clear(told)
				latest = 0
			case RoomChanged:
				last = e.Epoch
			case Proposed:
				if slices.ContainsFunc(e.Changes, func(c Change) bool { return c.User == d.m.User() && c.Kind == UserRemoved }) {
					goes = min(goes, last)
				}
			case Leaving:
				goes = min(goes, last)
			case Removed:
				stays[len(stays)-1].to = last
				if latest >= last {
					t.Fatalf("%s has read a message that the hub accepted in epoch %d, and was removed in %d\n%s", d.name, latest, last, w.log)
				}
				hold = append(hold, stay{min(goes, last-1), last})
			case Message:
				if told[e.ID] {
					t.Fatalf("%s was told of message %v twice\n%s", d.name, e.ID, w.log)
				}
				told[e.ID], read[e.ID] = true, true
				a, ok := byTime[e.Accepted.UnixMilli()]
				if x := stays[len(stays)-1]; !ok || a.epoch < x.from || x.to != ^uint64(0) {
					t.Fatalf("%s has read %v of %+v in %+v\n%s", d.name, e.ID, a, x, w.log)
				}
				latest = max(latest, a.at)
			}
		}
		for id, s := range all {
			if s.by == d.name || s.at.time == 0 {
				continue
			}
			in := slices.ContainsFunc(stays, func(x stay) bool { return x.from <= s.at.epoch && s.at.at < x.to })
			heldBack := slices.ContainsFunc(hold, func(x stay) bool { return x.from <= s.at.at && s.at.at < x.to })
			if in && !heldBack && !read[id] {
				t.Fatalf("%s has not read a message of %s in epoch %d, accepted in %d; it was in for %v\n%s", d.name, s.by, s.at.epoch, s.at.at, stays, w.log)
			}
		}
	}
}

// reboot stops a device and starts it again: it has what it stored, and nothing of what
// was on its way to it.
func (w *world) reboot(d *device) {
	p := w.followers[domainOf(d.name)]
	if err := w.follower(p, follower.Disconnect{Client: d.cfg.Client}); err != nil {
		panic(err)
	}
	w.drop(p.domain + ">" + d.name)
	d.m = must(Restore(d.cfg, d.store.records()))
	if err := w.follower(p, follower.Connect{Client: d.cfg.Client}); err != nil {
		panic(err)
	}
	w.do(d, Resume{})
}

// rebootProvider stops a follower and starts it again.
func (w *world) rebootProvider(p *provider) {
	for name := range w.devices {
		if domainOf(name) == p.domain {
			w.drop(p.domain + ">" + name)
		}
	}
	p.f = must(follower.Restore(p.cfg, p.store.records()))
	p.stops++
	for _, d := range w.sorted() {
		if domainOf(d.name) == p.domain {
			if err := w.follower(p, follower.Connect{Client: d.cfg.Client}); err != nil {
				panic(err)
			}
			w.do(d, Resume{})
		}
	}
}

// drop loses what is on a way.
func (w *world) drop(way string) {
	delete(w.ways, way)
	w.order = slices.DeleteFunc(w.order, func(o string) bool { return o == way })
}

func isCommit(m *message.Message) bool {
	return m.Public != nil && m.Public.Content.Type == message.ContentCommit
}

var errLostAnswer = errors.New("the answer was lost")

// marshalList writes a struct of the wire.
func marshalList(v wire.Marshaler) ([]byte, error) { return wire.Marshal(v) }

func mustFind(t testing.TB, s *room.State, user string) uint32 {
	p, ok := s.Find(userURI(user).String())
	if !ok {
		t.Fatalf("no %s", user)
	}
	return p.Index
}
