package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// dmaStory is what was played.
type dmaStory struct {
	signal   string // the adapter
	sections []*dmaSection
	stanzas  int
	bytes    int // of the stanzas' frames
	verdict  []finding
}

// dmaSection is a part of it.
type dmaSection struct {
	Title, About string
	moments      []dmaMoment
}

// dmaMoment is what somebody does or sees, or what is sent.
type dmaMoment struct {
	At   float64 `json:"at"` // seconds since the start
	Does string  `json:"does,omitempty"`
	Sees string  `json:"sees,omitempty"`

	From   string   `json:"from,omitempty"`
	To     string   `json:"to,omitempty"`
	What   string   `json:"what,omitempty"`
	Stanza []string `json:"stanza,omitempty"` // XML, binary content as its length
	Bytes  int      `json:"bytes,omitempty"`
	Gloss  string   `json:"gloss,omitempty"` // what it is for

	ack   bool
	who   string // who sees it
	reads bool   // a message
}

// playDMA plays the story.
func playDMA(ctx context.Context) (*dmaStory, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	st, err := newStage(ctx)
	if err != nil {
		return nil, err
	}
	defer st.close()
	for _, act := range st.acts() {
		if err := act(); err != nil {
			return nil, err
		}
	}
	st.judge()
	return st.story, nil
}

// acts are the parts of the story, in order.
func (s *stage) acts() []func() error {
	return []func() error{s.enlist, s.talk, s.photos, s.group, s.offline, s.block, s.leave}
}

// enlist has both get their accounts and connect.
func (s *stage) enlist() error {
	s.section("Milestone 1 and 2: an identity, and the chat channel",
		"the partner vouches for Bob with a token; Noise XX proves each end's static key to the other")
	for _, p := range []*player{s.bob, s.alice} {
		if err := p.arrive(); err != nil {
			return err
		}
	}
	return nil
}

// arrive has a player get an account and connect.
func (p *player) arrive() error {
	if err := p.enlist(); err != nil {
		return err
	}
	p.connect("connects: Noise_XX_25519_AESGCM_SHA256, and stanzas inside")
	return p.settle()
}

// talk has both write while both are there.
func (s *stage) talk() error {
	s.section("Milestone 3: messages", "what a partner's app has to have: receipts, answers, reactions, typing")
	bob, alice := s.bob, s.alice
	toBob, toAlice := []*player{bob}, []*player{alice}
	hello, err := bob.say("Hello across!", alice)
	if err != nil {
		return err
	}
	if err := alice.do("has seen it", dma.MarkRead{Peer: bob.device.Account(), IDs: []string{hello}}); err != nil {
		return err
	}
	if err := alice.do("begins to type", dma.Typing{To: bob.device.Account()}); err != nil {
		return err
	}
	back, err := alice.write("answers: Hello back.", bob.device.Account(), toBob, dma.Content{Kind: dma.Text, Text: "Hello back.", ReplyTo: hello})
	if err != nil {
		return err
	}
	if _, err := bob.write("reacts to that with 🎉", alice.device.Account(), toAlice, dma.Content{Kind: dma.Reaction, Text: "🎉", Target: back}); err != nil {
		return err
	}
	_, err = bob.write("takes the reaction back", alice.device.Account(), toAlice, dma.Content{Kind: dma.Reaction, Target: back})
	return err
}

// photos has both send one.
func (s *stage) photos() error {
	s.section("Milestone 4: a photo each way", "each side hosts the ciphertext of what its users send; the key goes in the message")
	if err := s.bob.send("the view from here", s.alice); err != nil {
		return err
	}
	return s.alice.send("and from here", s.bob)
}

// laterText is written to the group when Carol is out of it.
const laterText = "Only us now."

// group has three talk in a group, and one removed from it.
func (s *stage) group() error {
	s.section("A group (assumed)", "each sender has a key for the group, sealed for each member once; then one ciphertext is for all")
	bob, alice, carol := s.bob, s.alice, s.carol
	if err := carol.arrive(); err != nil {
		return err
	}
	err := alice.do("makes a group with bob and carol", dma.CreateGroup{Subject: "Trip", Members: []ident.Address{bob.device.Account(), carol.device.Account()}})
	if err != nil {
		return err
	}
	groups := bob.device.Groups()
	if len(groups) != 1 {
		return fmt.Errorf("bob is in %d groups, want 1", len(groups))
	}
	at := groups[0].Address
	if _, err := bob.write("writes to the group: Lisbon in May?", at, []*player{alice, carol}, dma.Content{Kind: dma.Text, Text: "Lisbon in May?"}); err != nil {
		return err
	}
	if err := alice.do("removes carol", dma.RemoveMembers{Group: at, Members: []ident.Address{carol.device.Account()}}); err != nil {
		return err
	}
	if _, err := bob.write("writes to the group, with another key: "+laterText, at, []*player{alice}, dma.Content{Kind: dma.Text, Text: laterText}); err != nil {
		return err
	}
	return carol.disconnect()
}

// offline has Alice write while Bob is away.
func (s *stage) offline() error {
	s.section("While Bob is away", "the gatekeeper keeps what is for him, tells his partner, and hands it over when he is back")
	if err := s.bob.disconnect(); err != nil {
		return err
	}
	for _, text := range []string{"Are you there?", "Call me when you are."} {
		if _, err := s.alice.say(text, s.bob); err != nil {
			return err
		}
	}
	if err := s.pushed(); err != nil {
		return err
	}
	s.bob.connect("is woken by his partner, and connects")
	return s.settle()
}

// refusedText is what Bob writes while Alice has blocked him.
const refusedText = "Still there?"

// block has Alice block Bob, and let him again.
func (s *stage) block() error {
	s.section("Milestone 4: Alice's choice", "she blocks Bob, whose next message is refused, and takes that back")
	bob, alice := s.bob, s.alice
	if err := alice.do("blocks Bob", dma.Block{User: bob.device.Account(), On: true}); err != nil {
		return err
	}
	if _, err := bob.write("writes: "+refusedText, alice.device.Account(), nil, dma.Content{Kind: dma.Text, Text: refusedText}); err != nil {
		return err
	}
	return alice.do("takes the block back", dma.Block{User: bob.device.Account()})
}

// leave has Bob delete his account.
func (s *stage) leave() error {
	s.section("Milestone 5: deletion", "Bob leaves, and nothing is kept for him")
	if err := s.bob.do("deletes his account", dma.Delete{}); err != nil {
		return err
	}
	why := s.bob.gone()
	s.see(bobName, fmt.Sprintf("his device cannot connect any more: %v", why))
	s.deleted = errors.Is(why, stanza.NotEnlisted)
	return nil
}
