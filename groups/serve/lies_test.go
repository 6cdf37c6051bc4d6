package serve

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/egress"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// lies are what a peer, or a client, may try that the draft forbids or leaves to a
// provider to withstand, and the tests that hold what becomes of it, by their packages.
var lies = []struct {
	lie   string
	tests []string
}{
	{"its domain, in From, Host or its certificate", []string{"serve TestTransportLayer", "serve TestTLSVersion", "serve TestEveryStatus"}},
	{"its domain, in the URIs and credentials of a body", []string{"serve TestLies", "hub TestProviderSpeaksForItsOwnUsers", "follower TestConsentRefused", "follower TestClaimRefused"}},
	{"its hosts, in its directory", []string{"serve TestDirectories"}},
	{"the hub it is, by events of another's room", []string{"serve TestLies", "follower TestNotifyRefused"}},
	{"a member's provider, for a user who is none", []string{"serve TestLies", "hub TestSendingURI", "hub TestRemovedParticipant"}},
	{"the user of its own client", []string{"follower TestCallsRefused", "follower TestConsentCalls", "serve FuzzOwnClient"}},
	{"a request that it has made, again", []string{"serve TestReplays", "hub TestUpdateIsAcceptedOnce", "hub TestMessageIsAcceptedOnce"}},
	{"an event that it has sent, again", []string{"serve TestReplays", "follower TestDuplicates"}},
	{"a message of another, as its own", []string{"hub TestMessageIsAcceptedOnce"}},
	{"events out of their order", []string{"member TestReordered", "member TestHeldInOrder"}},
	{"KeyPackages, until there are none", []string{"follower TestSybilsDrainNoKeyPackages", "follower TestClaimDraining", "follower TestClaimLastResort"}},
	{"consent, until nobody can ask", []string{"follower TestConsentFlood", "follower TestOwnUsersFlood", "follower TestMailboxOfAClientThatIsAway"}},
	{"events, until memory is full", []string{"follower TestLogOfAHub", "follower TestRoomsOfAHub"}},
	{"that it is not there, while others send", []string{"hub TestBacklog", "serve TestNotifyRetries"}},
	{"an event that no client can be told of", []string{"serve/channel TestPoison"}},
	{"a list that is very long", []string{"serve TestShortBodies", "hub TestBounds", "follower TestLongLists"}},
	{"proposals, until nobody else can make one", []string{"hub TestProposalsOfOneSender"}},
	{"a proposal that members refuse", []string{"hub TestWrongMembershipTag"}},
	{"a body without end, or that does not come", []string{"serve TestEndlessBody", "serve TestSlowBody"}},
	{"an answer that it does not read, or give", []string{"serve TestSlowReader", "serve TestSilentTarget"}},
	{"an asset on a host that is listed nowhere", []string{"serve TestProxyDownload", "serve TestOblivious", "hub TestProxyDownload"}},
	{"an asset on this machine or its network, by a name or a redirect", []string{"../protocols/egress TestPublicOnly", "serve TestRebinding", "serve TestProxyDownload"}},
	{"a report of what nobody said", []string{"hub TestAbuseReports"}},
	{"requests, until there is room for none", []string{"serve TestOverload"}},
}

// TestLiesAreTested holds that the tests which the table names are there.
func TestLiesAreTested(t *testing.T) {
	t.Parallel()
	sources := make(map[string]string)
	for _, l := range lies {
		for _, test := range l.tests {
			pkg, name, _ := strings.Cut(test, " ")
			dir := filepath.Join("..", pkg)
			if sources[dir] == "" {
				for _, f := range must(filepath.Glob(filepath.Join(dir, "*_test.go"))) {
					sources[dir] += string(must(os.ReadFile(f)))
				}
			}
			if !strings.Contains(sources[dir], "\nfunc "+name+"(") {
				t.Errorf("%s: no %s", l.lie, test)
			}
		}
	}
}

// lie makes a request of c.example, a peer that has nobody in the room, which is refused
// in some way and changes nothing.
func (s *target) lie(t *testing.T, what string, name mimi.EndpointName, value string, m wire.Marshaler, says string) {
	t.Helper()
	rec := s.ask("a.example", "c.example", name, value, m)
	said, refused := rec.Body.String(), rec.Code >= 400
	if e, _ := mimi.FindEndpoint(name); !refused && e.Response != "" {
		answer := must(e.ParseResponse(rec.Body.Bytes(), nil))
		refused = refuses(answer)
		switch answer := answer.(type) {
		case *mimi.SubmitMessageResponse:
			said = answer.StatusCode.String()
		case *mimi.GroupInfoResponse:
			said = answer.Status.String()
		}
	}
	if !refused || !strings.Contains(said, says) {
		t.Errorf("%s: got %d %q, want a refusal that says %q", what, rec.Code, said, says)
	}
	s.settle()
	if keys := s.store.take(); len(keys) > 0 {
		t.Errorf("%s: changed %q", what, keys)
	}
}

