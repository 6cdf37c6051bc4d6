package dma

import (
	"strconv"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// fetchCode fetches a user's keys and returns why they are refused.
func (n *network) fetchCode(d *node, of ident.Address) stanza.Code {
	n.t.Helper()
	b, ok := n.ask(d, &stanza.KeyFetch{Users: []ident.Address{of}}).Payload.(*stanza.KeyBundles)
	if !ok || len(b.Users) != 1 {
		n.t.Fatalf("answer %+v, want the keys of one user", b)
	}
	if b.Users[0].Error == nil {
		return 0
	}
	return b.Users[0].Error.Code
}

// TestDraining: who fetches one user's keys again and again is refused, for that user and
// for a while, and so is who fetches everybody's; others get keys.
func TestDraining(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{Reach: DefaultOn, Quotas: Quotas{Fetches: 5, FetchesOfOne: 3}})
	carol, dave := n.native("carol", "4915100000009"), n.native("dave", "4915100000010")
	for _, d := range []*node{carol, dave} {
		n.connect(d)
	}
	start := n.gk.accounts[bob.addr].fetched
	if start != nil {
		t.Fatalf("fetched before: %+v", start)
	}
	before := n.gk.accounts[alice.addr].keys.oneTime.len()
	for i, want := range []stanza.Code{0, 0, 0, stanza.RateOverlimit, stanza.RateOverlimit} {
		if got := n.fetchCode(bob, alice.addr); got != want {
			t.Errorf("fetch %d: code %v, want %v", i+1, got, want)
		}
	}
	if took := before - n.gk.accounts[alice.addr].keys.oneTime.len(); took != 3 {
		t.Errorf("%d one-time prekeys are gone, want 3: a refused fetch takes none", took)
	}
	if got := n.fetchCode(carol, alice.addr); got != 0 {
		t.Errorf("carol is refused with %v for what bob did", got)
	}
	for i, tt := range []struct {
		of   ident.Address
		want stanza.Code
	}{{carol.addr, 0}, {dave.addr, 0}, {carol.addr, stanza.RateOverlimit}} {
		if got := n.fetchCode(bob, tt.of); got != tt.want {
			t.Errorf("fetch %d of others: code %v, want %v", i+1, got, tt.want)
		}
	}
	n.now = n.now.Add(DefaultFetchEvery - time.Second)
	if got := n.fetchCode(bob, alice.addr); got != stanza.RateOverlimit {
		t.Errorf("before the hour is over: code %v", got)
	}
	n.now = n.now.Add(time.Second)
	if got := n.fetchCode(bob, alice.addr); got != 0 {
		t.Errorf("after it: code %v", got)
	}
	// All at once is no way around it.
	many := &stanza.KeyFetch{Users: []ident.Address{carol.addr, carol.addr, carol.addr, carol.addr}}
	refused := 0
	for _, u := range n.ask(alice, many).Payload.(*stanza.KeyBundles).Users {
		if u.Error != nil {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d of 4 fetches in one query are refused, want 1", refused)
	}
}

// TestMailboxIsBounded: many senders together fill no mailbox beyond its quotas, a restart
// does not change that, and what is taken out leaves room.
func TestMailboxIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		quotas Quotas
		want   int // messages of 1000 bytes
	}{
		{"stanzas", Quotas{Waiting: 4}, 4},
		{"bytes", Quotas{Bytes: 5500}, 5},
		{"none", Quotas{}, 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n, alice, bob := pair(t, GatekeeperConfig{Reach: DefaultOn, Quotas: tt.quotas})
			n.disconnect(alice)
			bob.lose = true
			var refused stanza.Code
			send := func(i int) {
				m := message("M"+strconv.Itoa(i), alice.addr, 1000)
				for _, s := range n.gatekeeper(Frame{Conn: bob.conn, Data: encode(m)}).Sends {
					if a, err := parseFrame(s.Frame); err == nil && a.(*stanza.Ack).Error != 0 {
						refused = a.(*stanza.Ack).Error
					}
				}
			}
			for i := range 9 {
				send(i)
			}
			a := n.gk.accounts[alice.addr]
			if len(a.box) != tt.want || tt.want < 9 != (refused == stanza.ResourceLimit) {
				t.Errorf("%d wait, refusal %v; want %d", len(a.box), refused, tt.want)
			}
			n.gatekeeper(Frame{Conn: bob.conn, Data: encode(&stanza.Receipt{ID: "R", To: alice.addr, Type: stanza.Read})})
			if full := len(a.box) == tt.want; full != (tt.name == "stanzas") {
				t.Errorf("a read receipt: %d wait", len(a.box))
			}
			bytes, waiting := a.boxBytes, len(a.box)
			n.crashGatekeeper()
			a = n.gk.accounts[alice.addr]
			if a.boxBytes != bytes || len(a.box) != waiting || bytes < 1000*tt.want {
				t.Errorf("after a restart %d bytes in %d stanzas, want %d in %d", a.boxBytes, len(a.box), bytes, waiting)
			}
			n.now = n.now.Add(DefaultRetention)
			n.gatekeeper(Wake{})
			if a.boxBytes != 0 {
				t.Errorf("%d bytes of an empty mailbox", a.boxBytes)
			}
			n.connect(bob)
			bob.lose = true
			send(100)
			if len(a.box) != 1 {
				t.Errorf("%d wait in the mailbox that has room again, want 1", len(a.box))
			}
		})
	}
}

