package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/partner"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	servepartner "github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Who takes part.
const (
	bobName        = "bob"
	aliceName      = "alice"
	partnerName    = "partner.example"
	gatekeeperName = "gatekeeper"
)

// The names by which the two are found.
const (
	bobVisible   = "bob@partner.example"
	aliceVisible = "4915112345678"
)

// stage is the gatekeeper, the partner's server and the two devices, all on the loopback
// interface, with what was sent and seen.
type stage struct {
	ctx     context.Context
	dir     *dmadev.Dir
	adapter protocols.Adapter
	suite   suite.Suite
	gk      *serve.Gatekeeper
	chat    string
	https   string
	bob     *player
	alice   *player
	began   time.Time
	closing []func() // in the order in which it is done
	deleted bool     // Bob's account is gone

	mu     sync.Mutex // guards what follows
	story  *dmaStory
	last   time.Time // when something was sent last
	pushes []string  // the users that the partner was told of
	wire   []byte    // all stanzas
	moved  chan struct{}
}

// player is somebody with a device.
type player struct {
	*stage
	name, visible string
	device        *serve.Device
	partner       *servepartner.Client // nil for the gatekeeper's own
	end           func() error         // of the connection there is, nil without
	ended         chan error

	wrote []string // the texts that the other one is to read
	read  []string
}

// newStage has everything run, without anybody's account.
func newStage(ctx context.Context) (_ *stage, err error) {
	path, err := os.MkdirTemp("", "mimi-lab-demo-")
	if err != nil {
		return nil, err
	}
	s := &stage{ctx: ctx, story: new(dmaStory), began: time.Now(), moved: make(chan struct{}, 1)}
	s.later(func() { _ = os.RemoveAll(path) })
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = dmadev.Make(path, time.Now()); err != nil {
		return nil, err
	}
	if s.suite, err = dmadev.Suite(); err != nil {
		return nil, err
	}
	for _, a := range adapters.All() {
		if s.adapter == nil && strings.HasPrefix(a.Name(), "signal-") {
			s.adapter = a
		}
	}
	s.story.signal = s.adapter.Name()
	if s.adapter.Claims().Modelled {
		s.story.signal += " (modelled: true sizes, no cryptography)"
	}
	if err := s.runGatekeeper(); err != nil {
		return nil, err
	}
	if err := s.runPartner(); err != nil {
		return nil, err
	}
	s.bob = &player{stage: s, name: bobName, visible: bobVisible, partner: &servepartner.Client{
		Base: dmadev.Partner, Roots: s.dir.Roots, Dial: s.dir.DialPartner, User: bobVisible,
	}}
	s.alice = &player{stage: s, name: aliceName, visible: aliceVisible}
	return s, nil
}

// later has something done at the end, before what was to be done so far.
func (s *stage) later(f func()) { s.closing = append([]func(){f}, s.closing...) }

func (s *stage) close() {
	for _, f := range s.closing {
		f()
	}
	s.closing = nil
}

// listen listens on the loopback interface, until the end, and returns where.
func (s *stage) listen(serve func(net.Listener) error) (net.Addr, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = serve(l)
	}()
	s.later(func() { <-done })
	return l.Addr(), nil
}

// runGatekeeper runs the gatekeeper with an agreement with the partner.
func (s *stage) runGatekeeper() error {
	keys, err := jwks.New(jwks.Config{
		Base: dmadev.Partner, Roots: s.dir.Roots, Dial: s.dir.DialPartner, Private: true, Again: time.Millisecond,
		Policy: token.Policy{Issuer: dmadev.Partner, Audience: dmadev.Gatekeeper},
	})
	if err != nil {
		return err
	}
	s.gk, err = serve.New(s.ctx, serve.Config{
		Machine: dma.GatekeeperConfig{Native: ident.User, Reach: dma.DefaultOn, RefillBelow: 5},
		Store:   s.dir.Store(), Certificate: s.dir.TLS, Signer: s.dir.Own, Own: ownUsers{s.dir}, OwnIssuer: dmadev.Gatekeeper,
		Noise:    noise.ServerConfig{Config: noise.Config{Suite: s.suite, Static: s.dir.Noise}},
		Partners: []serve.Partner{{Integrator: dmadev.Integrator, Issuer: dmadev.Partner, Tokens: keys, Pushes: &serve.Pushes{Base: dmadev.Partner, Roots: s.dir.Roots, Private: true, Dial: s.dir.DialPartner}}},
		Watch:    serve.Watch{Frame: s.frame},
	})
	if err != nil {
		return err
	}
	chat, err := s.listen(s.gk.ServeChat)
	if err != nil {
		return err
	}
	https, err := s.listen(s.gk.ServeHTTPS)
	if err != nil {
		return err
	}
	s.later(func() { _ = s.gk.Close() })
	s.beside(keys.Run)
	s.chat, s.https = chat.String(), https.String()
	return s.dir.Announce(dmadev.Addresses{HTTPS: s.https, Chat: s.chat})
}

