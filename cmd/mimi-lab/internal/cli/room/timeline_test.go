package room

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/serve/device"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

func uri(s string) ident.URI {
	u, err := ident.ParseURI(s)
	if err != nil {
		panic(err)
	}
	return u
}

var (
	clubhouse = uri("mimi://a.example/r/clubhouse")
	alice     = uri("mimi://a.example/u/alice")
	bob       = uri("mimi://b.example/u/bob")
	noon      = time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)
)

// story makes a history of what a device of Alice's was told.
type story struct {
	*testing.T
	h *history
	n uint64
}

func newStory(t *testing.T) *story {
	return &story{T: t, h: newHistoryOf(clubhouse, nil, func() time.Time { return noon.Add(time.Hour) }, alice, make(map[content.MessageID][]byte))}
}

func (s *story) event(e member.Event) (item, bool) {
	s.n++
	return s.h.take(device.Event{N: s.n, At: noon.Add(time.Duration(s.n) * time.Second), Event: e})
}

// says has a user send a message, and returns its ID.
func (s *story) says(who ident.URI, m *content.Message) content.MessageID {
	s.Helper()
	m.Salt[0] = byte(s.n + 1)
	b, err := m.Marshal()
	if err != nil {
		s.Fatal(err)
	}
	id, err := content.IDOf(who.String(), clubhouse.String(), b, m.Salt)
	if err != nil {
		s.Fatal(err)
	}
	at := noon.Add(time.Duration(s.n+1) * time.Second)
	if who == alice {
		s.h.sent[id] = b
		s.event(member.Sent{Room: clubhouse, Message: id, Accepted: at})
	} else {
		s.event(member.Message{Room: clubhouse, Sender: who, ID: id, Content: m, Accepted: at})
	}
	return id
}

// text is the history for people, without the hour, which is that of the time zone.
func (s *story) text() string {
	var out bytes.Buffer
	p := &printer{out: &term.IO{Out: &out, Getenv: func(string) string { return "" }}, names: namesOf(s.h)}
	for _, i := range s.h.all() {
		p.print(&out, s.h, i)
	}
	_, lines, _ := strings.Cut(out.String(), "\n") // the day
	return lines
}

// TestTimeline: edits, deletions and reactions stand at the message that they are
// about, and what is not allowed says so.
func TestTimeline(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.event(member.Joined{Room: clubhouse})
	s.event(member.Refused{Room: uri("mimi://a.example/r/other"), What: "wrong room"})
	hello := s.says(alice, &content.Message{Body: content.Text("Hello")})
	s.event(member.RoomChanged{Room: clubhouse, Epoch: 1, By: bob, Changes: []member.Change{{Kind: member.ClientAdded, User: bob, Client: uri("mimi://b.example/d/bob/phone")}}})
	reply := s.says(bob, &content.Message{InReplyTo: hello, Body: content.Text("Helo")})
	s.says(bob, &content.Message{Replaces: reply, Body: content.Text("Hello\nyourself \x1b[31m")})
	s.says(bob, &content.Message{InReplyTo: hello, Body: content.React("👍")})
	gone := s.says(bob, &content.Message{Body: content.Text("Oops")})
	s.says(bob, &content.Message{Replaces: gone, Body: content.Deletion()})
	s.says(bob, &content.Message{Replaces: hello, Body: content.Text("Alice is silly")})
	s.event(member.Message{Room: clubhouse, Sender: bob, Why: errors.New("no CBOR")})
	s.event(member.Proposed{Room: clubhouse, By: bob, Changes: []member.Change{{Kind: member.UserRemoved, User: bob}}})
	s.event(member.Stalled{Room: clubhouse, What: "commit", Why: errors.New("no route to a.example")})
	got := s.text()
	for _, want := range []string{
		"this device is in the room, from epoch 0 on\n",
		shortID(hello) + "  alice: Hello\n" + strings.Repeat(" ", 27) + "👍 bob\n",
		"bob came in with bob@b.example/phone\n",
		shortID(reply) + "  bob:   Hello\n" + strings.Repeat(" ", 27) + "yourself \uFFFD[31m (to " + shortID(hello) + ", edited)\n",
		shortID(gone) + "  bob:   deleted\n",
		"a message of bob that is not valid: ",
		"a message of bob that cannot be read: no CBOR\n",
		"bob leaves, with the next Commit of another\n",
		"waiting: the hub does not answer to this device's commit: no\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, not := range []string{"silly\n", "Oops", "Helo", "\x1b", "wrong room"} {
		if strings.Contains(got, not) {
			t.Errorf("%q in\n%s", not, got)
		}
	}
	for _, line := range strings.Split(got, "\n") {
		if len([]rune(line)) > 80 {
			t.Errorf("a line of %d columns: %s", len([]rune(line)), line)
		}
	}
	if n := s.h.messages(); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
}

