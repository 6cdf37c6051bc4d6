package hub

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// The tests of this file are sentences of draft-ietf-mimi-protocol-06, each quoted
// above its test with its section.

// updateCode wants an update to be refused with a code, for a reason.
func updateCode(t *testing.T, out Output, err error, code mimi.UpdateResponseCode, because string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := out.Response.(*mimi.UpdateRoomResponse)
	if !ok || r.ResponseCode != code {
		t.Fatalf("response %+v (%v), want %v", out.Response, out.Refused, code)
	}
	if out.Refused == nil && because != "" || out.Refused != nil && !strings.Contains(out.Refused.Error(), because) {
		t.Fatalf("because %v, want %q", out.Refused, because)
	}
}

func submitCode(t *testing.T, out Output, err error, code mimi.SubmitResponseCode, because string) *mimi.SubmitMessageResponse {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := out.Response.(*mimi.SubmitMessageResponse)
	if !ok || r.StatusCode != code {
		t.Fatalf("response %+v (%v), want %v", out.Response, out.Refused, code)
	}
	if out.Refused == nil && because != "" || out.Refused != nil && !strings.Contains(out.Refused.Error(), because) {
		t.Fatalf("because %v, want %q", out.Refused, because)
	}
	return r
}

// status wants an input to be refused without a response.
func status(t *testing.T, err error, want Status) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Status != want {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// to returns whom a step sends to.
func to(out Output) (list []string) {
	for _, s := range out.Sends {
		list = append(list, s.To)
	}
	return list
}

// "The certificates presented in the TLS handshake MUST authenticate the source and
// target provider domains" (Transport layer): a provider speaks for its own users.
func TestProviderSpeaksForItsOwnUsers(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, bob := w.client("alice/ClientA1"), w.client("bob/ClientB1")
	p, err := w.newCommit(alice, mls.CommitOptions{Path: true})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.update("b.example", bundle(p, true, p.Tree()))
	updateCode(t, out, err, mimi.UpdateNotAllowed, "through b.example")

	m, _ := w.newMessage(bob, "x")
	out, err = w.submit("c.example", m, mimi.URI(bob.user))
	submitCode(t, out, err, mimi.SubmitNotAllowed, "through c.example")

	info, _, err := w.groupInfo(w.client("bob/ClientB2"), "")
	if err != nil || info == nil {
		t.Fatal(info, err)
	}
	ext := must(mls.JoinExternal(bob.cfg, w.now, w.client("bob/ClientB2").id, &info.GroupInfo, mls.ExternalOptions{
		RatchetTree: info.RatchetTreeOption.RatchetTree, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true},
	}))
	out, err = w.update("c.example", bundle(&ext.Pending, false, nil))
	updateCode(t, out, err, mimi.UpdateNotAllowed, "through c.example")

	k := must(bob.cfg.NewKeyPackage(w.now, w.client("bob/ClientB3").id, mls.LeafOptions{}))
	add := must(message.Parse(must(bob.cfg.NewMemberProposal(bob.group.GroupID(), bob.group.Epoch(), k)), nil))
	out, err = w.update("c.example", &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{ProposalOrCommit: *add}})
	updateCode(t, out, err, mimi.UpdateNotAllowed, "through c.example")
}

// "wrongEpoch indicates that the hub provider is using a different epoch. The
// currentEpoch is provided in the response." (Update Room State)
func TestWrongEpoch(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, bob := w.client("alice/ClientA1"), w.client("bob/ClientB1")
	late, err := w.newCommit(bob, mls.CommitOptions{Path: true})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := w.commit(alice, mls.CommitOptions{Path: true}); !took(out, err) {
		t.Fatal(err, out.Refused)
	}
	out, err := w.update("b.example", bundle(late, true, late.Tree()))
	updateCode(t, out, err, mimi.UpdateWrongEpoch, "another epoch")
	if got, want := out.Response.(*mimi.UpdateRoomResponse).CurrentEpoch, alice.group.Epoch(); got != want {
		t.Errorf("currentEpoch %d, want %d", got, want)
	}
	w.quiet(t)
	w.agree(t)
}

// "accepted once": a provider that did not see the response asks again, and what it
// asks for is not done again. The draft has no words for it; without it, a lost
// response to a Commit would come back as wrongEpoch.
func TestUpdateIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, bob := w.client("alice/ClientA1"), w.client("bob/ClientB1")
	p := must(w.newCommit(alice, mls.CommitOptions{Path: true}))
	req := bundle(p, false, nil)
	first := must(w.update("a.example", req)).Response.(*mimi.UpdateRoomResponse)
	out, err := w.update("a.example", req)
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	if again := out.Response.(*mimi.UpdateRoomResponse); again.AcceptedTimestamp != first.AcceptedTimestamp || len(out.Persist)+len(out.Sends) > 0 {
		t.Errorf("accepted at %d and %d, %d records, %d sends", first.AcceptedTimestamp, again.AcceptedTimestamp, len(out.Persist), len(out.Sends))
	}
	if err := alice.group.Merge(&p.Staged); err != nil {
		t.Fatal(err)
	}
	w.quiet(t)

	m := must(message.Parse(must(bob.group.Propose(w.now, bob.cfg.SelfRemoveProposal(), mls.SendOptions{})), nil))
	req = &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{ProposalOrCommit: *m}}
	first = must(w.update("b.example", req)).Response.(*mimi.UpdateRoomResponse)
	out, err = w.update("b.example", req)
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	if again := out.Response.(*mimi.UpdateRoomResponse); again.AcceptedTimestamp != first.AcceptedTimestamp || len(out.Persist) > 0 {
		t.Errorf("accepted at %d and %d", first.AcceptedTimestamp, again.AcceptedTimestamp)
	}
}

