//go:build !nogpl

package world

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	memory "github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/report"
	"github.com/mimi-lab/mimi-lab/sim/trace"
)

// channelTrace is what went over a device's chat channel in one direction.
type channelTrace []trace.Entry

// renumbered names requests by how many came before in the conversation: devices count
// them from their first day on, of which sockets have more.
func (c channelTrace) renumbered() channelTrace {
	names := make(map[string]string)
	c = slices.Clone(c)
	for i := range c {
		if e := &c[i]; e.Kind == "iq" {
			if names[e.ID] == "" {
				names[e.ID] = fmt.Sprintf("request %d", len(names))
			}
			e.ID = names[e.ID]
		}
	}
	return c
}

// talk is where a conversation takes place: in a simulated world or over sockets. Its two
// people are a native user and a partner's.
type talk interface {
	do(who person, in dma.Input) (id string)
	offline(who person)
	online(who person)
	settle()
	address(who person) ident.Address
	traces() map[string]channelTrace
}

type person int

const (
	native person = iota
	partners
)

var people = []person{native, partners}

func (p person) String() string { return [...]string{"native", "partner's"}[p] }

// converse is the conversation. What the two do, each does after all before has come.
func converse(w talk) {
	to := func(who person) ident.Address { return w.address(who) }
	write := func(from, at person, c dma.Content) string {
		id := w.do(from, dma.Compose{To: to(at), Content: c})
		w.settle()
		return id
	}
	do := func(who person, in dma.Input) {
		w.do(who, in)
		w.settle()
	}
	first := write(partners, native, dma.Content{Kind: dma.Text, Text: "Hello across"})
	do(native, dma.MarkRead{Peer: to(partners), IDs: []string{first}})
	do(native, dma.Typing{To: to(partners)})
	reply := write(native, partners, dma.Content{Kind: dma.Text, Text: "Hello back", ReplyTo: first})
	write(partners, native, dma.Content{Kind: dma.Reaction, Text: "👍", Target: reply})
	write(partners, native, dma.Content{Kind: dma.Reaction, Target: reply})
	write(partners, native, dma.Content{Kind: dma.Image, Text: "the view", Media: dma.MediaRef{
		Ref: "/interop/whatsapp/download/1/abc/", Size: 20_000, Thumbnail: make([]byte, 500),
	}})
	w.offline(partners)
	for i := range 3 {
		write(native, partners, dma.Content{Kind: dma.Text, Text: fmt.Sprintf("are you there? (%d)", i)})
	}
	w.online(partners)
	w.settle()
	do(native, dma.Block{User: to(partners), On: true})
	write(partners, native, dma.Content{Kind: dma.Text, Text: "not any more"})
	do(native, dma.Block{User: to(partners)})
	write(partners, native, dma.Content{Kind: dma.Text, Text: "and now?"})
}

// TestSocketsTrace: one conversation puts the same stanzas of the same sizes in the same
// order on each chat channel, in the simulator and over sockets.
func TestSocketsTrace(t *testing.T) {
	t.Parallel()
	simulated, sockets := newSimulatedTalk(t), newSocketTalk(t)
	converse(simulated)
	converse(sockets)
	total := 0
	for _, name := range channels() {
		a, b := simulated.traces()[name].renumbered(), sockets.traces()[name].renumbered()
		total += len(a)
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Errorf("%s, stanza %d: %+v in the simulator, %+v over sockets", name, i, a[i], b[i])
			}
		}
		if len(a) != len(b) {
			t.Errorf("%s: %d stanzas in the simulator, %d over sockets", name, len(a), len(b))
		}
	}
	const least = 60 // the conversation has as many, with its acks and receipts
	if total < least {
		t.Errorf("%d stanzas, want at least %d", total, least)
	}
}

// channel names one direction of a device's chat channel.
func channel(who person, up bool) string {
	if up {
		return who.String() + " up"
	}
	return who.String() + " down"
}

func channels() (names []string) {
	for _, who := range people {
		names = append(names, channel(who, true), channel(who, false))
	}
	return names
}

// luck is the stream that the machine of a person's device draws from.
func luck(who person) *des.Rand { return des.NewStream(1, "conversation/"+who.String()) }

// keys is how many one-time prekeys a device uploads.
const keys = 20

// simulatedTalk is a conversation in a simulated world.
type simulatedTalk struct {
	t       *testing.T
	w       *world
	devices [2]*device
}

