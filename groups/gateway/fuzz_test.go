package gateway

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// FuzzToSignal: whatever a member sends becomes few messages that a chat can carry.
func FuzzToSignal(f *testing.F) {
	for _, s := range samplesToSignal {
		if b, err := s.m.Marshal(); err == nil && len(b) < 4096 {
			f.Add(b, true)
			f.Add(b, false)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, pair bool) {
		m, err := content.Parse(b)
		if err != nil {
			return
		}
		v := view{name: "alice (a.example)", pair: pair, refs: chatRefs(), parts: 3}
		r := v.toSignal(mid(50), m)
		if len(r.items) == 0 || len(r.items) > 3 {
			t.Fatalf("%d messages, want 1 to 3", len(r.items))
		}
		for _, it := range r.items {
			got, err := dma.ParseContent(it.content.Append(nil))
			if err != nil {
				t.Fatalf("a message that no chat takes: %v", err)
			}
			if got.Kind != dma.Reaction && !strings.HasPrefix(got.Text, "alice (a.example): ") {
				t.Fatalf("a message without its sender's name: %.100q", got.Text)
			}
		}
	})
}

// FuzzToRoom: whatever a user writes becomes content that a room takes, or a remark.
func FuzzToRoom(f *testing.F) {
	for _, c := range []dma.Content{
		{Kind: dma.Text, Text: "[gateway] x", ReplyTo: "S1"}, {Kind: dma.Reaction, Target: "S5"},
		{Kind: dma.Image, Text: "x", Media: dma.MediaRef{Ref: "x", Thumbnail: []byte{1}}},
		{Kind: dma.Text, Text: "/edit x", ReplyTo: "S5"},
	} {
		f.Add(c.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := dma.ParseContent(b)
		if err != nil {
			return
		}
		for _, u := range []utterance{say(c)(), edit(c.Text, c.ReplyTo, chatRefs())} {
			if u.message == nil {
				if len(u.remarks) == 0 {
					t.Fatal("nothing is sent, and nothing told")
				}
				continue
			}
			if _, err := u.message.Marshal(); err != nil {
				t.Fatalf("a message that no room takes: %v", err)
			}
			if s, _ := u.message.Body.PlainText(); strings.HasPrefix(s, notice) && u.message.Body.Disposition == content.DispositionRender && !u.medium {
				t.Fatalf("it passes for the gateway's own: %q", s)
			}
		}
	})
}

// FuzzCommand: a text is a command or a text, and the text is a part of it.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{"/who", "//x", "/edit a\nb", "/", "x", "/\n", "/é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, arg, text := parseCommand(s)
		if text != "" && (name != "" || arg != "" || !strings.HasSuffix(s, text)) {
			t.Fatalf("%q is %q, %q and %q", s, name, arg, text)
		}
		if !strings.HasPrefix(s, "/") && text != s {
			t.Fatalf("%q is a command", s)
		}
		if validName(s) && (len(s) > maxName || !utf8.ValidString(s)) {
			t.Fatalf("name %q", s)
		}
		if w := word(s); w == "" || len(w) > maxWord+3 || strings.ContainsAny(w, "\n\x00") {
			t.Fatalf("word %q", w)
		}
	})
}

