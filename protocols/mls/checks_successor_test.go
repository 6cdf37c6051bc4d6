package mls

import (
	"bytes"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
)

// successor lets "0" open a Welcome into a group of the insider that claims to come
// from the scene's: at the epoch, with a pre-shared key of the usage, and with those
// of names who are given a KeyPackage.
func (x *scene) successor(usage message.ResumptionPSKUsage, groupID string, names []string, change func(*message.GroupContext)) error {
	x.t.Helper()
	old := x.to
	id := resumptionPSK(usage, old.Epoch())
	id.Nonce = make([]byte, 32)
	secret, _ := old.ResumptionPSK(old.Epoch())
	psk, err := schedule.PSKSecret(x.cfg.Suite, []schedule.PSK{{ID: id, Secret: secret}})
	if err != nil {
		x.t.Fatal(err)
	}
	g, err := New(x.cfg, now, x.identity("1"), []byte(groupID), GroupOptions{})
	if err != nil {
		x.t.Fatal(err)
	}
	var first []message.Proposal
	for _, name := range names {
		first = append(first, AddProposal(x.keyPackage(name).Public))
	}
	if first != nil {
		p, err := g.Commit(now, CommitOptions{Proposals: first})
		if err != nil {
			x.t.Fatal(err)
		}
		if err := g.Merge(&p.Staged); err != nil {
			x.t.Fatal(err)
		}
	}
	k := x.keyPackage("0")
	w := forgeWelcome(x.t, g, k, welcomeForgery{
		psk:     psk,
		secrets: func(gs *message.GroupSecrets) { gs.PSKs = []message.PreSharedKeyID{id} },
		context: func(c *message.GroupContext) {
			c.Epoch = 1
			do(change, c)
		},
	})
	_, err = OpenWelcome(x.cfg, now, w, []*KeyPackage{k}, JoinOptions{Old: old})
	return err
}

// reinit ends the scene's group.
func (x *scene) reinit() {
	x.t.Helper()
	x.commit("2", CommitOptions{Proposals: []message.Proposal{ReInitProposal([]byte("next"), 1, nil)}})
}

var others = []string{"2", "3"}

// successorRows break the rules of RFC 9420, Sections 11.2 and 11.3. The last row
// of each kind is what the others change.
var successorRows = []row{
	{check: CheckReInitParameters, name: "no reinit", run: func(x *scene) error {
		return x.successor(message.ResumptionReInit, "next", others, nil)
	}},
	{check: CheckReInitParameters, name: "group_id", run: func(x *scene) error {
		x.reinit()
		return x.successor(message.ResumptionReInit, "another", others, nil)
	}},
	{check: CheckReInitParameters, name: "extensions", run: func(x *scene) error {
		x.reinit()
		return x.successor(message.ResumptionReInit, "next", others, func(c *message.GroupContext) {
			c.Extensions = message.Extensions{{Type: message.ExtensionApplicationID}}
		})
	}},
	{check: CheckReInitParameters, name: "made without one", run: func(x *scene) error {
		_, _, err := x.in.Successor(x.cfg, now, x.identity("1"), nil, SuccessorOptions{})
		return err
	}},
	{check: CheckReInitParameters, name: "made with another suite", run: func(x *scene) error {
		x.commit("2", CommitOptions{Proposals: []message.Proposal{ReInitProposal([]byte("next"), 3, nil)}})
		_, _, err := x.in.Successor(x.cfg, now, x.identity("1"), nil, SuccessorOptions{})
		return err
	}},
	{check: CheckReInitEpoch, run: func(x *scene) error {
		x.reinit()
		return x.successor(message.ResumptionReInit, "next", others, func(c *message.GroupContext) { c.Epoch = 2 })
	}},
	{check: CheckReInitMembers, run: func(x *scene) error {
		x.reinit()
		if err := x.successor(message.ResumptionReInit, "next", others, nil); err != nil {
			x.t.Fatalf("a successor as it should be: %v", err)
		}
		return x.successor(message.ResumptionReInit, "next", others[:1], nil)
	}},
	{check: CheckBranchParameters, config: func(c *Config) {
		c.PSK = func(id *message.PreSharedKeyID) ([]byte, bool) {
			return bytes.Repeat([]byte{1}, 32), id.Type == message.PSKResumption
		}
	}, run: func(x *scene) error {
		other := *x.to // a group of another suite with this identifier
		snap := *x.to.now
		snap.context.Suite = 3
		other.now = &snap
		x.to = &other
		defer func() { x.to = x.groups["0"] }()
		return x.successor(message.ResumptionBranch, "sub", nil, nil)
	}},
	{check: CheckBranchEpoch, run: func(x *scene) error {
		return x.successor(message.ResumptionBranch, "sub", nil, func(c *message.GroupContext) { c.Epoch = 7 })
	}},
	{check: CheckBranchMembers, run: func(x *scene) error {
		if err := x.successor(message.ResumptionBranch, "sub", others, nil); err != nil {
			x.t.Fatalf("a branch as it should be: %v", err)
		}
		return x.successor(message.ResumptionBranch, "sub", []string{"9"}, nil)
	}},
	{check: CheckPSKAvailable, name: "old group is not given", config: func(c *Config) {
		c.PSK = func(id *message.PreSharedKeyID) ([]byte, bool) { return bytes.Repeat([]byte{1}, 32), true }
	}, run: func(x *scene) error {
		id := resumptionPSK(message.ResumptionBranch, 1)
		id.Nonce = make([]byte, 32)
		psk, err := schedule.PSKSecret(x.cfg.Suite, []schedule.PSK{{ID: id, Secret: bytes.Repeat([]byte{1}, 32)}})
		if err != nil {
			return err
		}
		return x.welcome(welcomeForgery{psk: psk, secrets: func(gs *message.GroupSecrets) { gs.PSKs = []message.PreSharedKeyID{id} }})
	}},
}
