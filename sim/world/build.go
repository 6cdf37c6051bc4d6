package world

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/sim/check"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/ledger"
	"github.com/mimi-lab/mimi-lab/sim/link"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/workload"
)

// build makes all nodes and schedules what happens by itself.
func (w *world) build(o Options) error {
	sc := w.sc
	w.from = des.FromDuration(time.Duration(sc.Warmup))
	w.end = w.from + des.FromDuration(time.Duration(sc.Duration))
	w.contents = workload.NewContents(sc.Workload.Kinds)
	w.readDelay = sc.Workload.ReadDelay.Build()
	w.presence = sc.Devices.Presence()
	w.flights = make(map[string]*flight)
	w.conns = make([]*device, 1)
	w.secret = newSecret(w.k.Stream("secret"))
	if len(sc.Checks) > 0 {
		names := make([]check.Name, len(sc.Checks))
		for i, c := range sc.Checks {
			names[i] = check.Name(c)
		}
		w.checker = check.New(names, w.secret)
	}
	if o.Ledger {
		w.ledger = new(ledger.Ledger)
	}
	if err := w.buildLinks(); err != nil {
		return err
	}
	for i := range sc.Gatekeepers {
		if err := w.buildGatekeeper(&sc.Gatekeepers[i]); err != nil {
			return err
		}
	}
	for i := range sc.Partners {
		if err := w.buildPartner(&sc.Partners[i], uint16(i+1)); err != nil {
			return err
		}
	}
	w.introduce()
	w.cutLinks()
	for _, d := range w.devices {
		if err := w.prelude(d); err != nil {
			return err
		}
	}
	w.setRates()
	w.schedule()
	return nil
}

// buildLinks makes the configurations that links of a class share.
func (w *world) buildLinks() error {
	w.links = make(map[scenario.LinkClass]*link.Config)
	for _, class := range []scenario.LinkClass{
		scenario.DeviceGatekeeper, scenario.DeviceProxy, scenario.ProxyGatekeeper, scenario.GatekeeperPartner, scenario.DevicePartner,
	} {
		cfg := w.sc.Links.Class(class).Build(w.sc.Links.Mode)
		if err := cfg.Validate(); err != nil {
			return fmt.Errorf("links.%s: %w", class, err)
		}
		w.links[class] = &cfg
	}
	return nil
}

func (w *world) newLink(class scenario.LinkClass, name string) link.Link {
	return link.New(w.links[class], des.NewStream(w.k.Seed(), "link/"+name))
}

