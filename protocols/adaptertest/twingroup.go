package adaptertest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// twoEnvelopes is what twins sent to a group in the same step.
type twoEnvelopes struct {
	from int
	env  [2]protocols.Envelope
}

// groupActions are the steps of a random conversation in groups.
func (w *twins) groupActions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"create group":   w.createGroup,
		"propose":        w.propose,
		"settle":         w.settle,
		"seal to group":  w.sealGroup,
		"seal and read":  w.sealAndRead,
		"deliver group":  w.deliverGroup,
		"deliver all":    w.deliverAll,
		"alter in group": w.alterGroup,
	}
}

// isGroup reports whether both adapters' clients are group clients.
func (w *twins) isGroup() bool {
	_, real := w.devices[0][0].(protocols.GroupClient)
	_, twin := w.devices[0][1].(protocols.GroupClient)
	return real && twin
}

func (w *twins) group(x, i int) protocols.GroupClient {
	return w.devices[x][i].(protocols.GroupClient)
}

func (w *twins) createGroup(t *rapid.T) {
	x := w.device(t, "who")
	both(t, "CreateGroup", func(i int) error { return w.group(x, i).CreateGroup(now, theGroup) })
}

// sameMembers demands that all twins see the same members.
func (w *twins) sameMembers(t *rapid.T) {
	for x := range w.devices {
		var m [2][]protocols.Address
		both(t, "Members", func(i int) (err error) {
			m[i], err = w.group(x, i).Members(theGroup)
			return err
		})
		if !slices.Equal(m[0], m[1]) {
			t.Fatalf("%s has members: real %q, twin %q", address(x), m[0], m[1])
		}
	}
}

// propose draws a change that may be impossible.
func (w *twins) propose(t *rapid.T) {
	x := w.device(t, "who")
	var add [2][]protocols.Member
	var remove []protocols.Address
	for y := range w.devices {
		switch rapid.IntRange(0, 4).Draw(t, "fate") {
		case 0:
			remove = append(remove, address(y))
		case 1, 2:
			if y != x && len(w.bundles[y]) > 0 {
				b := rapid.SampledFrom(w.bundles[y]).Draw(t, "bundle")
				for i := range add {
					add[i] = append(add[i], protocols.Member{Address: address(y), Bundle: b[i]})
				}
			}
		}
	}
	w.post(t, "Change", x, func(i int) ([]protocols.Envelope, error) {
		return w.group(x, i).Change(now, theGroup, add[i], remove)
	})
}

func (w *twins) settle(t *rapid.T) {
	x, accepted := w.device(t, "who"), rapid.IntRange(0, 3).Draw(t, "accepted") > 0
	both(t, "Settle", func(i int) error { return w.group(x, i).Settle(theGroup, accepted) })
}

// post keeps the envelopes that op makes, and establishes sessions if it misses
// some. It reports how many there are.
func (w *twins) post(t tb, what string, x int, op func(i int) ([]protocols.Envelope, error)) int {
	var out [2][]protocols.Envelope
	var missing [2][]protocols.Address
	ok := both(t, what, func(i int) (err error) {
		out[i], err = op(i)
		var m *protocols.MissingSessionsError
		if errors.As(err, &m) {
			missing[i] = m.Peers
		}
		return err
	})
	if !slices.Equal(missing[0], missing[1]) || len(out[0]) != len(out[1]) {
		t.Fatalf("%s:\n real: %d envelopes, missing %q\n twin: %d envelopes, missing %q",
			what, len(out[0]), missing[0], len(out[1]), missing[1])
	}
	for _, peer := range missing[0] {
		y := int(peer[0] - 'a')
		w.establishWith(t, x, y, w.bundles[y][0])
	}
	if !ok {
		return 0
	}
	for k := range out[0] {
		r, m := out[0][k], out[1][k]
		if !slices.Equal(r.To, m.To) || r.Group != m.Group || r.Type != m.Type || r.Version != m.Version ||
			len(r.Payload) != len(m.Payload) {
			t.Fatalf("%s:\n real: %s to %q\n twin: %s to %q", what, describe(r.Sealed), r.To, describe(m.Sealed), m.To)
		}
		w.posted = append(w.posted, twoEnvelopes{x, [2]protocols.Envelope{r, m}})
	}
	return len(out[0])
}

func (w *twins) sealGroup(t *rapid.T) {
	w.sealGroupBy(t, w.device(t, "who"))
}

func (w *twins) sealGroupBy(t *rapid.T, x int) int {
	plaintext := bytes.Repeat([]byte{byte(len(w.posted))}, rapid.IntRange(0, 40).Draw(t, "size"))
	return w.post(t, "SealGroup", x, func(i int) ([]protocols.Envelope, error) {
		return w.group(x, i).SealGroup(theGroup, plaintext)
	})
}

// sealAndRead delivers what it seals at once.
func (w *twins) sealAndRead(t *rapid.T) {
	n := w.sealGroupBy(t, w.device(t, "who"))
	for _, e := range w.posted[len(w.posted)-n:] {
		w.hand(t, e)
	}
}

