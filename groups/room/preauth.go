package room

import (
	"bytes"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ClaimID names a claim that a credential makes (room-policy-04, Preauthorized
// Users):
//
//	struct {
//	    CredentialType credential_type;
//	    opaque id<V>;   // X.509 OID, JWT claim name or CWT claim key
//	} ClaimId;
type ClaimID struct {
	Credential message.CredentialType `json:"credential_type"`
	ID         Opaque                 `json:"id"`
}

func (c *ClaimID) UnmarshalTLS(r *wire.Reader) {
	c.Credential = message.CredentialType(r.Uint16())
	c.ID = r.Opaque()
}

func (c *ClaimID) MarshalTLS(w *wire.Writer) {
	w.Uint16(uint16(c.Credential))
	w.Opaque(c.ID)
}

// Claim is a claim with its value:
//
//	struct {
//	    ClaimId claim_id;
//	    opaque claim_value<V>;
//	} Claim;
type Claim struct {
	ID    ClaimID `json:"claim_id"`
	Value Opaque  `json:"claim_value"`
}

func (c *Claim) UnmarshalTLS(r *wire.Reader) {
	c.ID.UnmarshalTLS(r)
	c.Value = r.Opaque()
}

func (c *Claim) MarshalTLS(w *wire.Writer) {
	c.ID.MarshalTLS(w)
	w.Opaque(c.Value)
}

func (c *Claim) equal(o *Claim) bool {
	return c.ID.Credential == o.ID.Credential && bytes.Equal(c.ID.ID, o.ID.ID) && bytes.Equal(c.Value, o.Value)
}

// PreAuthRoleEntry is a rule: whose credential makes all the claims gets the role.
//
//	struct {
//	    Claim claimset<V>;
//	    Role target_role;
//	} PreAuthRoleEntry;
//
// The draft has a whole Role there. Only its role_index counts: what the role may
// do is what the roles_list says (deviation 2).
type PreAuthRoleEntry struct {
	Claims []Claim `json:"claimset"`
	Target Role    `json:"target_role"`
}

func (e *PreAuthRoleEntry) UnmarshalTLS(r *wire.Reader) {
	e.Claims = wire.List[Claim](r)
	e.Target.UnmarshalTLS(r)
	readCheck(r, e)
}

func (e *PreAuthRoleEntry) MarshalTLS(w *wire.Writer) {
	writeCheck(w, e)
	wire.PutList(w, e.Claims)
	e.Target.MarshalTLS(w)
}

func (e *PreAuthRoleEntry) check() error {
	if e.Target.Index == RoleNone {
		return invalid("preauthorization for role 0, which is for those who are not in the list")
	}
	return nil
}

// Matches reports whether the claims satisfy the rule: each claim of the set is
// among them, and exactly so. An empty set is satisfied by all.
func (e *PreAuthRoleEntry) Matches(claims []Claim) bool {
	for i := range e.Claims {
		want := &e.Claims[i]
		if !slices.ContainsFunc(claims, func(c Claim) bool { return c.equal(want) }) {
			return false
		}
	}
	return true
}

// PreAuthData is the data of the preauth_list component, and as PreAuthUpdate
// what an update of it holds:
//
//	struct {
//	    PreAuthRoleEntry preauthorized_entries<V>;
//	} PreAuthData;
type PreAuthData struct {
	Entries []PreAuthRoleEntry `json:"preauthorized_entries"`
}

func (d *PreAuthData) UnmarshalTLS(r *wire.Reader) { d.Entries = wire.List[PreAuthRoleEntry](r) }
func (d *PreAuthData) MarshalTLS(w *wire.Writer)   { wire.PutList(w, d.Entries) }

// Role returns the role of the first rule that the claims satisfy, RoleNone if
// they satisfy none.
func (d *PreAuthData) Role(claims []Claim) uint32 {
	if d == nil {
		return RoleNone
	}
	for i := range d.Entries {
		if d.Entries[i].Matches(claims) {
			return d.Entries[i].Target.Index
		}
	}
	return RoleNone
}
