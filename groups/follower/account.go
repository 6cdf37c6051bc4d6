package follower

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// What the provider's own account management says. MIMI leaves it to each provider.
type (
	// AddUser makes a user or replaces its profile.
	AddUser struct {
		User    ident.URI
		Profile Profile
	}
	// RemoveUser deletes a user and its clients. That it existed is kept.
	RemoveUser struct{ User ident.URI }
	// AddClient lets a user have a client, mimi://a.example/d/USER/CLIENT.
	AddClient struct{ Client ident.URI }
	// RemoveClient ends a client: its KeyPackages, mailbox and rooms are gone.
	RemoveClient struct{ Client ident.URI }
)

func (AddUser) input()      {}
func (RemoveUser) input()   {}
func (AddClient) input()    {}
func (RemoveClient) input() {}

// user is an account.
type user struct {
	uri     ident.URI
	deleted bool
	profile Profile
	clients []*client // in the order of their URIs
	waiting int       // requests for its consent that it has not answered
}

// client is a device of a user.
type client struct {
	uri       ident.URI
	user      *user
	connected bool
	packages  []keyPackage // not given out yet, the oldest first
	box       []boxed      // for this client alone, the oldest first
	nextBox   uint64       // the last number in the mailbox
	rooms     map[ident.URI]*cursor
}

func (f *Follower) addUser(in AddUser) error {
	if err := f.local(in.User, ident.KindUser); err != nil {
		return err
	}
	if err := in.Profile.check(); err != nil {
		return err
	}
	u := f.users[in.User]
	if u == nil {
		u = &user{uri: in.User}
		f.users[in.User] = u
	}
	if u.deleted {
		return refuse(statusConflict, "%v was deleted; its name is not given again", in.User)
	}
	u.profile = in.Profile
	f.saveUser(u)
	return nil
}

func (f *Follower) removeUser(in RemoveUser) error {
	u, err := f.user(in.User)
	if err != nil {
		return err
	}
	for _, c := range slices.Clone(u.clients) {
		f.dropClient(c)
	}
	u.deleted, u.profile = true, Profile{}
	f.saveUser(u)
	return nil
}

func (f *Follower) addClient(in AddClient) error {
	if err := f.local(in.Client, ident.KindClient); err != nil {
		return err
	}
	name, err := mimi.UserOf(in.Client)
	if err != nil {
		return refuse(statusBadRequest, "%v", err)
	}
	u, err := f.user(name)
	if err != nil {
		return err
	}
	if f.clients[in.Client] != nil {
		return nil
	}
	f.newClient(u, in.Client)
	f.put(clientKey(in.Client), []byte{})
	return nil
}

// newClient adds a client to a user.
func (f *Follower) newClient(u *user, uri ident.URI) *client {
	c := &client{uri: uri, user: u, rooms: map[ident.URI]*cursor{}}
	at, _ := slices.BinarySearchFunc(u.clients, c, func(a, b *client) int { return compareURI(a.uri, b.uri) })
	u.clients = slices.Insert(u.clients, at, c)
	f.clients[uri] = c
	return c
}

func (f *Follower) removeClient(in RemoveClient) error {
	c, err := f.client(in.Client)
	if err != nil {
		return err
	}
	f.dropClient(c)
	return nil
}

// dropClient forgets a client and all that is for it.
func (f *Follower) dropClient(c *client) {
	for _, k := range c.packages {
		f.remove(packageKey(c.uri, k.seq))
	}
	for _, ref := range sortedKeys(f.given) {
		if f.given[ref].client == c.uri {
			delete(f.given, ref)
			f.remove(givenKey(ref))
		}
	}
	for _, b := range c.box {
		f.remove(boxKey(c.uri, b.seq))
	}
	for _, name := range sortedURIs(c.rooms) {
		f.leaveRoom(c, name)
	}
	c.user.clients = slices.DeleteFunc(c.user.clients, func(o *client) bool { return o == c })
	delete(f.clients, c.uri)
	f.remove(clientKey(c.uri))
}

// user returns a user who exists.
func (f *Follower) user(name ident.URI) (*user, error) {
	if u := f.users[name]; u != nil && !u.deleted {
		return u, nil
	}
	return nil, refuse(statusNotFound, "no user %v", name)
}

// client returns a client that exists.
func (f *Follower) client(name ident.URI) (*client, error) {
	if c := f.clients[name]; c != nil {
		return c, nil
	}
	return nil, refuse(statusNotFound, "no client %v", name)
}

// speaksFor checks that a client acts for its own user.
func (c *client) speaksFor(u mimi.IdentifierURI, field string) error {
	if name, err := u.Ident(); err != nil || name != c.user.uri {
		return refuse(statusForbidden, "%s %q of a client of %v", field, u, c.user.uri)
	}
	return nil
}
