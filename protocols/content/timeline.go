package content

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Received is a message as a client got it; [Receive] makes it.
type Received struct {
	ID       MessageID // as of that sender in that room
	Sender   string    // the URI of the user as whose MLS authenticated the sender
	Accepted time.Time // by the hub
	Message  *Message
}

// Receive reads a message of that sender in that room.
func Receive(senderURI, roomURI string, accepted time.Time, b []byte) (Received, error) {
	m, err := Parse(b)
	if err != nil {
		return Received{}, err
	}
	id, err := IDOf(senderURI, roomURI, b, m.Salt)
	if err != nil {
		return Received{}, err
	}
	return Received{id, senderURI, accepted, m}, nil
}

// maxSkew is how far the clocks of a hub and a client may differ: "a few minutes"
// (General handling).
const maxSkew = 5 * time.Minute

// Timeline is what the messages of a room make together, as one client knows them.
// It applies edits, deletions and reactions and refuses those that are not for their
// sender to make. Versions and reactions are ordered by when the hub accepted them,
// so that clients who got the same messages see the same, in whatever order they
// came. It keeps no clock. The zero value is a room without a name.
type Timeline struct {
	Room    string    // its URI
	Created time.Time // the zero time if it is not known
	// May says whether a sender may replace a message of another, by a policy of the
	// room. If it is nil, nobody may.
	May func(sender string, e Entry) bool

	ordered []*Entry // those that are no reactions, by time and ID
	seen    map[MessageID]MessageID
	replied map[MessageID]bool     // IDs that messages are in reply to
	entries map[MessageID]*Entry   // by every version's ID
	unseen  map[MessageID][]*Entry // by the ID of a first version that did not come
	reacted map[MessageID][]*Entry // reactions by what they are in reply to
}

// Entry is a message in its current version, or the place of one.
type Entry struct {
	ID        MessageID // of the first version, even if that never came
	Sender    string
	Accepted  time.Time // the first version that came
	InReplyTo MessageID
	TopicID   []byte
	Expires   Expiration
	Read      time.Time // the zero time if it was not read
	Gone      Gone
	Versions  []Version  // the first one first, then by time; none if it is gone
	Reactions []Reaction // by time; none if it is gone

	reaction bool
}

// Version is a message or an edit of it.
type Version struct {
	ID       MessageID
	Accepted time.Time
	Body     NestedPart
}

// Reaction is a reaction to an entry.
type Reaction struct {
	ID       MessageID
	Sender   string
	Accepted time.Time
	To       MessageID // the version it reacts to
	Body     NestedPart
}

// Gone is why a message is no longer there.
type Gone uint8

const (
	Present Gone = iota
	Deleted
	Expired
)

var goneNames = [...]string{"present", "deleted", "expired"}

// String returns the word for it.
func (g Gone) String() string { return nameOf(goneNames[:], "Gone", uint64(g)) }

// Edited reports whether there is more than the first version.
func (e Entry) Edited() bool {
	return len(e.Versions) > 1 || len(e.Versions) == 1 && e.Versions[0].ID != e.ID
}

// Current returns the newest version, the zero value if the entry is gone.
func (e Entry) Current() Version {
	if len(e.Versions) == 0 {
		return Version{}
	}
	return e.Versions[len(e.Versions)-1]
}

// Add applies a message. An error is an [*Error] and says why the message is to be
// discarded; then nothing has changed.
func (t *Timeline) Add(now time.Time, in Received) error {
	if err := t.check(now, in); err != nil {
		return err
	}
	var e *Entry
	if first := in.Message.Replaces; !first.IsZero() {
		var err error
		if e, err = t.replaced(in); err != nil {
			return err
		}
	}
	t.prepare()
	t.seen[in.ID] = in.Message.InReplyTo
	if !in.Message.InReplyTo.IsZero() {
		t.replied[in.Message.InReplyTo] = true
	}
	switch {
	case e != nil:
		t.replace(e, in)
	case !in.Message.Replaces.IsZero():
		e = newEntry(in.Message.Replaces, in)
		t.unseen[e.ID] = append(t.unseen[e.ID], e)
		t.insert(e)
		t.replace(e, in)
	default:
		t.first(in)
	}
	return nil
}

// prepare makes the maps of a timeline that is used for the first time.
func (t *Timeline) prepare() {
	if t.seen == nil {
		t.seen, t.replied = map[MessageID]MessageID{}, map[MessageID]bool{}
		t.entries, t.unseen, t.reacted = map[MessageID]*Entry{}, map[MessageID][]*Entry{}, map[MessageID][]*Entry{}
	}
}

