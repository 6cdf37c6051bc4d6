package serve

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// TestMain is a gatekeeper or a device, if the environment has the part of one.
func TestMain(m *testing.M) {
	text := os.Getenv(partVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var p part
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.play()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const partVariable = "MIMI_LAB_TEST_PART"

// part is what a process of this test is to be. It is killed at any time, and another one
// goes on with the same files.
type part struct {
	Store string
	Chat  string // address of the chat channel

	// Of the gatekeeper.
	HTTPS          string
	Static         suite.KeyPair
	Certificate    []byte
	CertificateKey []byte
	Keys           []byte // JWK Set of the partner, and of the gatekeeper

	// Of a device.
	User     string
	Pin      []byte
	TokenKey []byte // of the partner; nil for a native user
	To       []ident.Address
	Log      string
}

const partnerName = "https://partner.example"

func (p *part) play() error {
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		return err
	}
	if p.User == "" {
		return p.gatekeeper(s)
	}
	return p.device(s)
}

// keysOf verifies by keys at hand.
type keysOf struct {
	issuer string
	keys   *token.Keys
}

func (k keysOf) Verify(_ context.Context, t, identifier string) (*token.Claims, error) {
	return token.Policy{Issuer: k.issuer, Audience: audience}.Verify(time.Now(), k.keys, t, identifier)
}

func (p *part) gatekeeper(s suite.Suite) error {
	key, err := x509.ParsePKCS8PrivateKey(p.CertificateKey)
	if err != nil {
		return err
	}
	keys, err := token.ParseKeys(p.Keys)
	if err != nil {
		return err
	}
	g, err := New(context.Background(), Config{
		Machine: dma.GatekeeperConfig{Native: ident.User, Reach: dma.DefaultOn}, Store: "sqlite:" + p.Store,
		Certificate: tls.Certificate{Certificate: [][]byte{p.Certificate}, PrivateKey: key},
		Noise:       noise.ServerConfig{Config: noise.Config{Suite: s, Static: p.Static}},
		Partners:    []Partner{{Integrator: 1, Issuer: partnerName, Tokens: keysOf{partnerName, keys}}}, Own: keysOf{audience, keys}, OwnIssuer: audience,
	})
	if err != nil {
		return err
	}
	https, err := net.Listen("tcp", p.HTTPS)
	if err != nil {
		return err
	}
	chat, err := net.Listen("tcp", p.Chat)
	if err != nil {
		return err
	}
	fmt.Println(https.Addr(), chat.Addr())
	go func() { _ = g.ServeHTTPS(https) }()
	return g.ServeChat(chat)
}

// device sends to the others until it is told to be quiet, and logs what was accepted and
// what has come. A line is one write, which a kill leaves whole.
func (p *part) device(s suite.Suite) error {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	st, err := sqlite.Open(p.Store)
	if err != nil {
		return err
	}
	cfg := DeviceConfig{
		Store: st, Adapter: sized.Adapter{}, Suite: s, Address: p.Chat, Trust: noise.Trust{Pin: p.Pin},
		Again: 5 * time.Millisecond, AgainMost: 50 * time.Millisecond,
		Events: func(e dma.Event) {
			switch e.Kind {
			case dma.MessageAccepted:
				receivers := 1
				if !e.Group.IsZero() {
					receivers = 2 // of the three
				}
				_, _ = fmt.Fprintf(log, "accepted %s %d\n", e.ID, receivers)
			case dma.MessageRefused, dma.GivenUp, dma.Undecryptable:
				_, _ = fmt.Fprintf(log, "lost %s %v %s\n", e.ID, e.Kind, e.Reason)
			}
		},
	}
	if p.TokenKey != nil {
		signer, err := token.NewSigner("1", ed25519.PrivateKey(p.TokenKey))
		if err != nil {
			return err
		}
		cfg.Token = func(context.Context) (string, error) { return proof(signer, partnerName, p.User) }
	}
	ctx := context.Background()
	d, err := NewDevice(ctx, cfg)
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	go func() { failed <- d.Run(ctx) }()
	go func() {
		for {
			m, err := d.Receive(ctx)
			if err == nil {
				_, err = fmt.Fprintf(log, "got %d %s %s\n", m.Seq, m.From, m.ID)
			}
			if err == nil {
				err = d.Taken(ctx, m)
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	told := make(chan string)
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			told <- in.Text()
		}
	}()
	fmt.Println("ready")
	for i := 0; ; i++ {
		wait := time.After(3 * time.Millisecond)
		if acks, receipts := d.Waiting(); acks+receipts < 40 {
			to := p.To[i%len(p.To)]
			if _, err := d.Do(ctx, dma.Compose{To: to, Content: dma.Content{Kind: dma.Text, Text: "hello"}}); err != nil {
				return err
			}
		}
		select {
		case err := <-failed:
			return err
		case <-told: // to be quiet
			settled, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			if err := d.Settled(settled, true); err != nil {
				acks, receipts := d.Waiting()
				return fmt.Errorf("%s: %d without acknowledgement, %d without receipt: %w", p.User, acks, receipts, err)
			}
			fmt.Println("settled")
			<-told // to end, once the user has everything
			for {
				d.mu.Lock()
				left := len(d.inbox)
				d.mu.Unlock()
				if left == 0 {
					return d.Close()
				}
				time.Sleep(time.Millisecond)
			}
		case <-wait:
		}
	}
}

func proof(s *token.Signer, issuer, user string) (string, error) {
	return s.Sign(token.Claims{Issuer: issuer, Audience: []string{audience}, Subject: user, Expires: time.Now().Add(time.Hour)})
}

// process is a part that is played.
type process struct {
	t    *testing.T
	part part
	cmd  *exec.Cmd
	in   io.Writer
	out  *bufio.Reader
}

// start plays the part and returns the first line that it says.
func (p *process) start() string {
	p.t.Helper()
	b, err := json.Marshal(p.part)
	must(p.t, err)
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), partVariable+"="+string(b))
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	must(p.t, err)
	out, err := p.cmd.StdoutPipe()
	must(p.t, err)
	p.in, p.out = in, bufio.NewReader(out)
	must(p.t, p.cmd.Start())
	return p.line()
}

