package dma

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// network joins one gatekeeper and its devices by perfect links and memory
// stores, so that a test says only what is special about it.
type network struct {
	t       tb
	now     time.Time
	gk      *Gatekeeper
	gkCfg   GatekeeperConfig
	store   map[string][]byte
	devices map[string]*node
	events  []string
	frames  []func()
	pushes  []Push
	conns   ConnID
	clients uint64 // end-to-end clients made so far
	// set, if not nil, changes what devices are made with, and stepped is called when the
	// gatekeeper has taken an input.
	set     func(*DeviceConfig)
	stepped func(Output)
}

// tb is a test, or a run of one that tries many.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

type node struct {
	name  string
	cfg   DeviceConfig
	dev   *Device
	addr  ident.Address
	conn  ConnID
	store map[string][]byte
	got   []string
	// lose drops what the gatekeeper sends to the device, loseUp what it sends.
	lose, loseUp bool
	media        *stanza.MediaConn // that it was told last
	mediaRefused string            // why it was not
}

var epoch = time.Date(2024, 3, 7, 0, 0, 0, 0, time.UTC)

func newNetwork(t *testing.T, cfg GatekeeperConfig) *network {
	t.Helper()
	if cfg.Native == "" {
		cfg.Native = ident.User
	}
	gk, err := NewGatekeeper(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return newNetworkOf(t, cfg, gk)
}

func newNetworkOf(t tb, cfg GatekeeperConfig, gk *Gatekeeper) *network {
	t.Helper()
	n := &network{t: t, now: epoch, gk: gk, gkCfg: cfg, store: map[string][]byte{}, devices: map[string]*node{}}
	n.gatekeeper(Agree{Integrator: 1, Active: true})
	return n
}

// testSuite gives a client its randomness; the sized adapter asks for nothing
// else.
type testSuite struct {
	suite.Suite
	r io.Reader
}

func (s testSuite) Rand() io.Reader { return s.r }

// counter is a source of bytes that a test can do without randomness on.
type counter struct{ n uint64 }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		if i%8 == 0 {
			c.n++
		}
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], c.n*0x9E3779B97F4A7C15)
		p[i] = b[i%8]
	}
	return len(p), nil
}

func (n *network) native(name, phone string) *node {
	n.t.Helper()
	return n.device(name, n.gatekeeper(Register{User: phone, Eligible: true}).Account)
}

func (n *network) partner(name string) *node {
	n.t.Helper()
	return n.device(name, n.gatekeeper(Enlist{Integrator: 1, Visible: name}).Account)
}

func (n *network) device(name string, addr ident.Address) *node {
	n.t.Helper()
	d := &node{name: name, addr: addr, store: map[string][]byte{}}
	d.cfg = DeviceConfig{Address: addr, Rand: &counter{uint64(len(n.devices)) << 32}, Batch: 5}
	if n.set != nil {
		n.set(&d.cfg)
	}
	client, err := sized.Adapter{}.New(n.clientConfig(d))
	if err != nil {
		n.t.Fatal(err)
	}
	d.cfg.Client = client
	if d.dev, err = NewDevice(d.cfg); err != nil {
		n.t.Fatal(err)
	}
	n.devices[name] = d
	return d
}

func (n *network) clientConfig(d *node) protocols.Config {
	n.clients++ // for no two to have the same randomness, also if they are restored
	return protocols.Config{Address: protocols.Address(d.addr.String()), Suite: testSuite{r: &counter{n.clients << 32}}}
}

func (n *network) connect(d *node) {
	n.t.Helper()
	n.disconnect(d)
	n.conns++
	d.conn = n.conns
	n.gatekeeper(Connect{Conn: d.conn, Account: d.addr})
	n.step(d, Connect{Conn: d.conn})
	n.run()
}

func (n *network) disconnect(d *node) {
	if d.conn == 0 {
		return
	}
	n.gatekeeper(Disconnect{Conn: d.conn})
	n.step(d, Disconnect{Conn: d.conn})
	d.conn = 0
	n.run()
}

