package rooms

import (
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Clubhouse is the room of the draft's example.
var Clubhouse = uri(ident.KindRoom, "a.example", "clubhouse")

// Story is the draft's "Example protocol flow" as it was played.
type Story struct {
	World    *World
	Policy   room.Policy
	Sections []Section
	// Findings is the verdict.
	Findings []Finding

	alice, bob1, bob2, cathy1, cathy3 *Device
	said                              []saying
	// gone is how many frames had been sent when Bob's leave was done, 0 if it never
	// was; waited says that his proposals waited at Cathy for a Commit.
	gone   int
	waited bool
	more   *more // of PlayAll
}

// Section is one of the draft's, with what was sent in it.
type Section struct {
	Number string // in draft-ietf-mimi-protocol-06
	Title  string
	// Act is who does what here.
	Act    string
	At     des.Time
	Frames int // how many had been sent before
}

// saying is a message that somebody sends, with those that it is for.
type saying struct {
	by   *Device
	id   uint64
	text string
	to   []*Device
}

// Heading returns the number and the title.
func (s *Section) Heading() string {
	if s.Number == "" {
		return s.Title
	}
	return s.Number + " " + s.Title
}

// Parts says which sections of the draft the story is of.
func (s *Story) Parts() string {
	if s.more != nil {
		return "Sections 3, 5.7 to 5.9 and 8"
	}
	return "Section 3"
}

// cast are the roles of the three, by policy: Alice may add Bob in his, Bob may add
// Cathy in hers, and she may speak.
type cast struct{ alice, bob, cathy string }

var casts = map[string]cast{
	"cooperative":  {"group_admin", "ordinary_user", "ordinary_user"},
	"administered": {"group_admin", "group_admin", "ordinary_user"},
	"moderated":    {"moderator", "moderator", "speaker"},
}

// Policies returns the names of those of [room.Policies] that the example can be
// played with. multi-org wants administrators of three organisations on the list from the
// start, whom the example adds later.
func Policies() (names []string) {
	for _, p := range room.Policies() {
		if _, ok := casts[p.Name]; ok {
			names = append(names, p.Name)
		}
	}
	return names
}

// pause is between what the three do.
const pause = des.Second

// Play acts the draft's example out, in a room with one of [Policies], and judges it.
// An error says that it could not begin; what goes wrong in it is among the Findings.
func Play(cfg Config, policy string) (*Story, error) { return enact(cfg, policy, nil) }

// enact plays the example, and what comes after it if there is more.
func enact(cfg Config, policy string, m *more) (*Story, error) {
	p, ok := room.PolicyByName(policy)
	c, known := casts[policy]
	if !ok || !known {
		return nil, fmt.Errorf("rooms: policy %q, want one of %s", policy, strings.Join(Policies(), ", "))
	}
	w, err := New(cfg)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"a.example", "b.example", "c.example"} {
		if _, err := w.AddProvider(d); err != nil {
			return nil, err
		}
	}
	s := &Story{World: w, Policy: p, more: m}
	err = s.play(c)
	if err == nil && m != nil {
		err = s.playMore(c)
	}
	s.judge(err)
	return s, nil
}

// begin begins a section.
func (s *Story) begin(number, title, act string) {
	s.Sections = append(s.Sections, Section{number, title, act, s.World.Now(), len(s.World.frames)})
}

