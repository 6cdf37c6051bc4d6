package mlsserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// TestRefuses: what makes no sense is answered with a status and changes nothing.
func TestRefuses(t *testing.T) {
	t.Parallel()
	s := New(func(id suite.ID) (suite.Suite, error) {
		return suite.NewSeeded(id, sha256.Sum256([]byte(t.Name())), "")
	},
		func() time.Time { return time.Unix(1_800_000_000, 0) })
	ctx := context.Background()
	g, err := s.CreateGroup(ctx, &pb.CreateGroupRequest{GroupId: []byte("g"), CipherSuite: 1, Identity: []byte("alice")})
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func() error{
		"suite":       func() error { _, err := s.CreateGroup(ctx, &pb.CreateGroupRequest{CipherSuite: 99}); return err },
		"large suite": func() error { _, err := s.CreateGroup(ctx, &pb.CreateGroupRequest{CipherSuite: 65537}); return err },
		"state":       func() error { _, err := s.StateAuth(ctx, &pb.StateAuthRequest{StateId: 99}); return err },
		"transaction": func() error { _, err := s.JoinGroup(ctx, &pb.JoinGroupRequest{TransactionId: 99}); return err },
		"pending": func() error {
			_, err := s.HandlePendingCommit(ctx, &pb.HandlePendingCommitRequest{StateId: g.StateId})
			return err
		},
		"key package": func() error {
			_, err := s.AddProposal(ctx, &pb.AddProposalRequest{StateId: g.StateId, KeyPackage: []byte("no")})
			return err
		},
		"no such member": func() error {
			_, err := s.RemoveProposal(ctx, &pb.RemoveProposalRequest{StateId: g.StateId, RemovedId: []byte("bob")})
			return err
		},
		"proposal type": func() error {
			_, err := s.Commit(ctx, &pb.CommitRequest{StateId: g.StateId, ByValue: []*pb.ProposalDescription{{ProposalType: []byte("x")}, nil}})
			return err
		},
		"commit":     func() error { _, err := s.HandleCommit(ctx, &pb.HandleCommitRequest{StateId: g.StateId}); return err },
		"unprotect":  func() error { _, err := s.Unprotect(ctx, &pb.UnprotectRequest{StateId: g.StateId}); return err },
		"group info": func() error { _, err := s.ExternalJoin(ctx, &pb.ExternalJoinRequest{GroupInfo: []byte{0}}); return err },
		"export": func() error {
			_, err := s.Export(ctx, &pb.ExportRequest{StateId: g.StateId, KeyLength: 1 << 20})
			return err
		},
	}
	wide := []*pb.Extension{{ExtensionType: 1<<16 + 1}}
	describe := func(d *pb.ProposalDescription) error {
		_, err := s.Commit(ctx, &pb.CommitRequest{StateId: g.StateId, ByValue: []*pb.ProposalDescription{d}})
		return err
	}
	invalidCalls := map[string]func() error{
		"extension type": func() error {
			_, err := s.GroupContextExtensionsProposal(ctx, &pb.GroupContextExtensionsProposalRequest{StateId: g.StateId, Extensions: wide})
			return err
		},
		"extension type by value": func() error {
			return describe(&pb.ProposalDescription{ProposalType: []byte("groupContextExtensions"), Extensions: wide})
		},
		"suite of a reinit": func() error {
			_, err := s.ReInitProposal(ctx, &pb.ReInitProposalRequest{StateId: g.StateId, CipherSuite: 1<<16 + 1})
			return err
		},
		"extension type of a reinit": func() error {
			_, err := s.ReInitProposal(ctx, &pb.ReInitProposalRequest{StateId: g.StateId, CipherSuite: 1, Extensions: wide})
			return err
		},
		"suite of a reinit by value": func() error {
			return describe(&pb.ProposalDescription{ProposalType: []byte("reinit"), CipherSuite: 1<<16 + 1})
		},
		"extension type of a branch": func() error {
			_, err := s.CreateBranch(ctx, &pb.CreateBranchRequest{StateId: g.StateId, GroupId: []byte("b"), Extensions: wide})
			return err
		},
	}
	for name, call := range invalidCalls {
		if err := call(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: error %v, want %v", name, err, codes.InvalidArgument)
		}
	}
	calls["pending commit without a reinit"] = func() error {
		if _, err := s.Commit(ctx, &pb.CommitRequest{StateId: g.StateId}); err != nil {
			t.Fatal(err)
		}
		_, err := s.HandlePendingReInitCommit(ctx, &pb.HandlePendingCommitRequest{StateId: g.StateId})
		s.states[g.StateId].pending = nil // "pending" sees that there is none
		return err
	}
	before, err := s.StateAuth(ctx, &pb.StateAuthRequest{StateId: g.StateId})
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range calls {
		if err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	after, err := s.StateAuth(ctx, &pb.StateAuthRequest{StateId: g.StateId})
	if err != nil || !bytes.Equal(before.StateAuthSecret, after.StateAuthSecret) {
		t.Errorf("the state changed: %v", err)
	}
}

// TestFailsWhole: a call that fails keeps nothing of what came with it, whatever the
// handshakes are sent in, and passes when it is made again as it should be.
func TestFailsWhole(t *testing.T) {
	t.Parallel()
	for _, encrypt := range []bool{false, true} {
		clients := 0
		s := New(func(id suite.ID) (suite.Suite, error) {
			clients++
			return suite.NewSeeded(id, sha256.Sum256([]byte(t.Name())), fmt.Sprint(clients))
		}, func() time.Time { return time.Unix(1_800_000_000, 0) })
		ctx := context.Background()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		g, err := s.CreateGroup(ctx, &pb.CreateGroupRequest{GroupId: []byte("g"), CipherSuite: 1, Identity: []byte("alice"), EncryptHandshake: encrypt})
		must(err)
		var joined []uint32
		for _, name := range []string{"bob", "carol"} {
			k, err := s.CreateKeyPackage(ctx, &pb.CreateKeyPackageRequest{CipherSuite: 1, Identity: []byte(name)})
			must(err)
			c, err := s.Commit(ctx, &pb.CommitRequest{StateId: g.StateId, ByValue: []*pb.ProposalDescription{{ProposalType: []byte("add"), KeyPackage: k.KeyPackage}}})
			must(err)
			_, err = s.HandlePendingCommit(ctx, &pb.HandlePendingCommitRequest{StateId: g.StateId})
			must(err)
			for _, n := range joined {
				_, err := s.HandleCommit(ctx, &pb.HandleCommitRequest{StateId: n, Commit: c.Commit})
				must(err)
			}
			j, err := s.JoinGroup(ctx, &pb.JoinGroupRequest{TransactionId: k.TransactionId, Welcome: c.Welcome, EncryptHandshake: encrypt})
			must(err)
			joined = append(joined, j.StateId)
		}
		bob, carol := joined[0], joined[1]
		p, err := s.UpdateProposal(ctx, &pb.UpdateProposalRequest{StateId: bob})
		must(err)
		other, err := s.ResumptionPSKProposal(ctx, &pb.ResumptionPSKProposalRequest{StateId: bob, EpochId: 77}) // which nobody has
		must(err)
		kept := func(what string, n uint32) {
			t.Helper()
			if got := len(s.states[n].group.Proposals()) + len(s.states[n].refs); got > 0 || s.states[n].pending != nil {
				t.Errorf("encrypted %v, %s: %d proposals and references kept, pending %v", encrypt, what, got, s.states[n].pending)
			}
		}
		if _, err := s.Commit(ctx, &pb.CommitRequest{StateId: g.StateId, ByReference: [][]byte{p.Proposal, other.Proposal}}); err == nil {
			t.Error("committed a pre-shared key that is not known")
		}
		kept("commit", g.StateId)
		c, err := s.Commit(ctx, &pb.CommitRequest{StateId: g.StateId, ByReference: [][]byte{p.Proposal}})
		must(err)
		bad := bytes.Clone(c.Commit)
		bad[len(bad)-1] ^= 1
		for what, commit := range map[string][]byte{"damaged commit": bad, "proposal for a commit": other.Proposal} {
			if _, err := s.HandleCommit(ctx, &pb.HandleCommitRequest{StateId: carol, Proposal: [][]byte{p.Proposal}, Commit: commit}); err == nil {
				t.Errorf("%s: no error", what)
			}
			kept(what, carol)
		}
		if _, err := s.HandleReInitCommit(ctx, &pb.HandleCommitRequest{StateId: carol, Proposal: [][]byte{p.Proposal}, Commit: c.Commit}); err == nil {
			t.Error("took a commit without a reinit for one with it")
		}
		kept("no reinit", carol)
		if _, err := s.Unprotect(ctx, &pb.UnprotectRequest{StateId: carol, Ciphertext: other.Proposal}); err == nil {
			t.Error("took a proposal for application data")
		}
		kept("proposal for application data", carol)
		_, err = s.HandleCommit(ctx, &pb.HandleCommitRequest{StateId: carol, Proposal: [][]byte{p.Proposal}, Commit: c.Commit})
		must(err)
		_, err = s.HandleCommit(ctx, &pb.HandleCommitRequest{StateId: bob, Proposal: [][]byte{p.Proposal}, Commit: c.Commit})
		must(err)
		a, err := s.HandlePendingCommit(ctx, &pb.HandlePendingCommitRequest{StateId: g.StateId})
		must(err)
		for _, n := range joined {
			if b, err := s.StateAuth(ctx, &pb.StateAuthRequest{StateId: n}); err != nil || !bytes.Equal(a.EpochAuthenticator, b.StateAuthSecret) {
				t.Errorf("encrypted %v: state %d disagrees: %v", encrypt, n, err)
			}
		}
	}
}
