package check

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// integrator is the number of the partner that is checked.
const integrator = 1

// run is one run against a partner.
type run struct {
	cfg    Config
	sheet  *verdict.Sheet
	gk     *serve.Gatekeeper
	own    *token.Signer // of the gatekeeper: pushes, and its own users
	a, b   *native
	chat   *cutter
	serves sync.WaitGroup

	*board
	seen seen // guarded by the board
}

// Partner checks a partner's implementation. It returns an error if it can't begin, and with
// a report as far as it got if ctx ends. It closes the listeners of the Config.
func Partner(ctx context.Context, cfg Config) (*Report, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	r := &run{cfg: cfg, sheet: verdict.New(PartnerChecks()), board: newBoard(), seen: newSeen()}
	running, end := context.WithCancel(ctx)
	defer r.serves.Wait()
	defer end()
	stop, err := r.play(running)
	if err != nil {
		return nil, err
	}
	defer stop()
	unreached := r.stages(ctx)
	if ctx.Err() != nil {
		unreached = "interrupted"
	}
	out := &Report{Against: Against, Checked: cfg.Base, Seconds: time.Since(start).Seconds()}
	out.Checks, out.Tally = r.sheet.Seal(unreached)
	return out, ctx.Err()
}

// stages makes the checks, in an order in which each finds what it needs. It returns why
// some were not reached.
func (r *run) stages(ctx context.Context) string {
	for i, s := range []struct {
		milestone string
		run       func(context.Context) string
	}{
		{"identity", r.identities},
		{"chat", r.connection},
		{"messaging", r.messaging},
		{"features", r.features},
		{"messaging", r.offline},
		{"reach", r.reachability},
		{"features", r.blocking},
		{"deletion", r.deletion},
	} {
		if ctx.Err() != nil {
			return "interrupted"
		}
		r.cfg.Progress(s.milestone, i, 8)
		if why := s.run(ctx); why != "" {
			return why
		}
	}
	r.conclude()
	return "nothing was seen of it"
}

