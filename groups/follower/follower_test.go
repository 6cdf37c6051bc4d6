package follower

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// The actors of draft-ietf-mimi-protocol-06, Example protocol flow.
var (
	alice     = uri("mimi://a.example/u/alice")
	bob       = uri("mimi://b.example/u/bob")
	bella     = uri("mimi://b.example/u/bella")
	clientA1  = uri("mimi://a.example/d/alice/ClientA1")
	clientB1  = uri("mimi://b.example/d/bob/ClientB1")
	clientB2  = uri("mimi://b.example/d/bob/ClientB2")
	clientX1  = uri("mimi://b.example/d/bella/ClientX1")
	clubhouse = uri("mimi://a.example/r/clubhouse")
	otherRoom = uri("mimi://a.example/r/other")
)

func uri(s string) ident.URI {
	u, err := ident.ParseURI(s)
	if err != nil {
		panic(err)
	}
	return u
}

// lab is a follower of b.example with what its store has.
type lab struct {
	testing.TB
	suite   suite.Suite
	cfg     *Config
	f       *Follower
	records map[string][]byte
	now     time.Time
}

func newLab(t testing.TB, change func(*Config)) *lab {
	t.Helper()
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, sha256.Sum256([]byte(t.Name())), "")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &Config{Domain: "b.example", Groups: map[suite.ID]*mls.Config{s.ID(): {Suite: s, Components: map[message.ComponentID]mls.Component{}}}}
	if change != nil {
		change(cfg)
	}
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{TB: t, suite: s, cfg: cfg, f: f, records: map[string][]byte{}, now: start}
	l.step(AddUser{User: bob, Profile: bobProfile})
	l.step(AddUser{User: bella})
	for _, c := range []ident.URI{clientB1, clientB2, clientX1} {
		l.step(AddClient{c})
	}
	return l
}

// step takes an input that has to succeed, stores what it persists, and checks that
// the store has all of the state and nothing else.
func (l *lab) step(in Input) Output {
	l.Helper()
	out, err := l.f.Step(l.now, in)
	if err != nil {
		l.Fatalf("%T: %v", in, err)
	}
	for _, r := range out.Persist {
		if r.Value == nil {
			delete(l.records, r.Key)
		} else {
			l.records[r.Key] = slices.Clone(r.Value)
		}
	}
	l.stored()
	return Output{
		Response: out.Response, Requests: slices.Clone(out.Requests), Replies: slices.Clone(out.Replies),
		Deliveries: slices.Clone(out.Deliveries), Persist: slices.Clone(out.Persist),
	}
}

// refused takes an input that has to be refused and checks that it changed nothing.
func (l *lab) refused(status int, says string, in Input) {
	l.Helper()
	out, err := l.f.Step(l.now, in)
	var r *Refusal
	if !errors.As(err, &r) || r.Status != status || !strings.Contains(r.Reason, says) {
		l.Errorf("%T: got error %v, want a refusal with %d that says %q", in, err, status, says)
	}
	if out.Persist != nil || out.Response != nil || out.Requests != nil || out.Deliveries != nil || out.Replies != nil {
		l.Errorf("%T: an error with output %+v", in, out)
	}
	l.stored()
}

// stored compares the store with the machine's state.
func (l *lab) stored() {
	l.Helper()
	want := state(l.f)
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got, ok := l.records[k]; !ok || string(got) != want[k] {
			l.Fatalf("record %q is %q (%v), the state is %q", k, got, ok, want[k])
		}
	}
	for k := range l.records {
		if _, ok := want[k]; !ok {
			l.Fatalf("record %q is of no state", k)
		}
	}
}

// restart replaces the machine by one of its records.
func (l *lab) restart() {
	l.Helper()
	var list []protocols.Record
	for k, v := range l.records {
		list = append(list, protocols.Record{Key: k, Value: v})
	}
	f, err := Restore(l.cfg, list)
	if err != nil {
		l.Fatal(err)
	}
	l.f = f
	l.stored()
}

// state writes a machine's whole state as records, by another way than its steps do.
func state(f *Follower) map[string]string {
	out := map[string]string{}
	for _, u := range f.users {
		out[userKey(u.uri)] = string(mustJSON(userRecord{u.deleted, u.profile}))
	}
	for _, c := range f.clients {
		out[clientKey(c.uri)] = ""
		if c.nextBox > 0 {
			out[clientKey(c.uri)] = string(number(c.nextBox))
		}
		for _, k := range c.packages {
			out[packageKey(c.uri, k.seq)] = string(mustMarshal(&k.value))
		}
		for _, b := range c.box {
			out[boxKey(c.uri, b.seq)] = string(boxRecord(b))
		}
		for r, at := range c.rooms {
			out[cursorKey(c.uri, r)] = string(cursorRecord(at))
		}
	}
	for ref, g := range f.given {
		out[givenKey(ref)] = string(mustJSON(givenRecord{g.client.String(), g.notAfter}))
	}
	for s, c := range f.consent {
		out[consentKey(s)] = string([]byte{byte(c)})
	}
	if f.last > 0 {
		out[lastKey] = string(number(f.last))
	}
	for _, r := range f.rooms {
		out[roomKey(r.uri)] = string(roomRecord(r))
		for _, e := range r.log {
			if key := logKey(r.uri, e.from); e.from == e.seq {
				out[key] = string(stamped(e.at, e.body))
			} else {
				out[key] += string(e.body)
			}
		}
		for page := range seenPages(r) {
			out[seenKey(r.uri, page)] = string(seenRecord(r, page))
		}
		if r.turn > 0 {
			out[turnKey(r.uri)] = string(number(uint64(r.turn)))
		}
	}
	return out
}

