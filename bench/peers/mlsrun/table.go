package mlsrun

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
)

// table is where one game is played. Its verbs end the game at the first error.
type table struct {
	ctx     context.Context
	peers   []*Peer
	deal    int
	suite   uint32
	common  []uint32
	private bool
	timeout time.Duration
	book    *book
	actors  map[string]*actor
	order   []string // actors in the order of their entrance
	rng     *rand.Rand
	steps   int
	most    int
	groupID []byte
	maker   *actor  // of the Commit or Welcome that the others are given, or nil
	last    Failure // the last call, which has failed if the game ends early
}

// actor is one client, played by a peer.
type actor struct {
	name   string
	peer   *Peer
	state  uint32
	tx     uint32
	kp     []byte
	joined bool
}

// fault carries an error out of a game.
type fault struct{ err error }

// try plays a part until its end or first error.
func (t *table) try(play func(*table)) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case fault:
			err = v.err
		default:
			panic(v)
		}
	}()
	play(t)
	return nil
}

// failf ends the game.
func (t *table) failf(format string, a ...any) { panic(fault{fmt.Errorf(format, a...)}) }

// actor returns an actor, who enters with the first mention: the first two as the
// deal says, so that all pairs of peers occur, the others in turn.
func (t *table) actor(name string) *actor {
	if a := t.actors[name]; a != nil {
		return a
	}
	n := len(t.peers)
	seat := len(t.order)
	i := [2]int{t.deal % n, t.deal / n}[seat%2]
	if seat >= 2 {
		i = (t.deal + seat) % n
	}
	a := &actor{name: name, peer: t.peers[i]}
	t.actors[name] = a
	t.order = append(t.order, name)
	return a
}

// call makes one call for an actor and notes it. size tells how large the message in
// the answer is; nil for none.
func call[Q, A any](t *table, a *actor, name string, rpc func(context.Context, Q, ...grpc.CallOption) (A, error), q Q, size func(A) int) A {
	ctx := t.ctx
	if t.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.timeout)
		defer cancel()
	}
	t.last = Failure{Call: name, Peer: a.peer.Name}
	if t.maker != nil {
		t.last.Maker = t.maker.peer.Name
	}
	start := time.Now()
	r, err := rpc(ctx, q)
	t.last.Status = status.Code(err).String()
	if err != nil {
		t.failf("%s of %s (%s): %w", name, a.name, a.peer.Name, err)
	}
	n := 0
	if size != nil {
		n = size(r)
	}
	t.book.note(a.peer.Name, name, time.Since(start), n)
	return r
}

// free gives the states back. A peer may have dropped one that a ReInit closed.
func (t *table) free() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 10*time.Second)
	defer cancel()
	for _, a := range t.actors {
		if a.state != 0 {
			a.peer.rpc.Free(ctx, &pb.FreeRequest{StateId: a.state})
		}
	}
}

// create lets an actor make a group and add others to it.
func (t *table) create(by string, others ...string) {
	a := t.actor(by)
	t.groupID = fmt.Appendf(nil, "group of %s %d", by, t.rng.Uint64())
	r := call(t, a, "CreateGroup", a.peer.rpc.CreateGroup, &pb.CreateGroupRequest{
		GroupId: t.groupID, CipherSuite: t.suite, EncryptHandshake: t.private, Identity: []byte(by),
	}, nil)
	a.state, a.joined = r.StateId, true
	if len(others) > 0 {
		o := commit{}
		for _, name := range others {
			t.keyPackage(name)
			o.values = append(o.values, add(t.actor(name)))
		}
		o.joiners = others
		t.commit(by, o)
	}
}

// keyPackage lets an actor make a KeyPackage.
func (t *table) keyPackage(name string) {
	a := t.actor(name)
	r := call(t, a, "CreateKeyPackage", a.peer.rpc.CreateKeyPackage,
		&pb.CreateKeyPackageRequest{CipherSuite: t.suite, Identity: []byte(name)},
		func(r *pb.CreateKeyPackageResponse) int { return len(r.KeyPackage) })
	a.tx, a.kp = r.TransactionId, r.KeyPackage
}

// members returns who is in the group, but for some.
func (t *table) members(but ...string) []*actor {
	var in []*actor
next:
	for _, name := range t.order {
		for _, b := range but {
			if b == name {
				continue next
			}
		}
		if a := t.actors[name]; a.joined {
			in = append(in, a)
		}
	}
	return in
}

// commit is what a Commit is to do.
type commit struct {
	refs     [][]byte
	values   []*pb.ProposalDescription
	joiners  []string
	removed  []string
	path     bool
	external bool // the tree goes beside the Welcome
}

