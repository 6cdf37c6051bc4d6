package mls_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// client is a configuration with an identity.
func client(name string) (*mls.Config, *mls.Identity) {
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	cfg := &mls.Config{Suite: s, PublicHandshake: true}
	id, err := mls.NewIdentity(s, []byte(name))
	if err != nil {
		log.Fatal(err)
	}
	return cfg, id
}

// must ends the example at an error.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// Alice makes a group and adds Bob, who joins by the Welcome and reads what she
// writes.
func Example() {
	now := time.Now()
	aliceCfg, alice := client("alice")
	bobCfg, bob := client("bob")

	group := must(mls.New(aliceCfg, now, alice, []byte("a group"), mls.GroupOptions{}))
	key := must(bobCfg.NewKeyPackage(now, bob, mls.LeafOptions{}))
	commit := must(group.Commit(now, mls.CommitOptions{Proposals: []message.Proposal{mls.AddProposal(key.Public)}}))
	// The delivery service accepts the Commit; only then Alice merges it.
	if err := group.Merge(&commit.Staged); err != nil {
		log.Fatal(err)
	}

	welcome := must(message.Parse(commit.Welcome, nil))
	staged := must(mls.OpenWelcome(bobCfg, now, welcome.Welcome, []*mls.KeyPackage{key}, mls.JoinOptions{}))
	fmt.Printf("%s invites Bob\n", staged.Tree().Leaf(staged.Sender()).Credential.Identity)
	bobs := staged.Join()

	sent := must(group.Protect([]byte("hello"), mls.SendOptions{}))
	event := must(bobs.Process(now, sent))
	fmt.Printf("Bob reads %q\n", event.(*mls.Application).Data)
	// Output:
	// alice invites Bob
	// Bob reads "hello"
}

// Charlie joins without being asked, by an external Commit.
func ExampleJoinExternal() {
	now := time.Now()
	aliceCfg, alice := client("alice")
	charlieCfg, charlie := client("charlie")
	group := must(mls.New(aliceCfg, now, alice, []byte("a group"), mls.GroupOptions{}))

	info := must(group.GroupInfo(mls.GroupInfoOptions{External: true}))
	external := must(mls.JoinExternal(charlieCfg, now, charlie, info, mls.ExternalOptions{}))

	staged := must(group.Process(now, external.Message)).(*mls.Staged)
	fmt.Printf("a %v from leaf %d\n", staged.Committer().Type, staged.Leaf())
	if err := group.Merge(staged); err != nil {
		log.Fatal(err)
	}
	charlies := external.Join()
	fmt.Println(string(charlies.EpochAuthenticator()) == string(group.EpochAuthenticator()))
	// Output:
	// a new_member_commit from leaf 1
	// true
}

// A hub follows a group without its secrets.
func ExamplePublicGroup() {
	now := time.Now()
	aliceCfg, alice := client("alice")
	bobCfg, bob := client("bob")
	hubCfg, _ := client("hub")
	group := must(mls.New(aliceCfg, now, alice, []byte("a group"), mls.GroupOptions{}))
	hub := must(mls.NewPublicGroup(hubCfg, now, must(group.GroupInfo(mls.GroupInfoOptions{})), nil))

	key := must(bobCfg.NewKeyPackage(now, bob, mls.LeafOptions{}))
	commit := must(group.Commit(now, mls.CommitOptions{Proposals: []message.Proposal{mls.AddProposal(key.Public)}}))

	event, err := hub.Process(now, commit.Message)
	if errors.Is(err, mls.ErrEncrypted) {
		return // nothing to follow: it is passed on as it is
	}
	if err != nil {
		log.Fatal(err)
	}
	staged := event.(*mls.Staged)
	fmt.Printf("epoch %d adds leaf %v\n", staged.Epoch(), staged.Added())
	if err := hub.Merge(staged); err != nil {
		log.Fatal(err)
	}
	fmt.Println(hub.Tree().Members(), "members")
	// Output:
	// epoch 1 adds leaf [1]
	// 2 members
}

// roomTopic is a component of the example, whose data an update replaces.
const roomTopic message.ComponentID = 0x8000

// A hub tracks a room whose topic is in the GroupContext: it merges the updates as the
// members do, tells who joined and who set the topic, and checks the GroupInfo that it
// will hand to others.
func ExampleStaged_Changes() {
	now := time.Now()
	components := map[message.ComponentID]mls.Component{
		roomTopic: {Update: func(_ []byte, updates [][]byte) ([]byte, error) { return updates[len(updates)-1], nil }},
	}
	aliceCfg, alice := client("alice")
	bobCfg, bob := client("bob")
	hubCfg, _ := client("hub")
	aliceCfg.Components, bobCfg.Components, hubCfg.Components = components, components, components
	room := must(mls.New(aliceCfg, now, alice, []byte("a room"), mls.GroupOptions{}))
	hub := must(mls.NewPublicGroup(hubCfg, now, must(room.GroupInfo(mls.GroupInfoOptions{})), nil))

	key := must(bobCfg.NewKeyPackage(now, bob, mls.LeafOptions{}))
	commit := must(room.Commit(now, mls.CommitOptions{
		Proposals: []message.Proposal{mls.AddProposal(key.Public), aliceCfg.AppDataProposal(roomTopic, []byte("lunch"))},
		Info:      mls.GroupInfoOptions{External: true, NoTree: true},
	}))

	staged := must(hub.Process(now, commit.Message)).(*mls.Staged)
	if err := hub.CheckGroupInfo(staged, commit.GroupInfo, nil); err != nil {
		log.Fatal(err)
	}
	changes := must(staged.Changes())
	for _, a := range changes.Adds {
		fmt.Printf("%s is added at leaf %d\n", a.KeyPackage.LeafNode.Credential.Identity, a.Leaf)
	}
	for _, c := range changes.Components {
		fmt.Printf("%s sets the topic to %q\n", c.Updates[0].Leaf.Credential.Identity, c.After)
	}
	if err := hub.Merge(staged); err != nil {
		log.Fatal(err)
	}
	records := hub.Changes() // to be stored before the Commit is passed on
	again := must(mls.RestorePublic(hubCfg, records))
	topic, _ := again.ComponentData(roomTopic)
	fmt.Printf("epoch %d: %s\n", again.Epoch(), topic)
	// Output:
	// bob is added at leaf 1
	// alice sets the topic to "lunch"
	// epoch 1: lunch
}
