package bridge

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Clubhouse is the room of the story.
var Clubhouse = uri(ident.KindRoom, HubDomain, "clubhouse")

// BobInRooms is Bob as rooms know him.
var BobInRooms = uri(ident.KindUser, OperatorDomain, "bob-via-signal")

// Story is what was played, with its verdict.
type Story struct {
	World    *World
	Sections []Section
	// Findings is the verdict.
	Findings []Finding

	alice, carol *Device
	said         []*saying
	acts         []act
	secrets      [][]byte
	left         des.Time          // when Bob asked to leave
	hello        content.MessageID // Alice's first message
	tea          string            // Bob's first one, in his app
	cached       []*party          // once it is over
}

// Section is a part of the story.
type Section struct {
	Title string
	Act   string
	At    des.Time
}

// act is what somebody does, as it is told.
type act struct {
	at     des.Time
	frames int
	text   string
}

// saying is a message in the room, with those whom it is to reach.
type saying struct {
	by       string // "bob", or the name of a device
	text     string // what no one may see on the way
	id       uint64 // of a device's intention
	signal   string // Bob's message ID
	to       []string
	at       des.Time
	from, on int // the frames that were sent while it was on its way
}

// Play acts the story out, and judges it. An error says that it could not begin.
func Play(cfg Config) (*Story, error) {
	w, err := New(cfg)
	if err != nil {
		return nil, err
	}
	s := &Story{World: w}
	s.judge(s.play())
	return s, nil
}

// pause is the time from one act to the next; it is longer than a gateway waits before
// it warns a room again.
const pause = 90 * des.Second

func (s *Story) begin(title, what string) {
	s.Sections = append(s.Sections, Section{title, what, s.World.Now()})
}

// rest lets all happen that is under way, and a little more.
func (s *Story) rest() error {
	if err := s.World.Settle(); err != nil {
		return err
	}
	for _, d := range []*Device{s.alice, s.carol} {
		if d == nil {
			continue
		}
		if r, ok := d.Room(Clubhouse); ok && len(r.Authenticator) > 0 {
			s.secrets = append(s.secrets, slices.Clone(r.Authenticator))
		}
	}
	return s.World.Pass(pause)
}

// tell notes what somebody does.
func (s *Story) tell(format string, args ...any) {
	s.acts = append(s.acts, act{s.World.Now(), len(s.World.frames), fmt.Sprintf(format, args...)})
}

// do has a device do something.
func (s *Story) do(d *Device, in member.Input) error {
	if _, err := s.World.Do(d, in); err != nil {
		return err
	}
	return s.rest()
}

// say has a device send a message to all who are in the room.
func (s *Story) say(d *Device, m content.Message, text, what string) error {
	s.tell("%s %s", d.Name, what)
	x := &saying{by: d.Name, text: text, at: s.World.Now(), from: len(s.World.frames)}
	for _, o := range []*Device{s.alice, s.carol} {
		if o == nil || o == d {
			continue
		}
		if r, ok := o.Room(Clubhouse); ok && r.State != nil {
			x.to = append(x.to, o.Name)
		}
	}
	if s.left == 0 {
		x.to = append(x.to, "bob")
	}
	var err error
	if x.id, err = s.World.Do(d, member.Send{Room: Clubhouse, Message: &m}); err != nil {
		return err
	}
	s.said = append(s.said, x)
	err = s.rest()
	x.on = len(s.World.frames)
	return err
}

// write has Bob write in the room's chat, to all who are in the room.
func (s *Story) write(c dma.Content, text, what string) (string, error) {
	s.tell("bob %s", what)
	x := &saying{by: "bob", text: text, at: s.World.Now(), from: len(s.World.frames)}
	for _, o := range []*Device{s.alice, s.carol} {
		if o != nil {
			x.to = append(x.to, o.Name)
		}
	}
	var err error
	if x.signal, err = s.World.Write(roomLine, c); err != nil {
		return "", err
	}
	s.said = append(s.said, x)
	err = s.rest()
	x.on = len(s.World.frames)
	return x.signal, err
}

// desk has Bob write to the gateway itself.
func (s *Story) desk(text string) error {
	s.tell("bob writes to the desk: %s", text)
	if _, err := s.World.Say(0, text); err != nil {
		return err
	}
	return s.rest()
}

// roomLine is the line that stands for the room.
const roomLine = 1

// sent returns the ID of a device's last message.
func sent(d *Device) (id content.MessageID) {
	for _, e := range d.Events {
		if x, ok := e.Event.(member.Sent); ok {
			id = x.Message
		}
	}
	return id
}

// got returns the ID of the last message of somebody's that a device has read.
func got(d *Device, from ident.URI) (id content.MessageID) {
	for _, e := range d.Events {
		if x, ok := e.Event.(member.Message); ok && x.Sender == from {
			id = x.ID
		}
	}
	return id
}

// lastShown returns the ID of the last message that Bob's app has shown in the room's
// chat.
func (w *World) lastShown() (id string) {
	for _, e := range w.phone.Events {
		if e.Event.Kind == dma.MessageDelivered && w.Line(e.Event.Peer) == roomLine {
			id = e.Event.ID
		}
	}
	return id
}

