package serve

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"
)

// MediaLimits are bounds on transfers of media; zero values mean the defaults. All assumed.
type MediaLimits struct {
	Transfers  int // at once; default 64
	PerUser    int // of one user at once; default 4
	PerPartner int // of what one partner hosts at once, so that a slow one leaves room; default 16
	// Of Transfers, those under one partner's agreement, what it hosts and what its users get,
	// are at most half.

	Stall   time.Duration // for a peer that sends or takes nothing; default 20 s
	Timeout time.Duration // of a transfer; default 10 min
}

// DefaultMediaLimits returns the defaults.
func DefaultMediaLimits() MediaLimits { return MediaLimits{}.orDefault() }

func (l MediaLimits) orDefault() MediaLimits {
	l.Transfers = cmp.Or(l.Transfers, 64)
	l.PerUser = cmp.Or(l.PerUser, 4)
	l.PerPartner = cmp.Or(l.PerPartner, 16)
	l.Stall = cmp.Or(l.Stall, 20*time.Second)
	l.Timeout = cmp.Or(l.Timeout, 10*time.Minute)
	return l
}

// Why a transfer does not begin, or ends.
var (
	errTransfers = errors.New("too many transfers of media at once")
	errTooSlow   = errors.New("the transfer took too long")
	errRevoked   = errors.New("the partner's agreement has ended")
	errUserGone  = errors.New("the user has no account any more")
)

// transfers are those under way at a media host.
type transfers struct {
	limits MediaLimits

	mu      sync.Mutex // guards what follows
	running map[*transfer]struct{}
	closed  error
}

// transfer is one of them. A party is whom it is counted for and ended with: a user, a
// partner.
type transfer struct {
	parties []party
	end     context.CancelCauseFunc
}

// party is whom transfers are counted for, and of how many there may be at once.
type party struct {
	name string
	most int
}

func newTransfers(l MediaLimits) *transfers {
	return &transfers{limits: l.orDefault(), running: map[*transfer]struct{}{}}
}

func (t *transfers) user(name string) party    { return party{"user " + name, t.limits.PerUser} }
func (t *transfers) partner(name string) party { return party{"partner " + name, t.limits.PerPartner} }

// serve has f answer a request, if there is room for a transfer. The context of f's request
// ends with that of r, when one of the parties is ended, and when it takes too long; what f
// reads and writes ends with it, and the answer breaks off, so that nobody takes it for whole.
func (t *transfers) serve(w http.ResponseWriter, r *http.Request, f http.HandlerFunc, parties ...party) {
	ctx, done, err := t.begin(r.Context(), parties...)
	if err != nil {
		w.Header().Set("Retry-After", "5")
		refuseBody(w, r, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer done()
	p := &paced{ResponseWriter: w, ctl: http.NewResponseController(w), stall: t.limits.Stall}
	stop := context.AfterFunc(ctx, p.cut)
	defer stop()
	// Those of the server go on while the body is read, and after it, and end the answer.
	p.move(func(time.Time) error {
		return errors.Join(p.ctl.SetReadDeadline(time.Time{}), p.ctl.SetWriteDeadline(time.Time{}))
	})
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &pacedBody{p, r.Body}
	}
	f(p, r)
	p.move(p.ctl.SetWriteDeadline) // for what the server has not sent yet
	if ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
}

// refuseBody answers without reading the body, which the server would otherwise wait for.
func refuseBody(w http.ResponseWriter, r *http.Request, code int, why string) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	http.Error(w, why, code)
}

// begin counts a transfer, if there is room for it. done must be called at its end.
func (t *transfers) begin(ctx context.Context, parties ...party) (_ context.Context, done func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed != nil {
		return nil, nil, t.closed
	}
	if len(t.running) >= t.limits.Transfers {
		return nil, nil, errTransfers
	}
	for _, p := range parties {
		n := 0
		for other := range t.running {
			if other.of(p.name) {
				n++
			}
		}
		if n >= p.most {
			return nil, nil, errTransfers
		}
	}
	ctx, end := context.WithCancelCause(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, t.limits.Timeout, errTooSlow)
	tr := &transfer{parties, end}
	t.running[tr] = struct{}{}
	return ctx, func() {
		cancel()
		end(nil)
		t.mu.Lock()
		delete(t.running, tr)
		t.mu.Unlock()
	}, nil
}

func (tr *transfer) of(name string) bool {
	for _, p := range tr.parties {
		if p.name == name {
			return true
		}
	}
	return false
}

// stop ends the transfers of a party. Those that begin from now on are for the caller to
// refuse.
func (t *transfers) stop(p party, why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for tr := range t.running {
		if tr.of(p.name) {
			tr.end(why)
		}
	}
}

// close ends all and lets none begin.
func (t *transfers) close(why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = why
	for tr := range t.running {
		tr.end(why)
	}
}

// count is how many are under way.
func (t *transfers) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.running)
}

// paced is an answer whose peer must go on taking, as that of pacedBody must go on sending.
// The deadlines replace those of the server, which are for requests of a moment.
type paced struct {
	http.ResponseWriter
	ctl   *http.ResponseController
	stall time.Duration

	mu    sync.Mutex // guards what follows, and that no deadline is moved after the end
	ended bool
}

// cut ends a read and a write under way.
func (p *paced) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	past := time.Unix(1, 0)
	_ = p.ctl.SetReadDeadline(past)
	_ = p.ctl.SetWriteDeadline(past)
}

// move gives the peer time again, by one of the setters of deadlines.
func (p *paced) move(set func(time.Time) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		_ = set(time.Now().Add(p.stall))
	}
}

func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *paced) Write(b []byte) (int, error) {
	runtime.Gosched() // a transfer has much to compute, and messages are in more of a hurry
	p.move(p.ctl.SetWriteDeadline)
	return p.ResponseWriter.Write(b)
}

type pacedBody struct {
	p *paced
	io.ReadCloser
}

func (b *pacedBody) Read(to []byte) (int, error) {
	runtime.Gosched()
	b.p.move(b.p.ctl.SetReadDeadline)
	n, err := b.ReadCloser.Read(to)
	if err != nil {
		b.p.move(func(time.Time) error { return b.p.ctl.SetReadDeadline(time.Time{}) })
	}
	return n, err
}
