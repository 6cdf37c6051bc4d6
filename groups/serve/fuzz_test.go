package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/chat"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/bhttp"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/ohttp"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// lounge is a room of b.example that a client of a.example is in.
var lounge = uri("mimi://b.example/r/lounge")

// noted is a store that keeps nothing, and says what was to be written.
type noted struct {
	store.Store
	mu   sync.Mutex
	keys []string
}

func (n *noted) Commit(_ context.Context, records []protocols.Record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range records {
		n.keys = append(n.keys, r.Key)
	}
	return nil
}

func (n *noted) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	keys := n.keys
	n.keys = nil
	return keys
}

var errNoNetwork = errors.New("no network")

// target is a provider to be fuzzed: the hub of the clubhouse, which has clients of
// b.example in it, and the provider of Alice, who is in a room of b.example. Its state
// is the same for each request.
type target struct {
	*world
	p        *Provider
	store    *noted
	hub      []protocols.Record
	follower []protocols.Record
	bob      *device
	ref      message.KeyPackageRef // of Alice's KeyPackage of last resort
}

func newTarget(t testing.TB) *target {
	t.Helper()
	w := newWorld(t, nil, "a.example", "b.example")
	a1, b1 := w.device("alice/A1"), w.device("bob/B1")
	w.check(w.providers["a.example"].AddUser(w.ctx, a1.user, follower.Profile{Fields: []follower.Field{
		{Type: mimi.SearchOIDCStdClaim, Name: "name", Value: "Alice", Searchable: true, Inexact: true},
	}}))
	w.check(a1.create())
	w.check(a1.add(b1.user))
	b1.until(1)
	w.device("bob/B2")
	w.check(w.providers["b.example"].Close())
	last := must(a1.cfg.NewKeyPackage(time.Now(), a1.id, mls.LeafOptions{LastResort: true}))
	w.check(a1.conn.Publish(w.ctx, []message.KeyPackage{last.Public}))
	ref := must(last.Public.Ref(a1.cfg.Suite))
	claim := b1.asking(a1.user, mimi.URI(lounge), nil)
	for range 2 { // the second gives the last one out
		if rec := w.ask("a.example", "b.example", mimi.EndpointKeyMaterial, a1.user.String(), claim); rec.Code != 200 {
			t.Fatal(rec.Code, rec.Body)
		}
	}
	welcome := &mimi.FanoutMessage{Timestamp: 1, Message: message.Message{Welcome: &message.Welcome{
		Suite: suiteID, Secrets: []message.EncryptedGroupSecrets{{NewMember: ref}},
	}}, RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeOutOfBand}}
	if rec := w.ask("a.example", "b.example", mimi.EndpointNotify, lounge.String(), welcome); rec.Code != 201 {
		t.Fatal(rec.Code, rec.Body)
	}
	w.check(w.providers["a.example"].Close())

	s := &target{world: w, store: &noted{Store: w.stores["a.example"]}, bob: b1, ref: ref}
	s.hub, s.follower = must(store.LoadUnder(w.ctx, s.store, hubPrefix)), must(store.LoadUnder(w.ctx, s.store, followerPrefix))
	cfg := w.config("a.example")
	cfg.Opened = s.store
	cfg.Hub.RetryMin = time.Hour
	// Nobody answers, so that nothing happens beside the request.
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errNoNetwork }
	s.p = must(New(w.ctx, cfg))
	w.providers["a.example"] = s.p
	s.deliver()
	s.reset()
	return s
}

// deliver has b.example accept what waits for it, so that nothing is sent later.
func (s *target) deliver() {
	h, later := must(hub.Restore(s.p.cfg.Hub, s.hub)), time.Now().Add(time.Hour)
	var waiting []hub.Send
	step := func(in hub.Input) {
		out := must(h.Step(later, in))
		s.hub = append(s.hub, out.Persist...)
		waiting = append(waiting, out.Sends...)
	}
	step(hub.Resume{})
	for step(hub.Wake{}); len(waiting) > 0; waiting = waiting[1:] {
		step(hub.Delivered{Room: waiting[0].Room, To: waiting[0].To, Last: waiting[0].Last})
	}
}

// settle waits until what a request has set going has ended.
func (s *target) settle() {
	for range 3 { // the request, its events for clients here, and that they have them
		done := make(chan struct{})
		s.p.stepHub(hub.Wake{}, func(hub.Output, error) { close(done) })
		<-done
		s.p.running.Wait()
	}
}

