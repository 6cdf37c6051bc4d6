package chat

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Encodings in presentation language, byte by byte. They are well-formed, with keys and
// signatures of a byte or two: nothing here looks into those.
const (
	sampleExtensions = "\x04\x0a\x0a\x01x"
	sampleCredential = "\x00\x01\x1bmimi://a.example/d/alice/A1"
	sampleKeyLeaf    = "\x01e\x01s\x00\x01\x01i\x02\x00\x01\x02\x00\x01\x00\x02\x0a\x0a\x02\x00\x01" +
		"\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02" + sampleExtensions + "\x01g"
	sampleKeyPackage = "\x00\x01\x00\x01\x01k" + sampleKeyLeaf + sampleExtensions + "\x01s"
	sampleGroupInfo  = "\x00\x01\x00\x01\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01t\x01c" + sampleExtensions + sampleExtensions + "\x01t\x00\x00\x00\x02\x01s"
	sampleWelcome    = "\x00\x01\x06\x01r\x01k\x01c\x01i"
	sampleHead       = "\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x01\x01a" // of a FramedContent from leaf 1
	sampleProposal   = "\x00\x01\x00\x01" + sampleHead + "\x02\x00\x03\x00\x00\x00\x07\x01s\x01m"
	sampleCommit     = "\x00\x01\x00\x01" + sampleHead + "\x03\x03\x02\x01r\x00\x01s\x01t\x01m"
	samplePrivate    = "\x00\x01\x00\x02\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01a\x01d\x01c"
	sampleTree       = "\x01\x04\x01o\x02o" // full, with four bytes of nodes
	sampleFrank      = "0123456789abcdef0123456789abcdef\x00\x02\x01s"
	sampleTime       = "\x00\x00\x01\x9a\xd6\xdf\xa0\x7b" // 1764541571195
)

var (
	alice     = uri("mimi://a.example/d/alice/A1")
	clubhouse = uri("mimi://a.example/r/clubhouse")
)

func uri(s string) ident.URI {
	u, err := ident.ParseURI(s)
	if err != nil {
		panic(err)
	}
	return u
}

// opaque puts the length in front.
func opaque(s string) string {
	if len(s) < 64 {
		return string([]byte{byte(len(s))}) + s
	}
	return string(binary.BigEndian.AppendUint16(nil, 0x4000|uint16(len(s)))) + s
}

// read makes a struct of MIMI of its encoding.
func read[T any, P interface {
	*T
	wire.Unmarshaler
	wire.Marshaler
}](s string) P {
	p := P(new(T))
	if err := wire.Unmarshal([]byte(s), p); err != nil {
		panic(fmt.Sprintf("sample %T: %v", p, err))
	}
	return p
}

func call(e mimi.EndpointName, room ident.URI, body follower.Body) follower.Call {
	return follower.Call{Client: alice, ID: 7, Endpoint: e, Room: room, Body: body}
}

func entry(operation byte, rest string) *mimi.ConsentEntry {
	return read[mimi.ConsentEntry](string(operation) + opaque("mimi://a.example/u/alice") + opaque("mimi://b.example/u/bob") + "\x00" + rest + "\x00")
}

