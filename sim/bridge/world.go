package bridge

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Start is when a world begins, for what has a date.
var Start = time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)

// The names of nodes, beside the domains of providers and the names of devices.
const (
	GatekeeperNode = "gatekeeper"
	ProxyNode      = "proxy" // of the gateway's operator, where the gateway is on a device
	ServerNode     = "gateway"
	BridgeNode     = "bob/bridge"
	PhoneNode      = "bob/phone"
)

// The providers: of Alice and Carol, and of the gateway's operator.
const (
	HubDomain      = "a.example"
	OperatorDomain = "g.example"
)

// Config is what a World is made of. It is not modified.
type Config struct {
	Seed  uint64
	Place gateway.Place
	// Native puts the gateway's lines at the gatekeeper itself, and Bob at a partner;
	// else Bob is the gatekeeper's user and the lines are a partner's.
	Native bool
	// Lines is how many the gateway has; 0 means 4. Limits are the gateway's.
	Lines  int
	Limits gateway.Limits
	// Adapter is the Signal protocol; nil is the best of this build.
	Adapter protocols.Adapter
	// Crash, if it is not nil, is asked after each Step of the gateway whether it stops
	// there.
	Crash func(n int) Crash
}

// Crash says whether a gateway stops, and when.
type Crash uint8

// The moments.
const (
	NoCrash Crash = iota
	// BeforeStore is before the Step's records are durable.
	BeforeStore
	// AfterStore is between that and anything leaving.
	AfterStore
)

// Frame is one message between two nodes.
type Frame struct {
	Number   int
	Sent     des.Time
	Arrived  des.Time // -1 if it was lost
	From, To string
	What     string
	Note     string
	Body     []byte
}

// World is the nodes and what is on its way. It is not for concurrent use.
type World struct {
	cfg     Config
	adapter protocols.Adapter
	kernel  *des.Kernel
	frames  []*Frame
	busy    int
	wakes   map[string]wake
	err     error

	providers map[string]*provider
	devices   map[string]*Device
	keeper    *keeper
	proxy     *dma.Proxy
	phone     *Phone
	gateway   *bridge
	// uploads counts what media hosts have.
	uploads int
	// forget, if it is not nil, has the gateway not get what its provider sends: a fault of
	// that provider.
	forget func(what string) bool
}

type wake struct {
	at des.Time
	id des.ID
}

// store keeps the records of a machine, as a disk would, and all that were ever there.
type store struct {
	now  map[string][]byte
	ever [][]byte
}

func newStore() *store { return &store{now: make(map[string][]byte)} }

func (s *store) apply(list []protocols.Record) {
	for _, r := range list {
		if r.Value == nil {
			delete(s.now, r.Key)
			continue
		}
		v := slices.Clone(r.Value)
		s.now[r.Key] = v
		s.ever = append(s.ever, append([]byte(r.Key+" "), v...))
	}
}

func (s *store) records() (list []protocols.Record) {
	for _, key := range slices.Sorted(maps.Keys(s.now)) {
		list = append(list, protocols.Record{Key: key, Value: s.now[key]})
	}
	return list
}

// BestAdapter returns the real Signal adapter, or in a build without it the one of its
// sizes.
func BestAdapter() protocols.Adapter {
	for _, name := range []string{"signal-v3", "signal-v3-sized"} {
		if a, err := adapters.ByName(name); err == nil {
			return a
		}
	}
	panic("bridge: invariant broken, every build has an adapter of Signal")
}

// New returns a world with the gatekeeper, Bob and his phone, both providers and the
// gateway, all connected.
func New(cfg Config) (*World, error) {
	w := &World{
		cfg: cfg, adapter: cfg.Adapter, kernel: des.New(cfg.Seed), wakes: make(map[string]wake),
		providers: make(map[string]*provider), devices: make(map[string]*Device), proxy: dma.NewProxy(),
	}
	if w.adapter == nil {
		w.adapter = BestAdapter()
	}
	if w.cfg.Lines == 0 {
		w.cfg.Lines = 4
	}
	for _, domain := range []string{HubDomain, OperatorDomain} {
		if err := w.addProvider(domain); err != nil {
			return nil, err
		}
	}
	if err := w.addKeeper(); err != nil {
		return nil, err
	}
	if err := w.addGateway(); err != nil {
		return nil, err
	}
	return w, w.Settle()
}

// suite returns a node's suite, whose randomness follows from the seed.
func (w *World) suite(label string) (suite.Suite, error) {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("bridge"), w.cfg.Seed))
	return suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, seed, label)
}

