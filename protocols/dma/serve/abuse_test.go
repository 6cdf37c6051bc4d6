package serve

import (
	"bytes"
	"context"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
)

// abused is a world under an attack, with a pair of users who go on.
type abused struct {
	*world
	a          *attack
	alice, bob *phone
	workers    []*attacker
}

func newAbused(t *testing.T, a *attack, workers int) *abused {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("this system's loopback interface has no address " + attackers + " to attack from")
	}
	silent := newIssuer(t, "https://silent.example")
	media, err := blob.Open(blob.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { _ = media.Close() })
	w := newWorld(t, func(c *Config) {
		guarded(c)
		c.Media = &Media{Store: media}
		c.Partners = append(c.Partners, Partner{Integrator: 3, Issuer: silent.name, Tokens: silent})
		if a.set != nil {
			a.set(c)
		}
		// All others of a test have one address.
		c.Rates.Exempt = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	w.silent = silent
	x := &abused{world: w, a: a}
	x.alice, x.bob = w.enlist(number, w.own), w.enlist("bob@partner.example", w.partner)
	thief := *x.bob
	thief.open()
	pair, err := w.suite.GenerateKeyPair()
	must(t, err)
	thief.account.Private, thief.account.Public = pair.Private, pair.Public
	var mu sync.Mutex
	var record bytes.Buffer
	x.bob.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		return &recorded{nc, &mu, &record}, err
	}
	x.bob.open()
	x.alice.connect()
	x.bob.connect()
	x.exchange(2)
	victim := w.enlist("4915100000042", w.own).connect()
	auth := victim.auth()
	must(t, victim.Settled(w.ctx, false))
	victim.disconnect()
	mu.Lock()
	defer mu.Unlock()
	for i := range workers {
		x.workers = append(x.workers, &attacker{
			w: w, eve: w.enlist("eve"+strconv.Itoa(i)+"@other.example", w.other), victim: victim, thief: &thief, record: bytes.Clone(record.Bytes()), auth: auth,
		})
	}
	return x
}

// exchange has the pair exchange n messages and returns how long each took.
func (x *abused) exchange(n int) (took []time.Duration) {
	x.t.Helper()
	for i := range n {
		from, to := x.alice, x.bob
		if i%2 == 1 {
			from, to = to, from
		}
		begin := time.Now()
		from.send(to, "meanwhile")
		to.want(from, "meanwhile")
		took = append(took, time.Since(begin))
	}
	return took
}

// begin has all workers attack, each every so often, until stop is called, which returns
// how many attempts they have made. refused gets the refusals that they are told.
func (x *abused) begin(every time.Duration, refused chan<- string) (stop func() int64) {
	var attempts atomic.Int64
	ctx, cancel := context.WithCancel(x.ctx)
	var wg sync.WaitGroup
	for _, a := range x.workers {
		a.ctx = ctx
		wg.Go(func() {
			for ctx.Err() == nil {
				refusal, err := x.a.once(a)
				attempts.Add(1)
				if err != nil {
					a.gone()
				}
				if refusal != "" {
					select {
					case refused <- refusal:
					default:
					}
				}
				select {
				case <-ctx.Done():
				case <-time.After(every):
				}
			}
			a.gone()
			for _, nc := range a.held {
				_ = nc.Close()
			}
			a.held = nil
		})
	}
	return func() int64 {
		cancel()
		wg.Wait()
		return attempts.Load()
	}
}

// enough is how often an attack must be refused.
const enough = 3

// TestAbuse: each attack is refused, with a reason, and others go on.
func TestAbuse(t *testing.T) {
	t.Parallel()
	for i := range attacks {
		a := &attacks[i]
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			x := newAbused(t, a, 4)
			refused := make(chan string, 1)
			stop := x.begin(time.Millisecond, refused)
			defer stop()
			x.exchange(10)
			seen := map[string]int{}
			for n := 0; n < enough; {
				select {
				case r := <-refused:
					seen[r]++
				case <-time.After(5 * time.Millisecond):
				case <-x.ctx.Done():
					t.Fatalf("refusals that were told: %v, that were counted: %v; want %q", seen, x.gk.refusals.counts(), a.want)
				}
				n = seen[a.want]
				if a.seen {
					n = int(x.gk.refusals.counts()[a.want])
				}
			}
			stop()
			x.exchange(4)
			if others := slices.Collect(maps.Keys(seen)); !a.seen && len(others) != 1 {
				t.Errorf("refusals: %v, want %q alone", seen, a.want)
			}
		})
	}
}

// TestAbuseLatency measures what each attack costs a steady pair of users: the median
// latency of their messages with the attack going on, against that before and after it, in
// turns, of which the median counts. It takes minutes, and wants a machine that does little
// else, so that it runs if MIMI_LAB_ABUSE says of how many turns.
func TestAbuseLatency(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("MIMI_LAB_ABUSE"))
	if err != nil || rounds < 1 {
		t.Skip("MIMI_LAB_ABUSE=21 measures it")
	}
	const (
		messages = 200
		most     = 1.10
		every    = 20 * time.Millisecond // four workers: 200 attempts in a second
	)
	for i := range attacks {
		a := &attacks[i]
		t.Run(a.name, func(t *testing.T) {
			x := newAbused(t, a, 4)
			x.exchange(messages)
			var ratios, tails []float64
			var attempts int64
			told := 0
			for range rounds {
				refused := make(chan string, 10000)
				with := func() []time.Duration {
					stop := x.begin(every, refused)
					defer func() { attempts += stop() }()
					time.Sleep(300 * time.Millisecond) // until the attack has all that it gets
					return x.exchange(messages)
				}
				// Before and after, as what else the machine does changes meanwhile.
				quiet := x.exchange(messages / 2)
				loud := with()
				quiet = append(quiet, x.exchange(messages/2)...)
				for range len(refused) {
					if <-refused == a.want {
						told++
					}
				}
				ratios = append(ratios, float64(quantile(loud, 0.5))/float64(quantile(quiet, 0.5)))
				tails = append(tails, float64(quantile(loud, 0.9))/float64(quantile(quiet, 0.9)))
			}
			if a.seen {
				told = int(x.gk.refusals.counts()[a.want])
			}
			slices.Sort(ratios)
			slices.Sort(tails)
			t.Logf("p50 with the attack against without: median %.3f of %d turns, %.3f to %.3f; p90: %.3f; %d attempts, %d refused for the reason",
				ratios[rounds/2], rounds, ratios[0], ratios[rounds-1], tails[rounds/2], attempts, told)
			if told == 0 {
				t.Errorf("no attempt was refused with %q: refusals %v", a.want, x.gk.refusals.counts())
			}
			if ratios[rounds/2] > most {
				t.Errorf("the median latency is %.3f times that without the attack, want at most %.2f", ratios[rounds/2], most)
			}
		})
	}
}

func quantile(d []time.Duration, q float64) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[int(q*float64(len(s)-1))]
}