func newSimulatedTalk(t *testing.T) *simulatedTalk {
	t.Helper()
	sc := load(t, "crypto-20k", "adapter=signal-v3", "devices.online=10000d", "devices.offline=10000d")
	sc.Gatekeepers, sc.Partners = sc.Gatekeepers[:1], sc.Partners[:1]
	sc.Gatekeepers[0].Users, sc.Partners[0].Users = 1, 1
	sc.Partners[0].Agreements, sc.Partners[0].Push = sc.Partners[0].Agreements[:1], false
	sc.Devices.Prekeys.Batch = keys
	sc.Workload.Contacts.NativePerPartnerUser, sc.Workload.MessagesPerUserPerDay = 1, 0
	sc.Checks = nil
	adapter, err := adapters.ByName(sc.Adapter)
	if err != nil {
		t.Fatal(err)
	}
	s := &simulatedTalk{t: t, w: &world{sc: sc, k: des.New(1), adapter: adapter}}
	s.w.meter = newMeter(report.NewReplication("", 0, 1), false)
	if err := s.w.build(Options{}); err != nil {
		t.Fatal(err)
	}
	for _, d := range s.w.devices {
		who := native
		if d.user.partner != nil {
			who = partners
		}
		s.devices[who] = d
		s.online(who)
	}
	s.settle()
	for who, d := range s.devices {
		d.rand = *luck(person(who))
	}
	s.w.journal = trace.NewRecorder()
	return s
}

func (s *simulatedTalk) do(who person, in dma.Input) string {
	return s.w.stepDevice(s.devices[who], in)
}

func (s *simulatedTalk) present(who person, up bool) {
	u := s.devices[who].user
	u.state.Up = up
	s.w.followPresence(u)
}

func (s *simulatedTalk) offline(who person) { s.present(who, false); s.settle() }
func (s *simulatedTalk) online(who person)  { s.present(who, true) }

// settle lets a time pass in which everything arrives.
func (s *simulatedTalk) settle() { s.w.k.RunUntil(s.w.k.Now() + 5*des.Minute) }

func (s *simulatedTalk) address(who person) ident.Address { return s.devices[who].addr }

func (s *simulatedTalk) traces() map[string]channelTrace {
	s.t.Helper()
	if err := s.w.journal.Flush(); err != nil {
		s.t.Fatal(err)
	}
	m := make(map[string]channelTrace)
	for _, e := range s.w.journal.Entries() {
		for who, d := range s.devices {
			if e.Event == trace.Send && (e.Node == d.name() || e.Peer == d.name()) {
				name := channel(person(who), e.Node == d.name())
				m[name] = append(m[name], bare(e))
			}
		}
	}
	return m
}

// bare leaves of an entry what stanza it is and how large.
func bare(e trace.Entry) trace.Entry {
	return trace.Entry{Event: e.Event, ID: e.ID, Kind: e.Kind, Size: e.Size, Note: e.Note}
}

// socketTalk is a conversation over sockets, with the gatekeeper's and the devices' shells.
type socketTalk struct {
	t       *testing.T
	ctx     context.Context
	gk      *serve.Gatekeeper
	devices [2]*serve.Device
	ends    [2]func()
	luck    [2]*stream

	mu   sync.Mutex
	seen map[string]channelTrace
	last time.Time // when a stanza was seen
}

// stream is randomness that is replaced when the conversation begins.
type stream struct {
	mu sync.Mutex
	io.Reader
}

func (s *stream) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Reader.Read(b)
}

// ownRand is a suite whose randomness for all but keys is a stream.
type ownRand struct {
	suite.Suite
	rand io.Reader
}

func (s ownRand) Rand() io.Reader { return s.rand }

// withSuite is an adapter whose clients have a suite of their own once they are enlisted,
// so that what they draw changes nothing for the device.
type withSuite struct {
	protocols.Adapter
	suite suite.Suite
}

func (a withSuite) Restore(cfg protocols.Config, records []protocols.Record) (protocols.Client, error) {
	cfg.Suite = a.suite
	return a.Adapter.Restore(cfg, records)
}

// issuer signs tokens, and verifies them.
type issuer struct {
	name   string
	signer *token.Signer
	keys   *token.Keys
}

const audience = "https://gatekeeper.example"

func newIssuer(t *testing.T, name string) *issuer {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := token.NewSigner("1", k)
	must(t, err)
	b, err := token.Document(signer)
	must(t, err)
	keys, err := token.ParseKeys(b)
	must(t, err)
	return &issuer{name, signer, keys}
}

func (i *issuer) Verify(_ context.Context, t, identifier string) (*token.Claims, error) {
	return token.Policy{Issuer: i.name, Audience: audience}.Verify(time.Now(), i.keys, t, identifier)
}

