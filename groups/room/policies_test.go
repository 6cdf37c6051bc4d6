package room

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew")

// TestPolicies: the four policies of the draft's appendix have the bytes and the
// readable form of testdata, which were compared with the appendix line by line, and
// the bytes are read back as the policies.
func TestPolicies(t *testing.T) {
	t.Parallel()
	for _, p := range Policies() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			data := must(t, &p.Roles)
			readable, err := json.MarshalIndent(p.Roles.Roles, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, p.Name+".hex", []byte(fold(hex.EncodeToString(data))))
			golden(t, p.Name+".json", append(readable, '\n'))
			var back RoleData
			if err := wire.Unmarshal(data, &back); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(p.Roles, back, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("read back (-want +got):\n%s", d)
			}
			if again, ok := PolicyByName(p.Name); !ok || again.Title != p.Title {
				t.Errorf("%q is found as %q, %t", p.Name, again.Title, ok)
			}
		})
	}
	if _, ok := PolicyByName("anarchy"); ok {
		t.Error("there is a policy anarchy")
	}
}

// fold breaks digits into lines.
func fold(s string) string {
	var b strings.Builder
	for len(s) > 64 {
		b.WriteString(s[:64] + "\n")
		s = s[64:]
	}
	return b.String() + s + "\n"
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; see the difference after -rewrite", path)
	}
}

// TestPolicyRooms: each policy makes a room that passes Check with the people of the
// tests, and does not without the enforcer that it asks for.
func TestPolicyRooms(t *testing.T) {
	t.Parallel()
	for _, p := range Policies() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			if err := (house{policy: p.Name}).build(t).Check(); err != nil {
				t.Error(err)
			}
			den := denied(t, house{policy: p.Name, users: people(p.Name)[1:]}.build(t).Check(), RuleMinParticipants)
			if den.To != p.Role("policy_enforcer") {
				t.Errorf("%v, want it to be about role %d", den, p.Role("policy_enforcer"))
			}
		})
	}
}

// TestMultiOrgBegins: a room whose policy wants active administrators of three
// organizations is made by the client of one of them (deviation 32). Those who are
// listed come later, and then the last of them stays.
func TestMultiOrgBegins(t *testing.T) {
	t.Parallel()
	alone := house{policy: "multi-org", clients: map[string]int{u("sue"): 1}}
	if err := alone.build(t).Check(); err != nil {
		t.Error(err)
	}
	if den := denied(t, house{policy: "multi-org", users: people("multi-org")[:3], clients: alone.clients}.build(t).Check(), RuleMinParticipants); den.To != 6 {
		t.Errorf("%v, want it to be about the administrators of the second organization", den)
	}
}

// TestDictionaryRefuses: what cannot be written makes no room.
func TestDictionaryRefuses(t *testing.T) {
	t.Parallel()
	p, _ := PolicyByName("cooperative")
	if d, err := p.Dictionary(nil, &RoomMetaData{}, []UserRolePair{{"x:a", 2}, {"x:a", 2}}, nil, nil); err == nil {
		t.Errorf("a user who is there twice: %x", d)
	}
	if d, err := p.Dictionary(nil, &RoomMetaData{Name: "\x00"}, nil, nil, nil); err == nil {
		t.Errorf("a name with a null: %x", d)
	}
}
