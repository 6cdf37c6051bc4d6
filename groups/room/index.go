package room

import (
	"cmp"
	"slices"
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
	slices.SortFunc(x, func(a, b uint32) int { return cmp.Compare(list[a].User, list[b].User) })
	for i := 1; i < len(x); i++ {
		if a, b := x[i-1], x[i]; list[a].User == list[b].User {
			return nil, invalid("user %.80q is in the participant list twice", list[a].User)
		}
	}
	return x, nil
}

// find returns the place of a user in the list, or where in the index it belongs.
func (x index) find(list []UserRolePair, user string) (place uint32, at int, ok bool) {
	at, ok = slices.BinarySearchFunc(x, user, func(p uint32, user string) int { return cmp.Compare(list[p].User, user) })
	if ok {
		place = x[at]
	}
	return place, at, ok
}
