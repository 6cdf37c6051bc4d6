package rooms

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

// Faults is what goes wrong in a [World] from [World.Trouble] to [World.Heal]. All of it
// follows from the seed.
type Faults struct {
	// Access and Backbone are the links meanwhile; nil means those that there were. On
	// connections with clients (link.Stream) what is lost breaks the connection. Between
	// providers each request may have its own (link.Datagram): it gets lost, comes twice,
	// or is overtaken.
	Access, Backbone *link.Config
	// AccessCuts and BackboneCuts say when a device and its provider, and a pair of
	// providers, cannot reach each other, up to Until. Nil means never.
	AccessCuts, BackboneCuts link.Schedule
	Until                    des.Time
	// ProviderCrash and DeviceCrash are the probabilities that a node stops at a step of
	// one of its machines. The step then looks as if it had never been, or its records are
	// durable and some of what was to leave has left: each with the same probability.
	ProviderCrash, DeviceCrash float64
	// Down is how long a node that has stopped stays so, in seconds.
	Down link.Dist
	// Disk is how long it takes to make records durable, in seconds. What a machine does
	// meanwhile waits behind them, and is lost with them.
	Disk link.Dist
	// Timeout is how long a provider waits for a response.
	Timeout des.Time
}

// sample draws a time from a distribution of seconds; nil is 0.
func sample(d link.Dist, r *des.Rand) des.Time {
	if d == nil {
		return 0
	}
	return max(0, des.FromSeconds(d.Sample(r)))
}

// Counts says how often what happened in a [World], so that one can see that its faults
// do happen.
type Counts struct {
	Frames        int `json:"frames"`
	Crashes       int `json:"crashes"`        // nodes that stopped
	LostSteps     int `json:"lost_steps"`     // steps that a crash undid
	CutSteps      int `json:"cut_steps"`      // steps that a crash let persist, and not all of whose output leave
	LostRequests  int `json:"lost_requests"`  // between providers
	LostAnswers   int `json:"lost_answers"`   // between providers: what was asked was done or refused
	Twice         int `json:"twice"`          // requests between providers that came twice
	Timeouts      int `json:"timeouts"`       // requests that nobody waited for any more
	Breaks        int `json:"breaks"`         // connections of devices that broke
	Repeated      int `json:"repeated"`       // requests to notify that were made again
	LostRaces     int `json:"lost_races"`     // Commits and proposals for an epoch that was over
	Late          int `json:"late"`           // messages of the epoch before
	Refusals      int `json:"refusals"`       // of what the hub was asked
	Commits       int `json:"commits"`        // that were accepted
	Joins         int `json:"joins"`          // of these, from outside
	Proposals     int `json:"proposals"`      // that were accepted, by requests
	Messages      int `json:"messages"`       // that were accepted
	Welcomes      int `json:"welcomes"`       // clients that a Commit added
	Removals      int `json:"removals"`       // clients that a Commit removed
	Deliveries    int `json:"deliveries"`     // that arrived
	RequestBytes  int `json:"request_bytes"`  // between providers
	ResponseBytes int `json:"response_bytes"` // between providers
}

// Add adds other counts to these.
func (c *Counts) Add(o *Counts) {
	for _, f := range []struct{ to, from *int }{
		{&c.Frames, &o.Frames}, {&c.Crashes, &o.Crashes}, {&c.LostSteps, &o.LostSteps}, {&c.CutSteps, &o.CutSteps},
		{&c.LostRequests, &o.LostRequests}, {&c.LostAnswers, &o.LostAnswers}, {&c.Twice, &o.Twice}, {&c.Timeouts, &o.Timeouts},
		{&c.Breaks, &o.Breaks}, {&c.Repeated, &o.Repeated}, {&c.LostRaces, &o.LostRaces}, {&c.Late, &o.Late},
		{&c.Refusals, &o.Refusals}, {&c.Commits, &o.Commits}, {&c.Joins, &o.Joins}, {&c.Proposals, &o.Proposals},
		{&c.Messages, &o.Messages}, {&c.Welcomes, &o.Welcomes}, {&c.Removals, &o.Removals}, {&c.Deliveries, &o.Deliveries},
		{&c.RequestBytes, &o.RequestBytes}, {&c.ResponseBytes, &o.ResponseBytes},
	} {
		*f.to += *f.from
	}
}

// maybeCrash has a node stop in the middle of the step that it has just put in its
// journal.
func (w *World) maybeCrash(n *node) {
	p := w.faults.DeviceCrash
	if w.providers[n.name] != nil {
		p = w.faults.ProviderCrash
	}
	if w.luck.Bool(p) && !w.healed {
		w.within(n, func() { w.crash(n) })
	}
}