func (w *world) buildGatekeeper(cfg *scenario.Gatekeeper) error {
	reach, err := dma.ParseReach(string(cfg.Reachability.Default))
	if err != nil {
		return err
	}
	native := ident.User
	if len(w.gatekeepers)%2 == 1 { // the second service is the Messenger-like one
		native = ident.Messenger
	}
	pings := cfg.Reachability.PingLimitPerDay
	if pings == 0 {
		pings = 1 << 30
	}
	g := &gatekeeper{
		name: cfg.Name, cfg: cfg, toPush: make(map[uint16]*link.Link),
		consent: cfg.Reachability.ConsentDelay.Build(),
		config: dma.GatekeeperConfig{
			Native: native, Reach: reach, PingLimit: pings,
			Retention: time.Duration(cfg.Mailbox.Retention), Window: cfg.Mailbox.Window, ResendAfter: time.Duration(cfg.ResendAfter),
			RefillBelow: w.sc.Devices.Prekeys.RefillBelow,
			Volatile:    w.sc.Faults.Crashes.Gatekeeper.Every.IsZero(),
		},
		store: newStore(w.sc.Faults.Crashes.Gatekeeper),
	}
	if g.machine, err = dma.NewGatekeeper(g.config); err != nil {
		return err
	}
	w.gatekeepers = append(w.gatekeepers, g)
	r := w.k.Stream("eligible/" + g.name)
	for i := range cfg.Users {
		u := w.newUser(fmt.Sprintf("%s/%d", cfg.Name, i+1), nil)
		u.eligible = r.Bool(float64(cfg.EEAShare))
		g.natives = append(g.natives, u)
		addr := fmt.Sprintf("49151%08d", i)
		out, err := g.machine.Step(w.now(), dma.Register{User: addr, Eligible: u.eligible})
		if err != nil {
			return err
		}
		g.store.writeAll(out.Persist)
		if err := w.newDevice(u, g, out.Account); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) buildPartner(cfg *scenario.Partner, integrator uint16) error {
	p := &partner{
		name: cfg.Name, cfg: cfg, integrator: integrator, server: dma.NewPartner(), proxyName: cfg.Name + "/proxy",
		legs: make(map[dma.ConnID]*device), byName: make(map[string]*user),
	}
	if cfg.Route == scenario.Proxied {
		p.proxy = dma.NewProxy()
	}
	w.partners = append(w.partners, p)
	var with []*gatekeeper
	for _, a := range cfg.Agreements {
		i := slices.IndexFunc(w.gatekeepers, func(g *gatekeeper) bool { return g.name == a.Gatekeeper })
		if i < 0 {
			return fmt.Errorf("partner %s: agreement with %q, which is no gatekeeper", cfg.Name, a.Gatekeeper)
		}
		g := w.gatekeepers[i]
		with = append(with, g)
		out, err := g.machine.Step(w.now(), dma.Agree{Integrator: integrator, Active: true})
		if err != nil {
			return err
		}
		g.store.writeAll(out.Persist)
		l := w.newLink(scenario.GatekeeperPartner, g.name+"/"+p.name)
		g.toPush[integrator] = &l
		if a.RevokedAt != 0 {
			w.k.Schedule(des.FromDuration(time.Duration(a.RevokedAt)), 0, w, des.Event{Kind: evRevoke, Ref: &revocation{g, p}})
		}
	}
	r := w.k.Stream("eligible/" + p.name)
	for i := range cfg.Users {
		u := w.newUser(fmt.Sprintf("%s/%d", cfg.Name, i+1), p)
		u.eligible = r.Bool(float64(cfg.EEAShare))
		p.users = append(p.users, u)
		p.byName[u.name] = u
		if _, err := p.server.Step(w.now(), dma.Join{Visible: u.name}); err != nil {
			return err
		}
		if !u.eligible {
			continue // may not use the interface (Reference Offer 7.5.1)
		}
		for _, g := range with {
			out, err := g.machine.Step(w.now(), dma.Enlist{Integrator: integrator, Visible: u.name})
			if err != nil {
				return err
			}
			g.store.writeAll(out.Persist)
			if err := w.newDevice(u, g, out.Account); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) newUser(name string, p *partner) *user {
	n := len(w.users) + 1
	u := &user{
		name: name, partner: p,
		ip:       netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}),
		rand:     *des.NewStream(w.k.Seed(), "user/"+name),
		presence: *des.NewStream(w.k.Seed(), "presence/"+name),
	}
	w.users = append(w.users, u)
	return u
}

// clientSuite gives a modelled client its randomness, which is all it asks for,
// without the cost of a cryptographic generator.
type clientSuite struct {
	suite.Suite
	rand *des.Rand
}

func (s clientSuite) Rand() io.Reader { return s.rand }

// clientConfig returns what the end-to-end client of a device needs. Clients that
// are restored draw from another stream than the ones before.
func (w *world) clientConfig(addr ident.Address, life int) (protocols.Config, error) {
	cfg := protocols.Config{Address: protocols.Address(addr.String())}
	label := fmt.Sprintf("client/%v/%d", addr, life)
	if w.adapter.Claims().Modelled {
		cfg.Suite = clientSuite{rand: des.NewStream(w.k.Seed(), label)}
		return cfg, nil
	}
	var seed [8]byte
	binary.BigEndian.PutUint64(seed[:], w.k.Seed())
	var err error
	cfg.Suite, err = suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, sha256.Sum256(seed[:]), label)
	return cfg, err
}

// keyForm returns how an adapter's key material is written in stanzas, which have
// fields for that of Signal alone.
func keyForm(a protocols.Adapter) dma.KeyForm {
	if strings.HasPrefix(a.Name(), "signal-") {
		return dma.SignalKeys
	}
	return dma.OpaqueKeys
}

func (w *world) newDevice(u *user, g *gatekeeper, addr ident.Address) error {
	cfg, err := w.clientConfig(addr, 0)
	if err != nil {
		return err
	}
	client, err := w.adapter.New(cfg)
	if err != nil {
		return err
	}
	name := u.name
	if u.partner != nil {
		name += "@" + g.name
	}
	d := &device{
		label: name, user: u, gk: g, addr: addr,
		rand: *des.NewStream(w.k.Seed(), "device/"+name), store: newStore(w.sc.Faults.Crashes.Device),
	}
	if d.machine, err = dma.NewDevice(w.deviceConfig(d, client)); err != nil {
		return err
	}
	class := scenario.DeviceGatekeeper
	if d.proxied() {
		class = scenario.DeviceProxy
		d.beyond = &legs{
			out: w.newLink(scenario.ProxyGatekeeper, name+"/proxy/up"),
			in:  w.newLink(scenario.ProxyGatekeeper, name+"/proxy/down"),
		}
	}
	d.out, d.in = w.newLink(class, name+"/up"), w.newLink(class, name+"/down")
	u.devices = append(u.devices, d)
	g.devices = append(g.devices, d)
	w.devices = append(w.devices, d)
	return nil
}

