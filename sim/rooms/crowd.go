package rooms

import (
	"context"
	"fmt"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Crowd is a large room: it is filled, and then users are added and removed and members
// renew their keys, at random. All checks of a [Trial] are on; faults are not.
type Crowd struct {
	Seed uint64
	// Members is how many clients the room is filled with, Providers how many providers
	// their users are at, Devices how many clients each user has.
	Members, Providers, Devices int
	// Commits is how many there are when the room is full, a message after each fourth.
	Commits int
	// Progress is told of how many Commits of how many in all there have been, at any
	// time of the run; nil is told nothing.
	Progress func(done, of int)
}

// crowd is a Crowd on its way.
type crowd struct {
	Crowd
	ctx context.Context
	run
	in, out []*Device // the first devices of users, who are in the room and who are not
	done    int
	of      int
}

// Run fills the room and carries the Commits out, unless ctx ends before.
func (c Crowd) Run(ctx context.Context) (*Result, error) {
	if c.Members < 2 || c.Providers < 1 || c.Devices < 1 || c.Commits < 0 {
		return nil, fmt.Errorf("rooms: a crowd of %d members at %d providers with %d devices each and %d commits", c.Members, c.Providers, c.Devices, c.Commits)
	}
	r := &crowd{Crowd: c, ctx: ctx}
	r.run.Trial = Trial{Seed: c.Seed}
	if err := r.fill(); err != nil {
		return nil, fmt.Errorf("rooms: seed %d: %w", c.Seed, err)
	}
	rnd := r.draw("crowd")
	for i := range c.Commits {
		if err := r.turn(rnd, i%4 == 0); err != nil {
			return nil, fmt.Errorf("rooms: seed %d: %w", c.Seed, err)
		}
	}
	r.j.end()
	return r.result(), nil
}

// fill makes the room. One who is in adds a user with all devices at a time.
func (c *crowd) fill() error {
	w, err := New(Config{Seed: c.Crowd.Seed, Large: true})
	if err != nil {
		return err
	}
	c.w = w
	for i := range c.Providers {
		if _, err := w.AddProvider(domain(i)); err != nil {
			return err
		}
	}
	c.uri = uri(ident.KindRoom, domain(0), "room")
	s, err := w.suite("truth")
	if err != nil {
		return err
	}
	c.j = newJudge(w, c.uri, &mls.Config{Suite: s})
	c.policy, _ = room.PolicyByName("cooperative")
	users := (c.Members + c.Devices - 1) / c.Devices
	c.of = users - 1 + c.Commits
	for i := range users + c.Commits/3 + 1 {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		first, err := c.user(i)
		if err != nil {
			return err
		}
		c.out = append(c.out, first)
	}
	p := w.providers[domain(0)]
	founder := c.out[0]
	c.out, c.in = c.out[1:], []*Device{founder}
	if _, err := w.Do(founder, member.CreateRoom{
		Room: c.uri, Policy: c.policy.Name, Role: c.policy.Role("group_admin"), Metadata: room.RoomMetaData{Name: "crowd"},
		Hub: p.ExternalSender(), FrankingAgent: p.FrankingAgent(),
	}); err != nil {
		return err
	}
	if err := w.Settle(Patience); err != nil {
		return err
	}
	for range users - 1 {
		if err := c.add(founder); err != nil {
			return err
		}
	}
	return nil
}

func domain(i int) string { return fmt.Sprintf("p%d.example", i+1) }

// user makes a user with all devices, and returns the first of these. The founder of the
// room has one alone.
func (c *crowd) user(i int) (first *Device, err error) {
	n := c.Devices
	if i == 0 {
		n = 1
	}
	for k := range n {
		d, err := c.w.addDevice(domain(i%c.Providers), fmt.Sprintf("u%04d", i+1), fmt.Sprintf("D%d", k+1), member.PublishKeyPackages{N: 2})
		if err != nil {
			return nil, err
		}
		c.run.devices = append(c.run.devices, d)
		if k == 0 {
			first = d
		}
	}
	return first, c.w.Settle(Patience)
}

// add has somebody add the user who has waited longest.
func (c *crowd) add(by *Device) error {
	d := c.out[0]
	c.out, c.in = c.out[1:], append(c.in, d)
	return c.commit(by, member.AddUser{Room: c.uri, User: d.User, Role: c.policy.Role("ordinary_user")})
}

// commit has a device do something that takes one Commit, and waits for all to follow.
func (c *crowd) commit(by *Device, in member.Input) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if _, err := c.w.Do(by, in); err != nil {
		return err
	}
	if c.done++; c.Progress != nil {
		c.Progress(c.done, c.of)
	}
	return c.w.Settle(Patience)
}

// turn is one Commit of a full room, and now and then a message. The founder stays.
func (c *crowd) turn(rnd *des.Rand, message bool) error {
	by := c.in[rnd.IntN(len(c.in))]
	var err error
	switch n := rnd.IntN(3); {
	case n == 0 && len(c.out) > 0:
		err = c.add(by)
	case n == 1 && len(c.in) > 2:
		i := 1 + rnd.IntN(len(c.in)-1)
		d := c.in[i]
		if d == by {
			by = c.in[0]
		}
		c.in = append(c.in[:i], c.in[i+1:]...)
		err = c.commit(by, member.RemoveUser{Room: c.uri, User: d.User})
	default:
		err = c.commit(by, member.CommitPending{Room: c.uri})
	}
	if err != nil || !message {
		return err
	}
	c.texts++
	text := fmt.Sprintf("message %d, %s", c.texts, marker)
	if _, err := c.w.Do(c.in[rnd.IntN(len(c.in))], member.Send{Room: c.uri, Message: &content.Message{Body: content.Text(text)}}); err != nil {
		return err
	}
	return c.w.Settle(Patience)
}
