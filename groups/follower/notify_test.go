package follower

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// A Welcome goes to those whose KeyPackages it is for, and to no other.
func TestWelcome(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	k1, k2 := l.publish(clientB1, 1), l.publish(clientB2, 1)
	stranger := l.publish(clientX1, 1)
	l.claim(clubhouse)
	for _, c := range []ident.URI{clientB1, clientB2, clientX1} {
		l.step(Connect{c})
	}
	wantDeliveries(t, l.notify(l.welcome(&k1[0], &k2[0], &stranger[0])), "ClientB1 box 1, ClientB2 box 1")
	if about := l.f.clients[clientB1].box[0].room; about != clubhouse {
		t.Errorf("the Welcome is about %v, want %v", about, clubhouse)
	}
	wantDeliveries(t, l.notify(l.application(1)), "ClientB1 clubhouse 1, ClientB2 clubhouse 1")
	// What was forwarded is forgotten: the same Welcome again, in another event, is for
	// nobody.
	again := l.welcome(&k1[0])
	again.Timestamp++
	wantDeliveries(t, l.notify(again), "")
}

// "If a follower server receives a duplicate request to the /notify endpoint [...]
// the follower server MUST return a 201 Accepted response", and what came is not
// delivered twice, in whatever way the hub puts events together.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.Remembered = 3 })
	l.bring(clientB1)
	l.step(Connect{clientB1})
	m := func(n uint64) mimi.FanoutMessage { return l.application(n) }
	wantDeliveries(t, l.notify(m(1), m(2)), "ClientB1 clubhouse 1, ClientB1 clubhouse 2")
	wantDeliveries(t, l.notify(m(1), m(2)), "")
	l.restart()
	l.step(Connect{clientB1})
	wantDeliveries(t, l.notify(m(2), m(3), m(3)), "ClientB1 clubhouse 3")
	wantDeliveries(t, l.notify(m(4), m(5)), "ClientB1 clubhouse 4, ClientB1 clubhouse 5")
	l.restart()
	l.step(Connect{clientB1})
	wantDeliveries(t, l.notify(m(3), m(4), m(5)), "")
	wantDeliveries(t, l.notify(m(1)), "ClientB1 clubhouse 6") // longer ago than is remembered
}

// TestMissed: clients see by their numbers that a hub has given up events, once for each
// time that it says so, and a hub can't use the numbers up.
func TestMissed(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.bring(clientB1)
	l.step(Connect{clientB1})
	notify := func(missed uint64, n ...uint64) Output {
		var list []mimi.FanoutMessage
		for _, n := range n {
			list = append(list, l.application(n))
		}
		return l.step(Notify{From: "a.example", Room: clubhouse, Messages: list, Missed: missed})
	}
	wantDeliveries(t, notify(0, 1), "ClientB1 clubhouse 1")
	wantDeliveries(t, notify(5, 2, 3), "ClientB1 clubhouse 7, ClientB1 clubhouse 8")
	wantDeliveries(t, notify(5, 2, 3), "") // the answer was lost
	l.restart()
	l.step(Connect{clientB1})
	wantDeliveries(t, notify(5, 2, 3), "")
	wantDeliveries(t, notify(0, 4), "ClientB1 clubhouse 9")
	l.step(Ack{Client: clientB1, Room: clubhouse, Seq: 9})
	wantDeliveries(t, notify(math.MaxUint64, 5), fmt.Sprintf("ClientB1 clubhouse %d", 10+maxMissed))
	l.step(Ack{Client: clientB1, Room: clubhouse, Seq: 10 + maxMissed})
	if r := l.f.rooms[clubhouse]; len(r.log) > 0 {
		t.Errorf("%d events wait for nobody", len(r.log))
	}
}