// check refuses what makes no sense whatever the message does.
func (t *Timeline) check(now time.Time, in Received) error {
	m := in.Message
	if _, ok := t.seen[in.ID]; ok || in.ID.IsZero() { // T3
		return broken(CheckDuplicate, "messageId", in.ID.String())
	}
	if uri, ok := m.SenderURI(); ok && uri != in.Sender { // T4
		return broken(CheckSender, "senderUri", shortText(uri)+", want "+shortText(in.Sender))
	}
	if uri, ok := m.RoomURI(); ok && t.Room != "" && uri != t.Room { // T4
		return broken(CheckSender, "roomUri", shortText(uri)+", want "+shortText(t.Room))
	}
	if in.Accepted.After(now.Add(maxSkew)) || in.Accepted.Before(t.Created) { // T2
		return broken(CheckTimestamp, "hubAcceptedTimestamp", in.Accepted.UTC().Format(time.RFC3339))
	}
	if err := m.Expires.Check(now); err != nil { // T1
		return err
	}
	if t.loops(in) { // T6
		return broken(CheckReplyLoop, "inReplyTo", m.InReplyTo.String())
	}
	return nil
}

// loops reports whether a message is in reply to itself, through any number of
// others. A loop needs an earlier message that is in reply to this one; without
// that, and so nearly always, there is nothing to follow.
func (t *Timeline) loops(in Received) bool {
	id := in.Message.InReplyTo
	if id == in.ID {
		return true
	}
	if !t.replied[in.ID] {
		return false
	}
	for ok := true; ok && !id.IsZero(); { // ends: what was seen has no loops
		if id, ok = t.seen[id]; id == in.ID {
			return true
		}
	}
	return false
}

// replaced returns the entry that a message replaces, nil if that was not seen.
func (t *Timeline) replaced(in Received) (*Entry, error) {
	first := in.Message.Replaces
	if first == in.ID { // T8
		return nil, broken(CheckSelfReplace, "replaces", "itself")
	}
	e := t.entries[first]
	if e == nil {
		if _, ok := t.seen[first]; ok { // T8
			return nil, broken(CheckSelfReplace, "replaces", first.String()+" is itself a deletion")
		}
		for _, u := range t.unseen[first] {
			if u.Sender == in.Sender {
				e = u
			}
		}
	}
	switch {
	case e == nil:
		return nil, nil
	case e.ID != first: // T8
		return nil, broken(CheckSelfReplace, "replaces", first.String()+" is a later version of "+e.ID.String())
	case e.Sender != in.Sender && (t.May == nil || !t.May(in.Sender, *e)): // T5
		return nil, broken(CheckNotAuthor, "replaces", first.String()+" is of "+shortText(e.Sender)+", not of "+shortText(in.Sender))
	case e.Gone != Present: // T7
		return nil, broken(CheckDeleted, "replaces", first.String()+" is "+e.Gone.String())
	}
	return e, nil
}

// replace makes a message the newest version of an entry, or deletes that. What is
// not the body stays as it was, whatever the message says (Rendering and
// authorization of edits and deletes).
func (t *Timeline) replace(e *Entry, in Received) {
	if k := in.Message.Kind(); k == KindDelete || k == KindUnlike {
		e.remove(Deleted)
		return
	}
	v := Version{in.ID, in.Accepted, in.Message.Body}
	i := len(e.Versions)
	for i > 0 && e.Versions[i-1].ID != e.ID && order(e.Versions[i-1], v) > 0 {
		i--
	}
	e.Versions = slices.Insert(e.Versions, i, v)
	t.entries[in.ID] = e
}

func (e *Entry) remove(why Gone) { e.Gone, e.Versions = why, nil }

// newEntry makes an entry without versions.
func newEntry(first MessageID, in Received) *Entry {
	m := in.Message
	return &Entry{
		ID: first, Sender: in.Sender, Accepted: in.Accepted,
		InReplyTo: m.InReplyTo, TopicID: m.TopicID, Expires: m.Expires,
		reaction: m.Body.Disposition == DispositionReaction && !m.InReplyTo.IsZero(),
	}
}

