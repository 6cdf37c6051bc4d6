package dma

import (
	"errors"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// Quotas bound what users do to each other through a gatekeeper, beyond
// [GatekeeperConfig].PerSender. No public text says what a gatekeeper bounds, how, and what
// it answers to those who want more: all assumed. A field that is zero bounds nothing, as
// suits a simulation of honest users; [DefaultQuotas] are for a server.
type Quotas struct {
	// Fetches is how many bundles of keys one user may fetch in FetchEvery, and
	// FetchesOfOne how many of them may be the same user's: each takes a one-time prekey
	// away, and who has none left starts sessions with less forward secrecy. A fetch
	// beyond it is answered with [stanza.RateOverlimit]. A restart forgets what was
	// fetched.
	Fetches, FetchesOfOne int
	FetchEvery            time.Duration // 0 means [DefaultFetchEvery]
	// Waiting is how many stanzas, and Bytes how many bytes, may wait for one recipient,
	// whoever they are from. A message beyond it is refused with [stanza.ResourceLimit],
	// a read receipt is dropped. What answers the recipient's own messages is always
	// taken: as many as these. So is one notice of each who may send them.
	Waiting, Bytes int
}

// DefaultFetchEvery is the default of [Quotas].FetchEvery.
const DefaultFetchEvery = time.Hour

// DefaultQuotas returns quotas that no user of a client for people reaches. Assumed.
func DefaultQuotas() Quotas {
	return Quotas{Fetches: 1000, FetchesOfOne: 20, FetchEvery: DefaultFetchEvery, Waiting: 10 * DefaultPerSender, Bytes: 64 << 20}
}

func (q *Quotas) check() error {
	if min(q.Fetches, q.FetchesOfOne, q.Waiting, q.Bytes) < 0 || q.FetchEvery < 0 {
		return errors.New("dma: gatekeeper config: a quota is negative")
	}
	return nil
}

// fetched is what a user has fetched in a period of time.
type fetched struct {
	since time.Time
	all   int
	of    map[ident.Address]int
}

// mayFetch counts a fetch of to's keys by a, and says why it is refused; 0 means that it
// is not.
func (g *Gatekeeper) mayFetch(a, to *account) stanza.Code {
	q := &g.cfg.Quotas
	if q.Fetches == 0 && q.FetchesOfOne == 0 {
		return 0
	}
	if f := a.fetched; f == nil || g.now.Sub(f.since) >= q.FetchEvery || g.now.Before(f.since) {
		a.fetched = &fetched{since: g.now, of: make(map[ident.Address]int)}
	}
	f := a.fetched
	if q.Fetches > 0 && f.all >= q.Fetches || q.FetchesOfOne > 0 && f.of[to.addr] >= q.FetchesOfOne {
		return stanza.RateOverlimit
	}
	f.all++
	f.of[to.addr]++
	return 0
}

// hasRoom reports whether a frame of a stanza that answers nothing may wait for a.
func (g *Gatekeeper) hasRoom(a *account, frame []byte) bool {
	q := &g.cfg.Quotas
	return (q.Waiting == 0 || len(a.box) < q.Waiting) && (q.Bytes == 0 || a.boxBytes+len(frame) <= q.Bytes)
}

// limitNotices makes room for one more notice from a user, or about a group, who changes a
// choice again and again: the oldest goes, as the last one counts. In a full mailbox there
// is room for one of each alone.
func (g *Gatekeeper) limitNotices(to *account, from ident.Address) {
	if to.waiting(notificationEntry, from) < g.cfg.PerSender && g.hasRoom(to, nil) {
		return
	}
	for _, e := range to.box {
		if e.kind == notificationEntry && e.from == from {
			g.remove(e)
			return
		}
	}
}
