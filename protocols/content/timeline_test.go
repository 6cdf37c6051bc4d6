package content_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// base is when the tests take place.
var base = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// talk is a timeline with messages in it that have names.
type talk struct {
	*testing.T
	content.Timeline
	suite suite.Suite
	ids   map[string]content.MessageID
	now   time.Time
}

func newTalk(t *testing.T) *talk {
	return &talk{T: t, Timeline: content.Timeline{Room: room, Created: base}, suite: newSuite(t), ids: map[string]content.MessageID{}, now: base}
}

// make makes a message a second after the one before.
func (t *talk) make(name, sender string, body content.NestedPart, change func(*content.Message)) content.Received {
	t.Helper()
	m := newMessage(t, t.suite, sender, body)
	if change != nil {
		change(m)
	}
	id, err := m.ID(sender, room)
	if err != nil {
		t.Fatal(err)
	}
	t.ids[name] = id
	t.now = t.now.Add(time.Second)
	return content.Received{ID: id, Sender: sender, Accepted: t.now, Message: m}
}

// add demands that a message is refused by a check, or not if want is 0.
func (t *talk) add(in content.Received, want content.Check) {
	t.Helper()
	before := t.String()
	err := t.Add(t.now, in)
	switch {
	case want == 0 && err != nil:
		t.Fatal(err)
	case want != 0 && !errors.Is(err, want):
		t.Fatalf("got %v, want %v", err, want)
	case want != 0 && t.String() != before:
		t.Fatalf("refused with %v, and changed\n%s\nto\n%s", want, before, t.String())
	}
}

// say adds a message.
func (t *talk) say(name, sender, text string) {
	t.Helper()
	t.add(t.make(name, sender, content.Text(text), nil), 0)
}

func (t *talk) reply(name, sender, to string) content.Received {
	t.Helper()
	return t.make(name, sender, content.Text(name), func(m *content.Message) { m.InReplyTo = t.ids[to] })
}

func (t *talk) react(name, sender, to, emoji string) content.Received {
	t.Helper()
	return t.make(name, sender, content.React(emoji), func(m *content.Message) { m.InReplyTo = t.ids[to] })
}

func (t *talk) replace(name, sender, first string, body content.NestedPart) content.Received {
	t.Helper()
	return t.make(name, sender, body, func(m *content.Message) { m.Replaces = t.ids[first] })
}