// FuzzRestore: records that were altered are refused, or make a gateway that goes on.
func FuzzRestore(f *testing.F) {
	r := newRig(f, testConfig())
	u := r.agree(bob, "bob")
	r.open(u, 1)
	r.event(func() {
		r.g.saveRef(u.threads[1], u.threads[1].refs.add(ref{Signal: "S1", MIMI: mid(1), Last: mid(2)}))
	})
	r.write(1, bob, dma.Content{Kind: dma.Image, Media: dma.MediaRef{Ref: "x", Size: 5}})
	good := r.records()
	for i, rec := range good {
		f.Add(uint16(i), rec.Key, rec.Value)
	}
	f.Fuzz(func(t *testing.T, at uint16, key string, value []byte) {
		list := slices.Clone(good)
		list[int(at)%len(list)] = protocols.Record{Key: key, Value: value}
		g, err := Restore(r.cfg, list)
		if err != nil {
			return
		}
		if _, err := g.Step(start, Resume{}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzStep: whatever the two sides say, in any order, the machine refuses it or goes on;
// it keeps no more than its limits, and what it stored makes it again.
func FuzzStep(f *testing.F) {
	f.Add([]byte("\x00/agree bob\n\x01\n\x03\n\x02hello\n\x04x\n"))
	f.Add([]byte("\x00/stop\n\x01\n\x05\n\x06\n\x00/agree bob\n"))
	f.Add([]byte("\x03\n\x03\n\x00/accept 1\n\x02/who\n\x02/leave\n\x07\n"))
	f.Fuzz(func(t *testing.T, script []byte) { randomSteps(t, script) })
}

// TestRandomSteps is FuzzStep over scripts that make more sense.
func TestRandomSteps(t *testing.T) {
	t.Parallel()
	words := []string{"", "x", "/help", "/agree bob", "/stop", "/accept 1", "/accept 2", "/decline 1", "/leave", "/who", "/edit y", "/delete", "/rooms", "//x"}
	rapid.Check(t, func(rt *rapid.T) {
		var script []byte
		for range rapid.IntRange(0, 50).Draw(rt, "steps") {
			script = append(script, byte(rapid.IntRange(0, 8).Draw(rt, "op")))
			script = append(append(script, rapid.SampledFrom(words).Draw(rt, "text")...), '\n')
		}
		randomSteps(t, script)
	})
}

// randomSteps plays a script: of each line, the first byte says what is done.
func randomSteps(t *testing.T, script []byte) {
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	th := r.open(u, 1)
	steps := 0
	for line := range strings.Lines(string(script)) {
		if steps++; steps > 50 {
			break
		}
		op, text := line[0], strings.ToValidUTF8(line[1:], "?")
		r.now = r.now.Add(time.Duration(len(text)) * time.Second)
		switch op % 9 {
		case 0:
			r.say(0, bob, text)
		case 1:
			for _, a := range r.last.Accounts {
				r.step(AccountDone{Client: a.Client})
			}
		case 2:
			r.write(1, bob, dma.Content{Kind: dma.Text, Text: text, ReplyTo: "B1"})
		case 3:
			r.invite(u, mimi.ConsentOperation(len(text)%4), roomURI(len(text)))
		case 4: // a delivery that no provider makes
			if out, err := r.g.Step(r.now, Provider{Client: u.client, In: member.Delivered{Room: th.Room, Seq: uint64(len(text)), Body: []byte(text)}}); err == nil {
				r.done(out)
			}
		case 5:
			if u.State == on {
				r.event(func() {
					r.g.fromMember(u, member.Message{Room: th.Room, Sender: alice, ID: mid(byte(len(text))), Content: &content.Message{Body: content.Markdown(text)}})
				})
			}
		case 6:
			r.write(1, bob, dma.Content{Kind: dma.Reaction, Target: "B1", Text: text[:min(len(text), 8)]})
		case 7:
			r.write(1, bob, dma.Content{Kind: dma.File, Text: text, Media: dma.MediaRef{Ref: "x", Size: uint64(len(text))}})
		case 8:
			r.taken(bob)
		}
	}
	if len(r.g.jobs) > 2 || len(u.Invites) > 2 || len(r.g.users) > 1 || len(th.refs.bySignal) > 8 {
		t.Fatalf("%d jobs, %d invitations, %d users, %d references", len(r.g.jobs), len(u.Invites), len(r.g.users), len(th.refs.bySignal))
	}
	g, err := Restore(r.cfg, r.records())
	if err != nil {
		t.Fatal(err)
	}
	if a, b := string(mustJSON(g.users[bob].userRecord)), string(mustJSON(u.userRecord)); a != b {
		t.Fatalf("restored as %s, want %s", a, b)
	}
	for no, x := range u.threads {
		y := g.users[bob].threads[no]
		if y == nil || string(mustJSON(x.threadRecord)) != string(mustJSON(y.threadRecord)) || !maps.EqualFunc(x.refs.bySignal, y.refs.bySignal, func(a, b *ref) bool { return *a == *b }) {
			t.Fatalf("chat %d is not restored as it was", no)
		}
	}
}
