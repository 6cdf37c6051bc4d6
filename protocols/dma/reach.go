package dma

import (
	"fmt"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// Reach is whom a partner's users reach by default.
type Reach uint8

// The three readings of the public sources (Reference Offer, reachability).
const (
	// OptIn: a native user reaches out by enabling the partner's app in the
	// settings; nothing a partner's user does can bring it about.
	OptIn Reach = iota
	// PingThenConsent: besides, a partner's user may ping an eligible user, who
	// then allows that user or not.
	PingThenConsent
	// DefaultOn: every eligible user can be reached until they disable the app.
	DefaultOn
)

var reachNames = [...]string{"opt_in", "ping_then_consent", "default_on"}

// String returns the name as scenarios write it.
func (r Reach) String() string {
	if int(r) >= len(reachNames) {
		return fmt.Sprintf("Reach(%d)", uint8(r))
	}
	return reachNames[r]
}

// ParseReach is the inverse of String.
func ParseReach(s string) (Reach, error) {
	for i, name := range reachNames {
		if s == name {
			return Reach(i), nil
		}
	}
	return 0, fmt.Errorf("dma: reach %q, want opt_in, ping_then_consent or default_on", s)
}

// Choice is what a native user decided about an app or a person.
type Choice uint8

// The three states of a choice.
const (
	Undecided Choice = iota
	Allowed
	Denied
)

// mayWrite finds the account at addr and says whether from may write to it now; 0
// means yes.
func (g *Gatekeeper) mayWrite(from *account, addr ident.Address) (*account, stanza.Code) {
	to := g.accounts[addr]
	switch {
	case to == nil:
		return nil, stanza.ItemNotFound
	case from.partner() && to.partner():
		return nil, stanza.NotAllowed
	case from.blocked[to.addr] || to.blocked[from.addr]:
		return nil, stanza.Blocked
	case from.partner():
		return to, g.mayReach(to, from)
	case to.partner():
		return to, g.mayReach(from, to)
	}
	return to, 0
}

// mayReach says whether interoperability between a native user and a partner's is
// on. It is symmetric: a native user who has not enabled an app can't write to its
// users either.
func (g *Gatekeeper) mayReach(native, partner *account) stanza.Code {
	app := native.apps[partner.addr.Integrator]
	contact := native.contacts[partner.addr]
	switch {
	case !g.agreements[partner.addr.Integrator]:
		return stanza.AgreementRevoked
	case !native.eligible:
		return stanza.NotEligible
	case app == Denied || contact == Denied:
		return stanza.NotReachable
	case app == Allowed || contact == Allowed || g.cfg.Reach == DefaultOn:
		return 0
	}
	return stanza.NotReachable
}

// Reachable reports whether messages pass between a native and a partner's user.
func (g *Gatekeeper) Reachable(native, partner ident.Address) bool {
	n, p := g.accounts[native], g.accounts[partner]
	return n != nil && p != nil && g.mayReach(n, p) == 0
}

// answerPing records a native user's answer to a partner's user, who is told.
func (g *Gatekeeper) answerPing(now time.Time, a *account, to ident.Address, allow bool) error {
	p := g.accounts[to]
	if a.partner() || p == nil || !p.partner() {
		return fmt.Errorf("dma: consent: %w: from %v about %v, want from a native about a partner's user", protocols.ErrMalformed, a.addr, to)
	}
	if a.contacts[to] == choice(allow) {
		return nil // repeated; the partner's user has been told
	}
	if a.contacts == nil {
		a.contacts = make(map[ident.Address]Choice)
	}
	a.contacts[p.addr] = choice(allow) // the argument is part of a frame
	g.saveAccount(a)
	if !allow {
		g.withdraw(a, "consent withdrawn", func(other ident.Address) bool { return other == to })
	}
	if g.agreements[to.Integrator] {
		g.limitNotices(p, a.addr)
		g.notify(now, p, a.addr, &stanza.Notification{Event: stanza.ConsentChanged{Given: allow}})
	}
	return nil
}

// withdraw drops the messages that wait for a native user who no longer wants
// them.
func (g *Gatekeeper) withdraw(a *account, reason string, from func(ident.Address) bool) {
	g.dropWhere(a, reason, func(e *entry) bool { return e.kind == messageEntry && from(e.from) })
}

func choice(allow bool) Choice {
	if allow {
		return Allowed
	}
	return Denied
}

// ping passes a partner user's wish to be allowed to write on to a native user,
// within the limit per 24 hours.
func (g *Gatekeeper) ping(now time.Time, from *account, addr ident.Address) stanza.Code {
	to, why := g.mayWrite(from, addr)
	switch {
	case to == nil || why != stanza.NotReachable:
		return why // reachable already (0), or a ping would not help
	case g.cfg.Reach != PingThenConsent || to.contacts[from.addr] == Denied || to.apps[from.addr.Integrator] == Denied:
		return stanza.NotReachable
	}
	recent := from.pings
	for len(recent) > 0 && now.Sub(recent[0]) >= 24*time.Hour {
		recent = recent[1:]
	}
	if len(recent) >= g.cfg.PingLimit {
		return stanza.RateOverlimit
	}
	if !g.hasRoom(to, nil) {
		return stanza.ResourceLimit
	}
	from.pings = append(recent, now)
	g.saveAccount(from)
	g.notify(now, to, from.addr, &stanza.Notification{Event: stanza.PingReceived{}})
	return 0
}

// block adds to or takes from an account's blocklist.
func (g *Gatekeeper) block(a *account, other ident.Address, on bool) stanza.Code {
	other.User = strings.Clone(other.User) // which is part of a frame
	switch {
	case on && !a.blocked[other] && len(a.blocked) >= maxBlocked:
		return stanza.ResourceLimit
	case on && a.blocked == nil:
		a.blocked = map[ident.Address]bool{other: true}
	case on:
		a.blocked[other] = true
	default:
		delete(a.blocked, other)
	}
	g.saveAccount(a)
	if on {
		// Not in a group that both are in, whose conversation would have holes.
		g.dropWhere(a, "blocked", func(e *entry) bool {
			return e.kind == messageEntry && e.group.IsZero() && e.from == other
		})
	}
	return 0
}