func text(s string) content.Message { return content.Message{Body: content.Text(s)} }

// play acts the story out, until something goes wrong.
func (s *Story) play() error {
	for _, part := range []func() error{s.agree, s.invite, s.bothWays, s.inWords, s.newcomer, s.end} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// ordinary is the role of who may send in a room, by its policy.
const ordinary = 2

func (s *Story) agree() (err error) {
	s.begin("Bob agrees", "what he writes first is answered with the terms")
	if s.alice, err = s.World.AddDevice("alice", "ClientA1"); err != nil {
		return err
	}
	if err := s.rest(); err != nil {
		return err
	}
	if err := s.desk("hello?"); err != nil {
		return err
	}
	return s.desk("/agree bob")
}

func (s *Story) invite() error {
	s.begin("Alice invites Bob", "who consents; then the room is a chat of its own, and is warned")
	p := s.World.providers[HubDomain]
	s.tell("alice makes the room %v", Clubhouse)
	if err := s.do(s.alice, member.CreateRoom{
		Room: Clubhouse, Policy: "administered", Metadata: room.RoomMetaData{Name: "Clubhouse"},
		Hub: p.externalSender(), FrankingAgent: p.frankingAgent(),
	}); err != nil {
		return err
	}
	s.tell("alice asks for consent to add %v", BobInRooms)
	if err := s.do(s.alice, member.Consent{Operation: mimi.ConsentRequest, User: BobInRooms, Room: Clubhouse}); err != nil {
		return err
	}
	if err := s.desk("/accept 1"); err != nil {
		return err
	}
	s.tell("alice adds %v", BobInRooms)
	return s.do(s.alice, member.AddUser{Room: Clubhouse, User: BobInRooms, Role: ordinary})
}

func (s *Story) bothWays() (err error) {
	s.begin("A message each way", "and what both sides have: an answer, reactions, a picture")
	if err := s.say(s.alice, text("Hello Bob, tea at four?"), "Hello Bob, tea at four?", "writes: Hello Bob, tea at four?"); err != nil {
		return err
	}
	s.hello = sent(s.alice)
	shown := s.World.lastShown()
	s.tea, err = s.write(dma.Content{Kind: dma.Text, Text: "Gladly, with scones.", ReplyTo: shown}, "Gladly, with scones.", "answers: Gladly, with scones.")
	if err != nil {
		return err
	}
	scones := got(s.alice, BobInRooms)
	if err := s.say(s.alice, content.Message{InReplyTo: scones, Body: content.React("🎉")}, "🎉", "reacts to that with 🎉"); err != nil {
		return err
	}
	if _, err := s.write(dma.Content{Kind: dma.Reaction, Target: shown, Text: "❤️"}, "❤️", "reacts to Alice's with ❤️"); err != nil {
		return err
	}
	picture := dma.Content{Kind: dma.Image, Text: "the kettle", Media: dma.MediaRef{Ref: "/interop/download/9/", Size: 48_016}}
	_, err = s.write(picture, "the kettle", "sends a picture: the kettle")
	return err
}

func (s *Story) inWords() error {
	s.begin("What Signal cannot say", "edits and deletions go as words to Bob, and as commands from him")
	change := content.Message{Replaces: s.hello, Body: content.Text("Hello Bob, tea at five?")}
	if err := s.say(s.alice, change, "tea at five?", "changes her message: Hello Bob, tea at five?"); err != nil {
		return err
	}
	if _, err := s.write(dma.Content{Kind: dma.Text, Text: "/edit Gladly, with shortbread.", ReplyTo: s.tea}, "Gladly, with shortbread.", "answers his own message: /edit Gladly, with shortbread."); err != nil {
		return err
	}
	date := content.Message{Body: content.NestedPart{Part: content.SinglePart{ContentType: unshown, Content: []byte(unshownText)}}}
	return s.say(s.alice, date, unshownText, "sends a date as "+unshown)
}

func (s *Story) newcomer() (err error) {
	s.begin("Carol comes", "and is warned as well; of two others Bob's chat cannot show whose reaction it is")
	if s.carol, err = s.World.AddDevice("carol", "ClientC1"); err != nil {
		return err
	}
	if err := s.rest(); err != nil {
		return err
	}
	s.tell("alice adds %v", s.carol.User)
	if err := s.do(s.alice, member.AddUser{Room: Clubhouse, User: s.carol.User, Role: ordinary}); err != nil {
		return err
	}
	if err := s.say(s.carol, text("Who is reading along?"), "Who is reading along?", "writes: Who is reading along?"); err != nil {
		return err
	}
	if _, err := s.write(dma.Content{Kind: dma.Text, Text: "My gateway, as it said."}, "My gateway, as it said.", "writes: My gateway, as it said."); err != nil {
		return err
	}
	return s.say(s.carol, content.Message{InReplyTo: got(s.carol, BobInRooms), Body: content.React("🤔")}, "🤔", "reacts to that with 🤔")
}

func (s *Story) end() error {
	s.begin("Bob leaves", "and then ends it: his account goes, and the keys with it")
	s.tell("bob writes in the room's chat: /leave")
	s.left = s.World.Now()
	if _, err := s.World.Say(roomLine, "/leave"); err != nil {
		return err
	}
	if err := s.rest(); err != nil {
		return err
	}
	if err := s.say(s.alice, text("Now among ourselves."), "Now among ourselves.", "writes: Now among ourselves."); err != nil {
		return err
	}
	return s.desk("/stop")
}

// Moment is a line of a transcript: a frame that is sent, or what somebody does or sees.
type Moment struct {
	At    des.Time
	Frame *Frame // nil for what somebody does or sees
	Text  string
	Act   bool // somebody does it
	after int
	rank  int
}

// quiet are the frames that a transcript leaves out.
var quiet = map[string]bool{
	"ack": true, "iq": true, "ib": true, "reply": true, "200": true, "connect": true, "KeyPackages": true, "room made": true,
	"receipt": true, "ack message": true, "out of the room": true, "account done": true, "no account done": true,
}

// Quiet reports whether transcripts leave a frame out: acknowledgements, key fetches,
// answers without content.
func (f *Frame) Quiet() bool { return quiet[f.What] }

// Moments returns what happened from one time until before another, in its order.
func (s *Story) Moments(from, to des.Time) (list []Moment) {
	within := func(t des.Time) bool { return from <= t && t < to }
	for _, f := range s.World.frames {
		if within(f.Sent) && !f.Quiet() {
			list = append(list, Moment{At: f.Sent, Frame: f, after: f.Number, rank: 1})
		}
	}
	for _, a := range s.acts {
		if within(a.at) {
			list = append(list, Moment{At: a.at, Text: a.text, Act: true, after: a.frames})
		}
	}
	for _, e := range s.World.phone.Events {
		if e.Event.Kind == dma.MessageDelivered && within(e.At) {
			list = append(list, Moment{At: e.At, Text: "bob's app shows " + s.World.shows(e.Event), after: e.Frames, rank: 2})
		}
	}
	for _, d := range []*Device{s.alice, s.carol} {
		if d == nil {
			continue
		}
		for _, e := range d.Events {
			if m, ok := e.Event.(member.Message); ok && within(e.At) {
				list = append(list, Moment{At: e.At, Text: d.Name + " reads " + reads(m), after: e.Frames, rank: 2})
			}
		}
	}
	for _, e := range s.World.gateway.events {
		if text := Tell(e.Event); text != "" && within(e.At) {
			list = append(list, Moment{At: e.At, Text: text, after: e.Frames, rank: 2})
		}
	}
	slices.SortStableFunc(list, func(a, b Moment) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.after, b.after), cmp.Compare(a.rank, b.rank))
	})
	return list
}

