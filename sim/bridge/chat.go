package bridge

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// keeper is the gatekeeper with its connections.
type keeper struct {
	gk    *dma.Gatekeeper
	store *store
	conns map[dma.ConnID]*leg
	next  dma.ConnID
}

// leg is a chat connection as the gatekeeper has it: to whom, and what takes a frame
// there.
type leg struct {
	node string
	take func(body []byte, end bool)
}

// Phone is a Signal app: Bob's, but for tests.
type Phone struct {
	Addr   ident.Address
	Events []ChatEvent

	node   string
	device *dma.Device
	client protocols.Client // the device's
	conn   dma.ConnID
}

// ChatEvent is what an app shows its user.
type ChatEvent struct {
	At     des.Time
	Frames int // sent by then
	Event  dma.Event
}

// integrator is the gateway's operator, or Bob's app, as a partner of the gatekeeper.
const integrator = 1

// addKeeper adds the gatekeeper, and Bob's phone.
func (w *World) addKeeper() error {
	gk, err := dma.NewGatekeeper(dma.GatekeeperConfig{Native: ident.User, Reach: dma.DefaultOn, RefillBelow: 5})
	if err != nil {
		return err
	}
	w.keeper = &keeper{gk: gk, store: newStore(), conns: make(map[dma.ConnID]*leg)}
	if _, err := w.stepKeeper(dma.Agree{Integrator: integrator, Active: true}); err != nil {
		return err
	}
	w.phone, err = w.addPhone(PhoneNode, "4915112345678")
	return err
}

// addPhone adds a Signal app of somebody at the gatekeeper, or at a partner.
func (w *World) addPhone(node, number string) (*Phone, error) {
	addr, err := w.account(number, !w.cfg.Native)
	if err != nil {
		return nil, err
	}
	s, err := w.suite(node)
	if err != nil {
		return nil, err
	}
	client, err := w.adapter.New(protocols.Config{Address: protocols.Address(addr.String()), Suite: s})
	if err != nil {
		return nil, err
	}
	p := &Phone{Addr: addr, node: node, client: client}
	p.device, err = dma.NewDevice(dma.DeviceConfig{Address: addr, Client: client, Keys: w.keyForm(), Rand: s.Rand(), Batch: 20})
	if err != nil {
		return nil, err
	}
	p.conn = w.connect(node, func(body []byte, end bool) {
		if !end {
			w.stepPhone(p, dma.Frame{Conn: p.conn, Data: body})
		}
	})
	if _, err := w.stepKeeper(dma.Connect{Conn: p.conn, Account: addr}); err != nil {
		return nil, err
	}
	w.stepPhone(p, dma.Connect{Conn: p.conn})
	return p, w.err
}

// account makes an account at the gatekeeper, of its own user or of a partner's.
func (w *World) account(name string, native bool) (ident.Address, error) {
	var in dma.Input = dma.Enlist{Integrator: integrator, Visible: name}
	if native {
		in = dma.Register{User: name, Eligible: true}
	}
	out, err := w.stepKeeper(in)
	return out.Account, err
}

// keyForm is how the adapter's key material is written in stanzas.
func (w *World) keyForm() dma.KeyForm {
	if strings.HasPrefix(w.adapter.Name(), "signal-") {
		return dma.SignalKeys
	}
	return dma.OpaqueKeys
}

// connect gives a node a chat connection.
func (w *World) connect(node string, take func(body []byte, end bool)) dma.ConnID {
	w.keeper.next++
	w.keeper.conns[w.keeper.next] = &leg{node, take}
	return w.keeper.next
}

// stepKeeper steps the gatekeeper as its shell does.
func (w *World) stepKeeper(in dma.Input) (dma.Output, error) {
	out, err := w.keeper.gk.Step(w.Time(), in)
	if err != nil {
		return out, err
	}
	w.keeper.store.apply(out.Persist)
	for _, s := range out.Sends {
		l := w.keeper.conns[s.Conn]
		if l == nil {
			continue
		}
		w.send(Frame{From: GatekeeperNode, To: l.node, What: nameStanza(s.Frame), Body: s.Frame}, func(body []byte) {
			if w.keeper.conns[s.Conn] == l {
				if s.Frame != nil {
					l.take(body, false)
				}
				if s.Close {
					l.take(nil, true)
				}
			}
		})
	}
	w.wakeAt(GatekeeperNode, out.WakeAt, func() {
		if _, err := w.stepKeeper(dma.Wake{}); err != nil {
			w.fail(err)
		}
	})
	return out, nil
}

// toKeeper sends a frame of a connection to the gatekeeper.
func (w *World) toKeeper(from string, s dma.Send) {
	w.send(Frame{From: from, To: GatekeeperNode, What: nameStanza(s.Frame), Body: s.Frame}, func(body []byte) {
		if w.keeper.conns[s.Conn] == nil {
			return
		}
		if _, err := w.stepKeeper(dma.Frame{Conn: s.Conn, Data: body}); err != nil {
			w.fail(fmt.Errorf("%s: %w", from, err))
		}
	})
}

// stepPhone steps a phone as its shell does.
func (w *World) stepPhone(p *Phone, in dma.Input) string {
	out, err := p.device.Step(w.Time(), in)
	if err != nil {
		w.fail(fmt.Errorf("%s: %T: %w", p.node, in, err))
		return ""
	}
	for _, e := range out.Events {
		p.Events = append(p.Events, ChatEvent{w.Now(), len(w.frames), e})
	}
	for _, s := range out.Sends {
		w.toKeeper(p.node, s)
	}
	w.wakeAt(p.node, out.WakeAt, func() { w.stepPhone(p, dma.Wake{}) })
	return out.ID
}

// Write has Bob write in the chat with a line. It returns the message's ID.
func (w *World) Write(line int, c dma.Content) (string, error) { return w.write(w.phone, line, c) }

func (w *World) write(p *Phone, line int, c dma.Content) (string, error) {
	id := w.stepPhone(p, dma.Compose{To: w.gateway.config.Lines[line], Content: c})
	return id, w.err
}

// Say has Bob write a text.
func (w *World) Say(line int, text string) (string, error) {
	return w.Write(line, dma.Content{Kind: dma.Text, Text: text})
}

// Phone returns Bob's phone.
func (w *World) Phone() *Phone { return w.phone }

// Line returns the line that an address is, or -1.
func (w *World) Line(a ident.Address) int {
	for i, b := range w.gateway.config.Lines {
		if a == b {
			return i
		}
	}
	return -1
}

// nameStanza says what a frame of the chat channel is.
func nameStanza(frame []byte) string {
	n, err := stanza.ParseBinary(frame)
	if err != nil {
		return "end"
	}
	if t, ok := n.Attr("type"); ok && n.Tag != "iq" {
		return n.Tag + " " + t
	}
	return n.Tag
}

var phoneIP = netip.MustParseAddr("192.0.2.7")
