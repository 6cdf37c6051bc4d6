package world

import (
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/media"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/trace"
	"github.com/mimi-lab/mimi-lab/sim/workload"
)

// pushAwake is how long a push lets a device work in the background. Assumed, after
// the half minute or so that mobile systems give.
const pushAwake = 30 * des.Second

// nextPresence schedules the next time a user goes online or offline.
func (w *world) nextPresence(u *user) {
	next := w.presence.Next(&u.presence, u.state)
	if next.At != des.Never {
		u.state.At = next.At
		w.k.Schedule(max(next.At, w.k.Now()), 0, w, des.Event{Kind: evPresence, Ref: u})
	}
}

// switchPresence takes a user online or offline.
func (w *world) switchPresence(u *user) {
	if w.final {
		return
	}
	u.state = link.Change{At: w.k.Now(), Up: !u.state.Up}
	w.nextPresence(u)
	w.followPresence(u)
}

// followPresence connects or disconnects a user's devices as they should be.
func (w *world) followPresence(u *user) {
	for _, d := range u.devices {
		w.follow(d)
	}
}

// follow connects or disconnects a device as it should be.
func (w *world) follow(d *device) {
	w.notePresence(d)
	if d.wanted(w.k.Now()) {
		w.connect(d)
	} else if d.conn != 0 || d.timer != 0 {
		w.leave(d)
	}
}

// notePresence takes down that a device comes online, for good or for a push, or
// goes offline.
func (w *world) notePresence(d *device) {
	present := d.present(w.k.Now())
	if present == d.online {
		return
	}
	d.online = present
	switch {
	case !present:
		w.note(d.name(), trace.Offline, "")
	case d.user.state.Up:
		w.note(d.name(), trace.Online, "")
	default:
		w.note(d.name(), trace.Online, "woken by a push")
	}
}

// push sends a gatekeeper's push to the partner's server.
func (w *world) push(g *gatekeeper, p dma.Push) {
	l := g.toPush[p.Integrator]
	if l == nil {
		return
	}
	const requestSize = 1200 // headers with a bearer token, and {"to": ...}; assumed
	a := l.Send(w.k.Now(), requestSize)
	w.meter.carried += requestSize
	for _, at := range a.At[:a.N] {
		w.k.Schedule(at, 0, w, des.Event{Kind: evPush, Ref: &pushed{g, w.partners[p.Integrator-1], p.To}})
	}
}

// pushed is a push request on its way.
type pushed struct {
	gatekeeper *gatekeeper
	partner    *partner
	to         string
}

// atPartner takes a push at the partner's server, which wakes the user's phone by its
// own channel. The push names its gatekeeper (iss in its token), so that the phone
// connects to that one only.
func (w *world) atPartner(p *pushed) {
	if p.partner.serverDown {
		return
	}
	out, err := p.partner.server.Step(w.now(), dma.PushRequest{To: p.to})
	if err != nil || !p.partner.cfg.Push {
		return
	}
	for _, name := range out.Wakes {
		u := p.partner.byName[name]
		delay := w.links[scenario.DevicePartner].Delay.Sample(&u.rand)
		for _, d := range u.devices {
			if d.gk == p.gatekeeper {
				w.k.After(des.FromSeconds(delay), w, des.Event{Kind: evPhone, Ref: d})
			}
		}
	}
}

// phone wakes a device for a while.
func (w *world) phone(d *device) {
	d.awake = w.k.Now() + pushAwake
	w.k.Schedule(d.awake, 0, w, des.Event{Kind: evSleep, Ref: d})
	w.follow(d)
}

// sleep ends what a push began, unless a later one goes on.
func (w *world) sleep(d *device) {
	if w.k.Now() >= d.awake {
		w.follow(d)
	}
}

// nextWrite schedules the next message of a user: a Poisson process.
func (w *world) nextWrite(u *user) {
	at := w.k.Now().Add(des.FromSeconds(u.rand.Exp(1 / u.rate)))
	if at < w.end {
		w.k.Schedule(at, 0, w, des.Event{Kind: evWrite, Ref: u})
	}
}

// draft is a message whose medium is being uploaded, or a reaction that is being
// thought of.
type draft struct {
	contact  *contact
	content  dma.Content
	reaction bool
}

// write has a user write to one of those they can write to.
func (w *world) write(u *user) {
	w.nextWrite(u)
	c := u.pick()
	if c == nil {
		return
	}
	drawn := w.contents.Draw(&u.rand)
	kind := dma.ContentKinds[drawn.Kind]
	m := &draft{contact: c, content: dma.Content{Kind: kind, Text: w.text(drawn.Text)}}
	if c.last != "" && u.rand.Bool(float64(w.sc.Workload.ReplyShare)) {
		m.content.ReplyTo = c.last
	}
	if !kind.Media() {
		m.content.Text = w.text(max(1, drawn.Text))
		w.compose(m)
		return
	}
	m.content.Media = w.upload(c.from, kind, drawn)
	w.k.After(w.transfer(c.from, m.content.Media.Size), w, des.Event{Kind: evCompose, Ref: m})
}