func (i *issuer) token(user string) (string, error) {
	return i.signer.Sign(token.Claims{Issuer: i.name, Audience: []string{audience}, Subject: user, Expires: time.Now().Add(time.Hour)})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSocketTalk(t *testing.T) *socketTalk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	s := &socketTalk{t: t, ctx: ctx, seen: make(map[string]channelTrace)}
	std, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	must(t, err)
	static, err := std.GenerateKeyPair()
	must(t, err)
	ca, err := localca.New("test", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	must(t, err)
	cert, err := ca.Issue(localca.Leaf{IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Starts: time.Now().Add(-time.Hour), Ends: time.Now().Add(time.Hour)})
	must(t, err)
	partner, own := newIssuer(t, "https://partner.example"), newIssuer(t, audience)
	s.gk, err = serve.New(ctx, serve.Config{
		Machine: dma.GatekeeperConfig{Native: ident.User, Reach: dma.DefaultOn, RefillBelow: 5}, Certificate: cert,
		Noise:    noise.ServerConfig{Config: noise.Config{Suite: std, Static: static}},
		Partners: []serve.Partner{{Integrator: 1, Issuer: partner.name, Tokens: partner}}, Own: own, OwnIssuer: own.name, Watch: serve.Watch{Frame: s.saw},
	})
	must(t, err)
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = s.gk.Close(); serving.Wait() })
	https, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	chat, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	serving.Go(func() { _ = s.gk.ServeHTTPS(https) })
	serving.Go(func() { _ = s.gk.ServeChat(chat) })
	base, err := adapters.ByName("signal-v3")
	must(t, err)
	for _, who := range people {
		seeded, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{1}, who.String())
		must(t, err)
		s.luck[who] = &stream{Reader: seeded.Rand()}
		adapter, st := withSuite{base, seeded}, memory.NewMemory()
		cfg := serve.EnlistConfig{
			Base: "https://" + https.Addr().String(), Roots: ca.Pool(), Store: st, Adapter: adapter, Suite: ownRand{std, s.luck[who]},
			Identifier: "wren/1",
		}
		from := partner
		if who == native {
			cfg.Identifier, cfg.Native, from = "4915100000000", ident.User, own
		}
		cfg.Token, err = from.token(cfg.Identifier)
		must(t, err)
		_, err = serve.Enlist(ctx, cfg)
		must(t, err)
		dev := serve.DeviceConfig{
			Store: st, Adapter: adapter, Suite: cfg.Suite, Address: chat.Addr().String(), Trust: noise.Trust{Pin: static.Public}, Batch: keys,
		}
		if who == partners {
			dev.Token = func(context.Context) (string, error) { return from.token(cfg.Identifier) }
		}
		s.devices[who], err = serve.NewDevice(ctx, dev)
		must(t, err)
		t.Cleanup(func() { _ = s.devices[who].Close() })
		s.online(who)
		t.Cleanup(func() {
			if s.ends[who] != nil {
				s.ends[who]()
			}
		})
	}
	s.do(native, dma.ChooseInbox{Inbox: stanza.CombinedInbox}) // as is done in a simulated world
	s.settle()
	for _, who := range people {
		s.luck[who].mu.Lock()
		s.luck[who].Reader = luck(who)
		s.luck[who].mu.Unlock()
	}
	s.mu.Lock()
	clear(s.seen)
	s.mu.Unlock()
	return s
}

func (s *socketTalk) saw(a ident.Address, sent bool, frame []byte) {
	e := (&world{k: des.New(0)}).frameEntry(trace.Send, "", "", frame)
	who := native
	if a.Server == ident.Interop {
		who = partners
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := channel(who, !sent)
	s.seen[name] = append(s.seen[name], bare(e))
	s.last = time.Now()
}

func (s *socketTalk) do(who person, in dma.Input) string {
	s.t.Helper()
	id, err := s.devices[who].Do(s.ctx, in)
	must(s.t, err)
	return id
}

func (s *socketTalk) online(who person) {
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.devices[who].Run(ctx) }()
	s.ends[who] = func() { cancel(); <-ended }
}

func (s *socketTalk) offline(who person) {
	if s.ends[who] == nil {
		return
	}
	s.ends[who]()
	s.ends[who] = nil
	// The gatekeeper notices in its own time, and writes to whom it takes to be there.
	for want := len(people) - 1; s.gk.Stats().Connected > want && s.ctx.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
}

// settle waits until everything that is under way has arrived: who is there waits for
// nothing, and nothing is seen any more.
func (s *socketTalk) settle() {
	s.t.Helper()
	for who, d := range s.devices {
		if s.ends[who] != nil {
			must(s.t, d.Settled(s.ctx, false))
		}
	}
	const quiet = 250 * time.Millisecond
	for began := time.Now(); ; {
		s.mu.Lock()
		since := time.Since(s.last)
		s.mu.Unlock()
		if since > quiet && time.Since(began) > quiet {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *socketTalk) address(who person) ident.Address { return s.devices[who].Account() }

func (s *socketTalk) traces() map[string]channelTrace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.seen)
}
