package rooms

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// more is what [PlayAll] plays after the draft's example: how users are found, how
// they consent, and what is done about abuse. Xavier, Yolanda and Zach are those of the
// section "Find internal address".
type more struct {
	xavier *Device
	// finds are the numbers of Alice's queries, refused those of her attempts to add
	// Xavier without his consent.
	finds, refused []uint64
	granted, ended int    // how many frames had been sent when Xavier gave and ended it
	reported       string // what the hub is told that he said
}

// PlayAll is [Play] with the sections on finding users, consent and abuse: a fourth
// provider, x.example, gives out KeyPackages to none but those who have consent.
func PlayAll(cfg Config, policy string) (*Story, error) { return enact(cfg, policy, new(more)) }

// What Xavier says, and what a forged report has him say: they are of one length, so
// that the forged content is well-formed.
const (
	spam   = "Cheap coins, today only!"
	forged = "I hate the whole club..."
)

// findable is a field that others find a user by.
func findable(t mimi.SearchIdentifierType, name, value string, inexact bool) follower.Field {
	return follower.Field{Type: t, Name: name, Value: value, Searchable: true, Inexact: inexact}
}

// playMore does what the further sections say.
func (s *Story) playMore(c cast) error {
	if err := s.findUsers(); err != nil {
		return err
	}
	if err := s.askConsent(c); err != nil {
		return err
	}
	if err := s.reportAbuse(); err != nil {
		return err
	}
	return s.endConsent(c)
}

// findUsers has Alice look for three users, as the draft's section describes them.
func (s *Story) findUsers() error {
	w := s.World
	x, err := w.addProvider("x.example", true)
	if err != nil {
		return err
	}
	if s.more.xavier, err = w.AddDevice("x.example", "xavier", "ClientX1"); err != nil {
		return err
	}
	for _, u := range []follower.AddUser{
		{User: s.more.xavier.User, Profile: follower.Profile{Fields: []follower.Field{
			findable(mimi.SearchOIDCStdClaim, "given_name", "Xavier", true), findable(mimi.SearchHandle, "", "im:xavier@x.example", false),
		}}},
		{User: uri(ident.KindUser, "x.example", "yolanda"), Profile: follower.Profile{Fields: []follower.Field{
			findable(mimi.SearchHandle, "", "im:yolanda@x.example", false),
		}}},
		{User: uri(ident.KindUser, "x.example", "zach"), Profile: follower.Profile{Fields: []follower.Field{
			{Type: mimi.SearchHandle, Value: "im:zach@x.example"},
		}}},
	} {
		w.stepFollower(x, u, w.must("account"))
	}
	if err := s.rest(); err != nil {
		return err
	}
	s.begin("5.8", "Find internal address", "Xavier is found by his name, Yolanda by her handle alone, Zach by nobody")
	for _, q := range []mimi.QueryElement{
		{SearchType: mimi.SearchPartialName, SearchValue: "xav"},
		{SearchType: mimi.SearchPartialName, SearchValue: "yol"},
		{SearchType: mimi.SearchHandle, SearchValue: "im:yolanda@x.example"},
		{SearchType: mimi.SearchHandle, SearchValue: "im:zach@x.example"},
	} {
		id, err := w.Do(s.alice, member.FindUsers{Domain: "x.example", Query: []mimi.QueryElement{q}})
		if err != nil {
			return err
		}
		s.more.finds = append(s.more.finds, id)
		if err := s.rest(); err != nil {
			return err
		}
	}
	return nil
}

// askConsent has Alice try in vain to add Xavier, ask him, and add him.
func (s *Story) askConsent(c cast) error {
	s.begin("5.7", "Convey explicit consent", "x.example gives KeyPackages to nobody without it: Alice has to ask")
	x := s.more.xavier
	if err := s.tryToAdd(c); err != nil {
		return err
	}
	yolanda := uri(ident.KindUser, "x.example", "yolanda")
	for _, in := range []member.Consent{
		{Operation: mimi.ConsentRequest, User: yolanda},
		{Operation: mimi.ConsentCancel, User: yolanda},
		{Operation: mimi.ConsentRequest, User: x.User, Room: Clubhouse},
	} {
		if err := s.do(s.alice, in); err != nil {
			return err
		}
	}
	s.more.granted = len(s.World.frames)
	if err := s.do(x, member.Consent{Operation: mimi.ConsentGrant, User: s.alice.User, Room: Clubhouse}); err != nil {
		return err
	}
	return s.do(s.alice, member.AddUser{Room: Clubhouse, User: x.User, Role: s.Policy.Role(c.cathy)})
}