// reset gives the provider the state that it had.
func (s *target) reset() {
	s.settle()
	s.store.take()
	s.p.follower.mu.Lock()
	s.p.follower.follower = must(follower.Restore(&s.p.cfg.Follower, s.follower))
	s.p.follower.mu.Unlock()
	s.p.hub.mu.Lock()
	s.p.hub.hub = must(hub.Restore(s.p.cfg.Hub, s.hub))
	s.p.hub.mu.Unlock()
}

// most is how long a request of the fuzzer may take, whose body is no longer than a
// megabyte.
const most = 10 * time.Second

// serve gives the provider a request. Whatever it is, the provider goes on, is never the
// one who is wrong, and keeps nothing of what it has refused, by a status code or by a
// code in the body.
func (s *target) serve(t *testing.T, e *mimi.Endpoint, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	start := time.Now()
	s.p.handler.ServeHTTP(rec, r)
	if took := time.Since(start); took > most {
		t.Errorf("%s %q took %v, want at most %v", r.Method, r.URL, took, most)
	}
	if rec.Code >= 500 && rec.Code != 502 || s.p.Err() != nil {
		t.Fatalf("%s %q: got %d %s, and %v", r.Method, r.URL, rec.Code, rec.Body, s.p.Err())
	}
	written := s.store.take()
	if len(written) > 0 {
		s.reset()
	}
	refused := rec.Code >= 300
	if !refused && e != nil && e.Response != "" {
		answer, err := e.ParseResponse(rec.Body.Bytes(), nil)
		if err != nil {
			t.Fatalf("answer %x: %v", rec.Body, err)
		}
		refused = refuses(answer)
	}
	if refused && len(written) > 0 {
		t.Errorf("%s %q was answered with %d %q, and yet changed %q", r.Method, r.URL, rec.Code, rec.Body, written)
	}
	return rec
}

// refuses reports whether the code of an answer says no.
func refuses(answer any) bool {
	switch m := answer.(type) {
	case *mimi.KeyMaterialResponse:
		return m.UserStatus != mimi.UserSuccess && m.UserStatus != mimi.UserPartialSuccess
	case *mimi.UpdateRoomResponse:
		return m.ResponseCode != mimi.UpdateSuccess
	case *mimi.SubmitMessageResponse:
		return m.StatusCode != mimi.SubmitAccepted
	case *mimi.GroupInfoResponse:
		return m.Status != mimi.GroupInfoSuccess
	case *mimi.IdentifierResponse:
		return m.ResponseCode != mimi.QuerySuccess
	}
	return false
}

// seed is a request that is answered with success.
type seed struct {
	value string // of the variable in the path
	body  wire.Marshaler
}

// fuzzEndpoint fuzzes one endpoint as a peer reaches it: what the variable in its path
// stands for, the fields Host and From, and the body.
func fuzzEndpoint(f *testing.F, name mimi.EndpointName, seeds func(*target) []seed) {
	s := newTarget(f)
	e, _ := mimi.FindEndpoint(name)
	for _, in := range seeds(s) {
		var body []byte
		if in.body != nil {
			body = must(wire.Marshal(in.body))
			rec := s.askBytes("a.example", "b.example", name, in.value, body)
			answer, err := any(nil), error(nil)
			if e.Response != "" {
				answer, err = e.ParseResponse(rec.Body.Bytes(), nil)
			}
			if rec.Code != e.Success[0] || err != nil || refuses(answer) {
				f.Fatalf("%T for %s: got %d %q, want success: else the test tests nothing", in.body, in.value, rec.Code, rec.Body)
			}
			s.reset()
		}
		f.Add("a.example", "mimi@b.example", mimi.Escape(in.value), body)
	}
	f.Add("a.example:443", "mimi@B.example", "mimi%3A%2F%2Fa.example%2Fr%2Fnone", []byte{1})
	f.Add("", "mimi@c.example", "%2e%2E", []byte(nil))
	path := e.Path[:strings.IndexByte(e.Path, '{')]
	f.Fuzz(func(t *testing.T, host, from, value string, body []byte) {
		if len(body) > 1<<20 {
			return
		}
		r := peerRequest(s.certificate("b.example"), e.Method, path+value, body)
		r.Host = host
		r.Header["From"] = []string{from}
		s.serve(t, e, r)
	})
}

