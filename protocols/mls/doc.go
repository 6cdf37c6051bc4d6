// Package mls is an engine for the Messaging Layer Security protocol, RFC 9420
// (https://www.rfc-editor.org/rfc/rfc9420), with the parts of
// draft-ietf-mls-extensions-10 that MIMI needs: groups of clients that agree on a
// key and change it with every Commit.
//
//	Client A             delivery service            Client B
//	   |  KeyPackage of B       |                       |
//	   |<-----------------------|<----------------------|
//	   |  Commit(Add(B))        |                       |
//	   |----------------------->|                       |
//	   |  Welcome               |                       |
//	   |----------------------->|---------------------->|
//	   |  PrivateMessage        |                       |
//	   |<---------------------->|<--------------------->|
//
// Start with [New], [Config.NewKeyPackage], [Group.Commit] and [OpenWelcome]. What is
// sent is in package message, and the cryptography in package suite. Without its errors,
// a group of two is
//
//	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
//	cfg := &mls.Config{Suite: s} // with PublicHandshake: true, if a hub is to follow
//	alice, err := mls.NewIdentity(s, []byte("alice"))
//	bob, err := mls.NewIdentity(s, []byte("bob"))
//	group, err := mls.New(cfg, now, alice, []byte("a group"), mls.GroupOptions{})
//	key, err := cfg.NewKeyPackage(now, bob, mls.LeafOptions{})
//	add := []message.Proposal{mls.AddProposal(key.Public)}
//	commit, err := group.Commit(now, mls.CommitOptions{Proposals: add})
//	err = group.Merge(&commit.Staged) // once the delivery service has accepted commit.Message
//	m, err := message.Parse(commit.Welcome, nil)
//	staged, err := mls.OpenWelcome(cfg, now, m.Welcome, []*mls.KeyPackage{key}, mls.JoinOptions{})
//	bobs := staged.Join()
//	sent, err := group.Protect([]byte("hello"), mls.SendOptions{})
//	event, err := bobs.Process(now, sent) // an *mls.Application with the data
//
// A [Group] is one member's view; a [PublicGroup] is that of a server which follows
// the group's PublicMessages without its secrets, and every Group embeds one.
// Handshakes are PublicMessages if [Config.PublicHandshake] is set; by default they
// are PrivateMessages, and no server can follow.
//
// A change has two phases. [Group.Process] and [PublicGroup.Process] check a Commit
// and return a [Staged] value that can be looked at; Merge makes it the group's
// state. To discard it is to drop it: it has nothing of the group's to give back, nor
// has a [StagedWelcome], which [OpenWelcome] returns in the same way. What it alone
// knows of the next epoch goes with its memory; a copy that [Group.MarshalPending] made
// is the store's to delete. A Commit of one's own is staged too, as [Pending].Staged,
// since the delivery service may order another one first (RFC 9420, Section 14).
//
// What a message must keep is written down as one [Check] each.
//
// The package keeps no clock, socket, file or goroutine; all randomness and
// cryptography come from a suite.Suite. Its parts are message (what goes over the
// wire), labeled (labelled cryptography), tree (ratchet trees and TreeKEM) and
// schedule (the key schedule and the secret tree).
//
// State is exported as named records of which a Commit changes O(log N): see [Record],
// [Group.Changes] and [Restore].
//
// It does not store anything itself, does not fetch KeyPackages or certificates, and
// does not decide who may do what: see [Config].
package mls
