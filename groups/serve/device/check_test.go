package device

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// witness is the application of a device: it notes what it is told, and what it wanted.
type witness struct {
	name string // alice/A1
	uri  ident.URI

	mu     sync.Mutex // guards what follows
	events []member.Event
	next   uint64
	wanted map[uint64]string // the text of each message, "" for what is none, by the intention
	maybe  []string          // texts that it does not know to have been begun
	told   map[uint64]string // the events, as they are written, by their numbers
	wrong  []string          // what must not be
}

func newWitness(name string, client ident.URI) *witness {
	return &witness{name: name, uri: client, wanted: make(map[uint64]string), told: make(map[uint64]string)}
}

// follow takes the events of a device, and confirms them, until ctx or the device ends.
func (w *witness) follow(ctx context.Context, d *Device) {
	for {
		w.mu.Lock()
		after := w.next
		w.mu.Unlock()
		list, err := d.Next(ctx, after)
		if err != nil {
			return
		}
		w.take(list)
		if err := d.Confirm(ctx, list[len(list)-1].N); err != nil {
			return
		}
	}
}

func (w *witness) take(list []Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range list {
		if e.N != w.next+1 {
			w.wrong = append(w.wrong, fmt.Sprintf("%s: event %d follows %d", w.name, e.N, w.next))
		}
		w.next = e.N
		w.events = append(w.events, e.Event)
		w.told[e.N] = string(must(marshalEvent(e.At, e.Event)))
		switch e := e.Event.(type) {
		case member.Gap:
			w.wrong = append(w.wrong, fmt.Sprintf("%s: gap %+v", w.name, e))
		case member.Refused:
			w.wrong = append(w.wrong, fmt.Sprintf("%s: refused %s: %v", w.name, e.What, e.Why))
		}
	}
}

// doubts notes a message that may have been begun or not.
func (w *witness) doubts(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.maybe = append(w.maybe, text)
}

// returns checks that a device which was opened again knows all that it has told, and
// would tell it in the same way.
func (w *witness) returns(d *Device) {
	list, confirmed := d.Events(0), d.Confirmed()
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := confirmed + uint64(len(list)); last < w.next {
		w.wrong = append(w.wrong, fmt.Sprintf("%s: told of %d events, and the device knows %d", w.name, w.next, last))
	}
	for _, e := range list {
		if told := w.told[e.N]; told != "" && told != string(must(marshalEvent(e.At, e.Event))) {
			w.wrong = append(w.wrong, fmt.Sprintf("%s: event %d was told as %s and is now %+v", w.name, e.N, told, e.Event))
		}
	}
}

// mail is what a provider has delivered to a device, below the machine, which knows by
// itself what it has had before.
type mail struct {
	name string

	mu     sync.Mutex // guards what follows
	bodies map[slot][sha256.Size]byte
	slots  map[[sha256.Size]byte]slot
	again  int // deliveries that had come before
	wrong  []string
}

// slot is where a delivery stands.
type slot struct {
	room ident.URI
	seq  uint64
}

func newMail(name string) *mail {
	return &mail{name: name, bodies: make(map[slot][sha256.Size]byte), slots: make(map[[sha256.Size]byte]slot)}
}

// take checks that a number stands for one event, and an event, which has a time of the
// hub, for one number.
func (m *mail) take(in follower.Delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, sum := slot{in.Room, in.Seq}, sha256.Sum256(in.Body)
	if before, known := m.bodies[at]; known {
		m.again++
		if before != sum {
			m.wrong = append(m.wrong, fmt.Sprintf("%s: delivery %d of %v is another than before", m.name, in.Seq, in.Room))
		}
		return
	}
	if before, known := m.slots[sum]; known {
		m.wrong = append(m.wrong, fmt.Sprintf("%s: delivery %d of %v is delivery %d once more", m.name, in.Seq, in.Room, before.seq))
	}
	m.bodies[at], m.slots[sum] = sum, at
}

// wants notes an intention.
func (w *witness) wants(id uint64, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted[id] = text
}

// fate is what became of what a device wanted.
type fate int

const (
	open fate = iota
	accepted
	failed
	unknown
)

// fates returns what became of messages, by their text.
func (w *witness) fates() map[string]fate {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[string]fate)
	for _, text := range w.wanted {
		if text != "" {
			out[text] = open
		}
	}
	for _, text := range w.maybe {
		out[text] = unknown
	}
	for _, e := range w.events {
		text := w.wanted[member.Outcome(e)]
		if text == "" {
			continue
		}
		switch e := e.(type) {
		case member.Sent:
			out[text] = accepted
		case member.Failed:
			out[text] = failed
			if e.Unknown {
				out[text] = unknown
			}
		}
	}
	return out
}

