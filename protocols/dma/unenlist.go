package dma

import (
	"strconv"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// DefaultUnenlistAfter is after what time without a connection a partner's user is
// un-enlisted (Reference Offer).
const DefaultUnenlistAfter = 30 * 24 * time.Hour

// unenlist removes an account and all that is kept for it. What it has sent to others is
// theirs. Its number is not given again.
func (g *Gatekeeper) unenlist(a *account, why string) {
	g.leaveAll(a)
	g.dropWhere(a, "un-enlisted", func(*entry) bool { return true })
	for a.keys.oneTime.len() > 0 {
		g.deleteOneTime(a, a.keys.oneTime.front().ID)
		a.keys.oneTime.pop()
	}
	for slot := range a.seen.ring {
		g.records.delete("seen/" + a.addr.String() + "/" + strconv.Itoa(slot))
	}
	g.records.delete("acct/" + a.addr.String())
	if a.addr.Server == ident.Interop {
		g.records.put("next/", strconv.AppendUint(nil, g.nextAccount, 10))
	}
	delete(g.accounts, a.addr)
	if id := (identity{a.addr.Integrator, a.visible}); g.enlisted[id] == a {
		delete(g.enlisted, id)
	}
	g.out.Events = append(g.out.Events, Event{Kind: Unenlisted, Account: a.addr, Reason: why})
}

// touch notes that an account begins or ends a connection.
func (g *Gatekeeper) touch(a *account) {
	if g.cfg.UnenlistAfter == 0 || !a.partner() {
		return
	}
	a.lastSeen = g.now.Unix()
	g.saveAccount(a)
}

// sweepEvery is how often accounts are looked through. It is also the time that clients
// have to come back when the gatekeeper itself was away.
const sweepEvery = time.Hour

// nextSweep returns when accounts are to be looked through; zero means never.
func (g *Gatekeeper) nextSweep(now time.Time) time.Time {
	if g.cfg.UnenlistAfter > 0 && g.sweepAt.IsZero() {
		g.sweepAt = now.Add(min(sweepEvery, g.cfg.UnenlistAfter))
	}
	return g.sweepAt
}

// sweep un-enlists who was away for too long. Who is connected is seen now, which a crash
// would make forget otherwise, and who was never seen begins to be away.
func (g *Gatekeeper) sweep(now time.Time) {
	if g.cfg.UnenlistAfter == 0 || now.Before(g.nextSweep(now)) {
		return
	}
	g.sweepAt = time.Time{}
	for _, a := range g.sortedAccounts() {
		switch {
		case !a.partner():
		case a.conn != 0 || a.lastSeen == 0:
			g.touch(a)
		case now.Sub(time.Unix(a.lastSeen, 0)) >= g.cfg.UnenlistAfter:
			g.unenlist(a, "away for "+g.cfg.UnenlistAfter.String())
		}
	}
}
