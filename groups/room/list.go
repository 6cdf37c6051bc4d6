package room

import (
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// index is the places of a participant list in the order of their users, so that a
// user is found in logarithmic time and a changed list's index is made without
// comparing all names anew.
type index []uint32

// indexUsers makes the index of a list. It refuses a list with a user in it twice:
// each user has exactly one role (mimi-protocol-06, Participant List).
func indexUsers(list []UserRolePair) (index, error) {
	x := make(index, len(list))
	sorted := true
	for i := range list {
		x[i] = uint32(i)
		sorted = sorted && (i == 0 || list[i-1].User < list[i].User)
	}
	if sorted {
		return x, nil
	}
	slices.SortFunc(x, func(a, b uint32) int { return strings.Compare(list[a].User, list[b].User) })
	for i := 1; i < len(x); i++ {
		if a, b := x[i-1], x[i]; list[a].User == list[b].User {
			return nil, invalid("user %.80q is in the participant list twice", list[a].User)
		}
	}
	return x, nil
}

// find returns the place of a user in the list.
func (x index) find(list []UserRolePair, user string) (place uint32, ok bool) {
	at, ok := x.search(list, user)
	if !ok {
		return 0, false
	}
	return x[at], true
}

// search returns where in the index a user is, or belongs.
func (x index) search(list []UserRolePair, user string) (at int, ok bool) {
	return slices.BinarySearchFunc(x, user, func(p uint32, user string) int { return strings.Compare(list[p].User, user) })
}

// roster is a participant list with what is looked up in it. It is not modified.
type roster struct {
	list    []UserRolePair
	clients []uint32 // members of the group, by place
	index   index
}

func (r *roster) find(user string) (place uint32, ok bool) { return r.index.find(r.list, user) }

// standing returns a user's role and number of clients; those of one who is not
// in the list are 0.
func (r *roster) standing(user string) (role, clients uint32, listed bool) {
	place, ok := r.find(user)
	if !ok {
		return RoleNone, 0, false
	}
	return r.list[place].Role, r.clients[place], true
}

// apply makes the changes of one Commit: of all updates first the roles that change,
// then the removals, then the additions, each in the order of the updates
// (mimi-protocol-06, Participant List). All indices are places in the list as it
// is, before any of the changes (deviation 16).
func (r *roster) apply(updates []*ParticipantListUpdate) (*roster, error) {
	t := touched{places: make(map[uint32]bool)}
	next := &roster{list: r.copy(updates), clients: r.clients, index: r.index}
	for _, u := range updates {
		for _, c := range u.Changed {
			if err := t.place(r, c.Index); err != nil {
				return nil, err
			}
			next.list[c.Index].Role = c.Role
		}
	}
	var removed []uint32
	for _, u := range updates {
		for _, place := range u.Removed {
			if err := t.place(r, place); err != nil {
				return nil, err
			}
			removed = append(removed, place)
		}
	}
	var added []UserRolePair
	for _, u := range updates {
		for _, p := range u.Added {
			if err := t.user(r, p.User); err != nil {
				return nil, err
			}
			added = append(added, p)
		}
	}
	next.remove(removed)
	next.add(added)
	return next, nil
}

// copy returns a copy of the list with room for what the updates add.
func (r *roster) copy(updates []*ParticipantListUpdate) []UserRolePair {
	n := len(r.list)
	for _, u := range updates {
		n += len(u.Added)
	}
	return append(make([]UserRolePair, 0, n), r.list...)
}

// touched sees to it that a Commit changes each participant at most once.
type touched struct {
	places map[uint32]bool
	users  map[string]bool
}

func (t *touched) place(r *roster, place uint32) error {
	if int64(place) >= int64(len(r.list)) {
		return invalidWith(ErrIndex, "index %d in a list of %d participants", place, len(r.list))
	}
	if t.places[place] {
		return invalidWith(ErrSameUser, "user %.80q", r.list[place].User)
	}
	t.places[place] = true
	return nil
}

func (t *touched) user(r *roster, user string) error {
	if err := checkUser(user); err != nil {
		return err
	}
	if place, ok := r.find(user); ok {
		if t.places[place] {
			return invalidWith(ErrSameUser, "user %.80q", user)
		}
		return invalidWith(ErrPresent, "user %.80q", user)
	}
	if t.users[user] {
		return invalidWith(ErrSameUser, "user %.80q", user)
	}
	if t.users == nil {
		t.users = make(map[string]bool)
	}
	t.users[user] = true
	return nil
}

// checkUser refuses names by which one who is in the list, or banned, could be in it
// a second time: a MIMI URI must be in canonical form, and name a user, a pseudonym
// or a provider. Names of other schemes are taken as they are
// (deviation 17).
func checkUser(user string) error {
	const scheme = "mimi:"
	if len(user) < len(scheme) || !strings.EqualFold(user[:len(scheme)], scheme) {
		return nil
	}
	u, err := ident.ParseURI(user)
	if err != nil {
		return invalidWith(ErrUser, "%v", err)
	}
	if u.String() != user {
		return invalidWith(ErrUser, "%.80q, want %.80q", user, u.String())
	}
	switch u.Kind() {
	case ident.KindUser, ident.KindPseudonym, ident.KindProvider:
		return nil
	}
	return invalidWith(ErrUser, "%.80q names a %v", user, u.Kind())
}

// remove takes places out of a list that is the roster's own.
func (r *roster) remove(removed []uint32) {
	if len(removed) == 0 {
		return
	}
	slices.Sort(removed)
	moved := make([]uint32, len(r.list)) // the place that each has then
	clients := make([]uint32, 0, len(r.list)-len(removed))
	keep := r.list[:0]
	for place, at := 0, 0; place < len(moved); place++ {
		if at < len(removed) && removed[at] == uint32(place) {
			moved[place] = gone
			at++
			continue
		}
		moved[place] = uint32(len(keep))
		keep = append(keep, r.list[place])
		clients = append(clients, r.clients[place])
	}
	order := make(index, 0, len(keep))
	for _, place := range r.index {
		if moved[place] != gone {
			order = append(order, moved[place])
		}
	}
	r.list, r.clients, r.index = keep, clients, order
}

// gone is no place: a list cannot be that long.
const gone = 1<<32 - 1

// add appends participants to a list that is the roster's own.
func (r *roster) add(added []UserRolePair) {
	if len(added) == 0 {
		return
	}
	first := uint32(len(r.list))
	r.list = append(r.list, added...)
	r.clients = append(slices.Clip(r.clients), make([]uint32, len(added))...)
	fresh := make(index, len(added))
	for i := range fresh {
		fresh[i] = first + uint32(i)
	}
	byUser := func(a, b uint32) int { return strings.Compare(r.list[a].User, r.list[b].User) }
	slices.SortFunc(fresh, byUser)
	merged := make(index, 0, len(r.list))
	old := r.index
	for _, p := range fresh {
		at, _ := old.search(r.list, r.list[p].User)
		merged = append(append(merged, old[:at]...), p)
		old = old[at:]
	}
	r.index = append(merged, old...)
}

// encode returns the list as the component has it.
func (r *roster) encode() ([]byte, error) {
	size := 4
	for i := range r.list {
		size += len(r.list[i].User) + 8
	}
	w := wire.NewWriter(make([]byte, 0, size))
	wire.PutList(w, r.list)
	return w.Bytes()
}