// A client that had no answer to its message sends it again. It is one event, whatever
// has become of the epoch and the sender meanwhile.
func TestMessageIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	w := trio(t, func(c *Config) { c.Remembered = 2; c.EpochTolerance = 0 })
	alice, bob, cathy := w.client("alice/ClientA1"), w.client("bob/ClientB1"), w.client("cathy/ClientC1")
	m, _ := w.newMessage(bob, "once")
	out, err := w.submit("b.example", m, mimi.URI(bob.user))
	first := submitCode(t, out, err, mimi.SubmitAccepted, "")
	again := func() {
		t.Helper()
		out, err := w.submit("b.example", m, mimi.URI(bob.user))
		r := submitCode(t, out, err, mimi.SubmitAccepted, "")
		if r.AcceptedTimestamp != first.AcceptedTimestamp || r.Frank == nil || r.Frank.ServerFrank != first.Frank.ServerFrank {
			t.Errorf("got %+v, want %+v", r, first)
		}
		if len(out.Persist)+len(out.Sends) > 0 {
			t.Errorf("%d records and %d sends, want none", len(out.Persist), len(out.Sends))
		}
	}
	again()
	w.restore()
	again()
	// Another can't have it as its own, nor its answer.
	out, err = w.submit("c.example", m, mimi.URI(cathy.user))
	submitCode(t, out, err, mimi.SubmitNotAllowed, "sent before")
	out, err = w.submit("c.example", m, mimi.URI(bob.user))
	submitCode(t, out, err, mimi.SubmitNotAllowed, "through c.example")
	// It was accepted, though its epoch is too old by now and its sender has left.
	if out, err := w.commit(alice, mls.CommitOptions{Path: true}); !took(out, err) {
		t.Fatal(err, out.Refused)
	}
	w.quiet(t)
	if out, err := w.leave(bob); !took(out, err) {
		t.Fatal(err, out.Refused)
	}
	w.quiet(t)
	again()
	// Only the last ones are known.
	for _, text := range []string{"2", "3"} {
		out, err := w.send(cathy, text)
		submitCode(t, out, err, mimi.SubmitAccepted, "")
	}
	w.restore()
	out, err = w.submit("b.example", m, mimi.URI(bob.user))
	submitCode(t, out, err, mimi.SubmitNotAllowed, "no participant")
	if n := len(w.hub.rooms[clubhouse].said.byMessage); n != 2 {
		t.Errorf("%d messages are remembered, want 2", n)
	}
}

// A hub that is configured to remember more messages or fewer goes on, and forgets none of
// the last ones that it may remember both ways.
func TestRememberedMayChange(t *testing.T) {
	t.Parallel()
	w := trio(t, func(c *Config) { c.Remembered = 5; c.EpochTolerance = 100 })
	bob := w.client("bob/ClientB1")
	var sent []*message.PrivateMessage
	send := func(n int) {
		for range n {
			m, _ := w.newMessage(bob, fmt.Sprint("message ", len(sent)))
			out, err := w.submit("b.example", m, mimi.URI(bob.user))
			submitCode(t, out, err, mimi.SubmitAccepted, "")
			sent = append(sent, m)
		}
	}
	known := func(want int) {
		t.Helper()
		if n := len(w.hub.rooms[clubhouse].said.byMessage); n != want {
			t.Errorf("%d messages are remembered, want %d", n, want)
		}
		for _, m := range sent[len(sent)-want:] {
			out, err := w.submit("b.example", m, mimi.URI(bob.user))
			submitCode(t, out, err, mimi.SubmitAccepted, "")
			if len(out.Persist) > 0 {
				t.Error("accepted twice")
			}
		}
	}
	send(8)
	for _, step := range []struct{ remembered, known, more int }{
		{3, 3, 0}, {3, 3, 7}, {3, 3, 0}, {4, 3, 1}, {7, 4, 2}, {2, 2, 9}, {5, 2, 0},
	} {
		w.cfg.Remembered = step.remembered
		w.restore()
		known(step.known)
		send(step.more)
	}
}

// A member's proposal whose membership_tag is wrong is refused by members, which the hub
// can't see. It stops the room for a while, and what it asked for is done all the same.
func TestWrongMembershipTag(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, bob, cathy := w.client("alice/ClientA1"), w.client("bob/ClientB1"), w.client("cathy/ClientC1")
	remove, list := mls.RemoveProposal(bob.group.OwnLeaf()), bob.participants("-bob")
	forged := func(p *message.Proposal) message.Message {
		return *must(message.Parse(bob.forge(message.Content{Type: message.ContentProposal, Proposal: p}), nil))
	}
	out, err := w.update("b.example", &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{
		ProposalOrCommit: forged(&remove), MoreProposals: []message.Message{forged(&list)},
	}})
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	w.skip(t) // members take none of it

	commit := func() (Output, error) { return w.commit(alice, mls.CommitOptions{Path: true}) }
	out, err = commit()
	updateCode(t, out, err, mimi.UpdateNotAllowed, "waits for one")
	w.now = w.now.Add(DefaultProposalPatience - time.Second)
	out, err = commit()
	updateCode(t, out, err, mimi.UpdateNotAllowed, "waits for one")
	w.now = w.now.Add(2 * time.Second)
	out, err = commit()
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	w.restore()
	w.quiet(t)
	if n := len(alice.group.Proposals()); n != 2 || len(cathy.group.Proposals()) != 2 {
		t.Fatalf("%d proposals of the hub, want the removal of Bob and of his client", n)
	}
	out, err = commit()
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	w.quiet(t)
	if !bob.group.Removed() {
		t.Error("Bob is still there")
	}
	w.agree(t)
	if _, listed := alice.state().Find(bob.user.String()); listed {
		t.Error("Bob is still a participant")
	}
}

// A proposal of the hub has no membership_tag, so that nobody may leave it out.
func TestProposalOfTheHubIsRequired(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, bob := w.client("alice/ClientA1"), w.client("bob/ClientB1")
	if _, err := w.step(Propose{Room: clubhouse, Proposals: []message.Proposal{mls.RemoveProposal(bob.group.OwnLeaf()), bob.participants("-bob")}}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	out, err := w.commit(alice, mls.CommitOptions{Path: true}) // who has not heard of it
	updateCode(t, out, err, mimi.UpdateNotAllowed, "waits for one")
}

// "A hub provider which observes that an active participant has been removed or
// banned from the room, MUST prevent any of its clients from sending or receiving any
// additional application messages in the corresponding MLS group; MUST prevent any of
// those clients from sending Commit messages in that group; and MUST prevent it from
// sending any proposals except for Remove and SelfRemove proposals for its users in
// that group." (Update Room State)
func TestRemovedParticipant(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, bob := w.client("alice/ClientA1"), w.client("bob/ClientB1")
	if out, err := w.leave(bob); !took(out, err) {
		t.Fatal(err, out.Refused)
	}
	w.quiet(t)
	out, err := w.send(bob, "late")
	submitCode(t, out, err, mimi.SubmitNotAllowed, "no participant")
	out, err = w.send(alice, "not for Bob")
	submitCode(t, out, err, mimi.SubmitAccepted, "")
	if got := to(out); !slices.Equal(got, []string{"c.example"}) {
		t.Errorf("sent to %v, want c.example alone", got)
	}
	forged := must(message.Parse(bob.forge(message.Content{Type: message.ContentCommit, Commit: new(message.Commit)}), nil))
	out, err = w.update("b.example", &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{
		ProposalOrCommit: *forged, GroupInfoOption: mimi.GroupInfoOption{Partial: new(mimi.PartialGroupInfo)},
		RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeDistributionService},
	}})
	updateCode(t, out, err, mimi.UpdateNotAllowed, "can't commit")
	out, err = w.propose(bob, bob.participants("+zoe:2"))
	updateCode(t, out, err, mimi.UpdateNotAllowed, "nothing but to remove its clients")
	out, err = w.propose(bob, mls.RemoveProposal(alice.group.OwnLeaf()))
	updateCode(t, out, err, mimi.UpdateNotAllowed, "nothing but to remove its clients")
	out, err = w.propose(bob, bob.cfg.SelfRemoveProposal())
	updateCode(t, out, err, mimi.UpdateSuccess, "")
}

