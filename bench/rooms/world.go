package rooms

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/bench"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
)

// The domains. Those of the followers have a number.
const (
	hubDomain   = "hub.example"
	emptyDomain = "empty.example"
)

// world is the providers on loopback, with their clients.
type world struct {
	point
	ctx  context.Context
	stop context.CancelCauseFunc // at what must not happen
	dir  string

	ca        *localca.Authority
	hosts     map[string]string // addresses, by domains
	hub       *provider
	followers []*provider
	empty     *http.Server
	sized     sync.Once
	reply     []byte // of the empty handler: as much as the hub's

	rooms     []*room
	creator   *device
	senders   []*sender // one of each follower
	receivers []*receiver
	reader    *device        // who opens what came
	done      sync.WaitGroup // for clients to have all of a round, room by room
	bodySize  int

	warnings warnings // of the providers
}

// provider is one that runs.
type provider struct {
	*serve.Provider
	domain string
	store  *bench.TimedStore
}

// build starts everything.
func (w *world) build(rooms int) error {
	w.hosts = make(map[string]string)
	var err error
	if w.ca, err = localca.New("bench rooms", time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)); err != nil {
		return err
	}
	domains := []string{hubDomain}
	for i := range w.point.followers {
		domains = append(domains, fmt.Sprintf("follower%d.example", i+1))
	}
	var listeners []net.Listener
	for _, d := range append(domains, emptyDomain) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		w.hosts[d] = l.Addr().String()
		listeners = append(listeners, l)
	}
	for i, d := range domains {
		name := "follower"
		if i == 0 {
			name = "hub"
		}
		bench.Part(name, func() { err = w.start(d, domains, listeners[i]) })
		if err != nil {
			return err
		}
	}
	bench.Part("empty", func() { err = w.startEmpty(listeners[len(domains)]) })
	if err != nil {
		return err
	}
	if bench.Part("members", func() { err = w.populate(rooms) }); err != nil {
		return err
	}
	bench.Part("client", w.receive)
	return nil
}

// dial connects to a domain's address.
func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	at, ok := w.hosts[host]
	if !ok {
		return nil, fmt.Errorf("no host %s", host)
	}
	return new(net.Dialer).DialContext(ctx, network, at)
}

// start runs a provider that knows the others.
func (w *world) start(domain string, all []string, l net.Listener) error {
	cert, err := w.issue(domain)
	if err != nil {
		return err
	}
	var s store.Store = store.NewMemory()
	if w.point.store == SQLite {
		if s, err = sqlite.Open(filepath.Join(w.dir, domain)); err != nil {
			return err
		}
	}
	p := &provider{domain: domain, store: &bench.TimedStore{Store: s}}
	cfg := serve.Config{
		Domain: domain, Certificate: cert, Roots: w.ca.Pool(), Opened: p.store, Dial: w.dial, Peers: make(map[string]serve.Peer),
		// A client that is slow is not what is measured.
		Limits: serve.Limits{Deliveries: 1 << 20},
		Logger: slog.New(slog.NewTextHandler(&w.warnings, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	cfg.Follower.Limits.Claims = maxRooms
	for _, d := range all {
		if d != domain {
			cfg.Peers[d] = serve.Peer{}
		}
	}
	if p.Provider, err = serve.New(w.ctx, cfg); err != nil {
		return errors.Join(err, s.Close())
	}
	go func() { _ = p.Serve(l) }()
	if domain == hubDomain {
		w.hub = p
	} else {
		w.followers = append(w.followers, p)
	}
	return nil
}

// startEmpty runs the handler that does nothing, with what else a provider's server has.
func (w *world) startEmpty(l net.Listener) error {
	cert, err := w.issue(emptyDomain)
	if err != nil {
		return err
	}
	w.empty = &http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = rw.Write(w.reply)
		}),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
			ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: w.ca.Pool(),
		},
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = w.empty.ServeTLS(l, "", "") }()
	return nil
}

// client returns a follower's connection to a domain.
func (w *world) client(from, to string) (*http.Client, error) {
	cert, err := w.issue(from)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{
		DialContext: w.dial, ForceAttemptHTTP2: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: w.ca.Pool(), Certificates: []tls.Certificate{cert}, ServerName: to},
	}}, nil
}

// close stops everything.
func (w *world) close() (err error) {
	for _, s := range w.senders {
		s.hub.CloseIdleConnections()
		s.empty.CloseIdleConnections()
	}
	if w.empty != nil {
		err = w.empty.Close()
	}
	w.stop(nil)
	for _, p := range append([]*provider{w.hub}, w.followers...) {
		if p != nil {
			err = errors.Join(err, p.Close(), p.store.Close())
		}
	}
	return err
}

// warnings are what providers have logged, the first of it.
type warnings struct {
	mu   sync.Mutex // guards text
	text []byte
}

// Write implements [io.Writer].
func (w *warnings) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.text) < 1000 {
		w.text = append(w.text, b...)
	}
	return len(b), nil
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}

// issue makes a certificate for a domain's server and client.
func (w *world) issue(domain string) (tls.Certificate, error) {
	return w.ca.Issue(localca.Leaf{DNS: []string{domain}, Starts: time.Now().Add(-time.Hour), Ends: time.Now().Add(24 * time.Hour)})
}