// What is remembered is written in pages of many events, and comes back from them as
// it was, also when the ring has turned.
func TestSeenPages(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.Remembered = 2*seenPage + 5 })
	l.bring(clientB1)
	sent := 0
	for _, n := range []int{1, seenPage - 1, 1, seenPage + 3, 2, 40, 3*seenPage + 1, 5} {
		var list []mimi.FanoutMessage
		for range n {
			sent++
			list = append(list, l.application(uint64(sent)))
		}
		out := l.step(Notify{From: "a.example", Room: clubhouse, Messages: list})
		pages := 0
		for _, r := range out.Persist {
			if strings.HasPrefix(r.Key, "seen|") {
				pages++
			}
		}
		if most := n/seenPage + 3; pages > most {
			t.Errorf("%d events write %d pages, want at most %d", n, pages, most)
		}
		l.restart()
		remembered := list[max(0, len(list)-l.f.limits.Remembered):]
		if out := l.step(Notify{From: "a.example", Room: clubhouse, Messages: remembered}); len(out.Persist) > 0 {
			t.Errorf("after %d events the last %d are news: %d records", sent, len(remembered), len(out.Persist))
		}
	}
	r := l.f.rooms[clubhouse]
	if len(r.log) != sent || len(r.order) != l.f.limits.Remembered || len(r.seen) != len(r.order) {
		t.Errorf("%d events, of which %d are remembered, want %d and %d", len(r.log), len(r.seen), sent, l.f.limits.Remembered)
	}
}

// What a follower has had is forgotten when the last client leaves a room, and a request
// of then may come again when one is in the room anew. It is of before that.
func TestDuplicateOfBefore(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	k := l.publish(clientB1, 2)
	l.claim(clubhouse)
	l.claim(clubhouse)
	l.step(Connect{clientB1})
	at := func(m mimi.FanoutMessage, at uint64) mimi.FanoutMessage {
		m.Timestamp = at
		return m
	}
	l.notify(at(l.welcome(&k[0]), 1))
	old := at(l.application(1), 2)
	wantDeliveries(t, l.notify(old), "ClientB1 clubhouse 1")
	l.step(Leave{clientB1, clubhouse, 1})
	wantDeliveries(t, l.notify(at(l.welcome(&k[1]), 3)), "ClientB1 box 2")
	wantDeliveries(t, l.notify(old), "")
	l.restart()
	l.step(Connect{clientB1})
	wantDeliveries(t, l.notify(old), "")
	wantDeliveries(t, l.notify(at(l.application(2), 4)), "ClientB1 clubhouse 2")
}

// A client whose external Commit was refused is let out, and in again with the next one.
// What came meanwhile, and comes again since the hub did not see the answer, is no news.
func TestDuplicateOfRefusedJoin(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.step(Connect{clientB1})
	join := Call{Client: clientB1, Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: commit(message.Sender{Type: message.SenderNewMemberCommit})}
	id := l.step(join).Requests[0].ID
	wantDeliveries(t, l.notify(l.application(1)), "ClientB1 clubhouse 1")
	l.step(Answer{ID: id, Body: &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateWrongEpoch}})
	wantDeliveries(t, l.notify(l.application(2)), "")
	l.restart()
	l.step(Connect{clientB1})
	l.step(join)
	wantDeliveries(t, l.notify(l.application(1), l.application(2), l.application(3)), "ClientB1 clubhouse 2")
}

// Rooms that nobody is in are not remembered without end: of each hub the last.
func TestRoomsLeft(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	named := func(i int) ident.URI { return uri(fmt.Sprintf("mimi://b.example/r/%d", i)) }
	for i := range maxLeft + 3 {
		l.step(Join{Client: clientB1, Room: named(i)})
		l.now = l.now.Add(time.Millisecond)
		l.step(Leave{Client: clientB1, Room: named(i)})
	}
	if n := len(l.f.rooms); n != maxLeft || l.f.rooms[named(2)] != nil || l.f.rooms[named(3)] == nil {
		t.Errorf("%d rooms are remembered, want the last %d", n, maxLeft)
	}
	l.step(Join{Client: clientB1, Room: named(3)})
	l.restart()
	l.step(Join{Client: clientB1, Room: named(4)})
	if n := l.f.left["b.example"]; n != maxLeft-2 {
		t.Errorf("nobody is in %d rooms, want %d", n, maxLeft-2)
	}
}