// tryToAdd has Alice try to add Xavier, which is to fail.
func (s *Story) tryToAdd(c cast) error {
	id, err := s.World.Do(s.alice, member.AddUser{Room: Clubhouse, User: s.more.xavier.User, Role: s.Policy.Role(c.cathy)})
	if err != nil {
		return err
	}
	s.more.refused = append(s.more.refused, id)
	return s.rest()
}

// reportAbuse has Cathy report what Xavier said, and what he did not say.
func (s *Story) reportAbuse() error {
	s.begin("5.9", "Report abuse", "the hub sees by its frank what Xavier has said, and what he has not")
	x := s.more.xavier
	if err := s.say(x, spam); err != nil {
		return err
	}
	s.more.reported = spam
	m, ok := Find[member.Message](s.cathy1)
	if !ok || m.Evidence == nil || m.Sender != x.User {
		return fmt.Errorf("rooms: %s has no evidence of what Xavier said", s.cathy1.Name)
	}
	if err := s.do(s.cathy1, member.Report{Room: Clubhouse, Abuser: x.User, Note: "advertising", Messages: []mimi.AbusiveMessage{*m.Evidence}}); err != nil {
		return err
	}
	lie := *m.Evidence
	lie.MessageContent = bytes.Replace(lie.MessageContent, []byte(spam), []byte(forged), 1)
	return s.do(s.cathy1, member.Report{Room: Clubhouse, Abuser: x.User, Messages: []mimi.AbusiveMessage{lie}})
}

// endConsent has Alice remove Xavier, who ends his consent.
func (s *Story) endConsent(c cast) error {
	s.begin("8", "Consent", "Alice removes Xavier, who ends his consent: she can't add him any more")
	x := s.more.xavier
	if err := s.do(s.alice, member.RemoveUser{Room: Clubhouse, User: x.User}); err != nil {
		return err
	}
	if err := s.do(x, member.Consent{Operation: mimi.ConsentRevoke, User: s.alice.User, Room: Clubhouse}); err != nil {
		return err
	}
	s.more.ended = len(s.World.frames)
	return s.tryToAdd(c)
}

// consent says what an entry is, and with whom: "request, xavier".
func consent(e *mimi.ConsentEntry) string {
	other := e.TargetURI
	if e.ConsentOperation == mimi.ConsentGrant || e.ConsentOperation == mimi.ConsentRevoke {
		other = e.RequesterURI
	}
	return e.ConsentOperation.String() + ", " + last(string(other))
}

// query says what is looked for.
func query(m *mimi.IdentifierRequest) string {
	var parts []string
	for _, q := range m.QueryElements {
		parts = append(parts, fmt.Sprintf("%v %s", q.SearchType, q.SearchValue))
	}
	return strings.Join(parts, ", ")
}

// found says who was found.
func found(m *mimi.IdentifierResponse) string {
	if m.ResponseCode != mimi.QuerySuccess {
		return m.ResponseCode.String()
	}
	var names []string
	for _, u := range m.URI {
		names = append(names, last(string(u)))
	}
	return strings.Join(names, ", ")
}

// told says what an entry tells the user whom it reaches.
func told(e *mimi.ConsentEntry) string {
	to := ""
	if e.RoomID != nil {
		to = " to " + last(string(*e.RoomID))
	}
	requester, target := last(string(e.RequesterURI)), last(string(e.TargetURI))
	switch e.ConsentOperation {
	case mimi.ConsentRequest:
		return "is asked by " + requester + " to be added" + to
	case mimi.ConsentCancel:
		return "is not asked by " + requester + " any more"
	case mimi.ConsentGrant:
		return "may add " + target + to
	}
	return "may not add " + target + to
}

// tell says what a report tells the operator of the hub's provider.
func (r *Report) tell() string {
	s := "has a report about " + last(string(r.Report.Report.AllegedAbuserURI))
	if r.Report.Report.Note != "" {
		s += fmt.Sprintf(", %q", r.Report.Report.Note)
	}
	for i, err := range r.Franks {
		if err == nil {
			s += fmt.Sprintf("; the frank of message %d holds", i+1)
		} else {
			s += fmt.Sprintf("; message %d is not proven: %s", i+1, strings.TrimPrefix(err.Error(), "mimi: "))
		}
	}
	return s
}