// TestEditFirst: an edit whose first version this device never got stands once.
func TestEditFirst(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	never := content.MessageID{1, 9}
	s.says(bob, &content.Message{Replaces: never, Body: content.Text("second")})
	s.says(bob, &content.Message{Replaces: never, Body: content.Text("third")})
	if got := s.text(); strings.Count(got, "bob:") != 1 || !strings.Contains(got, "third") {
		t.Errorf("got\n%s", got)
	}
}

// TestNamed finds messages by the beginning of their IDs.
func TestNamed(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	hello := s.says(bob, &content.Message{Body: content.Text("Hello")})
	for _, tt := range []struct{ name, want string }{
		{shortID(hello), ""},
		{shortID(hello)[:3], ""},
		{strings.ToUpper(shortID(hello)), ""},
		{hello.String(), ""},
		{"", "no message"},
		{"xyz", "no message"},
	} {
		id, err := s.h.named(tt.name)
		if tt.want == "" && (err != nil || id != hello) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: %v, %v; want %q", tt.name, id, err, tt.want)
		}
	}
	for range 300 { // of which two begin alike
		s.says(bob, &content.Message{Body: content.Text("again")})
	}
	if _, err := s.h.named(shortID(hello)[:1]); err == nil || !strings.Contains(err.Error(), "messages begin with") {
		t.Errorf("one digit: %v", err)
	}
}

// TestNames tells users of one name apart.
func TestNames(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.says(bob, &content.Message{Body: content.Text("a")})
	s.says(uri("mimi://c.example/u/bob"), &content.Message{Body: content.Text("b")})
	s.says(alice, &content.Message{Body: content.Text("c")})
	got := namesOf(s.h)
	for u, want := range map[ident.URI]string{bob: "bob@b.example", alice: "alice", uri("mimi://c.example/u/bob"): "bob@c.example"} {
		if got[u.String()] != want {
			t.Errorf("%v is %q, want %q", u, got[u.String()], want)
		}
	}
}

// TestDescribe says what Commits change.
func TestDescribe(t *testing.T) {
	t.Parallel()
	phone := uri("mimi://b.example/d/bob/phone")
	for _, tt := range []struct {
		name string
		by   ident.URI
		list []member.Change
		want string
	}{
		{"nothing", alice, nil, "renewed keys"},
		{"a user with a device", alice, []member.Change{{Kind: member.UserAdded, User: bob, Role: 2}, {Kind: member.ClientAdded, User: bob, Client: phone}}, "added bob@b.example as no role with 1 device"},
		{"a user by itself", bob, []member.Change{{Kind: member.UserAdded, User: bob}, {Kind: member.ClientAdded, User: bob, Client: phone}}, "came in as no role with 1 device"},
		{"a device", alice, []member.Change{{Kind: member.ClientAdded, User: bob, Client: phone}}, "added bob@b.example/phone"},
		{"a device by itself", bob, []member.Change{{Kind: member.ClientAdded, User: bob, Client: phone}}, "came in with bob@b.example/phone"},
		{"a user goes", alice, []member.Change{{Kind: member.ClientRemoved, User: bob, Client: phone}, {Kind: member.UserRemoved, User: bob}}, "removed bob@b.example with 1 device"},
		{"a component", alice, []member.Change{{Kind: member.ComponentChanged, Component: 0x2a}}, "changed join_links"},
		{"two things", alice, []member.Change{{Kind: member.RoleChanged, User: bob, Role: 1}, {Kind: member.MetadataChanged}}, "made bob@b.example no role, changed the room's name or description"},
	} {
		if got := describe(nil, tt.by.String(), tt.list); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestPrintable: what others write does nothing to the terminal, and is all there else.
func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\tb":                    "a b",
		"\x1b[31mred\x07":         "\ufffd[31mred\ufffd",
		"a\u202edcba":             "a\ufffddcba",
		"\u2066x\u2069":           "\ufffdx\ufffd",
		"שלום, 👩\u200d🔬, e\u0301": "שלום, 👩\u200d🔬, e\u0301",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