// A client that was away gets what it has not acknowledged, in order, and the log
// keeps nothing that all have.
func TestAway(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.bring(clientB1, clientB2)
	l.step(Connect{clientB1})
	wantDeliveries(t, l.notify(l.application(1), l.application(2)), "ClientB1 clubhouse 1, ClientB1 clubhouse 2")
	l.step(Ack{clientB1, clubhouse, 2})
	l.step(Disconnect{clientB1})
	wantDeliveries(t, l.notify(l.application(3)), "")
	l.restart()
	wantDeliveries(t, l.step(Connect{clientB1}), "ClientB1 clubhouse 3")
	wantDeliveries(t, l.step(Connect{clientB2}), "ClientB2 clubhouse 1, ClientB2 clubhouse 2, ClientB2 clubhouse 3")
	l.step(Ack{clientB2, clubhouse, 3})
	l.step(Ack{clientB2, clubhouse, 1}) // late: nothing comes back
	if n := len(l.f.rooms[clubhouse].log); n != 1 {
		t.Errorf("%d events are kept, want 1", n)
	}
	l.step(Ack{clientB1, clubhouse, 3})
	if n := len(l.f.rooms[clubhouse].log); n != 0 {
		t.Errorf("%d events are kept, want none", n)
	}
	l.refused(400, "acknowledgement of 4", Ack{clientB1, clubhouse, 4})
	l.refused(400, "acknowledgement of 9", Ack{clientB1, ident.URI{}, 9})
}

func TestLeave(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.bring(clientB1, clientB2)
	l.step(Connect{clientB1})
	l.notify(l.application(1))
	l.step(Ack{clientB1, clubhouse, 1})
	l.step(Leave{Client: clientB2, Room: clubhouse})
	if n := len(l.f.rooms[clubhouse].log); n != 0 {
		t.Errorf("%d events are kept for nobody", n)
	}
	wantDeliveries(t, l.notify(l.application(2)), "ClientB1 clubhouse 2")
	l.step(Ack{clientB2, clubhouse, 1}) // was under way
	l.step(RemoveClient{clientB1})
	l.notify(l.application(3)) // the hub does not know yet
	if r := l.f.rooms[clubhouse]; len(r.log) != 0 || len(r.seen) != 5 {
		t.Errorf("%d events are kept for nobody, and %d known, want none and 5", len(r.log), len(r.seen))
	}
	l.step(Wake{}) // of a machine that has just begun, which knows no time
	l.restart()
	for _, days := range []int{0, 30} {
		if len(l.f.rooms) != 1 {
			t.Errorf("%d rooms after %d days, want 1", len(l.f.rooms), days)
		}
		l.now = l.now.AddDate(0, 0, days).Add(2 * sweepEvery)
		l.step(Wake{})
	}
	if len(l.f.rooms) != 0 || len(l.f.left) != 0 {
		t.Errorf("%d rooms that nobody is in are kept, %v", len(l.f.rooms), l.f.left)
	}
	l.step(RemoveUser{bob})
	l.refused(404, "no user", RemoveUser{bob})
	l.refused(409, "deleted", AddUser{User: bob})
}

// A client that was removed and added again is not let out by what it said of its
// removal before it knew.
func TestLeaveOvertaken(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.bring(clientB1)
	l.step(Connect{clientB1})
	l.notify(l.application(1)) // stands for the Commit that removes it
	l.bring(clientB1)          // and a Welcome back
	l.step(Leave{clientB1, clubhouse, 1})
	wantDeliveries(t, l.notify(l.application(2)), "ClientB1 clubhouse 2")
	l.step(Leave{clientB1, clubhouse, 2})
	wantDeliveries(t, l.notify(l.application(3)), "")
}