// TestNoticesAreBounded: who changes a choice again and again fills no mailbox, and the
// last choice arrives.
func TestNoticesAreBounded(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{PerSender: 3})
	n.disconnect(bob)
	for i := range 20 {
		wantCode(t, n.ask(alice, &stanza.Consent{User: bob.addr, Given: i%2 == 0}), 0)
	}
	box := n.gk.accounts[bob.addr].box
	if len(box) != 3 {
		t.Fatalf("%d notices wait, want 3", len(box))
	}
	last, err := parseFrame(box[2].frame)
	if err != nil {
		t.Fatal(err)
	}
	if got := last.(*stanza.Notification).Event; got != (stanza.ConsentChanged{Given: false}) {
		t.Errorf("the last notice is %+v, want that consent was withdrawn", got)
	}
}

// TestNoticesInAFullMailbox: there is one of each user.
func TestNoticesInAFullMailbox(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{Quotas: Quotas{Waiting: 2}})
	carol := n.native("carol", "4915100000009")
	n.connect(carol)
	n.disconnect(bob)
	for i := range 20 {
		wantCode(t, n.ask(alice, &stanza.Consent{User: bob.addr, Given: i%2 == 0}), 0)
	}
	for i := range 20 {
		wantCode(t, n.ask(carol, &stanza.Consent{User: bob.addr, Given: i%2 == 0}), 0)
	}
	from := map[string]int{}
	for _, e := range n.gk.accounts[bob.addr].box {
		from[e.from.String()]++
	}
	if len(from) != 2 || from[alice.addr.String()]+from[carol.addr.String()] > 3 {
		t.Errorf("notices by sender: %v, want two of alice, who came first, and one of carol", from)
	}
}

// TestPingsNeedRoom: a full mailbox takes no pings either.
func TestPingsNeedRoom(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, GatekeeperConfig{Reach: PingThenConsent, PingLimit: 9, Quotas: Quotas{Waiting: 2}})
	alice := n.native("alice", "4915100000001")
	var codes []stanza.Code
	for i := range 3 {
		p := n.partner("bob" + strconv.Itoa(i))
		n.connect(p)
		p.lose = true
		q := n.ask(p, &stanza.Ping{User: alice.addr})
		if q.Error != nil {
			codes = append(codes, q.Error.Code)
		}
	}
	if len(codes) != 1 || codes[0] != stanza.ResourceLimit {
		t.Errorf("refusals %v, want one with %v", codes, stanza.ResourceLimit)
	}
}

func TestQuotasAreChecked(t *testing.T) {
	t.Parallel()
	for _, q := range []Quotas{{Fetches: -1}, {FetchesOfOne: -1}, {FetchEvery: -1}, {Waiting: -1}, {Bytes: -1}} {
		if _, err := NewGatekeeper(GatekeeperConfig{Native: ident.User, Quotas: q}); err == nil {
			t.Errorf("%+v is taken", q)
		}
	}
	if _, err := NewGatekeeper(GatekeeperConfig{Native: ident.User, Quotas: DefaultQuotas()}); err != nil {
		t.Error(err)
	}
}
