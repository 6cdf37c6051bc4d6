package room

import "testing"

// TestPreauth: the first rule counts whose claims are all made, exactly, and of its
// role only the index (room-policy-04, Preauthorized Users).
func TestPreauth(t *testing.T) {
	t.Parallel()
	claim := func(credential uint16, id, value string) Claim {
		c := Claim{Value: Opaque(value)}
		c.ID.Credential, c.ID.ID = staff.ID.Credential, Opaque(id)
		if credential != 3 {
			c.ID.Credential++
		}
		return c
	}
	hr, de := claim(3, "dept", "hr"), claim(3, "country", "DE")
	d := &PreAuthData{[]PreAuthRoleEntry{
		{[]Claim{staff, hr}, Role{Index: 4}},
		{[]Claim{staff, de}, Role{Index: 3}},
		{[]Claim{staff}, Role{Index: 2}},
	}}
	tests := []struct {
		name   string
		claims []Claim
		want   uint32
	}{
		{"no claims", nil, RoleNone},
		{"one of two", []Claim{hr}, RoleNone},
		{"both, in another order, and more", []Claim{de, hr, staff}, 4},
		{"the second rule", []Claim{staff, de}, 3},
		{"the last rule", []Claim{staff}, 2},
		{"another value", []Claim{claim(3, "org", "Staff")}, RoleNone},
		{"a longer value", []Claim{claim(3, "org", "staff2")}, RoleNone},
		{"the claim of another type of credential", []Claim{claim(2, "org", "staff")}, RoleNone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := d.Role(tt.claims); got != tt.want {
				t.Errorf("role %d, want %d", got, tt.want)
			}
		})
	}
	if got := (&PreAuthData{[]PreAuthRoleEntry{{nil, Role{Index: 2}}}}).Role(nil); got != 2 {
		t.Errorf("an empty set of claims gives role %d, want 2: every claim of none is made", got)
	}
	if got := (*PreAuthData)(nil).Role([]Claim{staff}); got != RoleNone {
		t.Errorf("no preauthorizations give role %d", got)
	}
}

// TestPreauthWhen: preauthorizations are consulted for those who are not in the list,
// and for one's own role; not for what a participant does to others, and not for one
// who is banned (room-policy-04, Preauthorized Users).
func TestPreauthWhen(t *testing.T) {
	t.Parallel()
	// Everybody with the claim could be an administrator.
	s := house{policy: "administered", preauth: preauth(3, staff)}.build(t)
	_, err := Authorize(s, member("mia").claiming(staff), RemoveClient{u("max")})
	denied(t, err, RuleCapability)
	if _, err := Authorize(s, member("mia").claiming(staff), ChangeRole{u("mia"), 3}); err != nil {
		t.Errorf("one's own role: %v", err)
	}
	_, err = Authorize(s, joiner("bad").claiming(staff), AddClient{u("bad")})
	denied(t, err, RuleCapability)
	if _, err := Authorize(s, joiner("new").claiming(staff), AddParticipant{u("new"), 3}, AddClient{u("new")}); err != nil {
		t.Errorf("one who is not in the list: %v", err)
	}
	// A provider that is not in the list acts in the role that its credential gives.
	other := &Actor{User: "mimi://other.example", Origin: FromExternalSender}
	_, err = Authorize(s, other, RemoveClient{u("max")})
	denied(t, err, RuleCapability)
	if _, err := Authorize(s, other.claiming(staff), RemoveClient{u("max")}); err != nil {
		t.Errorf("a preauthorized provider: %v", err)
	}
}

// TestPreauthRoleIndex: what the copy of a Role in a rule says of capabilities does
// not count; the roles_list does.
func TestPreauthRoleIndex(t *testing.T) {
	t.Parallel()
	rule := preauth(2, staff)
	rule.Entries[0].Target.Capabilities = []Capability{CanKick}
	rule.Entries[0].Target.Name = "emperor"
	s := house{policy: "administered", preauth: rule}.build(t)
	other := &Actor{User: "mimi://other.example", Origin: FromExternalSender, Claims: []Claim{staff}}
	_, err := Authorize(s, other, RemoveClient{u("max")})
	if d := denied(t, err, RuleCapability); d.Role != 2 {
		t.Errorf("denied in role %d, want 2", d.Role)
	}
}
