package hub

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// crowd is a room of n users of three followers, one client each, and Alice, whose
// client has made the last of it. Everything is delivered.
func crowd(t testing.TB, n int) *world {
	t.Helper()
	w := newWorld(nil)
	alice := w.client("alice/ClientA1")
	var list []room.UserRolePair
	var adds []message.Proposal
	keys := map[string][]message.KeyPackage{}
	for i := range n - 1 {
		c := w.client(fmt.Sprintf("%c%04d/Client", 'b'+byte(i%3), i))
		list = append(list, room.UserRolePair{User: c.user.String(), Role: roleUser})
		k := must(c.cfg.NewKeyPackage(w.now, c.id, mls.LeafOptions{}))
		adds = append(adds, mls.AddProposal(k.Public))
		keys[c.provider()] = append(keys[c.provider()], k.Public)
	}
	if _, err := w.create(alice, list...); err != nil {
		t.Fatal(err)
	}
	for _, p := range sortedKeys(keys) {
		must(w.step(GrantedKeyPackages{Provider: p, KeyPackages: keys[p]}))
	}
	if out, err := w.commit(alice, mls.CommitOptions{Proposals: adds}); !took(out, err) {
		t.Fatal(err, out.Refused)
	}
	w.skip(t)
	return w
}

// skip has all followers accept what is under way, without their clients.
func (w *world) skip(t testing.TB) {
	for len(w.flying) > 0 {
		s := w.flying[0]
		w.flying = w.flying[1:]
		if _, err := w.step(Delivered{s.Room, s.To, s.Last}); err != nil {
			t.Fatal(err)
		}
	}
}

// written counts what Persist holds.
type written struct{ records, bytes int }

func (w *written) add(out Output) {
	for _, r := range out.Persist {
		w.records++
		w.bytes += len(r.Key) + len(r.Value)
	}
}

// submitted steps a hub through a message and the answers of its followers.
func submitted(t testing.TB, w *world, in Input, sum *written, sends *[]Send) {
	out, err := w.hub.Step(w.now, in)
	if err != nil || out.Refused != nil {
		t.Fatal(err, out.Refused)
	}
	sum.add(out)
	*sends = append((*sends)[:0], out.Sends...)
	for _, s := range *sends {
		out, err := w.hub.Step(w.now, Delivered{s.Room, s.To, s.Last})
		if err != nil {
			t.Fatal(err)
		}
		sum.add(out)
	}
}

// submissions returns a function that gives messages of Alice, one of two in turn: the
// same once more would be answered as before. So the hub remembers one only.
func submissions(w *world) (next func() Input) {
	alice := w.client("alice/ClientA1")
	w.hub.cfg.Remembered = 1
	var list [2]Input
	for i := range list {
		m, _ := w.newMessage(alice, "a message of some sixty characters, which is what people send")
		list[i] = SubmitMessageRequest{"a.example", clubhouse, marshal(&mimi.SubmitMessageRequest{AppMessage: m, SendingURI: mimi.URI(alice.user)})}
	}
	turn := 0
	return func() Input {
		turn++
		return list[turn%2]
	}
}

// BenchmarkSubmit takes a message, franks it, and has three followers accept it: four
// Steps.
func BenchmarkSubmit(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			w := crowd(b, n)
			next := submissions(w)
			var sum written
			var sends []Send
			b.ReportAllocs()
			for b.Loop() {
				submitted(b, w, next(), &sum, &sends)
			}
			if len(sends) != 3 {
				b.Fatalf("%d sends, want 3", len(sends))
			}
			b.ReportMetric(float64(sum.records)/float64(b.N), "records/op")
			b.ReportMetric(float64(sum.bytes)/float64(b.N), "stored-B/op")
		})
	}
}

// BenchmarkCommit takes a Commit that renews its sender's keys, and has three
// followers accept it: four Steps. Its tree comes along in full, or is left to the
// hub. All members were added at once, so that the group's tree is blank but for one
// path, and a Commit has a ciphertext for every member: the worst there is.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		for _, full := range []bool{false, true} {
			b.Run(fmt.Sprintf("members=%d/tree=%t", n, full), func(b *testing.B) {
				w := crowd(b, n)
				var sum written
				var sends []Send
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					b.StopTimer()
					in, merge := renewal(b, w, full)
					b.StartTimer()
					submitted(b, w, in, &sum, &sends)
					b.StopTimer()
					merge()
					b.StartTimer()
				}
				b.ReportMetric(float64(sum.records)/float64(b.N), "records/op")
				b.ReportMetric(float64(sum.bytes)/float64(b.N), "stored-B/op")
			})
		}
	}
}

// renewal returns a Commit of Alice, and what she does when it is accepted.
func renewal(t testing.TB, w *world, full bool) (Input, func()) {
	alice := w.client("alice/ClientA1")
	p := must(w.newCommit(alice, mls.CommitOptions{Path: true}))
	return UpdateRequest{"a.example", clubhouse, marshal(bundle(p, full, p.Tree()))}, func() {
		if err := alice.group.Merge(&p.Staged); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGrowth measures what a message and a Commit write and allocate in rooms of ten
// and of a thousand. A message knows nothing of the room's size. A Commit writes the
// pages of its path; besides it the GroupContext, which holds the participant list,
// and the Commit itself.
func TestGrowth(t *testing.T) {
	type cost struct {
		message, commit written
		allocs          float64
	}
	measure := func(n int) (c cost) {
		w := crowd(t, n)
		next := submissions(w)
		var sends []Send
		submitted(t, w, next(), &c.message, &sends)
		c.allocs = testing.AllocsPerRun(20, func() { submitted(t, w, next(), new(written), &sends) })
		renew, _ := renewal(t, w, false)
		out := must(w.hub.Step(w.now, renew))
		for _, r := range out.Persist {
			if len(r.Value) > 0 && r.Key != "room/clubhouse/mls/context" && !strings.Contains(r.Key, "/event/") {
				c.commit.records++
				c.commit.bytes += len(r.Value)
			}
		}
		return c
	}
	few, many := measure(10), measure(1000)
	t.Logf("message: %+v and %+v, %v and %v allocations; commit: %+v and %+v", few.message, many.message, few.allocs, many.allocs, few.commit, many.commit)
	if few.message != many.message {
		t.Errorf("a message writes %+v in a room of 10 and %+v in one of 1000", few.message, many.message)
	}
	if many.allocs > few.allocs+2 {
		t.Errorf("a message takes %v allocations in a room of 10 and %v in one of 1000", few.allocs, many.allocs)
	}
	if many.commit.bytes > 8*few.commit.bytes { // 4 levels and 10
		t.Errorf("a commit writes %d bytes in a room of 10 and %d in one of 1000", few.commit.bytes, many.commit.bytes)
	}
}