// shows is what Bob's app shows.
func (w *World) shows(e dma.Event) string {
	where := "at the desk"
	if w.Line(e.Peer) > 0 {
		where = "in the room's chat"
	}
	c := e.Content
	switch {
	case c.Kind == dma.Reaction && c.Text == "":
		return where + " no reaction any more"
	case c.Kind == dma.Reaction:
		return fmt.Sprintf("%s the reaction %s", where, c.Text)
	case c.Kind.Media():
		return fmt.Sprintf("%s a medium (%v): %s", where, c.Kind, c.Text)
	case c.ReplyTo != "":
		return where + ", as an answer: " + c.Text
	}
	return where + ": " + c.Text
}

// reads is what a member reads.
func reads(m member.Message) string {
	name := m.Sender.Segments()[0]
	body, _ := m.Content.Body.PlainText()
	switch m.Content.Kind() {
	case content.KindReaction:
		return fmt.Sprintf("%s's reaction %s", name, body)
	case content.KindEdit:
		return fmt.Sprintf("a change by %s: %s", name, body)
	case content.KindReply:
		return fmt.Sprintf("an answer by %s: %s", name, body)
	case content.KindDelete:
		return name + " take a message back"
	}
	return name + ": " + body
}

// Tell says what an event of the gateway is, or "" if it is nothing for a transcript.
func Tell(e gateway.Event) string {
	switch e := e.(type) {
	case gateway.Held:
		what := "message"
		if e.Medium {
			what = "medium"
		}
		return fmt.Sprintf("ledger: the gateway %v held the plaintext of a %s of %d bytes, %v", e.Place, what, e.Size, e.Direction)
	case gateway.Lost:
		return fmt.Sprintf("counted: %v was lost %v", e.Loss, e.Direction)
	case gateway.Trouble:
		return fmt.Sprintf("trouble: %s: %s", e.What, e.Why)
	case gateway.Agreed:
		return fmt.Sprintf("the gateway serves %v as %v", e.Signal, e.User)
	case gateway.Ended:
		return fmt.Sprintf("the gateway serves %v no more", e.Signal)
	case gateway.RoomOpened:
		return fmt.Sprintf("line %d stands for %v", e.Line, e.Room)
	case gateway.RoomClosed:
		return fmt.Sprintf("line %d stands for no room any more", e.Line)
	}
	return ""
}