// play does what the sections say. It ends early at what a device refuses to do.
func (s *Story) play(c cast) error {
	w := s.World
	s.begin("", "Before", "Clients store KeyPackages with their providers")
	for _, d := range []struct {
		at                   **Device
		domain, user, client string
	}{
		{&s.alice, "a.example", "alice", "ClientA1"}, {&s.bob1, "b.example", "bob", "ClientB1"},
		{&s.bob2, "b.example", "bob", "ClientB2"}, {&s.cathy1, "c.example", "cathy", "ClientC1"},
	} {
		var err error
		if *d.at, err = w.AddDevice(d.domain, d.user, d.client); err != nil {
			return err
		}
	}
	if err := s.rest(); err != nil {
		return err
	}

	s.begin("3.1", "Alice Creates a Room", "ClientA1 makes the MLS group, and its provider becomes the hub")
	a := s.alice.provider
	if err := s.do(s.alice, member.CreateRoom{
		Room: Clubhouse, Policy: s.Policy.Name, Role: s.Policy.Role(c.alice),
		Metadata: room.RoomMetaData{Name: "Clubhouse"}, Hub: a.ExternalSender(), FrankingAgent: a.FrankingAgent(),
	}); err != nil {
		return err
	}

	s.begin("3.2", "Alice adds Bob to the Room", "to the participant list, and both of his clients to the group")
	if err := s.do(s.alice, member.AddUser{Room: Clubhouse, User: s.bob1.User, Role: s.Policy.Role(c.bob)}); err != nil {
		return err
	}

	s.begin("3.3", "Bob adds Cathy to the Room", "by way of the hub, which finds out where the Welcome is to go")
	if err := s.do(s.bob1, member.AddUser{Room: Clubhouse, User: s.cathy1.User, Role: s.Policy.Role(c.cathy)}); err != nil {
		return err
	}

	s.begin("3.4", "Cathy Sends a Message", "which the hub franks and fans out")
	if err := s.say(s.cathy1, "Hello, everyone in the clubhouse!"); err != nil {
		return err
	}

	s.begin("3.5", "Bob Leaves the Room", "the hub caches his proposals until Cathy commits them")
	if err := s.do(s.bob1, member.Leave{Room: Clubhouse}); err != nil {
		return err
	}
	if r, ok := s.cathy1.Room(Clubhouse); ok {
		s.waited = r.Pending > 0
	}
	if err := s.do(s.cathy1, member.CommitPending{Room: Clubhouse}); err != nil {
		return err
	}
	s.gone = len(w.frames)

	s.begin("3.6", "Cathy adds a new device", "ClientC3 joins by external Commit, and says so")
	var err error
	if s.cathy3, err = w.AddDevice("c.example", "cathy", "ClientC3"); err != nil {
		return err
	}
	if err := s.rest(); err != nil {
		return err
	}
	if err := s.do(s.cathy3, member.Join{Room: Clubhouse}); err != nil {
		return err
	}
	return s.say(s.cathy3, "Cathy again, from my new device.")
}

// do has a device do something and lets all of it happen.
func (s *Story) do(d *Device, in member.Input) error {
	if _, err := s.World.Do(d, in); err != nil {
		return err
	}
	return s.rest()
}

// rest waits for all to come to rest, and a little more.
func (s *Story) rest() error {
	if err := s.World.Settle(Patience); err != nil {
		return err
	}
	if s.World.cfg.Restart {
		if err := s.World.Restart(); err != nil {
			return err
		}
	}
	return s.World.Pass(pause)
}

// say sends a message to all devices that are in the room now.
func (s *Story) say(d *Device, text string) error {
	var to []*Device
	for _, o := range s.World.Devices() {
		if r, ok := o.Room(Clubhouse); ok && r.State != nil && o != d {
			to = append(to, o)
		}
	}
	id, err := s.World.Do(d, member.Send{Room: Clubhouse, Message: &content.Message{Body: content.Text(text)}})
	if err != nil {
		return err
	}
	s.said = append(s.said, saying{d, id, text, to})
	return s.rest()
}

// FaultInFanout returns a Config.Fault that does one thing to the first request to
// notify by which b.example is to get an application message.
func FaultInFanout(f Fault) func(*Frame) Fault {
	done := f == NoFault
	return func(x *Frame) Fault {
		if done || x.Kind != Request || x.To != "b.example" || x.Endpoint != mimi.EndpointNotify {
			return NoFault
		}
		list, err := mimi.ParseFanoutMessages(x.Body, nil)
		if err != nil || list[0].Kind() != mimi.FanoutApplication {
			return NoFault
		}
		done = true
		return f
	}
}