// A client that is away while it is removed and added again, twice, gets the events and
// the Welcomes in the order in which they came.
func TestAddedAgainWhileAway(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.bring(clientB1)
	for n := uint64(1); n < 6; n += 2 {
		l.notify(l.application(n), l.application(n+1))
		k := l.publish(clientB1, 1)
		l.claim(clubhouse)
		l.notify(l.welcome(&k[0]))
	}
	l.notify(l.application(7))
	l.restart()
	l.step(Ack{clientB1, clubhouse, 1})
	wantDeliveries(t, l.step(Connect{clientB1}), "ClientB1 clubhouse 2, ClientB1 box 2, ClientB1 clubhouse 3, ClientB1 clubhouse 4, ClientB1 box 3, "+
		"ClientB1 clubhouse 5, ClientB1 clubhouse 6, ClientB1 box 4, ClientB1 clubhouse 7")
	l.step(Disconnect{clientB1})
	l.step(Ack{clientB1, clubhouse, 5})
	wantDeliveries(t, l.step(Connect{clientB1}), "ClientB1 box 2, ClientB1 box 3, ClientB1 clubhouse 6, ClientB1 box 4, ClientB1 clubhouse 7")
}

func TestNotifyRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.bring(clientB1)
	l.refused(403, "come from c.example", Notify{From: "c.example", Room: clubhouse, Messages: []mimi.FanoutMessage{l.application(1)}})
	l.refused(403, "come from a.example", Notify{From: "a.example", Room: bob, Messages: []mimi.FanoutMessage{l.application(1)}})
	bad := l.welcome()
	bad.RatchetTreeOption = mimi.RatchetTreeOption{Representation: mimi.TreeHTTPSURI, RatchetTreeURL: "http://a.example/tree"}
	l.refused(400, "event 2 of 2", Notify{From: "a.example", Room: clubhouse, Messages: []mimi.FanoutMessage{l.application(1), bad}})
}

// What nobody fetches in time goes.
func TestRetention(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.bring(clientB1)
	l.publish(clientB1, 1)
	l.claim(clubhouse)
	l.notify(l.application(1))
	l.now = start.AddDate(0, 0, 29)
	l.step(Wake{})
	l.notify(l.application(2))
	l.now = start.AddDate(0, 2, 0)
	l.step(Wake{})
	if n, m := len(l.f.rooms[clubhouse].log), len(l.f.given); n != 0 || m != 0 {
		t.Errorf("%d events and %d KeyPackages are remembered, want none", n, m)
	}
	l.step(Ack{clientB1, clubhouse, 1})
	wantDeliveries(t, l.step(Connect{clientB1}), "")
	wantDeliveries(t, l.notify(l.application(3)), "ClientB1 clubhouse 3")
}

// TestDeliversExactlyOnce: whatever is repeated, however often the provider restarts
// and its clients come and go, every client that ignores what it has acknowledged
// gets every event of its rooms once and in order. Every step's records are the whole
// state (lab.step).
func TestDeliversExactlyOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		l := newLab(t, nil)
		clients := []ident.URI{clientB1, clientB2, clientX1}
		l.bring(clients...)
		// bring welcomes one after the other with nothing between, so that all have all.
		sent, have := uint64(0), map[ident.URI][]uint64{}
		take := func(out Output) {
			for _, d := range out.Deliveries {
				if n := uint64(len(have[d.Client])); d.Seq == n+1 {
					have[d.Client] = append(have[d.Client], d.Seq)
				} else if d.Seq > n+1 {
					r.Fatalf("%v gets event %d after %d", d.Client, d.Seq, n)
				}
			}
		}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			c := rapid.SampledFrom(clients).Draw(r, "client")
			switch rapid.IntRange(0, 5).Draw(r, "what") {
			case 0, 1:
				from := max(1, int(sent)-rapid.IntRange(0, 5).Draw(r, "repeated")+1)
				sent += rapid.Uint64Range(0, 3).Draw(r, "new")
				var list []mimi.FanoutMessage
				for n := uint64(from); n <= sent; n++ {
					list = append(list, l.application(n))
				}
				if len(list) > 0 {
					take(l.notify(list...))
				}
			case 2:
				take(l.step(Connect{c}))
			case 3:
				l.step(Disconnect{c})
			case 4:
				l.step(Ack{c, clubhouse, uint64(rapid.IntRange(0, len(have[c])).Draw(r, "acked"))})
			case 5:
				l.restart()
			}
		}
		l.restart()
		for _, c := range clients {
			take(l.step(Connect{c}))
			if n := uint64(len(have[c])); n != sent {
				r.Fatalf("%v has %d events of %d", c, n, sent)
			}
		}
	})
}

