package serve

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// bodies are the structs that the endpoints' bodies are, by their names in the draft.
var bodies = map[string]reflect.Type{
	"KeyMaterialRequest":    reflect.TypeFor[mimi.KeyMaterialRequest](),
	"KeyMaterialResponse":   reflect.TypeFor[mimi.KeyMaterialResponse](),
	"UpdateRequest":         reflect.TypeFor[mimi.UpdateRequest](),
	"UpdateRoomResponse":    reflect.TypeFor[mimi.UpdateRoomResponse](),
	"SubmitMessageRequest":  reflect.TypeFor[mimi.SubmitMessageRequest](),
	"SubmitMessageResponse": reflect.TypeFor[mimi.SubmitMessageResponse](),
	"FanoutMessage":         reflect.TypeFor[mimi.FanoutMessage](),
	"GroupInfoRequest":      reflect.TypeFor[mimi.GroupInfoRequest](),
	"GroupInfoResponse":     reflect.TypeFor[mimi.GroupInfoResponse](),
	"ConsentEntry":          reflect.TypeFor[mimi.ConsentEntry](),
	"IdentifierRequest":     reflect.TypeFor[mimi.IdentifierRequest](),
	"IdentifierResponse":    reflect.TypeFor[mimi.IdentifierResponse](),
	"AbuseReport":           reflect.TypeFor[mimi.AbuseReport](),
}

var groupInfoOption = reflect.TypeFor[mimi.GroupInfoOption]()

// isEnum reports whether a type is an enum of the draft: a byte of package mimi with
// names.
func isEnum(t reflect.Type) bool {
	return t.Kind() == reflect.Uint8 && t.PkgPath() == reflect.TypeFor[mimi.ConsentEntry]().PkgPath() && t.Implements(reflect.TypeFor[fmt.Stringer]())
}

// codesIn returns all values that the enums in a type can have, as "Enum/name".
func codesIn(t reflect.Type, seen map[reflect.Type]bool, out map[string]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	if isEnum(t) {
		for v := range 256 {
			code := reflect.New(t).Elem()
			code.SetUint(uint64(v))
			if name := codeName(code); !strings.Contains(name, "/0x") {
				out[name] = true
			}
		}
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		if t == groupInfoOption { // which has no field for it
			codesIn(reflect.TypeFor[mimi.GroupInfoRepresentation](), seen, out)
		}
		for i := range t.NumField() {
			codesIn(t.Field(i).Type, seen, out)
		}
	case reflect.Pointer, reflect.Slice, reflect.Array:
		codesIn(t.Elem(), seen, out)
	}
}

func codeName(v reflect.Value) string {
	return v.Type().Name() + "/" + v.Interface().(fmt.Stringer).String()
}

// noteCodes notes the values that the enums of a body have.
func noteCodes(v reflect.Value, out map[string]bool) {
	switch {
	case isEnum(v.Type()):
		out[codeName(v)] = true
	case v.Kind() == reflect.Struct:
		if v.Type() == groupInfoOption {
			o := v.Interface().(mimi.GroupInfoOption)
			out["GroupInfoRepresentation/full"] = out["GroupInfoRepresentation/full"] || o.Full != nil
			out["GroupInfoRepresentation/partial"] = out["GroupInfoRepresentation/partial"] || o.Partial != nil
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				noteCodes(v.Field(i), out)
			}
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		noteCodes(v.Elem(), out)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			noteCodes(v.Index(i), out)
		}
	}
}

// codeWorld is a hub with a room, asked by a peer.
type codeWorld struct {
	*world
	a1, b1 *device
	codes  map[string]bool // in what was answered with success, and the answers
}

func newCodeWorld(t *testing.T, change func(*Config)) *codeWorld {
	w := &codeWorld{world: newWorld(t, change, "a.example", "b.example")}
	w.a1, w.b1 = w.device("alice/A1"), w.device("bob/B1")
	w.check(w.a1.create())
	w.check(w.a1.add(w.b1.user))
	w.b1.until(1)
	return w
}

// post has b.example make a request of a.example and notes the codes.
func (w *codeWorld) post(name mimi.EndpointName, value string, m wire.Marshaler) *httptest.ResponseRecorder {
	w.Helper()
	return w.postBytes(name, value, must(wire.Marshal(m)))
}

