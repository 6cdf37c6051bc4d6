// Package world builds a scenario's users, devices, gatekeepers, partner servers
// and proxies, and drives their machines (protocols/dma) by virtual time over
// simulated links.
//
//	scenario ─▶ build ─▶ prelude ─▶ warm-up ─▶ measured span ─▶ cool-down ─▶ drain
//	                     (accounts, keys,                        (faults end, everybody
//	                      choices)                                comes online)
//
// The machines are those that a server runs; the world is their shell: it owns the
// clock, the stores, the links and what people do. One run is single-threaded and a
// function of the scenario and the seed alone. [Run] spreads the points and
// replications of a file over workers.
//
// What the world adds to the public facts of the Reference Offer is assumed and
// stands beside the code: the handshake's sizes ([helloSize]), the connection
// timeout, the time for which a push wakes a device, and that native users get no
// push. The content of media is never made: a medium is a reference and a size.
package world

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/sim/check"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/ledger"
	"github.com/mimi-lab/mimi-lab/sim/link"
	"github.com/mimi-lab/mimi-lab/sim/report"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/trace"
	"github.com/mimi-lab/mimi-lab/sim/workload"
)

// world is one run: one scenario with one seed.
type world struct {
	sc      *scenario.Scenario
	k       *des.Kernel
	adapter protocols.Adapter
	links   map[scenario.LinkClass]*link.Config

	gatekeepers []*gatekeeper
	partners    []*partner
	users       []*user
	devices     []*device
	conns       []*device // by connection; 0 is none
	packets     []*packet // room for those to come
	room        dma.Room  // for the devices' outputs

	contents  *workload.Contents
	readDelay link.Dist
	presence  link.Schedule      // of every user
	flights   map[string]*flight // messages under way, by ID
	secret    []byte             // stands in every plaintext

	from, end des.Time // the measured span; from its end on nothing new is sent
	final     bool     // faults are over and everybody stays online
	meter     *meter
	checker   *check.Checker // nil if nothing is checked
	ledger    *ledger.Ledger // nil if nobody asks
	journal   *trace.Journal // nil if not traced
	digest    *digest        // nil if nobody asks

	// sabotage, in tests, says which records a gatekeeper's disk forgets.
	sabotage func(protocols.Record) bool
}

// gatekeeper is a gatekeeper service: its machine and its shell.
type gatekeeper struct {
	name    string
	cfg     *scenario.Gatekeeper
	machine *dma.Gatekeeper
	config  dma.GatekeeperConfig
	store   store
	down    bool
	natives []*user
	devices []*device // of natives and partners' users
	wake    alarm
	media   dma.Media
	toPush  map[uint16]*link.Link // to the partners' servers, by integrator
	consent link.Dist             // time that a native user takes to answer a ping
	pairs   int                   // of users who know each other
}

// partner is a provider: its server and, if its route is proxied, its proxy.
type partner struct {
	name       string
	cfg        *scenario.Partner
	integrator uint16
	server     *dma.Partner
	serverDown bool
	proxy      *dma.Proxy // nil if the route is direct
	proxyName  string     // "lark/proxy"
	proxyDown  bool
	legs       map[dma.ConnID]*device
	users      []*user
	byName     map[string]*user
}

// user is a person. A partner's user has a device at each gatekeeper that its
// provider has an agreement with, which all come online together.
type user struct {
	name     string
	partner  *partner // nil for a native user
	eligible bool
	ip       netip.Addr
	devices  []*device
	rand     des.Rand // what the user does
	presence des.Rand // when the user is online
	state    link.Change
	rate     float64 // messages per second
	contacts []*contact
}

// contact is somebody a user knows, as seen from one of the user's devices.
type contact struct {
	from, to *device
	reach    reach
	last     string // ID of the message of theirs that was seen last
}

// reach is what a user knows of whether a contact can be written to.
type reach uint8

const (
	untried reach = iota
	open          // consent was given
	closed        // refused
)

// device is one client: its machine and its shell.
type device struct {
	label   string
	user    *user
	gk      *gatekeeper
	addr    ident.Address
	machine *dma.Device
	rand    des.Rand // what the machine draws from
	store   store
	down    bool       // crashed
	barred  bool       // its provider's agreement ended
	peers   []*contact // by address

	conn    dma.ConnID // of the present connection or attempt, 0 if none
	up      bool       // the chat channel stands
	served  dma.ConnID // the connection that the gatekeeper has, 0 if none
	retries int        // attempts since it stood last
	timer   des.ID     // of the attempt or of the next one
	wake    alarm
	awake   des.Time // until when a push keeps it connected
	online  bool     // what the journal has last: its user is there, or it is awake

	out, in link.Link // to and from the gatekeeper or the proxy
	beyond  *legs     // between the proxy and the gatekeeper; nil if the route is direct
}