// "When adding a user, the proposal containing the participant list change MUST be
// committed either before or simultaneously with the corresponding MLS operation."
// (Update Room State)
func TestParticipantFirst(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice := w.client("alice/ClientA1")
	w.client("dora/ClientD1")
	keys := must(w.keyMaterial(alice, "dora"))
	out, err := w.commit(alice, mls.CommitOptions{Proposals: []message.Proposal{mls.AddProposal(keys[0])}})
	updateCode(t, out, err, mimi.UpdateNotAllowed, string(room.RuleParticipantFirst))
	out, err = w.commit(alice, mls.CommitOptions{Proposals: []message.Proposal{alice.participants("+dora:2")}})
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	out, err = w.commit(alice, mls.CommitOptions{Proposals: []message.Proposal{mls.AddProposal(keys[0])}})
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	w.quiet(t)
	w.agree(t)
}

// "At minimum, as each MLS KeyPackage is returned to a requesting provider, [...] the
// hub provider needs to associate its KeyPackageRef with the target provider. [...]
// These associations can be deleted after a Welcome message is forwarded or after the
// KeyPackage leaf_node.lifetime.not_after time has passed." (Fetch Key Material)
func TestKeyPackageRefs(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice := w.client("alice/ClientA1")
	dora := w.client("dora/ClientD1")
	before := len(w.hub.routes.byRef)
	keys := must(w.keyMaterial(alice, "dora"))
	if got := len(w.hub.routes.byRef); got != before+1 {
		t.Fatalf("%d KeyPackages are remembered, want %d", got, before+1)
	}
	w.restore()
	out, err := w.commit(alice, mls.CommitOptions{Proposals: []message.Proposal{alice.participants("+dora:2"), mls.AddProposal(keys[0])}})
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	if got := to(out); !slices.Contains(got, "d.example") || len(w.hub.routes.byRef) != before {
		t.Errorf("sent to %v, %d remembered; want d.example among them and %d", got, len(w.hub.routes.byRef), before)
	}
	w.quiet(t)
	w.agree(t)

	// A KeyPackage that came by another way has no route.
	eve := w.client("eve/ClientE1")
	k := must(eve.cfg.NewKeyPackage(w.now, eve.id, mls.LeafOptions{}))
	add := []message.Proposal{alice.participants("+eve:2"), mls.AddProposal(k.Public)}
	out, err = w.commit(alice, mls.CommitOptions{Proposals: add})
	updateCode(t, out, err, mimi.UpdateNotAllowed, "did not come through this hub")
	if _, err := w.step(GrantedKeyPackages{Provider: "e.example", KeyPackages: []message.KeyPackage{k.Public}}); err != nil {
		t.Fatal(err)
	}
	out, err = w.commit(alice, mls.CommitOptions{Proposals: add})
	updateCode(t, out, err, mimi.UpdateSuccess, "")

	// It expires.
	must(w.keyMaterial(alice, "dora"))
	out = must(w.step(Wake{}))
	w.now = out.WakeAt.Add(time.Second)
	must(w.step(Wake{}))
	if got := len(w.hub.routes.byRef); got != 0 {
		t.Errorf("%d KeyPackages are remembered after they expired", got)
	}
	_ = dora
}

// A provider can't draw the Welcomes of another's users to itself by answering with
// their KeyPackages (Fetch Key Material, of the association with the provider).
func TestKeyPackagesOfOthers(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, cathy := w.client("alice/ClientA1"), w.client("cathy/ClientC1")
	k := must(cathy.cfg.NewKeyPackage(w.now, cathy.id, mls.LeafOptions{}))
	request := func(target string) []byte {
		req := &mimi.KeyMaterialRequest{
			RequestingUser: mimi.URI(alice.user), TargetUser: mimi.IdentifierURI(target), RoomID: mimi.URI(clubhouse),
			AcceptableCiphersuites: []suite.ID{suiteID}, RequesterSignatureKey: alice.id.Signer.Public, RequesterCredential: alice.id.Credential,
		}
		if err := req.Sign(alice.cfg.Suite, alice.id.Signer.Private); err != nil {
			t.Fatal(err)
		}
		return marshal(req)
	}
	answer := func(user string, k *message.KeyPackage) []byte {
		return marshal(&mimi.KeyMaterialResponse{UserURI: mimi.IdentifierURI(user), Clients: []mimi.ClientKeyMaterial{{KeyPackage: k}}})
	}
	const bob, cathys = "mimi://b.example/u/bob", "mimi://c.example/u/cathy"
	for _, c := range []struct {
		name string
		in   Input
		want Status
	}{
		{"another provider's user", KeyMaterialResponse{Provider: "b.example", Request: request(bob), Body: answer(bob, &k.Public)}, Forbidden},
		{"the response of another provider", KeyMaterialResponse{Provider: "b.example", Request: request(cathys), Body: answer(cathys, &k.Public)}, Forbidden},
		{"for another user", KeyMaterialResponse{Provider: "c.example", Request: request(bob), Body: answer(cathys, &k.Public)}, Malformed},
		{"a request through another provider", KeyMaterialRequest{From: "b.example", Body: request(bob)}, Forbidden},
		{"a request for no user", KeyMaterialRequest{From: "a.example", Body: request("mimi://b.example")}, Malformed},
		{"a request with another signature", KeyMaterialRequest{From: "a.example", Body: append(request(bob)[:len(request(bob))-1], 0)}, Forbidden},
		{"clients without success", KeyMaterialResponse{Provider: "c.example", Request: request(cathys), Body: marshal(&mimi.KeyMaterialResponse{
			UserStatus: mimi.UserNoConsent, UserURI: cathys, Clients: []mimi.ClientKeyMaterial{{KeyPackage: &k.Public}},
		})}, Malformed},
		{"nonsense", KeyMaterialRequest{From: "a.example", Body: []byte("x")}, Malformed},
	} {
		_, err := w.step(c.in)
		t.Run(c.name, func(t *testing.T) { status(t, err, c.want) })
	}
	if _, err := w.keyMaterial(w.client("eve/ClientE1"), "bob"); err == nil {
		t.Error("one who is no participant got key material")
	}
}