func (w *codeWorld) postBytes(name mimi.EndpointName, value string, body []byte) *httptest.ResponseRecorder {
	w.Helper()
	e, _ := mimi.FindEndpoint(name)
	rec := w.askBytes("a.example", "b.example", name, value, body)
	if rec.Code != e.Success[0] {
		w.Errorf("%s: got %d %s, want %d", name, rec.Code, rec.Body, e.Success[0])
		return rec
	}
	if in, err := e.ParseRequest(body, nil); err == nil {
		noteCodes(reflect.ValueOf(in), w.codes)
	}
	if e.Response != "" {
		noteCodes(reflect.ValueOf(must(e.ParseResponse(rec.Body.Bytes(), nil))), w.codes)
	}
	return rec
}

func (w *codeWorld) claim(change func(*mimi.KeyMaterialRequest)) {
	w.post(mimi.EndpointKeyMaterial, w.a1.user.String(), w.b1.asking(w.a1.user, "", change))
}

func (w *codeWorld) update(m *mimi.UpdateRequest) {
	w.post(mimi.EndpointUpdate, clubhouse.String(), m)
}

func (w *codeWorld) find(q ...mimi.QueryElement) {
	w.post(mimi.EndpointIdentifierQuery, "a.example", &mimi.IdentifierRequest{QueryElements: q})
}

func (w *codeWorld) revoke(room *mimi.IdentifierURI) {
	_, err := w.a1.conn.Call(w.ctx, follower.Call{Endpoint: mimi.EndpointUpdateConsent, Body: &mimi.ConsentEntry{
		ConsentOperation: mimi.ConsentRevoke, RequesterURI: mimi.URI(w.b1.user), TargetURI: mimi.URI(w.a1.user), RoomID: room,
	}})
	w.check(err)
}

// withTree returns a Commit whose ratchet tree is conveyed in some way.
func (w *codeWorld) withTree(o mimi.RatchetTreeOption) *mimi.UpdateRequest {
	m := w.b1.committing()
	m.Bundle.RatchetTreeOption = o
	return m
}

// withPart returns a Commit with a part of its GroupInfo.
func (w *codeWorld) withPart(p mimi.RatchetTreePresence) *mimi.UpdateRequest {
	m := w.b1.committing()
	full := m.Bundle.GroupInfoOption.Full
	m.Bundle.GroupInfoOption = mimi.GroupInfoOption{Partial: &mimi.PartialGroupInfo{
		RatchetTreePresence: p, GroupInfoExtensions: full.Extensions, Signature: full.Signature,
	}}
	return m
}

var (
	searchable = follower.Profile{Fields: []follower.Field{
		{Type: mimi.SearchHandle, Value: "im:alice@a.example", Searchable: true, Inexact: true},
		{Type: mimi.SearchNick, Value: "alice", Searchable: true},
		{Type: mimi.SearchEmail, Value: "alice@a.example", Searchable: true},
		{Type: mimi.SearchPhone, Value: "+12125551212", Searchable: true},
		{Type: mimi.SearchOIDCStdClaim, Name: "name", Value: "Alice", Searchable: true, Inexact: true},
		{Type: mimi.SearchVCardField, Name: "ORG", Value: "Example", Searchable: true},
	}}
	byName = mimi.QueryElement{SearchType: mimi.SearchOIDCStdClaim, ClaimName: "name", SearchValue: "Alice"}
)

func search(t mimi.SearchIdentifierType, value string) func(*codeWorld) {
	return func(w *codeWorld) { w.find(mimi.QueryElement{SearchType: t, SearchValue: value}) }
}

func conveyed(o mimi.RatchetTreeOption) func(*codeWorld) {
	return func(w *codeWorld) { w.update(w.withTree(o)) }
}

func partial(p mimi.RatchetTreePresence) func(*codeWorld) {
	return func(w *codeWorld) { w.update(w.withPart(p)) }
}

func consents(name mimi.EndpointName, op mimi.ConsentOperation) func(*codeWorld) {
	return func(w *codeWorld) {
		e := &mimi.ConsentEntry{ConsentOperation: op, RequesterURI: mimi.URI(w.b1.user), TargetURI: mimi.URI(w.a1.user)}
		if name == mimi.EndpointUpdateConsent {
			e.RequesterURI, e.TargetURI = e.TargetURI, e.RequesterURI
		}
		w.post(name, "a.example", e)
	}
}

