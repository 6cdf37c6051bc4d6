//go:build !nogpl

package v3

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"go.mau.fi/libsignal/ecc"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// testSuite draws from a seeded generator. A use of anything else panics.
type testSuite struct {
	suite.Suite
	source io.Reader
}

func (s testSuite) Rand() io.Reader { return s.source }

func suiteOf(seed string) testSuite {
	return testSuite{source: rand.NewChaCha8(sha256.Sum256([]byte(seed)))}
}

var epoch = time.Unix(1_700_000_000, 0)

func newClient(t testing.TB, a Adapter, address protocols.Address) *client {
	t.Helper()
	c, err := a.New(protocols.Config{Address: address, Suite: suiteOf(t.Name() + string(address))})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*client)
}

// bundleOf publishes one bundle, with a one-time prekey if asked for.
func bundleOf(t testing.TB, c protocols.Client, oneTime int) protocols.Bundle {
	t.Helper()
	m, err := c.Publish(epoch, oneTime)
	if err != nil {
		t.Fatal(err)
	}
	b := protocols.Bundle{Static: m.Static}
	if oneTime > 0 {
		b.OneTime = &m.OneTime[0]
	}
	return b
}

func establish(t testing.TB, from *client, to *client) {
	t.Helper()
	if _, err := from.Establish(epoch, to.address, bundleOf(t, to, 1)); err != nil {
		t.Fatal(err)
	}
}