// String writes the timeline in a few words.
func (t *talk) String() string {
	var lines []string
	for _, e := range t.Entries() {
		text, _ := e.Current().Body.PlainText()
		s := e.Sender[strings.LastIndexByte(e.Sender, '/')+1:] + ": " + text
		if e.Gone != content.Present {
			s += e.Gone.String()
		}
		if e.Edited() {
			s += " (edited)"
		}
		for _, r := range e.Reactions {
			text, _ := r.Body.PlainText()
			s += " " + text
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

func (t *talk) want(want ...string) {
	t.Helper()
	if got := t.String(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// TestTimelineEdits follows edits, deletions and reactions that come in order.
func TestTimelineEdits(t *testing.T) {
	t.Parallel()
	c := newTalk(t)
	c.say("a", alice, "helo")
	c.add(c.replace("a2", alice, "a", content.Text("hello")), 0)
	c.add(c.react("like", bob, "a", "❤"), 0)
	c.add(c.react("like2", cathy, "a2", "👍"), 0)
	c.add(c.reply("b", bob, "a2"), 0)
	c.want("alice: hello (edited) ❤ 👍", "bob: b")
	e, ok := c.Entry(c.ids["a2"])
	if !ok || e.ID != c.ids["a"] || len(e.Versions) != 2 || e.Reactions[0].To != c.ids["a"] || e.Reactions[1].To != c.ids["a2"] {
		t.Errorf("entry %+v, %v", e, ok)
	}
	c.add(c.replace("unlike", bob, "like", content.Unlike()), 0)
	c.add(c.replace("relike", cathy, "like2", content.React("🎉")), 0)
	c.want("alice: hello (edited) 🎉", "bob: b")
	c.add(c.replace("gone", alice, "a", content.Deletion()), 0)
	c.want("alice: deleted", "bob: b")
	c.add(c.replace("late", alice, "a", content.Text("again")), content.CheckDeleted)
}

// TestTimelineRefuses proves that nobody edits for others, and the other rules.
func TestTimelineRefuses(t *testing.T) {
	t.Parallel()
	c := newTalk(t)
	c.say("a", alice, "mine")
	c.add(c.react("like", bob, "a", "❤"), 0)
	c.add(c.replace("a2", alice, "a", content.Text("mine!")), 0)
	c.add(c.replace("gone", alice, "a", content.Deletion()), 0)
	c.say("b", alice, "also mine")

	c.add(c.replace("x", bob, "b", content.Text("his")), content.CheckNotAuthor)
	c.add(c.replace("x", bob, "b", content.Deletion()), content.CheckNotAuthor)
	c.add(c.replace("x", alice, "like", content.Unlike()), content.CheckNotAuthor)
	c.add(c.replace("x", alice, "a2", content.Text("not the first")), content.CheckSelfReplace)
	c.add(c.replace("x", alice, "gone", content.Text("of a deletion")), content.CheckSelfReplace)
	self := c.make("x", alice, content.Text("x"), nil)
	self.Message.Replaces = self.ID
	c.add(self, content.CheckSelfReplace)

	again := c.make("c", alice, content.Text("twice"), nil)
	c.add(again, 0)
	c.add(again, content.CheckDuplicate)
	again.ID = content.MessageID{}
	c.add(again, content.CheckDuplicate)

	forged := c.make("x", alice, content.Text("x"), nil)
	forged.Sender = bob
	c.add(forged, content.CheckSender)
	c.add(c.make("x", alice, content.Text("x"), func(m *content.Message) {
		m.Extensions = m.Extensions.With(content.KeyRoomURI, content.TextValue(room+"2"))
	}), content.CheckSender)
	late := c.make("x", alice, content.Text("x"), nil)
	late.Accepted = c.now.Add(5*time.Minute + time.Millisecond)
	c.add(late, content.CheckTimestamp)
	late.Accepted = base.Add(-time.Millisecond)
	c.add(late, content.CheckTimestamp)
	c.add(c.make("x", alice, content.Text("x"), func(m *content.Message) {
		m.Expires = content.Expiration{Kind: content.ExpiresAfter, Seconds: 367 * 24 * 3600}
	}), content.CheckExpiry)
	c.want("alice: deleted", "alice: also mine", "alice: twice")

	// A policy of the room may let a moderator delete.
	c.May = func(sender string, e content.Entry) bool { return sender == cathy && e.Sender == alice }
	c.add(c.replace("mod", cathy, "b", content.Deletion()), 0)
	c.add(c.replace("x", bob, "c", content.Deletion()), content.CheckNotAuthor)
	c.want("alice: deleted", "alice: deleted", "alice: twice")
}

// TestTimelineKeepsTheRest proves that an edit changes the body alone (Rendering and
// authorization of edits and deletes).
func TestTimelineKeepsTheRest(t *testing.T) {
	t.Parallel()
	c := newTalk(t)
	c.say("a", alice, "a")
	c.say("b", bob, "b")
	c.add(c.make("r", cathy, content.Text("to a"), func(m *content.Message) {
		m.InReplyTo, m.TopicID = c.ids["a"], []byte("topic")
	}), 0)
	c.add(c.make("r2", cathy, content.React("to b"), func(m *content.Message) {
		m.Replaces, m.InReplyTo, m.TopicID = c.ids["r"], c.ids["b"], []byte("other")
		m.Expires = content.Expiration{Kind: content.ExpiresAfter, Seconds: 1}
	}), 0)
	e, ok := c.Entry(c.ids["r"])
	if !ok || e.InReplyTo != c.ids["a"] || string(e.TopicID) != "topic" || e.Expires.Kind != content.ExpiresNever || e.Accepted != base.Add(3*time.Second) {
		t.Errorf("the edit changed %+v", e)
	}
	c.want("alice: a", "bob: b", "cathy: to b (edited)")
}

// TestTimelineOrder adds the same messages in any order and wants the same in the
// end.
func TestTimelineOrder(t *testing.T) {
	t.Parallel()
	c := newTalk(t)
	all := []content.Received{
		c.make("forged", cathy, content.Text("forged"), func(m *content.Message) { m.Replaces = content.MessageID{1} }),
		c.make("a", alice, content.Text("a"), nil),
		c.replace("a2", alice, "a", content.Text("A")),
		c.react("like", bob, "a", "❤"),
		c.replace("a3", alice, "a", content.Text("AA")),
		c.react("like2", cathy, "a2", "🎉"),
		c.make("relike", bob, content.React("👍"), func(m *content.Message) { m.Replaces, m.InReplyTo = c.ids["like"], c.ids["a"] }),
		c.make("b", bob, content.Text("b"), nil),
		c.replace("bgone", bob, "b", content.Deletion()),
	}
	all[0].Message.Replaces = c.ids["a"]
	rapid.Check(t, func(r *rapid.T) {
		line := &talk{T: t, Timeline: content.Timeline{Room: room}}
		for _, in := range rapid.Permutation(all).Draw(r, "order") {
			err := line.Add(c.now, in)
			if err != nil && (in.ID != all[0].ID || !errors.Is(err, content.CheckNotAuthor)) {
				r.Fatal(err)
			}
		}
		if got, want := line.String(), "alice: AA (edited) 👍 🎉\nbob: deleted"; got != want {
			r.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestReceive(t *testing.T) {
	t.Parallel()
	m := newMessage(t, newSuite(t), alice, content.Text("x"))
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.ID(alice, room)
	if err != nil {
		t.Fatal(err)
	}
	in, err := content.Receive(alice, room, base, b)
	if err != nil || in.ID != want || in.Sender != alice || !in.Accepted.Equal(base) || in.Message.Salt != m.Salt {
		t.Errorf("got %+v (%v), want the message with ID %s", in, err, want)
	}
	if in, err := content.Receive(alice, room, base, b[1:]); in.Message != nil || !errors.Is(err, content.CheckType) {
		t.Errorf("got %+v, %v, want %v", in, err, content.CheckType)
	}
	if in, err := content.Receive(strings.Repeat("x", 1<<16), room, base, b); in.Message != nil || !errors.Is(err, content.CheckURI) {
		t.Errorf("got %+v, %v, want %v", in, err, content.CheckURI)
	}
}

// TestTimelineUnseen shows what is made of edits whose first version came before the
// client did.
func TestTimelineUnseen(t *testing.T) {
	t.Parallel()
	c := newTalk(t)
	c.make("a", alice, content.Text("never seen"), nil)
	c.add(c.replace("forged", bob, "a", content.Text("forged")), 0)
	c.add(c.replace("a2", alice, "a", content.Text("seen")), 0)
	c.add(c.replace("a3", alice, "a", content.Text("seen again")), 0)
	c.add(c.react("like", bob, "a", "❤"), 0)
	// Nobody can tell yet which of the two wrote it, and so both stand by
	// themselves.
	c.want("bob: forged (edited) ❤", "alice: seen again (edited) ❤")
	if _, ok := c.Entry(c.ids["a"]); ok {
		t.Error("there is an entry of a version that never came")
	}
	c.add(c.replace("gone", alice, "a", content.Deletion()), 0)
	c.want("bob: forged (edited) ❤", "alice: deleted")
}

// TestTimelineReplyLoop makes loops, which takes IDs that are no hashes.
func TestTimelineReplyLoop(t *testing.T) {
	t.Parallel()
	for length := 1; length <= 4; length++ {
		c := newTalk(t)
		name := func(i int) string { return fmt.Sprint("m", i%length) }
		for i := range length {
			c.ids[name(i)] = content.MessageID{1, byte(i + 1)}
		}
		for i := range length {
			in := c.make("x", alice, content.Text("x"), func(m *content.Message) { m.InReplyTo = c.ids[name(i+1)] })
			in.ID = c.ids[name(i)]
			want := content.Check(0)
			if i == length-1 {
				want = content.CheckReplyLoop
			}
			c.add(in, want)
		}
	}
}

// TestTimelineExpiry lets messages expire, absolutely and once they were read.
func TestTimelineExpiry(t *testing.T) {
	t.Parallel()
	c := newTalk(t)
	at, err := content.At(base.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	after, err := content.After(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	expire := func(e content.Expiration) func(*content.Message) {
		return func(m *content.Message) { m.Expires = e }
	}
	c.add(c.make("at", alice, content.Text("at"), expire(at)), 0)
	c.add(c.make("after", alice, content.Text("after"), expire(after)), 0)
	c.add(c.make("like", bob, content.React("❤"), func(m *content.Message) { m.InReplyTo, m.Expires = c.ids["after"], at }), 0)
	check := func(now time.Time, next time.Time, want ...string) {
		t.Helper()
		expired, n := c.Expire(now)
		var got []string
		for _, id := range expired {
			for name, known := range c.ids {
				if known == id {
					got = append(got, name)
				}
			}
		}
		if !slices.Equal(got, want) || !n.Equal(next) {
			t.Errorf("at %s expired %v, next %s; want %v, %s", now, got, n, want, next)
		}
	}
	check(base.Add(time.Minute-1), base.Add(time.Minute))
	check(base.Add(time.Minute), time.Time{}, "at", "like")
	c.want("alice: expired", "alice: after")
	read := base.Add(time.Hour)
	if !c.MarkRead(read, c.ids["after"]) || c.MarkRead(read.Add(1), c.ids["after"]) || c.MarkRead(read, c.ids["at"]) {
		t.Error("want one message to be read once")
	}
	check(read, read.Add(10*time.Second))
	check(read.Add(10*time.Second), time.Time{}, "after")
	c.add(c.replace("x", alice, "after", content.Text("back")), content.CheckDeleted)
}
