package member

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// flight is a call that has no answer yet, as it is kept: it is made again, byte for
// byte, if the answer is lost.
type flight struct {
	ID        uint64            `json:"id"`
	Endpoint  mimi.EndpointName `json:"endpoint"`
	Room      ident.URI         `json:"room,omitzero"`
	Domain    string            `json:"domain,omitempty"`
	Intention uint64            `json:"intention"`
	Own       bool              `json:"own,omitempty"` // it is that of the room's own
	Tries     int               `json:"tries,omitempty"`
	RetryAt   int64             `json:"retry,omitempty"` // ms since 1970; 0: under way
	Until     int64             `json:"until,omitempty"` // when nobody waits for it any more, in ms since 1970; 0: never
	Body      []byte            `json:"body"`
}

// call makes a call of an intention that is not there for the hub to accept.
func (m *Member) call(r *chatRoom, it *intention, f *flight, req wire.Marshaler) error {
	b, err := wire.Marshal(req)
	if err != nil {
		return err
	}
	f.Body, f.Intention, f.Until = b, it.ID, m.now.Add(m.cfg.Patience).UnixMilli()
	m.launch(f, req)
	it.Flight = f.ID
	return nil
}

// expire ends the intention of a call that was not answered in time, so that others of
// the room can go on.
func (m *Member) expire(now time.Time, f *flight) {
	m.land(f.ID)
	r := m.rooms[f.Room]
	if r == nil {
		return
	}
	if it := r.find(f.Intention); it != nil && it.Flight == f.ID {
		it.Flight = 0
		m.fail(r, it, ErrNoAnswer, false)
		m.pump(now, r)
	}
}

// launch makes a call for the first time.
func (m *Member) launch(f *flight, req wire.Marshaler) {
	f.ID = m.number()
	m.flights[f.ID] = f
	m.putFlight(f)
	m.out.Calls = append(m.out.Calls, follower.Call{
		Client: m.cfg.Client, ID: f.ID, Endpoint: f.Endpoint, Room: f.Room, Domain: f.Domain, Body: req,
	})
}

// again makes a call again.
func (m *Member) again(f *flight) {
	e, ok := mimi.FindEndpoint(f.Endpoint)
	if !ok {
		return // was checked when it was restored
	}
	req, err := e.ParseRequest(f.Body, m.cfg.Points)
	if err != nil {
		return
	}
	f.RetryAt = 0
	f.Tries++
	m.putFlight(f)
	m.out.Calls = append(m.out.Calls, follower.Call{
		Client: m.cfg.Client, ID: f.ID, Endpoint: f.Endpoint, Room: f.Room, Domain: f.Domain, Body: req.(wire.Marshaler),
	})
}

// land forgets a call.
func (m *Member) land(id uint64) {
	if m.flights[id] != nil {
		delete(m.flights, id)
		m.put(flightKey(id), nil)
	}
}

// later makes a call again in a while.
func (m *Member) later(now time.Time, f *flight) {
	wait := m.cfg.RetryMin
	for i := 0; i < f.Tries && wait < m.cfg.RetryMax; i++ {
		wait *= 2
	}
	f.RetryAt = now.Add(min(wait, m.cfg.RetryMax)).UnixMilli()
	m.putFlight(f)
}

// replied takes the answer to a call.
func (m *Member) replied(now time.Time, in Replied) {
	f := m.flights[in.ID]
	if f == nil || f.RetryAt != 0 {
		return // of something that has ended, or an answer that comes twice
	}
	r := m.rooms[f.Room]
	// What may have become an epoch is asked about until it is known.
	unbounded := f.Own && r.own.Kind != ownMessage
	if in.Err != nil && !definite(in.Err) && (unbounded || f.Tries < m.cfg.Tries) {
		if unbounded && f.Tries == m.cfg.Tries {
			what := string(r.own.Kind)
			if it := r.find(f.Intention); it != nil {
				what = string(it.Do)
			}
			m.event(Stalled{ID: f.Intention, Room: r.uri, What: what, Why: in.Err})
		}
		m.later(now, f)
		return
	}
	if f.Own {
		m.repliedOwn(now, r, f, in) // which exist as long as the flight does
		return
	}
	m.land(f.ID)
	if r != nil {
		if it := r.find(f.Intention); it != nil && it.Flight == f.ID {
			m.repliedIntention(now, r, it, in)
			return
		}
	}
	m.repliedAlone(f, in)
}

// repliedOwn takes the hub's answer to what is ours.
func (m *Member) repliedOwn(now time.Time, r *chatRoom, f *flight, in Replied) {
	switch b := in.Body.(type) {
	case *mimi.UpdateRoomResponse:
		if r.own.Kind != ownMessage && in.Err == nil {
			m.updated(now, r, f, b)
			return
		}
	case *mimi.SubmitMessageResponse:
		if r.own.Kind == ownMessage && in.Err == nil {
			m.submitted(now, r, f, b)
			return
		}
	}
	// What was refused when it was asked again may have been accepted before.
	m.failOwn(now, r, replyError(in), in.Err != nil && (!definite(in.Err) || f.Tries > 0))
}