// "Alice includes the Welcome message which will be sent for Bob, a GroupInfo object
// for the hub provider, and complete ratchet_tree extension." (Update Room State)
// All are checked against what the Commit leads to.
func TestCommitBundleIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		change  func(w *world, p *mls.Pending, r *mimi.UpdateRequest)
		because string
	}{
		{"another tree", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) {
			r.Bundle.RatchetTreeOption.RatchetTree = must(w.client("alice/ClientA1").group.Tree().Marshal())
		}, "ratchet_tree"},
		{"the GroupInfo of now", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) {
			r.Bundle.GroupInfoOption.Full = must(w.client("alice/ClientA1").group.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true}))
		}, "GroupInfo"},
		{"a GroupInfo with a tree", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) {
			i := *p.GroupInfo
			i.Extensions = i.Extensions.With(message.ExtensionRatchetTree, r.Bundle.RatchetTreeOption.RatchetTree)
			r.Bundle.GroupInfoOption.Full = &i
		}, "want none"},
		{"a GroupInfo without external_pub", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) {
			i := *p.GroupInfo
			i.Extensions = nil
			r.Bundle.GroupInfoOption.Full = &i
		}, "external_pub"},
		{"another signature of the GroupInfo", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) {
			i := *p.GroupInfo
			i.Signature = bytes.Repeat([]byte{1}, 64)
			r.Bundle.GroupInfoOption.Full = &i
		}, "GroupInfo"},
		{"another signer of the GroupInfo", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) {
			i := *p.GroupInfo
			i.Signer++
			r.Bundle.GroupInfoOption.Full = &i
		}, "signed by leaf"},
		{"a PartialGroupInfo with a tree", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) {
			r.Bundle.GroupInfoOption = mimi.GroupInfoOption{Partial: &mimi.PartialGroupInfo{
				RatchetTreePresence: mimi.RatchetTreePresent, GroupInfoExtensions: p.GroupInfo.Extensions, Signature: p.GroupInfo.Signature,
			}}
		}, "want one without"},
		{"no Welcome", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) { r.Bundle.Welcome = nil }, "without a Welcome"},
		{"a Welcome for nobody", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) { r.Bundle.Welcome.Secrets = nil }, "the commit adds 1"},
		{"a Welcome for another", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) {
			r.Bundle.Welcome.Secrets[0].NewMember = bytes.Repeat([]byte{1}, 32)
		}, "does not add"},
		{"another signature", func(w *world, p *mls.Pending, r *mimi.UpdateRequest) {
			m := *r.Bundle.ProposalOrCommit.Public
			m.Auth.Signature = bytes.Repeat([]byte{1}, 64)
			r.Bundle.ProposalOrCommit.Public = &m
		}, "commit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := trio(t, nil)
			alice := w.client("alice/ClientA1")
			w.client("dora/ClientD1")
			keys := must(w.keyMaterial(alice, "dora"))
			p := must(w.newCommit(alice, mls.CommitOptions{Proposals: []message.Proposal{alice.participants("+dora:2"), mls.AddProposal(keys[0])}}))
			good := marshal(bundle(p, true, p.Tree()))
			req := must(mimi.ParseUpdateRequest(bytes.Clone(good), nil))
			c.change(w, p, req)
			out, err := w.update("a.example", req)
			updateCode(t, out, err, mimi.UpdateNotAllowed, c.because)
			out, err = w.step(UpdateRequest{From: "a.example", Room: clubhouse, Body: good})
			updateCode(t, out, err, mimi.UpdateSuccess, "")
		})
	}
}

// "invalidProposal indicates that at least one proposal is invalid. A list of
// invalidProposals is provided in the response." (Update Room State)
func TestInvalidProposals(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice := w.client("alice/ClientA1")
	out, err := w.propose(alice, mls.RemoveProposal(77), mls.RemoveProposal(78), alice.participants("+zoe:2"))
	updateCode(t, out, err, mimi.UpdateInvalidProposal, "leaf 77")
	if n := len(out.Response.(*mimi.UpdateRoomResponse).InvalidProposals); n != 2 {
		t.Errorf("%d invalid proposals, want the two removes", n)
	}
	commit := message.Commit{Proposals: []message.ProposalOrRef{{Reference: bytes.Repeat([]byte{7}, 32)}}}
	m := must(message.Parse(alice.forge(message.Content{Type: message.ContentCommit, Commit: &commit}), nil))
	out, err = w.update("a.example", &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{
		ProposalOrCommit: *m, GroupInfoOption: mimi.GroupInfoOption{Partial: new(mimi.PartialGroupInfo)},
		RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeDistributionService},
	}})
	updateCode(t, out, err, mimi.UpdateInvalidProposal, "not known")
	if got := out.Response.(*mimi.UpdateRoomResponse).InvalidProposals; len(got) != 1 || got[0][0] != 7 {
		t.Errorf("invalid proposals %x, want the reference", got)
	}
	// What others could be unable to commit would stop the room.
	psk := must(alice.cfg.PSKProposal(message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("mine")}))
	out, err = w.propose(alice, psk)
	updateCode(t, out, err, mimi.UpdateInvalidProposal, "commit it yourself")
	out, err = w.propose(alice, message.Proposal{Type: 0xf001, Body: new(message.Custom)})
	updateCode(t, out, err, mimi.UpdateInvalidProposal, "does not support")
}

// "The hub acceptance time" orders what a hub accepts: no two events of a room have
// the same, whatever the clock does.
func TestAcceptedTimestampsGrow(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice := w.client("alice/ClientA1")
	last := uint64(0)
	for i := range 6 {
		if i == 3 {
			w.now = w.now.Add(-time.Hour)
		}
		out, err := w.send(alice, strings.Repeat("x", i+1))
		if r := submitCode(t, out, err, mimi.SubmitAccepted, ""); r.AcceptedTimestamp <= last {
			t.Fatalf("accepted at %d after %d", r.AcceptedTimestamp, last)
		} else {
			last = r.AcceptedTimestamp
		}
		w.restore()
	}
}