// legs are the two directions of a device's connection beyond its proxy.
type legs struct{ out, in link.Link }

// name is how journals and checks call the device. A partner's user has one at each
// gatekeeper.
func (d *device) name() string { return d.label }

func (d *device) proxied() bool { return d.user.partner != nil && d.user.partner.proxy != nil }

// server is the name of the node at the other end of the device's connection.
func (d *device) server() string {
	if d.proxied() {
		return d.user.partner.proxyName
	}
	return d.gk.name
}

// hop is the name of the node that the gatekeeper hears the device from.
func (d *device) hop() string {
	if d.proxied() {
		return d.user.partner.proxyName
	}
	return d.label
}

// wanted reports whether the device should be connected now.
func (d *device) wanted(now des.Time) bool {
	return !d.down && !d.barred && d.present(now)
}

// present reports whether the device's user is there, or a push has woken it.
func (d *device) present(now des.Time) bool { return d.user.state.Up || now < d.awake }

// alarm is the event that wakes a machine.
type alarm struct {
	at time.Time
	id des.ID
}

// now is the wall-clock time of the simulated world.
func (w *world) now() time.Time { return w.sc.Start.Add(w.k.Now().Duration()) }

// Kinds of events, in Event.Kind. Event.Ref holds what the comment names.
const (
	evArriveServer uint32 = iota // *packet: at the gatekeeper, or at the proxy, from the device
	evArriveUp                   // *packet: at the gatekeeper from the proxy
	evArriveDown                 // *packet: at the proxy from the gatekeeper
	evArriveDevice               // *packet: at the device
	evBroken                     // *device; A = connection
	evConnect                    // *device: try to connect
	evTimeout                    // *device; A = connection: an attempt took too long
	evWakeDevice                 // *device
	evWakeServer                 // *gatekeeper
	evPresence                   // *user: goes online or offline
	evSleep                      // *device: a push's effect ends
	evWrite                      // *user: writes a message
	evCompose                    // *draft: its medium is at the host
	evRead                       // *reading
	evPing                       // *contact
	evAnswer                     // *contact: a native user decides about a ping
	evPush                       // *pushed: at the partner's server
	evPhone                      // *device: a push reached its phone
	evOutage                     // *outage
	evRevoke                     // *revocation
)

// Handle takes an event of the kernel.
func (w *world) Handle(k *des.Kernel, ev des.Event) {
	switch ev.Kind {
	case evArriveServer:
		if p := w.unpack(ev.Ref.(*packet)); p.device.proxied() {
			w.atProxy(p)
		} else {
			w.atGatekeeper(p)
		}
	case evArriveUp:
		w.atGatekeeper(w.unpack(ev.Ref.(*packet)))
	case evArriveDown:
		w.atProxyFromGatekeeper(w.unpack(ev.Ref.(*packet)))
	case evArriveDevice:
		w.atDevice(w.unpack(ev.Ref.(*packet)))
	case evBroken:
		w.broken(ev.Ref.(*device), dma.ConnID(ev.A))
	case evConnect:
		d := ev.Ref.(*device)
		d.timer = 0
		w.connect(d)
	case evTimeout:
		w.timeout(ev.Ref.(*device), dma.ConnID(ev.A))
	case evWakeDevice:
		d := ev.Ref.(*device)
		d.wake.id = 0
		w.stepDevice(d, dma.Wake{})
	case evWakeServer:
		g := ev.Ref.(*gatekeeper)
		g.wake.id = 0
		w.stepGatekeeper(g, dma.Wake{})
	case evPresence:
		w.switchPresence(ev.Ref.(*user))
	case evSleep:
		w.sleep(ev.Ref.(*device))
	case evWrite:
		w.write(ev.Ref.(*user))
	case evCompose:
		w.compose(ev.Ref.(*draft))
	case evRead:
		w.read(ev.Ref.(*reading))
	case evPing:
		w.ping(ev.Ref.(*contact))
	case evAnswer:
		w.answer(ev.Ref.(*contact))
	case evPush:
		w.atPartner(ev.Ref.(*pushed))
	case evPhone:
		w.phone(ev.Ref.(*device))
	case evOutage:
		w.outage(ev.Ref.(*outage))
	case evRevoke:
		w.revoke(ev.Ref.(*revocation))
	default:
		panic(fmt.Sprintf("world: event of kind %d", ev.Kind))
	}
}

