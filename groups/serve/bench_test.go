package serve

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Of the benchmark: requests under way at once, and messages of a round.
const (
	benchSenders  = 200
	benchMessages = 4000
)

// newBenchWorld is a hub with a room and followers of which each has a client in it,
// all durable in SQLite files, and who sends has two, so that it is a follower as well.
func newBenchWorld(b *testing.B, followers int) (*world, *device) {
	w := &world{
		TB: b, ctx: b.Context(), ca: newAuthority(), net: newNetwork(), stores: make(map[string]store.Store),
		providers: make(map[string]*Provider), devices: make(map[string]*device),
	}
	w.net.loopback = true
	var names []string
	for i := range followers + 1 {
		names = append(names, string(rune('a'+i))+".example")
	}
	w.change = func(c *Config) {
		for _, n := range names {
			if n != c.Domain {
				c.Peers[n] = Peer{}
			}
		}
		delete(c.Peers, c.Domain)
	}
	dir := b.TempDir()
	for _, n := range names {
		w.stores[n] = must(sqlite.Open(filepath.Join(dir, n)))
		w.open(n)
	}
	b.Cleanup(func() {
		for _, n := range names {
			w.check(w.providers[n].Close())
			w.check(w.stores[n].Close())
		}
	})
	a1 := w.device("alice/A1")
	w.check(a1.create())
	bob := w.device("bob/B1")
	w.device("bob/B2")
	w.check(a1.add(bob.user))
	bob.until(1)
	for i := range followers - 1 {
		d := w.device(fmt.Sprintf("%c/1", 'c'+i))
		w.check(a1.add(d.user))
		d.until(1)
	}
	for bob.group.Epoch() != a1.group.Epoch() {
		w.check(bob.receive())
	}
	for _, d := range w.devices { // what comes now is kept for them
		d.conn.Close()
	}
	return w, bob
}

// benchClient is a follower's connection to a host.
func benchClient(w *world, from string) *http.Client {
	c := w.client(w.ca.issue(from))
	c.Transport.(*http.Transport).MaxIdleConnsPerHost = benchSenders
	return c
}

// post makes benchMessages requests, benchSenders at once, and returns how long each
// took.
func post(b *testing.B, c *http.Client, url string, bodies [][]byte, check func(status int, body []byte) error) []time.Duration {
	took := make([]time.Duration, benchMessages)
	var wg sync.WaitGroup
	for s := range benchSenders {
		wg.Go(func() {
			for i := s; i < benchMessages; i += benchSenders {
				start := time.Now()
				r, err := http.NewRequestWithContext(b.Context(), "POST", url, bytes.NewReader(bodies[i%len(bodies)]))
				if err != nil {
					b.Error(err)
					return
				}
				r.Header.Set("From", "mimi@b.example")
				resp, err := c.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err == nil {
					err = check(resp.StatusCode, body)
				}
				if err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took
}

// BenchmarkSubmit submits messages to a hub over mutual TLS and HTTP/2, with followers
// that take them, everything durable, and beside it makes as many requests to a handler
// that does nothing, on the same stack. A round ends when the followers have all.
func BenchmarkSubmit(b *testing.B) {
	for _, followers := range []int{1, 3} {
		b.Run(fmt.Sprintf("followers=%d", followers), func(b *testing.B) {
			w, bob := newBenchWorld(b, followers)
			var bodies [][]byte
			for i := range 100 {
				bodies = append(bodies, must(wire.Marshal(bob.newMessage(fmt.Sprintf("message %d of some sixty characters, as people send them", i)))))
			}
			answer := serveEmpty(w)
			c := benchClient(w, "b.example")
			hub := w.providers["a.example"]
			var accepted, all, empty time.Duration
			var half, most time.Duration
			rounds, before := 0, hub.Stats()
			for b.Loop() {
				start := time.Now()
				took := post(b, c, "https://a.example/submitMessage/"+mimi.Escape(clubhouse.String()), bodies, func(status int, body []byte) error {
					r, err := mimi.ParseSubmitMessageResponse(body)
					if err != nil || r.StatusCode != mimi.SubmitAccepted {
						return fmt.Errorf("status %d, %v", status, err)
					}
					return nil
				})
				accepted += time.Since(start)
				rounds++
				want := before.Notified + uint64(rounds*benchMessages*(followers+1)) // Alice's client is one more
				for hub.Stats().Notified < want && b.Context().Err() == nil {
					time.Sleep(time.Millisecond) // the clock of a benchmark is the real one
				}
				all += time.Since(start)
				half, most = took[len(took)/2], took[len(took)*99/100]

				start = time.Now()
				post(b, answer, "https://empty.example/", bodies, func(status int, _ []byte) error {
					if status != 200 {
						return fmt.Errorf("status %d", status)
					}
					return nil
				})
				empty += time.Since(start)
			}
			if s := hub.Stats(); s.Failed > before.Failed || s.Accepted != uint64(rounds*benchMessages) {
				b.Fatalf("%+v, want %d accepted and none failed", s, rounds*benchMessages)
			}
			n := float64(rounds * benchMessages)
			b.ReportMetric(n/accepted.Seconds(), "accepted/s")
			b.ReportMetric(n/all.Seconds(), "delivered/s")
			b.ReportMetric(n/empty.Seconds(), "empty/s")
			b.ReportMetric(empty.Seconds()/accepted.Seconds(), "ratio")
			b.ReportMetric(empty.Seconds()/all.Seconds(), "ratio-delivered")
			b.ReportMetric(half.Seconds()*1000, "p50-ms")
			b.ReportMetric(most.Seconds()*1000, "p99-ms")
			s := hub.Stats()
			b.ReportMetric(float64(s.Commits-before.Commits)/n, "commits/msg")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// serveEmpty runs a handler that reads a request and answers with as much as a hub
// does, and returns a client for it.
func serveEmpty(w *world) *http.Client {
	answer := []byte(strings.Repeat("x", 120))
	s := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = rw.Write(answer)
	}), TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{w.ca.issue("empty.example")},
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: w.ca.pool,
	}}
	l := w.net.listen("empty.example")
	go func() { _ = s.ServeTLS(l, "", "") }()
	w.Cleanup(func() { _ = s.Close() })
	c := benchClient(w, "b.example")
	c.Transport.(*http.Transport).TLSClientConfig.ServerName = "empty.example"
	return c
}