// "epochTooOld indicates that the hub provider is using a new MLS epoch for the
// group. The currentEpoch is provided in the response." and "nonsensical inputs such
// as an MLS epoch more recent than the hub's" (Submit a Message)
func TestEpochOfMessages(t *testing.T) {
	t.Parallel()
	w := trio(t, nil) // one epoch is tolerated
	alice, bob := w.client("alice/ClientA1"), w.client("bob/ClientB1")
	first, _ := w.newMessage(bob, "first")
	second, _ := w.newMessage(bob, "second")
	for i := range 2 {
		if out, err := w.commit(alice, mls.CommitOptions{Path: true}); !took(out, err) {
			t.Fatal(err, out.Refused)
		}
		if i == 0 {
			out, err := w.submit("b.example", first, mimi.URI(bob.user))
			submitCode(t, out, err, mimi.SubmitAccepted, "")
		}
	}
	out, err := w.submit("b.example", second, mimi.URI(bob.user))
	if r := submitCode(t, out, err, mimi.SubmitEpochTooOld, "too old"); r.CurrentEpoch != alice.group.Epoch() {
		t.Errorf("currentEpoch %d, want %d", r.CurrentEpoch, alice.group.Epoch())
	}
	future := *second
	future.Epoch = alice.group.Epoch() + 1
	out, err = w.submit("b.example", &future, mimi.URI(bob.user))
	submitCode(t, out, err, mimi.SubmitNotAllowed, "the group is at")
	w.quiet(t)
}

// "The sendingUri is a valid URI of the sender and is an active participant in the
// room (a user URI in the participant list of the room)." (Submit a Message)
func TestSendingURI(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, bob := w.client("alice/ClientA1"), w.client("bob/ClientB1")
	if out, err := w.commit(alice, mls.CommitOptions{Proposals: []message.Proposal{alice.participants("+berta:2")}}); !took(out, err) {
		t.Fatal(err, out.Refused)
	}
	w.quiet(t)
	m, _ := w.newMessage(bob, "x")
	for sender, because := range map[mimi.IdentifierURI]string{
		"mimi://b.example/u/nobody":     "no active participant",
		"mimi://b.example/u/berta":      "no active participant",
		"mimi://b.example/d/bob/Client": "want the URI of a user",
		"bob":                           "want the URI of a user",
		"":                              "want the URI of a user",
	} {
		out, err := w.submit("b.example", m, sender)
		submitCode(t, out, err, mimi.SubmitNotAllowed, because)
	}
	other := *m
	other.GroupID = []byte("another")
	out, err := w.submit("b.example", &other, mimi.URI(bob.user))
	submitCode(t, out, err, mimi.SubmitNotAllowed, "message for group")
	raw := *m
	raw.AuthenticatedData = []byte{9}
	out, err = w.submit("b.example", &raw, mimi.URI(bob.user))
	submitCode(t, out, err, mimi.SubmitNotAllowed, "Safe AAD")
}

// "If a franking_tag was included in the frank_aad component [...] the server
// attempts to frank the message and includes the server_frank in a successful
// response" (Submit a Message); "The Hub fans out the encrypted message [...], the
// server_frank, the accepted_timestamp, [...]" (Hub processing). That receivers
// verify it, every message of these tests shows.
func TestFranking(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	bob := w.client("bob/ClientB1")
	out, err := w.send(bob, "franked")
	r := submitCode(t, out, err, mimi.SubmitAccepted, "")
	f := must(mimi.ParseFanoutMessages(out.Sends[0].Body, nil))[0]
	if r.Frank == nil || f.Frank == nil || !bytes.Equal(marshal(r.Frank), marshal(f.Frank)) || f.Timestamp != r.AcceptedTimestamp {
		t.Errorf("response %+v and fan-out %+v do not frank alike", r, f)
	}
	plain := must(message.Parse(must(bob.group.Protect(content(mimi.URI(bob.user), "s", "x"), mls.SendOptions{})), nil)).Private
	out, err = w.submit("b.example", plain, mimi.URI(bob.user))
	if r := submitCode(t, out, err, mimi.SubmitAccepted, ""); r.Frank != nil {
		t.Error("a message without a tag was franked")
	}
	short := message.SafeAAD(message.AppDataDictionary(nil).With(mimi.DefaultCodePoints.FrankAAD, []byte("short")))
	bad := must(message.Parse(must(bob.group.Protect([]byte("x"), mls.SendOptions{Items: short})), nil)).Private
	out, err = w.submit("b.example", bad, mimi.URI(bob.user))
	submitCode(t, out, err, mimi.SubmitNotAllowed, "FrankAAD")

	// "When a valid franking_agent application component is present in the
	// GroupContext, the Hub can frank messages".
	alice := w.client("alice/ClientA1")
	agent := mimi.FrankingAgentData{FrankingSignatureKey: []byte("another's"), Credential: w.cfg.Identity.Credential}
	out, err = w.commit(alice, mls.CommitOptions{Proposals: []message.Proposal{alice.cfg.AppDataProposal(mimi.DefaultCodePoints.FrankingAgent, marshal(&agent))}})
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	out, err = w.send(alice, "to another agent")
	if r := submitCode(t, out, err, mimi.SubmitAccepted, ""); r.Frank != nil {
		t.Error("franked for another agent")
	}

	other := trio(t, func(c *Config) { c.FrankKeys, c.Franking.Private, c.Franking.Public = nil, nil, []byte("of no hub") })
	out, err = other.send(other.client("bob/ClientB1"), "x")
	if r := submitCode(t, out, err, mimi.SubmitAccepted, ""); r.Frank != nil {
		t.Error("franked without a key")
	}
}