func FuzzKeyMaterial(f *testing.F) {
	fuzzEndpoint(f, mimi.EndpointKeyMaterial, func(s *target) []seed {
		alice := uri("mimi://a.example/u/alice")
		return []seed{
			{alice.String(), s.bob.asking(alice, mimi.URI(clubhouse), nil)},
			{alice.String(), s.bob.asking(alice, mimi.URI(lounge), nil)},
			{alice.String(), s.bob.asking(alice, "", func(r *mimi.KeyMaterialRequest) {
				r.RequiredCapabilities.Proposals = []message.ProposalType{message.DefaultCodePoints.SelfRemove}
			})},
		}
	})
}

func FuzzUpdate(f *testing.F) {
	fuzzEndpoint(f, mimi.EndpointUpdate, func(s *target) []seed {
		leave := s.bob.proposing(mls.RemoveProposal(s.bob.group.OwnLeaf()))
		leave.Bundle.MoreProposals = []message.Message{s.bob.proposing(s.bob.participants(nil, nil, []string{s.bob.user.String()})).Bundle.ProposalOrCommit}
		s.bob.group.ClearProposals()
		second := s.devices["bob/B2"]
		req, pair := second.joining(nil)
		resp := must(mimi.ParseGroupInfoResponse(s.ask("a.example", "b.example", mimi.EndpointGroupInfo, clubhouse.String(), req).Body.Bytes()))
		info := must(resp.Open(second.cfg.Suite, mimi.URI(clubhouse), pair.Private, nil))
		_, join := second.entering(info)
		return []seed{{clubhouse.String(), leave}, {clubhouse.String(), s.bob.committing()}, {clubhouse.String(), join}}
	})
}

func FuzzSubmitMessage(f *testing.F) {
	fuzzEndpoint(f, mimi.EndpointSubmitMessage, func(s *target) []seed {
		return []seed{{clubhouse.String(), s.bob.newMessage("hello")}}
	})
}

func FuzzGroupInfo(f *testing.F) {
	fuzzEndpoint(f, mimi.EndpointGroupInfo, func(s *target) []seed {
		req, _ := s.devices["bob/B2"].joining(nil)
		return []seed{{clubhouse.String(), req}}
	})
}

func FuzzNotify(f *testing.F) {
	fuzzEndpoint(f, mimi.EndpointNotify, func(s *target) []seed {
		again := s.bob.newMessage("hello").AppMessage
		leave := s.bob.proposing(mls.RemoveProposal(s.bob.group.OwnLeaf())).Bundle.ProposalOrCommit
		s.bob.group.ClearProposals()
		return []seed{
			{lounge.String(), &mimi.FanoutMessage{Timestamp: 2, Message: message.Message{Private: again}}},
			{lounge.String(), &mimi.FanoutMessage{Timestamp: 3, Message: leave}},
			{lounge.String(), &mimi.FanoutMessage{Timestamp: 4, Message: s.bob.committing().Bundle.ProposalOrCommit}},
			{"mimi://b.example/r/another", &mimi.FanoutMessage{Timestamp: 5, Message: message.Message{Welcome: &message.Welcome{
				Suite: suiteID, Secrets: []message.EncryptedGroupSecrets{{NewMember: s.ref}},
			}}, RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeOutOfBand}}},
		}
	})
}

func consentSeed(op mimi.ConsentOperation, requester, target string) *mimi.ConsentEntry {
	room := mimi.URI(lounge)
	return &mimi.ConsentEntry{ConsentOperation: op, RequesterURI: mimi.IdentifierURI(requester), TargetURI: mimi.IdentifierURI(target), RoomID: &room}
}

func FuzzRequestConsent(f *testing.F) {
	fuzzEndpoint(f, mimi.EndpointRequestConsent, func(s *target) []seed {
		bob, alice := s.bob.user.String(), "mimi://a.example/u/alice"
		return []seed{
			{"a.example", consentSeed(mimi.ConsentRequest, bob, alice)},
			{"a.example", consentSeed(mimi.ConsentCancel, bob, alice)},
		}
	})
}

func FuzzUpdateConsent(f *testing.F) {
	fuzzEndpoint(f, mimi.EndpointUpdateConsent, func(s *target) []seed {
		bob, alice := s.bob.user.String(), "mimi://a.example/u/alice"
		grant := consentSeed(mimi.ConsentGrant, alice, bob)
		grant.ClientKeyPackages = []message.KeyPackage{must(s.bob.cfg.NewKeyPackage(time.Now(), s.bob.id, mls.LeafOptions{})).Public}
		return []seed{{"a.example", grant}, {"a.example", consentSeed(mimi.ConsentRevoke, alice, bob)}}
	})
}

