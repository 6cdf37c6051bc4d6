package gateway

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// Gateway is the machine. It is not for concurrent use.
type Gateway struct {
	cfg       Config
	limits    Limits
	lines     []*line
	users     map[ident.Address]*user
	byClient  map[ident.URI]*user
	names     map[string]*user
	strangers map[ident.Address]int64 // when each was told the terms, in ms since 1970
	jobs      map[uint64]*job
	nextJob   uint64
	behind    map[*user]bool // of whom deliveries were left to come again

	now  time.Time // of the Step
	out  Output
	todo []func() // what events of the Step lead to
}

// line is an account at the gatekeeper.
type line struct {
	no     int
	device *dma.Device
	wakeAt time.Time
}

// New returns the machine of a gateway without users.
func New(cfg Config) (*Gateway, error) { return Restore(cfg, nil) }

// newGateway returns a gateway without lines.
func newGateway(cfg Config) (*Gateway, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Batch == 0 {
		cfg.Batch = DefaultBatch
	}
	return &Gateway{
		cfg: cfg, limits: cfg.Limits.orDefault(), users: make(map[ident.Address]*user), byClient: make(map[ident.URI]*user),
		names: make(map[string]*user), strangers: make(map[ident.Address]int64), jobs: make(map[uint64]*job), behind: make(map[*user]bool),
	}, nil
}

// addLine adds a line with the records that an earlier one has left, or a new one.
func (g *Gateway) addLine(no int, records []protocols.Record) error {
	addr := g.cfg.Lines[no]
	pc := protocols.Config{Address: protocols.Address(addr.String()), Suite: g.cfg.Suite}
	e2e := dma.ClientRecords(records)
	var client protocols.Client
	var err error
	if len(e2e) == 0 {
		client, err = g.cfg.Adapter.New(pc)
	} else {
		client, err = g.cfg.Adapter.Restore(pc, e2e)
	}
	if err != nil {
		return fmt.Errorf("gateway: line %d: %w", no, err)
	}
	device, err := dma.RestoreDevice(dma.DeviceConfig{
		Address: addr, Client: client, Keys: g.cfg.Keys, Rand: g.cfg.Suite.Rand(), Batch: g.cfg.Batch,
		RotateEvery: g.cfg.RotateEvery, Window: g.cfg.Window, ResendAfter: g.cfg.ResendAfter,
	}, records)
	if err != nil {
		return fmt.Errorf("gateway: line %d: %w", no, err)
	}
	g.lines = append(g.lines, &line{no: no, device: device})
	return nil
}

// Clients returns the clients that the gateway has at the MIMI provider, sorted.
func (g *Gateway) Clients() (list []ident.URI) {
	for _, u := range g.sortedUsers() {
		if u.State == on || u.State == leaving {
			list = append(list, u.client)
		}
	}
	return list
}

// Room returns what the member of a client knows of a room.
func (g *Gateway) Room(client, room ident.URI) (member.Room, bool) {
	if u := g.byClient[client]; u != nil && u.member != nil {
		return u.member.Room(room)
	}
	return member.Room{}, false
}

// sortedUsers returns the users in the order of their addresses.
func (g *Gateway) sortedUsers() []*user {
	list := make([]*user, 0, len(g.users))
	for _, u := range g.users {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b *user) int { return strings.Compare(a.key, b.key) })
	return list
}

// Step takes one input. On an error nothing has changed.
func (g *Gateway) Step(now time.Time, in Input) (Output, error) {
	g.now, g.out, g.todo = now, Output{}, nil
	if err := check(in); err != nil {
		return Output{}, err
	}
	if err := g.step(in); err != nil {
		g.out = Output{}
		return Output{}, err
	}
	for len(g.todo) > 0 {
		next := g.todo[0]
		g.todo = g.todo[1:]
		next()
	}
	g.catchUp()
	g.out.WakeAt = g.wakeAt()
	out := g.out
	g.out = Output{}
	return out, nil
}

// step takes the input in. It may refuse it only before anything has changed; what
// follows from it is put on todo, and cannot.
func (g *Gateway) step(in Input) error {
	switch in := in.(type) {
	case Chat:
		if in.Line < 0 || in.Line >= len(g.lines) {
			return fmt.Errorf("gateway: line %d, want 0 to %d", in.Line, len(g.lines)-1)
		}
		_, err := g.stepLine(g.lines[in.Line], in.In)
		return err
	case Provider:
		return g.provider(in)
	case AccountDone:
		return g.accountDone(in)
	case Transferred:
		return g.transferred(in)
	case Resume:
		g.resume()
		return nil
	case Wake:
		g.wake()
		return nil
	}
	return fmt.Errorf("gateway: input of type %T", in)
}

// stepLine steps a line's device. What it tells is taken up later in the Step.
func (g *Gateway) stepLine(l *line, in dma.Input) (id string, err error) {
	out, err := l.device.Step(g.now, in)
	if err != nil {
		return "", err
	}
	for _, r := range out.Persist {
		g.put(lineKey(l.no, r.Key), r.Value)
	}
	for _, s := range out.Sends {
		g.out.Frames = append(g.out.Frames, Frame{l.no, s})
	}
	l.wakeAt = out.WakeAt
	for _, e := range out.Events {
		g.todo = append(g.todo, func() { g.fromSignal(l, e) })
	}
	return out.ID, nil
}