// "To validate an allegedly AbusiveMessage, the hub finds the salt, sender URI, and
// room URI inside the message_content and the accepted_timestamp to recalculate the
// franking_tag and context." (Report abuse)
func TestAbuseReports(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	bob := w.client("bob/ClientB1")
	m, data := w.newMessage(bob, "abuse")
	out, err := w.submit("b.example", m, mimi.URI(bob.user))
	r := submitCode(t, out, err, mimi.SubmitAccepted, "")
	good := mimi.AbusiveMessage{MessageContent: data, Frank: *r.Frank, AcceptedTimestamp: r.AcceptedTimestamp}
	later, invented := good, good
	later.AcceptedTimestamp++
	invented.MessageContent = content(mimi.URI(bob.user), "salt", "never said")
	report := mimi.AbuseReport{
		ReportingUser: mimi.URI(w.client("cathy/ClientC1").user), AllegedAbuserURI: mimi.URI(bob.user),
		Messages: []mimi.AbusiveMessage{good, later, invented, {MessageContent: []byte("x")}},
	}
	out, err = w.step(ReportAbuse{From: "c.example", Room: clubhouse, Body: marshal(&report)})
	if err != nil || out.Report == nil || len(out.Report.Franks) != 4 {
		t.Fatal(err, out.Report)
	}
	for i, err := range out.Report.Franks {
		if (err == nil) != (i == 0) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	report.AllegedAbuserURI = mimi.URI(w.client("alice/ClientA1").user)
	out = must(w.step(ReportAbuse{From: "c.example", Room: clubhouse, Body: marshal(&report)}))
	var why *mimi.FrankError
	if !errors.As(out.Report.Franks[0], &why) || why.Step != mimi.FrankSender {
		t.Errorf("another alleged abuser: %v", out.Report.Franks[0])
	}
	for from, want := range map[string]Status{"e.example": Forbidden, "b.example": Forbidden} {
		_, err := w.step(ReportAbuse{From: from, Room: clubhouse, Body: marshal(&report)})
		status(t, err, want)
	}
}

// "The hub MUST verify that the host part of the downloadUrl is associated with the
// asset server domain for one of its peer providers." (Download using a hub proxy)
func TestProxyDownload(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	for _, c := range []struct {
		from, url string
		want      Status
	}{
		{"b.example", "https://assets.b.example/1", 0},
		{"b.example", "https://CDN.c.example:443/x/y?z", 0},
		{"a.example", "https://cdn.c.example/1", 0},
		{"e.example", "https://cdn.c.example/1", Forbidden},
		{"b.example", "https://c.example/1", Forbidden},
		{"b.example", "https://cdn.c.example.evil.example/1", Forbidden},
		{"b.example", "https://cdn.c.example@evil.example/1", Forbidden},
		{"b.example", "https://user@cdn.c.example/1", Forbidden},
		{"b.example", "https://cdn.c.example:8443/1", Forbidden},
		{"b.example", "http://cdn.c.example/1", Forbidden},
		{"b.example", "https:cdn.c.example", Forbidden},
		{"b.example", "//cdn.c.example/1", Forbidden},
		{"b.example", "https://169.254.169.254/", Forbidden},
		{"b.example", "https://cdn.c.example/%zz", Malformed},
		{"b.example", "https://cdn.c.example/" + strings.Repeat("x", 9000), TooLarge},
	} {
		_, err := w.step(ProxyDownload{From: c.from, URL: c.url})
		if c.want == 0 {
			if err != nil {
				t.Errorf("%s for %s: %v", c.url, c.from, err)
			}
			continue
		}
		status(t, err, c.want)
	}
}

// "notAuthorized indicates that the requester was not authorized to access the
// GroupInfo. noSuchRoom indicates that the requested room does not exist." (Claim
// group key information)
func TestGroupInfoCodes(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	bob := w.client("bob/ClientB2")
	pair := must(bob.cfg.Suite.GenerateKeyPair())
	req := mimi.GroupInfoRequest{
		CipherSuite: suiteID, RequestingSignatureKey: bob.id.Signer.Public, RequestingCredential: bob.id.Credential, GroupInfoPublicKey: pair.Public,
	}
	sign := func(r mimi.GroupInfoRequest) []byte {
		if err := r.Sign(bob.cfg.Suite, bob.id.Signer.Private); err != nil {
			t.Fatal(err)
		}
		return marshal(&r)
	}
	good := sign(req)
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	for _, c := range []struct {
		name string
		in   GroupInfoRequest
		want mimi.GroupInfoCode
	}{
		{"good", GroupInfoRequest{"b.example", clubhouse, good}, mimi.GroupInfoSuccess},
		{"through another provider", GroupInfoRequest{"c.example", clubhouse, good}, mimi.GroupInfoNotAuthorized},
		{"another signature", GroupInfoRequest{"b.example", clubhouse, forged}, mimi.GroupInfoNotAuthorized},
		{"no such room", GroupInfoRequest{"b.example", uri("mimi://a.example/r/other"), good}, mimi.GroupInfoNoSuchRoom},
	} {
		out, err := w.step(c.in)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if r := out.Response.(*mimi.GroupInfoResponse); r.Status != c.want {
			t.Errorf("%s: %v (%v), want %v", c.name, r.Status, out.Refused, c.want)
		}
	}
	bad := req
	bad.GroupInfoPublicKey = []byte("no key")
	_, err := w.step(GroupInfoRequest{"b.example", clubhouse, sign(bad)})
	status(t, err, Malformed)
}

// "Each MLS group associated with a MIMI room MUST therefore contain an
// external_senders extension. That extension MUST contain at least the Certificate of
// the Hub." (Authenticating proposals)
func TestExternalSendersHoldTheHub(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice := w.client("alice/ClientA1")
	without := alice.group.Context().Extensions.Without(message.ExtensionExternalSenders)
	out, err := w.commit(alice, mls.CommitOptions{Proposals: []message.Proposal{mls.ExtensionsProposal(without)}})
	updateCode(t, out, err, mimi.UpdateNotAllowed, "does not hold the hub")

	x := newWorld(nil)
	g := must(mls.New(alice.cfg, x.now, alice.id, []byte("group"), mls.GroupOptions{}))
	_, err = x.step(CreateRoom{
		Room: clubhouse, GroupInfo: must(g.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true})), RatchetTree: must(g.Tree().Marshal()),
	})
	status(t, err, Forbidden)
}

// A room is created once, by a group that keeps its own policy (Alice Creates a
// Room).
func TestCreateRoom(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice := w.client("alice/ClientA1")
	info := must(alice.group.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true}))
	tree := must(alice.group.Tree().Marshal())
	_, err := w.create(alice)
	status(t, err, Conflict)
	if out, err := w.step(CreateRoom{clubhouse, info, tree}); err != nil || len(out.Persist) > 0 {
		t.Errorf("the same room again: %v, %d records, want neither", err, len(out.Persist))
	}
	other := *info
	other.ConfirmationTag = bytes.Repeat([]byte{1}, len(info.ConfirmationTag))
	for _, c := range []struct {
		name string
		in   CreateRoom
		want Status
	}{
		{"another's room", CreateRoom{uri("mimi://b.example/r/x"), info, tree}, Malformed},
		{"no room", CreateRoom{uri("mimi://a.example/u/x"), info, tree}, Malformed},
		{"the same room by a wrong tag", CreateRoom{clubhouse, &other, tree}, Conflict},
		{"a room without a GroupInfo", CreateRoom{clubhouse, nil, nil}, Conflict},
		{"the group of another room", CreateRoom{uri("mimi://a.example/r/x"), info, tree}, Conflict},
		{"no GroupInfo", CreateRoom{uri("mimi://a.example/r/x"), nil, nil}, Malformed},
	} {
		_, err := w.step(c.in)
		t.Run(c.name, func(t *testing.T) { status(t, err, c.want) })
	}
}

