package sized_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// now is the time of all tests; the adapter does not look at it.
var now = time.Unix(1_700_000_000, 0)

// fakeSuite is a source of repeatable randomness. A use of anything else panics.
type fakeSuite struct {
	suite.Suite
	r io.Reader
}

func (s fakeSuite) Rand() io.Reader { return s.r }

func newClient(t testing.TB, address string) protocols.Client {
	t.Helper()
	var seed [32]byte
	copy(seed[:], address)
	c, err := sized.Adapter{}.New(protocols.Config{
		Address: protocols.Address(address),
		Suite:   fakeSuite{r: rand.NewChaCha8(seed)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// bundleOf publishes one one-time key and returns it as a bundle.
func bundleOf(t testing.TB, c protocols.Client) protocols.Bundle {
	t.Helper()
	k, err := c.Publish(now, 1)
	if err != nil {
		t.Fatal(err)
	}
	return protocols.Bundle{Static: k.Static, OneTime: &k.OneTime[0]}
}

func establish(t testing.TB, c protocols.Client, peer string, b protocols.Bundle) {
	t.Helper()
	if _, err := c.Establish(now, protocols.Address(peer), b); err != nil {
		t.Fatal(err)
	}
}

func seal(t testing.TB, c protocols.Client, peer, plaintext string) protocols.Sealed {
	t.Helper()
	s, err := c.Seal(protocols.Address(peer), []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, c protocols.Client, peer string, s protocols.Sealed, want string) protocols.Notice {
	t.Helper()
	o, err := c.Open(protocols.Address(peer), s)
	if err != nil {
		t.Fatalf("open %q: %v", want, err)
	}
	if string(o.Plaintext) != want {
		t.Fatalf("opened %q, want %q", o.Plaintext, want)
	}
	return o.Notice
}

func TestConversation(t *testing.T) {
	t.Parallel()
	a, b := newClient(t, "a"), newClient(t, "b")
	establish(t, a, "b", bundleOf(t, b))
	first := seal(t, a, "b", "one")
	if first.Type != "pkmsg" || first.Version != 2 {
		t.Errorf("first message has type %q version %d, want pkmsg 2", first.Type, first.Version)
	}
	second := seal(t, a, "b", "two")
	if n := open(t, b, "a", second, "two"); n != protocols.SessionStarted|protocols.OneTimeKeyUsed {
		t.Errorf("notice %b, want a new session and a used key", n)
	}
	open(t, b, "a", first, "one")
	if _, err := b.Open("a", first); !errors.Is(err, protocols.ErrReplayed) {
		t.Errorf("replay: %v, want %v", err, protocols.ErrReplayed)
	}
	reply := seal(t, b, "a", "three")
	if reply.Type != "msg" {
		t.Errorf("reply has type %q, want msg", reply.Type)
	}
	open(t, a, "b", reply, "three")
	if s := seal(t, a, "b", "four"); s.Type != "msg" {
		t.Errorf("message after the reply has type %q, want msg", s.Type)
	}
}

// Sizes of a message, worked out by hand from the layout in wire.go.
func TestSizes(t *testing.T) {
	t.Parallel()
	a, b := newClient(t, "a"), newClient(t, "b")
	establish(t, a, "b", bundleOf(t, b))
	// 1 version, 2*35 keys, 2+78 inner, 1+2 registration id, 1+1 signed prekey
	// id, 1+1 one-time prekey id; inner: 1 version, 35 key, 2 counter, 2 previous,
	// 2+16 body, 8 MAC.
	const inner = 1 + 35 + 2 + 2 + 2 + 16 + 8
	if got, want := len(seal(t, a, "b", "fifteen bytes..").Payload), 1+2*35+2+inner+3+2+2; got != want {
		t.Errorf("first message of 15 bytes has %d bytes, want %d", got, want)
	}
	s := seal(t, a, "b", "sixteen bytes...")
	if got, want := len(s.Payload), 1+2*35+2+inner+16+3+2+2; got != want {
		t.Errorf("first message of 16 bytes has %d bytes, want %d", got, want)
	}
	open(t, b, "a", s, "sixteen bytes...")
	reply := seal(t, b, "a", "")
	if got, want := len(reply.Payload), inner; got != want {
		t.Errorf("reply has %d bytes, want %d", got, want)
	}
}

func TestPayloadHidesPlaintext(t *testing.T) {
	t.Parallel()
	a, b := newClient(t, "a"), newClient(t, "b")
	establish(t, a, "b", bundleOf(t, b))
	text := "a sentence that nobody else should find on the wire"
	if p := seal(t, a, "b", text).Payload; bytes.Contains(p, []byte(text[:8])) {
		t.Error("payload holds plaintext")
	}
}

func TestRestoreContinues(t *testing.T) {
	t.Parallel()
	a, b := newClient(t, "a"), newClient(t, "b b/ü")
	establish(t, a, "b b/ü", bundleOf(t, b))
	open(t, b, "a", seal(t, a, "b b/ü", "1"), "1")
	late := seal(t, a, "b b/ü", "2")
	open(t, b, "a", seal(t, a, "b b/ü", "3"), "3")
	open(t, a, "b b/ü", seal(t, b, "a", "4"), "4")

	restore := func(address string, c protocols.Client) protocols.Client {
		state := c.State()
		r, err := sized.Adapter{}.Restore(protocols.Config{
			Address: protocols.Address(address),
			Suite:   fakeSuite{r: rand.NewChaCha8([32]byte{1})},
		}, state)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(r.State()), fmt.Sprint(state); got != want {
			t.Errorf("restored state differs:\n got %s\nwant %s", got, want)
		}
		return r
	}
	a, b = restore("a", a), restore("b b/ü", b)
	open(t, b, "a", late, "2")
	open(t, b, "a", seal(t, a, "b b/ü", "5"), "5")
	open(t, a, "b b/ü", seal(t, b, "a", "6"), "6")
}

func ExampleAdapter() {
	adapter := sized.Adapter{}
	client := func(address protocols.Address) protocols.Client {
		c, err := adapter.New(protocols.Config{
			Address: address,
			Suite:   fakeSuite{r: rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32s", address))))},
		})
		if err != nil {
			panic(err)
		}
		return c
	}
	alice, bob := client("alice"), client("bob")

	keys, _ := bob.Publish(time.Time{}, 1)
	alice.Establish(time.Time{}, "bob", protocols.Bundle{Static: keys.Static, OneTime: &keys.OneTime[0]})
	sealed, _ := alice.Seal("bob", []byte("hello"))
	opened, _ := bob.Open("alice", sealed)
	fmt.Printf("%s: %q\n", sealed.Type, opened.Plaintext)
	// Output: pkmsg: "hello"
}

func BenchmarkSeal(b *testing.B) {
	x, y := newClient(b, "x"), newClient(b, "y")
	establish(b, x, "y", bundleOf(b, y))
	open(b, y, "x", seal(b, x, "y", "-"), "-")
	plaintext := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := y.Seal("x", plaintext); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens messages in order; BenchmarkPingPong opens each message in
// a new chain.
func BenchmarkOpen(b *testing.B) {
	x, y := newClient(b, "x"), newClient(b, "y")
	establish(b, x, "y", bundleOf(b, y))
	open(b, y, "x", seal(b, x, "y", "-"), "-")
	plaintext := make([]byte, 256)
	const batch = 1 << 14
	messages := make([]protocols.Sealed, batch)
	i := batch
	b.ReportAllocs()
	for b.Loop() {
		if i == batch {
			b.StopTimer()
			for i := range messages {
				messages[i] = seal(b, y, "x", string(plaintext))
			}
			i = 0
			b.StartTimer()
		}
		if _, err := x.Open("y", messages[i]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkPingPong(b *testing.B) {
	x, y := newClient(b, "x"), newClient(b, "y")
	establish(b, x, "y", bundleOf(b, y))
	plaintext := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		open(b, y, "x", seal(b, x, "y", string(plaintext)), string(plaintext))
		open(b, x, "y", seal(b, y, "x", string(plaintext)), string(plaintext))
	}
}