// stepMember steps a user's member. What it tells is taken up later in the Step.
func (g *Gateway) stepMember(u *user, in member.Input) (id uint64, err error) {
	out, err := u.member.Step(g.now, in)
	if err != nil {
		return 0, err
	}
	for _, r := range out.Persist {
		if r.Value == nil {
			delete(u.records, r.Key)
		} else {
			u.records[r.Key] = true
		}
		g.put(memberKey(u, r.Key), r.Value)
	}
	for _, p := range out.Publish {
		g.out.Provider = append(g.out.Provider, p)
	}
	for _, c := range out.Calls {
		g.out.Provider = append(g.out.Provider, c)
	}
	for _, a := range out.Acks {
		g.out.Provider = append(g.out.Provider, a)
	}
	for _, x := range out.Leaves {
		g.out.Provider = append(g.out.Provider, x)
	}
	u.wakeAt = out.WakeAt
	for _, e := range out.Events {
		g.todo = append(g.todo, func() { g.fromMember(u, e) })
	}
	return out.ID, nil
}

// provider takes what the provider has for a client.
func (g *Gateway) provider(in Provider) error {
	u := g.byClient[in.Client]
	if u == nil {
		return fmt.Errorf("gateway: %T for %v, which is no client of a user", in.In, in.Client)
	}
	if u.member == nil {
		return nil // it has ended, and what was under way comes too late
	}
	if d, ok := in.In.(member.Delivered); ok && g.skip(u, d) {
		return nil
	}
	_, err := g.stepMember(u, in.In)
	return err
}

// skip reports whether a delivery is left to come again, because too much waits for
// its user already: the provider keeps what is not acknowledged. What follows it has to
// come again as well, in the room's order.
func (g *Gateway) skip(u *user, d member.Delivered) bool {
	first, skipped := u.skipped[d.Room]
	if g.behind[u] || g.full(u) {
		g.behind[u] = true
		if !skipped || d.Seq < first {
			u.skipped[d.Room] = d.Seq
		}
		return true
	}
	if skipped && d.Seq == first {
		delete(u.skipped, d.Room)
	}
	return skipped && d.Seq > first
}

// full reports whether as much waits for a user as may.
func (g *Gateway) full(u *user) bool {
	for _, t := range u.threads {
		if len(t.Queue) >= g.limits.Queue {
			return true
		}
	}
	return false
}

// catchUp asks again for what was left to come again, once there is room for it.
func (g *Gateway) catchUp() {
	if len(g.behind) == 0 {
		return
	}
	for _, u := range g.sortedUsers() {
		if !g.behind[u] || g.full(u) {
			continue
		}
		delete(g.behind, u)
		if u.member != nil {
			g.out.Provider = append(g.out.Provider, follower.Connect{Client: u.client})
		}
	}
}

// resume asks again for what had no answer.
func (g *Gateway) resume() {
	for _, u := range g.sortedUsers() {
		switch u.State {
		case opening:
			g.openAccount(u)
		case on, leaving:
			g.out.Provider = append(g.out.Provider, follower.Connect{Client: u.client})
			g.must(g.stepMember(u, member.Resume{}))
			g.settleLeaving(u)
		case closing:
			g.out.Accounts = append(g.out.Accounts, Account{User: u.uri, Client: u.client, Remove: true})
		}
	}
	for _, id := range sortedKeys(g.jobs) {
		g.out.Transfers = append(g.out.Transfers, g.jobs[id].transfer())
	}
	g.wake()
}

// wake does what is due.
func (g *Gateway) wake() {
	for _, l := range g.lines {
		if due(l.wakeAt, g.now) {
			g.must(g.stepLine(l, dma.Wake{}))
		}
	}
	for _, u := range g.sortedUsers() {
		if u.member != nil && due(u.wakeAt, g.now) {
			g.must(g.stepMember(u, member.Wake{}))
		}
		for _, no := range sortedKeys(u.threads) {
			if t := u.threads[no]; t.WarnAt != 0 && t.WarnAt <= g.now.UnixMilli() {
				g.todo = append(g.todo, func() { g.warn(t) })
			}
		}
	}
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// must demands that a machine takes an input that it never refuses.
func (g *Gateway) must(_ any, err error) {
	if err != nil {
		panic("gateway: invariant broken, a wake is taken: " + err.Error())
	}
}

// wakeAt returns when the next thing is due.
func (g *Gateway) wakeAt() (at time.Time) {
	earliest := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for _, l := range g.lines {
		earliest(l.wakeAt)
	}
	for _, u := range g.users {
		if u.member != nil {
			earliest(u.wakeAt)
		}
		for _, t := range u.threads {
			if t.WarnAt != 0 {
				earliest(time.UnixMilli(t.WarnAt).UTC())
			}
		}
	}
	return at
}

func (g *Gateway) event(e Event) { g.out.Events = append(g.out.Events, e) }

// trouble tells the operator that something is not as it should be.
func (g *Gateway) trouble(u *user, room ident.URI, what string, why any) {
	e := Trouble{Room: room, What: what, Why: fmt.Sprint(why)}
	if u != nil {
		e.User = u.uri
	}
	g.event(e)
}

// lost counts what a translation of a message could not carry over.
func (g *Gateway) lost(t *thread, d Direction, id string, list ...Loss) {
	for _, l := range list {
		g.event(Lost{User: t.user.uri, Room: t.Room, Direction: d, ID: id, Loss: l})
	}
}