// "The moreProposals list in a FanoutMessage MUST be the same as the corresponding
// moreProposals list in the HandshakeBundle of an UpdateRequest." (Fanout Messages
// and Room Events)
func TestMoreProposalsAreTheSame(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	bob := w.client("bob/ClientB1")
	var bodies [][]byte
	req := new(mimi.UpdateRequest)
	for i, p := range []message.Proposal{mls.RemoveProposal(bob.group.OwnLeaf()), bob.participants("-bob")} {
		b := must(bob.group.Propose(w.now, p, mls.SendOptions{}))
		bodies = append(bodies, b)
		m := must(message.Parse(b, nil))
		if i == 0 {
			req.Bundle.ProposalOrCommit = *m
		} else {
			req.Bundle.MoreProposals = append(req.Bundle.MoreProposals, *m)
		}
	}
	out, err := w.update("b.example", req)
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	if got := to(out); !slices.Equal(got, []string{"a.example", "c.example"}) {
		t.Errorf("sent to %v, want all but the sender's provider, which has no other client", got)
	}
	f := must(mimi.ParseFanoutMessages(out.Sends[0].Body, nil))[0]
	if !bytes.Equal(marshal(&f.Message), bodies[0]) || len(f.MoreProposals) != 1 || !bytes.Equal(marshal(&f.MoreProposals[0]), bodies[1]) {
		t.Error("the fan-out differs from the bundle")
	}
}

// "The hub can include multiple concatenated FanoutMessage objects relevant to the
// same room." (Fanout Messages and Room Events) Both bounds hold, and one message
// goes whatever its size.
func TestBatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		messages, bytes int
		want            []int
	}{
		{"by count", 3, 1 << 20, []int{1, 3, 3, 1}},
		{"by bytes", 100, 900, []int{1, 2, 2, 2, 1}},
		{"one at least", 100, 1, []int{1, 1, 1, 1, 1, 1, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := trio(t, func(cfg *Config) { cfg.BatchMessages, cfg.BatchBytes = c.messages, c.bytes })
			for i := range 8 {
				out, err := w.send(w.client("alice/ClientA1"), strings.Repeat("x", i+1))
				submitCode(t, out, err, mimi.SubmitAccepted, "")
			}
			var got []int
			for len(w.flying) > 0 {
				s := w.flying[0]
				w.flying = w.flying[1:]
				if s.To == "b.example" {
					got = append(got, s.Messages)
				}
				if err := w.receive(s); err != nil {
					t.Fatal(err)
				}
				must(w.step(Delivered{Room: s.Room, To: s.To, Last: s.Last}))
			}
			if !slices.Equal(got, c.want) || len(w.client("bob/ClientB1").got) != 8 {
				t.Errorf("batches of %v, want %v; Bob read %q", got, c.want, w.client("bob/ClientB1").got)
			}
			if n := len(w.hub.rooms[clubhouse].events); n != 0 {
				t.Errorf("%d events are left", n)
			}
		})
	}
}

// The outcome of a request that is not under way any more changes nothing.
func TestOldOutcomes(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	out, err := w.send(w.client("alice/ClientA1"), "x")
	submitCode(t, out, err, mimi.SubmitAccepted, "")
	s := out.Sends[0]
	for _, in := range []Input{
		Delivered{s.Room, s.To, s.Last + 1}, DeliveryFailed{s.Room, s.To, s.Last - 1, 0}, Delivered{s.Room, s.To, 0},
	} {
		if out := must(w.step(in)); len(out.Persist)+len(out.Sends) > 0 {
			t.Errorf("%+v did something", in)
		}
	}
	must(w.step(Delivered{s.Room, s.To, s.Last}))
	if out := must(w.step(DeliveryFailed{s.Room, s.To, s.Last, 0})); len(out.Persist) > 0 {
		t.Error("what was delivered failed")
	}
	_, err = w.step(Delivered{s.Room, "nobody.example", 1})
	status(t, err, NotFound)
	_, err = w.step(Delivered{uri("mimi://a.example/r/x"), s.To, 1})
	status(t, err, NotFound)
}

// A provider can't make the hub remember more KeyPackages than its share, whatever
// others do (a bound of this implementation).
func TestKeyPackagesAreBounded(t *testing.T) {
	t.Parallel()
	w := trio(t, func(c *Config) { c.KeyPackages = 2 })
	alice := w.client("alice/ClientA1")
	for i := range 3 {
		_, err := w.keyMaterial(alice, "bob")
		if i < 2 && err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			status(t, err, TooLarge)
		}
	}
	if _, err := w.keyMaterial(alice, "cathy"); err != nil {
		t.Errorf("another provider's: %v", err)
	}
}

// "canAddOwnClient - a holder of this capability that is in the participant list, can
// add its own client (via an external commit or external proposal)" (room-policy-04,
// Adding). Its KeyPackage has not come through the hub before.
func TestNewMemberProposal(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, second := w.client("alice/ClientA1"), w.client("bob/ClientB2")
	k := must(second.cfg.NewKeyPackage(w.now, second.id, mls.LeafOptions{}))
	second.keys = append(second.keys, k)
	out, err := w.update("b.example", newMember(w, k))
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	w.quiet(t)
	out, err = w.commit(alice, mls.CommitOptions{References: []message.ProposalRef{}, Path: true})
	updateCode(t, out, err, mimi.UpdateNotAllowed, "which waits for one")
	out, err = w.commit(alice, mls.CommitOptions{})
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	w.quiet(t)
	w.agree(t)
	if second.group == nil {
		t.Error("the Welcome did not arrive")
	}
}

