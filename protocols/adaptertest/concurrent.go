package adaptertest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// concurrently runs f n times at once and returns when all have ended.
func concurrently(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

var concurrentChecks = []check{
	{"messages sealed at once all open, each once", func(h *harness) {
		a, b := h.talking()
		const workers, each = 4, 25
		sent := make([][]protocols.Sealed, workers)
		concurrently(workers, func(w int) {
			for i := range each {
				s, err := a.Seal("b", []byte(fmt.Sprint(w, " ", i)))
				if err != nil {
					h.Errorf("seal: %v", err)
					return
				}
				sent[w] = append(sent[w], s)
			}
		})
		var opened atomic.Int32
		concurrently(workers, func(w int) { // all workers open all messages
			for v := range workers {
				for i, s := range sent[(w+v)%workers] {
					o, err := b.Open("a", s)
					if err != nil {
						continue
					}
					opened.Add(1)
					if want := fmt.Sprint((w+v)%workers, " ", i); string(o.Plaintext) != want {
						h.Errorf("opened %q, want %q", o.Plaintext, want)
					}
				}
			}
		})
		if got := opened.Load(); got != workers*each {
			h.Errorf("%d messages opened, want each of %d once", got, workers*each)
		}
		a.exchange(b)
	}},
	{"a one-time key used at once by many serves one", func(h *harness) {
		b := h.client("b")
		bundle := b.bundle(true)
		const n = 6
		var sent [n]protocols.Sealed
		var from [n]*device
		for i := range n {
			from[i] = h.client(protocols.Address(fmt.Sprint("a", i)))
			from[i].establishWith(b, bundle)
			sent[i] = from[i].seal(b, "me first")
		}
		var opened atomic.Int32
		concurrently(n, func(i int) {
			if _, err := b.Open(from[i].address, sent[i]); err == nil {
				opened.Add(1)
			}
		})
		if got := opened.Load(); got != 1 {
			h.Errorf("one one-time key served %d sessions, want 1", got)
		}
	}},
	{"all methods may be called at once", func(h *harness) {
		a, b := h.talking()
		bundle := b.bundle(false)
		material := b.publish(1)
		sealed := make([]protocols.Sealed, 20)
		for i := range sealed {
			sealed[i] = b.seal(a, "incoming")
		}
		work := []func(){
			func() { a.Publish(now, 2) },
			func() { a.Rotate(now) },
			func() { a.Establish(now, "c", bundle) },
			func() { a.Established("b") },
			func() { a.Seal("b", []byte("outgoing")) },
			func() { a.State() },
			func() { a.Changes() },
			func() { a.Seal("c", []byte("outgoing")) },
			func() {
				a.Establish(now, "d", protocols.Bundle{Static: material.Static, OneTime: &material.OneTime[0]})
			},
		}
		concurrently(len(work)+1, func(i int) {
			if i == len(work) {
				for _, s := range sealed {
					if _, err := a.Open("b", s); err != nil {
						h.Errorf("open among other calls: %v", err)
					}
				}
				return
			}
			for range 8 {
				work[i]()
			}
		})
		a.exchange(b)
		if diff := diffRecords(a.State(), a.restored(a.State()).State()); diff != "" {
			h.Errorf("state after concurrent calls: %s", diff)
		}
	}},
}