// beside runs something until the end.
func (s *stage) beside(run func(context.Context)) {
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	s.later(func() { cancel(); <-done })
}

// runPartner runs the partner's server.
func (s *stage) runPartner() error {
	server, keys, err := partner.Development(s.ctx, s.dir, slog.New(slog.DiscardHandler), nil, 0, func(user string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pushes = append(s.pushes, user)
		s.add(dmaMoment{From: gatekeeperName, To: partnerName, What: "POST /push", Stanza: []string{"POST " + serve.PushPath + " " + `{"to":` + strconv.Quote(user) + `}`},
			Gloss: "over HTTPS, with a token that the gatekeeper has signed; it says whom, and not from whom or what"})
	})
	if err != nil {
		return err
	}
	at, err := s.listen(server.Serve)
	if err != nil {
		return err
	}
	s.later(func() { _ = server.Close() })
	s.beside(keys.Run)
	return s.dir.AnnouncePartner(at)
}

// ownUsers verifies the tokens by which the gatekeeper's own users register.
type ownUsers struct{ dir *dmadev.Dir }

// Verify implements [serve.Verifier].
func (o ownUsers) Verify(_ context.Context, t, identifier string) (*token.Claims, error) {
	b, err := token.Document(o.dir.Own)
	if err != nil {
		return nil, err
	}
	keys, err := token.ParseKeys(b)
	if err != nil {
		return nil, err
	}
	return token.Policy{Issuer: dmadev.Gatekeeper, Audience: dmadev.Gatekeeper}.Verify(time.Now(), keys, t, identifier)
}

// section begins a part of the story.
func (s *stage) section(title, about string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.story.sections = append(s.story.sections, &dmaSection{Title: title, About: about})
}