// TestLies has c.example speak for the users and rooms of others.
func TestLies(t *testing.T) {
	t.Parallel()
	s := newTarget(t)
	room, alice := clubhouse.String(), uri("mimi://a.example/u/alice")
	leave := s.bob.proposing(s.bob.participants(nil, nil, []string{s.bob.user.String()}))
	s.bob.group.ClearProposals()
	s.lie(t, "a member's proposal", mimi.EndpointUpdate, room, leave, "through c.example")
	s.lie(t, "a member's commit", mimi.EndpointUpdate, room, s.bob.committing(), "through c.example")
	s.lie(t, "a member's message", mimi.EndpointSubmitMessage, room, s.bob.newMessage("hello"), "notAllowed")
	own := s.bob.newMessage("hello")
	own.SendingURI = "mimi://c.example/u/cathy"
	s.lie(t, "a message of who is no participant", mimi.EndpointSubmitMessage, room, own, "notAllowed")
	own.SendingURI = "mimi://c.example/d/cathy/C1"
	s.lie(t, "a message of a client", mimi.EndpointSubmitMessage, room, own, "notAllowed")

	second := s.devices["bob/B2"]
	info, _ := second.joining(nil)
	s.lie(t, "another's GroupInfo", mimi.EndpointGroupInfo, room, info, "notAuthorized")
	info, _ = second.joining(func(r *mimi.GroupInfoRequest) {
		r.RequestingCredential = message.BasicCredential([]byte("mimi://c.example/d/cathy/C1"))
	})
	s.lie(t, "a GroupInfo for who is no participant", mimi.EndpointGroupInfo, room, info, "notAuthorized")
	info.Signature[0] ^= 1
	s.lie(t, "a GroupInfo that nobody signed for", mimi.EndpointGroupInfo, room, info, "notAuthorized")

	claim := func(what string, in mimi.IdentifierURI, says string, change func(*mimi.KeyMaterialRequest)) {
		s.lie(t, what, mimi.EndpointKeyMaterial, alice.String(), s.bob.asking(alice, in, change), says)
	}
	cathy := func(r *mimi.KeyMaterialRequest) { r.RequestingUser = "mimi://c.example/u/cathy" }
	claim("a claim in a room for another's user", mimi.URI(clubhouse), "want its own provider", nil)
	claim("a claim for another's user", "", "comes from c.example", nil)
	claim("a claim in another's room", mimi.URI(lounge), "comes from c.example", nil)
	claim("a claim with another's credential", "", "requesterCredential", cathy)
	claim("a claim of who is no participant", mimi.URI(clubhouse), "requesterCredential", cathy)
	claim("a claim of who is none, with a credential", mimi.URI(clubhouse), "no participant", func(r *mimi.KeyMaterialRequest) {
		cathy(r)
		r.RequesterCredential = message.BasicCredential([]byte("mimi://c.example/d/cathy/C1"))
	})
	claim("a claim for another than the path says", "", "not the user in the path", func(r *mimi.KeyMaterialRequest) {
		r.TargetUser = "mimi://a.example/u/alf"
	})

	f := &mimi.FanoutMessage{Timestamp: 2, Message: message.Message{Private: s.bob.newMessage("hello").AppMessage}}
	s.lie(t, "events of another's room", mimi.EndpointNotify, lounge.String(), f, "come from c.example")
	s.lie(t, "events of a room here", mimi.EndpointNotify, room, f, "come from c.example")

	bob := s.bob.user.String()
	s.lie(t, "a request of another's user", mimi.EndpointRequestConsent, "a.example", consentSeed(mimi.ConsentRequest, bob, alice.String()), "comes from c.example")
	s.lie(t, "a grant of another's user", mimi.EndpointUpdateConsent, "a.example", consentSeed(mimi.ConsentGrant, alice.String(), bob), "comes from c.example")
	s.lie(t, "a grant of a user here", mimi.EndpointUpdateConsent, "a.example", consentSeed(mimi.ConsentGrant, bob, alice.String()), "comes from c.example")
	s.lie(t, "a request for another's user", mimi.EndpointRequestConsent, "a.example", consentSeed(mimi.ConsentRequest, "mimi://c.example/u/cathy", bob), "no user of a.example")
	grant := consentSeed(mimi.ConsentGrant, alice.String(), "mimi://c.example/u/cathy")
	k := must(s.bob.cfg.NewKeyPackage(time.Now(), s.bob.id, mls.LeafOptions{}))
	grant.ClientKeyPackages = []message.KeyPackage{k.Public}
	s.lie(t, "KeyPackages of another's user", mimi.EndpointUpdateConsent, "a.example", grant, "KeyPackage 1 is of mimi://b.example/u/bob")
	s.lie(t, "a report in another's name", mimi.EndpointReportAbuse, room, &mimi.AbuseReport{ReportingUser: mimi.URI(s.bob.user)}, "no client in")
	s.lie(t, "a query for another's users", mimi.EndpointIdentifierQuery, "b.example", &mimi.IdentifierRequest{
		QueryElements: []mimi.QueryElement{{SearchType: mimi.SearchHandle, SearchValue: "x"}},
	}, "a.example")
}

