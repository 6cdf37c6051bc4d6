package rooms

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

// Start is when a world begins, for what has a date.
var Start = time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)

// Patience is how long [World.Settle] lets time pass for what waits for it, if
// nothing else is said.
const Patience = 30 * des.Minute

// Config is what a [World] is made of. It is not modified.
type Config struct {
	Seed uint64
	// Suite is that of all groups; 0 means suite 1.
	Suite suite.ID
	// Access is the link between a client and its provider, Backbone that between two
	// providers; nil means DefaultAccess and DefaultBackbone. Each way is one link.
	Access, Backbone *link.Config
	// NeedConsent lets providers give out key material only to those who have consent.
	NeedConsent bool
	// CommitDelay is that of all members, see [member.Config]; nil goes by the room.
	CommitDelay func(leaf uint32) time.Duration
	// Restart has [Play] restart all nodes whenever all has come to rest, see
	// [World.Restart].
	Restart bool
	// Fault, if it is not nil, is asked of every frame that arrives. It must not change
	// the frame.
	Fault func(*Frame) Fault
	// Large is for large rooms: the world keeps no frames, which [World.Frames] then lacks;
	// devices keep no records, so that they cannot be restarted, and of their events not
	// those of each Commit; members keep few past epochs; and what all members of a group check alike is checked once, see
	// [mls.Shared].
	Large bool
}

// The links of a Config that says nothing: connections that are open, without loss.
var (
	DefaultAccess   = &link.Config{Mode: link.Stream, Delay: link.Constant(0.020), Bandwidth: 20e6}
	DefaultBackbone = &link.Config{Mode: link.Stream, Delay: link.Constant(0.010), Bandwidth: 1e9}
)

// World is providers and their clients. It is not for concurrent use.
type World struct {
	cfg       Config
	kernel    *des.Kernel
	providers map[string]*Provider
	devices   map[string]*Device
	links     map[[2]string]*link.Link
	frames    []*Frame
	known     verified
	shared    mls.Shared
	named     named
	busy      int // what is under way
	wakes     map[string]wake
	err       error // the first that none of the machines may have caused

	faults *Faults
	luck   *des.Rand // what faults are drawn from
	healed bool
	counts Counts
	watch  watch
	// plant changes what machines say, for tests of what the checks find.
	plant plant
}

// watch is told what machines do; nil functions are not.
type watch struct {
	hub    func(p *Provider, in hub.Input, out *hub.Output)
	record func(p *Provider, list []protocols.Record)
	device func(d *Device, in member.Input, out *member.Output)
	frame  func(f *Frame)
}

// plant are bugs that can be planted; nil functions are none.
type plant struct {
	// hub and follower change an output before it is taken.
	hub      func(p *Provider, in hub.Input, out *hub.Output)
	follower func(p *Provider, in follower.Input, out *follower.Output)
	// early says that what leaves need not wait for its records.
	early func(n *node) bool
	// restored changes the records of a provider that starts again.
	restored func(p *Provider)
	// call changes what a device asks for.
	call func(d *Device, c *follower.Call)
}

// Counts returns how often what has happened.
func (w *World) Counts() Counts { return w.counts }

// wake is when a machine is to be woken.
type wake struct {
	at des.Time
	id des.ID
}

// store keeps the records of a machine, as a disk would.
type store map[string][]byte

func (s store) apply(list []protocols.Record) {
	for _, r := range list {
		if r.Value == nil {
			delete(s, r.Key)
		} else {
			s[r.Key] = bytes.Clone(r.Value)
		}
	}
}

func (s store) records() (list []protocols.Record) {
	for _, key := range slices.Sorted(maps.Keys(s)) {
		list = append(list, protocols.Record{Key: key, Value: s[key]})
	}
	return list
}

// New returns a world without providers.
func New(cfg Config) (*World, error) {
	if cfg.Suite == 0 {
		cfg.Suite = suite.X25519AES128GCMSHA256Ed25519
	}
	if cfg.Access == nil {
		cfg.Access = DefaultAccess
	}
	if cfg.Backbone == nil {
		cfg.Backbone = DefaultBackbone
	}
	for _, c := range []*link.Config{cfg.Access, cfg.Backbone} {
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("rooms: %w", err)
		}
	}
	return &World{
		cfg: cfg, kernel: des.New(cfg.Seed), providers: make(map[string]*Provider), devices: make(map[string]*Device),
		links: make(map[[2]string]*link.Link), wakes: make(map[string]wake),
		luck: des.NewStream(cfg.Seed, "faults"), known: make(verified), named: make(named),
	}, nil
}

// suite returns a node's suite, whose randomness follows from the seed.
func (w *World) suite(label string) (suite.Suite, error) {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("rooms"), w.cfg.Seed))
	s, err := suite.NewSeeded(w.cfg.Suite, seed, label)
	if err != nil {
		return nil, err
	}
	if w.cfg.Large {
		return memo{s, w.known}, nil
	}
	return s, nil
}

// AddProvider adds a provider, which is a hub for its rooms and a follower for its
// users.
func (w *World) AddProvider(domain string) (*Provider, error) {
	return w.addProvider(domain, w.cfg.NeedConsent)
}