// Crash stops a node, a provider's domain or the name of a device, as of now. It starts
// again by itself. A World without Faults has no such thing.
func (w *World) Crash(name string) error {
	n := w.node(name)
	if n == nil || w.faults == nil {
		return fmt.Errorf("rooms: crash of %q, want a node of a world with faults", name)
	}
	w.crash(n)
	return nil
}

// node returns the node of a name, nil if there is none.
func (w *World) node(name string) *node {
	if p := w.providers[name]; p != nil {
		return &p.node
	}
	if d := w.devices[name]; d != nil {
		return &d.node
	}
	return nil
}

// crash stops a node. Of the steps that were not durable, the first few are durable all
// the same, and the first few of what was to leave by then has left.
func (w *World) crash(n *node) {
	if n.down {
		return
	}
	w.counts.Crashes++
	durable := w.luck.IntN(len(n.journal) + 1)
	var leave []func()
	for _, e := range n.journal[:durable] {
		e.write()
		leave = append(leave, e.leave...)
	}
	left := w.luck.IntN(len(leave) + 1)
	w.counts.LostSteps += len(n.journal) - durable
	if left < len(leave) {
		w.counts.CutSteps++
	}
	for _, f := range leave[:left] {
		f()
	}
	n.journal = nil // with what these have begun
	n.lives++
	n.down = true
	for _, machine := range []string{"hub ", "follower ", "device "} {
		w.cancelWake(machine + n.name)
	}
	w.breakSessions(n)
	w.at(w.now().Add(200*des.Millisecond+sample(w.faults.Down, w.luck)), func() { w.start(n) })
}

// start starts a node from its records.
func (w *World) start(n *node) {
	n.down = false
	var err error
	if p := w.providers[n.name]; p != nil {
		err = w.restartProvider(p)
	} else {
		err = w.restartDevice(w.devices[n.name])
	}
	if err != nil {
		w.fail(fmt.Errorf("restart of %s: %w", n.name, err))
	}
}

// session is a connection of a device to its provider. What was sent on it when it broke
// arrives up to a cut, if the other end has not stopped.
type session struct {
	device   *Device
	open     bool
	up, down des.Time // the cuts of what comes from and goes to the device
	lives    [2]int   // of the device and the provider
}

// arrives reports whether a frame that was sent on the session gets there now.
func (s *session) arrives(now des.Time, up bool) bool {
	d := s.device
	if up {
		return d.provider.lives == s.lives[1] && (s.open || now <= s.up)
	}
	return d.lives == s.lives[0] && (s.open || now <= s.down)
}

// breakSessions breaks the connections of a node that stops.
func (w *World) breakSessions(n *node) {
	if d := w.devices[n.name]; d != nil {
		w.breakSession(d.session)
		return
	}
	for _, d := range w.Devices() {
		if d.provider.name == n.name {
			w.breakSession(d.session)
		}
	}
}

// lingers bounds how long what was sent on a connection that broke may still arrive. A
// node is down for longer, and a device waits for longer before it connects again.
const lingers = 100 * des.Millisecond

// breakSession breaks a connection. The device learns it at once, the provider when
// nothing can come on it any more.
func (w *World) breakSession(s *session) {
	if s == nil || !s.open {
		return
	}
	w.counts.Breaks++
	s.open = false
	d, p := s.device, s.device.provider
	s.up, s.down = w.now(), w.now()
	if w.faults != nil {
		s.up = s.up.Add(des.FromSeconds(w.luck.Float64() * lingers.Seconds()))
		s.down = s.down.Add(des.FromSeconds(w.luck.Float64() * lingers.Seconds()))
	}
	w.at(s.up, func() {
		if p.lives == s.lives[1] {
			w.stepFollower(p, follower.Disconnect{Client: d.URI}, w.must("disconnect"))
		}
	})
	if !d.down {
		w.forgetCalls(d)
	}
	wait := des.Time(0)
	if w.faults != nil {
		wait = lingers + 1 + des.FromSeconds(w.luck.Float64())
	}
	w.reconnect(d, wait)
}

// forgetCalls tells a device whose connection broke of the calls that had no answer; or
// it does not, and the device asks again when it is connected.
func (w *World) forgetCalls(d *Device) {
	calls := slices.Sorted(maps.Keys(d.calls))
	clear(d.calls)
	if w.faults != nil && w.luck.Bool(0.5) {
		return
	}
	for _, id := range calls {
		w.within(&d.node, func() { w.stepDevice(d, member.Replied{ID: id, Err: errBroken}) })
	}
}

