//go:build unix

package serve

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// BenchmarkMessagesBesideMedia measures how long a text takes from a user's device to another
// one's and back, one after the other: alone; while a partner's host that never answers holds
// all the places that it gets; and while as many users download media of 16 MB as get a place,
// which share the processors with the texts, and the clients' side of it too. Computing is what
// that is compared with: as many goroutines that do nothing but compute, and yield as often.
func BenchmarkMessagesBesideMedia(b *testing.B) {
	for _, beside := range []string{"nothing", "a host that never answers", "computing", "downloads"} {
		b.Run(beside, func(b *testing.B) {
			m := newMediaWorld(b, func(c *Config) { c.Media.Limits.Stall = 10 * time.Minute })
			alice, bob := m.pair()
			ctx, end := context.WithCancel(m.ctx)
			var wg sync.WaitGroup
			defer wg.Wait()
			defer end()
			get := func(path, auth string) {
				wg.Go(func() {
					for ctx.Err() == nil {
						download(ctx, m.client(), "https://"+m.https+path, auth)
					}
				})
			}
			switch beside {
			case "a host that never answers":
				m.instead(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
				for i := range 4 {
					auth := m.phone("491511234560"+string(rune('0'+i)), m.own).auth()
					for range 4 {
						get("/interop/whatsapp/download/1/x/", auth)
					}
				}
			case "computing":
				for range 4 {
					wg.Go(func() {
						for chunk := make([]byte, 32<<10); ctx.Err() == nil; runtime.Gosched() {
							_ = sha256.Sum256(chunk)
						}
					})
				}
			case "downloads":
				ref := alice.give(bob, picture(16<<20)).Media.Ref
				for range 4 {
					get(ref, bob.auth())
				}
			}
			times := hdrhistogram.New(1, int64(time.Minute), 3)
			for b.Loop() {
				begin := time.Now()
				alice.send(bob, "ping")
				bob.want(alice, "ping")
				bob.send(alice, "pong")
				alice.want(bob, "pong")
				_ = times.RecordValue(int64(time.Since(begin)))
			}
			b.ReportMetric(float64(times.ValueAtQuantile(50))/1e3, "p50-µs")
			b.ReportMetric(float64(times.ValueAtQuantile(99))/1e3, "p99-µs")
			b.ReportMetric(float64(m.gk.media.transfers.count()), "transfers")
		})
	}
}

// download reads an answer to its end.
func download(ctx context.Context, c *http.Client, url, auth string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	r.Header.Set("Authorization", "Bearer "+auth)
	resp, err := c.Do(r)
	if err != nil {
		return
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(yielding{}, resp.Body)
}

// yielding discards what it is given, and lets others compute: it is in the place of a client
// on another machine.
type yielding struct{}

func (yielding) Write(b []byte) (int, error) {
	runtime.Gosched()
	return len(b), nil
}