func (p *process) line() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("%q has ended: %v", p.part.User, err)
	}
	return strings.TrimSpace(line)
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// TestKill kills gatekeeper and devices at random points under load, with users who write
// to each other and to a group of them all. Each message that was acknowledged comes to its
// user, or to each of them, once, and so does every other one that comes at all.
// MIMI_LAB_KILLS says how many points; the default is few.
func TestKill(t *testing.T) {
	kills := 12
	if testing.Short() {
		kills = 4
	}
	if s := os.Getenv("MIMI_LAB_KILLS"); s != "" {
		var err error
		kills, err = strconv.Atoi(s)
		must(t, err)
	}
	dir := t.TempDir()
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	must(t, err)
	static, err := s.GenerateKeyPair()
	must(t, err)
	_, signing, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := token.NewSigner("1", signing)
	must(t, err)
	document, err := token.Document(signer)
	must(t, err)
	w := &world{t: t}
	cert := w.certificate()
	certKey, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(t, err)

	gk := &process{t: t, part: part{
		Store: filepath.Join(dir, "gatekeeper.db"), HTTPS: "127.0.0.1:0", Chat: "127.0.0.1:0", Static: static,
		Certificate: cert.Certificate[0], CertificateKey: certKey, Keys: document,
	}}
	_, err = fmt.Sscan(gk.start(), &gk.part.HTTPS, &gk.part.Chat)
	must(t, err)
	t.Cleanup(gk.kill)
	all := []*process{gk}
	var addresses []ident.Address
	for i, user := range []string{number, "bob@partner.example", "carol@partner.example"} {
		p := &process{t: t, part: part{
			Store: filepath.Join(dir, fmt.Sprint(i, ".db")), Chat: gk.part.Chat, User: user, Pin: static.Public, Log: filepath.Join(dir, fmt.Sprint(i, ".log")),
		}}
		st, err := sqlite.Open(p.part.Store)
		must(t, err)
		cfg := EnlistConfig{Base: "https://" + gk.part.HTTPS, Roots: w.roots, Store: st, Adapter: sized.Adapter{}, Suite: s, Identifier: user}
		issuer := partnerName
		if i == 0 {
			cfg.Native, issuer = ident.User, audience
		} else {
			p.part.TokenKey = signing
		}
		cfg.Token, err = proof(signer, issuer, user)
		must(t, err)
		a, err := Enlist(t.Context(), cfg)
		must(t, err)
		must(t, st.Close())
		addresses = append(addresses, a)
		all = append(all, p)
	}
	devices := all[1:]
	group := groupOf(t, s, devices[0].part, addresses[1:])
	devices[0].part.To = []ident.Address{addresses[1], group, addresses[2]}
	devices[1].part.To, devices[2].part.To = []ident.Address{addresses[0], group}, []ident.Address{group, addresses[0]}
	for _, p := range devices[1:] { // who can write to it once they know of it
		groupOf(t, s, p.part, nil)
	}
	for _, p := range devices {
		if p.start() != "ready" {
			t.Fatal("not ready")
		}
		t.Cleanup(func() { p.kill() })
	}
	for range kills {
		time.Sleep(time.Duration(mathrand.IntN(120)) * time.Millisecond) // under load, anywhere
		victim := all[mathrand.IntN(len(all))]
		victim.kill()
		victim.start()
	}
	for _, p := range devices {
		_, err := io.WriteString(p.in, "quiet\n")
		must(t, err)
	}
	for _, p := range devices {
		if line := p.line(); line != "settled" {
			t.Fatalf("%s says %q", p.part.User, line)
		}
	}
	for _, p := range devices {
		_, err := io.WriteString(p.in, "end\n")
		must(t, err)
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%s: %v", p.part.User, err)
		}
	}
	count(t, kills, devices, addresses)
}