func FuzzIdentifierQuery(f *testing.F) {
	fuzzEndpoint(f, mimi.EndpointIdentifierQuery, func(*target) []seed {
		return []seed{
			{"a.example", &mimi.IdentifierRequest{QueryElements: []mimi.QueryElement{{SearchType: mimi.SearchOIDCStdClaim, ClaimName: "name", SearchValue: "Alice"}}}},
			{"a.example", &mimi.IdentifierRequest{QueryElements: []mimi.QueryElement{{SearchType: mimi.SearchPartialName, SearchValue: "ali"}}}},
		}
	})
}

func FuzzReportAbuse(f *testing.F) {
	fuzzEndpoint(f, mimi.EndpointReportAbuse, func(s *target) []seed {
		m := must(content.New(s.bob.cfg.Suite, "mimi://a.example/u/alice", clubhouse.String(), content.Text("insult")))
		return []seed{{clubhouse.String(), &mimi.AbuseReport{
			ReportingUser: mimi.URI(s.bob.user), AllegedAbuserURI: "mimi://a.example/u/alice", Note: "rude",
			Messages: []mimi.AbusiveMessage{{MessageContent: must(m.Marshal()), Frank: mimi.Frank{FrankingSignatureCiphersuite: suiteID}}},
		}}}
	})
}

func FuzzProxyDownload(f *testing.F) {
	fuzzEndpoint(f, mimi.EndpointProxyDownload, func(*target) []seed {
		return []seed{
			{"https://assets.b.example/photo", nil}, {"https://inside.example/", nil}, {"https://127.0.0.1/", nil},
			{"https://user@assets.b.example:443/?q#f", nil},
		}
	})
}