// asked are requests of every kind with answers to them.
var asked = []struct {
	name    string
	in      any
	answers []any
}{
	{"submit", call(mimi.EndpointSubmitMessage, clubhouse, read[mimi.SubmitMessageRequest]("\x01"+samplePrivate+opaque("mimi://a.example/u/alice"))), []any{
		read[mimi.SubmitMessageResponse]("\x01\x00" + sampleTime + "\x01" + sampleFrank),
		read[mimi.SubmitMessageResponse]("\x01\x00" + sampleTime + "\x00"),
		read[mimi.SubmitMessageResponse]("\x01\x01"),
		read[mimi.SubmitMessageResponse]("\x01\x02\xff\x00\x00\x00\x00\x00\x00\x07"),
	}},
	{"commit", call(mimi.EndpointUpdate, clubhouse, read[mimi.UpdateRequest](sampleCommit+"\x01"+sampleWelcome+"\x01"+sampleGroupInfo+sampleTree)), []any{
		read[mimi.UpdateRoomResponse]("\x00\x00" + sampleTime),
		read[mimi.UpdateRoomResponse]("\x01\x03old\x00\x00\x00\x00\x00\x00\x00\x07"),
		read[mimi.UpdateRoomResponse]("\x02\x02no"),
		read[mimi.UpdateRoomResponse]("\x03\x00\x05\x02r1\x01r"),
	}},
	{"commit without welcome", call(mimi.EndpointUpdate, clubhouse, read[mimi.UpdateRequest](sampleCommit+"\x00\x01"+sampleGroupInfo+"\x04")), nil},
	{"proposals", call(mimi.EndpointUpdate, clubhouse, read[mimi.UpdateRequest](sampleProposal+opaque(sampleProposal))), nil},
	{"one proposal", call(mimi.EndpointUpdate, clubhouse, read[mimi.UpdateRequest](sampleProposal+"\x00")), nil},
	{"key material", call(mimi.EndpointKeyMaterial, ident.URI{}, read[mimi.KeyMaterialRequest]("\x01"+opaque("mimi://a.example/u/alice")+opaque("mimi://b.example/u/bob")+opaque("mimi://a.example/r/clubhouse")+"\x04\x00\x01\x00\x02\x02\x00\x06\x02\x00\x08\x02\x00\x01\x01k"+sampleCredential+"\x01s")), []any{
		read[mimi.KeyMaterialResponse]("\x01\x00" + opaque("mimi://b.example/u/bob") + opaque("\x00"+opaque("mimi://b.example/d/bob/B1")+sampleKeyPackage)),
		read[mimi.KeyMaterialResponse]("\x01\x05" + opaque("mimi://b.example/u/bob") + "\x00"),
	}},
	{"group info", call(mimi.EndpointGroupInfo, clubhouse, read[mimi.GroupInfoRequest]("\x01\x00\x02\x01k"+sampleCredential+"\x01h\x04code\x01s")), []any{
		read[mimi.GroupInfoResponse]("\x01" + opaque("mimi://a.example/r/clubhouse") + "\x01\x00\x02\x01k" + sampleCredential + "\x01k\x01c\x01s"),
		read[mimi.GroupInfoResponse]("\x01" + opaque("mimi://a.example/r/clubhouse") + "\x03"),
	}},
	{"identifiers", follower.Call{Client: alice, ID: 7, Endpoint: mimi.EndpointIdentifierQuery, Domain: "b.example", Body: read[mimi.IdentifierRequest]("\x05\x01\x03bob\x00")}, []any{
		read[mimi.IdentifierResponse]("\x01\x00\x00\x00"),
	}},
	{"consent request", call(mimi.EndpointRequestConsent, ident.URI{}, entry(1, "")), []any{nil}},
	{"consent cancel", call(mimi.EndpointRequestConsent, ident.URI{}, entry(0, "")), nil},
	{"consent grant", call(mimi.EndpointUpdateConsent, ident.URI{}, entry(2, opaque(sampleKeyPackage))), nil},
	{"consent revoke", call(mimi.EndpointUpdateConsent, ident.URI{}, entry(3, "")), nil},
	{"abuse", call(mimi.EndpointReportAbuse, clubhouse, read[mimi.AbuseReport](opaque("mimi://a.example/u/alice")+opaque("mimi://b.example/u/bob")+"\x00\x04spam"+opaque("\x02mc"+sampleFrank+sampleTime)+"\x00")), []any{nil}},
	{"count", CountKeyPackages{}, []any{Count(0), Count(47)}},
	{"publish", follower.Publish{Client: alice, KeyPackages: []message.KeyPackage{*read[message.KeyPackage](sampleKeyPackage), *read[message.KeyPackage](sampleKeyPackage)}}, []any{nil}},
	{"create", &Create{Room: clubhouse, GroupInfo: read[message.GroupInfo](sampleGroupInfo), RatchetTree: []byte("\x04\x01o\x02o")}, []any{nil}},
	{"create with the tree in the GroupInfo", &Create{Room: clubhouse, GroupInfo: read[message.GroupInfo](sampleGroupInfo)}, nil},
	{"leave", follower.Leave{Client: alice, Room: clubhouse, Seq: 4711}, nil},
	{"ack in a room", follower.Ack{Client: alice, Room: clubhouse, Seq: 12}, nil},
	{"ack in the mailbox", follower.Ack{Client: alice, Seq: 1<<64 - 1}, nil},
}

