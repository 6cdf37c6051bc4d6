package chat

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/bench"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Who signs tokens, and for whom.
const (
	partner    = "https://partner.example"
	gatekeeper = "https://gatekeeper.example"
)

// world is a gatekeeper and an echo on loopback, with devices.
type world struct {
	ctx      context.Context
	stop     context.CancelCauseFunc // at what must not happen
	dir      string
	store    Store
	underWay int
	size     int

	suite   suite.Suite
	noise   noise.ServerConfig
	gk      *serve.Gatekeeper
	disk    *bench.TimedStore
	signer  *token.Signer
	https   *http.Client
	enlists string // the enlistment server's URL
	chat    string // addresses
	echo    net.Listener

	pairs   []*pair
	echoers []*echoer
	frame   int            // bytes of a message's stanza
	epoch   time.Time      // all times are since then
	done    sync.WaitGroup // for devices to have all of a round
	running sync.WaitGroup

	before float64 // bytes of memory without connections; then without those to the gatekeeper
	idle   float64 // for each of these
}

// verifier verifies by keys at hand.
type verifier struct {
	token.Policy
	keys *token.Keys
}

// Verify implements [serve.Verifier].
func (v verifier) Verify(_ context.Context, jwt, identifier string) (*token.Claims, error) {
	return v.Policy.Verify(time.Now(), v.keys, jwt, identifier)
}

// build starts everything.
func (w *world) build(pairs int) error {
	w.epoch = time.Now()
	var err error
	if w.suite, err = suite.NewStd(suite.X25519AES128GCMSHA256Ed25519); err != nil {
		return err
	}
	if bench.Part("gatekeeper", func() { err = w.start(2 * pairs) }); err != nil {
		return err
	}
	if w.echo, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	bench.Part("echo", func() { w.running.Go(func() { w.serveEcho(w.echo) }) })
	bench.Part("devices", func() { err = w.populate(pairs) })
	return err
}

// start runs the gatekeeper.
func (w *world) start(devices int) error {
	static, err := w.suite.GenerateKeyPair()
	if err != nil {
		return err
	}
	w.noise = noise.ServerConfig{Config: noise.Config{Suite: w.suite, Static: static}}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if w.signer, err = token.NewSigner("1", private); err != nil {
		return err
	}
	document, err := token.Document(w.signer)
	if err != nil {
		return err
	}
	keys, err := token.ParseKeys(document)
	if err != nil {
		return err
	}
	ca, err := localca.New("bench chat", time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	if err != nil {
		return err
	}
	cert, err := ca.Issue(localca.Leaf{IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Starts: time.Now().Add(-time.Hour), Ends: time.Now().Add(24 * time.Hour)})
	if err != nil {
		return err
	}
	w.https = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: ca.Pool()}}}
	var disk store.Store = store.NewMemory()
	if w.store == SQLite {
		if disk, err = sqlite.Open(filepath.Join(w.dir, "gatekeeper")); err != nil {
			return err
		}
	}
	w.disk = &bench.TimedStore{Store: disk}
	w.gk, err = serve.New(w.ctx, serve.Config{
		Machine: dma.GatekeeperConfig{Native: ident.User, Reach: dma.DefaultOn, Volatile: w.store == None}, Opened: w.disk, Certificate: cert, Noise: w.noise,
		Partners: []serve.Partner{{Integrator: 1, Issuer: partner, Tokens: verifier{token.Policy{Issuer: partner, Audience: gatekeeper}, keys}}},
		Own:      verifier{token.Policy{Issuer: gatekeeper, Audience: gatekeeper}, keys}, OwnIssuer: gatekeeper,
		// The devices say nothing while others get connected.
		Limits: serve.Limits{Connections: devices, IdleTimeout: time.Hour},
	})
	if err != nil {
		return errors.Join(err, disk.Close())
	}
	https, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	chat, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, https.Close())
	}
	w.enlists, w.chat = "https://"+https.Addr().String(), chat.Addr().String()
	w.running.Go(func() { _ = w.gk.ServeHTTPS(https) })
	w.running.Go(func() { _ = w.gk.ServeChat(chat) })
	return nil
}

