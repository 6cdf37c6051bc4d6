package check

import (
	"context"
	"fmt"
	"io"
	"log"
	"sync/atomic"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// discard is where servers log what clients do to them.
var discard = log.New(io.Discard, "", 0)

// run is one run.
type run struct {
	cfg   Config
	suite suite.Suite
	b, c  *peer // c is nil with one peer
	added bool  // c's user was added to the room
	guest *raw  // of b, who can be invited; nil if nobody is waited for
	asked atomic.Bool

	directory *mimi.Directory
	asset     []byte // as the proxy gave it
	stopped   string // why nothing more can be checked
	sheet     *verdict.Sheet
}

// now is the time of the machines.
func (r *run) now() time.Time { return time.Now() }

// Run checks a provider. It returns an error if it can't begin, and with a report as far
// as it got if ctx ends. Who gave them closes the listeners of the Config.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	r := &run{cfg: cfg, sheet: verdict.New(checks)}
	if r.suite, err = suite.NewStd(suite.X25519AES128GCMSHA256Ed25519); err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	for i := range cfg.Peers {
		// The first is invited by its guest, the second is added by the first.
		p, err := newPeer(r, &cfg.Peers[i], 5*i)
		if err != nil {
			return nil, err
		}
		defer p.close()
		if i > 0 {
			r.c = p
		} else if r.b, r.guest, err = p, nil, nil; cfg.Wait > 0 {
			if r.guest, err = newGuest(p); err != nil {
				return nil, err
			}
		}
	}
	bounded, cancel := context.WithTimeout(ctx, cfg.Deadline+cfg.Wait)
	defer cancel()
	r.stages(bounded)
	if r.stopped == "" && bounded.Err() != nil {
		r.stopped = fmt.Sprintf("not reached in %v", cfg.Deadline+cfg.Wait)
	}
	if ctx.Err() != nil {
		r.stopped = "interrupted"
	}
	return r.report(time.Since(start)), ctx.Err()
}

// stages makes the checks, in an order in which each finds what it needs.
func (r *run) stages(ctx context.Context) {
	list := []struct {
		name string
		run  func(context.Context)
	}{
		{"directory", r.checkDirectory},
		{"transport", r.checkTransport},
		{"bodies", r.checkBodies},
		{"identifierQuery", r.checkIdentifierQuery},
		{"consent", r.checkConsent},
		{"keyMaterial", r.checkKeyMaterial},
		{"notify", r.checkFollower},
		{"room", r.checkRoom},
		{"proxyDownload", r.checkDownload},
		{"oblivious", r.checkOblivious},
	}
	for i, s := range list {
		if r.stopped != "" || ctx.Err() != nil {
			return
		}
		r.cfg.Progress(s.name, i, len(list))
		s.run(ctx)
	}
	r.checkInboxes()
	if r.verdict("transport.calls-from") == "" {
		r.skip("the provider has asked the checker for nothing", "transport.calls-certificate", "transport.calls-from", "transport.calls-host")
	}
}

// checkInboxes looks at all that came to notify.
func (r *run) checkInboxes() {
	came := 0
	for _, p := range []*peer{r.b, r.c} {
		if p == nil {
			continue
		}
		p.mu.Lock()
		for i := range p.inbox {
			n := &p.inbox[i]
			if came++; n.err != nil {
				r.fail("notify.body", "%v", n.err)
			}
		}
		p.mu.Unlock()
	}
	if came == 0 {
		r.skip("nothing came", "notify.body")
		return
	}
	r.pass("notify.body", "%d requests", came)
}

// unreached is why a check has no verdict.
func (r *run) unreached() string {
	if r.stopped != "" {
		return r.stopped
	}
	return "a check before it failed"
}