// hand delivers an envelope to all that it is for; to everybody if it does not say.
func (w *twins) hand(t tb, e twoEnvelopes) {
	for y := range w.devices {
		if y != e.from && (e.env[0].To == nil || slices.Contains(e.env[0].To, address(y))) {
			w.openGroup(t, e, y)
		}
	}
}

func (w *twins) openGroup(t tb, e twoEnvelopes, at int) {
	var o [2]protocols.Opened
	both(t, fmt.Sprintf("%s opens %s from %s in the group", address(at), describe(e.env[0].Sealed), address(e.from)), func(i int) (err error) {
		o[i], err = w.group(at, i).OpenGroup(now, theGroup, address(e.from), e.env[i].Sealed)
		return err
	})
	if !bytes.Equal(o[0].Plaintext, o[1].Plaintext) || (o[0].Plaintext == nil) != (o[1].Plaintext == nil) || o[0].Notice != o[1].Notice {
		t.Fatalf("opened in the group\n real: %d bytes, notice %b\n twin: %d bytes, notice %b",
			len(o[0].Plaintext), o[0].Notice, len(o[1].Plaintext), o[1].Notice)
	}
}

func (w *twins) pickPosted(t *rapid.T) twoEnvelopes {
	if len(w.posted) == 0 {
		t.Skip("nothing posted")
	}
	return w.posted[len(w.posted)-1-rapid.IntRange(0, min(9, len(w.posted)-1)).Draw(t, "back")]
}

func (w *twins) deliverGroup(t *rapid.T) { w.hand(t, w.pickPosted(t)) }

// deliverAll delivers all that was posted since the last time, in order.
func (w *twins) deliverAll(t *rapid.T) { w.deliverPosted(t) }

// alterGroup changes one bit. What the adapters draw at random in a message
// differs, and so may the reason for which they refuse it.
func (w *twins) alterGroup(t *rapid.T) {
	e := w.pickPosted(t)
	at := rapid.IntRange(0, len(e.env[0].Payload)-1).Draw(t, "byte")
	bit := rapid.IntRange(0, 7).Draw(t, "bit")
	for y := range w.devices {
		if y == e.from || e.env[0].To != nil && !slices.Contains(e.env[0].To, address(y)) {
			continue
		}
		var o [2]protocols.Opened
		var errs [2]error
		for i := range e.env {
			s := e.env[i].Sealed
			s.Payload = flip(s.Payload, at, bit)
			o[i], errs[i] = w.group(y, i).OpenGroup(now, theGroup, address(e.from), s)
		}
		if (errs[0] == nil) != (errs[1] == nil) || !bytes.Equal(o[0].Plaintext, o[1].Plaintext) || o[0].Notice != o[1].Notice {
			t.Fatalf("%s opens altered %s:\n real: %v\n twin: %v", address(y), describe(e.env[0].Sealed), errs[0], errs[1])
		}
	}
}

// rekey removes and adds a member again and again, which makes the others change
// their keys, and leaves messages under each of them behind.
func (w *twins) rekey(t tb) {
	both(t, "CreateGroup", func(i int) error { return w.group(0, i).CreateGroup(now, theGroup) })
	change := func(add, remove []int) {
		t.Helper()
		w.post(t, "Change", 0, func(i int) ([]protocols.Envelope, error) {
			var members []protocols.Member
			var leave []protocols.Address
			for _, y := range add {
				members = append(members, protocols.Member{Address: address(y), Bundle: w.bundles[y][0][i]})
			}
			for _, y := range remove {
				leave = append(leave, address(y))
			}
			return w.group(0, i).Change(now, theGroup, members, leave)
		})
		both(t, "Settle", func(i int) error { return w.group(0, i).Settle(theGroup, true) })
		w.deliverPosted(t)
	}
	change([]int{1, 2}, nil)
	var late []twoEnvelopes
	for range 8 {
		var contents []twoEnvelopes
		for range 2 {
			n := w.post(t, "SealGroup", 0, func(i int) ([]protocols.Envelope, error) {
				return w.group(0, i).SealGroup(theGroup, []byte("hello"))
			})
			w.deliverPosted(t, len(w.posted)-1)
			contents = append(contents, w.posted[len(w.posted)-1])
			if n == 0 {
				t.Fatalf("nothing sealed")
			}
		}
		w.hand(t, contents[1])
		late = append(late, contents[0])
		change(nil, []int{2})
		change([]int{2}, nil)
	}
	for _, e := range late {
		w.hand(t, e)
	}
}

// deliverPosted delivers what deliverAll would, but for the envelopes that are
// excepted by their index.
func (w *twins) deliverPosted(t tb, except ...int) {
	for k := w.handed; k < len(w.posted); k++ {
		if !slices.Contains(except, k) {
			w.hand(t, w.posted[k])
		}
	}
	w.handed = len(w.posted)
}