// delivered are deliveries of every kind.
var delivered = []struct {
	name string
	d    follower.Delivery
}{
	{"application", follower.Delivery{Client: alice, Room: clubhouse, Seq: 12, Body: []byte(sampleTime + samplePrivate + "\x01" + sampleFrank)}},
	{"application without frank", follower.Delivery{Client: alice, Room: clubhouse, Seq: 13, Body: []byte(sampleTime + samplePrivate + "\x00")}},
	{"commit", follower.Delivery{Client: alice, Room: clubhouse, Seq: 14, Body: []byte(sampleTime + sampleCommit + opaque(sampleProposal+sampleProposal))}},
	{"proposals", follower.Delivery{Client: alice, Room: clubhouse, Seq: 1<<64 - 1, Body: []byte(sampleTime + sampleProposal + opaque(sampleProposal))}},
	{"at time zero", follower.Delivery{Client: alice, Room: clubhouse, Seq: 15, Body: []byte("\x00\x00\x00\x00\x00\x00\x00\x00" + sampleProposal + "\x00")}},
	{"welcome", follower.Delivery{Client: alice, Seq: 3, About: clubhouse, Body: []byte(sampleTime + "\x00\x01\x00\x03" + sampleWelcome + sampleTree)}},
	{"consent", follower.Delivery{Client: alice, Seq: 4, Body: must(wire.Marshal(entry(3, "")))}},
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// carried takes a stanza through both codecs.
func carried(t *testing.T, s stanza.Stanza) stanza.Stanza {
	t.Helper()
	xml, err := stanza.MarshalXML(s)
	if err != nil {
		t.Fatalf("XML: %v", err)
	}
	fromXML, err := stanza.ParseXML(xml)
	if err != nil {
		t.Fatalf("XML: %v\n%s", err, xml)
	}
	bin, err := new(stanza.Encoder).Append(nil, s)
	if err != nil {
		t.Fatalf("binary: %v", err)
	}
	n, err := stanza.ParseBinary(bin)
	if err != nil {
		t.Fatalf("binary: %v", err)
	}
	if !n.Equal(&fromXML) {
		t.Fatalf("binary carries another tree than\n%s", xml)
	}
	got, err := stanza.Parse(n)
	if err != nil {
		t.Fatalf("%v\n%s", err, xml)
	}
	return got
}

// TestAsk: what a client asks arrives as what it was, through both codecs.
func TestAsk(t *testing.T) {
	t.Parallel()
	for _, tt := range asked {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := Encode("a7", tt.in)
			if err != nil {
				t.Fatal(err)
			}
			q, err := Read(alice, 7, carried(t, s), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(q.Input, tt.in) {
				t.Errorf("read %+v\nwant %+v", q.Input, tt.in)
			}
			_, isAck := tt.in.(follower.Ack)
			if q.Answered() == isAck {
				t.Errorf("an answer is wanted: %v", q.Answered())
			}
			for i, want := range tt.answers {
				a, err := q.Answer(want, nil)
				if err != nil {
					t.Fatalf("answer %d: %v", i, err)
				}
				got, err := ReadAnswer(s, carried(t, a))
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("answer %d: %+v, %v\nwant %+v", i, got, err, want)
				}
			}
		})
	}
}