// first adds a message that replaces none. Edits of it that came earlier become its
// later versions; those of others were none.
func (t *Timeline) first(in Received) {
	e := newEntry(in.ID, in)
	e.Versions = []Version{{in.ID, in.Accepted, in.Message.Body}}
	t.entries[in.ID] = e
	for _, u := range t.unseen[in.ID] {
		t.withdraw(u)
		own := u.Sender == in.Sender
		for _, v := range u.Versions {
			if own {
				t.entries[v.ID] = e
			} else {
				delete(t.entries, v.ID)
			}
		}
		if own {
			e.Versions, e.Read = append(e.Versions, u.Versions...), u.Read
			if u.Gone != Present {
				e.remove(u.Gone)
			}
		}
	}
	delete(t.unseen, in.ID)
	t.insert(e)
}

// insert puts an entry in its place.
func (t *Timeline) insert(e *Entry) {
	if e.reaction {
		t.reacted[e.InReplyTo] = append(t.reacted[e.InReplyTo], e)
		return
	}
	i, _ := slices.BinarySearchFunc(t.ordered, e, order[*Entry])
	t.ordered = slices.Insert(t.ordered, i, e)
}

// withdraw undoes insert.
func (t *Timeline) withdraw(e *Entry) {
	is := func(x *Entry) bool { return x == e }
	if e.reaction {
		t.reacted[e.InReplyTo] = slices.DeleteFunc(t.reacted[e.InReplyTo], is)
		return
	}
	t.ordered = slices.DeleteFunc(t.ordered, is)
}

// order is by time and then by ID (Topics / Threading).
func order[T interface{ stamp() (time.Time, MessageID) }](a, b T) int {
	timeA, idA := a.stamp()
	timeB, idB := b.stamp()
	return cmp.Or(timeA.Compare(timeB), bytes.Compare(idA[:], idB[:]))
}

func (e *Entry) stamp() (time.Time, MessageID)   { return e.Accepted, e.ID }
func (v Version) stamp() (time.Time, MessageID)  { return v.Accepted, v.ID }
func (r Reaction) stamp() (time.Time, MessageID) { return r.Accepted, r.ID }

// Entry returns the entry that a version belongs to.
func (t *Timeline) Entry(version MessageID) (Entry, bool) {
	e := t.entries[version]
	if e == nil {
		return Entry{}, false
	}
	return t.snapshot(e), true
}

// Entries returns all that are no reactions, in their order.
func (t *Timeline) Entries() []Entry {
	all := make([]Entry, len(t.ordered))
	for i, e := range t.ordered {
		all[i] = t.snapshot(e)
	}
	return all
}

// snapshot copies an entry and gathers its reactions. Slices within the bodies are
// shared.
func (t *Timeline) snapshot(e *Entry) Entry {
	out := *e
	out.Versions = slices.Clone(e.Versions)
	if e.Gone != Present {
		return out
	}
	gather := func(to MessageID) {
		for _, r := range t.reacted[to] {
			if r.Gone == Present {
				out.Reactions = append(out.Reactions, Reaction{r.ID, r.Sender, r.Accepted, to, r.Current().Body})
			}
		}
	}
	if len(e.Versions) > 0 && e.Versions[0].ID != e.ID {
		gather(e.ID) // to a first version that did not come
	}
	for _, v := range e.Versions {
		gather(v.ID)
	}
	slices.SortFunc(out.Reactions, order[Reaction])
	return out
}

// MarkRead notes that an entry was read, from when on a relative expiration counts.
// It reports whether it was there and not read before.
func (t *Timeline) MarkRead(now time.Time, version MessageID) bool {
	e := t.entries[version]
	if e == nil || e.Gone != Present || !e.Read.IsZero() {
		return false
	}
	e.Read = now
	return true
}

// Expire removes what has expired, and returns the IDs of that and when the next
// entry expires; the zero time if none will.
func (t *Timeline) Expire(now time.Time) (expired []MessageID, next time.Time) {
	visit := func(e *Entry) {
		at, ok := e.Expires.Deadline(e.Read)
		switch {
		case !ok || e.Gone != Present:
		case !at.After(now):
			e.remove(Expired)
			expired = append(expired, e.ID)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	for _, e := range t.ordered {
		visit(e)
	}
	messages := len(expired)
	for _, to := range t.reacted { // in any order, and so sorted after it
		for _, e := range to {
			visit(e)
		}
	}
	slices.SortFunc(expired[messages:], func(a, b MessageID) int { return bytes.Compare(a[:], b[:]) })
	return expired, next
}

// shortText quotes the beginning of a text.
func shortText(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
