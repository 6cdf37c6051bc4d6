package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// world is a gatekeeper on the loopback interface, its partner's tokens and some devices.
type world struct {
	t      testing.TB
	ctx    context.Context
	cfg    Config
	gk     *Gatekeeper
	store  store.Store
	suite  suite.Suite
	roots  *x509.CertPool
	https  string
	chat   string
	serves sync.WaitGroup

	partner, other, own *issuer
	silent              *issuer // a partner whose keys never come, in abuse
}

// issuer is who signs tokens.
type issuer struct {
	t      testing.TB
	name   string
	signer *token.Signer
	keys   *token.Keys

	mu   sync.Mutex
	down error // what Verify returns, if it is not nil
}

const audience = "https://gatekeeper.example"

func newIssuer(t testing.TB, name string) *issuer {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	i := &issuer{t: t, name: name}
	i.signer, err = token.NewSigner("1", k)
	must(t, err)
	b, err := token.Document(i.signer)
	must(t, err)
	i.keys, err = token.ParseKeys(b)
	must(t, err)
	return i
}

func (i *issuer) Verify(_ context.Context, tok, identifier string) (*token.Claims, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down != nil {
		return nil, i.down
	}
	return token.Policy{Issuer: i.name, Audience: audience}.Verify(time.Now(), i.keys, tok, identifier)
}

func (i *issuer) token(user string, lifetime time.Duration) string {
	i.t.Helper()
	tok, err := i.signer.Sign(token.Claims{Issuer: i.name, Audience: []string{audience}, Subject: user, Expires: time.Now().Add(lifetime)})
	must(i.t, err)
	return tok
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t testing.TB, set func(*Config)) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	must(t, err)
	w := &world{
		t: t, ctx: ctx, suite: s, store: store.NewMemory(),
		partner: newIssuer(t, "https://partner.example"), other: newIssuer(t, "https://other.example"), own: newIssuer(t, audience),
	}
	static, err := s.GenerateKeyPair()
	must(t, err)
	cert := w.certificate()
	w.cfg = Config{
		Machine: dma.GatekeeperConfig{Native: ident.User, Reach: dma.DefaultOn}, Opened: w.store, Certificate: cert,
		Noise:    noise.ServerConfig{Config: noise.Config{Suite: s, Static: static}},
		Partners: []Partner{{Integrator: 1, Issuer: w.partner.name, Tokens: w.partner}, {Integrator: 2, Issuer: w.other.name, Tokens: w.other}},
		Own:      w.own, OwnIssuer: w.own.name,
	}
	if set != nil {
		set(&w.cfg)
	}
	w.start()
	t.Cleanup(w.stop)
	return w
}

// certificate makes one for 127.0.0.1 that is its own authority.
func (w *world) certificate() tls.Certificate {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(w.t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	must(w.t, err)
	parsed, err := x509.ParseCertificate(der)
	must(w.t, err)
	w.roots = x509.NewCertPool()
	w.roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
}

// start makes the gatekeeper of the store and has it listen where it did before.
func (w *world) start() {
	w.t.Helper()
	listen := func(at string) net.Listener {
		if at == "" {
			at = "127.0.0.1:0"
		}
		l, err := net.Listen("tcp", at)
		must(w.t, err)
		return l
	}
	https, chat := listen(w.https), listen(w.chat)
	w.https, w.chat = https.Addr().String(), chat.Addr().String()
	if w.cfg.Media != nil {
		w.cfg.Media.Hosts = []string{w.https}
	}
	gk, err := New(w.ctx, w.cfg)
	must(w.t, err)
	w.gk = gk
	w.serves.Go(func() { _ = gk.ServeHTTPS(https) })
	w.serves.Go(func() { _ = gk.ServeChat(chat) })
}

// stop ends the gatekeeper at once.
func (w *world) stop() {
	_ = w.gk.Close()
	w.serves.Wait()
}

// phone is a device with its store.
type phone struct {
	*Device
	w     *world
	cfg   DeviceConfig
	store store.Store
	end   context.CancelFunc
	ended chan error
}

func (w *world) enlistConfig(s store.Store, user string, i *issuer) EnlistConfig {
	return EnlistConfig{
		Base: "https://" + w.https, Roots: w.roots, Store: s, Adapter: sized.Adapter{}, Suite: w.suite,
		Identifier: user, Token: i.token(user, time.Hour),
	}
}

// enlist makes a device of a partner's user, or a native one if i is the gatekeeper's own.
func (w *world) enlist(user string, i *issuer) *phone {
	w.t.Helper()
	p := &phone{w: w, store: store.NewMemory()}
	cfg := w.enlistConfig(p.store, user, i)
	if i == w.own {
		cfg.Native = ident.User
	}
	_, err := Enlist(w.ctx, cfg)
	must(w.t, err)
	p.cfg = DeviceConfig{
		Store: p.store, Adapter: sized.Adapter{}, Suite: w.suite, Address: w.chat,
		Dialect: w.cfg.Noise.Dialect, Trust: noise.Trust{Pin: w.cfg.Noise.Static.Public}, Again: time.Millisecond, AgainMost: 20 * time.Millisecond,
	}
	if i != w.own {
		p.cfg.Token = func(context.Context) (string, error) { return i.token(user, time.Hour), nil }
	}
	p.open()
	return p
}

// open makes the device of its store.
func (p *phone) open() {
	p.w.t.Helper()
	d, err := NewDevice(p.w.ctx, p.cfg)
	must(p.w.t, err)
	p.Device = d
	p.w.t.Cleanup(func() { _ = d.Close() })
}

// connect has the device run.
func (p *phone) connect() *phone {
	ctx, cancel := context.WithCancel(p.w.ctx)
	p.end, p.ended = cancel, make(chan error, 1)
	d, ended := p.Device, p.ended
	go func() { ended <- d.Run(ctx) }()
	p.w.t.Cleanup(func() { p.disconnect() })
	return p
}

// disconnect ends that, and waits for it.
func (p *phone) disconnect() {
	if p.end == nil {
		return
	}
	p.end()
	<-p.ended
	p.end = nil
}

// gone waits for the device to end by itself, and returns why.
func (p *phone) gone() error {
	err := <-p.ended
	p.end = nil
	return err
}

func (p *phone) send(to *phone, text string) {
	p.w.t.Helper()
	_, err := p.Do(p.w.ctx, dma.Compose{To: to.Account(), Content: dma.Content{Kind: dma.Text, Text: text}})
	must(p.w.t, err)
}

// want takes messages from the inbox and compares them.
func (p *phone) want(from *phone, texts ...string) {
	p.w.t.Helper()
	for _, text := range texts {
		m, err := p.Receive(p.w.ctx)
		must(p.w.t, err)
		if m.Content.Text != text || m.From != from.Account() {
			p.w.t.Errorf("%v got %q from %v, want %q from %v", p.Account(), m.Content.Text, m.From, text, from.Account())
		}
		must(p.w.t, p.Taken(p.w.ctx, m))
	}
}