// TestConditions: codes of the draft come as conditions beside what the hub said.
func TestConditions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ask  string
		body follower.Body
		want string
	}{
		{"submit", &mimi.SubmitMessageResponse{StatusCode: mimi.SubmitNotAllowed}, "403 notAllowed"},
		{"submit", &mimi.SubmitMessageResponse{StatusCode: mimi.SubmitEpochTooOld, CurrentEpoch: 7}, "409 epochTooOld"},
		{"commit", &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateWrongEpoch}, "409 wrongEpoch"},
		{"commit", &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateNotAllowed}, "403 notAllowed"},
		{"commit", &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateInvalidProposal}, "406 invalidProposal"},
		{"key material", &mimi.KeyMaterialResponse{UserStatus: mimi.UserUnknown}, "404 userUnknown"},
		{"key material", &mimi.KeyMaterialResponse{UserStatus: mimi.UserNoConsent}, "461 noConsent"},
		{"key material", &mimi.KeyMaterialResponse{UserStatus: mimi.UserDeleted}, "410 userDeleted"},
		{"group info", &mimi.GroupInfoResponse{RoomID: "mimi://a.example/r/clubhouse", Status: mimi.GroupInfoNotAuthorized}, "403 notAuthorized"},
		{"group info", &mimi.GroupInfoResponse{RoomID: "mimi://a.example/r/clubhouse", Status: mimi.GroupInfoNoSuchRoom}, "404 noSuchRoom"},
		{"identifiers", &mimi.IdentifierResponse{ResponseCode: mimi.QueryForbidden}, "403 forbidden"},
		{"identifiers", &mimi.IdentifierResponse{ResponseCode: mimi.QueryAmbiguous}, "406 ambiguous"},
	} {
		t.Run(tt.ask+" "+tt.want, func(t *testing.T) {
			t.Parallel()
			q, _ := query(t, tt.ask)
			a, err := q.Answer(tt.body, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := condition(carried(t, a)); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// query returns what was asked under a name, as the provider and the client have it.
func query(t *testing.T, name string) (Query, stanza.Stanza) {
	t.Helper()
	for _, tt := range asked {
		if tt.name == name {
			s := must(Encode("a7", tt.in))
			return must(Read(alice, 7, s, nil)), s
		}
	}
	t.Fatalf("nothing asked by the name %q", name)
	return Query{}, nil
}

func condition(s stanza.Stanza) string {
	switch s := s.(type) {
	case *stanza.Ack:
		return fmt.Sprintf("%d %s", int(s.Error), s.Reason)
	case *stanza.IQ:
		if s.Error != nil {
			return fmt.Sprintf("%d %s", int(s.Error.Code), s.Error.Text)
		}
	}
	return "none"
}

// TestRefusals: an error of the provider is told in words only if it is a refusal.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want stanza.Error
	}{
		{"refusal", &follower.Refusal{Status: 403, Reason: "not you"}, stanza.Error{Code: stanza.Forbidden, Text: "not you"}},
		{"refusal for a time", &follower.Refusal{Status: 429, Reason: "slow", After: 1500 * time.Millisecond}, stanza.Error{Code: stanza.RateOverlimit, Text: "slow", After: 2}},
		{"refusal with control characters", &follower.Refusal{Status: 404, Reason: "no \x1b[2J\xff"}, stanza.Error{Code: stanza.ItemNotFound, Text: "no ?[2J\ufffd"}},
		{"long refusal", &follower.Refusal{Status: 400, Reason: strings.Repeat("x", 4097)}, stanza.Error{Code: stanza.BadRequest, Text: strings.Repeat("x", 512)}},
		{"unknown 4xx", &follower.Refusal{Status: 422, Reason: "x"}, stanza.Error{Code: stanza.NotAcceptable, Text: "x"}},
		{"unknown 5xx", &follower.Refusal{Status: 599, Reason: "x"}, stanza.Error{Code: stanza.InternalServerError, Text: "x"}},
		{"no answer in time", fmt.Errorf("b.example: %w", context.DeadlineExceeded), stanza.Error{Code: stanza.RemoteTimeout, Text: "remote-server-timeout"}},
		{"an error of the provider's own", errors.New("disk /dev/sda1 is full"), stanza.Error{Code: stanza.InternalServerError, Text: "internal-server-error"}},
		{"as it was said", &stanza.Error{Code: stanza.Locked, Text: "x"}, stanza.Error{Code: stanza.Locked, Text: "x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"commit", "submit"} {
				q, s := query(t, name)
				a, err := q.Answer(nil, tt.err)
				if err != nil {
					t.Fatal(err)
				}
				_, err = ReadAnswer(s, carried(t, a))
				var got *stanza.Error
				if !errors.As(err, &got) || got.Code != tt.want.Code {
					t.Fatalf("%s: %v, want %v", name, err, &tt.want)
				}
				if name == "commit" && *got != tt.want {
					t.Errorf("%+v, want %+v", got, &tt.want)
				}
			}
		})
	}
}

// TestReadRefused: a stanza that is no request, or whose bytes are not what they should
// be, is refused by name, and can still be answered.
func TestReadRefused(t *testing.T) {
	t.Parallel()
	set := func(p stanza.Payload) stanza.Stanza {
		return &stanza.IQ{ID: "1", Type: stanza.Set, Payload: p}
	}
	enc := func(e ...stanza.Enc) stanza.Stanza {
		return &stanza.Message{ID: "1", Type: stanza.RoomMessage, Room: clubhouse, Sender: uri("mimi://a.example/u/alice"), Enc: e}
	}
	for _, tt := range []struct {
		name, want string // want is the part
		code       stanza.Code
		s          stanza.Stanza
	}{
		{"garbage", "enc", stanza.BadRequest, enc(stanza.Enc{Type: "mls", Version: 1, Payload: []byte("x")})},
		{"trailing bytes", "enc", stanza.BadRequest, enc(stanza.Enc{Type: "mls", Version: 1, Payload: []byte(samplePrivate + "x")})},
		{"a proposal as a message", "enc", stanza.BadRequest, enc(stanza.Enc{Type: "mls", Version: 1, Payload: []byte(sampleProposal)})},
		{"another protocol", "message", stanza.BadRequest, enc(stanza.Enc{Type: "msg", Version: 1, Payload: []byte(samplePrivate)})},
		{"another version", "message", stanza.BadRequest, enc(stanza.Enc{Type: "mls", Version: 2, Payload: []byte(samplePrivate)})},
		{"two payloads", "message", stanza.BadRequest, enc(make([]stanza.Enc, 2)...)},
		{"no sender", "message", stanza.BadRequest, &stanza.Message{ID: "1", Room: clubhouse, Enc: []stanza.Enc{{Type: "mls", Version: 1, Payload: []byte(samplePrivate)}}}},
		{"a commit without GroupInfo", "group-info", stanza.BadRequest, set(&stanza.Update{Room: clubhouse, Commit: []byte(sampleCommit)})},
		{"a proposal as a commit", "commit", stanza.BadRequest, set(&stanza.Update{Room: clubhouse, Commit: []byte(sampleProposal), GroupInfo: []byte("\x01" + sampleGroupInfo), RatchetTree: []byte("\x04")})},
		{"a commit as a proposal", "proposal", stanza.BadRequest, set(&stanza.Update{Room: clubhouse, Proposals: [][]byte{[]byte(sampleCommit)}})},
		{"a commit beside proposals", "update", stanza.BadRequest, set(&stanza.Update{Room: clubhouse, Commit: []byte(sampleCommit), Proposals: [][]byte{[]byte(sampleProposal)}})},
		{"a commit as a welcome", "welcome", stanza.BadRequest, set(&stanza.Update{Room: clubhouse, Commit: []byte(sampleCommit), Welcome: []byte(sampleCommit), GroupInfo: []byte("\x01" + sampleGroupInfo), RatchetTree: []byte("\x04")})},
		{"no GroupInfo", "group-info", stanza.BadRequest, set(&stanza.Create{Room: clubhouse, GroupInfo: []byte("x")})},
		{"no KeyPackage", "key-package", stanza.BadRequest, set(&stanza.KeyPackages{List: [][]byte{[]byte("x")}})},
		{"no ConsentEntry", "consent", stanza.BadRequest, set(&stanza.Body{Tag: stanza.ConsentBody, Data: []byte("x")})},
		{"another namespace", "iq", stanza.FeatureNotImplemented, set(&stanza.Block{})},
		{"a second login", "iq", stanza.FeatureNotImplemented, set(&stanza.Login{Client: alice})},
		{"no payload", "iq", stanza.FeatureNotImplemented, set(nil)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q, err := Read(alice, 7, tt.s, nil)
			var part *Error
			if !errors.As(err, &part) || part.Part != tt.want {
				t.Fatalf("error %v, want one about %s", err, tt.want)
			}
			if q.Input != nil {
				t.Errorf("input %+v, want none", q.Input)
			}
			if a, err := q.Answer(nil, err); err != nil || !strings.HasPrefix(condition(a), fmt.Sprint(int(tt.code))) {
				t.Errorf("answered %s, %v, want %d", condition(a), err, int(tt.code))
			}
		})
	}
	for _, s := range []stanza.Stanza{
		&stanza.IQ{ID: "1", Type: stanza.Result}, &stanza.Ack{Class: stanza.AckMessage, ID: "1"}, &stanza.Receipt{ID: "1"}, &stanza.IB{},
	} {
		if q, err := Read(alice, 7, s, nil); err == nil || q.Answered() {
			t.Errorf("%T: %v, answered %v; want an error that is not answered", s, err, q.Answered())
		}
	}
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	for _, tt := range delivered {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := Deliver(tt.d, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := ReadDelivery(alice, carried(t, s), nil)
			if err != nil || !ok || !reflect.DeepEqual(got, tt.d) {
				t.Errorf("%+v, %v, %v\nwant %+v", got, ok, err, tt.d)
			}
		})
	}
}