// "As soon as the Hub accepts an event that changes the room state, its effect is
// applied to the room state and future events are validated in the context of that new
// state." (Room state) A ban or a leave counts before anybody has committed it.
func TestAcceptedIsApplied(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, change, because string }{
		{"banned", "bob:1", "is banned"},
		{"removed", "-bob", "has left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := trio(t, nil)
			alice, bob, second := w.client("alice/ClientA1"), w.client("bob/ClientB1"), w.client("bob/ClientB2")
			info, _, err := w.groupInfo(second, "")
			if err != nil || info == nil {
				t.Fatal(info, err)
			}
			out, err := w.propose(alice, alice.participants(c.change), mls.RemoveProposal(bob.group.OwnLeaf()))
			updateCode(t, out, err, mimi.UpdateSuccess, "")
			if info, out, err := w.groupInfo(second, "sesame"); info != nil || err != nil || !strings.Contains(out.Refused.Error(), c.because) {
				t.Errorf("GroupInfo: %v %v, want a refusal because %q", err, out.Refused, c.because)
			}
			out, err = w.join(second, info)
			updateCode(t, out, err, mimi.UpdateNotAllowed, c.because)
			k := must(second.cfg.NewKeyPackage(w.now, second.id, mls.LeafOptions{}))
			out, err = w.update("b.example", newMember(w, k))
			updateCode(t, out, err, mimi.UpdateNotAllowed, c.because)
			w.quiet(t)
			out, err = w.commit(alice, mls.CommitOptions{})
			updateCode(t, out, err, mimi.UpdateSuccess, "")
		})
	}
}

// newMember is the proposal of a client that asks to be added.
func newMember(w *world, k *mls.KeyPackage) *mimi.UpdateRequest {
	add := mls.AddProposal(k.Public)
	g := w.hub.rooms[clubhouse].group
	a := message.AuthenticatedContent{WireFormat: message.WirePublicMessage, Content: message.FramedContent{
		GroupID: g.GroupID(), Epoch: g.Epoch(), Sender: message.Sender{Type: message.SenderNewMemberProposal},
		AuthenticatedData: []byte{0}, Content: message.Content{Type: message.ContentProposal, Proposal: &add},
	}}
	if err := a.Sign(w.cfg.Groups.Suite, k.Signer.Private, nil); err != nil {
		panic(err)
	}
	return &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{ProposalOrCommit: message.Message{Public: must(a.Public(w.cfg.Groups.Suite, nil, nil))}}}
}

// Whoever asked for it, a client is removed once (RFC 9420, Section 12.2): a Commit
// may cover either of two proposals to do so.
func TestEitherRemovalWillDo(t *testing.T) {
	t.Parallel()
	for which := range 2 {
		w := trio(t, nil)
		alice, bob, cathy := w.client("alice/ClientA1"), w.client("bob/ClientB1"), w.client("cathy/ClientC1")
		out, err := w.propose(bob, bob.cfg.SelfRemoveProposal())
		updateCode(t, out, err, mimi.UpdateSuccess, "")
		out, err = w.propose(alice, mls.RemoveProposal(bob.group.OwnLeaf()))
		updateCode(t, out, err, mimi.UpdateSuccess, "")
		w.quiet(t)
		ref := w.hub.rooms[clubhouse].group.Proposals()[which].Ref
		out, err = w.commit(cathy, mls.CommitOptions{References: []message.ProposalRef{ref}})
		updateCode(t, out, err, mimi.UpdateSuccess, "")
		w.quiet(t)
		w.agree(t)
	}
}

// A joining code that was used is not kept (Claim group key information).
func TestJoinIsForgotten(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	dora, alice := w.client("dora/ClientD1"), w.client("alice/ClientA1")
	join := func(c *client) (Output, error) {
		info, _, err := w.groupInfo(c, "sesame")
		if err != nil || info == nil {
			t.Fatal(info, err)
		}
		if len(w.hub.rooms[clubhouse].joins) != 1 {
			t.Fatalf("%d users are about to join, want one", len(w.hub.rooms[clubhouse].joins))
		}
		w.restore()
		return w.join(c, info, alice.participants("+"+c.user.Segments()[0]+":2"))
	}
	out, err := join(dora)
	updateCode(t, out, err, mimi.UpdateSuccess, "")
	w.restore()
	if n := len(w.hub.rooms[clubhouse].joins); n != 0 {
		t.Errorf("%d users are about to join, want none", n)
	}
	w.quiet(t)
	w.agree(t)

	// It holds for a while.
	eve := w.client("eve/ClientE1")
	info, _, err := w.groupInfo(eve, "sesame")
	if err != nil || info == nil {
		t.Fatal(info, err)
	}
	w.now = w.now.Add(DefaultJoinWindow + time.Second)
	out, err = w.join(eve, info, alice.participants("+eve:2"))
	updateCode(t, out, err, mimi.UpdateNotAllowed, "canOpenJoin")
}

// A last-resort KeyPackage may be used in several rooms (draft-ietf-mls-extensions-10,
// Last-Resort KeyPackages), so that one Welcome does not end its association.
func TestLastResortKeyPackage(t *testing.T) {
	t.Parallel()
	for _, last := range []bool{false, true} {
		w := trio(t, nil)
		alice, dora := w.client("alice/ClientA1"), w.client("dora/ClientD1")
		k := must(dora.cfg.NewKeyPackage(w.now, dora.id, mls.LeafOptions{LastResort: last}))
		must(w.step(GrantedKeyPackages{Provider: "d.example", KeyPackages: []message.KeyPackage{k.Public}}))
		out, err := w.commit(alice, mls.CommitOptions{Proposals: []message.Proposal{alice.participants("+dora:2"), mls.AddProposal(k.Public)}})
		updateCode(t, out, err, mimi.UpdateSuccess, "")
		w.restore()
		if got := w.hub.routes.byRef[string(k.Ref)] != nil; got != last {
			t.Errorf("last resort %t: remembered %t", last, got)
		}
	}
}

// Joining and fetching take a credential that is valid (Claim group key information,
// Fetch Key Material).
func TestCredentialsAreValidated(t *testing.T) {
	t.Parallel()
	bad := errors.New("credential of nobody")
	w := trio(t, func(c *Config) {
		c.Groups.Authenticate = func(cred *message.Credential, _ []byte, _ mls.Where) error {
			if strings.HasSuffix(string(cred.Identity), "/ClientX") {
				return bad
			}
			return nil
		}
	})
	_, out, err := w.groupInfo(w.client("bob/ClientX"), "")
	if err != nil || !errors.Is(out.Refused, bad) {
		t.Errorf("GroupInfo: %v %v", err, out.Refused)
	}
	if _, err := w.keyMaterial(w.client("bob/ClientX"), "alice"); !errors.Is(err, bad) {
		t.Errorf("key material: %v", err)
	}
}
