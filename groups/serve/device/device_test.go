package device

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// says reports whether an event is a message with a text.
func says(want string) func(member.Event) bool {
	return func(e member.Event) bool {
		m, ok := e.(member.Message)
		if !ok || m.Content == nil {
			return false
		}
		got, _ := m.Content.Body.PlainText()
		return got == want
	}
}

// TestConversation has two users of two providers talk.
func TestConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example", "b.example")
	alice := must(Open(t.Context(), w.config(w.enrol("alice/A1"), store.NewMemory())))
	bob := must(Open(t.Context(), w.config(w.enrol("bob/B1"), store.NewMemory())))
	w.run(alice)
	w.run(bob)
	w.check(bob.Settled(t.Context()))
	w.do(alice, w.creation())
	w.do(alice, member.AddUser{Room: clubhouse, User: uri("mimi://b.example/u/bob"), Role: 2})
	w.until(bob, func(e member.Event) bool { _, ok := e.(member.Joined); return ok })
	w.do(alice, text("hello"))
	w.until(bob, says("hello"))
	w.do(bob, text("hello yourself"))
	w.until(alice, says("hello yourself"))
}
