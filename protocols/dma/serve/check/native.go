package check

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// native is a user of the checker's gatekeeper, with a device.
type native struct {
	*serve.Device
	r      *run
	number string
	spoils *atomic.Bool // the next message is sealed wrong

	// Guarded by run.mu.
	inbox  []*serve.Received
	events map[string]dma.Event // the last of a kind about a message, and about any
}

// newNative makes a user who is connected.
func (r *run) newNative(ctx context.Context, number, chat string) (*native, error) {
	n := &native{r: r, number: number, spoils: new(atomic.Bool), events: map[string]dma.Event{}}
	adapter := spoiling{r.cfg.Adapter, n.spoils}
	now := time.Now()
	proof, err := r.own.Sign(token.Claims{Issuer: ownIssuer, Audience: []string{ownIssuer}, Subject: number, IssuedAt: now, Expires: now.Add(time.Hour)})
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	st := store.NewMemory()
	// Whatever the listener's address is, it is on this machine too.
	base := "https://" + onThisMachine(r.cfg.Gatekeeper.HTTPS.Addr())
	if _, err := serve.Enlist(ctx, serve.EnlistConfig{
		Base: base, Roots: r.cfg.Gatekeeper.Roots, Store: st, Adapter: adapter, Suite: r.cfg.Suite, Identifier: number, Token: proof, Native: ident.User,
	}); err != nil {
		return nil, fmt.Errorf("check: the checker's own user: %w", err)
	}
	n.Device, err = serve.NewDevice(ctx, serve.DeviceConfig{
		Store: st, Adapter: adapter, Suite: r.cfg.Suite, Address: chat, Dialect: r.cfg.Gatekeeper.Dialect,
		Trust: noise.Trust{Pin: r.cfg.Gatekeeper.Static.Public}, Events: n.event, Again: 10 * time.Millisecond, AgainMost: time.Second,
		Media: serve.DeviceMedia{Roots: r.cfg.Gatekeeper.Roots, Tries: 1},
	})
	if err != nil {
		return nil, err
	}
	r.serves.Go(func() {
		_ = n.Run(ctx)
		_ = n.Close()
	})
	r.serves.Go(func() {
		for {
			m, err := n.Receive(ctx)
			if err != nil {
				return
			}
			r.note(func(*seen) { n.inbox = append(n.inbox, m) })
			if n.Taken(ctx, m) != nil {
				return
			}
		}
	})
	return n, nil
}

// event takes what the device tells.
func (n *native) event(e dma.Event) {
	n.r.note(func(*seen) { n.events[eventKey(e.Kind, e.ID)], n.events[eventKey(e.Kind, "")] = e, e })
}

func eventKey(k dma.EventKind, id string) string { return k.String() + "/" + id }

// has reports whether something has happened to a message. The caller holds the run's lock.
func (n *native) has(k dma.EventKind, id string) bool {
	_, ok := n.events[eventKey(k, id)]
	return ok
}

// got returns the first message with what is wanted, or nil. The caller holds the run's lock.
func (n *native) got(want func(*serve.Received) bool) *serve.Received {
	for _, m := range n.inbox {
		if m.From.Server == ident.Interop && want(m) {
			return m
		}
	}
	return nil
}

// send sends content to the partner's user.
func (n *native) send(ctx context.Context, c dma.Content) (id string, err error) {
	n.r.mu.Lock()
	to := n.r.seen.login
	n.r.mu.Unlock()
	return n.Do(ctx, dma.Compose{To: to, Content: c})
}

// spoiling is an adapter whose clients seal a message wrong when they are told to.
type spoiling struct {
	protocols.Adapter
	next *atomic.Bool
}

func (s spoiling) New(c protocols.Config) (protocols.Client, error) { return s.of(s.Adapter.New(c)) }

func (s spoiling) Restore(c protocols.Config, r []protocols.Record) (protocols.Client, error) {
	return s.of(s.Adapter.Restore(c, r))
}

func (s spoiling) of(c protocols.Client, err error) (protocols.Client, error) {
	if err != nil {
		return nil, err
	}
	return &spoiler{c, s.next}, nil
}

type spoiler struct {
	protocols.Client
	next *atomic.Bool
}

// Seal implements protocols.Client.
func (s *spoiler) Seal(peer protocols.Address, plaintext []byte) (protocols.Sealed, error) {
	sealed, err := s.Client.Seal(peer, plaintext)
	if err == nil && s.next.CompareAndSwap(true, false) {
		sealed.Payload[len(sealed.Payload)-1] ^= 1 // of the message's MAC
	}
	return sealed, err
}

// onThisMachine is how a listener is reached from here.
func onThisMachine(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if ok && t.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", t.Port)
	}
	return a.String()
}
