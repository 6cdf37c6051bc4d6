package adaptertest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// RunTwin holds a modelled adapter to the real one. Both live through the same
// random conversations: sessions established from fresh, used and outdated
// bundles, by both ends; messages lost, reordered, repeated, altered, truncated
// and misdelivered; restarts, rotations and installations anew. At every step
// payloads have the same type and size, and operations the same outcome: the
// same plaintext and notices, or an error that wraps the same sentinel.
//
// Clients of both adapters get equal randomness, of which they are to draw alike
// whatever shows in the size of a message.
func RunTwin(t *testing.T, real, twin protocols.Adapter, o Options) {
	if o.Suite == nil {
		o.Suite = defaultSuite
	}
	t.Run("claims", func(t *testing.T) {
		t.Parallel()
		want := real.Claims()
		want.Modelled = true
		if got := twin.Claims(); got != want {
			t.Errorf("twin claims %+v, want %+v", got, want)
		}
	})
	t.Run("random conversations", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			w := newTwins(t, [2]protocols.Adapter{real, twin}, o)
			t.Repeat(map[string]func(*rapid.T){
				"":          w.established,
				"publish":   w.publish,
				"rotate":    w.rotate,
				"establish": w.establish,
				"seal":      w.seal,
				"seal more": w.seal,
				"seal many": w.sealMany,
				"reply":     w.reply,
				"deliver":   w.deliver,
				"next":      w.deliverNext,
				"alter":     w.alter,
				"truncate":  w.truncate,
				"misroute":  w.misroute,
				"restart":   w.restart,
				"reinstall": w.reinstall,
			})
		})
	})
	t.Run("limits of sender keys", func(t *testing.T) {
		t.Parallel()
		w := newTwins(t, [2]protocols.Adapter{real, twin}, o)
		if !w.isGroup() {
			t.Skip("no group clients")
		}
		w.rekey(t)
	})
	t.Run("random groups", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			w := newTwins(t, [2]protocols.Adapter{real, twin}, o)
			if !w.isGroup() {
				t.Skip("no group clients")
			}
			actions := w.groupActions()
			actions[""] = w.sameMembers
			actions["restart"] = w.restart
			actions["rotate"] = w.rotate
			actions["reinstall"] = w.reinstall
			actions["establish"] = w.establish
			w.createGroup(t)
			t.Repeat(actions)
		})
	})
	t.Run("limits of skipping", func(t *testing.T) {
		t.Parallel()
		for seed := range uint64(4) {
			newTwins(t, [2]protocols.Adapter{real, twin}, o).skip(t, rand.New(rand.NewPCG(seed, 0)))
		}
	})
	t.Run("limits of turns and sessions", func(t *testing.T) {
		t.Parallel()
		for seed := range uint64(4) {
			newTwins(t, [2]protocols.Adapter{real, twin}, o).turns(t, rand.New(rand.NewPCG(seed, 0)))
		}
	})
}

// tb is what *testing.T and *rapid.T have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// twoBundles is what the twins published in the same step.
type twoBundles [2]protocols.Bundle

// twoSealed is what they sealed in the same step.
type twoSealed struct {
	from, to int
	sealed   [2]protocols.Sealed
}

// twins are a few devices, each in both adapters.
type twins struct {
	adapters [2]protocols.Adapter
	opt      Options
	seed     uint64
	devices  [3][2]protocols.Client
	bundles  [3][]twoBundles
	sent     []twoSealed
	next     int // first of sent that deliverNext has not delivered
	posted   []twoEnvelopes
	handed   int // first of posted that deliverAll has not delivered
}

func newTwins(t tb, adapters [2]protocols.Adapter, o Options) *twins {
	w := &twins{adapters: adapters, opt: o}
	for i := range w.devices {
		w.install(t, i)
	}
	return w
}

func address(i int) protocols.Address { return protocols.Address(rune('a' + i)) }

// both runs op for either adapter and demands the same outcome. It reports
// whether that was success.
func both(t tb, what string, op func(i int) error) bool {
	t.Helper()
	errs := [2]error{op(0), op(1)}
	if (errs[0] == nil) != (errs[1] == nil) || sentinel(errs[0]) != sentinel(errs[1]) {
		t.Fatalf("%s:\n real: %v\n twin: %v", what, errs[0], errs[1])
	}
	return errs[0] == nil
}

func (w *twins) install(t tb, x int) {
	w.seed++
	both(t, "New", func(i int) (err error) {
		cfg := protocols.Config{Address: address(x), Suite: w.opt.Suite(w.seed)}
		w.devices[x][i], err = w.adapters[i].New(cfg)
		return err
	})
	w.bundles[x] = nil
	w.publishSome(t, x, 2)
}

func (w *twins) device(t *rapid.T, label string) int {
	return rapid.IntRange(0, len(w.devices)-1).Draw(t, label)
}