// groupOf makes a group of a device and others, and returns its address; or, without
// others, waits until the device knows of one.
func groupOf(t *testing.T, s suite.Suite, p part, others []ident.Address) ident.Address {
	t.Helper()
	st, err := sqlite.Open(p.Store)
	must(t, err)
	cfg := DeviceConfig{Store: st, Adapter: sized.Adapter{}, Suite: s, Address: p.Chat, Trust: noise.Trust{Pin: p.Pin}}
	if p.TokenKey != nil {
		signer, err := token.NewSigner("1", ed25519.PrivateKey(p.TokenKey))
		must(t, err)
		cfg.Token = func(context.Context) (string, error) { return proof(signer, partnerName, p.User) }
	}
	d, err := NewDevice(t.Context(), cfg)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	var in dma.Input = dma.FetchGroups{}
	if others != nil {
		in = dma.CreateGroup{Members: others}
	}
	_, err = d.Do(ctx, in)
	must(t, err)
	must(t, d.Settled(ctx, false))
	groups := d.Groups()
	if len(groups) != 1 {
		t.Fatalf("%s is in %d groups, want one", p.User, len(groups))
	}
	cancel()
	<-ended
	must(t, d.Close())
	must(t, st.Close())
	return groups[0].Address
}

// count compares what was accepted with what has come.
func count(t *testing.T, kills int, devices []*process, addresses []ident.Address) {
	t.Helper()
	accepted := map[string]string{}                    // by sender and ID, for how many
	got := map[string]map[string]map[string]struct{}{} // by sender and ID, and receiver, the numbers there
	for i, p := range devices {
		b, err := os.ReadFile(p.part.Log)
		must(t, err)
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			switch f[0] {
			case "accepted":
				accepted[addresses[i].String()+" "+f[1]] = f[2]
			case "got":
				key := f[2] + " " + f[3]
				if got[key] == nil {
					got[key] = map[string]map[string]struct{}{}
				}
				if got[key][p.part.User] == nil {
					got[key][p.part.User] = map[string]struct{}{}
				}
				got[key][p.part.User][f[1]] = struct{}{}
			default:
				t.Errorf("%s: %s", p.part.User, strings.TrimSpace(line))
			}
		}
	}
	var errs []error
	toMany := 0
	for key, receivers := range accepted {
		if receivers != "1" {
			toMany++
		}
		if n := len(got[key]); strconv.Itoa(n) != receivers {
			errs = append(errs, fmt.Errorf("%s was accepted and has come to %d, want %s", key, n, receivers))
		}
	}
	for key, receivers := range got {
		for user, numbers := range receivers {
			if len(numbers) != 1 {
				errs = append(errs, fmt.Errorf("%s has come to %s %d times", key, user, len(numbers)))
			}
		}
	}
	if toMany == 0 {
		errs = append(errs, errors.New("no message to the group was accepted, want some"))
	}
	if len(accepted) < 20 {
		errs = append(errs, fmt.Errorf("%d messages were accepted, want some load", len(accepted)))
	}
	t.Logf("%d kills: %d messages accepted, %d of them to the group; %d have come", kills, len(accepted), toMany, len(got))
	if len(errs) > 0 {
		t.Errorf("%d defects, the first: %v", len(errs), errors.Join(errs[:min(3, len(errs))]...))
	}
}
