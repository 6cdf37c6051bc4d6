package demo

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/partner"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	servepartner "github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Who takes part.
const (
	bobName        = "bob"
	aliceName      = "alice"
	carolName      = "carol"
	partnerName    = "partner.example"
	gatekeeperName = "gatekeeper"
)

// The names by which they are found.
const (
	bobVisible   = "bob@partner.example"
	aliceVisible = "4915112345678"
	carolVisible = "carol@partner.example"
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
	players []*player
	bob     *player
	alice   *player
	carol   *player
	began   time.Time
	closing []func() // in the order in which it is done
	deleted bool     // Bob's account is gone

	mu      sync.Mutex // guards what follows
	story   *dmaStory
	last    time.Time // when something was sent last
	names   map[ident.Address]string
	pushes  []string // the users that the partner was told of
	secrets [][]byte // what no server may have in the clear
	spoiled []string // media that did not arrive as they were sent
	wire    []byte   // all stanzas
	moved   chan struct{}
}

// newStage has everything run, without anybody's account.
func newStage(ctx context.Context) (_ *stage, err error) {
	path, err := os.MkdirTemp("", "mimi-lab-demo-")
	if err != nil {
		return nil, err
	}
	s := &stage{ctx: ctx, story: new(dmaStory), began: time.Now(), names: make(map[ident.Address]string), moved: make(chan struct{}, 1)}
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
	s.bob = s.player(bobName, bobVisible)
	s.alice = s.player(aliceName, aliceVisible)
	s.carol = s.player(carolName, carolVisible)
	return s, nil
}

// player returns somebody who is to have a device: of the partner, unless the name is a
// number.
func (s *stage) player(name, visible string) *player {
	p := &player{stage: s, name: name, visible: visible}
	if !dmadev.Native(visible) {
		p.partner = &servepartner.Client{Base: dmadev.Partner, Roots: s.dir.Roots, Dial: s.dir.DialPartner, User: visible}
	}
	s.players = append(s.players, p)
	return p
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
	s.serve(l, serve)
	return l.Addr(), nil
}

// serve serves on a listener until that ends.
func (s *stage) serve(l net.Listener, serve func(net.Listener) error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = serve(l)
	}()
	s.later(func() { <-done })
}

// dialForMedia connects the gatekeeper's media host with the partner's.
func (s *stage) dialForMedia(ctx context.Context, network, address string) (net.Conn, error) {
	s.transfer(gatekeeperName, partnerName, "GET "+servepartner.MediaPath+"/{storage_ref}", 0, "the gatekeeper passes the ciphertext on, which is all it sees")
	return s.dir.DialPartner(ctx, network, address)
}

// transfer takes down a request to a media host.
func (s *stage) transfer(from, to, request string, size int64, gloss string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what, _, _ := strings.Cut(request, "?")
	s.add(dmaMoment{From: from, To: to, What: shorten(what), Stanza: []string{request}, Bytes: int(size), Gloss: gloss})
}

// shorten leaves of a request what fits on an arrow.
func shorten(what string) string {
	method, path, _ := strings.Cut(what, " ")
	if len(what) <= 24 {
		return what
	}
	return method + " " + path[:strings.Index(path[1:], "/")+1] + "/..."
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
	https, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.later(func() { _ = https.Close() })
	ciphertexts, err := blob.Open(blob.Config{Dir: s.dir.Media()})
	if err != nil {
		return err
	}
	s.later(func() { _ = ciphertexts.Close() })
	s.gk, err = serve.New(s.ctx, serve.Config{
		Machine: dma.GatekeeperConfig{Native: ident.User, Reach: dma.DefaultOn, RefillBelow: 5},
		Store:   s.dir.Store(), Certificate: s.dir.TLS, Signer: s.dir.Own, Own: ownUsers{s.dir}, OwnIssuer: dmadev.Gatekeeper,
		Noise: noise.ServerConfig{Config: noise.Config{Suite: s.suite, Static: s.dir.Noise}},
		Partners: []serve.Partner{{
			Integrator: dmadev.Integrator, Issuer: dmadev.Partner, Tokens: keys,
			Pushes: &serve.Pushes{Base: dmadev.Partner, Roots: s.dir.Roots, Private: true, Dial: s.dir.DialPartner},
			Media:  &serve.MediaSource{Base: dmadev.Partner + servepartner.MediaPath, Roots: s.dir.Roots, Private: true, Dial: s.dialForMedia},
		}},
		Media: &serve.Media{Store: ciphertexts, Hosts: []string{https.Addr().String()}},
		Watch: serve.Watch{Frame: s.frame},
	})
	if err != nil {
		return err
	}
	chat, err := s.listen(s.gk.ServeChat)
	if err != nil {
		return err
	}
	s.serve(https, s.gk.ServeHTTPS)
	s.later(func() { _ = s.gk.Close() })
	s.beside(keys.Run)
	s.chat, s.https = chat.String(), https.Addr().String()
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
	m := dmaMoment{From: gatekeeperName, What: what(&n), Stanza: xmlOf(&n), Bytes: len(data) + sealing, ack: acknowledges(&n), Gloss: gloss(&n, !sent)}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.To = s.names[a]
	if !sent {
		m.From, m.To = m.To, m.From
	}
	s.story.stanzas++
	s.story.bytes += m.Bytes
	s.wire = append(s.wire, data...)
	s.add(m)
}

// quiet is how long nothing is sent until all is taken to have come.
const quiet = 60 * time.Millisecond

// settle waits until everything that is under way has come.
func (s *stage) settle() error {
	for _, p := range s.players {
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

// read has all read what has come.
func (s *stage) read() error {
	for _, p := range s.players {
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
			if err := p.shown(m); err != nil {
				return err
			}
		}
	}
	return nil
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