// ends draws two different devices; mostly the first two, so that conversations
// get somewhere.
func (w *twins) ends(t *rapid.T) (x, y int) {
	switch rapid.IntRange(0, 9).Draw(t, "ends") {
	case 0, 1, 2:
		return 0, 1
	case 3, 4, 5:
		return 1, 0
	case 6:
		return 2, 0
	case 7:
		return 1, 2
	case 8:
		return 2, 1
	}
	return 0, 2
}

func (w *twins) established(t *rapid.T) {
	for x := range w.devices {
		for y := range w.devices {
			r, m := w.devices[x][0].Established(address(y)), w.devices[x][1].Established(address(y))
			if r != m {
				t.Fatalf("%s established with %s: real %v, twin %v", address(x), address(y), r, m)
			}
		}
	}
}

func (w *twins) publish(t *rapid.T) {
	w.publishSome(t, w.device(t, "who"), rapid.IntRange(0, 3).Draw(t, "n"))
}

func (w *twins) publishSome(t tb, x, n int) {
	var k [2]protocols.KeyMaterial
	both(t, "Publish", func(i int) (err error) {
		k[i], err = w.devices[x][i].Publish(now, n)
		return err
	})
	if len(k[0].Static) != len(k[1].Static) {
		t.Fatalf("reusable part: real %d bytes, twin %d", len(k[0].Static), len(k[1].Static))
	}
	w.bundles[x] = append(w.bundles[x], twoBundles{{Static: k[0].Static}, {Static: k[1].Static}})
	for i := range n {
		r, m := k[0].OneTime[i], k[1].OneTime[i]
		if r.ID != m.ID || len(r.Value) != len(m.Value) {
			t.Fatalf("one-time key: real %d of %d bytes, twin %d of %d bytes", r.ID, len(r.Value), m.ID, len(m.Value))
		}
		w.bundles[x] = append(w.bundles[x], twoBundles{
			{Static: k[0].Static, OneTime: &r}, {Static: k[1].Static, OneTime: &m},
		})
	}
}

func (w *twins) rotate(t *rapid.T) {
	x := w.device(t, "who")
	both(t, "Rotate", func(i int) error { return w.devices[x][i].Rotate(now) })
}

func (w *twins) establish(t *rapid.T) {
	x, y := w.ends(t)
	w.establishWith(t, x, y, rapid.SampledFrom(w.bundles[y]).Draw(t, "bundle"))
}

func (w *twins) establishWith(t tb, x, y int, b twoBundles) {
	var n [2]protocols.Notice
	both(t, "Establish", func(i int) (err error) {
		n[i], err = w.devices[x][i].Establish(now, address(y), b[i])
		return err
	})
	if n[0] != n[1] {
		t.Fatalf("notice of Establish: real %b, twin %b", n[0], n[1])
	}
}

func (w *twins) seal(t *rapid.T) {
	x, y := w.ends(t)
	w.sealSize(t, x, y, rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 20000)).Draw(t, "size"))
}

// sealMany makes counters grow in size.
func (w *twins) sealMany(t *rapid.T) {
	x, y := w.ends(t)
	for range rapid.SampledFrom([]int{5, 40, 130}).Draw(t, "n") {
		w.sealSize(t, x, y, 10)
	}
}

// reply answers the message that was delivered last.
func (w *twins) reply(t *rapid.T) {
	if w.next > 0 {
		last := w.sent[w.next-1]
		w.sealSize(t, last.to, last.from, 10)
		w.open(t, w.sent[len(w.sent)-1], last.from)
	}
}

func (w *twins) sealSize(t tb, x, y, size int) {
	s := twoSealed{from: x, to: y}
	plaintext := bytes.Repeat([]byte{byte(len(w.sent))}, size)
	ok := both(t, "Seal", func(i int) (err error) {
		s.sealed[i], err = w.devices[x][i].Seal(address(y), plaintext)
		return err
	})
	r, m := s.sealed[0], s.sealed[1]
	if r.Type != m.Type || r.Version != m.Version || len(r.Payload) != len(m.Payload) {
		t.Fatalf("%d bytes sealed:\n real: %s\n twin: %s", size, describe(r), describe(m))
	}
	if ok {
		w.sent = append(w.sent, s)
	}
}

// pick draws a message, mostly a recent one.
func (w *twins) pick(t *rapid.T) twoSealed {
	if len(w.sent) == 0 {
		t.Skip("nothing sent")
	}
	back := rapid.OneOf(rapid.IntRange(0, min(9, len(w.sent)-1)), rapid.IntRange(0, len(w.sent)-1)).Draw(t, "back")
	return w.sent[len(w.sent)-1-back]
}

