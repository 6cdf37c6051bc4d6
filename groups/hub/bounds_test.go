package hub

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// TestBounds holds what a peer can make the hub do by one request.
func TestBounds(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	bob := w.client("bob/ClientB1")
	tooLarge := func(in Input) {
		t.Helper()
		_, err := w.step(in)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Status != TooLarge {
			t.Errorf("%T: got %v, want too large", in, err)
		}
	}
	k := must(bob.cfg.NewKeyPackage(w.now, bob.id, mls.LeafOptions{}))
	tooLarge(GrantedKeyPackages{"b.example", slices.Repeat([]message.KeyPackage{k.Public}, maxKeys+1)})
	tooLarge(ReportAbuse{"b.example", clubhouse, marshal(&mimi.AbuseReport{Messages: make([]mimi.AbusiveMessage, maxReported+1)})})
}

// TestJoinersOfOneProvider holds that the users of one provider, which has as many as it
// likes, can't keep those of others from joining by a code.
func TestJoinersOfOneProvider(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	r := w.hub.rooms[clubhouse]
	for i := range maxJoinsOf {
		r.joins[uri(fmt.Sprintf("mimi://d.example/u/sybil%d", i))] = w.now.Add(time.Minute).UnixMilli()
	}
	ask := func(name string) mimi.GroupInfoCode {
		_, out, err := w.groupInfo(w.client(name), "sesame")
		if err != nil {
			t.Fatal(err)
		}
		return out.Response.(*mimi.GroupInfoResponse).Status
	}
	if got := ask("dora/ClientD1"); got != mimi.GroupInfoNotAuthorized {
		t.Errorf("one more of d.example: %v, want notAuthorized", got)
	}
	if got := ask("eve/ClientE1"); got != mimi.GroupInfoSuccess {
		t.Errorf("one of e.example: %v, want success", got)
	}
}

// TestProposalsOfOneSender holds that one user can't fill the room for what all may
// propose.
func TestProposalsOfOneSender(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, bob := w.client("alice/ClientA1"), w.client("bob/ClientB1")
	if out, err := w.leave(bob); !took(out, err) {
		t.Fatal(err, out.Refused)
	}
	many := slices.Repeat([]message.Proposal{mls.RemoveProposal(77)}, maxOfSender-1)
	out, err := w.propose(bob, many...)
	updateCode(t, out, err, mimi.UpdateNotAllowed, "want at most 256")
	out, err = w.propose(alice, many...) // which are wrong for another reason
	updateCode(t, out, err, mimi.UpdateInvalidProposal, "leaf 77")
}

// TestBacklog holds that a follower which accepts nothing costs the hub no more than a
// bound, also after a restart, and that others get everything.
func TestBacklog(t *testing.T) {
	t.Parallel()
	const most = 8000
	w := trio(t, func(c *Config) { c.Backlog = most })
	alice, cathy := w.client("alice/ClientA1"), w.client("cathy/ClientC1")
	size := func() (n int) {
		for key, v := range w.store {
			if strings.Contains(key, "/event/") {
				n += len(v)
			}
		}
		return n
	}
	givenUp, missed := 0, uint64(0)
	for i := range 200 {
		out, err := w.send(alice, fmt.Sprint(i))
		submitCode(t, out, err, mimi.SubmitAccepted, "")
		for _, g := range out.GivenUp {
			if g.To != "b.example" || g.Room != clubhouse {
				t.Errorf("given up: %+v", g)
			}
			givenUp += g.Events
		}
		if err := w.deliver("c.example"); err != nil {
			t.Fatal(err)
		}
		if i%50 == 20 {
			w.restore()
		}
		if n := size(); n > 2*most {
			t.Fatalf("%d bytes of events after %d messages, want about %d", n, i+1, most)
		}
	}
	if n := len(cathy.got); n != 200 {
		t.Errorf("cathy has read %d messages, want all", n)
	}
	list := w.hub.Backlogs()
	if len(list) != 1 || list[0].To != "b.example" || list[0].Bytes > most || list[0].Dropped == 0 {
		t.Fatalf("%+v, want a bounded backlog of b.example", list)
	}
	for len(w.flying) > 0 { // it accepts what there is, from the first request on
		s := w.flying[0]
		w.flying = w.flying[1:]
		missed += s.Missed
		if _, err := w.step(Delivered{s.Room, s.To, s.Last}); err != nil {
			t.Fatal(err)
		}
		w.restore()
	}
	if givenUp < 50 || missed != uint64(givenUp) {
		t.Errorf("the operator hears of %d events that were given up, the follower of %d", givenUp, missed)
	}
	for key := range w.store {
		if strings.Contains(key, "/missed/") {
			t.Errorf("%s is left", key)
		}
	}
	if n := size(); n != 0 || len(w.hub.Backlogs()) != 0 || len(w.hub.rooms[clubhouse].events) != 0 {
		t.Errorf("%d bytes are left, %+v", n, w.hub.Backlogs())
	}
	if q := w.hub.rooms[clubhouse].queues["b.example"]; q.size != 0 {
		t.Errorf("a queue of %d bytes is empty", q.size)
	}
}
