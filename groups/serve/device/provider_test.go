package device

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
)

// providerEnv names the settings of a provider that this program is to be, in place of
// running tests.
const providerEnv = "MIMI_LAB_TEST_PROVIDER"

func TestMain(m *testing.M) {
	if file := os.Getenv(providerEnv); file != "" {
		go func() { // ends with whoever has started it
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
		if err := serveProvider(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// providerSettings are those of a provider that is a process of its own.
type providerSettings struct {
	Domain  string
	Peers   map[string]string // where others are reached
	Listen  string            // for peers
	Clients string            // for own clients
	Tokens  map[string]string // of own clients, by name: alice/A1
	Dir     string            // with the certificate, its key, the authority and the store
}

// serveProvider is the main program of a provider. Only a signal ends it.
func serveProvider(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var s providerSettings
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	at := filepath.Join(s.Dir, s.Domain)
	db, err := sqlite.Open(at + ".db")
	if err != nil {
		return err
	}
	cfg := serve.Config{
		Domain: s.Domain, Opened: slowStore{db}, Peers: make(map[string]serve.Peer), Roots: x509.NewCertPool(),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	cfg.Hub.RetryMin, cfg.Hub.RetryMax = 20*time.Millisecond, 200*time.Millisecond
	for domain, address := range s.Peers {
		cfg.Peers[domain] = serve.Peer{Address: address}
	}
	if cfg.Certificate, err = tls.LoadX509KeyPair(at+".pem", at+".key"); err != nil {
		return err
	}
	ca, err := os.ReadFile(filepath.Join(s.Dir, "ca.pem"))
	if err != nil {
		return err
	}
	cfg.Roots.AppendCertsFromPEM(ca)
	ctx := context.Background()
	p, err := serve.New(ctx, cfg)
	if err != nil {
		return err
	}
	var tokens channel.Tokens
	for name, token := range s.Tokens {
		client := uri("mimi://" + s.Domain + "/d/" + name)
		user, err := mimi.UserOf(client)
		if err == nil {
			err = p.AddUser(ctx, user, follower.Profile{})
		}
		if err == nil {
			err = p.AddClient(ctx, client)
		}
		if err != nil {
			return err
		}
		tokens.Set(client, []byte(token))
	}
	server, err := channel.New(channel.Config{
		Open:          func(ctx context.Context, u ident.URI) (channel.Session, error) { return p.Client(ctx, u) },
		Authenticator: &tokens, TLS: &tls.Config{Certificates: []tls.Certificate{cfg.Certificate}},
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	for _, l := range []struct {
		address string
		serve   func(net.Listener) error
	}{{s.Listen, p.Serve}, {s.Clients, server.Serve}} {
		nl, err := net.Listen("tcp", l.address)
		if err != nil {
			return err
		}
		go func() { ended <- l.serve(nl) }()
	}
	sender := p.HubSender()
	fmt.Println(string(mustJSON(hubKeys{marshal(&sender), marshal(p.FrankingAgent())})))
	return <-ended
}

// slowStore is a store on a slow disk: a kill comes as likely before what was asked is
// written as after that and before anybody knows.
type slowStore struct{ store.Store }

func (s slowStore) Commit(ctx context.Context, records []protocols.Record) error {
	time.Sleep(rand.N(4 * time.Millisecond))
	err := s.Store.Commit(ctx, records)
	time.Sleep(rand.N(4 * time.Millisecond))
	return err
}

// hubKeys are what a provider says when it is ready.
type hubKeys struct{ Sender, Agent []byte }

// process is a provider that can be killed.
type process struct {
	t        testing.TB
	settings providerSettings
	file     string
	keys     hubKeys

	cmd   *exec.Cmd
	stdin io.Closer
	ready chan error // has what came of the start
	gone  chan error // has how it ended
	log   *tail
}

// newProcess prepares a provider of a domain.
func newProcess(t testing.TB, ca *authority, s providerSettings) *process {
	t.Helper()
	p := &process{t: t, settings: s, file: filepath.Join(s.Dir, s.Domain+".json"), log: new(tail)}
	cert := ca.issue(s.Domain)
	key := must(x509.MarshalPKCS8PrivateKey(cert.PrivateKey))
	for name, b := range map[string][]byte{
		s.Domain + ".pem":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		s.Domain + ".key":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"ca.pem":           pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate().Certificate[0]}),
		s.Domain + ".json": mustJSON(s),
	} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if p.cmd != nil {
			_ = p.kill()
		}
	})
	return p
}

// start starts the process, and does not wait until it is ready.
func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), providerEnv+"="+p.file)
	p.cmd.Stderr = p.log
	p.stdin = must(p.cmd.StdinPipe())
	out := must(p.cmd.StdoutPipe())
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ready, p.gone = make(chan error, 1), make(chan error, 1)
	ready, gone, cmd := p.ready, p.gone, p.cmd
	keys := &p.keys
	go func() {
		d := json.NewDecoder(out)
		ready <- d.Decode(keys)
		_, _ = io.Copy(io.Discard, out)
		gone <- cmd.Wait()
	}()
}

// wait waits until the process is ready.
func (p *process) wait() {
	p.t.Helper()
	select {
	case err := <-p.ready:
		if err != nil {
			p.t.Fatalf("%s does not start: %v\n%s", p.settings.Domain, err, p.log)
		}
		p.ready <- nil
	case <-time.After(30 * time.Second):
		p.t.Fatalf("%s is not ready\n%s", p.settings.Domain, p.log)
	}
}

// kill kills the process, by a signal that it cannot notice. An error says that it had
// ended by itself.
func (p *process) kill() error {
	select {
	case err := <-p.gone:
		p.cmd = nil
		return fmt.Errorf("%s has ended by itself: %v\n%s", p.settings.Domain, err, p.log)
	default:
	}
	_ = p.cmd.Process.Kill()
	<-p.gone
	_ = p.stdin.Close()
	p.cmd = nil
	return nil
}

// tail keeps the last lines of a log.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if n := len(t.b) - 4096; n > 0 {
		t.b = bytes.Clone(t.b[n:])
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}

// freeAddress returns an address that nobody listens at, below the ports that systems
// give to connections, so that it stays free between two lives of a process.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(15000)))
		if err == nil {
			defer func() { _ = l.Close() }()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}