// addProvider adds a provider, which is a hub for its rooms and a follower for its
// users. The operator's gives key material only with consent, as a gateway needs.
func (w *World) addProvider(domain string) error {
	s, err := w.suite("provider " + domain)
	if err != nil {
		return err
	}
	identity, err := mls.NewIdentity(s, []byte("mimi://"+domain))
	if err != nil {
		return err
	}
	franking, err := s.GenerateSigner()
	if err != nil {
		return err
	}
	key, err := mimi.NewHubKey(s)
	if err != nil {
		return err
	}
	p := &provider{
		domain: domain, store: newStore(),
		hubConfig: hub.Config{
			Domain: domain, Groups: &mls.Config{Suite: s}, Identity: identity, Franking: franking, FrankKeys: []mimi.HubKey{key},
			EpochTolerance: 1,
		},
	}
	if p.hub, err = hub.New(p.hubConfig); err != nil {
		return err
	}
	p.follower, err = follower.New(&follower.Config{
		Domain: domain, NeedConsent: domain == OperatorDomain,
		Groups: map[suite.ID]*mls.Config{s.ID(): {Suite: s, Components: room.DefaultPoints.MLSComponents()}},
	})
	w.providers[domain] = p
	return err
}

// Now returns the virtual time; Time returns it as a date.
func (w *World) Now() des.Time { return w.kernel.Now() }

// Time returns Now as a date.
func (w *World) Time() time.Time { return Start.Add(w.kernel.Now().Duration()) }

// Frames returns all frames so far, in the order in which they were sent.
func (w *World) Frames() []*Frame { return w.frames }

// patience is how long Settle lets time pass for what waits for it.
const patience = 10 * des.Minute

// Settle lets everything go on until nothing is under way and no machine wants to be
// woken soon.
func (w *World) Settle() error {
	for w.err == nil && (w.busy > 0 || w.nextWake() <= w.kernel.Now().Add(patience)) {
		w.kernel.Step()
	}
	return w.err
}

// Step lets the next thing happen, if there is any that is under way or wanted soon.
func (w *World) Step() bool {
	if w.err != nil || w.busy == 0 && w.nextWake() > w.kernel.Now().Add(patience) {
		return false
	}
	w.kernel.Step()
	return true
}

// Pass lets time go on, with all that is due in it.
func (w *World) Pass(d des.Time) error {
	w.kernel.RunUntil(w.kernel.Now().Add(d))
	return w.err
}

// after runs a task in a while.
func (w *World) after(d des.Time, task func()) {
	w.busy++
	w.kernel.After(d, des.HandlerFunc(func(*des.Kernel, des.Event) {
		w.busy--
		if w.err == nil {
			task()
		}
	}), des.Event{})
}

// soon runs a task once the step that asks for it is over.
func (w *World) soon(task func()) { w.after(0, task) }

// The delays of links: between two providers or servers, and to a device.
const (
	backbone = 10 * des.Millisecond
	access   = 20 * des.Millisecond
)

// send puts a frame on its way.
func (w *World) send(f Frame, arrive func(body []byte)) {
	f.Number, f.Sent, f.Arrived = len(w.frames)+1, w.kernel.Now(), -1
	f.Body = slices.Clone(f.Body)
	kept := new(f)
	w.frames = append(w.frames, kept)
	delay := backbone
	for _, n := range []string{f.From, f.To} {
		if strings.HasSuffix(n, "/phone") || n == BridgeNode || w.devices[n] != nil {
			delay = access
		}
	}
	w.after(delay, func() {
		kept.Arrived = w.kernel.Now()
		arrive(kept.Body)
	})
}

// wakeAt notes when a machine wants to be woken; zero means not at all.
func (w *World) wakeAt(machine string, at time.Time, task func()) {
	if old, ok := w.wakes[machine]; ok {
		w.kernel.Cancel(old.id)
		delete(w.wakes, machine)
	}
	if at.IsZero() {
		return
	}
	t := max(des.FromDuration(at.Sub(Start)), w.kernel.Now())
	id := w.kernel.Schedule(t, 0, des.HandlerFunc(func(*des.Kernel, des.Event) {
		delete(w.wakes, machine)
		if w.err == nil {
			task()
		}
	}), des.Event{})
	w.wakes[machine] = wake{t, id}
}

func (w *World) nextWake() des.Time {
	next := des.Never
	for _, k := range w.wakes {
		next = min(next, k.at)
	}
	return next
}

// fail ends the world at an error that no machine may cause.
func (w *World) fail(err error) {
	if w.err == nil {
		w.err = fmt.Errorf("bridge: at %v: %w", w.kernel.Now(), err)
	}
}

func uri(kind ident.Kind, domain string, segments ...string) ident.URI {
	u, err := ident.NewURI(kind, domain, segments...)
	if err != nil {
		panic("bridge: invariant broken, names make a URI: " + err.Error())
	}
	return u
}
