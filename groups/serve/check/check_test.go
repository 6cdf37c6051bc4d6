package check_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/serve/check"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// TestOwnProvider checks a provider of this project over real sockets, with all that a
// check can use: everything passes, and nothing is skipped.
func TestOwnProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(w.start(nil, nil), nil)
	for _, c := range r.Checks {
		if c.Verdict != check.Pass {
			t.Errorf("%s %s: %s", c.Verdict, c.ID, c.Seen)
		}
		if testing.Verbose() {
			t.Logf("%s %s: %s", c.Verdict, c.ID, c.Seen)
		}
	}
	if n := len(check.Checks()); r.Pass != n || len(r.Checks) != n {
		t.Errorf("%d of %d checks passed, there are %d", r.Pass, len(r.Checks), n)
	}
}

// TestMutants checks providers with a fault each, and demands that one of the checks
// that are about its rule finds it. Each of them keeps the rest of the draft: a fault
// that no check found would be one that nobody sees.
func TestMutants(t *testing.T) {
	t.Parallel()
	list := mutants()
	if len(list) < 20 {
		t.Fatalf("%d mutants, want 20 at least", len(list))
	}
	if testing.Short() { // all of them take a minute
		list = every(5, list)
	}
	reports := make([]*check.Report, len(list))
	errs := make([]error, len(list))
	slots := make(chan struct{}, 12) // runs at once: they mostly wait
	var running sync.WaitGroup
	for i := range list {
		m := &list[i]
		w := newWorld(t)
		m.stand(w)
		p := w.start(m.configure, m.handler(w))
		cfg := w.config()
		cfg.Timeout = 10 * time.Second // the machine may have much else to do
		if err := p.Has(&cfg); err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			reports[i], errs[i] = check.Run(t.Context(), cfg)
		})
	}
	running.Wait()
	found := 0
	failed := make(map[string]bool)
	var table strings.Builder
	for i, m := range list {
		if errs[i] != nil {
			t.Errorf("%s: %v", m.name, errs[i])
			continue
		}
		by, also := "-", 0
		for _, c := range reports[i].Checks {
			switch {
			case c.Verdict != check.Fail:
				continue
			case by == "-" && slices.Contains(m.trips, c.ID):
				by = c.ID
			default:
				also++
			}
			failed[c.ID] = true
		}
		if by != "-" {
			found++
		} else {
			t.Errorf("%s (%s) is not found by %v; what failed: %v", m.name, m.rule, m.trips, failures(reports[i]))
		}
		fmt.Fprintf(&table, "%-42s %-46s %-28s %2d\n", m.name, m.rule, by, also)
	}
	t.Logf("%d of %d mutants found, by %d of the %d checks\n%-42s %-46s %-28s also\n%s", found, len(list), len(failed), len(check.Checks()), "fault", "rule", "found by", &table)
}

// every returns each nth of a list.
func every[T any](n int, list []T) (some []T) {
	for i := 0; i < len(list); i += n {
		some = append(some, list[i])
	}
	return some
}