func TestDeliverRefused(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]follower.Delivery{
		"garbage":                 {Room: clubhouse, Seq: 1, Body: []byte("x")},
		"two messages":            {Room: clubhouse, Seq: 1, Body: []byte(strings.Repeat(sampleTime+samplePrivate+"\x00", 2))},
		"application in mailbox":  {About: clubhouse, Seq: 1, Body: []byte(sampleTime + samplePrivate + "\x00")},
		"no ConsentEntry, in box": {Seq: 1, Body: []byte("x")},
	} {
		if s, err := Deliver(d, nil); err == nil {
			t.Errorf("%s: delivered %+v, want an error", name, s)
		}
	}
	for name, s := range map[string]stanza.Stanza{
		"no accepted": &stanza.Message{Room: clubhouse, Seq: 1, Enc: []stanza.Enc{{Type: "mls", Version: 1, Payload: []byte(samplePrivate)}}},
		"garbage":     &stanza.Notification{Seq: 1, Event: &stanza.Body{Tag: stanza.ConsentBody, Data: []byte("x")}},
		"other kind":  &stanza.Notification{Room: clubhouse, Seq: 1, Event: &stanza.Update{Commit: []byte(sampleProposal)}},
		"no room":     &stanza.Notification{Seq: 1, Event: &stanza.Update{Welcome: []byte("\x00\x01\x00\x03" + sampleWelcome), RatchetTree: []byte("\x04")}},
		"no welcome":  &stanza.Notification{Seq: 1, Event: &stanza.Update{Room: clubhouse, Welcome: []byte(sampleCommit), RatchetTree: []byte("\x04")}},
	} {
		if d, ok, err := ReadDelivery(alice, s, nil); err == nil || ok {
			t.Errorf("%s: %+v, %v, %v; want an error", name, d, ok, err)
		}
	}
	for name, s := range map[string]stanza.Stanza{
		"other message":      &stanza.Message{Type: stanza.TextMessage},
		"other notification": &stanza.Notification{Event: stanza.IdentityChange{}},
		"unknown event":      &stanza.Notification{Seq: 9},
		"receipt":            &stanza.Receipt{},
	} {
		if d, ok, err := ReadDelivery(alice, s, nil); err != nil || ok {
			t.Errorf("%s: %+v, %v, %v; want nothing and no error", name, d, ok, err)
		}
	}
}

