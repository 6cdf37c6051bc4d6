package adaptertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// store is what a shell keeps of a device: its records, by Changes alone.
type store struct {
	d       *device
	records []protocols.Record
}

// sync writes the changes and demands that the store now holds the device's
// state, and that this state makes the same device again.
func (s *store) sync(h *harness, after string) {
	h.Helper()
	changes := s.d.Changes()
	if !slices.IsSortedFunc(changes, func(a, b protocols.Record) int { return strings.Compare(a.Key, b.Key) }) {
		h.Errorf("after %s: changes are not sorted by key", after)
	}
	s.records = apply(s.records, clone(changes))
	if again := s.d.Changes(); len(again) != 0 {
		h.Fatalf("after %s: record %q is reported as changed twice", after, again[0].Key)
	}
	if diff := diffRecords(s.d.State(), s.records); diff != "" {
		h.Fatalf("after %s: %s's changes do not add up to its state: %s", after, s.d.address, diff)
	}
	r := s.d.restored(s.records)
	if diff := diffRecords(s.records, r.State()); diff != "" {
		h.Fatalf("after %s: %s restored has another state: %s", after, s.d.address, diff)
	}
}

var stateChecks = []check{
	{"records are sorted, with plain keys and values", func(h *harness) {
		a, b := h.talking()
		strange := h.client("ü/ %\x00\n")
		a.establish(strange, true)
		a.exchange(strange)
		for _, d := range []*device{a, b, strange} {
			records := d.State()
			for i, r := range records {
				if i > 0 && records[i-1].Key >= r.Key {
					h.Errorf("record %q follows %q", r.Key, records[i-1].Key)
				}
				for _, c := range []byte(r.Key) {
					if c <= ' ' || c >= 0x7f {
						h.Errorf("key %q has byte %#02x, want printable ASCII without spaces", r.Key, c)
					}
				}
				if r.Value == nil {
					h.Errorf("record %q of a whole state has no value", r.Key)
				}
			}
		}
	}},
	{"changes add up to the state, and either restores the client", func(h *harness) {
		a, b := h.client("a"), h.client("b")
		stores := []*store{{d: a}, {d: b}}
		sync := func(after string) {
			h.Helper()
			for _, s := range stores {
				s.sync(h, after)
			}
		}
		sync("New")
		a.establish(b, true)
		sync("Establish")
		early := a.seal(b, "early")
		sync("Seal")
		b.open(a, a.seal(b, "1"), "1")
		sync("opening the first message")
		b.open(a, early, "early")
		sync("opening a skipped message")
		a.open(b, b.seal(a, "2"), "2")
		sync("opening a reply")
		b.publish(3)
		sync("Publish")
		b.rotate()
		sync("Rotate")
		b.rotate()
		sync("a second Rotate")
		late := a.seal(b, "late")
		a.establish(b, true)
		sync("a second Establish")
		b.open(a, a.seal(b, "3"), "3")
		sync("opening the first message of a second session")
		b.open(a, late, "late")
		sync("opening a message of the first session")
		a.exchange(b)
		sync("an exchange")
	}},
	{"a conversation survives export and import at every step", func(h *harness) {
		a, b := h.pair()
		late := []protocols.Sealed{}
		for i := range 12 {
			a, b = a.restored(clone(a.State())), b.restored(clone(b.State()))
			b.open(a, a.seal(b, "there"), "there")
			if i%3 == 0 {
				late = append(late, a.seal(b, "late"))
			}
			b = b.restored(clone(b.State()))
			a.open(b, b.seal(a, "and back"), "and back")
			if i%3 == 2 {
				b.open(a, late[0], "late")
				b = b.restored(clone(b.State()))
				b.refusesPayload(a, late[0], "a late message again", nil)
				late = late[1:]
			}
			if i == 5 {
				a.establish(b, true)
			}
		}
	}},
	{"a restored client honours what it published", func(h *harness) {
		b := h.client("b")
		k := b.publish(3)
		old := b.publish(0).Static
		b.rotate()
		b = b.restored(clone(b.State()))
		for i, bundle := range []protocols.Bundle{
			{Static: k.Static, OneTime: &k.OneTime[1]}, {Static: old}, b.bundle(true),
		} {
			a := h.client(protocols.Address(fmt.Sprint("a", i)))
			a.establishWith(b, bundle)
			a.exchange(b)
		}
		b = b.restored(clone(b.State()))
		a := h.client("late")
		a.establishWith(b, protocols.Bundle{Static: k.Static, OneTime: &k.OneTime[1]})
		b.refusesPayload(a, a.seal(b, "-"), "a message to a key used before the restore", protocols.ErrKeyUnknown)
		for _, one := range b.publish(5).OneTime {
			if slices.ContainsFunc(k.OneTime, func(o protocols.OneTimeKey) bool { return o.ID == one.ID }) {
				h.Errorf("one-time key id %d is given out again after a restore", one.ID)
			}
		}
	}},
	{"records belong to the caller", func(h *harness) {
		a, b := h.talking()
		scribble := func(records []protocols.Record) {
			for _, r := range records {
				for i := range r.Value {
					r.Value[i] ^= 0xff
				}
			}
		}
		scribble(a.State())
		a.exchange(b)
		scribble(a.Changes())
		a.exchange(b)
		records := a.State()
		a = a.restored(records)
		scribble(records)
		a.exchange(b)
	}},
	{"records that form no state are refused", func(h *harness) {
		a, _ := h.talking()
		good := a.State()
		restore := func(records []protocols.Record) error {
			_, err := h.adapter.Restore(h.config("a"), records)
			return err
		}
		if err := restore(nil); !errors.Is(err, protocols.ErrState) {
			h.Errorf("restoring from nothing: error %v, want ErrState", err)
		}
		unknown := append(clone(good), protocols.Record{Key: "zzz-unknown", Value: []byte("?")})
		if err := restore(unknown); !errors.Is(err, protocols.ErrState) {
			h.Errorf("restoring with a record of an unknown key: error %v, want ErrState", err)
		}
		if _, err := h.adapter.Restore(h.config("other"), good); !errors.Is(err, protocols.ErrState) {
			h.Errorf("restoring another client's state: error %v, want ErrState", err)
		}
		for i := range good {
			for what, value := range map[string][]byte{
				"emptied":       {},
				"cut by a byte": good[i].Value[:max(len(good[i].Value)-1, 0)],
				"cut in half":   good[i].Value[:len(good[i].Value)/2],
				"scribbled":     []byte(strings.Repeat("?", len(good[i].Value))),
			} {
				bad := clone(good)
				bad[i].Value = value
				if err := restore(bad); !errors.Is(err, protocols.ErrState) {
					h.Errorf("restoring with record %q %s: error %v, want ErrState", good[i].Key, what, err)
				}
			}
		}
	}},
	{"damaged records never panic", func(h *harness) {
		a, b := h.talking()
		late := a.seal(b, "late")
		b.open(a, a.seal(b, "-"), "-")
		_ = late
		good := b.State()
		for range 300 {
			bad := clone(good)
			r := &bad[h.rand.IntN(len(bad))]
			for range 1 + h.rand.IntN(3) {
				if len(r.Value) > 0 {
					r.Value[h.rand.IntN(len(r.Value))] = byte(h.rand.Uint32())
				}
			}
			c, err := h.adapter.Restore(h.config("b"), bad)
			if err != nil {
				if !errors.Is(err, protocols.ErrState) {
					h.Fatalf("restoring with record %q damaged: error %q, want ErrState", r.Key, err)
				}
				continue
			}
			// What passes as a state must not panic in use.
			c.Publish(now, 2)
			c.Rotate(now)
			c.Seal("a", []byte("hello"))
			c.Open("a", a.seal(b, "hello"))
			c.Open("a", late)
			c.State()
		}
	}},
}