// failures are the checks that failed.
func failures(r *check.Report) (ids []string) {
	for _, c := range r.Checks {
		if c.Verdict == check.Fail {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// granted is what a second run can't see: consent that was given is not given again.
var granted = []string{"updateConsent.received"}

// others are the checks that did not pass.
func others(r *check.Report) (ids []string) {
	for _, c := range r.Checks {
		if c.Verdict != check.Pass {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// TestAgain checks a provider twice: the first run leaves the room such that the second
// finds it as it was.
func TestAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.start(nil, nil)
	for i := range 2 {
		r := w.run(p, nil)
		if bad := others(r); len(bad) > 0 && (i == 0 || !slices.Equal(bad, granted)) {
			t.Fatalf("run %d: not passed: %v", i+1, bad)
		}
		for _, peer := range peers {
			_ = w.listeners[peer].Close()
			w.listeners[peer] = must(net.Listen("tcp", "127.0.0.1:0"))
		}
	}
}

// TestInterrupted stops a run in the middle of the checks in a room: it leaves the room,
// as the next run finds.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.start(nil, nil)
	cfg := w.config()
	if err := p.Has(&cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg.Progress = func(group string, _, _ int) {
		if group == "room" { // its first part takes less, and the retries of notify more
			time.AfterFunc(1500*time.Millisecond, cancel)
		}
	}
	r, err := check.Run(ctx, cfg)
	if !errors.Is(err, context.Canceled) || r == nil {
		t.Fatalf("got %v and the error %v", r, err)
	}
	for id, want := range map[string]check.Verdict{"update.external": check.Pass, "update.self-remove": check.Pass, "oblivious.keys": check.Skip} {
		if c, _ := r.Find(id); c.Verdict != want {
			t.Errorf("%s: %s, %s; want %s", id, c.Verdict, c.Seen, want)
		}
	}
	for _, peer := range peers {
		_ = w.listeners[peer].Close()
		w.listeners[peer] = must(net.Listen("tcp", "127.0.0.1:0"))
	}
	if bad := others(w.run(p, nil)); !slices.Equal(bad, granted) {
		t.Errorf("afterwards not passed: %v", bad)
	}
}

// TestLittle checks a provider of which little is known, or by one peer: what can't be
// checked is skipped, and nothing fails.
func TestLittle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*check.Config)
		skips  []string // among others
		passes []string
	}{
		{"nothing is known", func(c *check.Config) {
			*c = check.Config{Domain: c.Domain, Roots: c.Roots, Dial: c.Dial, Peers: c.Peers}
		}, []string{"keyMaterial.found", "keyMaterial.signature", "update.external", "submitMessage.accepted", "notify.welcome", "proxyDownload.asset"},
			[]string{"transport.from-other", "keyMaterial.unknown", "update.malformed", "requestConsent.unknown", "groupInfo.unknown-room", "proxyDownload.unlisted"}},
		{"one peer", func(c *check.Config) { c.Peers = c.Peers[:1] },
			[]string{"update.welcome", "notify.order", "keyMaterial.via-hub", "update.other-provider", "reportAbuse.accepted"},
			[]string{"update.commit", "update.wrong-epoch", "submitMessage.frank-signature", "notify.welcome", "groupInfo.current", "transport.from-other"}},
		{"a room that it is added to", func(c *check.Config) { c.Room = ident.URI{} }, nil, []string{"update.invited", "update.external", "update.leave"}},
		{"a room that it is not added to", func(c *check.Config) { c.Wait = 0 }, []string{"update.invited", "keyMaterial.asks"}, []string{"update.external", "update.leave"}},
		{"another user", func(c *check.Config) { c.User = c.Refusing; c.Query = nil },
			[]string{"keyMaterial.found", "keyMaterial.once", "keyMaterial.incompatible", "notify.welcome"},
			[]string{"keyMaterial.signature", "update.external", "updateConsent.grant"}},
		{"no such room", func(c *check.Config) { c.Room, c.Wait = uri("mimi://a.example/r/elsewhere"), time.Second },
			[]string{"update.invited", "groupInfo.success", "update.external", "notify.order"}, []string{"notify.welcome"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.run(w.start(nil, nil), tt.change)
			if bad := failures(r); len(bad) > 0 {
				t.Errorf("failed: %v", bad)
			}
			want := func(v check.Verdict, ids []string) {
				for _, id := range ids {
					if c, _ := r.Find(id); c.Verdict != v || c.Seen == "" {
						t.Errorf("%s: %s, %q; want %s", id, c.Verdict, c.Seen, v)
					}
				}
			}
			want(check.Skip, tt.skips)
			want(check.Pass, tt.passes)
		})
	}
}

// TestConfig is what a check does not begin with.
func TestConfig(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*check.Config){
		"no domain":            func(c *check.Config) { c.Domain = "" },
		"no peer":              func(c *check.Config) { c.Peers = nil },
		"three peers":          func(c *check.Config) { c.Peers = append(c.Peers, c.Peers[0]) },
		"a peer twice":         func(c *check.Config) { c.Peers[1].Domain = c.Peers[0].Domain },
		"itself":               func(c *check.Config) { c.Peers[1].Domain = checked },
		"no certificate":       func(c *check.Config) { c.Peers[0].Certificate.Certificate = nil },
		"no listener":          func(c *check.Config) { c.Peers[0].Listener = nil },
		"a name that is none":  func(c *check.Config) { c.Name = "." },
		"a user of another":    func(c *check.Config) { c.User = uri("mimi://b.example/u/bob") },
		"a room as user":       func(c *check.Config) { c.User = uri("mimi://a.example/r/bob") },
		"an asset without TLS": func(c *check.Config) { c.Asset = "http://a.example/x" },
		"a query of nobody":    func(c *check.Config) { c.Query = &mimi.QueryElement{SearchType: mimi.SearchNick, SearchValue: "x"} },
	} {
		w := newWorld(t)
		cfg := w.config()
		change(&cfg)
		if r, err := check.Run(t.Context(), cfg); err == nil || r != nil || !strings.HasPrefix(err.Error(), "check: Config.") && !strings.Contains(err.Error(), "Config.") {
			t.Errorf("%s: got %v and the error %v", name, r, err)
		}
	}
}
