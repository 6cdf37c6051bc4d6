package chat

import (
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Create hands a room over to the provider's own hub, for which a client has made a
// group (draft-ietf-mimi-protocol-06, Alice Creates a Room; the draft leaves open how).
type Create struct {
	Room        ident.URI
	GroupInfo   *message.GroupInfo
	RatchetTree []byte // the data of a ratchet_tree extension, or nil if the GroupInfo has it
}

// CountKeyPackages asks how many KeyPackages of the client others can claim. Its answer
// is a [Count].
type CountKeyPackages struct{}

// Count is how many KeyPackages there are, those of last resort aside and those that soon
// expire.
type Count int

// Encode writes what a client asks of its provider: a Call, Publish, Leave or Ack of
// package follower, a *[Create] or a [CountKeyPackages]. Client is not written: the connection says it. id is
// the client's own, for the answer to name; a Call's ID is not written either.
//
// The class of an acknowledgement is that of most events of the room or mailbox.
func Encode(id string, in any) (stanza.Stanza, error) {
	var w writer
	set := func(p stanza.Payload) *stanza.IQ { return &stanza.IQ{ID: id, Type: stanza.Set, Payload: p} }
	var s stanza.Stanza
	switch in := in.(type) {
	case follower.Call:
		return encodeCall(id, in)
	case follower.Publish:
		list := make([][]byte, len(in.KeyPackages))
		for i := range in.KeyPackages {
			list[i] = w.bytes("key-package", &in.KeyPackages[i])
		}
		s = set(&stanza.KeyPackages{List: list})
	case *Create:
		if in.GroupInfo == nil {
			return nil, wrong("group-info", "none, want one")
		}
		s = set(&stanza.Create{Room: in.Room, GroupInfo: w.bytes("group-info", in.GroupInfo), RatchetTree: in.RatchetTree})
	case CountKeyPackages:
		s = &stanza.IQ{ID: id, Type: stanza.Get, Payload: stanza.KeyCountQuery{}}
	case follower.Leave:
		s = set(&stanza.Leave{Room: in.Room, Seq: in.Seq})
	case follower.Ack:
		class := stanza.AckMessage
		if in.Room.IsZero() {
			class = stanza.AckNotification
		}
		s = &stanza.Ack{Class: class, ID: id, Room: in.Room, Seq: in.Seq}
	default:
		return nil, wrong("input", "a %T, which no client sends", in)
	}
	if w.err != nil {
		return nil, w.err
	}
	return s, nil
}

// calls lists the requests that go as they are.
var calls = []struct {
	tag      stanza.BodyTag
	typ      stanza.IQType
	endpoint mimi.EndpointName // of a ConsentEntry its operation decides
}{
	{stanza.KeyMaterialBody, stanza.Get, mimi.EndpointKeyMaterial},
	{stanza.GroupInfoBody, stanza.Get, mimi.EndpointGroupInfo},
	{stanza.IdentifierBody, stanza.Get, mimi.EndpointIdentifierQuery},
	{stanza.ConsentBody, stanza.Set, mimi.EndpointUpdateConsent},
	{stanza.AbuseBody, stanza.Set, mimi.EndpointReportAbuse},
}

// consentEndpoint returns where an entry goes (draft-ietf-mimi-protocol-06, Convey
// explicit consent).
func consentEndpoint(e *mimi.ConsentEntry) mimi.EndpointName {
	if e.ConsentOperation == mimi.ConsentRequest || e.ConsentOperation == mimi.ConsentCancel {
		return mimi.EndpointRequestConsent
	}
	return mimi.EndpointUpdateConsent
}

func encodeCall(id string, c follower.Call) (stanza.Stanza, error) {
	switch body := c.Body.(type) {
	case *mimi.SubmitMessageRequest:
		return encodeSubmit(id, c.Room, body)
	case *mimi.UpdateRequest:
		u, err := encodeBundle(c.Room, &body.Bundle)
		if err != nil {
			return nil, err
		}
		return &stanza.IQ{ID: id, Type: stanza.Set, Payload: u}, nil
	case *mimi.ConsentEntry:
		if want := consentEndpoint(body); c.Endpoint != want {
			return nil, wrong("consent", "consentOperation %v for %s, want %s", body.ConsentOperation, c.Endpoint, want)
		}
		c.Endpoint = mimi.EndpointUpdateConsent
	}
	for _, k := range calls {
		if k.endpoint != c.Endpoint {
			continue
		}
		b, err := wire.Marshal(c.Body)
		if err != nil {
			return nil, &Error{string(k.tag), err}
		}
		return &stanza.IQ{ID: id, Type: k.typ, Payload: &stanza.Body{Tag: k.tag, Room: c.Room, Domain: c.Domain, Data: b}}, nil
	}
	return nil, wrong("call", "a %T for %q, which no client sends", c.Body, c.Endpoint)
}

func encodeSubmit(id string, room ident.URI, body *mimi.SubmitMessageRequest) (stanza.Stanza, error) {
	sender, err := ident.ParseURI(string(body.SendingURI))
	if err != nil {
		return nil, &Error{"message/@sender", err}
	}
	var w writer
	payload := w.bytes("enc", &message.Message{Private: body.AppMessage})
	if w.err != nil {
		return nil, w.err
	}
	return &stanza.Message{
		ID: id, Type: stanza.RoomMessage, Room: room, Sender: sender,
		Enc: []stanza.Enc{{Type: encType, Version: encVersion, Payload: payload}},
	}, nil
}

func encodeBundle(room ident.URI, h *mimi.HandshakeBundle) (*stanza.Update, error) {
	var w writer
	u := &stanza.Update{Room: room}
	if h.Type() == message.ContentCommit {
		u.Commit = w.bytes("commit", &h.ProposalOrCommit)
		if h.Welcome != nil {
			u.Welcome = w.bytes("welcome", &message.Message{Welcome: h.Welcome})
		}
		u.GroupInfo = w.bytes("group-info", &h.GroupInfoOption)
		u.RatchetTree = w.bytes("ratchet-tree", &h.RatchetTreeOption)
	} else {
		u.Proposals = append([][]byte{w.bytes("proposal", &h.ProposalOrCommit)}, w.list("proposal", h.MoreProposals)...)
	}
	return u, w.err
}

// Query is what a client asked, as its provider has read it.
type Query struct {
	// Input is a Call, Publish, Leave or Ack of package follower, with the connection's
	// client and number, a *[Create] or a [CountKeyPackages]. It is nil for a question whether the connection
	// is alive.
	Input any

	id      string
	message bool // answered by an ack
	room    ident.URI
	payload stanza.BodyTag // that an answer's body goes under
}

// Read reads a stanza of the given client. number becomes the ID of a Call. On an
// error, Query still answers the stanza if it is one that wants an answer. points nil
// means [mimi.DefaultCodePoints].
func Read(client ident.URI, number uint64, s stanza.Stanza, points *mimi.CodePoints) (Query, error) {
	r := &reader{points: points}
	switch s := s.(type) {
	case *stanza.Message:
		q := Query{id: s.ID, message: true, room: s.Room}
		q.Input = r.submit(client, number, s)
		return q.orNone(r.err)
	case *stanza.Ack:
		if s.Seq == 0 {
			return Query{}, wrong("ack/@seq", "none, want that of the last event")
		}
		return Query{Input: follower.Ack{Client: client, Room: s.Room, Seq: s.Seq}}, nil
	case *stanza.IQ:
		q := Query{id: s.ID}
		if s.Type != stanza.Get && s.Type != stanza.Set {
			return Query{}, wrong("iq/@type", "%q, want get or set", s.Type)
		}
		q.Input = r.payload(&q, client, number, s)
		return q.orNone(r.err)
	}
	return Query{}, wrong("stanza", "a %T, which no client of a provider sends", s)
}

// orNone leaves out an input that was not read whole.
func (q Query) orNone(err error) (Query, error) {
	if err != nil {
		q.Input = nil
	}
	return q, err
}

// Answered reports whether the stanza wants an answer: an acknowledgement does not.
func (q *Query) Answered() bool { return q.id != "" }

func (r *reader) submit(client ident.URI, number uint64, s *stanza.Message) any {
	b, err := mlsEnc(s)
	if err != nil {
		r.err = err
		return nil
	}
	m := r.message("enc", b)
	if r.err == nil && (m.Private == nil || m.Private.ContentType != message.ContentApplication) {
		r.fail("enc", errApplication)
	}
	if s.Room.IsZero() || s.Sender.IsZero() {
		r.fail("message", errSender)
	}
	return follower.Call{
		Client: client, ID: number, Endpoint: mimi.EndpointSubmitMessage, Room: s.Room,
		Body: &mimi.SubmitMessageRequest{AppMessage: m.Private, SendingURI: mimi.URI(s.Sender)},
	}
}

func (r *reader) payload(q *Query, client ident.URI, number uint64, s *stanza.IQ) any {
	switch p := s.Payload.(type) {
	case stanza.KeepAlive:
		return nil
	case *stanza.KeyPackages:
		list := make([]message.KeyPackage, len(p.List))
		for i := range p.List {
			r.into("key-package", p.List[i], &list[i])
		}
		return follower.Publish{Client: client, KeyPackages: list}
	case stanza.KeyCountQuery:
		return CountKeyPackages{}
	case *stanza.Create:
		c := &Create{Room: p.Room, GroupInfo: new(message.GroupInfo), RatchetTree: p.RatchetTree}
		r.into("group-info", p.GroupInfo, c.GroupInfo)
		return c
	case *stanza.Leave:
		return follower.Leave{Client: client, Room: p.Room, Seq: p.Seq}
	case *stanza.Update:
		q.payload = stanza.UpdateBody
		return follower.Call{
			Client: client, ID: number, Endpoint: mimi.EndpointUpdate, Room: p.Room,
			Body: &mimi.UpdateRequest{Bundle: r.bundle(p)},
		}
	case *stanza.Body:
		q.payload = p.Tag
		return r.body(client, number, p)
	}
	r.fail("iq", errUnknown)
	return nil
}

func (r *reader) body(client ident.URI, number uint64, p *stanza.Body) any {
	c := follower.Call{Client: client, ID: number, Room: p.Room, Domain: p.Domain}
	for _, k := range calls {
		if k.tag != p.Tag {
			continue
		}
		e, _ := mimi.FindEndpoint(k.endpoint)
		body, err := e.ParseRequest(p.Data, r.points)
		if err != nil {
			r.fail(string(p.Tag), err)
			return nil
		}
		c.Endpoint, c.Body = k.endpoint, body.(follower.Body)
		if entry, ok := body.(*mimi.ConsentEntry); ok {
			c.Endpoint = consentEndpoint(entry)
		}
		return c
	}
	r.fail(string(p.Tag), errUnknown)
	return nil
}

func (r *reader) bundle(u *stanza.Update) (h mimi.HandshakeBundle) {
	switch {
	case u.Commit != nil && len(u.Proposals) == 0:
		h.ProposalOrCommit = r.message("commit", u.Commit)
		if u.Welcome != nil {
			m := r.message("welcome", u.Welcome)
			if h.Welcome = m.Welcome; m.Welcome == nil {
				r.fail("welcome", errWelcome)
			}
		}
		r.into("group-info", u.GroupInfo, &h.GroupInfoOption)
		r.into("ratchet-tree", u.RatchetTree, &h.RatchetTreeOption)
		if h.Type() != message.ContentCommit {
			r.fail("commit", errHandshake)
		}
	case u.Commit == nil && len(u.Proposals) > 0 && u.Welcome == nil && u.GroupInfo == nil && u.RatchetTree == nil:
		all := r.messages("proposal", u.Proposals)
		h.ProposalOrCommit = all[0]
		if len(all) > 1 {
			h.MoreProposals = all[1:]
		}
		for i := range all {
			if b := (mimi.HandshakeBundle{ProposalOrCommit: all[i]}); b.Type() != message.ContentProposal {
				r.fail("proposal", errHandshake)
			}
		}
	default:
		r.fail("update", errBundle)
	}
	return h
}
