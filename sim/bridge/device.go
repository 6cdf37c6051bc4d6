package bridge

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Device is a client of MIMI whose user is in the room without a gateway.
type Device struct {
	Name   string
	URI    ident.URI
	User   ident.URI
	Events []MemberEvent

	provider *provider
	member   *member.Member
}

// MemberEvent is what a device's user is told.
type MemberEvent struct {
	At     des.Time
	Frames int // sent by then
	Event  member.Event
}

// AddDevice gives a user of a provider a client.
func (w *World) AddDevice(user, client string) (*Device, error) {
	p := w.providers[HubDomain]
	d := &Device{
		Name: user, URI: uri(ident.KindClient, p.domain, user, client), User: uri(ident.KindUser, p.domain, user), provider: p,
	}
	s, err := w.suite("device " + user)
	if err != nil {
		return nil, err
	}
	id, err := mls.NewIdentity(s, []byte(d.URI.String()))
	if err != nil {
		return nil, err
	}
	if d.member, err = member.New(member.Config{Client: d.URI, Identity: id, Groups: &mls.Config{Suite: s}}); err != nil {
		return nil, err
	}
	w.devices[user] = d
	for _, in := range []follower.Input{follower.AddUser{User: d.User}, follower.AddClient{Client: d.URI}, follower.Connect{Client: d.URI}} {
		if _, err := w.stepFollower(p, in); err != nil {
			return nil, err
		}
	}
	_, err = w.Do(d, member.PublishKeyPackages{N: 4, LastResort: true})
	return d, err
}

// deviceOf returns the device of a client, nil if it is none.
func (w *World) deviceOf(client ident.URI) *Device {
	if d := w.devices[client.Segments()[0]]; d != nil && d.URI == client {
		return d
	}
	return nil
}

// Room returns what a device knows of a room.
func (d *Device) Room(room ident.URI) (member.Room, bool) { return d.member.Room(room) }

// Do tells a device what its user wants.
func (w *World) Do(d *Device, in member.Input) (uint64, error) {
	out, err := d.member.Step(w.Time(), in)
	if err != nil {
		return 0, fmt.Errorf("bridge: %s: %w", d.Name, err)
	}
	for _, e := range out.Events {
		d.Events = append(d.Events, MemberEvent{w.Now(), len(w.frames), e})
	}
	for _, in := range out.Publish {
		w.up(d.Name, d.provider, in)
	}
	for _, c := range out.Creations {
		body, err := wire.Marshal(c.GroupInfo)
		if err != nil {
			return 0, err
		}
		w.send(Frame{From: d.Name, To: d.provider.domain, What: "new room", Body: append(body, c.RatchetTree...)}, func([]byte) {
			_, err := w.stepHub(d.provider, hub.CreateRoom{Room: c.Room, GroupInfo: c.GroupInfo, RatchetTree: c.RatchetTree})
			if err == nil {
				_, err = w.stepFollower(d.provider, follower.Join{Client: d.URI, Room: c.Room})
			}
			w.send(Frame{From: d.provider.domain, To: d.Name, What: "room made"}, func([]byte) {
				w.stepDevice(d, member.RoomCreated{Room: c.Room, Err: err})
			})
		})
	}
	for _, in := range out.Calls {
		w.up(d.Name, d.provider, in)
	}
	for _, in := range out.Acks {
		w.up(d.Name, d.provider, in)
	}
	for _, in := range out.Leaves {
		w.up(d.Name, d.provider, in)
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

// up sends what a client has for its provider's follower.
func (w *World) up(node string, p *provider, in follower.Input) {
	f := Frame{From: node, To: p.domain}
	var client ident.URI
	var call uint64
	switch in := in.(type) {
	case follower.Publish:
		f.What = "KeyPackages"
		for i := range in.KeyPackages {
			f.Body = append(f.Body, marshal(w, &in.KeyPackages[i])...)
		}
	case follower.Call:
		f.What, f.Body = string(in.Endpoint), marshal(w, in.Body)
		client, call = in.Client, in.ID
	case follower.Ack:
		f.What = "ack"
	case follower.Leave:
		f.What = "out of the room"
	case follower.Connect:
		f.What = "connect"
	}
	w.send(f, func([]byte) {
		_, err := w.stepFollower(p, in)
		switch {
		case err == nil:
		case call != 0:
			w.toClient(p, client, "reply", nil, member.Replied{ID: call, Err: err})
		case f.What == "ack", f.What == "out of the room": // of a client that was removed meanwhile
		default:
			w.fail(fmt.Errorf("%s: %T: %w", node, in, err))
		}
	})
}

func marshal(w *World, v wire.Marshaler) []byte {
	b, err := wire.Marshal(v)
	if err != nil {
		w.fail(err)
	}
	return b
}
