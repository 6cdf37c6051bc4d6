package device

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// The room of draft-ietf-mimi-protocol-06, Example protocol flow.
var clubhouse = uri("mimi://a.example/r/clubhouse")

func uri(s string) ident.URI { return must(ident.ParseURI(s)) }

// must ends a test at an error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// authority makes certificates.
type authority struct {
	*localca.Authority
	pool *x509.CertPool
}

func newAuthority() *authority {
	a := must(localca.New("test", time.Now().Add(-time.Hour), time.Now().Add(1000*time.Hour)))
	return &authority{a, a.Pool()}
}

// issue makes a certificate for names, of servers and clients.
func (a *authority) issue(domain string) tls.Certificate {
	return must(a.Issue(localca.Leaf{DNS: []string{domain}, Starts: time.Now().Add(-time.Hour), Ends: time.Now().Add(1000 * time.Hour)}))
}

// site is the provider of a domain with the listener of its clients.
type site struct {
	domain   string
	provider *serve.Provider
	server   *channel.Server
	address  string // of the clients' listener
	peers    string // where peers reach it
	tokens   channel.Tokens
}

// world is two providers, on loopback, with their clients.
type world struct {
	testing.TB
	ca    *authority
	sites map[string]*site
}

func newWorld(t testing.TB, domains ...string) *world {
	t.Helper()
	w := &world{TB: t, ca: newAuthority(), sites: make(map[string]*site)}
	for _, domain := range domains {
		w.sites[domain] = &site{domain: domain}
	}
	for _, s := range w.sites {
		w.open(s)
	}
	return w
}

// open starts a provider.
func (w *world) open(s *site) {
	w.Helper()
	cfg := serve.Config{
		Domain: s.domain, Certificate: w.ca.issue(s.domain), Roots: w.ca.pool, Opened: store.NewMemory(), Peers: make(map[string]serve.Peer),
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, _ := net.SplitHostPort(address)
			return new(net.Dialer).DialContext(ctx, network, w.sites[host].peers)
		},
	}
	cfg.Hub.RetryMin = 10 * time.Millisecond
	for other := range w.sites {
		if other != s.domain {
			cfg.Peers[other] = serve.Peer{}
		}
	}
	s.provider = must(serve.New(w.Context(), cfg))
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	s.peers = l.Addr().String()
	go func() { _ = s.provider.Serve(l) }()
	s.server = must(channel.New(channel.Config{
		Open:          func(ctx context.Context, u ident.URI) (channel.Session, error) { return s.provider.Client(ctx, u) },
		Authenticator: &s.tokens, TLS: &tls.Config{Certificates: []tls.Certificate{cfg.Certificate}},
	}))
	clients := must(net.Listen("tcp", "127.0.0.1:0"))
	s.address = clients.Addr().String()
	go func() { _ = s.server.Serve(clients) }()
	w.Cleanup(func() {
		if err := s.server.Shutdown(context.Background()); err != nil {
			w.Error(err)
		}
		if err := s.provider.Close(); err != nil {
			w.Error(err)
		}
	})
}

// enrol lets a client in: "alice/A1" of a.example.
func (w *world) enrol(name string) ident.URI {
	w.Helper()
	user, _, _ := strings.Cut(name, "/")
	s := w.sites[name[:1]+".example"]
	client := uri("mimi://" + s.domain + "/d/" + name)
	w.check(s.provider.AddUser(w.Context(), uri("mimi://"+s.domain+"/u/"+user), follower.Profile{}))
	w.check(s.provider.AddClient(w.Context(), client))
	s.tokens.Set(client, []byte("token of "+name))
	return client
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// config returns that of a client that was enrolled.
func (w *world) config(client ident.URI, s store.Store) Config {
	at := w.sites[client.Provider()]
	name := strings.Join(client.Segments(), "/")
	return Config{
		Client: client, Store: s, BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond, KeyPackages: 3,
		Member: member.Config{RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond, Tries: 1000},
		Connect: Dial(at.address, channel.ClientConfig{
			Client: client, Token: []byte("token of " + name), TLS: &tls.Config{RootCAs: w.ca.pool, ServerName: at.domain},
		}),
	}
}

// run runs a device until the test ends or stop is called.
func (w *world) run(d *Device) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				w.Errorf("%v: Run: %v", d.Client(), err)
			}
		}
	}
	w.Cleanup(stop)
	return stop
}

// do does something and waits for its outcome.
func (w *world) do(d *Device, in member.Input) Event {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	id, err := d.Do(ctx, in)
	w.check(err)
	e, err := d.Wait(ctx, id)
	if err != nil {
		w.Fatalf("%v: %T: %v", d.Client(), in, err)
	}
	return e
}

// creation returns what makes the tests' room at the hub of a.example.
func (w *world) creation() member.CreateRoom {
	p := w.sites["a.example"].provider
	return member.CreateRoom{
		Room: clubhouse, Policy: "cooperative", Metadata: room.RoomMetaData{Name: "Clubhouse"},
		Hub: p.HubSender(), FrankingAgent: p.FrankingAgent(),
	}
}

func text(s string) member.Send {
	return member.Send{Room: clubhouse, Message: &content.Message{Body: content.Text(s)}}
}

// until waits for an event and returns all up to it.
func (w *world) until(d *Device, found func(member.Event) bool) (all []Event) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	for after := d.Confirmed(); ; {
		list, err := d.Next(ctx, after)
		if err != nil {
			for _, e := range all {
				w.Logf("%d %T %+v", e.N, e.Event, e.Event)
			}
			w.Fatalf("%v: %v", d.Client(), err)
		}
		for _, e := range list {
			all = append(all, e)
			after = e.N
			if found(e.Event) {
				return all
			}
		}
	}
}

func newSuite() (suite.Suite, error) { return suite.NewStd(suite.X25519AES128GCMSHA256Ed25519) }

func marshal(m wire.Marshaler) []byte { return must(wire.Marshal(m)) }