// commit lets a member commit, all others follow and joiners join; then all have to
// agree.
func (t *table) commit(by string, o commit) {
	a := t.actor(by)
	r := call(t, a, "Commit", a.peer.rpc.Commit, &pb.CommitRequest{
		StateId: a.state, ByReference: o.refs, ByValue: o.values, ForcePath: o.path, ExternalTree: o.external,
	}, func(r *pb.CommitResponse) int { return len(r.Commit) })
	own := call(t, a, "HandlePendingCommit", a.peer.rpc.HandlePendingCommit, &pb.HandlePendingCommitRequest{StateId: a.state}, nil)
	a.state = own.StateId
	for _, name := range o.removed {
		t.actors[name].joined = false
	}
	t.maker = a
	t.follow(by, o.refs, r.Commit, own.EpochAuthenticator)
	for _, name := range o.joiners {
		t.join(name, r.Welcome, r.RatchetTree, own.EpochAuthenticator)
	}
	t.maker = nil
	t.agree()
}

// follow lets all but one handle a Commit.
func (t *table) follow(but string, refs [][]byte, commit, authenticator []byte) {
	for _, m := range t.members(but) {
		h := call(t, m, "HandleCommit", m.peer.rpc.HandleCommit, &pb.HandleCommitRequest{StateId: m.state, Proposal: refs, Commit: commit}, nil)
		m.state = h.StateId
		t.same(m, h.EpochAuthenticator, authenticator)
	}
}

// same ends the game if an actor has another epoch authenticator than others.
func (t *table) same(a *actor, got, want []byte) {
	if !bytes.Equal(got, want) {
		t.failf("%s (%s) has epoch authenticator %x, others %x", a.name, a.peer.Name, got, want)
	}
}

// join lets an actor join by a Welcome.
func (t *table) join(name string, welcome, ratchetTree, authenticator []byte) {
	a := t.actor(name)
	r := call(t, a, "JoinGroup", a.peer.rpc.JoinGroup, &pb.JoinGroupRequest{
		TransactionId: a.tx, Welcome: welcome, EncryptHandshake: t.private, Identity: []byte(name), RatchetTree: ratchetTree,
	}, nil)
	a.state, a.joined = r.StateId, true
	t.same(a, r.EpochAuthenticator, authenticator)
}

// agree compares what all members derive.
func (t *table) agree() {
	var auth, secret []byte
	for i, m := range t.members() {
		s := call(t, m, "StateAuth", m.peer.rpc.StateAuth, &pb.StateAuthRequest{StateId: m.state}, nil)
		if i == 0 {
			auth = s.StateAuthSecret
		}
		t.same(m, s.StateAuthSecret, auth)
		e := call(t, m, "Export", m.peer.rpc.Export, &pb.ExportRequest{StateId: m.state, Label: "mimi-lab", Context: []byte("context"), KeyLength: 32}, nil)
		if i == 0 {
			secret = e.ExportedSecret
		}
		if !bytes.Equal(e.ExportedSecret, secret) {
			t.failf("%s (%s) exports %x, others %x", m.name, m.peer.Name, e.ExportedSecret, secret)
		}
	}
}

// say lets a member send a message, which others have to open later.
func (t *table) say(by, text string) []byte {
	a := t.actor(by)
	return call(t, a, "Protect", a.peer.rpc.Protect,
		&pb.ProtectRequest{StateId: a.state, AuthenticatedData: []byte("to all"), Plaintext: []byte(text)},
		func(r *pb.ProtectResponse) int { return len(r.Ciphertext) }).Ciphertext
}

// hear lets a member open a message.
func (t *table) hear(who string, b []byte, text string) {
	a := t.actor(who)
	r := call(t, a, "Unprotect", a.peer.rpc.Unprotect, &pb.UnprotectRequest{StateId: a.state, Ciphertext: b}, nil)
	if string(r.Plaintext) != text || string(r.AuthenticatedData) != "to all" {
		t.failf("%s (%s) opened %q with %q, want %q with \"to all\"", who, a.peer.Name, r.Plaintext, r.AuthenticatedData, text)
	}
}

// psk gives members a pre-shared key.
func (t *table) psk(id string, who ...string) {
	for _, name := range who {
		a := t.actor(name)
		n := a.state
		if !a.joined {
			n = a.tx
		}
		call(t, a, "StorePSK", a.peer.rpc.StorePSK, &pb.StorePSKRequest{StateOrTransactionId: n, PskId: []byte(id), PskSecret: []byte("secret of " + id)}, nil)
	}
}
