package follower

import (
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Body is a struct of package mimi, on its way to be written.
type Body = wire.Marshaler

// Call is a request of a client, of its own number, for the provider to make on its
// behalf at an endpoint of MIMI. Body is what the endpoint's request is: one of
// *mimi.KeyMaterialRequest, *mimi.UpdateRequest, *mimi.SubmitMessageRequest,
// *mimi.GroupInfoRequest, *mimi.ConsentEntry, *mimi.IdentifierRequest and
// *mimi.AbuseReport.
type Call struct {
	Client   ident.URI
	ID       uint64
	Endpoint mimi.EndpointName
	// Room is whose hub is asked: of Update, SubmitMessage, GroupInfo and ReportAbuse.
	Room ident.URI
	// Domain is the provider that IdentifierQuery asks.
	Domain string
	Body   Body
}

// Answer is what became of an earlier Request: the body of its response, nil if it
// had none, or the error, with which it may have been done or not.
type Answer struct {
	ID   uint64
	Body Body
	Err  error
}

func (Call) input()   {}
func (Answer) input() {}

// Request is for an endpoint of the provider To, or of the hub beside this machine
// if that is the own domain. It is made once: a client that gets an error decides
// whether to repeat its call.
type Request struct {
	ID       uint64
	To       string
	Endpoint mimi.EndpointName
	Subject  string // what the variable in the endpoint's path stands for
	Body     Body
}

// Reply answers a client's call.
type Reply struct {
	Client ident.URI
	ID     uint64
	Body   Body // of the response, or nil
	Err    error
}

// call is a request that waits for its answer.
type call struct {
	client ident.URI
	id     uint64
	joins  ident.URI // the room that the client is let into for the call, or zero
}

// call checks that a client speaks for itself, and passes its request on.
func (f *Follower) call(now time.Time, in Call) error {
	c, err := f.client(in.Client)
	if err != nil {
		return err
	}
	r := Request{Endpoint: in.Endpoint, Body: in.Body}
	var joins ident.URI
	switch body := in.Body.(type) {
	case *mimi.KeyMaterialRequest:
		err = f.callKeyMaterial(c, &r, body)
	case *mimi.UpdateRequest:
		if err = callRoom(&r, mimi.EndpointUpdate, in.Room); err == nil {
			err = c.entersAs(body)
		}
		if err == nil && isExternalCommit(body) && c.rooms[in.Room] == nil && f.crowdedRooms(c, in.Room.Provider()) {
			err = refuse(statusTooManyRequests, "%v is in %d rooms of %s, want no more", c.uri, f.limits.Rooms, in.Room.Provider())
		}
		if err == nil && isExternalCommit(body) && f.joinRoom(c, f.room(in.Room)) {
			joins = in.Room
		}
	case *mimi.SubmitMessageRequest:
		if err = callRoom(&r, mimi.EndpointSubmitMessage, in.Room); err == nil {
			err = c.sendsAs(body.SendingURI)
		}
	case *mimi.GroupInfoRequest:
		if err = callRoom(&r, mimi.EndpointGroupInfo, in.Room); err == nil {
			err = c.is(&body.RequestingCredential, "requestingCredential")
		}
	case *mimi.AbuseReport:
		if err = callRoom(&r, mimi.EndpointReportAbuse, in.Room); err == nil && body.ReportingUser != "" {
			err = c.speaksFor(body.ReportingUser, "reportingUser")
		}
	case *mimi.IdentifierRequest:
		if r.To, r.Subject = in.Domain, in.Domain; in.Endpoint != mimi.EndpointIdentifierQuery {
			err = refuse(statusBadRequest, "an IdentifierRequest for %s", in.Endpoint)
		}
	case *mimi.ConsentEntry:
		return f.callConsent(now, c, in, r, body)
	default:
		err = refuse(statusBadRequest, "a %T, which is no request of a client", in.Body)
	}
	if err != nil {
		return err
	}
	f.request(c, in.ID, r, joins)
	return nil
}

// request makes a request on a client's behalf.
func (f *Follower) request(c *client, id uint64, r Request, joins ident.URI) {
	f.next++
	r.ID = f.next
	f.pending[r.ID] = call{client: c.uri, id: id, joins: joins}
	f.out.Requests = append(f.out.Requests, r)
}

// callRoom addresses the hub of a room.
func callRoom(r *Request, endpoint mimi.EndpointName, room ident.URI) error {
	if r.Endpoint != endpoint {
		return refuse(statusBadRequest, "a %T for %s", r.Body, r.Endpoint)
	}
	if room.Kind() != ident.KindRoom {
		return refuse(statusBadRequest, "%s in %q, which is no room's URI", endpoint, room)
	}
	r.To, r.Subject = room.Provider(), room.String()
	return nil
}

// callKeyMaterial addresses the hub of the room, which remembers where the Welcome
// is to go, or outside of a room the provider of the user.
func (f *Follower) callKeyMaterial(c *client, r *Request, body *mimi.KeyMaterialRequest) error {
	if r.Endpoint != mimi.EndpointKeyMaterial {
		return refuse(statusBadRequest, "a KeyMaterialRequest for %s", r.Endpoint)
	}
	if err := c.speaksFor(body.RequestingUser, "requestingUser"); err != nil {
		return err
	}
	via, kind := body.RoomID, ident.KindRoom
	if via == "" {
		via, kind = body.TargetUser, ident.KindUser
	}
	u, ok := via.Is(kind)
	if !ok {
		return refuse(statusBadRequest, "%q is no %v's URI", via, kind)
	}
	r.To, r.Subject = u.Provider(), string(body.TargetUser)
	return nil
}

// sendsAs checks the sending URI of a message: the client's user, or a pseudonym of
// this provider, of which the hub knows whose it is.
func (c *client) sendsAs(u mimi.IdentifierURI) error {
	if name, ok := u.Is(ident.KindPseudonym); ok && name.Provider() == c.uri.Provider() {
		return nil
	}
	return c.speaksFor(u, "sendingUri")
}

// is checks that a credential is the client's own, or a pseudonym of this provider, of
// which the hub knows whose it is. The hub takes this provider's word for it: a basic
// credential proves nothing by itself, and whoever could show another's would be let into
// the rooms of that user.
func (c *client) is(cred *message.Credential, field string) error {
	if u := mimi.IdentifierURI(cred.Identity); cred.Type == message.CredentialBasic {
		if name, ok := u.Is(ident.KindPseudonym); ok && name.Provider() == c.uri.Provider() {
			return nil
		}
	}
	name, _, err := mimi.Client(cred)
	if err != nil {
		return refuse(statusForbidden, "%s: %v", field, err)
	}
	if name != c.uri {
		return refuse(statusForbidden, "%s of %v from %v", field, name, c.uri)
	}
	return nil
}

// entersAs checks who is said to enter a room by an update. What comes from a member is
// signed by a key that the group knows, which is for the hub to verify.
func (c *client) entersAs(r *mimi.UpdateRequest) error {
	all := append([]message.Message{r.Bundle.ProposalOrCommit}, r.Bundle.MoreProposals...)
	for i := range all {
		p := all[i].Public
		if p == nil {
			continue
		}
		var cred *message.Credential
		switch p.Content.Sender.Type {
		case message.SenderNewMemberCommit:
			if p.Content.Commit != nil && p.Content.Commit.Path != nil {
				cred = &p.Content.Commit.Path.LeafNode.Credential
			}
		case message.SenderNewMemberProposal:
			if p.Content.Proposal != nil {
				if add, ok := p.Content.Proposal.Body.(*message.Add); ok {
					cred = &add.KeyPackage.LeafNode.Credential
				}
			}
		default:
			continue
		}
		if cred == nil {
			return refuse(statusBadRequest, "a %v that says not who enters", p.Content.Sender.Type)
		}
		if err := c.is(cred, "credential"); err != nil {
			return err
		}
	}
	return nil
}

// isExternalCommit reports whether a client joins by the update. From then on it is
// to get the room's events, which may arrive before the answer does; it ignores
// those of epochs that it has not seen.
func isExternalCommit(r *mimi.UpdateRequest) bool {
	p := r.Bundle.ProposalOrCommit.Public
	return p != nil && p.Content.Sender.Type == message.SenderNewMemberCommit
}

// callConsent notes what a user decides and tells the other's provider. A decision
// about a user of this provider has been told with that.
func (f *Follower) callConsent(now time.Time, c *client, in Call, r Request, e *mimi.ConsentEntry) error {
	want := mimi.EndpointUpdateConsent
	if e.ConsentOperation == mimi.ConsentRequest || e.ConsentOperation == mimi.ConsentCancel {
		want = mimi.EndpointRequestConsent
	}
	if in.Endpoint != want {
		return refuse(statusBadRequest, "consentOperation %v for %s, want %s", e.ConsentOperation, in.Endpoint, want)
	}
	other, err := f.decide(now, c, e)
	if err != nil {
		return err
	}
	if other.Provider() == f.cfg.Domain {
		f.out.Replies = append(f.out.Replies, Reply{Client: c.uri, ID: in.ID})
		return nil
	}
	r.To, r.Subject = other.Provider(), other.Provider()
	f.request(c, in.ID, r, ident.URI{})
	return nil
}

// refused reports whether an answer to an update says that it was not done.
func refused(in Answer) bool {
	var r *Refusal
	if errors.As(in.Err, &r) {
		return r.Status >= 400 && r.Status < 500
	}
	u, ok := in.Body.(*mimi.UpdateRoomResponse)
	return ok && u.ResponseCode != mimi.UpdateSuccess
}

// answer passes an answer on. A client that tried to join and was told no is let out
// again, unless a Welcome has let it in meanwhile; if nobody knows what became of it,
// it stays, to miss nothing.
func (f *Follower) answer(in Answer) error {
	p, ok := f.pending[in.ID]
	if !ok {
		return fmt.Errorf("follower: answer to request %d, which does not wait for one", in.ID)
	}
	delete(f.pending, in.ID)
	c := f.clients[p.client]
	if c == nil {
		return nil // it was removed meanwhile
	}
	if !p.joins.IsZero() && refused(in) {
		if at := c.rooms[p.joins]; at != nil && at.welcome == 0 {
			f.leaveRoom(c, p.joins)
		}
	}
	f.out.Replies = append(f.out.Replies, Reply{Client: p.client, ID: p.id, Body: in.Body, Err: in.Err})
	return nil
}