func mustSeal(t testing.TB, c protocols.Client, to protocols.Address, text string) protocols.Sealed {
	t.Helper()
	s, err := c.Seal(to, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustOpen(t testing.TB, c protocols.Client, from protocols.Address, s protocols.Sealed, want string) protocols.Notice {
	t.Helper()
	o, err := c.Open(from, s)
	if err != nil {
		t.Fatal(err)
	}
	if string(o.Plaintext) != want {
		t.Fatalf("opened %q, want %q", o.Plaintext, want)
	}
	return o.Notice
}

// pair returns two clients with a session that both have used.
func pair(t testing.TB) (alice, bob *client) {
	t.Helper()
	alice, bob = newClient(t, Adapter{}, "alice"), newClient(t, Adapter{}, "bob")
	establish(t, alice, bob)
	mustOpen(t, bob, "alice", mustSeal(t, alice, "bob", "hello"), "hello")
	mustOpen(t, alice, "bob", mustSeal(t, bob, "alice", "hi"), "hi")
	return alice, bob
}

func TestConversation(t *testing.T) {
	t.Parallel()
	for _, oneTime := range []int{0, 1} {
		t.Run(fmt.Sprintf("oneTime=%d", oneTime), func(t *testing.T) {
			t.Parallel()
			alice, bob := newClient(t, Adapter{}, "alice"), newClient(t, Adapter{}, "bob")
			n, err := alice.Establish(epoch, "bob", bundleOf(t, bob, oneTime))
			if err != nil || n != protocols.SessionStarted {
				t.Fatalf("Establish = %v, %v", n, err)
			}
			first, second := mustSeal(t, alice, "bob", "one"), mustSeal(t, alice, "bob", "two")
			if first.Type != "pkmsg" || first.Version != 2 {
				t.Errorf("first message is a %s of version %d", first.Type, first.Version)
			}
			want := protocols.SessionStarted
			if oneTime > 0 {
				want |= protocols.OneTimeKeyUsed
			}
			if got := mustOpen(t, bob, "alice", first, "one"); got != want {
				t.Errorf("notice of the first message = %b, want %b", got, want)
			}
			if got := mustOpen(t, bob, "alice", second, "two"); got != 0 {
				t.Errorf("notice of the second message = %b", got)
			}
			for i := range 50 {
				text := fmt.Sprint("answer ", i)
				s := mustSeal(t, bob, "alice", text)
				if s.Type != "msg" {
					t.Fatalf("responder sends a %s", s.Type)
				}
				mustOpen(t, alice, "bob", s, text)
				s = mustSeal(t, alice, "bob", text)
				if s.Type != "msg" {
					t.Fatalf("acknowledged initiator sends a %s", s.Type)
				}
				mustOpen(t, bob, "alice", s, text)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	alice, bob := newClient(t, Adapter{}, "alice"), newClient(t, Adapter{}, "bob")
	if _, err := alice.Seal("bob", nil); !errors.Is(err, protocols.ErrNoSession) {
		t.Errorf("Seal without session: %v", err)
	}
	b := bundleOf(t, bob, 1)
	if _, err := alice.Establish(epoch, "bob", b); err != nil {
		t.Fatal(err)
	}
	s := mustSeal(t, alice, "bob", "text")
	mustOpen(t, bob, "alice", s, "text")
	if _, err := bob.Open("alice", s); !errors.Is(err, protocols.ErrReplayed) {
		t.Errorf("replay: %v", err)
	}
	carol := newClient(t, Adapter{}, "carol")
	if _, err := carol.Establish(epoch, "bob", b); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Open("carol", mustSeal(t, carol, "bob", "")); !errors.Is(err, protocols.ErrKeyUnknown) {
		t.Errorf("used one-time prekey: %v", err)
	}
	for range maxAhead + 1 {
		mustSeal(t, alice, "bob", "lost")
	}
	if _, err := bob.Open("alice", mustSeal(t, alice, "bob", "far")); !errors.Is(err, protocols.ErrTooFarAhead) {
		t.Errorf("2001 messages lost: %v", err)
	}
}

func TestOutOfOrder(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	var sent []protocols.Sealed
	for i := range 100 {
		sent = append(sent, mustSeal(t, alice, "bob", fmt.Sprint(i)))
		if i%10 == 9 { // a new chain every ten messages
			mustOpen(t, bob, "alice", sent[i], fmt.Sprint(i))
			mustOpen(t, alice, "bob", mustSeal(t, bob, "alice", "step"), "step")
		}
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(100)
	opened := 0
	for _, i := range order {
		o, err := bob.Open("alice", sent[i])
		switch {
		case i%10 == 9:
			// Once its chain is gone, a replay looks like a forgery.
			if err == nil || i/10 >= 10-maxReceiverChains && !errors.Is(err, protocols.ErrReplayed) {
				t.Errorf("message %d again: %v", i, err)
			}
		case err == nil:
			opened++
			if string(o.Plaintext) != fmt.Sprint(i) {
				t.Errorf("message %d opened as %q", i, o.Plaintext)
			}
		case i/10 >= 10-maxReceiverChains:
			t.Errorf("message %d: %v", i, err)
		}
	}
	// Of ten chains the last five are kept.
	if want := maxReceiverChains * 9; opened != want {
		t.Errorf("opened %d late messages, want %d", opened, want)
	}
}

func TestSimultaneousInitiation(t *testing.T) {
	t.Parallel()
	alice, bob := newClient(t, Adapter{}, "alice"), newClient(t, Adapter{}, "bob")
	establish(t, alice, bob)
	establish(t, bob, alice)
	a, b := mustSeal(t, alice, "bob", "a"), mustSeal(t, bob, "alice", "b")
	mustOpen(t, bob, "alice", a, "a")
	mustOpen(t, alice, "bob", b, "b")
	for i := range 10 {
		text := fmt.Sprint(i)
		a, b := mustSeal(t, alice, "bob", text), mustSeal(t, bob, "alice", text)
		mustOpen(t, bob, "alice", a, text)
		mustOpen(t, alice, "bob", b, text)
	}
}

func TestIdentityChange(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	late := mustSeal(t, alice, "bob", "late")
	again, err := Adapter{}.New(protocols.Config{Address: "alice", Suite: suiteOf("reinstalled")})
	if err != nil {
		t.Fatal(err)
	}
	establish(t, again.(*client), bob)
	n := mustOpen(t, bob, "alice", mustSeal(t, again, "bob", "new phone"), "new phone")
	if !n.Has(protocols.IdentityChanged | protocols.SessionStarted) {
		t.Errorf("notice = %b", n)
	}
	if n := mustOpen(t, bob, "alice", late, "late"); n != protocols.IdentityChanged {
		t.Errorf("notice of the late message = %b", n)
	}
	n, err = bob.Establish(epoch, "alice", bundleOf(t, again, 1))
	if err != nil || n != protocols.SessionStarted|protocols.IdentityChanged {
		t.Errorf("Establish = %b, %v", n, err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	bob := newClient(t, Adapter{}, "bob")
	old := bundleOf(t, bob, 0)
	var sealed []protocols.Sealed
	for i := range 2 {
		alice := newClient(t, Adapter{}, protocols.Address(fmt.Sprint("alice", i)))
		if _, err := alice.Establish(epoch, "bob", old); err != nil {
			t.Fatal(err)
		}
		sealed = append(sealed, mustSeal(t, alice, "bob", "x"))
	}
	if err := bob.Rotate(epoch); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, bob, "alice0", sealed[0], "x")
	if bytes.Equal(bundleOf(t, bob, 0).Static, old.Static) {
		t.Error("Publish still returns the old signed prekey")
	}
	if err := bob.Rotate(epoch); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Open("alice1", sealed[1]); !errors.Is(err, protocols.ErrKeyUnknown) {
		t.Errorf("signed prekey after two rotations: %v", err)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	alice, bob := newClient(t, Adapter{}, "alice"), newClient(t, Adapter{}, "bob space/ü")
	records := bob.State()
	reloads := 0
	reload := func() {
		t.Helper()
		records = append(records, bob.Changes()...)
		if again := bob.Changes(); len(again) != 0 {
			t.Fatalf("Changes again = %v", again)
		}
		reloads++ // a client must not draw the same keys twice
		c, err := Adapter{}.Restore(protocols.Config{Address: bob.address, Suite: suiteOf(fmt.Sprint(reloads))}, records)
		if err != nil {
			t.Fatal(err)
		}
		bob = c.(*client)
	}
	establish(t, alice, bob)
	reload()
	for i := range 5 {
		text := fmt.Sprint(i)
		mustOpen(t, bob, "alice", mustSeal(t, alice, bob.address, text), text)
		reload()
		mustOpen(t, alice, bob.address, mustSeal(t, bob, "alice", text), text)
		reload()
	}
	if err := bob.Rotate(epoch); err != nil {
		t.Fatal(err)
	}
	reload()
}

// TestReplay: with the same randomness two runs write the same bytes.
func TestReplay(t *testing.T) {
	t.Parallel()
	run := func() (out []byte) {
		p := newParty(t, Adapter{}, "alice", "bob")
		p.gather(t, "alice")
		for i := range 5 {
			for _, from := range []protocols.Address{"alice", "bob"} {
				group := p.say(t, from, fmt.Sprint(i))
				p.deliver(t, from, group)
				out = append(out, group[len(group)-1].Payload...)
			}
			s := mustSeal(t, p["alice"], "bob", "text")
			mustOpen(t, p["bob"], "alice", s, "text")
			out = append(out, s.Payload...)
		}
		for _, r := range p["bob"].State() {
			out = append(out, r.Value...)
		}
		return out
	}
	if !bytes.Equal(run(), run()) {
		t.Error("two runs differ")
	}
}

// TestSignaturesOfTheLibrary: its XEdDSA and package signal's verify each other's.
func TestSignaturesOfTheLibrary(t *testing.T) {
	t.Parallel()
	silence()
	r := random{reader: suiteOf("signatures").Rand()}
	for i := range 20 {
		k, err := r.keyPair()
		if err != nil {
			t.Fatal(err)
		}
		message := fmt.Append(nil, "message ", i)
		ours, err := r.sign(k, message)
		if err != nil {
			t.Fatal(err)
		}
		if !ecc.VerifySignature(k.PublicKey(), message, ours) {
			t.Errorf("the library refuses signature %d", i)
		}
		theirs := ecc.CalculateSignature(k.PrivateKey(), message)
		if pub := public(k); !signal.Verify(&pub, message, &theirs) {
			t.Errorf("we refuse the library's signature %d", i)
		}
	}
}

func TestSafetyNumber(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	number := func(c *client, peer protocols.Address) string {
		t.Helper()
		n, err := c.SafetyNumber([]byte("+"+c.address), []byte("+"+peer), peer)
		if err != nil || len(n) != 60 {
			t.Fatalf("safety number %q, %v", n, err)
		}
		return n
	}
	before := number(bob, "alice")
	if got := number(alice, "bob"); got != before {
		t.Errorf("Alice sees %s, Bob %s", got, before)
	}
	if _, err := alice.SafetyNumber(nil, nil, "carol"); !errors.Is(err, protocols.ErrNoSession) {
		t.Errorf("number with a stranger: %v", err)
	}
	again, err := Adapter{}.New(protocols.Config{Address: "alice", Suite: suiteOf("reinstalled")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Establish(epoch, "alice", bundleOf(t, again, 0)); err != nil {
		t.Fatal(err)
	}
	if number(bob, "alice") == before {
		t.Error("another identity has the same safety number")
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"no address": func() error { _, err := Adapter{}.New(protocols.Config{Suite: suiteOf("x")}); return err }(),
		"no suite":   func() error { _, err := Adapter{}.New(protocols.Config{Address: "a"}); return err }(),
		"no layout": func() error {
			_, err := Adapter{Layout: 2}.New(protocols.Config{Address: "a", Suite: suiteOf("x")})
			return err
		}(),
		"no randomness": func() error {
			_, err := Adapter{}.New(protocols.Config{Address: "a", Suite: testSuite{source: bytes.NewReader(nil)}})
			return err
		}(),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestClientHidesItsKeys(t *testing.T) {
	t.Parallel()
	c := newClient(t, Adapter{}, "alice")
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
		if got := fmt.Sprintf(verb, c); got != `signal-v3 client of "alice"` {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	err := func() (err error) {
		defer guard(&err)
		panic("index out of range")
	}()
	if !errors.Is(err, protocols.ErrMalformed) {
		t.Errorf("error %v", err)
	}
}

// TestRandomnessFails: when no random bytes are to be had, nothing changes.
func TestRandomnessFails(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	establishable, answer := bundleOf(t, bob, 1), mustSeal(t, alice, "bob", "text")
	bob.Changes()
	bob.random.reader = bytes.NewReader(make([]byte, 40)) // enough for one key, not for two
	for name, f := range map[string]func() error{
		"Publish":   func() error { _, err := bob.Publish(epoch, 2); return err },
		"Rotate":    func() error { return bob.Rotate(epoch) },
		"Establish": func() error { _, err := bob.Establish(epoch, "alice", bundleOf(t, alice, 0)); return err },
	} {
		bob.random.reader = bytes.NewReader(make([]byte, 40))
		if f() == nil {
			t.Errorf("%s succeeds", name)
		}
	}
	bob.random.reader = bytes.NewReader(nil)
	if _, err := bob.Open("alice", answer); err == nil {
		t.Error("Open of a new chain succeeds")
	}
	if changed := bob.Changes(); len(changed) != 0 {
		t.Errorf("failures changed %s", changed[0].Key)
	}
	bob.random.reader = suiteOf("again").Rand()
	mustOpen(t, bob, "alice", answer, "text")
	if _, err := alice.Establish(epoch, "bob", establishable); err != nil {
		t.Fatal(err)
	}
}