// repliedIntention takes the answer to a call that an intention waits for.
func (m *Member) repliedIntention(now time.Time, r *chatRoom, it *intention, in Replied) {
	it.Flight = 0
	err := in.Err
	if err == nil {
		switch b := in.Body.(type) {
		case *mimi.KeyMaterialResponse:
			err = m.keyMaterial(now, r, it, b)
		case *mimi.GroupInfoResponse:
			err = m.groupInfo(now, r, it, b)
		default:
			err = replyError(in)
		}
	}
	if err != nil {
		m.fail(r, it, err, false)
	} else if r.find(it.ID) == it {
		m.putIntention(r, it)
	}
	m.pump(now, r)
}

// repliedAlone takes the answer to a call that changes no room.
func (m *Member) repliedAlone(f *flight, in Replied) {
	if in.Err != nil {
		m.event(Failed{ID: f.Intention, Room: f.Room, What: string(f.Endpoint), Why: in.Err, Unknown: !definite(in.Err)})
		return
	}
	if b, ok := in.Body.(*mimi.IdentifierResponse); ok && f.Endpoint == mimi.EndpointIdentifierQuery {
		m.event(Found{ID: f.Intention, Response: b})
		return
	}
	m.event(Done{f.Intention})
}

// replyError says why an answer is none.
func replyError(in Replied) error {
	if in.Err != nil {
		return in.Err
	}
	return fmt.Errorf("member: answer of type %T, which is none to the call", in.Body)
}

// resume asks again what had no answer.
func (m *Member) resume(now time.Time) {
	for _, id := range slices.Sorted(maps.Keys(m.flights)) {
		if f := m.flights[id]; f != nil && f.RetryAt == 0 {
			m.again(f)
		}
	}
	for _, r := range m.sortedRooms() {
		if r.Status == creating {
			m.askHub(r)
		}
	}
	m.wake(now)
}

// wake does what is due.
func (m *Member) wake(now time.Time) {
	at := now.UnixMilli()
	for _, id := range slices.Sorted(maps.Keys(m.flights)) {
		switch f := m.flights[id]; {
		case f == nil:
		case f.Until != 0 && f.Until <= at:
			m.expire(now, f)
		case f.RetryAt != 0 && f.RetryAt <= at:
			m.again(f)
		}
	}
	for _, r := range m.sortedRooms() {
		if r.Commit != 0 && r.Commit <= at {
			m.autoCommit(now, r)
		}
		m.pump(now, r)
	}
}

// wakeAt returns when the next thing is due.
func (m *Member) wakeAt() time.Time {
	var at int64
	earliest := func(t int64) {
		if t != 0 && (at == 0 || t < at) {
			at = t
		}
	}
	for _, f := range m.flights {
		earliest(f.RetryAt)
		earliest(f.Until)
	}
	for _, r := range m.rooms {
		earliest(r.Commit)
		if r.own == nil && len(r.todo) > 0 && r.todo[0].Flight == 0 {
			earliest(r.todo[0].Wait)
		}
	}
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMilli(at).UTC()
}

// report reports messages (Report abuse).
func (m *Member) report(now time.Time, in Report) error {
	if _, err := m.findRoom(in.Room); err != nil {
		return err
	}
	if len(in.Messages) == 0 {
		return fmt.Errorf("member: report without messages")
	}
	return m.alone(&flight{Endpoint: mimi.EndpointReportAbuse, Room: in.Room}, &mimi.AbuseReport{
		ReportingUser: mimi.URI(m.user), AllegedAbuserURI: mimi.URI(in.Abuser), Note: in.Note, Messages: in.Messages,
	})
}

// consent asks for consent, or gives it or ends it (Convey explicit consent).
func (m *Member) consent(now time.Time, in Consent) error {
	if in.User.Kind() != ident.KindUser || in.User == m.user {
		return fmt.Errorf("member: consent with %v, want the URI of another user", in.User)
	}
	if in.KeyPackages < 0 || in.KeyPackages > maxKeyPackages || in.KeyPackages > 0 && in.Operation != mimi.ConsentGrant {
		return fmt.Errorf("member: %d KeyPackages with %v, want 0 to %d with a grant", in.KeyPackages, in.Operation, maxKeyPackages)
	}
	e := &mimi.ConsentEntry{ConsentOperation: in.Operation, RequesterURI: mimi.URI(m.user), TargetURI: mimi.URI(in.User)}
	endpoint := mimi.EndpointRequestConsent
	if in.Operation == mimi.ConsentGrant || in.Operation == mimi.ConsentRevoke {
		endpoint = mimi.EndpointUpdateConsent
		e.RequesterURI, e.TargetURI = e.TargetURI, e.RequesterURI
	}
	if !in.Room.IsZero() {
		room := mimi.URI(in.Room)
		e.RoomID = &room
	}
	if err := e.Check(endpoint); err != nil {
		return err
	}
	var err error
	if e.ClientKeyPackages, err = m.makeKeys(now, in.KeyPackages, false); err != nil {
		return err
	}
	return m.alone(&flight{Endpoint: endpoint}, e)
}

// find looks for users (Find internal address).
func (m *Member) find(now time.Time, in FindUsers) error {
	req := &mimi.IdentifierRequest{QueryElements: in.Query}
	if err := req.Check(); err != nil {
		return err
	}
	return m.alone(&flight{Endpoint: mimi.EndpointIdentifierQuery, Domain: in.Domain}, req)
}

// alone makes a call that changes no room.
func (m *Member) alone(f *flight, req wire.Marshaler) error {
	b, err := wire.Marshal(req)
	if err != nil {
		return err
	}
	m.out.ID = m.number()
	f.Body, f.Intention = b, m.out.ID
	m.launch(f, req)
	return nil
}