// add takes a moment down. The caller holds the lock.
func (s *stage) add(m dmaMoment) {
	m.At = float64(time.Since(s.began).Microseconds()) / 1e6
	sec := s.story.sections[len(s.story.sections)-1]
	sec.moments = append(sec.moments, m)
	s.last = time.Now()
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

func (s *stage) act(who, does string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(dmaMoment{Does: who + " " + does, who: who})
}

func (s *stage) see(who, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(dmaMoment{Sees: who + " sees: " + what, who: who})
}

// sealing is what Noise and the frame add to a stanza.
const sealing = noise.HeaderSize + noise.Overhead

// frame takes a stanza down.
func (s *stage) frame(a ident.Address, sent bool, data []byte) {
	n, err := stanza.ParseBinary(data)
	if err != nil {
		n = stanza.Node{Tag: err.Error()}
	}
	m := dmaMoment{From: gatekeeperName, To: aliceName, What: what(&n), Stanza: xmlOf(&n), Bytes: len(data) + sealing, ack: acknowledges(&n), Gloss: gloss(&n, !sent)}
	if a.Server == ident.Interop {
		m.To = bobName
	}
	if !sent {
		m.From, m.To = m.To, m.From
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.story.stanzas++
	s.story.bytes += m.Bytes
	s.wire = append(s.wire, data...)
	s.add(m)
}

// quiet is how long nothing is sent until all is taken to have come.
const quiet = 60 * time.Millisecond

// settle waits until everything that is under way has come.
func (s *stage) settle() error {
	for _, p := range []*player{s.bob, s.alice} {
		if p.end != nil {
			if err := p.device.Settled(s.ctx, false); err != nil {
				return err
			}
		}
	}
	for {
		select {
		case <-s.moved:
		case <-time.After(quiet):
			return s.read()
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
}

// read has both read what has come.
func (s *stage) read() error {
	for _, p := range []*player{s.bob, s.alice} {
		if p.device == nil || p.ended == nil {
			continue
		}
		for {
			bounded, cancel := context.WithTimeout(s.ctx, time.Millisecond)
			m, err := p.device.Receive(bounded)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) && s.ctx.Err() == nil {
				break
			}
			if err != nil {
				return err
			}
			if err := p.device.Taken(s.ctx, m); err != nil {
				return err
			}
			p.shown(m)
		}
	}
	return nil
}

func (p *player) shown(m *serve.Received) {
	c := &m.Content
	text := strconv.Quote(c.Text)
	switch {
	case c.Kind == dma.Reaction && c.Text == "":
		text = "the reaction is taken back"
	case c.Kind == dma.Reaction:
		text = "a reaction: " + c.Text
	case c.ReplyTo != "":
		text += ", as an answer"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read = append(p.read, c.Text)
	p.add(dmaMoment{Sees: p.name + " reads: " + text, who: p.name, reads: true})
}

// pushed waits until the partner was told that something waits.
func (s *stage) pushed() error {
	for s.ctx.Err() == nil {
		s.mu.Lock()
		n := len(s.pushes)
		s.mu.Unlock()
		if n > 0 {
			return s.settle()
		}
		time.Sleep(time.Millisecond)
	}
	return context.Cause(s.ctx)
}

// enlist gets the player an account.
func (p *player) enlist() error {
	cfg := serve.EnlistConfig{
		Base: "https://" + p.https, Roots: p.dir.Roots, Store: store.NewMemory(), Adapter: p.adapter, Suite: p.suite, Identifier: p.visible,
	}
	dev := serve.DeviceConfig{
		Store: cfg.Store, Adapter: p.adapter, Suite: p.suite, Address: p.chat, Trust: noise.Trust{Pin: p.dir.Noise.Public},
		Again: 10 * time.Millisecond, AgainMost: 50 * time.Millisecond,
	}
	var err error
	if p.partner == nil {
		p.act(p.name, "registers at the gatekeeper (how its own users do is assumed)")
		cfg.Native = ident.User
		if cfg.Token, err = p.dir.Token(p.visible, time.Now()); err != nil {
			return err
		}
	} else {
		p.act(p.name, "gets a token of the partner's, and enlists with it")
		if err := p.partner.Join(p.ctx, p.dir.Invitation); err != nil {
			return err
		}
		if cfg.Token, err = p.partner.Token(p.ctx); err != nil {
			return err
		}
		dev.Token = p.partner.Token
	}
	a, err := serve.Enlist(p.ctx, cfg)
	if err != nil {
		return err
	}
	p.posted(a, len(cfg.Token))
	if p.device, err = serve.NewDevice(p.ctx, dev); err != nil {
		return err
	}
	p.later(func() { _ = p.device.Close() })
	p.later(func() {
		if p.end != nil {
			_ = p.end()
		}
	})
	return nil
}

// posted takes the enlistment down.
func (p *player) posted(a ident.Address, tokenSize int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.partner == nil {
		p.add(dmaMoment{From: p.name, To: gatekeeperName, What: "POST " + serve.RegisterPath, Stanza: []string{"POST " + serve.RegisterPath, "--> " + a.String()}})
		return
	}
	answer, err := (&enlist.Answer{Login: a}).Marshal()
	if err != nil {
		answer = []byte(err.Error())
	}
	p.add(dmaMoment{From: p.name, To: gatekeeperName, What: "POST " + enlist.Path, Stanza: []string{
		"POST " + enlist.Path + ", a form over TLS 1.3:",
		"  authkey 32 B, e_keytype 1 B, e_regid 4 B, e_ident 32 B, e_skey_id 3 B,",
		fmt.Sprintf("  e_skey_val 32 B, e_skey_sig 64 B, token %d B", tokenSize),
		"--> 200 " + strings.TrimSpace(string(answer)),
	}, Gloss: "authkey is the key that the chat channel will know the device by; the address is what the protocol calls Bob from now on"})
}

// connect has the device run.
func (p *player) connect(does string) {
	p.act(p.name, does)
	ctx, cancel := context.WithCancel(p.ctx)
	p.ended = make(chan error, 1)
	go func(ended chan error) { ended <- p.device.Run(ctx) }(p.ended)
	p.end = func() error { cancel(); return <-p.ended }
}

// disconnect ends that, and waits until the gatekeeper knows.
func (p *player) disconnect() error {
	if p.end == nil {
		return nil
	}
	before := p.gk.Stats().Connected
	p.act(p.name, "goes offline")
	_ = p.end()
	p.end = nil
	for p.ctx.Err() == nil && p.gk.Err() == nil && p.gk.Stats().Connected >= before {
		time.Sleep(time.Millisecond)
	}
	return nil
}

// gone waits until the device has ended by itself, and returns why.
func (p *player) gone() error {
	p.end = nil
	select {
	case err := <-p.ended:
		return err
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

// other is whom the player talks with.
func (p *player) other() *player {
	if p == p.bob {
		return p.alice
	}
	return p.bob
}

func (p *player) write(does string, c dma.Content) (string, error) {
	p.act(p.name, does)
	id, err := p.device.Do(p.ctx, dma.Compose{To: p.other().device.Account(), Content: c})
	if err != nil {
		return "", err
	}
	p.wrote = append(p.wrote, c.Text)
	return id, p.settle()
}

func (p *player) do(does string, in dma.Input) error {
	p.act(p.name, does)
	if _, err := p.device.Do(p.ctx, in); err != nil {
		return err
	}
	if _, last := in.(dma.Delete); last {
		return nil
	}
	return p.settle()
}

// judge holds what was seen against what the interface promises.
func (s *stage) judge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	add := func(promise string, broken []string) {
		s.story.verdict = append(s.story.verdict, finding{promise, len(broken) == 0, broken})
	}
	var broken []string
	blocked := s.bob.wrote[len(s.bob.wrote)-1]
	for _, p := range []*player{s.bob, s.alice} {
		want := p.wrote
		if p == s.bob {
			want = want[:len(want)-1]
		}
		if got := p.other().read; !slices.Equal(got, want) {
			broken = append(broken, fmt.Sprintf("%s wrote %q, %s read %q", p.name, want, p.other().name, got))
		}
	}
	add("Each message is shown once, in order, to whom it is for.", broken)
	broken = nil
	if slices.Contains(s.alice.read, blocked) {
		broken = append(broken, fmt.Sprintf("alice read %q", blocked))
	}
	add("What Bob writes while he is blocked is refused.", broken)
	broken = nil
	if len(s.pushes) == 0 || s.pushes[0] != s.bob.visible {
		broken = append(broken, fmt.Sprintf("pushes for %q", s.pushes))
	}
	add("The partner is told that something waits for Bob while he is away.", broken)
	broken = s.plaintexts()
	add("No stanza and no server's disk has a text or a reaction in the clear.", broken)
	broken = nil
	if !s.deleted {
		broken = append(broken, "bob's device was let in again")
	}
	add("A deleted account is gone.", broken)
}

// plaintexts returns where a text is that servers or the network had.
func (s *stage) plaintexts() (found []string) {
	if s.adapter.Claims().Modelled {
		return nil // there is nothing to hide it
	}
	var texts []string
	for _, t := range append(slices.Clone(s.bob.wrote), s.alice.wrote...) {
		if t != "" {
			texts = append(texts, t)
		}
	}
	look := func(where string, b []byte) {
		for _, t := range texts {
			if bytes.Contains(b, []byte(t)) {
				found = append(found, fmt.Sprintf("%q in %s", t, where))
			}
		}
	}
	look("a stanza", s.wire)
	err := filepath.WalkDir(s.dir.Path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		look(filepath.Base(path), b)
		return err
	})
	if err != nil {
		found = append(found, err.Error())
	}
	return found
}