// play has the gatekeeper and its users begin.
func (r *run) play(ctx context.Context) (stop func(), err error) {
	g := &r.cfg.Gatekeeper
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	if r.own, err = token.NewSigner("checker-1", private); err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	document, err := token.Document(r.own)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	keys, err := token.ParseKeys(document)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	theirs, err := jwks.New(jwks.Config{
		Base: r.cfg.Base, Roots: r.cfg.Roots, Dial: r.dial(), Timeout: r.cfg.Timeout, Again: 100 * time.Millisecond,
		Policy: token.Policy{Issuer: r.cfg.Issuer, Audience: g.Audience},
	})
	if err != nil {
		return nil, err
	}
	media, dir, err := hosted()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	r.gk, err = serve.New(ctx, serve.Config{
		// Keys run low at once, so that refilling is seen.
		Machine: dma.GatekeeperConfig{Native: ident.User, Reach: dma.PingThenConsent, PingLimit: 10, RefillBelow: 10000},
		// One user is asked for a while to do something before the next thing.
		Limits: serve.Limits{IdleTimeout: 5 * time.Minute}, Certificate: g.Certificate,
		Noise: noise.ServerConfig{Config: noise.Config{Dialect: g.Dialect, Suite: r.cfg.Suite, Static: g.Static}},
		Partners: []serve.Partner{{Integrator: integrator, Issuer: r.cfg.Issuer, Tokens: theirs,
			Pushes: &serve.Pushes{Base: r.cfg.Base, Roots: r.cfg.Roots, Dial: r.dial(), Private: true},
			Media:  &serve.MediaSource{Base: r.cfg.Media, Roots: r.cfg.Roots, Dial: r.dial(), Private: true}}},
		Media: &serve.Media{Store: media, Hosts: []string{onThisMachine(g.HTTPS.Addr())}},
		Own:   &ownUsers{token.Policy{Issuer: ownIssuer, Audience: ownIssuer}, keys}, OwnIssuer: ownIssuer, Signer: r.own,
		Watch: serve.Watch{Enlisted: r.enlisted, Connected: r.connected, Frame: r.frame, Gone: r.gone},
	})
	if err != nil {
		return nil, err
	}
	inside, err := net.Listen("tcp", "127.0.0.1:0") // for the checker's own users
	if err != nil {
		_ = r.gk.Close()
		return nil, fmt.Errorf("check: %w", err)
	}
	r.chat = newCutter(g.Chat)
	r.serves.Go(func() { _ = r.gk.ServeHTTPS(g.HTTPS) })
	r.serves.Go(func() { _ = r.gk.ServeChat(r.chat) })
	r.serves.Go(func() { _ = r.gk.ServeChat(inside) })
	stop = func() {
		_ = r.gk.Close()
		_ = media.Close()
		_ = os.RemoveAll(dir)
	}
	if r.a, err = r.newNative(ctx, r.cfg.Numbers[0], inside.Addr().String()); err == nil {
		r.b, err = r.newNative(ctx, r.cfg.Numbers[1], inside.Addr().String())
	}
	if err == nil {
		_, err = r.a.Do(ctx, dma.AllowApp{Integrator: integrator, Allow: true})
	}
	if err == nil {
		err = r.a.Settled(ctx, false)
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// hosted makes a directory for the media that the checker's users send.
func hosted() (*blob.Store, string, error) {
	dir, err := os.MkdirTemp("", "mimi-lab-check-")
	if err != nil {
		return nil, "", fmt.Errorf("check: %w", err)
	}
	s, err := blob.Open(blob.Config{Dir: dir})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, "", err
	}
	return s, dir, nil
}

// dial is how the partner's server is reached. Who checks says where it is, so that it may
// be anywhere.
func (r *run) dial() func(context.Context, string, string) (net.Conn, error) {
	if r.cfg.Dial != nil {
		return r.cfg.Dial
	}
	return (&net.Dialer{Timeout: r.cfg.Timeout}).DialContext
}

// ownIssuer is who says who the checker's users are.
const ownIssuer = "https://checker.invalid"

// ownUsers verifies that.
type ownUsers struct {
	policy token.Policy
	keys   *token.Keys
}

// Verify implements [serve.Verifier].
func (o *ownUsers) Verify(_ context.Context, t, identifier string) (*token.Claims, error) {
	return o.policy.Verify(time.Now(), o.keys, t, identifier)
}

// await waits until something of what was seen is so, for a time at most.
func (r *run) await(ctx context.Context, most time.Duration, so func(s *seen) bool) bool {
	return r.board.await(ctx, most, func() bool { return so(&r.seen) })
}

// note changes what was seen.
func (r *run) note(change func(s *seen)) { r.board.note(func() { change(&r.seen) }) }

// ask asks the partner's user for something and waits until it is seen. If it is not, the
// checks are not seen.
func (r *run) ask(ctx context.Context, a Ask, so func(s *seen) bool, ids ...string) bool {
	r.cfg.Ask(a)
	if r.await(ctx, r.cfg.Wait, so) {
		return true
	}
	r.unseen(fmt.Sprintf("not seen in %v: %s", r.cfg.Wait, a.Text), ids...)
	return false
}

func (r *run) pass(id, format string, args ...any) { r.sheet.Note(id, verdict.Pass, format, args...) }
func (r *run) fail(id, format string, args ...any) { r.sheet.Note(id, verdict.Fail, format, args...) }

// holds passes a check if ok, and fails it otherwise.
func (r *run) holds(id string, ok bool, good, bad string) {
	if ok {
		r.pass(id, "%s", good)
	} else {
		r.fail(id, "%s", bad)
	}
}

// unseen gives checks that have no verdict the one that nothing was seen, with the reason.
func (r *run) unseen(reason string, ids ...string) {
	for _, id := range ids {
		r.sheet.Note(id, verdict.Skip, "%s", reason)
	}
}
