package rooms

import (
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

// Trial is one room whose users do what they like while links are cut and lose, and
// providers and devices stop and start again. Everything follows from it.
type Trial struct {
	Seed uint64
	// Members bounds the devices, Providers the providers: both are drawn for each seed.
	Members, Providers int
	// Steps is how often somebody wants something.
	Steps int
	// Calm leaves out all faults; NoCrashes, NoCuts and NoLoss some of them.
	Calm, NoCrashes, NoCuts, NoLoss bool
	// Without are the steps that are left out, to find those that matter, from 0.
	Without []int
	// Plant is the name of one of [Plants], or empty.
	Plant string
}

// Defaults of a [Trial].
const (
	DefaultMembers   = 40
	DefaultProviders = 20
	DefaultSteps     = 40
)

// Result is what came of a [Trial].
type Result struct {
	Seed       uint64      `json:"seed"`
	Providers  int         `json:"providers"`
	Devices    int         `json:"devices"`
	Members    int         `json:"members"` // in the group at the end
	Epoch      uint64      `json:"epoch"`
	Wishes     int         `json:"wishes"` // intentions that devices had
	Failed     int         `json:"failed"` // those that failed
	Took       des.Time    `json:"virtual_ns"`
	Counts     Counts      `json:"counts"`
	Violated   int         `json:"violated"` // violations, of which some are kept
	Violations []Violation `json:"violations,omitempty"`
}

// run is a trial under way.
type run struct {
	Trial
	w       *World
	j       *judge
	uri     ident.URI
	policy  room.Policy
	users   []ident.URI
	devices []*Device
	texts   int
	consent bool
}

// Run carries a trial out. An error says that the world itself has failed, which is a
// defect as well: a machine has refused what it must take.
func (t Trial) Run() (*Result, error) {
	r := &run{Trial: t}
	if err := r.build(); err != nil {
		return nil, fmt.Errorf("rooms: seed %d: %w", t.Seed, err)
	}
	err := r.act()
	if err == nil {
		err = r.rest()
	}
	if err != nil {
		// A machine has refused what it must take.
		r.j.report(CheckAccepted, "world", "%v", err)
	} else {
		r.j.end()
	}
	return r.result(), nil
}

// draw returns a stream for one purpose.
func (r *run) draw(name string) *des.Rand { return des.NewStream(r.Seed, "trial/"+name) }

// build makes the providers, the devices and the room.
func (r *run) build() error {
	rnd := r.draw("world")
	r.consent = rnd.Bool(0.2)
	cfg := Config{Seed: r.Seed, NeedConsent: r.consent}
	if rnd.Bool(0.5) {
		cfg.CommitDelay = func(leaf uint32) time.Duration { return time.Duration(leaf%8+1) * 700 * time.Millisecond }
	}
	var err error
	if r.w, err = New(cfg); err != nil {
		return err
	}
	if r.Plant != "" {
		all := Plants()
		i := slices.IndexFunc(all, func(p Plant) bool { return p.Name == r.Plant })
		if i < 0 {
			return fmt.Errorf("no bug %q to plant", r.Plant)
		}
		all[i].plant(r.w)
	}
	providers := 1 + rnd.IntN(max(r.Providers, 1))
	devices := 2 + rnd.IntN(max(r.Members-1, 1))
	names := Policies()
	r.policy, _ = room.PolicyByName(names[rnd.IntN(len(names))])
	for i := range providers {
		if _, err := r.w.AddProvider(fmt.Sprintf("p%d.example", i+1)); err != nil {
			return err
		}
	}
	r.uri = uri(ident.KindRoom, "p1.example", "room")
	s, err := r.w.suite("truth")
	if err != nil {
		return err
	}
	r.j = newJudge(r.w, r.uri, &mls.Config{Suite: s})
	for i := 0; len(r.devices) < devices; i++ {
		domain := fmt.Sprintf("p%d.example", 1+rnd.IntN(providers))
		if i == 0 {
			domain = "p1.example"
		}
		user := fmt.Sprintf("u%02d", i+1)
		for k := range min(1+rnd.IntN(3), devices-len(r.devices)) {
			keys := member.PublishKeyPackages{N: 3, LastResort: true}
			switch rnd.IntN(4) {
			case 0: // runs out of them
				keys = member.PublishKeyPackages{N: 1}
			case 1: // has none, and joins by itself
				keys = member.PublishKeyPackages{}
			}
			d, err := r.w.addDevice(domain, user, fmt.Sprintf("D%d", k+1), keys)
			if err != nil {
				return err
			}
			r.devices = append(r.devices, d)
			if k == 0 {
				r.users = append(r.users, d.User)
			}
		}
	}
	if err := r.w.Settle(Patience); err != nil {
		return err
	}
	return r.open(rnd)
}

// open makes the room and adds the first users, while nothing goes wrong.
func (r *run) open(rnd *des.Rand) error {
	c := casts[r.policy.Name]
	p := r.w.providers["p1.example"]
	if _, err := r.w.Do(r.devices[0], member.CreateRoom{
		Room: r.uri, Policy: r.policy.Name, Role: r.policy.Role(c.alice), Metadata: room.RoomMetaData{Name: "room"},
		Hub: p.ExternalSender(), FrankingAgent: p.FrankingAgent(),
	}); err != nil {
		return err
	}
	for i, u := range r.users[1:] {
		if i >= 3 && rnd.Bool(0.6) {
			continue
		}
		if _, err := r.w.Do(r.devices[0], member.AddUser{Room: r.uri, User: u, Role: r.role(rnd)}); err != nil {
			return err
		}
	}
	return r.w.Settle(Patience)
}

// role draws a role that a client may have, more often one that may do much.
func (r *run) role(rnd *des.Rand) uint32 {
	c := casts[r.policy.Name]
	if rnd.Bool(0.5) {
		return r.policy.Role(c.alice)
	}
	if rnd.Bool(0.5) {
		return r.policy.Role(c.cathy)
	}
	return uint32(2 + rnd.IntN(3))
}

// faults draws what goes wrong in a trial: of each kind nothing, some or much.
func (r *run) faults() Faults {
	rnd := r.draw("faults")
	level := func(values ...float64) float64 { return values[rnd.IntN(len(values))] }
	loss := level(0, 0.02, 0.15)
	access := &link.Config{Mode: link.Stream, Delay: link.LogNormal{Median: 0.03, Sigma: 0.8}, Bandwidth: 20e6, BreakAfter: des.Second}
	backbone := &link.Config{Mode: link.Datagram, Delay: link.LogNormal{Median: 0.02, Sigma: level(0.3, 1, 2)}, Bandwidth: 1e9}
	f := Faults{
		Access: access, Backbone: backbone,
		Down: link.Exponential(level(1, 5, 20)), Disk: link.Exponential(level(0.001, 0.01, 0.05)),
		Timeout: des.FromSeconds(level(1, 3, 10)), Until: des.Never,
		ProviderCrash: level(0, 0.005, 0.03), DeviceCrash: level(0, 0.005, 0.03),
	}
	cuts := [2]float64{level(0, 40, 10), level(0, 40, 10)}
	if !r.NoLoss {
		access.Loss, backbone.Loss = loss, loss
		backbone.Duplicate = level(0, 0.1, 0.3)
		backbone.Reorder, backbone.ReorderBy = level(0, 0.1), link.Exponential(2)
	}
	if r.NoCrashes {
		f.ProviderCrash, f.DeviceCrash = 0, 0
	}
	for i, at := range []*link.Schedule{&f.AccessCuts, &f.BackboneCuts} {
		if cuts[i] > 0 && !r.NoCuts {
			*at = link.Alternating{Up: link.Exponential(cuts[i]), Down: link.Exponential(4)}
		}
	}
	return f
}

// act has users want something, one step after the other, while faults happen.
func (r *run) act() error {
	f := r.faults()
	length := des.Time(r.Steps) * 2 * des.Second
	f.Until = r.w.Now().Add(length)
	if !r.Calm {
		if err := r.w.Trouble(f); err != nil {
			return err
		}
	}
	for i := range r.Steps {
		rnd := r.draw(fmt.Sprint("step/", i))
		wait := des.FromSeconds(link.Exponential(1).Sample(rnd))
		if err := r.w.Pass(wait); err != nil {
			return err
		}
		if slices.Contains(r.Without, i) {
			continue
		}
		for range 1 + rnd.IntN(2)*rnd.IntN(3) { // sometimes several at once
			r.step(rnd)
		}
		if r.w.err != nil {
			return r.w.err
		}
	}
	return nil
}

// step has a device want something. It may refuse.
func (r *run) step(rnd *des.Rand) {
	d := r.devices[rnd.IntN(len(r.devices))]
	if rnd.Bool(0.8) { // rather one that is in the room
		d = r.inside(d)
	}
	user := r.users[rnd.IntN(len(r.users))]
	var in member.Input
	switch n := rnd.IntN(100); {
	case n < 30:
		r.say(d)
		return
	case n < 45:
		in = member.AddUser{Room: r.uri, User: user, Role: r.role(rnd)}
	case n < 51:
		in = member.RemoveUser{Room: r.uri, User: user}
	case n < 54:
		in = member.Ban{Room: r.uri, User: user}
	case n < 60:
		in = member.ChangeRole{Room: r.uri, User: user, Role: r.role(rnd)}
	case n < 66:
		in = member.SetMetadata{Room: r.uri, Metadata: room.RoomMetaData{Name: fmt.Sprint("name ", n)}}
	case n < 71:
		in = member.Leave{Room: r.uri}
	case n < 82:
		d, in = r.outside(d), member.Join{Room: r.uri}
	case n < 86:
		in = member.PublishKeyPackages{N: 1 + rnd.IntN(2)}
	case n < 89 || r.consent && n < 93:
		in = r.consents(rnd, user)
	case n < 94 && !r.Calm && !r.NoCrashes: // at rest, as it may be
		name := d.Name
		if rnd.Bool(0.5) {
			name = d.provider.Domain
		}
		r.w.Crash(name)
		return
	default:
		r.race(rnd)
		return
	}
	r.do(d, in)
}

// do has a device want something, unless it is down or refuses.
func (r *run) do(d *Device, in member.Input) {
	if !d.down && r.w.err == nil {
		r.w.Do(d, in)
	}
}

// inside returns the first device from one on that is in the room, by what it knows.
func (r *run) inside(d *Device) *Device {
	i := slices.Index(r.devices, d)
	for k := range r.devices {
		o := r.devices[(i+k)%len(r.devices)]
		if x, ok := o.Room(r.uri); ok && x.State != nil && !o.down {
			return o
		}
	}
	return d
}

// outside returns the first device from one on that is not in the room and whose user is
// a participant, by what another device of the room knows.
func (r *run) outside(d *Device) *Device {
	x, ok := r.inside(d).Room(r.uri)
	if !ok || x.State == nil {
		return d
	}
	i := slices.Index(r.devices, d)
	for k := range r.devices {
		o := r.devices[(i+k)%len(r.devices)]
		if _, in := o.Room(r.uri); in || o.down {
			continue
		}
		if _, listed := x.State.Find(o.User.String()); listed {
			return o
		}
	}
	return d
}

// race has several devices commit at the same time.
func (r *run) race(rnd *des.Rand) {
	for range 2 + rnd.IntN(3) {
		r.do(r.inside(r.devices[rnd.IntN(len(r.devices))]), member.CommitPending{Room: r.uri})
	}
}

// consents draws something of consent.
func (r *run) consents(rnd *des.Rand, user ident.URI) member.Input {
	op := []mimi.ConsentOperation{mimi.ConsentRequest, mimi.ConsentGrant, mimi.ConsentGrant, mimi.ConsentRevoke, mimi.ConsentCancel}[rnd.IntN(5)]
	in := member.Consent{Operation: op, User: user}
	if op == mimi.ConsentGrant && rnd.Bool(0.3) {
		in.Room = r.uri
	}
	return in
}

// rest ends the faults and lets all come to rest. What waits for a Commit then is
// committed, so that who has left is out.
func (r *run) rest() error {
	r.w.Heal()
	if err := r.w.Settle(Patience); err != nil {
		return err
	}
	for range 4 {
		for _, d := range r.devices {
			x, ok := d.Room(r.uri)
			if ok && x.State != nil && x.Pending > 0 && x.Status == "inside" {
				r.do(d, member.CommitPending{Room: r.uri})
				break
			}
		}
		if err := r.w.Settle(Patience); err != nil {
			return err
		}
	}
	// A last message shows that the room still works. It also reaches those that have lost
	// the words by which they left, and who say them again.
	for _, d := range r.devices {
		if x, ok := d.Room(r.uri); ok && x.State != nil && x.Status == "inside" && x.State.Can(d.User.String(), room.CanSendMessage) {
			r.j.last = d
			r.say(d)
			break
		}
	}
	return r.w.Settle(Patience)
}

// say has a device send a message.
func (r *run) say(d *Device) {
	r.texts++
	text := fmt.Sprintf("message %d, %s", r.texts, marker)
	r.do(d, member.Send{Room: r.uri, Message: &content.Message{Body: content.Text(text)}})
}

func (r *run) result() *Result {
	res := &Result{
		Seed: r.Seed, Providers: len(r.w.providers), Devices: len(r.devices), Members: len(r.j.truth.members),
		Took: r.w.Now(), Counts: r.w.counts, Violated: r.j.count, Violations: r.j.found,
	}
	if r.j.truth.group != nil {
		res.Epoch = r.j.truth.group.Epoch()
	}
	for _, list := range r.j.truth.wishes {
		for _, v := range list {
			res.Wishes++
			if _, failed := v.outcome.(member.Failed); failed {
				res.Failed++
			}
		}
	}
	return res
}