// intentions returns the intentions that do not have exactly one outcome.
func (w *witness) intentions() (wrong []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	outcomes := make(map[uint64]int)
	for _, e := range w.events {
		outcomes[member.Outcome(e)]++
	}
	for id, text := range w.wanted {
		if n := outcomes[id]; n != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: intention %d (%q) has %d outcomes, want 1", w.name, id, text, n))
		}
	}
	return wrong
}

// told is a message as a device was told of it.
type told struct {
	text string
	id   content.MessageID
	from ident.URI
	late bool
}

// messages returns what the witness was told.
func (w *witness) messages() (list []told) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if m, ok := e.(member.Message); ok {
			list = append(list, toldOf(m))
		}
	}
	return list
}

func toldOf(m member.Message) told {
	t := told{id: m.ID, from: m.SenderClient, late: m.Late}
	if m.Content != nil {
		t.text, _ = m.Content.Body.PlainText()
	}
	return t
}

// place is a message in the hub's order, with who was in the room.
type place struct {
	told
	in map[ident.URI]int // clients, and the number of the Commit that added each
	at int               // how many Commits there were before it
}

// order returns the hub's order, as a device knows it that neither sends nor commits,
// and how many Commits there were. First are the clients that were in the room before.
func (w *witness) order(first []ident.URI) (list []place, commits int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	in := make(map[ident.URI]int)
	for _, c := range first {
		in[c] = -1000
	}
	for _, e := range w.events {
		switch e := e.(type) {
		case member.Message:
			list = append(list, place{toldOf(e), in, commits})
		case member.RoomChanged:
			commits++
			next := make(map[ident.URI]int, len(in))
			for c, at := range in {
				next[c] = at
			}
			for _, c := range e.Changes {
				switch c.Kind {
				case member.ClientAdded:
					next[c.Client] = commits
				case member.ClientRemoved:
					delete(next, c.Client)
				}
			}
			in = next
		}
	}
	return list, commits
}

// verdict is what a check has found, with what it is of.
type verdict struct {
	wrong    []string // what will not get better
	missing  []string // what may still come
	accepted int      // messages whose senders were told so
	told     int      // messages that devices were told of, the reference among them
	commits  int
}

// judge checks what all devices of a room were told against the order of a reference,
// which neither sends nor commits.
func judge(reference *witness, first []ident.URI, all []*witness) (v verdict) {
	order, commits := reference.order(first)
	v.commits = commits
	places := make(map[string]int)
	for i, p := range order {
		if _, twice := places[p.text]; twice {
			v.wrong = append(v.wrong, fmt.Sprintf("%s: %q comes twice", reference.name, p.text))
		}
		places[p.text] = i
	}
	v.told = len(order)
	fates := make(map[string]fate)
	for _, w := range all {
		for text, f := range w.fates() {
			fates[text] = f
			_, came := places[text]
			switch {
			case f == accepted:
				v.accepted++
				if !came {
					v.missing = append(v.missing, fmt.Sprintf("%s: accepted %q of %s has not come", reference.name, text, w.name))
				}
			case f == failed && came:
				v.wrong = append(v.wrong, fmt.Sprintf("%s: %q came, and %s was told that it failed", reference.name, text, w.name))
			case f == open:
				v.missing = append(v.missing, fmt.Sprintf("%s does not know what became of %q", w.name, text))
			}
		}
		v.missing = append(v.missing, w.intentions()...)
		w.mu.Lock()
		v.wrong = append(v.wrong, w.wrong...)
		w.mu.Unlock()
	}
	for _, w := range all {
		if w != reference {
			v.judgeOne(w, order, places)
		}
	}
	for text := range places {
		if _, known := fates[text]; !known {
			v.wrong = append(v.wrong, fmt.Sprintf("%s: nobody has sent %q", reference.name, text))
		}
	}
	return v
}

// pastEpochs is how many epochs a message may be late (member.DefaultPastEpochs).
const pastEpochs = member.DefaultPastEpochs

// judgeOne checks one device.
func (v *verdict) judgeOne(w *witness, order []place, places map[string]int) {
	got := w.messages()
	v.told += len(got)
	seen := make(map[string]bool)
	last := -1
	for _, m := range got {
		at, known := places[m.text]
		switch {
		case seen[m.text]:
			v.wrong = append(v.wrong, fmt.Sprintf("%s: %q comes twice", w.name, m.text))
			continue
		case m.from == w.uri:
			v.wrong = append(v.wrong, fmt.Sprintf("%s: its own %q is told as another's", w.name, m.text))
		case !known:
			v.missing = append(v.missing, fmt.Sprintf("%s: %q, which the reference has not", w.name, m.text))
			continue
		case at < last:
			v.wrong = append(v.wrong, fmt.Sprintf("%s: %q comes after %q, want before", w.name, m.text, order[last].text))
		}
		if _, in := order[at].in[w.uri]; !in {
			v.wrong = append(v.wrong, fmt.Sprintf("%s: %q, which was sent while it was not in the room", w.name, m.text))
		}
		if m.id != order[at].id {
			v.wrong = append(v.wrong, fmt.Sprintf("%s: %q has another ID", w.name, m.text))
		}
		seen[m.text] = true
		last = at
	}
	for _, p := range order {
		since, in := p.in[w.uri]
		// One of an epoch before it was added cannot be read.
		old := p.late && p.at-since < pastEpochs
		if in && !seen[p.text] && p.from != w.uri && !old {
			v.missing = append(v.missing, fmt.Sprintf("%s: %q has not come", w.name, p.text))
		}
	}
}

