package world

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// prelude does what happened before the run: the device publishes its keys and,
// if its user is native, makes its choices known. No link is involved.
func (w *world) prelude(d *device) error {
	conn := w.newConn(d)
	inputs := []dma.Input{dma.Connect{Conn: conn}}
	if d.user.partner == nil {
		inputs = append(append(inputs, w.chooseInbox(d)), w.choices(d)...)
	}
	if err := w.handOver(d, nil, dma.Connect{Conn: conn, Account: d.addr, IP: d.user.ip}); err != nil {
		return err
	}
	for _, in := range append(inputs, dma.Disconnect{Conn: conn}) {
		if err := w.handOver(d, in, nil); err != nil {
			return err
		}
	}
	return w.handOver(d, nil, dma.Disconnect{Conn: conn})
}

// handOver gives an input to a device or to its gatekeeper, and the frames that
// follow to the other side, until there are no more.
func (w *world) handOver(d *device, toDevice, toGatekeeper dma.Input) error {
	type step struct{ dev, gk dma.Input }
	steps := []step{{toDevice, toGatekeeper}}
	for len(steps) > 0 {
		s := steps[0]
		steps = steps[1:]
		if s.dev != nil {
			out, err := d.machine.Step(w.now(), s.dev)
			if err != nil {
				return fmt.Errorf("prelude of %s: %w", d.name(), err)
			}
			d.store.writeAll(out.Persist)
			for _, x := range out.Sends {
				steps = append(steps, step{gk: dma.Frame{Conn: x.Conn, Data: x.Frame}})
			}
		}
		if s.gk != nil {
			out, err := d.gk.machine.Step(w.now(), s.gk)
			if err != nil {
				return fmt.Errorf("prelude of %s: %w", d.name(), err)
			}
			d.gk.store.writeAll(out.Persist)
			if _, first := s.gk.(dma.Connect); first {
				continue // the device is told of its connection next; the notice of an empty mailbox tells it nothing
			}
			for _, x := range out.Sends {
				steps = append(steps, step{dev: dma.Frame{Conn: x.Conn, Data: x.Frame}})
			}
		}
	}
	return nil
}

// chooseInbox draws where a native user has third-party chats shown. People keep their
// choice over a run.
func (w *world) chooseInbox(d *device) dma.Input {
	r := des.NewStream(w.k.Seed(), "inbox/"+d.user.name)
	if r.Bool(float64(d.gk.cfg.Inbox.CombinedShare)) {
		return dma.ChooseInbox{Inbox: stanza.CombinedInbox}
	}
	return dma.ChooseInbox{Inbox: stanza.SeparateInbox}
}

// choices draws what a native user decided before the run, and notes it as truth.
func (w *world) choices(d *device) []dma.Input {
	r := des.NewStream(w.k.Seed(), "choices/"+d.user.name)
	reach := d.gk.cfg.Reachability
	byDefault := reach.Default == scenario.DefaultOn
	on := r.Bool(float64(reach.OptInRate))
	off := r.Bool(float64(reach.OptOutRate))
	var inputs []dma.Input
	for _, p := range w.partners {
		picked := r.Bool(float64(reach.AppRate))
		if d.gk.toPush[p.integrator] == nil {
			continue
		}
		if byDefault && off || !byDefault && on && picked {
			inputs = append(inputs, dma.AllowApp{Integrator: p.integrator, Allow: !byDefault})
		}
		if agrees := byDefault && !off || !byDefault && on && picked; !agrees {
			continue
		}
		for _, c := range d.user.contacts {
			if c.to.user.partner == p {
				w.consents(c, true)
			}
		}
	}
	return inputs
}

// consents notes that a native user agrees to hear from a contact, or not.
func (w *world) consents(c *contact, given bool) {
	c.reach = closed
	if given && c.from.user.eligible {
		c.reach = open
	}
	if w.checker != nil {
		w.checker.Consents(w.k.Now(), c.from.name(), c.to.name(), c.reach == open)
	}
}
