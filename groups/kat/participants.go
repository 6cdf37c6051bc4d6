package kat

import (
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// pair is a UserRolePair.
type pair struct {
	User string `json:"user"`
	Role uint32 `json:"role_index"`
}

// participantCase is one of participant-list.json.
type participantCase struct {
	head
	Data         octets   `json:"data"`
	Participants []pair   `json:"participants"`
	Updates      []octets `json:"updates"`
	Failure      string   `json:"failure"`
	Result       octets   `json:"result"`
	After        []pair   `json:"participants_after"`
}

func checkParticipants(c *checker, v *participantCase) {
	var before room.ParticipantListData
	if c.ok("data", wire.Unmarshal(v.Data, &before)) {
		c.pairs("participants", before.Participants, v.Participants)
	}
	updates := make([][]byte, len(v.Updates))
	for i := range updates {
		updates[i] = v.Updates[i]
	}
	got, err := room.DefaultPoints.Merge(room.DefaultPoints.ParticipantList, v.Data, updates)
	if !c.failed(err, v.Failure) {
		same(c, "result of a failure (bytes)", len(v.Result), 0)
		same(c, "participants_after of a failure", len(v.After), 0)
		return
	}
	c.equal("result", got, v.Result)
	var after room.ParticipantListData
	if c.ok("result", wire.Unmarshal(v.Result, &after)) {
		c.pairs("participants_after", after.Participants, v.After)
	}
}

func (c *checker) pairs(what string, got []room.UserRolePair, want []pair) {
	if !same(c, what+" (number)", len(got), len(want)) {
		return
	}
	for i := range got {
		if (pair{got[i].User, got[i].Role}) != want[i] {
			c.fail(what, "[%d]: got %v, the case has %v", i, got[i], want[i])
		}
	}
}

// user returns a user's URI.
func user(name string) string { return "mimi://" + providerOf(name) + "/u/" + name }

// providerOf says where the users of the cases are: alice at a.example and so on.
func providerOf(name string) string { return name[:1] + ".example" }

func pairObject(p pair) object { return object{text("user", p.User), num32("role_index", p.Role)} }

func listObject(list []pair) object {
	parts := make([]field, len(list))
	for i, p := range list {
		parts[i] = part("", pairObject(p))
	}
	return object{vector("participants", parts...)}
}

// listUpdate is a ParticipantListUpdate.
func listUpdate(changed [][2]uint32, removed []uint32, added []pair) octets {
	var change, add []field
	for _, x := range changed {
		change = append(change, part("", object{num32("user_index", x[0]), num32("role_index", x[1])}))
	}
	for _, p := range added {
		add = append(add, part("", pairObject(p)))
	}
	return object{vector("changedRoleParticipants", change...), numbers32("removedIndices", removed...), vector("addedParticipants", add...)}.bytes()
}

func makeParticipants(*maker) []any {
	const section = "draft-ietf-mimi-protocol-06, Participant List"
	four := []pair{{user("alice"), 3}, {user("bob"), 2}, {user("cathy"), 2}, {user("dan"), 1}}
	a, b, c, d := four[0], four[1], four[2], four[3]
	erin, frank := pair{user("erin"), 2}, pair{user("frank"), 4}
	type index = [][2]uint32
	rows := []struct {
		name    string
		before  []pair
		updates []octets
		after   []pair
		failure string
		because []string
	}{
		{"a room is made", nil, []octets{listUpdate(nil, nil, []pair{a})}, []pair{a}, "", nil},
		{"nothing changes", four, []octets{listUpdate(nil, nil, nil)}, four, "", nil},
		{"one is added, at the end", four, []octets{listUpdate(nil, nil, []pair{erin})}, []pair{a, b, c, d, erin}, "", nil},
		{"two are added, in the order of the update", four, []octets{listUpdate(nil, nil, []pair{frank, erin})}, []pair{a, b, c, d, frank, erin}, "", nil},
		{"the first is removed", four, []octets{listUpdate(nil, []uint32{0}, nil)}, []pair{b, c, d}, "", nil},
		{"two are removed, by places before the change", four, []octets{listUpdate(nil, []uint32{2, 0}, nil)}, []pair{b, d}, "", nil},
		{"all are removed", four, []octets{listUpdate(nil, []uint32{0, 1, 2, 3}, nil)}, []pair{}, "", nil},
		{"a role changes, the place stays", four, []octets{listUpdate(index{{1, 4}}, nil, nil)}, []pair{a, {b.User, 4}, c, d}, "", nil},
		{"a ban is a role", four, []octets{listUpdate(index{{2, 1}}, nil, nil)}, []pair{a, b, {c.User, 1}, d}, "", nil},
		{"changes, then removals, then additions", four, []octets{listUpdate(index{{3, 2}}, []uint32{1}, []pair{erin})}, []pair{a, c, {d.User, 2}, erin}, "", nil},
		{"two updates of one Commit, both by places before it", four, []octets{listUpdate(nil, []uint32{0}, nil), listUpdate(index{{3, 2}}, nil, []pair{erin})}, []pair{b, c, {d.User, 2}, erin}, "", []string{deviation(room1, 16)}},
		{"additions of two updates, in their order", four, []octets{listUpdate(nil, nil, []pair{frank}), listUpdate(nil, nil, []pair{erin})}, []pair{a, b, c, d, frank, erin}, "", []string{deviation(room1, 16)}},
		{"a provider is added", four, []octets{listUpdate(nil, nil, []pair{{"mimi://h.example", 5}})}, []pair{a, b, c, d, {"mimi://h.example", 5}}, "", nil},
		{"a URI of another scheme is taken as it is", four, []octets{listUpdate(nil, nil, []pair{{"im:erin@E.example", 2}})}, []pair{a, b, c, d, {"im:erin@E.example", 2}}, "", []string{deviation(room1, 17)}},
		{"removal behind the end", four, []octets{listUpdate(nil, []uint32{4}, nil)}, nil, "no-such-index", nil},
		{"change of role behind the end", four, []octets{listUpdate(index{{1<<32 - 1, 2}}, nil, nil)}, nil, "no-such-index", nil},
		{"an addition gives no place for the same update", four, []octets{listUpdate(index{{4, 3}}, nil, []pair{erin})}, nil, "no-such-index", nil},
		{"removed twice", four, []octets{listUpdate(nil, []uint32{1, 1}, nil)}, nil, "changed-twice", []string{deviation(room1, 17)}},
		{"changed and removed", four, []octets{listUpdate(index{{1, 3}}, []uint32{1}, nil)}, nil, "changed-twice", []string{deviation(room1, 17)}},
		{"removed and added again", four, []octets{listUpdate(nil, []uint32{1}, []pair{b})}, nil, "changed-twice", []string{deviation(room1, 17)}},
		{"changed by two updates", four, []octets{listUpdate(index{{1, 3}}, nil, nil), listUpdate(index{{1, 4}}, nil, nil)}, nil, "changed-twice", []string{deviation(room1, 17)}},
		{"added twice", four, []octets{listUpdate(nil, nil, []pair{erin, erin})}, nil, "changed-twice", []string{deviation(room1, 17)}},
		{"added who is there", four, []octets{listUpdate(nil, nil, []pair{{b.User, 3}})}, nil, "present", []string{deviation(room1, 17)}},
		{"added by another spelling", four, []octets{listUpdate(nil, nil, []pair{{"mimi://B.EXAMPLE/u/bob", 2}})}, nil, "not-a-user", []string{deviation(room1, 17)}},
		{"a room is added", four, []octets{listUpdate(nil, nil, []pair{{"mimi://a.example/r/clubhouse", 2}})}, nil, "not-a-user", []string{deviation(room1, 17)}},
		{"role 0 is for those who are not in the list", four, []octets{listUpdate(index{{1, 0}}, nil, nil)}, nil, "not-allowed", nil},
		{"added in role 0", four, []octets{listUpdate(nil, nil, []pair{{erin.User, 0}})}, nil, "not-allowed", nil},
		{"update cut short", four, []octets{listUpdate(nil, nil, []pair{erin})[:9]}, nil, "truncated", nil},
		{"a byte behind the update", four, []octets{append(listUpdate(nil, nil, nil), 0)}, nil, "trailing", nil},
		{"length in two bytes where one does", four, []octets{{0x40, 0x00, 0x00, 0x00}}, nil, "length", nil},
	}
	var cases []any
	for _, r := range rows {
		v := &participantCase{head: newHead(r.name, section, r.because...), Data: listObject(r.before).bytes(), Participants: append([]pair{}, r.before...), Updates: r.updates, Failure: r.failure, Result: octets{}, After: append([]pair{}, r.after...)}
		if r.failure == "" {
			v.Result = listObject(r.after).bytes()
		}
		cases = append(cases, v)
	}
	return cases
}
