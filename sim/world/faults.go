package world

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/trace"
)

// outage is a node that crashes and restarts by a schedule.
type outage struct {
	schedule link.Schedule
	rand     *des.Rand
	change   link.Change
	lives    int

	// exactly one is set
	device     *device
	gatekeeper *gatekeeper
	proxy      *partner
	server     *partner
}

// revocation is the end of an agreement.
type revocation struct {
	gatekeeper *gatekeeper
	partner    *partner
}

// scheduleOutages schedules the first crash of every node that crashes.
func (w *world) scheduleOutages() {
	c := w.sc.Faults.Crashes
	start := func(kind scenario.Crash, name string, o *outage) {
		if kind.Every.IsZero() {
			return
		}
		o.schedule, o.rand = kind.Schedule(), des.NewStream(w.k.Seed(), "crash/"+name)
		o.change = o.schedule.First(o.rand)
		w.nextOutage(o)
	}
	for _, g := range w.gatekeepers {
		start(c.Gatekeeper, g.name, &outage{gatekeeper: g})
	}
	for _, p := range w.partners {
		start(c.Partner, p.name, &outage{server: p})
		if p.proxy != nil {
			start(c.Proxy, p.proxyName, &outage{proxy: p})
		}
	}
	for _, d := range w.devices {
		start(c.Device, d.name(), &outage{device: d})
	}
}

func (w *world) nextOutage(o *outage) {
	o.change = o.schedule.Next(o.rand, o.change)
	if o.change.At != des.Never {
		w.k.Schedule(max(o.change.At, w.k.Now()), 0, w, des.Event{Kind: evOutage, Ref: o})
	}
}

// outage carries a crash or a restart out. Once the faults are over, nothing
// crashes any more.
func (w *world) outage(o *outage) {
	if w.final && !o.change.Up {
		return
	}
	if !o.change.Up {
		w.crash(o)
	} else {
		w.restart(o)
	}
	w.nextOutage(o)
}

// crash stops a node: it loses all but its store.
func (w *world) crash(o *outage) {
	switch {
	case o.device != nil:
		d := o.device
		w.note(d.name(), trace.Crash, "")
		w.k.Cancel(d.timer)
		w.k.Cancel(d.wake.id)
		d.timer, d.wake = 0, alarm{}
		d.conn, d.up, d.down = 0, false, true
		d.out.Reset(w.k.Now())
		d.in.Reset(w.k.Now())
	case o.gatekeeper != nil:
		g := o.gatekeeper
		w.note(g.name, trace.Crash, "")
		w.k.Cancel(g.wake.id)
		g.wake, g.down = alarm{}, true
		for _, d := range g.devices {
			d.served = 0
		}
		w.reset(g.devices)
	case o.proxy != nil:
		p := o.proxy
		w.note(p.proxyName, trace.Crash, "")
		p.proxyDown = true
		p.proxy = dma.NewProxy()
		clear(p.legs)
		for _, u := range p.users {
			w.reset(u.devices)
		}
	case o.server != nil:
		w.note(o.server.name, trace.Crash, "")
		o.server.serverDown = true
	}
}

// reset tells devices that their connections are gone, as the other end's
// operating system does, after the time that takes on the link.
func (w *world) reset(devices []*device) {
	for _, d := range devices {
		if d.conn == 0 {
			continue
		}
		delay := des.FromSeconds(d.in.Config().Delay.Sample(&d.user.rand))
		w.k.After(delay, w, des.Event{Kind: evBroken, A: uint64(d.conn), Ref: d})
	}
}

// restart starts a node from its store. A store that does not restore is a defect
// of the machines, which have promised that it does.
func (w *world) restart(o *outage) {
	o.lives++
	var err error
	switch {
	case o.device != nil:
		err = w.restartDevice(o.device, o.lives)
	case o.gatekeeper != nil:
		g := o.gatekeeper
		g.down = false
		w.note(g.name, trace.Restart, "")
		g.machine, err = dma.RestoreGatekeeper(g.config, g.store.records())
		if err == nil {
			w.stepGatekeeper(g, dma.Wake{})
		}
	case o.proxy != nil:
		o.proxy.proxyDown = false
		w.note(o.proxy.proxyName, trace.Restart, "")
	case o.server != nil:
		o.server.serverDown = false
		w.note(o.server.name, trace.Restart, "")
	}
	if err != nil {
		panic(fmt.Sprintf("world: seed %d: restart: %v", w.k.Seed(), err))
	}
}