var xmlBlock = regexp.MustCompile("(?s)```xml\n(.*?)\n```\n")

// TestSchema: each example of schema.md about rooms is a request, an answer or a
// delivery with bytes of MIMI that can be read; all kinds of them are there.
func TestSchema(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../protocols/stanza/schema.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "\n## Rooms of MIMI\n")
	if !ok {
		t.Fatal("no section \"Rooms of MIMI\"")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var queries []Query
	seen := map[string]bool{}
	for _, block := range xmlBlock.FindAllStringSubmatch(text, -1) {
		s, err := stanza.Parse(must(stanza.ParseXML([]byte(block[1]))))
		if err != nil {
			t.Fatalf("%v\n%s", err, block[1])
		}
		kind, err := kindOf(s, &queries)
		if err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
		seen[kind] = true
	}
	for _, want := range []string{
		"login", "caught up", "end", "answer", "refusal", "follower.Ack", "*chat.Create", "follower.Leave", "follower.Publish", "chat.CountKeyPackages",
		"keyMaterial", "update", "submitMessage", "groupInfo", "requestConsent", "updateConsent", "identifierQuery", "reportAbuse",
		"*stanza.Message delivered", "*stanza.Update delivered", "*stanza.Body delivered",
	} {
		if !seen[want] {
			t.Errorf("no example of %s", want)
		}
	}
}

