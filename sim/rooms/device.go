package rooms

import (
	"fmt"
	"slices"

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

	node
	provider *Provider
	member   *member.Member
	config   member.Config
	store    store
	calls    map[uint64]call // those that wait for a reply
	session  *session
	// connecting says that it is about to connect again.
	connecting bool
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
	return w.addDevice(domain, user, client, member.PublishKeyPackages{N: 4, LastResort: true})
}

// addDevice is AddDevice with the KeyPackages that it publishes.
func (w *World) addDevice(domain, user, client string, keys member.PublishKeyPackages) (*Device, error) {
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
		Name: name, node: node{name: name}, URI: uri(ident.KindClient, domain, user, client), User: uri(ident.KindUser, domain, user),
		provider: p, store: store{}, calls: make(map[uint64]call),
	}
	id, err := mls.NewIdentity(s, []byte(d.URI.String()))
	if err != nil {
		return nil, err
	}
	d.config = member.Config{Client: d.URI, Identity: id, Groups: &mls.Config{Suite: s}, CommitDelay: w.cfg.CommitDelay}
	if w.cfg.Large {
		d.config.Groups.Shared, d.config.Groups.PastEpochs, d.config.Users = &w.shared, 4, w.named.users
	}
	if d.member, err = member.New(d.config); err != nil {
		return nil, err
	}
	w.devices[name] = d
	for _, in := range []follower.Input{follower.AddUser{User: d.User}, follower.AddClient{Client: d.URI}} {
		w.stepFollower(p, in, w.must("account"))
	}
	d.session = &session{device: d, open: true, lives: [2]int{0, p.lives}}
	w.stepFollower(p, follower.Connect{Client: d.URI}, w.must("connect"))
	if w.err != nil {
		return nil, w.err
	}
	_, err = w.Do(d, keys)
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
	if d.down {
		return 0, fmt.Errorf("rooms: %s is down", d.Name)
	}
	out, err := d.member.Step(w.Time(), in)
	if err != nil {
		return 0, fmt.Errorf("rooms: %s: %w", d.Name, err)
	}
	e := entry{store: d.store, records: out.Persist}
	if w.cfg.Large {
		e.store = nil
	}
	// The application stores its events together with the records.
	if len(out.Events) > 0 || w.watch.device != nil {
		said, frames := out, w.counts.Frames
		said.Events, said.Calls = slices.Clone(out.Events), slices.Clone(out.Calls)
		e.told = func() {
			for _, v := range said.Events {
				if _, changed := v.(member.RoomChanged); changed && w.cfg.Large {
					continue
				}
				d.Events = append(d.Events, Event{At: w.Now(), Frames: frames, Event: v})
			}
			if w.watch.device != nil {
				w.watch.device(d, in, &said)
			}
		}
	}
	for _, in := range out.Publish {
		e.leave = append(e.leave, func() { w.publish(d, in) })
	}
	for _, c := range out.Creations {
		e.leave = append(e.leave, func() { w.create(d, c) })
	}
	for _, c := range out.Calls {
		if w.plant.call != nil {
			w.plant.call(d, &c)
		}
		e.leave = append(e.leave, func() { w.call(d, c) })
	}
	for _, in := range out.Acks {
		e.leave = append(e.leave, func() { w.up(d, Frame{Kind: Ack, Subject: in.Room.String(), Seq: in.Seq}, in) })
	}
	for _, in := range out.Leaves {
		e.leave = append(e.leave, func() { w.up(d, Frame{Kind: Leave, Subject: in.Room.String(), Seq: in.Seq}, in) })
	}
	w.wakeAt("device "+d.Name, out.WakeAt, func() { w.stepDevice(d, member.Wake{}) })
	w.commit(&d.node, e)
	return out.ID, nil
}

// stepDevice is Do for what a machine must not refuse.
func (w *World) stepDevice(d *Device, in member.Input) {
	if _, err := w.Do(d, in); err != nil {
		w.fail(fmt.Errorf("%T: %w", in, err))
	}
}

// up sends a frame to the device's provider, whose follower gets the input.
func (w *World) up(d *Device, f Frame, in follower.Input) {
	f.From, f.To = d.Name, d.provider.Domain
	w.send(d.session, f, func(_ *Frame, forget bool) {
		if !forget {
			w.stepFollower(d.provider, in, w.must(fmt.Sprintf("%s: %T", d.Name, in)))
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

// create has the provider's hub take a room over (Alice Creates a Room). If its answer is
// lost, the device asks again when it has a connection.
func (w *World) create(d *Device, c member.Creation) {
	body, err := wire.Marshal(c.GroupInfo)
	if err != nil {
		w.fail(err)
		return
	}
	p := d.provider
	f := Frame{From: d.Name, To: p.Domain, Kind: Creation, Subject: c.Room.String(), Struct: "GroupInfo", First: len(body), Body: append(body, c.RatchetTree...)}
	w.send(d.session, f, func(f *Frame, _ bool) {
		answer := func(err error) {
			r := Frame{From: p.Domain, To: d.Name, Kind: Created, Subject: f.Subject, Answers: f.Number}
			if err != nil {
				r.Reason = err.Error()
			}
			w.send(d.session, r, func(*Frame, bool) { w.stepDevice(d, member.RoomCreated{Room: c.Room, Err: err}) }, nil)
		}
		w.stepHub(p, hub.CreateRoom{Room: c.Room, GroupInfo: c.GroupInfo, RatchetTree: c.RatchetTree}, func(_ hub.Output, err error) {
			if err != nil {
				answer(err)
				return
			}
			w.within(&p.node, func() {
				w.stepFollower(p, follower.Join{Client: d.URI, Room: c.Room}, func(_ follower.Body, err error) { answer(err) })
			})
		})
	}, nil)
}

// call sends a request that the provider is to make.
func (w *World) call(d *Device, c follower.Call) {
	e, _ := mimi.FindEndpoint(c.Endpoint)
	body, err := wire.Marshal(c.Body)
	if err != nil {
		w.fail(err)
		return
	}
	p := d.provider
	f := Frame{From: d.Name, To: p.Domain, Kind: Call, Endpoint: c.Endpoint, Subject: c.Room.String(), Struct: e.Request, Body: body}
	n := w.send(d.session, f, func(f *Frame, forget bool) {
		if forget {
			return
		}
		p.calls[callID{d.URI, c.ID}] = call{c.Endpoint, f.Number}
		refuse := func(err error) { w.reply(p, follower.Reply{Client: d.URI, ID: c.ID, Err: err}) }
		v, err := e.ParseRequest(f.Body, nil)
		if err != nil {
			refuse(err)
			return
		}
		in := c
		in.Body = v.(follower.Body)
		w.stepFollower(p, in, func(_ follower.Body, err error) {
			if err != nil {
				refuse(err)
			}
		})
	}, nil)
	if n > 0 {
		d.calls[c.ID] = call{c.Endpoint, n}
	}
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