// scenarios are what makes a provider answer with a code, or take one.
var scenarios = []struct {
	code   string // Enum/name
	change func(*Config)
	play   func(*codeWorld)
}{
	{"KeyMaterialUserCode/success", nil, func(w *codeWorld) { w.claim(nil) }},
	{"KeyMaterialUserCode/partialSuccess", nil, func(w *codeWorld) {
		w.check(w.providers["a.example"].AddClient(w.ctx, uri("mimi://a.example/d/alice/A2")))
		w.claim(nil)
	}},
	{"KeyMaterialUserCode/incompatibleProtocol", nil, func(w *codeWorld) {
		body := must(wire.Marshal(w.b1.asking(w.a1.user, "", nil)))
		body[0] = 2
		w.postBytes(mimi.EndpointKeyMaterial, w.a1.user.String(), body)
	}},
	{"KeyMaterialUserCode/noCompatibleMaterial", nil, func(w *codeWorld) { w.claim(nil); w.claim(nil) }},
	{"KeyMaterialUserCode/userUnknown", nil, func(w *codeWorld) {
		nobody := uri("mimi://a.example/u/nobody")
		w.post(mimi.EndpointKeyMaterial, nobody.String(), w.b1.asking(nobody, "", nil))
	}},
	{"KeyMaterialUserCode/noConsent", nil, func(w *codeWorld) { w.revoke(nil); w.claim(nil) }},
	{"KeyMaterialUserCode/noConsentForThisRoom", nil, func(w *codeWorld) {
		here := mimi.URI(lounge)
		w.revoke(&here)
		w.claim(func(r *mimi.KeyMaterialRequest) { r.RoomID = here })
	}},
	{"KeyMaterialUserCode/userDeleted", nil, func(w *codeWorld) {
		w.check(w.providers["a.example"].RemoveUser(w.ctx, w.a1.user))
		w.claim(nil)
	}},
	{"KeyMaterialClientCode/success", nil, func(w *codeWorld) { w.claim(nil) }},
	{"KeyMaterialClientCode/keyMaterialExhausted", nil, func(w *codeWorld) { w.claim(nil); w.claim(nil) }},
	{"KeyMaterialClientCode/nothingCompatible", nil, func(w *codeWorld) {
		w.claim(func(r *mimi.KeyMaterialRequest) {
			r.AcceptableCiphersuites = []suite.ID{suiteID, 7}
			r.RequiredCapabilities.Proposals = []message.ProposalType{0x7a7a}
		})
	}},

	{"UpdateResponseCode/success", nil, func(w *codeWorld) { w.update(w.b1.committing()) }},
	{"UpdateResponseCode/wrongEpoch", nil, func(w *codeWorld) { late := w.b1.committing(); w.check(w.a1.commit()); w.update(late) }},
	{"UpdateResponseCode/notAllowed", nil, func(w *codeWorld) {
		w.update(w.b1.committing(w.b1.participants([]room.UserRolePair{{User: w.b1.user.String(), Role: roleAdmin}}, nil, nil)))
	}},
	{"UpdateResponseCode/invalidProposal", nil, func(w *codeWorld) {
		w.b1.proposing(mls.RemoveProposal(w.a1.group.OwnLeaf())) // which the hub never gets
		w.update(w.b1.committing())
	}},

	{"GroupInfoRepresentation/full", nil, func(w *codeWorld) { w.update(w.b1.committing()) }},
	{"GroupInfoRepresentation/partial", nil, partial(mimi.NoRatchetTree)},
	{"RatchetTreePresence/no_ratchet_tree", nil, partial(mimi.NoRatchetTree)},
	{"RatchetTreePresence/present", nil, partial(mimi.RatchetTreePresent)}, // is notAllowed (deviation 31)
	{"RatchetTreePresence/removed", nil, partial(mimi.RatchetTreeRemoved)},
	{"RatchetTreePresence/added", nil, partial(mimi.RatchetTreeAdded)}, // is notAllowed (deviation 31)
	{"RatchetTreeRepresentation/full", nil, func(w *codeWorld) { w.update(w.b1.committing()) }},
	{"RatchetTreeRepresentation/httpsUri", nil, conveyed(mimi.RatchetTreeOption{Representation: mimi.TreeHTTPSURI, RatchetTreeURL: "https://b.example/tree"})},
	{"RatchetTreeRepresentation/outOfBand", nil, conveyed(mimi.RatchetTreeOption{Representation: mimi.TreeOutOfBand})},
	{"RatchetTreeRepresentation/distributionService", nil, conveyed(mimi.RatchetTreeOption{Representation: mimi.TreeDistributionService})},

	{"SubmitResponseCode/accepted", nil, func(w *codeWorld) {
		w.post(mimi.EndpointSubmitMessage, clubhouse.String(), w.b1.newMessage("hello"))
	}},
	{"SubmitResponseCode/notAllowed", nil, func(w *codeWorld) {
		m := w.b1.newMessage("hello")
		m.SendingURI = "mimi://b.example/u/bella"
		w.post(mimi.EndpointSubmitMessage, clubhouse.String(), m)
	}},
	{"SubmitResponseCode/epochTooOld", func(c *Config) { c.Hub.EpochTolerance = 0 }, func(w *codeWorld) {
		m := w.b1.newMessage("hello")
		w.check(w.a1.commit())
		w.post(mimi.EndpointSubmitMessage, clubhouse.String(), m)
	}},

	{"GroupInfoCode/success", nil, func(w *codeWorld) {
		req, _ := w.b1.joining(nil)
		w.post(mimi.EndpointGroupInfo, clubhouse.String(), req)
	}},
	{"GroupInfoCode/notAuthorized", nil, func(w *codeWorld) {
		req, _ := w.b1.joining(func(r *mimi.GroupInfoRequest) {
			r.RequestingCredential = message.BasicCredential([]byte("mimi://b.example/d/bella/B1"))
		})
		w.post(mimi.EndpointGroupInfo, clubhouse.String(), req)
	}},
	{"GroupInfoCode/noSuchRoom", nil, func(w *codeWorld) {
		req, _ := w.b1.joining(nil)
		w.post(mimi.EndpointGroupInfo, "mimi://a.example/r/none", req)
	}},

	{"ConsentOperation/cancel", nil, consents(mimi.EndpointRequestConsent, mimi.ConsentCancel)},
	{"ConsentOperation/request", nil, consents(mimi.EndpointRequestConsent, mimi.ConsentRequest)},
	{"ConsentOperation/grant", nil, consents(mimi.EndpointUpdateConsent, mimi.ConsentGrant)},
	{"ConsentOperation/revoke", nil, consents(mimi.EndpointUpdateConsent, mimi.ConsentRevoke)},

	{"SearchIdentifierType/handle", nil, search(mimi.SearchHandle, "im:alice@a.example")},
	{"SearchIdentifierType/nick", nil, search(mimi.SearchNick, "alice")},
	{"SearchIdentifierType/email", nil, search(mimi.SearchEmail, "alice@a.example")},
	{"SearchIdentifierType/phone", nil, search(mimi.SearchPhone, "+12125551212")},
	{"SearchIdentifierType/partialName", nil, search(mimi.SearchPartialName, "lic")},
	{"SearchIdentifierType/wholeProfile", nil, search(mimi.SearchWholeProfile, "a.example")},
	{"SearchIdentifierType/oidcStdClaim", nil, func(w *codeWorld) { w.find(byName) }},
	{"SearchIdentifierType/vcardField", nil, func(w *codeWorld) {
		w.find(mimi.QueryElement{SearchType: mimi.SearchVCardField, PropertyName: "ORG", SearchValue: "Example"})
	}},
	{"IdentifierQueryCode/success", nil, func(w *codeWorld) { w.find(byName) }},
	{"IdentifierQueryCode/notFound", nil, search(mimi.SearchNick, "nobody")},
	{"IdentifierQueryCode/ambiguous", func(c *Config) { c.Follower.Limits.Matches = 1 }, func(w *codeWorld) {
		w.check(w.providers["a.example"].AddUser(w.ctx, uri("mimi://a.example/u/alicia"), searchable))
		w.find(mimi.QueryElement{SearchType: mimi.SearchPartialName, SearchValue: "lic"})
	}},
	{"IdentifierQueryCode/forbidden", func(c *Config) { c.Follower.NoQueries = true }, func(w *codeWorld) { w.find(byName) }},
	{"IdentifierQueryCode/unsupportedField", nil, func(w *codeWorld) {
		w.find(mimi.QueryElement{SearchType: mimi.SearchOIDCStdClaim, ClaimName: "shoe_size", SearchValue: "43"})
	}},
	{"FieldSource/oidcStdClaim", nil, func(w *codeWorld) { w.find(byName) }},
	{"FieldSource/vcardField", nil, func(w *codeWorld) { w.find(byName) }},

	{"AbuseType/reserved", nil, func(w *codeWorld) {
		m := must(content.New(w.b1.cfg.Suite, w.a1.user.String(), clubhouse.String(), content.Text("insult")))
		w.post(mimi.EndpointReportAbuse, clubhouse.String(), &mimi.AbuseReport{AllegedAbuserURI: mimi.URI(w.a1.user), Messages: []mimi.AbusiveMessage{{
			MessageContent: must(m.Marshal()), Frank: mimi.Frank{FrankingSignatureCiphersuite: suiteID},
		}}})
	}},
}