// pick returns one of the contacts that the user may write to as far as they know,
// each with the same probability; nil if there is none.
func (u *user) pick() *contact {
	n := 0
	for _, c := range u.contacts {
		if c.writable() {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	n = u.rand.IntN(n)
	for _, c := range u.contacts {
		if c.writable() {
			if n == 0 {
				return c
			}
			n--
		}
	}
	panic("world: the contacts changed while they were counted")
}

// writable reports whether the user would try: a partner's user learns by trying, a
// native user knows the own settings.
func (c *contact) writable() bool {
	return c.reach == open || c.reach == untried && c.from.user.partner != nil
}

// text returns a text of n bytes that begins with the run's secret.
func (w *world) text(n int) string {
	const filler = "lorem ipsum dolor sit amet "
	if n <= len(w.secret) {
		return string(w.secret[:n])
	}
	n = min(n, dma.MaxText)
	rest := n - len(w.secret)
	return string(w.secret) + strings.Repeat(filler, rest/len(filler)+1)[:rest]
}

// blank is what all thumbnails are a part of: nobody looks at them.
var blank [dma.MaxThumbnail]byte

// upload puts a medium at its host: the partner's server for a partner's user, the
// gatekeeper's media host for a native one.
func (w *world) upload(d *device, kind dma.ContentKind, drawn workload.Content) dma.MediaRef {
	ref := dma.MediaRef{Size: dma.MediaCiphertext(drawn.Media)}
	for _, b := range [...][]byte{ref.Key[:], ref.SHA256[:]} {
		if _, err := d.user.rand.Read(b); err != nil {
			panic(err) // a stream never fails
		}
	}
	copy(ref.Key[:], w.secret)
	ref.Thumbnail = blank[:min(drawn.Thumbnail, dma.MaxThumbnail)]
	if p := d.user.partner; p != nil {
		ref.Ref = media.Path{Integrator: p.integrator, Ref: p.server.Media().Put(ref.Size)}.String()
	} else {
		ref.Ref = media.Path{Ref: d.gk.media.Put(ref.Size)}.String()
	}
	w.meter.carried += int64(ref.Size)
	return ref
}

// transfer draws how long a device takes to move a medium to or from its host: a
// round trip and the time at the link's bandwidth. Losses are not modelled here.
func (w *world) transfer(d *device, size uint64) des.Time {
	class := scenario.DeviceGatekeeper
	if d.user.partner != nil {
		class = scenario.DevicePartner
	}
	cfg := w.links[class]
	seconds := cfg.Delay.Sample(&d.user.rand) + cfg.Delay.Sample(&d.user.rand)
	if cfg.Bandwidth > 0 {
		seconds += float64(size) * 8 / cfg.Bandwidth
	}
	return des.FromSeconds(seconds)
}

// compose hands a message to the device, unless the measured span is over or the
// phone is dead.
func (w *world) compose(m *draft) {
	c := m.contact
	if w.k.Now() >= w.end || c.from.down || c.from.barred || !c.writable() {
		return
	}
	if !m.reaction && c.from.user.rand.Bool(float64(w.sc.Workload.TypingShare)) {
		w.stepDevice(c.from, dma.Typing{To: c.to.addr})
	}
	w.stepDevice(c.from, dma.Compose{To: c.to.addr, Content: m.content})
}

// reading is a message that its recipient is about to read.
type reading struct {
	contact *contact // of the reader
	id      string
	react   bool
	receipt bool
}

// see has a user take notice of a message that the device shows.
func (w *world) see(c *contact, id string, reaction bool) {
	c.last = strings.Clone(id) // which is part of a frame
	u := c.from.user
	r := &reading{
		contact: c, id: c.last,
		react:   u.rand.Bool(float64(w.sc.Workload.ReactionShare)) && !reaction,
		receipt: u.rand.Bool(float64(w.sc.Workload.ReadReceiptShare)) && !reaction,
	}
	if r.react || r.receipt {
		w.k.After(des.FromSeconds(w.readDelay.Sample(&u.rand)), w, des.Event{Kind: evRead, Ref: r})
	}
}

// read sends the read receipt and the reaction.
func (w *world) read(r *reading) {
	if w.k.Now() >= w.end || r.contact.from.down {
		return
	}
	if r.receipt {
		w.stepDevice(r.contact.from, dma.MarkRead{Peer: r.contact.to.addr, IDs: []string{r.id}})
	}
	if r.react {
		w.compose(&draft{contact: r.contact, reaction: true,
			content: dma.Content{Kind: dma.Reaction, Target: r.id, Text: "👍"}})
	}
}

// ping has a partner's user ask a contact to be allowed to write.
func (w *world) ping(c *contact) {
	if c.from.down || c.reach == open {
		return
	}
	w.meter.pings++
	w.stepDevice(c.from, dma.AskPing{To: c.to.addr})
}

// answer has a native user decide about a ping. c is the native user's view.
func (w *world) answer(c *contact) {
	if c.from.down || c.reach == open {
		return
	}
	given := c.from.user.rand.Bool(float64(c.from.gk.cfg.Reachability.PingConsentRate))
	if given {
		w.consents(c, true)
	}
	w.stepDevice(c.from, dma.AnswerPing{To: c.to.addr, Allow: given})
}