// step feeds a device and queues what it sends.
func (n *network) step(d *node, in Input) Output {
	n.t.Helper()
	out, err := d.dev.Step(n.now, in)
	if err != nil {
		n.t.Fatalf("%s: %T: %v", d.name, in, err)
	}
	write(d.store, out.Persist)
	for _, s := range out.Sends {
		if !d.loseUp {
			n.frames = append(n.frames, func() {
				if d.conn == s.Conn {
					n.gatekeeper(Frame{Conn: s.Conn, Data: s.Frame})
				}
			})
		}
	}
	for _, e := range out.Events {
		n.events = append(n.events, fmt.Sprintf("%s: %s", d.name, describe(e)))
		if e.Kind == MessageDelivered {
			d.got = append(d.got, e.Content.Text)
		}
		d.media = cmp.Or(e.Media, d.media)
		if e.Kind == MediaRefused {
			d.mediaRefused = e.Reason
		}
	}
	return out
}

// gatekeeper feeds the gatekeeper and queues what it sends.
func (n *network) gatekeeper(in Input) Output {
	n.t.Helper()
	out, err := n.gk.Step(n.now, in)
	if err != nil {
		n.t.Fatalf("gatekeeper: %T: %v", in, err)
	}
	write(n.store, out.Persist)
	if n.stepped != nil {
		n.stepped(out)
	}
	n.pushes = append(n.pushes, out.Pushes...)
	for _, s := range out.Sends {
		for _, d := range n.devices {
			if d.conn == s.Conn && !d.lose {
				n.frames = append(n.frames, func() {
					if d.conn == s.Conn && s.Frame != nil {
						n.step(d, Frame{Conn: s.Conn, Data: s.Frame})
					}
					if d.conn == s.Conn && s.Close {
						d.conn = 0
						n.step(d, Disconnect{Conn: s.Conn})
					}
				})
			}
		}
	}
	return out
}

// run delivers frames until none is under way.
func (n *network) run() {
	n.t.Helper()
	for i := 0; len(n.frames) > 0; i++ {
		if i > 10000 {
			n.t.Fatal("frames never end")
		}
		f := n.frames[0]
		n.frames = n.frames[1:]
		f()
	}
}

func (n *network) allow(d *node) {
	n.t.Helper()
	n.step(d, AllowApp{Integrator: 1, Allow: true})
	n.run()
}

func (n *network) send(from, to *node, text string) string {
	n.t.Helper()
	id := n.step(from, Compose{To: to.addr, Content: Content{Kind: Text, Text: text}}).ID
	n.run()
	return id
}

// crash restarts a device from its records.
func (n *network) crash(d *node) {
	n.t.Helper()
	if d.conn != 0 {
		n.gatekeeper(Disconnect{Conn: d.conn})
		d.conn = 0
	}
	records := list(d.store)
	client, err := sized.Adapter{}.Restore(n.clientConfig(d), ClientRecords(records))
	if err != nil {
		n.t.Fatal(err)
	}
	d.cfg.Client = client
	if d.dev, err = RestoreDevice(d.cfg, records); err != nil {
		n.t.Fatal(err)
	}
}

// crashGatekeeper restarts the gatekeeper from its records.
func (n *network) crashGatekeeper() {
	n.t.Helper()
	n.frames = nil
	for _, d := range n.devices {
		if d.conn != 0 {
			n.step(d, Disconnect{Conn: d.conn})
			d.conn = 0
		}
	}
	var err error
	if n.gk, err = RestoreGatekeeper(n.gkCfg, list(n.store)); err != nil {
		n.t.Fatal(err)
	}
}

func write(store map[string][]byte, records []protocols.Record) {
	for _, r := range records {
		if r.Value == nil {
			delete(store, r.Key)
		} else {
			store[r.Key] = r.Value
		}
	}
}

func list(store map[string][]byte) []protocols.Record {
	var out []protocols.Record
	for _, k := range slices.Sorted(maps.Keys(store)) {
		out = append(out, protocols.Record{Key: k, Value: store[k]})
	}
	return out
}

func describe(e Event) string {
	s := fmt.Sprintf("%v %v", e.Kind, e.Peer)
	if e.Inbox != "" {
		s += " in the " + string(e.Inbox) + " inbox"
	}
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	return s
}