// byDesign are the codes that a provider never answers with, and never takes, and why.
// There are none: what is taken and refused by another code counts.
var byDesign = map[string]string{}

// TestEveryCode holds that each code of the draft that is in the body of a request or of
// a response is reached over the handler of a provider, or is known not to be. A code
// that package mimi gets has to get a scenario.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	all := make(map[string]bool)
	for _, e := range mimi.Endpoints {
		for _, body := range []string{e.Request, e.Response} {
			if body == "" {
				continue
			}
			if bodies[body] == nil {
				t.Errorf("%s: the body %s is missing here", e.Name, body)
				continue
			}
			codesIn(bodies[body], make(map[reflect.Type]bool), all)
		}
	}
	if len(all) < 50 {
		t.Errorf("%d codes in all bodies, want those of the draft", len(all))
	}
	reached := make(map[string]bool)
	for _, s := range scenarios {
		if !all[s.code] || reached[s.code] || byDesign[s.code] != "" {
			t.Errorf("%s is no code of a body, or is there twice", s.code)
		}
		reached[s.code] = true
	}
	for _, c := range slices.Sorted(maps.Keys(all)) {
		if !reached[c] && byDesign[c] == "" {
			t.Errorf("%s is reached by no scenario", c)
		}
	}
	for _, s := range scenarios {
		t.Run(s.code, func(t *testing.T) {
			t.Parallel()
			w := newCodeWorld(t, s.change)
			w.codes = make(map[string]bool)
			w.check(w.providers["a.example"].AddUser(w.ctx, w.a1.user, searchable))
			s.play(w)
			if !w.codes[s.code] {
				t.Errorf("reached %v", slices.Sorted(maps.Keys(w.codes)))
			}
			for c := range w.codes {
				if byDesign[c] != "" {
					t.Errorf("reached %s, although: %s", c, byDesign[c])
				}
			}
		})
	}
}