// TestJudge: the check finds what it is for.
func TestJudge(t *testing.T) {
	t.Parallel()
	a, b, ref := uri("mimi://a.example/d/alice/A1"), uri("mimi://b.example/d/bob/B1"), uri("mimi://b.example/d/bob/B0")
	message := func(from ident.URI, s string) member.Event {
		m := must(content.New(must(newSuite()), "mimi://a.example/u/alice", clubhouse.String(), content.Text(s)))
		return member.Message{SenderClient: from, ID: content.MessageID{1, s[0]}, Content: m}
	}
	removed := member.RoomChanged{Changes: []member.Change{{Kind: member.ClientRemoved, Client: b}}}
	added := member.RoomChanged{Changes: []member.Change{{Kind: member.ClientAdded, Client: b}}}
	one, two, three := message(a, "1"), message(a, "2"), message(a, "3")
	order := []member.Event{one, removed, two, added, three}
	late := three.(member.Message)
	late.Late = true
	sent := func(ids ...uint64) (list []member.Event) {
		for _, id := range ids {
			list = append(list, member.Sent{ID: id})
		}
		return list
	}
	all := sent(1, 2, 3)
	for _, tt := range []struct {
		name      string
		ref, a, b []member.Event
		wrong     int
		missing   int
	}{
		{"right", order, all, []member.Event{one, three}, 0, 0},
		{"lost", order, all, []member.Event{one}, 0, 1},
		{"late, of before it was added", []member.Event{one, removed, two, added, late}, all, []member.Event{one}, 0, 0},
		{"twice", order, all, []member.Event{one, one, three}, 1, 0},
		{"in another order", order, all, []member.Event{three, one}, 1, 0},
		{"outside", order, all, []member.Event{one, two, three}, 1, 0},
		{"told twice to the reference", append(order[:5:5], three), all, []member.Event{one, three}, 1, 0},
		{"accepted and never told", order[:4], all, []member.Event{one}, 0, 1},
		{"failed, and came", order, append(sent(1, 2), member.Failed{ID: 3}), []member.Event{one, three}, 1, 0},
		{"unknown, and came", order, append(sent(1, 2), member.Failed{ID: 3, Unknown: true}), []member.Event{one, three}, 0, 0},
		{"no outcome", order, sent(1, 2), []member.Event{one, three}, 0, 2},
		{"two outcomes", order, append(sent(1, 2, 3), member.Sent{ID: 3}), []member.Event{one, three}, 0, 1},
		{"own", order, append(sent(1, 2, 3), one), []member.Event{one, three}, 1, 0},
		{"gap", order, all, []member.Event{one, member.Gap{}, three}, 1, 0},
	} {
		wa, wb, wr := newWitness("alice/A1", a), newWitness("bob/B1", b), newWitness("bob/B0", ref)
		for i, text := range []string{"1", "2", "3"} {
			wa.wants(uint64(i+1), text)
		}
		for w, events := range map[*witness][]member.Event{wa: tt.a, wb: tt.b, wr: tt.ref} {
			for i, e := range events {
				w.take([]Event{{N: uint64(i + 1), Event: e}})
			}
		}
		v := judge(wr, []ident.URI{a, b, ref}, []*witness{wa, wb, wr})
		if len(v.wrong) != tt.wrong || len(v.missing) != tt.missing {
			t.Errorf("%s: got wrong %q and missing %q, want %d and %d", tt.name, v.wrong, v.missing, tt.wrong, tt.missing)
		}
	}
	m := newMail("alice/A1")
	for _, in := range []follower.Delivery{
		{Room: clubhouse, Seq: 1, Body: []byte("x")}, {Room: clubhouse, Seq: 1, Body: []byte("x")},
		{Room: clubhouse, Seq: 2, Body: []byte("x")}, {Room: clubhouse, Seq: 2, Body: []byte("y")}, {Seq: 3, Body: []byte("y")},
	} {
		m.take(in)
	}
	if len(m.wrong) != 2 || m.again != 2 {
		t.Errorf("got %q and %d deliveries again, want one event with two numbers and one number with two events", m.wrong, m.again)
	}
	w := newWitness("alice/A1", a)
	w.take([]Event{{N: 1, Event: one}, {N: 3, Event: two}})
	if !slices.Equal(w.wrong, []string{"alice/A1: event 3 follows 1"}) {
		t.Errorf("got %q, want a gap in the numbers", w.wrong)
	}
}
