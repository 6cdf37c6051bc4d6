package rooms

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/mimi-lab/mimi-lab/bench"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// sender is a client whose messages are submitted, with its provider's connections.
type sender struct {
	*device
	from       string
	hub, empty *http.Client
}

// populate gives the providers users and the rooms their members. The hub has one user,
// who makes the rooms; each follower has one with the clients that are measured, and one
// with the client that sends.
func (w *world) populate(rooms int) error {
	var err error
	if w.creator, err = w.user(w.hub, "alice", 1, rooms); err != nil {
		return err
	}
	var users []ident.URI
	var joining []*device
	for i, f := range w.followers {
		crowd := len(w.receivers)
		first, err := w.user(f, "crowd", w.point.clients, rooms)
		if err != nil {
			return err
		}
		w.receivers[crowd].keeps = true
		writer, err := w.user(f, "writer", 1, rooms)
		if err != nil {
			return err
		}
		s := &sender{device: writer, from: f.domain}
		bench.Part("sender", func() {
			var errEmpty error
			s.hub, err = w.client(f.domain, hubDomain)
			s.empty, errEmpty = w.client(f.domain, emptyDomain)
			err = errors.Join(err, errEmpty)
		})
		if err != nil {
			return err
		}
		w.senders = append(w.senders, s)
		users = append(users, first.user, writer.user)
		joining = append(joining, writer)
		if i == 0 {
			w.reader = first
			joining = append(joining, first)
		}
	}
	for i := range rooms {
		name, err := ident.NewURI(ident.KindRoom, hubDomain, fmt.Sprintf("room%d", i+1))
		if err != nil {
			return err
		}
		if err := w.creator.create(w, name); err != nil {
			return fmt.Errorf("create: %w", err)
		}
		if err := w.creator.addAll(w, name, users); err != nil {
			return fmt.Errorf("add: %w", err)
		}
		for _, d := range joining {
			if err := d.join(w); err != nil {
				return fmt.Errorf("%v joins: %w", d.uri, err)
			}
		}
		w.rooms = append(w.rooms, &room{uri: name})
	}
	return nil
}

// user adds a user with clients, who all receive, and returns the first of these.
func (w *world) user(p *provider, name string, clients, rooms int) (first *device, err error) {
	uri, err := ident.NewURI(ident.KindUser, p.domain, name)
	if err != nil {
		return nil, err
	}
	if err := p.AddUser(w.ctx, uri, follower.Profile{}); err != nil {
		return nil, err
	}
	for i := range clients {
		d, err := w.newDevice(p, name, fmt.Sprintf("device%d", i+1), rooms)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first = d
		}
		w.receivers = append(w.receivers, newReceiver(w, d))
	}
	return first, nil
}
