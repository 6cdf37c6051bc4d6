package bridge

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// bridge is the gateway with its records and connections.
type bridge struct {
	node    string
	config  gateway.Config
	machine *gateway.Gateway
	store   *store
	events  []GatewayEvent
	// session counts the starts: what was under way to an earlier one is lost.
	session int
	steps   int
	conns   []dma.ConnID // of the lines
}

// GatewayEvent is what the gateway tells its operator.
type GatewayEvent struct {
	At     des.Time
	Frames int
	Event  gateway.Event
}

// Bridged returns what the gateway has told its operator.
func (w *World) Bridged() []GatewayEvent { return w.gateway.events }

// Gateway returns the machine as it is now.
func (w *World) Gateway() *gateway.Gateway { return w.gateway.machine }

// addGateway adds the gateway and connects it.
func (w *World) addGateway() error {
	g := &bridge{node: ServerNode, store: newStore()}
	if w.cfg.Place == gateway.OnDevice {
		g.node = BridgeNode
	}
	signal, err := w.suite("gateway signal")
	if err != nil {
		return err
	}
	groups, err := w.suite("gateway mls")
	if err != nil {
		return err
	}
	g.config = gateway.Config{
		Place: w.cfg.Place, Operator: "G Example Ltd", Domain: OperatorDomain,
		Adapter: w.adapter, Keys: w.keyForm(), Suite: signal, Groups: &mls.Config{Suite: groups}, Limits: w.cfg.Limits,
	}
	if w.cfg.Place == gateway.OnDevice {
		g.config.Owner = w.phone.Addr
	}
	for i := range w.cfg.Lines {
		a, err := w.account(fmt.Sprintf("49800000%03d", i), w.cfg.Native)
		if err != nil {
			return err
		}
		g.config.Lines = append(g.config.Lines, a)
	}
	w.gateway = g
	if g.machine, err = gateway.New(g.config); err != nil {
		return err
	}
	w.start()
	return w.err
}

// start connects the gateway's lines; what the machine keeps connects its clients.
func (w *World) start() {
	g := w.gateway
	g.session++
	session := g.session
	w.stepGateway(gateway.Resume{})
	g.conns = nil
	for no := range g.config.Lines {
		if g.session != session {
			return // it stopped meanwhile
		}
		node := g.node
		if w.cfg.Place == gateway.OnDevice {
			node = ProxyNode
		}
		var c dma.ConnID
		down := func(body []byte, end bool) {
			in := gateway.Chat{Line: no, In: dma.Frame{Conn: c, Data: body}}
			if end {
				in.In = dma.Disconnect{Conn: c}
			}
			if g.session == session {
				w.stepGateway(in)
			}
		}
		take := down
		if node == ProxyNode {
			take = func(body []byte, end bool) {
				if end {
					w.stepProxy(dma.UpstreamGone{Conn: c})
				} else {
					w.stepProxy(dma.UpstreamFrame{Conn: c, Data: body})
				}
			}
		}
		c = w.connect(node, take)
		g.conns = append(g.conns, c)
		if _, err := w.stepKeeper(dma.Connect{Conn: c, Account: g.config.Lines[no], IP: phoneIP}); err != nil {
			w.fail(err)
			return
		}
		if node == ProxyNode {
			w.stepProxy(dma.Connect{Conn: c, Account: g.config.Lines[no], IP: phoneIP})
			w.stepProxy(dma.Upstream{Conn: c})
		}
		w.stepGateway(gateway.Chat{Line: no, In: dma.Connect{Conn: c}})
	}
}

// Crash stops the gateway and starts it again from its records.
func (w *World) Crash() {
	g := w.gateway
	g.session++ // what is under way to it is lost
	for _, c := range g.conns {
		delete(w.keeper.conns, c)
		if _, err := w.stepKeeper(dma.Disconnect{Conn: c}); err != nil {
			w.fail(err)
		}
		if w.cfg.Place == gateway.OnDevice {
			w.stepProxy(dma.Disconnect{Conn: c})
		}
	}
	w.wakeAt(g.node, Start, func() {})
	if k, ok := w.wakes[g.node]; ok {
		w.kernel.Cancel(k.id)
		delete(w.wakes, g.node)
	}
	for _, c := range g.machine.Clients() {
		// The connection is gone; a provider that has no such client does not mind.
		w.stepFollower(w.providers[OperatorDomain], follower.Disconnect{Client: c})
	}
	var err error
	if g.machine, err = gateway.Restore(g.config, g.store.records()); err != nil {
		w.fail(err)
		return
	}
	w.start()
}

