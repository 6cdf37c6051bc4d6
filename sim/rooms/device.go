package rooms

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Device is a client with its records and what its user was told.
type Device struct {
	Name string // "alice/ClientA1"
	URI  ident.URI
	User ident.URI
	// Events are what its user was told, in that order.
	Events []Event

	provider *Provider
	member   *member.Member
	config   member.Config
	store    store
	calls    map[uint64]call // those that wait for a reply
}

// call is where a device's call stands.
type call struct {
	endpoint mimi.EndpointName
	frame    int
}

// Event is what a device's user is told.
type Event struct {
	At des.Time
	// Frames is how many had been sent by then.
	Frames int
	Event  member.Event
}

// AddDevice gives a user of a provider a client. The user is made if there is none of
// that name. It publishes KeyPackages, which go out with the next step of time.
func (w *World) AddDevice(domain, user, client string) (*Device, error) {
	p, err := w.provider(domain)
	if err != nil {
		return nil, err
	}
	name := user + "/" + client
	if w.devices[name] != nil {
		return nil, fmt.Errorf("rooms: there is a device %s", name)
	}
	s, err := w.suite("device " + name)
	if err != nil {
		return nil, err
	}
	d := &Device{
		Name: name, URI: uri(ident.KindClient, domain, user, client), User: uri(ident.KindUser, domain, user),
		provider: p, store: store{}, calls: make(map[uint64]call),
	}
	id, err := mls.NewIdentity(s, []byte(d.URI.String()))
	if err != nil {
		return nil, err
	}
	d.config = member.Config{Client: d.URI, Identity: id, Groups: &mls.Config{Suite: s}}
	if d.member, err = member.New(d.config); err != nil {
		return nil, err
	}
	for _, in := range []follower.Input{follower.AddUser{User: d.User}, follower.AddClient{Client: d.URI}, follower.Connect{Client: d.URI}} {
		if _, err := w.stepFollower(p, in); err != nil {
			return nil, err
		}
	}
	w.devices[name] = d
	_, err = w.Do(d, member.PublishKeyPackages{N: 4, LastResort: true})
	return d, err
}

// device returns the device of a client.
func (w *World) device(client ident.URI) *Device {
	s := client.Segments()
	d := w.devices[s[0]+"/"+s[1]]
	if d == nil {
		panic("rooms: invariant broken, a provider knows only devices of the world: " + client.String())
	}
	return d
}

// Room returns what a device knows of a room.
func (d *Device) Room(room ident.URI) (member.Room, bool) { return d.member.Room(room) }

// Do tells a device what its user wants. What becomes of it is among its Events, those
// of this intention with the number that Do returns.
func (w *World) Do(d *Device, in member.Input) (id uint64, err error) {
	out, err := d.member.Step(w.Time(), in)
	if err != nil {
		return 0, fmt.Errorf("rooms: %s: %w", d.Name, err)
	}
	d.store.apply(out.Persist)
	for _, e := range out.Events {
		d.Events = append(d.Events, Event{At: w.Now(), Frames: len(w.frames), Event: e})
	}
	for _, in := range out.Publish {
		w.publish(d, in)
	}
	for _, c := range out.Creations {
		w.create(d, c)
	}
	for _, c := range out.Calls {
		w.call(d, c)
	}
	for _, in := range out.Acks {
		w.up(d, Frame{Kind: Ack, Subject: in.Room.String()}, in)
	}
	for _, in := range out.Leaves {
		w.up(d, Frame{Kind: Leave, Subject: in.Room.String()}, in)
	}
	w.wakeAt("device "+d.Name, out.WakeAt, func() { w.stepDevice(d, member.Wake{}) })
	return out.ID, nil
}

// stepDevice is Do for what a machine must not refuse.
func (w *World) stepDevice(d *Device, in member.Input) {
	if _, err := w.Do(d, in); err != nil {
		w.fail(fmt.Errorf("%T: %w", in, err))
	}
}

// up sends a frame to the device's provider, whose follower gets the input. Acks and
// leaves that get lost do no harm: what comes again is known.
func (w *World) up(d *Device, f Frame, in follower.Input) {
	f.From, f.To = d.Name, d.provider.Domain
	w.send(f, func(_ *Frame, forget bool) {
		if forget {
			return
		}
		if _, err := w.stepFollower(d.provider, in); err != nil {
			w.fail(fmt.Errorf("%s: %T: %w", d.Name, in, err))
		}
	}, nil)
}

func (w *World) publish(d *Device, in follower.Publish) {
	f := Frame{Kind: Publish, Struct: "KeyPackage"}
	for i := range in.KeyPackages {
		b, err := wire.Marshal(&in.KeyPackages[i])
		if err != nil {
			w.fail(err)
			return
		}
		f.Body = append(f.Body, b...)
		if i == 0 {
			f.First = len(b)
		}
	}
	w.up(d, f, in)
}

// create has the provider's hub take a room over (Alice Creates a Room).
func (w *World) create(d *Device, c member.Creation) {
	body, err := wire.Marshal(c.GroupInfo)
	if err != nil {
		w.fail(err)
		return
	}
	p := d.provider
	// A broken connection says nothing of what the hub has done: the device asks again
	// for what had no answer.
	lost := func() { w.at(w.Now().Add(des.Second), func() { w.stepDevice(d, member.Resume{}) }) }
	f := Frame{From: d.Name, To: p.Domain, Kind: Creation, Subject: c.Room.String(), Struct: "GroupInfo", First: len(body), Body: append(body, c.RatchetTree...)}
	w.send(f, func(f *Frame, _ bool) {
		_, err := w.stepHub(p, hub.CreateRoom{Room: c.Room, GroupInfo: c.GroupInfo, RatchetTree: c.RatchetTree})
		if err == nil {
			_, err = w.stepFollower(p, follower.Join{Client: d.URI, Room: c.Room})
		}
		r := Frame{From: p.Domain, To: d.Name, Kind: Created, Subject: f.Subject, Answers: f.Number}
		if err != nil {
			r.Reason = err.Error()
		}
		w.send(r, func(*Frame, bool) { w.stepDevice(d, member.RoomCreated{Room: c.Room, Err: err}) }, lost)
	}, lost)
}

// call sends a request that the provider is to make.
func (w *World) call(d *Device, c follower.Call) {
	e, _ := mimi.FindEndpoint(c.Endpoint)
	body, err := wire.Marshal(c.Body)
	if err != nil {
		w.fail(err)
		return
	}
	f := Frame{From: d.Name, To: d.provider.Domain, Kind: Call, Endpoint: c.Endpoint, Subject: c.Room.String(), Struct: e.Request, Body: body}
	n := w.send(f, func(f *Frame, forget bool) {
		if forget {
			return
		}
		in := c
		v, err := e.ParseRequest(f.Body, nil)
		if err == nil {
			in.Body = v.(follower.Body)
			_, err = w.stepFollower(d.provider, in)
		}
		if err != nil {
			w.reply(d.provider, follower.Reply{Client: d.URI, ID: c.ID, Err: err})
		}
	}, func() {
		delete(d.calls, c.ID)
		w.stepDevice(d, member.Replied{ID: c.ID, Err: errBroken})
	})
	d.calls[c.ID] = call{c.Endpoint, n}
}

// Find returns the last event of a type that a device's user was told.
func Find[E member.Event](d *Device) (e E, ok bool) {
	for _, x := range d.Events {
		if y, is := x.Event.(E); is {
			e, ok = y, true
		}
	}
	return e, ok
}