func (w *world) restartDevice(d *device, life int) error {
	records := d.store.records()
	cfg, err := w.clientConfig(d.addr, life)
	if err != nil {
		return err
	}
	client, err := w.adapter.Restore(cfg, dma.ClientRecords(records))
	if err != nil {
		return err
	}
	if d.machine, err = dma.RestoreDevice(w.deviceConfig(d, client), records); err != nil {
		return err
	}
	d.down, d.retries = false, 0
	w.note(d.name(), trace.Restart, "")
	w.stepDevice(d, dma.Wake{})
	w.connectLater(d)
	return nil
}

// revoke ends an agreement.
func (w *world) revoke(r *revocation) {
	in := dma.Agree{Integrator: r.partner.integrator, Active: false}
	if r.gatekeeper.down { // the operator tries again
		w.k.After(des.Second, w, des.Event{Kind: evRevoke, Ref: r})
		return
	}
	for _, u := range r.partner.users {
		for _, d := range u.devices {
			if d.gk == r.gatekeeper {
				d.barred = true
				for _, c := range u.contacts {
					if c.from == d {
						c.reach = closed
						c.to.peer(d.addr).reach = closed
					}
				}
			}
		}
	}
	w.stepGatekeeper(r.gatekeeper, in)
	if w.checker == nil {
		return
	}
	for id, f := range w.flights { // also what waits for a retry that can't come any more
		if d := f.contact.partnerSide(); d.gk == r.gatekeeper && d.user.partner == r.partner {
			w.checker.Excused(id)
		}
	}
}

// cutLinks draws which links are cut when, and gives those a configuration of
// their own.
func (w *world) cutLinks() {
	p := w.sc.Faults.Partitions
	if len(p.Of) == 0 {
		return
	}
	targets := make(map[scenario.LinkClass][]cut)
	for _, d := range w.devices {
		if d.proxied() {
			targets[scenario.DeviceProxy] = append(targets[scenario.DeviceProxy], cut{&d.out, &d.in})
			targets[scenario.ProxyGatekeeper] = append(targets[scenario.ProxyGatekeeper], cut{&d.beyond.out, &d.beyond.in})
		} else {
			targets[scenario.DeviceGatekeeper] = append(targets[scenario.DeviceGatekeeper], cut{&d.out, &d.in})
		}
	}
	for _, g := range w.gatekeepers {
		for _, pa := range w.partners {
			if l := g.toPush[pa.integrator]; l != nil {
				targets[scenario.GatekeeperPartner] = append(targets[scenario.GatekeeperPartner], cut{l, l})
			}
		}
	}
	r := w.k.Stream("partitions")
	down := make(map[cut]link.Windows)
	var order []cut
	for _, window := range link.Downtimes(p.Schedule(), r, w.end) {
		of := targets[p.Of[r.IntN(len(p.Of))]]
		if len(of) == 0 {
			continue // devices reach their partner's server in no simulated frame
		}
		c := of[r.IntN(len(of))]
		window.To = min(window.To, w.end)
		if down[c] == nil {
			order = append(order, c)
		}
		down[c] = append(down[c], window)
	}
	for _, c := range order {
		c.out.Cut(down[c])
		if c.in != c.out {
			c.in.Cut(down[c])
		}
	}
}

// cut is a link in both directions.
type cut struct{ out, in *link.Link }

// calm ends the faults: nothing crashes any more, who is down restarts when it
// would have, and everybody comes online and stays. It does so only for runs that
// are judged by what arrives.
func (w *world) calm() {
	w.measureReach()
	if !w.drains() {
		return
	}
	w.final = true
	for _, u := range w.users {
		u.state.Up = true
		for _, d := range u.devices {
			w.notePresence(d)
			w.connect(d)
		}
	}
}
