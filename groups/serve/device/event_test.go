package device

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// samples are events of all types.
func samples() []member.Event {
	alice, bob := uri("mimi://a.example/u/alice"), uri("mimi://b.example/u/bob")
	at := time.UnixMilli(1_777_118_400_123).UTC()
	frank := &mimi.Frank{ServerFrank: [32]byte{1, 2}, FrankingSignatureCiphersuite: suite.X25519AES128GCMSHA256Ed25519, FrankingIntegritySignature: []byte{3}}
	message := must(content.New(must(newSuite()), alice.String(), clubhouse.String(), content.Text("hello")))
	message = must(content.Parse(must(message.Marshal()))) // as it comes
	entry := &mimi.ConsentEntry{ConsentOperation: mimi.ConsentRequest, RequesterURI: mimi.URI(bob), TargetURI: mimi.URI(alice)}
	return []member.Event{
		member.Joined{ID: 1, Room: clubhouse, Epoch: 2, By: bob},
		member.Joined{Room: clubhouse},
		member.Message{
			Room: clubhouse, Sender: alice, SenderClient: uri("mimi://a.example/d/alice/A1"), ID: content.MessageID{1, 2}, Content: message,
			Accepted: at, Late: true, Evidence: &mimi.AbusiveMessage{MessageContent: []byte("x"), Frank: *frank, AcceptedTimestamp: 7},
		},
		member.Message{Room: clubhouse, Data: []byte("no content")},
		member.Sent{ID: 3, Room: clubhouse, Message: content.MessageID{1}, Accepted: at, Frank: frank},
		member.Sent{ID: 4, Room: clubhouse},
		member.RoomChanged{ID: 5, Room: clubhouse, Epoch: 6, By: alice, ByClient: uri("mimi://a.example/d/alice/A1"), Changes: []member.Change{
			{Kind: member.UserAdded, User: bob, Role: 2}, {Kind: member.ComponentChanged, Component: 9},
		}},
		member.Proposed{Room: clubhouse, By: bob, Changes: []member.Change{{Kind: member.UserRemoved, User: bob}}},
		member.Leaving{ID: 7, Room: clubhouse},
		member.Removed{Room: clubhouse, By: alice},
		member.Done{ID: 8},
		member.Failed{ID: 9, Room: clubhouse, What: "send", Unknown: true},
		member.Stalled{ID: 10, Room: clubhouse, What: "commit"},
		member.Refused{Room: clubhouse, What: "commit"},
		member.Gap{Room: clubhouse, From: 1, To: 2, Epoch: 3},
		member.ConsentChanged{Entry: must(mimi.ParseConsentEntry(marshal(entry)))},
		member.Found{ID: 11, Response: must(mimi.ParseIdentifierResponse(marshal(&mimi.IdentifierResponse{URI: []mimi.IdentifierURI{mimi.URI(bob)}})))},
	}
}

// TestEvents: what is kept of an event is all of it.
func TestEvents(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_777_118_400, 5).UTC()
	kept := make(map[string]bool)
	for i, e := range samples() {
		kept[reflect.TypeOf(e).Name()] = true
		got, err := parseEvent(uint64(i), must(marshalEvent(at, e)))
		if want := (Event{N: uint64(i), At: at, Event: e}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	for _, name := range eventTypes(t) {
		if !kept[name] {
			t.Errorf("no sample of member.%s", name)
		}
	}
}

// eventTypes are the names of all types of package member with the method that makes them
// a member.Event, read in its source: one that a device can't write would stop it.
func eventTypes(t *testing.T) (names []string) {
	t.Helper()
	const source = "../../member/output.go"
	f, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		m, ok := d.(*ast.FuncDecl)
		if !ok || m.Recv == nil || m.Name.Name != "event" {
			continue
		}
		if of, ok := m.Recv.List[0].Type.(*ast.Ident); ok {
			names = append(names, of.Name)
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s has no events", source)
	}
	return names
}

// TestErrors: an error that was kept says the same, and is what it was to errors.Is and
// errors.As.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		nil,
		errors.New("something"),
		fmt.Errorf("room: %w", member.ErrRetries),
		member.ErrNoAnswer,
		&member.Error{Code: mimi.UserNoConsent, Text: "ask first"},
		fmt.Errorf("adding: %w", &member.Error{Code: mimi.SubmitNotAllowed}),
		&follower.Refusal{Status: 404, Reason: "no room"},
	} {
		got := parsedError(t, err)
		if err == nil {
			if got != nil {
				t.Errorf("got %v, want no error", got)
			}
			continue
		}
		if got.Error() != err.Error() {
			t.Errorf("got %v, want %v", got, err)
		}
		for _, is := range []error{member.ErrRetries, member.ErrNoAnswer} {
			if errors.Is(got, is) != errors.Is(err, is) {
				t.Errorf("%v: errors.Is(%v) is %t, want %t", err, is, errors.Is(got, is), errors.Is(err, is))
			}
		}
		var a, b *member.Error
		if errors.As(err, &a) && (!errors.As(got, &b) || a.Code.String() != b.Code.String() || a.Text != b.Text) {
			t.Errorf("%v: got %+v, want %+v", err, b, a)
		}
		var r, s *follower.Refusal
		if errors.As(err, &r) && (!errors.As(got, &s) || *r != *s) {
			t.Errorf("%v: got %+v, want %+v", err, s, r)
		}
	}
}

func parsedError(t *testing.T, why error) error {
	t.Helper()
	e, err := parseEvent(1, must(marshalEvent(time.Now(), member.Refused{Why: why})))
	if err != nil {
		t.Fatal(err)
	}
	return e.Event.(member.Refused).Why
}

// FuzzRecords: no record makes a device panic, and an event that can be read can be
// written.
func FuzzRecords(f *testing.F) {
	for _, e := range samples() {
		f.Add(must(marshalEvent(time.Unix(1, 0), e)))
	}
	f.Add([]byte(`{"kind":"room changed","changes":[]}`))
	f.Add([]byte(`{"kind":"message","data":""}`))
	f.Add([]byte(`{"publish":["AAE="],"leave":"mimi://a.example/r/clubhouse","seq":3}`))
	f.Add([]byte(`{"credential":"AAE=","suite":1,"private":"","public":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := parseEvent(1, b); err == nil {
			again, err := marshalEvent(e.At, e.Event)
			if err != nil {
				t.Fatalf("%+v: %v", e, err)
			}
			if twice, err := parseEvent(1, again); err != nil || !reflect.DeepEqual(twice, e) {
				t.Fatalf("%+v is read again as %+v, %v", e, twice, err)
			}
		}
		if e, err := parseErrand(1, b); err == nil {
			_ = e.input()
		}
		_, _ = parseIdentity(b)
	})
}