// reconnect has a device connect again in a while.
func (w *World) reconnect(d *Device, wait des.Time) {
	if d.connecting {
		return
	}
	d.connecting = true
	w.at(w.now().Add(wait), func() {
		d.connecting = false
		if d.down || d.session != nil && d.session.open {
			return
		}
		if d.provider.down || w.cut(d.Name, d.provider.Domain) {
			w.reconnect(d, des.Second)
			return
		}
		w.connect(d)
	})
}

// connect opens a connection. The provider sends what waits for the device, which asks
// again for what had no answer.
func (w *World) connect(d *Device) {
	d.session = &session{device: d, open: true, lives: [2]int{d.lives, d.provider.lives}}
	for _, way := range [][2]string{{d.Name, d.provider.Domain}, {d.provider.Domain, d.Name}} {
		if l := w.links[way]; l != nil {
			l.Reset(w.now())
		}
	}
	w.stepFollower(d.provider, follower.Connect{Client: d.URI}, w.must("connect"))
	w.stepDevice(d, member.Resume{})
}

// cut reports whether a link is down now.
func (w *World) cut(from, to string) bool {
	l, err := w.link(from, to)
	return err == nil && l.Config().Down.Contains(w.now())
}

// Trouble begins faults. Nothing may be under way.
func (w *World) Trouble(f Faults) error {
	switch {
	case w.busy > 0 || w.faults != nil:
		return errors.New("rooms: faults begin once, when nothing is under way")
	case f.Timeout <= 0:
		return fmt.Errorf("rooms: timeout %v, want more than 0", f.Timeout)
	}
	if f.Access == nil {
		f.Access = w.cfg.Access
	}
	if f.Backbone == nil {
		f.Backbone = w.cfg.Backbone
	}
	for _, c := range []*link.Config{f.Access, f.Backbone} {
		if err := c.Validate(); err != nil {
			return fmt.Errorf("rooms: %w", err)
		}
	}
	w.faults = &f
	w.cfg.Access, w.cfg.Backbone = f.Access, f.Backbone
	clear(w.links)
	return nil
}

// Heal ends all faults: links lose nothing any more, and what is down starts again.
func (w *World) Heal() {
	if w.faults == nil || w.healed {
		return
	}
	w.healed = true
	w.cfg.Access, w.cfg.Backbone = DefaultAccess, DefaultBackbone
	clear(w.links)
	// What is on its way on a connection must not be overtaken on a new one.
	for _, d := range w.Devices() {
		w.breakSession(d.session)
	}
}

// outages returns when a pair of nodes cannot reach each other: the same both ways.
func (w *World) outages(from, to string) link.Windows {
	if w.faults == nil || w.healed {
		return nil
	}
	s := w.faults.AccessCuts
	if w.providers[from] != nil && w.providers[to] != nil {
		s = w.faults.BackboneCuts
	}
	if s == nil {
		return nil
	}
	return link.Downtimes(s, des.NewStream(w.cfg.Seed, "cut/"+min(from, to)+"/"+max(from, to)), w.faults.Until)
}

// restartDevice makes a device's machine again from its records.
func (w *World) restartDevice(d *Device) error {
	m, err := member.Restore(d.config, d.store.records())
	if err != nil {
		return err
	}
	d.member = m
	clear(d.calls)
	if w.faults != nil {
		w.reconnect(d, 0)
	}
	return nil
}

func (w *World) restartProvider(p *Provider) (err error) {
	clear(p.calls)
	if w.plant.restored != nil {
		w.plant.restored(p)
	}
	if p.hub, err = hub.Restore(p.hubConfig, p.hubStore.records()); err != nil {
		return err
	}
	if p.follower, err = follower.Restore(p.followerConfig, p.followerStore.records()); err != nil {
		return err
	}
	w.stepHub(p, hub.Resume{}, w.mustHub("resume"))
	return nil
}

// must returns a function that takes the outcome of a step which no machine may refuse.
func (w *World) must(what string) func(follower.Body, error) {
	return func(_ follower.Body, err error) {
		if err != nil {
			w.fail(fmt.Errorf("%s: %w", what, err))
		}
	}
}

func (w *World) mustHub(what string) func(hub.Output, error) {
	return func(_ hub.Output, err error) {
		if err != nil {
			w.fail(fmt.Errorf("%s: %w", what, err))
		}
	}
}
