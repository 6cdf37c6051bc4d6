package own

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// device is a client of a provider in this process, which lives in memory: a
// member.Member on a serve.Client. It consents to whatever is asked, as long as there is
// a member; what it is sent it takes, and says nothing by itself.
type device struct {
	c      *serve.Client
	ctx    context.Context
	refuse bool

	mu      sync.Mutex // guards what follows
	m       *member.Member
	created chan error
	wake    *time.Timer
}

// errRoom: the hub did not take the room over.
var errRoom = errors.New("own: the room was not made")

// newDevice adds a client and lets it take what comes.
func newDevice(ctx context.Context, p *serve.Provider, uri ident.URI) (*device, error) {
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		return nil, err
	}
	id, err := mls.NewIdentity(s, []byte(uri.String()))
	if err != nil {
		return nil, err
	}
	if err := p.AddClient(ctx, uri); err != nil {
		return nil, err
	}
	d := &device{refuse: uri.Segments()[0] == refusing, ctx: context.WithoutCancel(ctx), created: make(chan error, 1)}
	if d.m, err = member.New(member.Config{Client: uri, Identity: id, Groups: &mls.Config{Suite: s}}); err != nil {
		return nil, err
	}
	if d.c, err = p.Client(ctx, uri); err != nil {
		return nil, err
	}
	d.wake = time.AfterFunc(time.Hour, func() { d.step(member.Wake{}) })
	d.wake.Stop()
	d.step(member.PublishKeyPackages{N: 20, LastResort: true})
	go d.receive()
	return d, nil
}

// receive takes what comes, until the provider stops.
func (d *device) receive() {
	for {
		in, err := d.c.Receive(d.ctx)
		if err != nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.wake.Stop()
			return
		}
		d.step(member.Delivered{Room: in.Room, Seq: in.Seq, About: in.About, Body: in.Body})
	}
}

// step steps the member and does what it says. What the provider is asked goes on beside
// it, as the device may be told more meanwhile.
func (d *device) step(in member.Input) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out, err := d.m.Step(time.Now(), in)
	if err != nil {
		return // it stays as it was
	}
	if out.WakeAt.IsZero() {
		d.wake.Stop()
	} else {
		d.wake.Reset(time.Until(out.WakeAt))
	}
	// The slices are the machine's until its next step.
	publish, calls, creations := slices.Clone(out.Publish), slices.Clone(out.Calls), slices.Clone(out.Creations)
	acks, leaves, events := slices.Clone(out.Acks), slices.Clone(out.Leaves), slices.Clone(out.Events)
	for _, p := range publish {
		_ = d.c.Publish(d.ctx, p.KeyPackages)
	}
	for _, a := range acks {
		_ = d.c.Ack(d.ctx, a.Room, a.Seq)
	}
	for _, l := range leaves {
		_ = d.c.Leave(d.ctx, l.Room, l.Seq)
	}
	for _, c := range creations {
		go func() {
			d.step(member.RoomCreated{Room: c.Room, Err: d.c.CreateRoom(d.ctx, c.Room, c.GroupInfo, c.RatchetTree)})
		}()
	}
	for _, c := range calls {
		go d.call(c)
	}
	for _, e := range events {
		d.heed(e)
	}
}

func (d *device) call(c follower.Call) {
	body, err := d.c.Call(d.ctx, c)
	d.step(member.Replied{ID: c.ID, Body: body, Err: err})
}

// heed reacts to an event. The caller holds the lock.
func (d *device) heed(e member.Event) {
	switch e := e.(type) {
	case member.Joined:
		d.made(nil)
	case member.Failed:
		d.made(e.Why)
	case member.ConsentChanged:
		user, ok := e.Entry.RequesterURI.Is(ident.KindUser)
		if !ok || d.refuse || e.Entry.ConsentOperation != mimi.ConsentRequest {
			return
		}
		in := member.Consent{Operation: mimi.ConsentGrant, User: user}
		if e.Entry.RoomID != nil {
			if in.Room, ok = e.Entry.RoomID.Is(ident.KindRoom); !ok {
				return
			}
		}
		go d.step(in)
	}
}

func (d *device) made(err error) {
	select {
	case d.created <- err:
	default:
	}
}

// create makes a room and waits until the hub has it.
func (d *device) create(ctx context.Context, in member.CreateRoom) error {
	d.step(in)
	select {
	case err := <-d.created:
		return err
	case <-time.After(10 * time.Second):
		return errRoom
	case <-ctx.Done():
		return ctx.Err()
	}
}
