package mls

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// sendersOf is an external_senders extension with identities.
func sendersOf(ids ...*Identity) message.Extension {
	var list message.ExternalSenders
	for _, id := range ids {
		list = append(list, message.ExternalSender{SignatureKey: id.Signer.Public, Credential: id.Credential})
	}
	return message.Extension{Type: message.ExtensionExternalSenders, Data: must(list)}
}

// TestSafeAAD sends each kind of message into a group with safe_aad: "the entire
// authenticated_data field is framed as a SafeAAD struct such that the elements of
// aad_items are sorted in increasing numerical order of the component_id", and "a
// zero-length vector" if there are none (draft-ietf-mls-extensions-10, Safe Additional
// Authenticated Data).
func TestSafeAAD(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, withNotes)
	server := w.identity("server")
	context := append(framedNotes(w.cfg), sendersOf(server))
	g, err := New(w.cfg, now, w.identity("0"), []byte("framed"), GroupOptions{Extensions: context})
	if err != nil {
		t.Fatal(err)
	}
	w.groups, w.order = map[string]*Group{"0": g}, []string{"0"}
	w.commit("0", CommitOptions{}, w.keyPackage("1"), w.keyPackage("2"))
	a, b := w.groups["0"], w.groups["1"]
	if !a.FramesAAD() {
		t.Fatal("the group does not frame authenticated data")
	}
	given := message.SafeAAD{{Component: notes + 1, Data: []byte("two")}, {Component: notes, Data: []byte("one")}}
	check := func(what string, items message.SafeAAD) {
		t.Helper()
		if len(items) != 2 || items[0].Component != notes || string(items[0].Data) != "one" || string(items[1].Data) != "two" {
			t.Errorf("%s: items %v, want both in order", what, items)
		}
		if data, ok := items.Find(notes + 1); !ok || string(data) != "two" {
			t.Errorf("%s: Find gives %q, %v", what, data, ok)
		}
	}
	process := func(m []byte) Event {
		t.Helper()
		e, err := b.Process(now, m)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}

	sent, err := a.Protect([]byte("x"), SendOptions{Items: given})
	if err != nil {
		t.Fatal(err)
	}
	if given[0].Component != notes+1 {
		t.Error("the caller's items were sorted")
	}
	m, err := message.Parse(sent, nil)
	if err != nil {
		t.Fatal(err)
	}
	items, err := m.Private.SafeAAD() // as a hub sees it, without secrets
	if err != nil {
		t.Fatal(err)
	}
	check("hub", items)
	check("application", process(sent).(*Application).Items)

	none, err := a.Protect([]byte("x"), SendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := process(none).(*Application); !bytes.Equal(got.AAD, []byte{0}) || len(got.Items) != 0 {
		t.Errorf("without items: authenticated data %x, items %v, want a vector of none", got.AAD, got.Items)
	}

	proposal, err := a.Propose(now, RemoveProposal(2), SendOptions{Items: given})
	if err != nil {
		t.Fatal(err)
	}
	check("proposal", process(proposal).(*Received).Items)
	p, err := a.Commit(now, CommitOptions{Items: given})
	if err != nil {
		t.Fatal(err)
	}
	check("commit", process(p.Message).(*Staged).Items())
	check("own commit", p.Items())

	// Those who are not members see the group by its GroupInfo.
	info, err := a.GroupInfo(GroupInfoOptions{External: true})
	if err != nil {
		t.Fatal(err)
	}
	tracker := func() *PublicGroup {
		t.Helper()
		hub, err := NewPublicGroup(w.cfg, now, info, nil)
		if err != nil {
			t.Fatal(err)
		}
		return hub
	}
	hub := tracker()
	external, err := hub.ProposeExternal(now, server, appData(w.cfg, notes, false, "by the server"), SendOptions{Items: given})
	if err != nil {
		t.Fatal(err)
	}
	check("external sender", process(external).(*Received).Items)
	if len(hub.Proposals()) != 1 {
		t.Errorf("the sender keeps %d proposals, want its own", len(hub.Proposals()))
	}
	framed, err := tracker().FrameExternal(server, appData(w.cfg, notes, false, "framed"), SendOptions{Items: given})
	if err != nil {
		t.Fatal(err)
	}
	keeper := tracker()
	if r, err := keeper.CheckProposal(now, framed); err != nil || len(keeper.Proposals()) != 0 {
		t.Errorf("framed by itself: %v, and %d are kept", err, len(keeper.Proposals()))
	} else {
		check("framed by itself", r.Items)
	}
	renamed := *server
	renamed.Credential = message.BasicCredential([]byte("another name for the server's key"))
	if _, err := hub.FrameExternal(&renamed, RemoveProposal(1), SendOptions{}); !errors.Is(err, CheckExternalSender) {
		t.Errorf("by another credential with the key: error %v, want CheckExternalSender", err)
	}
	if _, err := hub.ProposeExternal(now, w.identity("9"), RemoveProposal(1), SendOptions{}); !errors.Is(err, CheckExternalSender) {
		t.Errorf("proposal of one who is no external sender: error %v, want CheckExternalSender", err)
	}
	if _, err := hub.ProposeExternal(now, server, RemoveProposal(blankLeaf), SendOptions{}); !errors.Is(err, CheckRemoved) || len(hub.Proposals()) != 1 {
		t.Errorf("proposal that members would refuse: error %v, want CheckRemoved", err)
	}
	for what, o := range map[string]SendOptions{"items": {Items: given}, "nothing": {}} {
		join, err := tracker().ProposeJoin(now, w.keyPackage("3"), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := process(join).(*Received); o.Items != nil {
			check("new member", got.Items)
		} else if len(got.Items) != 0 {
			t.Errorf("new member with %s: items %v", what, got.Items)
		}
		b.ClearProposals()
	}
	for what, o := range map[string]ExternalOptions{"items": {Items: given}, "nothing": {}} {
		e, err := JoinExternal(w.cfg, now, w.identity("4"), info, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := process(e.Message).(*Staged); o.Items != nil {
			check("external commit", got.Items())
		} else if len(got.Items()) != 0 {
			t.Errorf("external commit with %s: items %v", what, got.Items())
		}
	}
}

// TestSafeAADOfOtherGroups: a message whose authenticated data is not framed has no
// items to read.
func TestSafeAADOfOtherGroups(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{nil, []byte("free text"), {4, 0, 2, 0}, {6, 0, 9, 0, 0, 3, 0}, {6, 0, 9, 0, 0, 9, 0}, {0, 0}} {
		p := &message.PrivateMessage{AuthenticatedData: data}
		if items, err := p.SafeAAD(); err == nil || items != nil {
			t.Errorf("authenticated data %x: items %v, error %v, want an error", data, items, err)
		}
	}
}
