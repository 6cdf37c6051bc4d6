package world

import (
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

// Sizes of the chat channel in bytes. The handshake is Noise XX with X25519
// (framework revision 34, Section 7.5): e; e, ee, s, es with a certificate; s, se
// with the token. The sizes of certificate and token are assumed.
const (
	frameOverhead = 3 + 16         // length and authentication tag of each frame
	helloSize     = 32 + 48 + 1024 // the client's two messages with a token
	readySize     = 32 + 48 + 256  // the server's with its certificate
)

// connectTimeout is when an attempt to connect is given up. Assumed.
const connectTimeout = 30 * des.Second

// packet is what travels over a link: a frame, the handshake, or the end of a
// connection.
type packet struct {
	device *device
	conn   dma.ConnID
	kind   packetKind
	data   []byte
}

type packetKind uint8

const (
	frame packetKind = iota
	hello            // opens a connection
	ready            // says that it stands
	bye              // closes it
)

func (p packet) size() int {
	switch p.kind {
	case hello:
		return helloSize
	case ready:
		return readySize
	case bye:
		return frameOverhead
	}
	return len(p.data) + frameOverhead
}

// transmit hands a packet to a link and schedules its arrivals.
func (w *world) transmit(l *link.Link, p packet, arrive uint32) {
	a := l.Send(w.k.Now(), p.size())
	w.meter.carried += int64(p.size())
	for _, at := range a.At[:a.N] {
		w.k.Schedule(at, 0, w, des.Event{Kind: arrive, Ref: w.pack(p)})
	}
	switch {
	case a.Broken != 0:
		w.lost(p, arrive, "the connection breaks")
	case a.N == 0:
		w.lost(p, arrive, "")
	}
	if a.Broken != 0 {
		w.k.Schedule(max(a.Broken, w.k.Now()), 0, w, des.Event{Kind: evBroken, A: uint64(p.conn), Ref: p.device})
	}
}

// pack returns room for a packet that an event refers to, and unpack takes it back:
// a run sends very many.
func (w *world) pack(p packet) *packet {
	n := len(w.packets)
	if n == 0 {
		w.packets = append(w.packets, new(packet))
		n = 1
	}
	room := w.packets[n-1]
	w.packets = w.packets[:n-1]
	*room = p
	return room
}

func (w *world) unpack(room *packet) packet {
	p := *room
	*room = packet{}
	w.packets = append(w.packets, room)
	return p
}

// connect begins an attempt to connect if the device should be connected and is
// not about to be.
func (w *world) connect(d *device) {
	if !d.wanted(w.k.Now()) || d.conn != 0 || d.timer != 0 {
		return
	}
	d.conn, d.up = w.newConn(d), false
	d.out.Reset(w.k.Now())
	d.in.Reset(w.k.Now())
	d.timer = w.k.After(connectTimeout, w, des.Event{Kind: evTimeout, A: uint64(d.conn), Ref: d})
	w.learnConnection(d)
	w.transmit(&d.out, packet{device: d, conn: d.conn, kind: hello}, evArriveServer)
}

// timeout gives an attempt up and schedules the next one.
func (w *world) timeout(d *device, conn dma.ConnID) {
	if d.conn != conn || d.up {
		return
	}
	d.timer = 0
	w.hangUp(d)
	w.connectLater(d)
}

// connectLater schedules an attempt after an exponential back-off with full jitter.
func (w *world) connectLater(d *device) {
	if !d.wanted(w.k.Now()) || d.conn != 0 || d.timer != 0 {
		return
	}
	b := w.sc.Devices.Reconnect
	wait := float64(b.Min)
	for i := 0; i < d.retries && wait < float64(b.Max); i++ {
		wait *= 2
	}
	d.retries++
	d.timer = w.k.After(des.Time(min(wait, float64(b.Max))*d.user.rand.Float64())+1, w, des.Event{Kind: evConnect, Ref: d})
}

// broken ends a connection at all ends, as when a link gives it up.
func (w *world) broken(d *device, conn dma.ConnID) {
	if d.conn == conn {
		w.hangUp(d)
		w.connectLater(d)
	}
	if p := d.user.partner; p != nil && p.legs[conn] != nil {
		w.stepProxy(p, dma.Disconnect{Conn: conn})
		delete(p.legs, conn)
	}
	w.forget(d, conn)
}

// newConn numbers a connection of a device.
func (w *world) newConn(d *device) dma.ConnID {
	w.conns = append(w.conns, d)
	return dma.ConnID(len(w.conns) - 1)
}

// forget ends a connection at the gatekeeper alone.
func (w *world) forget(d *device, conn dma.ConnID) {
	if d.served == conn {
		d.served = 0
		w.stepGatekeeper(d.gk, dma.Disconnect{Conn: conn})
	}
}

// hangUp ends a connection, or an attempt, at the device alone.
func (w *world) hangUp(d *device) {
	conn, up := d.conn, d.up
	d.conn, d.up = 0, false
	w.k.Cancel(d.timer)
	d.timer = 0
	if up {
		w.stepDevice(d, dma.Disconnect{Conn: conn})
	}
}

// leave closes a device's connection in good order.
func (w *world) leave(d *device) {
	if d.conn != 0 {
		w.transmit(&d.out, packet{device: d, conn: d.conn, kind: bye}, evArriveServer)
	}
	w.hangUp(d)
}

// atGatekeeper takes a packet from a device or from a proxy.
func (w *world) atGatekeeper(p packet) {
	g := p.device.gk
	if g.down {
		w.lost(p, evArriveUp, "nobody answers")
		return
	}
	switch p.kind {
	case hello:
		w.accept(g, p)
	case bye:
		w.forget(p.device, p.conn)
	default:
		if p.device.served != p.conn {
			w.lost(p, evArriveUp, connectionOver)
			return
		}
		w.arrived(g.name, p.device.hop(), p)
		w.stepGatekeeper(g, dma.Frame{Conn: p.conn, Data: p.data})
	}
}

// accept answers a handshake and tells the machine of the connection.
func (w *world) accept(g *gatekeeper, p packet) {
	d := p.device
	if d.served == p.conn || d.conn != p.conn {
		return // doubled, or given up meanwhile
	}
	if d.user.partner != nil && !g.machine.Agreement(d.addr.Integrator) {
		w.toDevice(d, packet{device: d, conn: p.conn, kind: bye})
		return
	}
	d.served = p.conn // the machine closes the one before, if it stands
	w.toDevice(d, packet{device: d, conn: p.conn, kind: ready})
	w.stepGatekeeper(g, dma.Connect{Conn: p.conn, Account: d.addr, IP: d.user.ip})
}

// toDevice sends a packet from the gatekeeper towards a device.
func (w *world) toDevice(d *device, p packet) {
	if d.proxied() {
		w.transmit(&d.beyond.in, p, evArriveDown)
	} else {
		w.transmit(&d.in, p, evArriveDevice)
	}
}

// atDevice takes a packet from the gatekeeper or the proxy.
func (w *world) atDevice(p packet) {
	d := p.device
	if d.down || d.conn != p.conn {
		w.lost(p, evArriveDevice, connectionOver)
		return
	}
	switch p.kind {
	case ready:
		if d.up {
			return
		}
		w.k.Cancel(d.timer)
		d.timer, d.up, d.retries = 0, true, 0
		w.stepDevice(d, dma.Connect{Conn: p.conn})
	case bye:
		w.hangUp(d)
		w.connectLater(d)
	case frame:
		if d.up { // over a datagram link a frame may come before the handshake's end
			w.arrived(d.name(), d.server(), p)
			w.stepDevice(d, dma.Frame{Conn: p.conn, Data: p.data})
		}
	}
}

// atProxy takes a packet from a device.
func (w *world) atProxy(p packet) {
	d := p.device
	pa := d.user.partner
	if pa.proxyDown {
		w.lost(p, evArriveServer, "nobody answers")
		return
	}
	switch p.kind {
	case hello:
		if pa.legs[p.conn] != nil || d.conn != p.conn {
			return
		}
		pa.legs[p.conn] = d
		w.stepProxy(pa, dma.Connect{Conn: p.conn, Account: d.addr, IP: d.user.ip})
	case bye:
		if pa.legs[p.conn] != nil {
			w.stepProxy(pa, dma.Disconnect{Conn: p.conn})
			delete(pa.legs, p.conn)
		}
	default:
		if pa.legs[p.conn] == nil {
			w.lost(p, evArriveServer, connectionOver)
			return
		}
		w.proxySees(d, p, true)
		w.stepProxy(pa, dma.Frame{Conn: p.conn, Data: p.data})
	}
}

// atProxyFromGatekeeper takes a packet for a device.
func (w *world) atProxyFromGatekeeper(p packet) {
	d := p.device
	pa := d.user.partner
	if pa.proxyDown || pa.legs[p.conn] == nil {
		w.lost(p, evArriveDown, connectionOver)
		return
	}
	switch p.kind {
	case ready:
		w.transmit(&d.in, p, evArriveDevice)
		w.stepProxy(pa, dma.Upstream{Conn: p.conn})
	case bye:
		w.stepProxy(pa, dma.UpstreamGone{Conn: p.conn})
		delete(pa.legs, p.conn)
	default:
		w.proxySees(d, p, false)
		w.stepProxy(pa, dma.UpstreamFrame{Conn: p.conn, Data: p.data})
	}
}

// stepProxy feeds a proxy and does what it says.
func (w *world) stepProxy(pa *partner, in dma.Input) {
	out, err := pa.proxy.Step(w.now(), in)
	if err != nil {
		w.meter.refusedFrames++
		return
	}
	for _, dial := range out.Dials {
		d := pa.legs[dial.Conn]
		d.beyond.out.Reset(w.k.Now())
		d.beyond.in.Reset(w.k.Now())
		w.transmit(&d.beyond.out, packet{device: d, conn: dial.Conn, kind: hello}, evArriveUp)
	}
	for _, s := range out.Upstream {
		if d := pa.legs[s.Conn]; d != nil {
			w.passedOn(pa, d.gk.name, s)
			w.emit(&d.beyond.out, d, s, evArriveUp)
		}
	}
	for _, s := range out.Sends {
		if d := pa.legs[s.Conn]; d != nil {
			w.passedOn(pa, d.name(), s)
			w.emit(&d.in, d, s, evArriveDevice)
		}
	}
}

// emit sends what a machine wants sent.
func (w *world) emit(l *link.Link, d *device, s dma.Send, arrive uint32) {
	if s.Frame != nil {
		w.transmit(l, packet{device: d, conn: s.Conn, data: s.Frame}, arrive)
	}
	if s.Close {
		w.transmit(l, packet{device: d, conn: s.Conn, kind: bye}, arrive)
	}
}

// stepGatekeeper feeds a gatekeeper and does what it says.
func (w *world) stepGatekeeper(g *gatekeeper, in dma.Input) {
	if g.down {
		return
	}
	out, err := g.machine.Step(w.now(), in)
	if err != nil {
		w.refuse(g, in)
		return
	}
	for _, r := range out.Persist {
		if w.sabotage == nil || !w.sabotage(r) {
			g.store.write(r)
		}
	}
	for i := range out.Events {
		w.gatekeeperEvent(g, &out.Events[i])
	}
	for _, s := range out.Sends {
		d := w.conns[s.Conn]
		if d.served != s.Conn {
			continue // of a connection that a newer one replaced
		}
		if s.Frame != nil {
			w.leaving(g.name, d.name(), d.hop(), s.Frame)
			w.toDevice(d, packet{device: d, conn: s.Conn, data: s.Frame})
		}
		if s.Close {
			w.toDevice(d, packet{device: d, conn: s.Conn, kind: bye})
			d.served = 0
		}
	}
	for _, p := range out.Pushes {
		w.push(g, p)
	}
	w.setAlarm(&g.wake, out.WakeAt, des.Event{Kind: evWakeServer, Ref: g})
}

// refuse closes the connection whose frame a gatekeeper refused.
func (w *world) refuse(g *gatekeeper, in dma.Input) {
	w.meter.refusedFrames++
	if f, ok := in.(dma.Frame); ok {
		d := w.conns[f.Conn]
		w.toDevice(d, packet{device: d, conn: f.Conn, kind: bye})
		w.forget(d, f.Conn)
	}
}

// stepDevice feeds a device, does what it says, and returns the ID of a message
// that it was told to compose.
func (w *world) stepDevice(d *device, in dma.Input) (id string) {
	if d.down {
		return ""
	}
	out, err := d.machine.Step(w.now(), in)
	if err != nil {
		w.meter.refusedFrames++
		return ""
	}
	for _, r := range out.Persist {
		d.store.write(r)
	}
	id = out.ID
	if c, ok := in.(dma.Compose); ok {
		w.composed(d, id, c) // before the events about it
	}
	for i := range out.Events {
		w.deviceEvent(d, &out.Events[i])
	}
	for _, s := range out.Sends {
		if s.Conn == d.conn {
			w.leaving(d.name(), d.gk.name, d.server(), s.Frame)
			w.emit(&d.out, d, s, evArriveServer)
		}
	}
	w.setAlarm(&d.wake, out.WakeAt, des.Event{Kind: evWakeDevice, Ref: d})
	return id
}

// setAlarm makes an alarm go off at the given time, or not at all.
func (w *world) setAlarm(a *alarm, at time.Time, ev des.Event) {
	if a.at.Equal(at) && (a.id != 0 || at.IsZero()) {
		return
	}
	w.k.Cancel(a.id)
	a.id, a.at = 0, at
	if !at.IsZero() {
		due := des.FromDuration(at.Sub(w.sc.Start))
		a.id = w.k.Schedule(max(due, w.k.Now()+1), 0, w, ev)
	}
}