// kindOf says what an example is. queries are those of the examples before.
func kindOf(s stanza.Stanza, queries *[]Query) (string, error) {
	if ib, ok := s.(*stanza.IB); ok && ib.Error != nil {
		return "end", nil
	} else if ok && ib.Offline != nil {
		return "caught up", nil
	}
	if _, ok, err := ReadDelivery(alice, s, nil); ok || err != nil {
		if n, is := s.(*stanza.Notification); is {
			return fmt.Sprintf("%T delivered", n.Event), err
		}
		return fmt.Sprintf("%T delivered", s), err
	}
	if iq, ok := s.(*stanza.IQ); ok {
		if _, ok := iq.Payload.(*stanza.Login); ok {
			return "login", nil
		}
	}
	q, err := Read(alice, 7, s, nil)
	if err == nil {
		*queries = append(*queries, q)
		if c, ok := q.Input.(follower.Call); ok {
			return string(c.Endpoint), nil
		}
		return fmt.Sprintf("%T", q.Input), nil
	}
	id := map[bool]string{}
	switch s := s.(type) {
	case *stanza.Ack:
		id[true] = s.ID
	case *stanza.IQ:
		id[false] = s.ID
	}
	i := slices.IndexFunc(*queries, func(q Query) bool { return q.id == id[q.message] })
	if i < 0 {
		return "", fmt.Errorf("neither a request (%w) nor the answer to one before", err)
	}
	q = (*queries)[i]
	var ask stanza.Stanza = &stanza.IQ{ID: q.id, Payload: &stanza.Body{Tag: q.payload}}
	if q.message {
		ask = &stanza.Message{ID: q.id}
	} else if _, counts := q.Input.(CountKeyPackages); counts {
		ask = must(Encode(q.id, q.Input))
	}
	if _, err := ReadAnswer(ask, s); err != nil {
		var no *stanza.Error
		if errors.As(err, &no) {
			return "refusal", nil
		}
		return "", err
	}
	return "answer", nil
}
