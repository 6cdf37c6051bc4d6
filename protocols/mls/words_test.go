package mls

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
)

// TestLifetimeInWords: who reads that a lifetime is over reads dates.
func TestLifetimeInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		lifetime message.Lifetime
		want     string
	}{
		{"over", message.Lifetime{NotBefore: 0, NotAfter: 3600},
			"mls: KeyPackage of the add by leaf 1 has a lifetime from 1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z, it is 2026-11-01T12:00:00Z (check 7.3-5)"},
		{"beyond all calendars", message.Lifetime{NotBefore: lastTime, NotAfter: math.MaxUint64},
			"mls: KeyPackage of the add by leaf 1 has a lifetime from 9999-12-31T23:59:59Z to second 18446744073709551615, want 8784h0m0s at most (check 7.2-2)"},
	} {
		x := newScene(t, new(row))
		err := x.add(func(k *message.KeyPackage) { k.LeafNode.Lifetime = c.lifetime })
		if got := err.Error(); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// TestGenerationInWords: the error of a message that came twice says so, and that of any
// other names its sender once.
func TestGenerationInWords(t *testing.T) {
	t.Parallel()
	const replayed = "mls: %s message 0 of leaf 1 was received before, or comes too late (check 6.3-2)"
	x := newScene(t, &row{config: func(c *Config) { c.Limits = schedule.Limits{Forward: 3} }})
	application := forge(t, x.in, forgery{private: true, data: []byte("once")})
	remove := RemoveProposal(3)
	handshake := forge(t, x.in, forgery{private: true, proposal: &remove})
	for ratchet, b := range map[string][]byte{"application": application, "handshake": handshake} {
		if _, err := x.to.Process(now, b); err != nil {
			t.Fatal(err)
		}
		err := x.refuse(b)
		if want := fmt.Sprintf(replayed, ratchet); err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		if !errors.Is(err, schedule.ErrConsumed) {
			t.Errorf("%v is not %v", err, schedule.ErrConsumed)
		}
	}
	damaged := x.refuse(x.damaged(func(p *message.PrivateMessage) { p.Ciphertext[len(p.Ciphertext)-1] ^= 1 }))
	var far []byte
	for range 5 {
		far = forge(t, x.in, forgery{private: true, data: []byte("x")})
	}
	for _, err := range []error{damaged, x.refuse(far)} {
		if n := strings.Count(err.Error(), "leaf 1"); n != 1 {
			t.Errorf("%q names leaf 1 %d times, want once", err, n)
		}
	}
}

// TestGroupName writes group identifiers as people read them.
func TestGroupName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, id, want string }{
		{"empty", "", `""`},
		{"text", "room", `"room"`},
		{"a URI", "mimi://a.example/r/büro", `"mimi://a.example/r/büro"`},
		{"bytes", "\x00\xff", "00ff"},
		{"a control character", "a\x1b[2J", "611b5b324a"},
		{"long", strings.Repeat("a", 65), `"` + strings.Repeat("a", 64) + `"… of 65 bytes`},
	} {
		if got := groupName([]byte(c.id)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	x := newScene(t, new(row))
	err := x.forge(forgery{content: func(c *message.FramedContent) { c.GroupID = nil }})
	if want := `mls: message for group "", want "group" (check 6-1)`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