// deviceConfig returns what the machine of a device needs, whether it is its first or
// one that is restored.
func (w *world) deviceConfig(d *device, client protocols.Client) dma.DeviceConfig {
	return dma.DeviceConfig{
		Address: d.addr, Client: client, Keys: keyForm(w.adapter), Rand: &d.rand,
		Batch: w.sc.Devices.Prekeys.Batch, RotateEvery: time.Duration(w.sc.Devices.Prekeys.SignedRotation),
		Window: d.gk.cfg.Mailbox.Window, ResendAfter: time.Duration(w.sc.Devices.ResendAfter),
		Volatile: w.sc.Faults.Crashes.Device.Every.IsZero(), Room: &w.room,
	}
}

// introduce draws who knows whom: each partner user knows some native users of
// each gatekeeper that the provider has an agreement with.
func (w *world) introduce() {
	c := w.sc.Workload.Contacts
	for _, g := range w.gatekeepers {
		popular := workload.NewSampler(workload.Weights(c.Popularity, len(g.natives)))
		for _, p := range w.partners {
			if g.toPush[p.integrator] == nil {
				continue
			}
			r := w.k.Stream("contacts/" + g.name + "/" + p.name)
			for _, u := range p.users {
				for _, i := range popular.DrawDistinct(r, c.NativePerPartnerUser) {
					w.acquaint(u, g, g.natives[i])
				}
			}
		}
	}
}

// acquaint makes a partner's user and a native user each other's contact.
func (w *world) acquaint(u *user, g *gatekeeper, native *user) {
	g.pairs++
	there := native.devices[0]
	i := slices.IndexFunc(u.devices, func(d *device) bool { return d.gk == g })
	if i < 0 {
		return // a partner's user outside of the EEA: they know each other, and that is all
	}
	here := u.devices[i]
	u.contacts = append(u.contacts, here.addContact(there))
	native.contacts = append(native.contacts, there.addContact(here))
}

func (d *device) addContact(to *device) *contact {
	c := &contact{from: d, to: to}
	i, _ := d.findPeer(to.addr)
	d.peers = slices.Insert(d.peers, i, c)
	return c
}

// peer returns the contact with the given address, or nil.
func (d *device) peer(addr ident.Address) *contact {
	if i, ok := d.findPeer(addr); ok {
		return d.peers[i]
	}
	return nil
}

func (d *device) findPeer(addr ident.Address) (int, bool) {
	return slices.BinarySearchFunc(d.peers, addr, func(c *contact, addr ident.Address) int {
		return cmp.Or(
			strings.Compare(c.to.addr.User, addr.User),
			strings.Compare(string(c.to.addr.Server), string(addr.Server)),
			cmp.Compare(c.to.addr.Integrator, addr.Integrator),
			cmp.Compare(c.to.addr.Device, addr.Device),
		)
	})
}

// setRates spreads the messages over the users by their activity.
func (w *world) setRates() {
	weights := workload.Weights(w.sc.Workload.Activity, len(w.users))
	w.k.Stream("activity").Shuffle(len(weights), func(i, j int) { weights[i], weights[j] = weights[j], weights[i] })
	for i, u := range w.users {
		u.rate = weights[i] * w.sc.Workload.MessagesPerUserPerDay / (24 * 3600)
	}
}

// schedule schedules the first of everything that happens by itself.
func (w *world) schedule() {
	for _, u := range w.users {
		if len(u.devices) == 0 {
			continue
		}
		u.state = w.presence.First(&u.presence)
		for _, d := range u.devices {
			d.online = u.state.Up
		}
		w.nextPresence(u)
		if u.state.Up {
			for _, d := range u.devices {
				// Not all at once: a real population's connections are old.
				d.timer = w.k.After(des.Time(float64(des.Second)*u.rand.Float64()), w, des.Event{Kind: evConnect, Ref: d})
			}
		}
		if u.rate > 0 && len(u.contacts) > 0 {
			w.nextWrite(u)
		}
		if u.partner != nil {
			w.schedulePings(u)
		}
	}
	w.scheduleOutages()
}

// schedulePings has a partner's user ask each contact at some time in the warm-up,
// or in the first half of a run without one, where a gatekeeper allows it.
func (w *world) schedulePings(u *user) {
	span := w.from
	if span == 0 {
		span = w.end / 2
	}
	for _, c := range u.contacts {
		at := des.Time(float64(span) * u.rand.Float64())
		if c.from.gk.cfg.Reachability.Default == scenario.PingThenConsent {
			w.k.Schedule(at, 0, w, des.Event{Kind: evPing, Ref: c})
		}
	}
}

// newSecret returns six letters that stand in every plaintext of a run. A
// ciphertext contains them by chance once in 2^48 bytes.
func newSecret(r *des.Rand) []byte {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 6)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return b
}

// route is the way from a partner's devices to the gatekeepers.
func (p *partner) route() string { return string(p.cfg.Route) }