func (w *World) addProvider(domain string, needConsent bool) (*Provider, error) {
	if w.providers[domain] != nil {
		return nil, fmt.Errorf("rooms: there is a provider %s", domain)
	}
	s, err := w.suite("provider " + domain)
	if err != nil {
		return nil, err
	}
	identity, err := mls.NewIdentity(s, []byte("mimi://"+domain))
	if err != nil {
		return nil, err
	}
	franking, err := s.GenerateSigner()
	if err != nil {
		return nil, err
	}
	key, err := mimi.NewHubKey(s)
	if err != nil {
		return nil, err
	}
	p := &Provider{
		Domain: domain, node: node{name: domain}, hubStore: store{}, followerStore: store{}, calls: make(map[callID]call),
		hubConfig: hub.Config{
			Domain: domain, Groups: &mls.Config{Suite: s}, Identity: identity, Franking: franking, FrankKeys: []mimi.HubKey{key},
			EpochTolerance: 1,
		},
		followerConfig: &follower.Config{
			Domain: domain, NeedConsent: needConsent,
			Groups: map[suite.ID]*mls.Config{w.cfg.Suite: {Suite: s, Components: room.DefaultPoints.MLSComponents()}},
		},
	}
	if p.hub, err = hub.New(p.hubConfig); err != nil {
		return nil, err
	}
	if p.follower, err = follower.New(p.followerConfig); err != nil {
		return nil, err
	}
	w.providers[domain] = p
	return p, nil
}

// Now returns the virtual time; Time returns it as a date.
func (w *World) Now() des.Time { return w.kernel.Now() }

// Time returns Now as a date.
func (w *World) Time() time.Time { return Start.Add(w.kernel.Now().Duration()) }

// Frames returns all frames so far, in the order in which they were sent.
func (w *World) Frames() []*Frame { return w.frames }

// Devices returns the devices in the order of their names.
func (w *World) Devices() (list []*Device) {
	for _, name := range slices.Sorted(maps.Keys(w.devices)) {
		list = append(list, w.devices[name])
	}
	return list
}

// Settle lets everything go on until nothing is under way and no machine wants to be
// woken within the next span of time, which is counted from the last frame on.
func (w *World) Settle(patience des.Time) error {
	for w.err == nil && (w.busy > 0 || w.nextWake() <= w.kernel.Now().Add(patience)) {
		w.kernel.Step()
	}
	return w.err
}

// Pass lets time go on, with all that is due in it.
func (w *World) Pass(d des.Time) error {
	w.kernel.RunUntil(w.kernel.Now().Add(d))
	return w.err
}

// at runs a task when its time has come.
func (w *World) at(t des.Time, task func()) {
	w.timer(t, task)
}

// timer is at with an ID, for cancelTimer.
func (w *World) timer(t des.Time, task func()) des.ID {
	w.busy++
	return w.kernel.Schedule(t, 0, des.HandlerFunc(func(*des.Kernel, des.Event) {
		w.busy--
		if w.err == nil {
			task()
		}
	}), des.Event{})
}

func (w *World) cancelTimer(id des.ID) {
	if w.kernel.Cancel(id) {
		w.busy--
	}
}

// soon runs a task within a provider: at once, but not before the step that asks for
// it is over, since a machine's output is valid until its next step.
func (w *World) soon(task func()) { w.at(w.kernel.Now(), task) }

// wakeAt notes when a machine wants to be woken; zero means not at all.
func (w *World) wakeAt(machine string, at time.Time, task func()) {
	w.cancelWake(machine)
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

func (w *World) cancelWake(machine string) {
	if old, ok := w.wakes[machine]; ok {
		w.kernel.Cancel(old.id)
		delete(w.wakes, machine)
	}
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
		w.err = fmt.Errorf("rooms: at %v: %w", w.kernel.Now(), err)
	}
}

// link returns the link from one node to another.
func (w *World) link(from, to string) (*link.Link, error) {
	key := [2]string{from, to}
	if l := w.links[key]; l != nil {
		return l, nil
	}
	for _, n := range key {
		if w.providers[n] == nil && w.devices[n] == nil {
			return nil, fmt.Errorf("no node %q", n)
		}
	}
	cfg := w.cfg.Access
	if w.providers[from] != nil && w.providers[to] != nil {
		cfg = w.cfg.Backbone
	}
	l := new(link.New(cfg, des.NewStream(w.cfg.Seed, "link/"+from+">"+to)))
	if down := w.outages(from, to); len(down) > 0 {
		l.Cut(down)
	}
	w.links[key] = l
	return l, nil
}

// provider returns the provider of a domain.
func (w *World) provider(domain string) (*Provider, error) {
	if p := w.providers[domain]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("rooms: no provider %q", domain)
}

func uri(kind ident.Kind, domain string, segments ...string) ident.URI {
	u, err := ident.NewURI(kind, domain, segments...)
	if err != nil {
		panic("rooms: invariant broken, names make a URI: " + err.Error())
	}
	return u
}