// FuzzObliviousGateway fuzzes what a relay brings, and the request that is encrypted in
// it.
func FuzzObliviousGateway(f *testing.F) {
	s := newTarget(f)
	suite, config := s.bob.cfg.Suite, s.p.gateway.config
	q := &bhttp.Request{Method: "GET", Scheme: "https", Authority: "assets.b.example", Path: "/photo"}
	plain := must(q.Marshal())
	encapsulated, _, err := ohttp.Encapsulate(suite, config, plain)
	s.check(err)
	f.Add("a.example", "mimi@b.example", ohttp.MediaTypeRequest, encapsulated, plain)
	f.Add("a.example", "mimi@b.example", "message/OHTTP-req", []byte(nil), []byte("nonsense"))
	f.Fuzz(func(t *testing.T, host, from, media string, body, plain []byte) {
		if len(body) > 1<<20 || len(plain) > 1<<20 {
			return
		}
		r := peerRequest(s.certificate("b.example"), "POST", gatewayPath, body)
		r.Host = host
		r.Header["From"], r.Header["Content-Type"] = []string{from}, []string{media}
		s.serve(t, nil, r)

		encapsulated, pending, err := ohttp.Encapsulate(suite, config, plain)
		if err != nil {
			t.Fatal(err)
		}
		r = peerRequest(s.certificate("b.example"), "POST", gatewayPath, encapsulated)
		r.Host = "a.example"
		r.Header["From"], r.Header["Content-Type"] = []string{"mimi@b.example"}, []string{ohttp.MediaTypeRequest}
		rec := s.serve(t, nil, r)
		if rec.Code != 200 {
			t.Fatalf("got %d %s: the relay is not to know what becomes of a request", rec.Code, rec.Body)
		}
		if _, err := bhttp.ParseResponse(must(pending.Open(rec.Body.Bytes()))); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzOwnClient has an own client, Alice's, say anything in the stanzas of package chat:
// it gets an answer, which is no failure of the provider, and changes nothing by what is
// refused.
func FuzzOwnClient(f *testing.F) {
	s := newTarget(f)
	client := uri("mimi://a.example/d/alice/A1")
	conn := must(s.p.Client(s.ctx, client))
	alice := s.devices["alice/A1"]
	add := func(in any) { f.Add(must(new(stanza.Encoder).Append(nil, must(chat.Encode("1", in))))) }
	add(follower.Ack{Client: client, Room: clubhouse, Seq: 1})
	add(follower.Leave{Client: client, Room: lounge})
	add(follower.Publish{Client: client, KeyPackages: []message.KeyPackage{must(alice.cfg.NewKeyPackage(time.Now(), alice.id, mls.LeafOptions{})).Public}})
	info := must(alice.group.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true}))
	add(&chat.Create{Room: clubhouse, GroupInfo: info, RatchetTree: must(alice.group.Tree().Marshal())})
	call := func(endpoint mimi.EndpointName, room ident.URI, body follower.Body) {
		add(follower.Call{Client: client, Endpoint: endpoint, Room: room, Domain: "a.example", Body: body})
	}
	call(mimi.EndpointSubmitMessage, clubhouse, alice.newMessage("hello"))
	call(mimi.EndpointUpdate, clubhouse, alice.committing())
	req, _ := alice.joining(nil)
	call(mimi.EndpointGroupInfo, clubhouse, req)
	call(mimi.EndpointKeyMaterial, clubhouse, alice.asking(alice.user, mimi.URI(clubhouse), nil))
	call(mimi.EndpointRequestConsent, clubhouse, consentSeed(mimi.ConsentRequest, alice.user.String(), s.bob.user.String()))
	call(mimi.EndpointUpdateConsent, clubhouse, consentSeed(mimi.ConsentRevoke, s.bob.user.String(), alice.user.String()))
	call(mimi.EndpointIdentifierQuery, clubhouse, &mimi.IdentifierRequest{QueryElements: []mimi.QueryElement{{SearchType: mimi.SearchHandle, SearchValue: "bob"}}})
	call(mimi.EndpointReportAbuse, clubhouse, &mimi.AbuseReport{ReportingUser: mimi.URI(alice.user), AllegedAbuserURI: mimi.URI(s.bob.user)})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := stanza.ParseBinary(b)
		if err != nil {
			return
		}
		m, err := stanza.Parse(n)
		if err != nil {
			return
		}
		q, err := chat.Read(client, 1, m, nil)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), most)
		defer cancel()
		var answer follower.Body
		switch in := q.Input.(type) {
		case follower.Call:
			answer, err = conn.Call(ctx, in)
		case *chat.Create:
			err = conn.CreateRoom(ctx, in.Room, in.GroupInfo, in.RatchetTree)
		case follower.Input:
			_, err = s.p.askFollower(ctx, in)
		}
		var refused *follower.Refusal
		if s.p.Err() != nil || err != nil && !errors.As(err, &refused) && !errors.Is(err, errNoNetwork) {
			t.Fatalf("%+v: %v, and %v", q.Input, err, s.p.Err())
		}
		s.settle()
		written := s.store.take()
		if len(written) > 0 {
			s.reset()
			s.p.stepFollower(follower.Connect{Client: client}, nil)
		}
		if refused != nil && refused.Status != http.StatusBadGateway && len(written) > 0 {
			t.Errorf("%+v was refused: %v, and yet changed %q", q.Input, err, written)
		}
		if q.Answered() {
			if _, err := q.Answer(answer, err); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzServer has a peer ask for anything at any place.
func FuzzServer(f *testing.F) {
	s := newTarget(f)
	f.Add("POST", pathOf(mimi.EndpointSubmitMessage, clubhouse.String()), must(wire.Marshal(s.bob.newMessage("hello"))))
	for _, e := range mimi.Endpoints {
		for _, v := range []string{clubhouse.String(), s.bob.user.String(), "a.example", "https://assets.b.example/photo", "mimi://b.example/r/lounge"} {
			f.Add(e.Method, pathOf(e.Name, v), []byte{1, 0, 0})
		}
	}
	f.Add("GET", mimi.DirectoryPath, []byte{})
	f.Add("POST", gatewayPath, make([]byte, 80))
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		if method == "" || len(body) > 1<<20 {
			return
		}
		r := peerRequest(s.certificate("b.example"), method, path, body)
		r.Host = "a.example"
		r.Header.Set("From", "mimi@b.example")
		r.Header.Set("Content-Type", ohttp.MediaTypeRequest)
		s.serve(t, nil, r)
	})
}

// TestFuzzedEndpoints holds that no endpoint is without a target here.
func TestFuzzedEndpoints(t *testing.T) {
	t.Parallel()
	source := string(must(os.ReadFile("fuzz_test.go")))
	for _, e := range mimi.Endpoints {
		name := strings.ToUpper(string(e.Name[:1])) + string(e.Name[1:])
		if !strings.Contains(source, "func Fuzz"+name+"(f *testing.F) {\n\tfuzzEndpoint(f, mimi.Endpoint"+name+",") {
			t.Errorf("no Fuzz%s, want one for each endpoint", name)
		}
	}
}