// Numbers are not given twice in a room that was left and entered again: a client that
// knows some by then would take new events for old ones, what it said of the old ones
// would be taken for the new, and its leave of before for one of now.
func TestNumbersAfterRejoin(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.bring(clientB1)
	l.step(Connect{clientB1})
	wantDeliveries(t, l.notify(l.application(1), l.application(2)), "ClientB1 clubhouse 1, ClientB1 clubhouse 2")
	l.step(Leave{Client: clientB1, Room: clubhouse, Seq: 2})
	l.restart()
	l.bring(clientB1)
	l.step(Connect{clientB1})
	l.step(Leave{Client: clientB1, Room: clubhouse, Seq: 2}) // which was on its way
	l.step(Ack{clientB1, clubhouse, 2})
	out := l.notify(l.application(3))
	wantDeliveries(t, out, "ClientB1 clubhouse 3")
	l.restart()
	wantDeliveries(t, l.step(Connect{clientB1}), "ClientB1 clubhouse 3")
}

// FuzzNotify: a hub may send anything that is well-formed.
func FuzzNotify(f *testing.F) {
	l := newLab(f, nil)
	l.bring(clientB1)
	welcome, app := l.welcome(), l.application(1)
	for _, m := range [][]mimi.FanoutMessage{{app}, {welcome}, {app, app}} {
		body, err := mimi.MarshalFanoutMessages(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := mimi.ParseFanoutMessages(body, nil)
		if err != nil {
			return
		}
		l := newLab(t, nil)
		l.bring(clientB1)
		before := len(l.records)
		out, err := l.f.Step(l.now, Notify{From: "a.example", Room: clubhouse, Messages: list})
		if err != nil && len(state(l.f)) != before {
			t.Fatalf("refused, %v, and changed", err)
		}
		if err == nil && len(out.Persist) > 6*len(list) {
			t.Fatalf("%d records for %d events", len(out.Persist), len(list))
		}
	})
}

// BenchmarkNotify measures one message of 1 KiB in a room with n connected clients of
// the provider: one record, n deliveries, and their acknowledgements.
func BenchmarkNotify(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := newLab(b, nil)
			var clients []ident.URI
			r := l.f.room(clubhouse)
			for i := range n {
				c := uri(fmt.Sprintf("mimi://b.example/d/bob/c%04d", i))
				clients = append(clients, c)
				l.f.joinRoom(l.f.newClient(l.f.users[bob], c), r)
				l.f.clients[c].connected = true
			}
			m := l.application(0)
			m.Message.Private = &message.PrivateMessage{
				GroupID: []byte("clubhouse"), Epoch: 1, ContentType: message.ContentApplication,
				EncryptedSenderData: make([]byte, 28), Ciphertext: make([]byte, 1024),
			}
			list := []mimi.FanoutMessage{m}
			b.ReportAllocs()
			for i := range b.N {
				list[0].Timestamp = uint64(i)
				out, err := l.f.Step(start, Notify{From: "a.example", Room: clubhouse, Messages: list})
				if err != nil || len(out.Deliveries) != n {
					b.Fatalf("%d deliveries, %v", len(out.Deliveries), err)
				}
				for _, c := range clients {
					if _, err := l.f.Step(start, Ack{c, clubhouse, r.last}); err != nil {
						b.Fatal(err)
					}
				}
			}
			if len(r.log) > 0 {
				b.Fatalf("%d events are left", len(r.log))
			}
		})
	}
}
