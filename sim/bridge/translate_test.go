package bridge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

// TestReactionsToSignal: a chat shows one reaction of the other one on a message; another
// goes as words, a change and a withdrawal find the one that they are about, also after a
// restart.
func TestReactionsToSignal(t *testing.T) {
	t.Parallel()
	s := newScene(t, Config{Seed: 1}, "administered", 2)
	s.ok(s.Say(1, "react to this"))
	on := got(s.alice, BobInRooms)
	react := func(m content.Message) content.MessageID {
		t.Helper()
		m.InReplyTo = on
		s.send(m)
		s.Crash()
		s.ok(0, nil)
		return sent(s.alice)
	}
	first := react(content.Message{Body: content.React("👍")})
	second := react(content.Message{Body: content.React("🎉")})
	react(content.Message{Body: content.React("❤️"), Replaces: first})
	react(content.Message{Body: content.Unlike(), Replaces: second})
	react(content.Message{Body: content.Unlike(), Replaces: first})
	react(content.Message{Body: content.React("👋")})
	var list []string
	for _, c := range s.shown(1) {
		if !strings.HasPrefix(c.Text, "[gateway]") {
			list = append(list, c.Kind.String()+" "+c.Text)
		}
	}
	want := []string{
		"reaction 👍", "text alice (a.example): reacted with 🎉", "reaction ❤️", "text alice (a.example): took a reaction back.",
		"reaction ", "reaction 👋",
	}
	if !slices.Equal(list, want) {
		t.Errorf("Bob's app shows %q, want %q", list, want)
	}
}

// TestRoomOfBob: what Bob does in his chat makes in the room, for a client that keeps its
// messages as the draft has it, what he means: one message with its newest text and
// reaction, and one that is gone.
func TestRoomOfBob(t *testing.T) {
	t.Parallel()
	s := newScene(t, Config{Seed: 1}, "administered", 2)
	write := func(c dma.Content) string {
		t.Helper()
		id, err := s.Write(1, c)
		s.ok(0, err)
		s.Crash()
		s.ok(0, nil)
		return id
	}
	say := func(text, to string) string { return write(dma.Content{Kind: dma.Text, Text: text, ReplyTo: to}) }
	s.send(content.Message{Body: content.Text("of Alice")})
	hers := sent(s.alice)
	shown := s.lastShown()
	for _, emoji := range []string{"👍", "🎉", "", "❤️"} {
		write(dma.Content{Kind: dma.Reaction, Target: shown, Text: emoji})
	}
	mine := say("one", "")
	say("/edit two", mine)
	answer := say("an answer", mine)
	say("/edit three", mine)
	write(dma.Content{Kind: dma.Reaction, Target: mine, Text: "🙈"})
	say("/delete", answer)
	say("/edit again", answer) // which is gone
	say("//slash", shown)

	line := content.Timeline{Room: Clubhouse.String()}
	if err := line.Add(s.Time(), content.Received{ID: hers, Sender: s.alice.User.String(), Accepted: Start, Message: &content.Message{Body: content.Text("of Alice")}}); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.alice.Events {
		m, ok := e.Event.(member.Message)
		if !ok {
			continue
		}
		if err := line.Add(s.Time(), content.Received{ID: m.ID, Sender: m.Sender.String(), Accepted: m.Accepted, Message: m.Content}); err != nil {
			t.Errorf("%q: %v", reads(m), err)
		}
		if v, ok := m.Content.Extensions.Find(gateway.KeyGateway); !ok || v.String() != `"at a server"` {
			t.Errorf("%q does not say that it came through a gateway: %v", reads(m), v)
		}
	}
	var list []string
	for _, e := range line.Entries() {
		text, _ := e.Current().Body.PlainText()
		if strings.HasPrefix(text, "[gateway]") {
			continue
		}
		x := fmt.Sprintf("%s %v, %d versions", text, e.Gone, len(e.Versions))
		if !e.InReplyTo.IsZero() {
			x += ", an answer"
		}
		for _, r := range e.Reactions {
			emoji, _ := r.Body.PlainText()
			x += ", " + emoji
		}
		list = append(list, x)
	}
	want := []string{
		"of Alice present, 1 versions, ❤️", "three present, 3 versions, 🙈", " deleted, 0 versions, an answer", "/slash present, 1 versions, an answer",
	}
	if !slices.Equal(list, want) {
		t.Errorf("the room has %q, want %q", list, want)
	}
	if !strings.Contains(s.chat(1), "It must be one of your own") {
		t.Error("Bob was not told that what he changed is gone")
	}
}
