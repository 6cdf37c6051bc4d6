package room

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// TestJSON: what is shown has the drafts' names, of roles and capabilities too, and
// nothing of the room is missing.
func TestJSON(t *testing.T) {
	t.Parallel()
	s := house{policy: "moderated", base: &BaseRoomPolicy{MultiDevice: true, MaxUsers: new(uint32(9))}, preauth: preauth(3, staff),
		parts: map[uint16]wire.Marshaler{0x28: &StatusNotificationPolicy{Required, Forbidden}}}.build(t)
	s.dict = s.dict.With(0x8001, []byte{0xab})
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"user":"mimi://x.example/u/gus","role_index":2,"role_name":"guest","clients":1`,
		`"room_name":"Clubhouse"`, `"max_users":9`, `"max_clients":null`, `"canUseJoinCode"`,
		`{"delivery_notifications":"required","read_receipts":"forbidden"}`,
		`"id":"6f7267"`, `"component 0x8001":"ab"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in\n%s", want, b)
		}
	}
	var back map[string]json.RawMessage
	if err := json.Unmarshal(b, &back); err != nil || len(back) != len(s.dict) {
		t.Errorf("%d entries, %v, want one for each of the %d components", len(back), err, len(s.dict))
	}
	var roles RoleData
	if err := json.Unmarshal(back["roles_list"], &roles); err != nil || len(roles.Roles) != 8 || !roles.Roles[0].Can(CanUseJoinCode) {
		t.Errorf("roles are read back as %+v, %v", roles, err)
	}
}

// TestOutline: a room in a few lines.
func TestOutline(t *testing.T) {
	t.Parallel()
	s := house{policy: "cooperative", base: &BaseRoomPolicy{MaxUsers: new(uint32(9))}, clients: map[string]int{u("ada"): 2, u("sue"): 1}}.build(t)
	want := `mimi://hub.example/r/clubhouse "Clubhouse"
7 participants, 3 clients
one client for each user
at most 9 users
1 banned: mimi://x.example/u/bad*
2 ordinary_user: mimi://x.example/u/mia*, mimi://x.example/u/max*
3 group_admin: mimi://x.example/u/ada, mimi://x.example/u/alf*
4 super_admin: mimi://x.example/u/sue
5 policy_enforcer: mimi://hub.example*
`
	if got := s.Outline(); got != want {
		t.Errorf("outline is\n%s\nwant\n%s", got, want)
	}
}