// Options says what a run is to observe besides its metrics.
type Options struct {
	// Journal takes down every frame and every event; nil for none.
	Journal *trace.Journal
	// Digest says whether to compute [Outcome.Digest].
	Digest bool
	// Ledger says whether to count what each party learns. It costs time and
	// memory with every message.
	Ledger bool
	// Progress is called now and then with the share of the virtual time that has
	// passed; nil for none. It returns false to stop the run.
	Progress func(share float64) bool

	// For tests: what a gatekeeper's disk forgets, and an adapter instead of the
	// scenario's.
	sabotage func(protocols.Record) bool
	adapter  protocols.Adapter
}

// Outcome is what one run left behind.
type Outcome struct {
	Replication *report.Replication
	Seed        uint64
	Violations  []check.Violation // at most [check.MaxViolations]
	Violated    int               // how many there were
	Digest      [32]byte          // of every frame and event in order, if asked for
	Events      uint64            // of the kernel
	Messages    int64             // written, whether measured or not
}

// ErrStopped says that a run was stopped before its end.
var ErrStopped = errors.New("world: the run was stopped")

// Simulate runs one scenario with one seed. point names the point of a sweep and
// index the replication, for the results. An error is about the scenario; a run
// that Progress stopped returns [ErrStopped].
func Simulate(sc *scenario.Scenario, point string, index int, seed uint64, o Options) (*Outcome, error) {
	adapter := o.adapter
	if adapter == nil {
		var err error
		if adapter, err = adapters.ByName(sc.Adapter); err != nil {
			return nil, fmt.Errorf("world: scenario %s: %w", sc.Name, err)
		}
	}
	rep := report.NewReplication(point, index, seed)
	w := &world{sc: sc, k: des.New(seed), adapter: adapter, journal: o.Journal, sabotage: o.sabotage}
	if o.Digest {
		w.digest = newDigest()
	}
	w.meter = newMeter(rep, adapter.Claims().Modelled)
	if err := w.build(o); err != nil {
		return nil, fmt.Errorf("world: scenario %s: %w", sc.Name, err)
	}
	if !w.run(o.Progress) {
		return nil, ErrStopped
	}
	w.finish()
	rep.Finish()
	out := &Outcome{
		Replication: rep, Seed: seed, Digest: w.digest.sum(), Events: w.k.Handled(), Messages: w.meter.written,
	}
	if w.checker != nil {
		out.Violations, out.Violated = w.checker.Violations()
	}
	return out, nil
}

// ticks is how many times a run reports its progress.
const ticks = 200

// run runs to the end, and reports whether it got there.
func (w *world) run(progress func(float64) bool) bool {
	span := des.FromDuration(w.sc.Span())
	for i := range ticks {
		to := span / ticks * des.Time(i+1)
		if i == ticks-1 {
			to = span
		}
		if w.k.Now() < w.end && w.end <= to {
			w.k.RunUntil(w.end)
			w.calm()
		}
		w.k.RunUntil(to)
		if progress != nil && !progress(float64(i+1)/ticks) {
			return false
		}
	}
	return w.drain(progress)
}

// The drain lasts until nothing is under way, but at most this long: the longest
// back-off and every retry fit many times.
const (
	drainStep = 10 * des.Second
	drainMax  = 2 * des.Hour
)

// drain lets what is under way arrive, if the run is judged by that.
func (w *world) drain(progress func(float64) bool) bool {
	if !w.drains() {
		return true
	}
	for until := w.k.Now() + drainMax; w.k.Now() < until && !w.settled(); {
		w.k.RunUntil(w.k.Now() + drainStep)
		if progress != nil && !progress(1) {
			return false
		}
	}
	w.checker.End(w.k.Now())
	return true
}

// drains reports whether the run goes on until nothing is under way.
func (w *world) drains() bool { return w.checker != nil && w.checker.Checks(check.Durability) }

// settled reports whether no device waits for anything.
func (w *world) settled() bool {
	for _, d := range w.devices {
		if d.barred {
			continue
		}
		if !d.up {
			return false
		}
		if out, sent := d.machine.Waiting(); out+sent > 0 {
			return false
		}
	}
	return true
}
