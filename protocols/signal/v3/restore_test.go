//go:build !nogpl

package v3

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// TestRestoreRefuses gives Restore records that contradict each other.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	p := newParty(t, Adapter{}, "alice", "bob")
	p.gather(t, "alice")
	p.deliver(t, "alice", p.say(t, "alice", "text"))
	p.deliver(t, "bob", p.say(t, "bob", "text"))
	bundleOf(t, p["bob"], 1)
	if err := p["bob"].Rotate(epoch); err != nil {
		t.Fatal(err)
	}
	type records = map[string][]byte
	move := func(from, to string) func(records) {
		return func(r records) { r[to] = r[from] }
	}
	// Offsets in the local record.
	const next, signed, previous = 37, 41, 45
	local := func(at int, v uint32) func(records) {
		return func(r records) { binary.BigEndian.PutUint32(r[localKey][at:], v) }
	}
	tests := []struct {
		name   string
		damage func(records)
	}{
		{"no local record", func(r records) { delete(r, localKey) }},
		{"unknown kind", move(localKey, "locals")},
		{"unknown kind with a name", move("identity/alice", "identities/alice")},
		{"local record with a name", move(localKey, "local/x")},
		{"no signed prekey", func(r records) { delete(r, signedKey(2)) }},
		{"no previous signed prekey", func(r records) { delete(r, signedKey(1)) }},
		{"signed prekey that is not in use", move(signedKey(2), signedKey(3))},
		{"next id zero", local(next, 0)},
		{"next id beyond 24 bits", local(next, 1<<24)},
		{"signed and previous the same", local(previous, 2)},
		{"signed prekey of another key", func(r records) { r[signedKey(2)][1] ^= 0xff }},
		{"one-time prekey with a short id", move(oneTimeKey(2), oneTimePrefix+"2")},
		{"one-time prekey with id zero", move(oneTimeKey(2), oneTimePrefix+"000000")},
		{"session without identity", move("session/alice", "session/carol")},
		{"session of another identity", func(r records) { r[localKey][6] ^= 1 }},
		{"name escaped where it need not be", move("identity/alice", "identity/%61lice")},
		{"name with a slash", move("identity/alice", "identity/alice/x")},
		{"sender key of no group", move("sender/friends@g.us/alice", "sender/others@g.us/alice")},
		{"sender key without member", move("sender/friends@g.us/alice", "sender/friends@g.us")},
		{"own sender key as another's", move("group-key/friends@g.us", "sender/friends@g.us/alice")},
		{"another's sender key as the own", move("sender/friends@g.us/alice", "group-key/friends@g.us")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			damaged := make(records)
			for _, r := range p["bob"].State() {
				damaged[r.Key] = r.Value
			}
			before := len(damaged)
			test.damage(damaged)
			var list []protocols.Record
			for key, value := range damaged {
				if value == nil {
					t.Fatalf("the test finds no %s among %d records", key, before)
				}
				list = append(list, protocols.Record{Key: key, Value: value})
			}
			_, err := Adapter{}.Restore(protocols.Config{Address: "bob", Suite: suiteOf("x")}, list)
			if !errors.Is(err, protocols.ErrState) {
				t.Errorf("error %v", err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "signal-v3: restore: ") {
				t.Errorf("error %q", err)
			}
		})
	}
}