// TestReplays has b.example make requests again that were accepted: each is done once.
// A claim is made anew each time, since nothing tells a replay from a claim (deviation
// 4): it is counted.
func TestReplays(t *testing.T) {
	t.Parallel()
	s := newTarget(t)
	alice := uri("mimi://a.example/u/alice")
	for _, tt := range []struct {
		name  mimi.EndpointName
		value string
		body  wire.Marshaler
	}{
		{mimi.EndpointSubmitMessage, clubhouse.String(), s.bob.newMessage("hello")},
		{mimi.EndpointNotify, lounge.String(), &mimi.FanoutMessage{Timestamp: 2, Message: message.Message{Private: s.bob.newMessage("hello").AppMessage}}},
		{mimi.EndpointRequestConsent, "a.example", consentSeed(mimi.ConsentRequest, s.bob.user.String(), alice.String())},
		{mimi.EndpointUpdateConsent, "a.example", consentSeed(mimi.ConsentRevoke, alice.String(), s.bob.user.String())},
		{mimi.EndpointUpdate, clubhouse.String(), s.bob.committing()},
	} {
		first := s.ask("a.example", "b.example", tt.name, tt.value, tt.body)
		s.settle()
		if first.Code >= 300 || len(s.store.take()) == 0 {
			t.Errorf("%s: got %d %s, want it done", tt.name, first.Code, first.Body)
		}
		again := s.ask("a.example", "b.example", tt.name, tt.value, tt.body)
		s.settle()
		if keys := s.store.take(); again.Code != first.Code || len(keys) > 0 || len(again.Body.Bytes()) != len(first.Body.Bytes()) {
			t.Errorf("%s again: got %d %q after %q, and changed %q", tt.name, again.Code, again.Body, first.Body, keys)
		}
	}
	claims := 0
	for range 200 {
		rec := s.ask("a.example", "b.example", mimi.EndpointKeyMaterial, alice.String(), s.bob.asking(alice, mimi.URI(lounge), nil))
		if rec.Code == http.StatusTooManyRequests && rec.Header().Get("Retry-After") != "" {
			break
		}
		claims++
	}
	if claims > 30 {
		t.Errorf("%d claims of one user within an hour, want at most 30", claims)
	}
}

// TestEndlessBody holds that a body without end is left at its bound.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Body = 1 << 16 }, "a.example")
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		c := w.client(w.ca.issue("b.example"))
		c.Transport.(*http.Transport).ForceAttemptHTTP2 = version == "HTTP/2.0"
		ctx, cancel := context.WithCancel(t.Context())
		sent := &zeros{}
		r := must(http.NewRequestWithContext(ctx, "POST", "https://a.example"+pathOf(mimi.EndpointNotify, lounge.String()), sent))
		r.Header.Set("From", "mimi@b.example")
		resp, err := c.Do(r)
		if err == nil { // HTTP/1.1 may close the connection before the answer is read
			if resp.StatusCode != 413 || resp.Proto != version {
				t.Errorf("%s: got %s, want 413", resp.Proto, resp.Status)
			}
			resp.Body.Close()
		} else if version != "HTTP/1.1" {
			t.Errorf("%s: %v", version, err)
		}
		cancel()
		if n := sent.n.Load(); n > 16<<20 {
			t.Errorf("%s: %d bytes were sent, want little more than %d", version, n, 1<<16)
		}
	}
	w.idle("a.example")
}

// zeros is a body without end. A transport may read on after the answer.
type zeros struct{ n atomic.Int64 }

func (z *zeros) Read(b []byte) (int, error) {
	z.n.Add(int64(len(b)))
	clear(b)
	return len(b), nil
}

// TestRebinding holds that it does not help to give a name an address of this machine:
// what counts is where a connection would go.
func TestRebinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "a.example")
	p := &peers{cfg: &Config{}}
	l := w.net.listen("inside")
	defer l.Close()
	for _, name := range []string{"localhost", "127.0.0.1", "[::1]"} {
		address := name + l.Addr().String()[strings.LastIndexByte(l.Addr().String(), ':'):]
		if c, err := p.dial("", true)(t.Context(), "tcp", address); !errors.Is(err, egress.ErrPrivate) {
			if err == nil {
				c.Close()
			}
			t.Errorf("%s: got %v, want that the address is not public", name, err)
		}
	}
	c, err := p.dial("", false)(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err) // else the test tests nothing
	}
	c.Close()
}
