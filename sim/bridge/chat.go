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

// Phone is Bob's Signal app.
type Phone struct {
	Addr   ident.Address
	Events []ChatEvent

	device *dma.Device
	client protocols.Client // the device's
	conn   dma.ConnID
}

// ChatEvent is what Bob's app shows him.
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
	addr, err := w.account("4915112345678", !w.cfg.Native)
	if err != nil {
		return err
	}
	s, err := w.suite("phone")
	if err != nil {
		return err
	}
	client, err := w.adapter.New(protocols.Config{Address: protocols.Address(addr.String()), Suite: s})
	if err != nil {
		return err
	}
	w.phone = &Phone{Addr: addr, client: client}
	w.phone.device, err = dma.NewDevice(dma.DeviceConfig{Address: addr, Client: client, Keys: w.keyForm(), Rand: s.Rand(), Batch: 20})
	if err != nil {
		return err
	}
	c := w.connect(PhoneNode, func(body []byte, end bool) {
		if !end {
			w.stepPhone(dma.Frame{Conn: w.phone.conn, Data: body})
		}
	})
	w.phone.conn = c
	if _, err := w.stepKeeper(dma.Connect{Conn: c, Account: addr}); err != nil {
		return err
	}
	w.stepPhone(dma.Connect{Conn: c})
	return w.err
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

// stepPhone steps Bob's phone as its shell does.
func (w *World) stepPhone(in dma.Input) string {
	out, err := w.phone.device.Step(w.Time(), in)
	if err != nil {
		w.fail(fmt.Errorf("%s: %T: %w", PhoneNode, in, err))
		return ""
	}
	for _, e := range out.Events {
		w.phone.Events = append(w.phone.Events, ChatEvent{w.Now(), len(w.frames), e})
	}
	for _, s := range out.Sends {
		w.toKeeper(PhoneNode, s)
	}
	w.wakeAt(PhoneNode, out.WakeAt, func() { w.stepPhone(dma.Wake{}) })
	return out.ID
}

// Write has Bob write in the chat with a line. It returns the message's ID.
func (w *World) Write(line int, c dma.Content) (string, error) {
	id := w.stepPhone(dma.Compose{To: w.gateway.config.Lines[line], Content: c})
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