// stepProxy steps the operator's proxy as its shell does.
func (w *World) stepProxy(in dma.Input) {
	out, err := w.proxy.Step(w.Time(), in)
	if err != nil {
		w.fail(fmt.Errorf("%s: %w", ProxyNode, err))
		return
	}
	g := w.gateway
	session := g.session
	for _, s := range out.Sends {
		no := slices.Index(g.conns, s.Conn)
		w.send(Frame{From: ProxyNode, To: BridgeNode, What: nameStanza(s.Frame), Body: s.Frame}, func(body []byte) {
			if g.session == session && no >= 0 && s.Frame != nil {
				w.stepGateway(gateway.Chat{Line: no, In: dma.Frame{Conn: s.Conn, Data: body}})
			}
		})
	}
	for _, s := range out.Upstream {
		if s.Frame != nil {
			w.toKeeper(ProxyNode, s)
		}
	}
}

func forClient(client ident.URI, in member.Input) gateway.Input {
	return gateway.Provider{Client: client, In: in}
}

// stepGateway steps the gateway as its shell does.
func (w *World) stepGateway(in gateway.Input) {
	g := w.gateway
	out, err := g.machine.Step(w.Time(), in)
	if err != nil {
		w.fail(fmt.Errorf("%s: %T: %w", g.node, in, err))
		return
	}
	g.steps++
	crash := NoCrash
	if w.cfg.Crash != nil {
		crash = w.cfg.Crash(g.steps)
	}
	if crash == BeforeStore {
		session := g.session
		g.session++ // nothing else reaches it
		w.soon(func() {
			if g.session == session+1 {
				w.Crash()
			}
		})
		return
	}
	g.store.apply(out.Persist)
	for _, e := range out.Events {
		g.events = append(g.events, GatewayEvent{w.Now(), len(w.frames), e})
	}
	if crash == AfterStore {
		session := g.session
		g.session++
		w.soon(func() {
			if g.session == session+1 {
				w.Crash()
			}
		})
		return
	}
	p := w.providers[OperatorDomain]
	for _, f := range out.Frames {
		if f.Frame == nil {
			continue
		}
		if w.cfg.Place == gateway.AtServer {
			w.toKeeper(g.node, f.Send)
			continue
		}
		w.send(Frame{From: g.node, To: ProxyNode, What: nameStanza(f.Frame), Body: f.Frame}, func(body []byte) {
			if w.keeper.conns[f.Conn] != nil {
				w.stepProxy(dma.Frame{Conn: f.Conn, Data: body})
			}
		})
	}
	for _, a := range out.Accounts {
		w.makeAccount(p, a)
	}
	for _, in := range out.Provider {
		w.up(g.node, p, in)
	}
	for _, t := range out.Transfers {
		w.carry(t)
	}
	w.wakeAt(g.node, out.WakeAt, func() { w.stepGateway(gateway.Wake{}) })
}

// makeAccount makes or removes an account at the operator's provider.
func (w *World) makeAccount(p *provider, a gateway.Account) {
	g := w.gateway
	session := g.session
	what := "account"
	list := []follower.Input{
		follower.AddUser{User: a.User}, follower.AddClient{Client: a.Client}, follower.Connect{Client: a.Client},
		follower.Publish{Client: a.Client, KeyPackages: a.KeyPackages},
	}
	if a.Remove {
		what, list = "no account", []follower.Input{follower.RemoveClient{Client: a.Client}}
	}
	f := Frame{From: g.node, To: p.domain, What: what}
	for i := range a.KeyPackages {
		f.Body = append(f.Body, marshal(w, &a.KeyPackages[i])...)
	}
	w.send(f, func([]byte) {
		var err error
		for _, in := range list {
			if err == nil {
				_, err = w.stepFollower(p, in)
			}
			var r *follower.Refusal
			const conflict = 409
			if _, last := in.(follower.Publish); last && errors.As(err, &r) && r.Status == conflict {
				err = nil // they were published before, when the account was asked for first
			}
		}
		if a.Remove {
			err = nil // if it is gone already, that is as well
		}
		w.send(Frame{From: p.domain, To: g.node, What: what + " done"}, func([]byte) {
			if g.session == session {
				w.stepGateway(gateway.AccountDone{Client: a.Client, Err: err})
			}
		})
	})
}

// carry carries a medium over, as far as this world has media: a reference, a key and a
// size. It takes a second.
func (w *World) carry(t gateway.Transfer) {
	g := w.gateway
	session := g.session
	w.after(des.Second, func() {
		if g.session != session {
			return
		}
		w.uploads++
		in := gateway.Transferred{ID: t.ID}
		if t.MIMI != nil {
			in.Ref = &dma.MediaRef{Ref: fmt.Sprintf("/interop/download/1/%d/", w.uploads), Size: t.MIMI.Size}
		} else {
			types := map[dma.ContentKind]string{dma.Image: "image/jpeg", dma.Voice: "audio/ogg", dma.Video: "video/mp4"}
			in.MIMI = &content.ExternalPart{ContentType: types[t.Kind], URL: fmt.Sprintf("https://media.g.example/%d", w.uploads), Size: t.Ref.Size}
		}
		w.stepGateway(in)
	})
}
