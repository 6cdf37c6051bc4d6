package dma

import (
	"fmt"
	"strconv"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// keyStore is an account's published key material: a reusable part and one-time
// keys in the order of their upload.
type keyStore struct {
	form    KeyForm
	static  []byte
	oneTime []protocols.OneTimeKey
	asked   bool // the owner was told to upload more
}

// maxStored bounds the one-time keys kept per account; the web client uploads
// 812 at once (read in public clients).
const maxStored = 1000

// low reports whether fewer than n one-time keys are left of an account that has
// published some.
func (k *keyStore) low(n int) bool { return k.static != nil && len(k.oneTime) < n }

// iq serves the queries of a client.
func (g *Gatekeeper) iq(now time.Time, a *account, q *stanza.IQ) error {
	if q.Type != stanza.Get && q.Type != stanza.Set {
		return fmt.Errorf("dma: iq %s: %w: type %q, want get or set", q.ID, protocols.ErrMalformed, q.Type)
	}
	reply := &stanza.IQ{ID: q.ID, Type: stanza.Result, Namespace: q.Namespace}
	var (
		code stanza.Code
		err  error
	)
	switch p := q.Payload.(type) {
	case *stanza.KeyUpload:
		code, err = g.upload(a, p)
	case *stanza.KeyFetch:
		reply.Payload = g.fetch(a, p)
	case stanza.KeyCountQuery:
		reply.Payload = stanza.KeyCount{Value: len(a.keys.oneTime)}
	case *stanza.Settings:
		for _, app := range p.Apps {
			if err = g.setApp(a, app.Integrator, app.Enabled); err != nil {
				return err
			}
		}
	case *stanza.Ping:
		code = g.ping(now, a, p.User)
	case *stanza.Consent:
		err = g.answerPing(now, a, p.User, p.Given)
	case *stanza.Block:
		g.block(a, p.Address, !p.Unblock)
	case stanza.BlocklistQuery:
		reply.Payload = &stanza.Blocklist{Addresses: sortedAddresses(a.blocked)}
	case stanza.KeepAlive:
	default:
		code = stanza.FeatureNotImplemented
	}
	if err != nil {
		return err
	}
	if code != 0 {
		reply.Type, reply.Payload, reply.Error = stanza.Fail, nil, &stanza.Error{Code: code}
	}
	g.sendTo(a, reply, false)
	return nil
}

// upload stores key material: the reusable part replaces the one before, one-time
// keys are added. Those of an identity that is gone are dropped: nobody could open
// what is sealed with them.
func (g *Gatekeeper) upload(a *account, p *stanza.KeyUpload) (stanza.Code, error) {
	form, static, oneTime, err := parseKeys(&p.Keys)
	if err != nil {
		return 0, err
	}
	kept := a.keys.oneTime
	if !sameIdentity(form, static, a.keys.form, a.keys.static) {
		kept = nil
	}
	if len(kept)+len(oneTime) > maxStored {
		return stanza.ResourceLimit, nil
	}
	for _, k := range a.keys.oneTime[len(kept):] {
		g.records.delete(oneTimeKey(a.addr, k.ID))
	}
	a.keys.oneTime = kept
	a.keys.form, a.keys.static = form, static
	a.keys.oneTime = append(a.keys.oneTime, oneTime...)
	a.keys.asked = false
	g.saveAccount(a)
	for _, k := range oneTime {
		g.records.put(oneTimeKey(a.addr, k.ID), k.Value)
	}
	return 0, nil
}

// fetch hands out one bundle per user asked for.
func (g *Gatekeeper) fetch(a *account, p *stanza.KeyFetch) *stanza.KeyBundles {
	out := &stanza.KeyBundles{}
	for _, addr := range p.Users {
		to, why := g.mayWrite(a, addr)
		if why == 0 && to.keys.static == nil {
			why = stanza.ItemNotFound
		}
		if why != 0 {
			out.Users = append(out.Users, stanza.UserKeys{Address: addr, Error: &stanza.Error{Code: why}})
			continue
		}
		n := min(1, len(to.keys.oneTime))
		keys := stanzaKeys(to.keys.form, to.keys.static, to.keys.oneTime[:n])
		out.Users = append(out.Users, stanza.UserKeys{Address: addr, Keys: &keys})
		if n == 0 {
			g.out.Events = append(g.out.Events, Event{Kind: KeysGone, Account: addr})
		} else {
			g.records.delete(oneTimeKey(addr, to.keys.oneTime[0].ID))
			to.keys.oneTime = to.keys.oneTime[1:]
		}
		if to.keys.low(g.cfg.RefillBelow) && to.conn != 0 && !to.keys.asked {
			g.askForKeys(to)
		}
	}
	return out
}

// askForKeys tells a connected client that its one-time keys run out. The notice
// is not stored: it is repeated at the next connection if it is still true.
func (g *Gatekeeper) askForKeys(a *account) {
	a.keys.asked = true
	g.out.Events = append(g.out.Events, Event{Kind: KeysLow, Account: a.addr})
	g.sendTo(a, &stanza.Notification{ID: "keys", Event: stanza.KeysLow{Count: len(a.keys.oneTime)}}, false)
}

func oneTimeID(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