// identity makes the keys of a client.
func (l *lab) identity(client ident.URI) *mls.Identity {
	l.Helper()
	id, err := mls.NewIdentity(l.suite, []byte(client.String()))
	if err != nil {
		l.Fatal(err)
	}
	return id
}

// keyPackage makes one for a client.
func (l *lab) keyPackage(client ident.URI, o mls.LeafOptions) message.KeyPackage {
	l.Helper()
	k, err := l.cfg.Groups[l.suite.ID()].NewKeyPackage(l.now, l.identity(client), o)
	if err != nil {
		l.Fatal(err)
	}
	return k.Public
}

// publish lets a client publish n KeyPackages.
func (l *lab) publish(client ident.URI, n int) []message.KeyPackage {
	l.Helper()
	var list []message.KeyPackage
	for range n {
		list = append(list, l.keyPackage(client, mls.LeafOptions{}))
	}
	l.step(Publish{client, list})
	return list
}

// request makes a signed KeyMaterialRequest of a client for a user.
func (l *lab) request(client, target, room ident.URI, change func(*mimi.KeyMaterialRequest)) *mimi.KeyMaterialRequest {
	l.Helper()
	user, err := mimi.UserOf(client)
	if err != nil {
		l.Fatal(err)
	}
	id := l.identity(client)
	r := &mimi.KeyMaterialRequest{
		RequestingUser: mimi.URI(user), TargetUser: mimi.URI(target),
		AcceptableCiphersuites: []suite.ID{l.suite.ID()},
		RequesterSignatureKey:  id.Signer.Public, RequesterCredential: message.BasicCredential([]byte(client.String())),
	}
	if !room.IsZero() {
		r.RoomID = mimi.URI(room)
	}
	if change != nil {
		change(r)
	}
	if err := r.Sign(l.suite, id.Signer.Private); err != nil {
		l.Fatal(err)
	}
	return r
}

// claim is a request of Alice's client for Bob, through the hub of the room.
func (l *lab) claim(room ident.URI) *mimi.KeyMaterialResponse {
	l.Helper()
	out := l.step(ClaimKeyMaterial{"a.example", l.request(clientA1, bob, room, nil)})
	return out.Response.(*mimi.KeyMaterialResponse)
}

// application makes an event with a message; what it holds only a member could read.
func (l *lab) application(n uint64) mimi.FanoutMessage {
	return mimi.FanoutMessage{
		Timestamp: 1000 + n,
		Message: message.Message{Private: &message.PrivateMessage{
			GroupID: []byte("clubhouse"), Epoch: 1, ContentType: message.ContentApplication,
			EncryptedSenderData: []byte("sender"), Ciphertext: fmt.Appendf(nil, "message %d", n),
		}},
	}
}

// welcome makes an event with a Welcome for KeyPackages.
func (l *lab) welcome(packages ...*message.KeyPackage) mimi.FanoutMessage {
	l.Helper()
	w := &message.Welcome{Suite: l.suite.ID(), EncryptedGroupInfo: []byte("info")}
	for _, k := range packages {
		ref, err := k.Ref(l.suite)
		if err != nil {
			l.Fatal(err)
		}
		w.Secrets = append(w.Secrets, message.EncryptedGroupSecrets{NewMember: ref})
	}
	return mimi.FanoutMessage{
		Timestamp: 999, Message: message.Message{Welcome: w},
		RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeFull, RatchetTree: []byte("\x04tree")},
	}
}

// notify brings events of the clubhouse.
func (l *lab) notify(messages ...mimi.FanoutMessage) Output {
	l.Helper()
	return l.step(Notify{From: "a.example", Room: clubhouse, Messages: messages})
}

// bring lets a client of Bob's be welcomed to the clubhouse.
func (l *lab) bring(clients ...ident.URI) {
	l.Helper()
	for _, c := range clients {
		k := l.publish(c, 1)
		u, err := mimi.UserOf(c)
		if err != nil {
			l.Fatal(err)
		}
		l.step(ClaimKeyMaterial{"a.example", l.request(clientA1, u, clubhouse, nil)})
		l.notify(l.welcome(&k[0]))
		l.step(Ack{Client: c, Seq: l.f.clients[c].nextBox})
	}
}

// got writes deliveries as "client room seq" or "client box seq".
func got(list []Delivery) string {
	var out []string
	for _, d := range list {
		where := "box"
		if !d.Room.IsZero() {
			where = d.Room.Segments()[0]
		}
		out = append(out, fmt.Sprint(d.Client.Segments()[1], " ", where, " ", d.Seq))
	}
	return strings.Join(out, ", ")
}

func wantDeliveries(t testing.TB, out Output, want string) {
	t.Helper()
	if s := got(out.Deliveries); s != want {
		t.Errorf("deliveries %q, want %q", s, want)
	}
}
