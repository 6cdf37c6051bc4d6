package hub

import (
	"errors"
	"slices"
	"testing"

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