// TestEveryStatus holds that each status code of deviation 26 is answered, but for the
// one that says that the provider is wrong.
func TestEveryStatus(t *testing.T) {
	t.Parallel()
	w := newCodeWorld(t, func(c *Config) { c.Limits.Body = 1 << 16; c.Limits.PeerRequests, c.Limits.Requests = 1, 2 })
	s := w.providers["a.example"].handler
	ask := func(change func(*peerAsk)) int {
		in := peerAsk{"POST", pathOf(mimi.EndpointNotify, lounge.String()), "a.example", "b.example", nil}
		if change != nil {
			change(&in)
		}
		r := peerRequest(w.certificate("b.example"), in.method, in.path, in.body)
		r.Host = in.host
		r.Header.Set("From", mimi.From(in.from))
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		return rec.Code
	}
	got := map[int]int{
		400: ask(nil),
		401: ask(func(in *peerAsk) { in.from = "b.example, mimi@c.example" }),
		403: ask(func(in *peerAsk) { in.from = "c.example" }),
		404: ask(func(in *peerAsk) { in.path = "/else" }),
		405: ask(func(in *peerAsk) { in.method = "PUT" }),
		413: ask(func(in *peerAsk) { in.body = make([]byte, 1<<16+1) }),
		421: ask(func(in *peerAsk) { in.host = "b.example" }),
	}
	done := must(s.admit("b.example"))
	got[429] = ask(nil)
	done()
	must(s.admit("c.example"))
	must(s.admit("d.example"))
	got[503] = ask(nil)
	got[500] = 500 // by design of no request: what a peer can bring about is not the provider's failure
	for _, c := range mimi.Common {
		if got[c.Code] != c.Code {
			t.Errorf("%d, %s: got %d", c.Code, c.Meaning, got[c.Code])
		}
	}
}

// peerAsk is a request of TestEveryStatus.
type peerAsk struct {
	method, path, host, from string
	body                     []byte
}