func (w *twins) open(t tb, s twoSealed, at int) {
	t.Helper()
	var o [2]protocols.Opened
	peer := address(s.from)
	if at == s.from {
		peer = address(s.to)
	}
	both(t, fmt.Sprintf("%s opens %s from %s", address(at), describe(s.sealed[0]), peer), func(i int) (err error) {
		o[i], err = w.devices[at][i].Open(peer, s.sealed[i])
		return err
	})
	if !bytes.Equal(o[0].Plaintext, o[1].Plaintext) || o[0].Notice != o[1].Notice {
		t.Fatalf("opened\n real: %d bytes, notice %b\n twin: %d bytes, notice %b",
			len(o[0].Plaintext), o[0].Notice, len(o[1].Plaintext), o[1].Notice)
	}
}

func (w *twins) deliver(t *rapid.T) {
	s := w.pick(t)
	w.open(t, s, s.to)
}

// deliverNext delivers in the order of sending.
func (w *twins) deliverNext(t *rapid.T) {
	if w.next == len(w.sent) {
		t.Skip("all delivered")
	}
	w.next++
	w.open(t, w.sent[w.next-1], w.sent[w.next-1].to)
}

func (w *twins) alter(t *rapid.T) {
	s := w.pick(t)
	at := rapid.IntRange(0, len(s.sealed[0].Payload)-1).Draw(t, "byte")
	if rapid.Bool().Draw(t, "header") { // most bytes are body or key
		at = rapid.IntRange(max(0, len(s.sealed[0].Payload)-40), len(s.sealed[0].Payload)-1).Draw(t, "byte")
	}
	bit := rapid.IntRange(0, 7).Draw(t, "bit")
	for i := range s.sealed {
		s.sealed[i].Payload = flip(s.sealed[i].Payload, at, bit)
	}
	w.open(t, s, s.to)
}

func (w *twins) truncate(t *rapid.T) {
	s := w.pick(t)
	n := rapid.IntRange(0, len(s.sealed[0].Payload)-1).Draw(t, "length")
	for i := range s.sealed {
		s.sealed[i].Payload = s.sealed[i].Payload[:n]
	}
	w.open(t, s, s.to)
}

// misroute gives a message to whom it is not for, perhaps its sender.
func (w *twins) misroute(t *rapid.T) {
	s := w.pick(t)
	if at := w.device(t, "at"); at != s.to {
		w.open(t, s, at)
	}
}

func (w *twins) restart(t *rapid.T) { w.restore(t, w.device(t, "who")) }

func (w *twins) restore(t tb, x int) {
	w.seed++
	both(t, "Restore", func(i int) (err error) {
		cfg := protocols.Config{Address: address(x), Suite: w.opt.Suite(w.seed)}
		w.devices[x][i], err = w.adapters[i].Restore(cfg, w.devices[x][i].State())
		return err
	})
}

func (w *twins) reinstall(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "really") == 0 {
		w.install(t, w.device(t, "who"))
	}
}

// skip sends one long run of messages and delivers a few around the places where
// the receiver's patience ends.
func (w *twins) skip(t tb, r *rand.Rand) {
	w.establishWith(t, 0, 1, w.bundles[1][1])
	x, y := 0, 1
	if r.IntN(2) == 0 { // in a reply
		w.sealSize(t, 0, 1, 0)
		w.open(t, w.sent[0], 1)
		w.sent = nil
		x, y = 1, 0
	}
	for range 4100 {
		w.sealSize(t, x, y, 0)
	}
	around := []int{0, 1, 2, 100, 1000, 1998, 1999, 2000, 2001, 2002, 2003, 3999, 4000, 4001, 4002, 4003, 4098, 4099}
	for range 12 {
		w.open(t, w.sent[around[r.IntN(len(around))]], y)
	}
	if r.IntN(2) == 0 { // in the session before
		w.establishWith(t, x, y, w.bundles[y][2])
		w.sealSize(t, x, y, 0)
		w.open(t, w.sent[len(w.sent)-1], y)
	}
	for _, i := range around {
		w.open(t, w.sent[i], y)
	}
}

// turns leaves messages behind in many turns and sessions, and delivers them at
// the end.
func (w *twins) turns(t tb, r *rand.Rand) {
	w.establishWith(t, 0, 1, w.bundles[1][1])
	var late []twoSealed
	for turn := range 14 + 45*r.IntN(2) {
		x, y := turn%2, 1-turn%2
		if turn > 14 { // many sessions
			w.establishWith(t, x, y, w.bundles[y][0])
		}
		for range 3 {
			w.sealSize(t, x, y, 0)
		}
		n := len(w.sent)
		w.open(t, w.sent[n-2], y)
		late = append(late, w.sent[n-3], w.sent[n-1])
	}
	for x := range 2 {
		w.restore(t, x)
	}
	r.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	for _, s := range late {
		w.open(t, s, s.to)
	}
}