// populate enlists and connects the devices.
func (w *world) populate(pairs int) error {
	w.pairs = make([]*pair, pairs)
	err := each(pairs, func(i int) error {
		p := &pair{w: w, number: uint64(i), payload: make([]byte, w.size), began: make([]time.Duration, w.underWay)}
		var err error
		if p.sender, err = w.enlist(partner, enlist.Path, fmt.Sprintf("user%d@partner.example", i)); err != nil {
			return err
		}
		if p.receiver, err = w.enlist(gatekeeper, serve.RegisterPath, strconv.Itoa(4915100000000+i)); err != nil {
			return err
		}
		w.pairs[i] = p
		return nil
	})
	if err != nil {
		return err
	}
	w.https.CloseIdleConnections()
	w.before = memory()
	err = each(2*pairs, func(i int) error {
		p := w.pairs[i/2]
		d, take := p.sender, p.takeSender
		if i%2 == 1 {
			d, take = p.receiver, p.takeReceiver
		}
		var err error
		if d.link, err = w.connect(w.chat, d); err == nil {
			w.listen(d.link, take)
		}
		return err
	})
	if err != nil {
		return err
	}
	for w.gk.Stats().Connected < 2*pairs {
		select {
		case <-time.After(time.Millisecond):
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		}
	}
	w.idle = w.perConnection()
	frame, err := stanza.AppendBinary(nil, w.pairs[0].message(1000).Node())
	if err != nil {
		return err
	}
	w.frame = len(frame)
	with := memory()
	w.echoers = make([]*echoer, 2*pairs)
	err = each(2*pairs, func(i int) error {
		e := &echoer{w: w, plain: make([]byte, w.frame)}
		var err error
		if e.link, err = w.connect(w.echo.Addr().String(), w.pairs[i/2].sender); err == nil {
			w.listen(e.link, e.take)
		}
		w.echoers[i] = e
		return err
	})
	w.before += memory() - with
	return err
}

// each calls f with each number below n, some at once.
func each(n int, f func(i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	slots := make(chan struct{}, 16)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = f(i)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// listen has what comes be taken. Once the run is over, that ends.
func (w *world) listen(l *link, take func([]byte) error) {
	w.running.Go(func() {
		if err := l.listen(take); w.ctx.Err() == nil {
			w.stop(fmt.Errorf("a device: %w", err))
		}
	})
}

// jwt is the proof of who a user is.
func (w *world) jwt(issuer, user string) (string, error) {
	return w.signer.Sign(token.Claims{Issuer: issuer, Audience: []string{gatekeeper}, Subject: user, Expires: time.Now().Add(time.Hour)})
}

// enlist makes the device of a user. What it would encrypt with is made up, since it
// encrypts nothing.
func (w *world) enlist(issuer, path, user string) (*device, error) {
	d := &device{user: user, dec: stanza.Decoder{Reuse: true}}
	var err error
	if d.static, err = w.suite.GenerateKeyPair(); err != nil {
		return nil, err
	}
	f := &enlist.Form{AuthKey: [32]byte(d.static.Public), RegistrationID: 1, SignedPreKeyID: 1, Identifier: user, Version: enlist.Version}
	if f.Token, err = w.jwt(issuer, user); err != nil {
		return nil, err
	}
	body, err := enlist.Names{}.Encode(f)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.enlists+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := w.https.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	if path == serve.RegisterPath && resp.StatusCode == http.StatusNoContent { // a native user's address is the number
		d.account = ident.Address{User: user, Server: ident.User}
		return d, nil
	}
	a, err := enlist.ParseAnswer(body)
	if err == nil && a.Reason != "" {
		err = fmt.Errorf("enlisting %s: %v", user, a.Reason)
	}
	d.account = a.Login
	return d, err
}

// connect connects a device to the gatekeeper or the echo, which look alike until the
// handshake is done.
func (w *world) connect(address string, d *device) (*link, error) {
	nc, err := new(net.Dialer).DialContext(w.ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	l := newLink(nc)
	if err := w.handshake(l, d); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return l, nil
}

func (w *world) handshake(l *link, d *device) error {
	number, err := strconv.ParseUint(d.account.User, 10, 64)
	if err != nil {
		return fmt.Errorf("account %v: %w", d.account, err)
	}
	payload := &noise.ClientPayload{Username: number}
	if d.account.Server == ident.Interop {
		jwt, err := w.jwt(partner, d.user)
		if err != nil {
			return err
		}
		payload = &noise.ClientPayload{Product: noise.ProductInterop, AccountID: number, Token: []byte(jwt)}
	}
	cfg := noise.Config{Suite: w.suite, Static: d.static}
	l.channel, err = noise.Connect(l.r, l.nc, time.Now(), cfg, noise.Trust{Pin: w.noise.Static.Public}, payload)
	return err
}

// memory returns how many bytes of memory are in use.
func memory() float64 {
	runtime.GC()
	runtime.GC() // what the first one has finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

// perConnection returns how many bytes of memory there are for each connection to the
// gatekeeper, both ends of it.
func (w *world) perConnection() float64 {
	return (memory() - w.before) / float64(2*len(w.pairs))
}

// close stops everything.
func (w *world) close() (err error) {
	w.stop(nil)
	if w.echo != nil {
		err = w.echo.Close()
	}
	for _, e := range w.echoers {
		if e != nil && e.link != nil {
			_ = e.nc.Close()
		}
	}
	for _, p := range w.pairs {
		if p == nil {
			continue
		}
		for _, d := range []*device{p.sender, p.receiver} {
			if d.link != nil {
				_ = d.nc.Close()
			}
		}
	}
	if w.gk != nil {
		err = errors.Join(err, w.gk.Close(), w.disk.Close())
	}
	w.running.Wait()
	return err
}
