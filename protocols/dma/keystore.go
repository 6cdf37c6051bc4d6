package dma

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
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
	oneTime oneTimeQueue
	asked   bool // the owner was told to upload more
}

// oneTimeQueue holds one-time keys in the order of their upload, without a pointer
// for each: a server has very many.
type oneTimeQueue struct {
	ids    []uint32
	ends   []uint32 // of each value, in what values had from the first upload on
	values []byte
	gone   uint32 // bytes of values that were popped
}

func (q *oneTimeQueue) len() int { return len(q.ids) }

func (q *oneTimeQueue) push(k protocols.OneTimeKey) {
	q.values = append(q.values, k.Value...)
	q.ids = append(q.ids, k.ID)
	q.ends = append(q.ends, q.gone+uint32(len(q.values)))
}

// grow makes room for n keys of size bytes.
func (q *oneTimeQueue) grow(n, size int) {
	q.ids, q.ends, q.values = slices.Grow(q.ids, n), slices.Grow(q.ends, n), slices.Grow(q.values, n*size)
}

// front returns the oldest key; the queue must not be empty.
func (q *oneTimeQueue) front() protocols.OneTimeKey {
	return protocols.OneTimeKey{ID: q.ids[0], Value: q.values[:q.ends[0]-q.gone]}
}

// without returns the keys of an upload that are not in the queue yet: a client
// repeats an upload whose result was lost.
func (q *oneTimeQueue) without(keys []protocols.OneTimeKey) []protocols.OneTimeKey {
	if q.len() == 0 {
		return keys
	}
	have := make(map[uint32]bool, q.len())
	for _, id := range q.ids {
		have[id] = true
	}
	return slices.DeleteFunc(keys, func(k protocols.OneTimeKey) bool { return have[k.ID] })
}

func (q *oneTimeQueue) pop() {
	q.values = q.values[q.ends[0]-q.gone:]
	q.gone = q.ends[0]
	q.ids, q.ends = q.ids[1:], q.ends[1:]
	if len(q.ids) == 0 {
		*q = oneTimeQueue{}
	}
}

// maxStored bounds the one-time keys kept per account; the web client uploads
// 812 at once (read in public clients).
const maxStored = 1000

// low reports whether fewer than n one-time keys are left of an account that has
// published some.
func (k *keyStore) low(n int) bool { return k.static != nil && k.oneTime.len() < n }

// iq serves the queries of a client.
func (g *Gatekeeper) iq(now time.Time, a *account, q *stanza.IQ) error {
	if q.Type != stanza.Get && q.Type != stanza.Set {
		return fmt.Errorf("dma: iq %s: %w: type %q, want get or set", q.ID, protocols.ErrMalformed, q.Type)
	}
	if len(q.ID) > MaxID { // which the answer has too
		return fmt.Errorf("dma: iq: %w: id of %d bytes, want at most %d", protocols.ErrMalformed, len(q.ID), MaxID)
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
		if len(p.Users) > maxFetch {
			code = stanza.ResourceLimit
			break
		}
		reply.Payload = g.fetch(a, p)
	case stanza.KeyCountQuery:
		reply.Payload = stanza.KeyCount{Value: a.keys.oneTime.len()}
	case *stanza.Settings:
		code, err = g.set(a, p)
	case stanza.SettingsQuery:
		reply.Payload = a.settings()
	case *stanza.Ping:
		code = g.ping(now, a, p.User)
	case *stanza.Consent:
		err = g.answerPing(now, a, p.User, p.Given)
	case *stanza.Block:
		code = g.block(a, p.Address, !p.Unblock)
	case stanza.BlocklistQuery:
		reply.Payload = &stanza.Blocklist{Addresses: sortedAddresses(a.blocked)}
	case *stanza.GroupCreate, *stanza.GroupChange, *stanza.GroupLeave, stanza.GroupQuery, stanza.GroupsQuery:
		reply.Payload, code = g.groupQuery(now, a, q)
	case stanza.Delete:
		g.sendTo(a, reply, true)
		g.unenlist(a, "its user wished so")
		return nil
	case stanza.MediaConnQuery:
		if conn, why := g.mediaConn(now, a); why != 0 {
			code = why
		} else {
			reply.Payload = conn
		}
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
	if !bytes.Equal(static, a.keys.static) && errors.Is(g.checkSignature(form, static), ErrSignature) {
		return stanza.NotAcceptable, nil
	}
	same := sameIdentity(form, static, a.keys.form, a.keys.static)
	if same {
		oneTime = a.keys.oneTime.without(oneTime)
	}
	if len(static) > maxKeySize || same && a.keys.oneTime.len()+len(oneTime) > maxStored || len(oneTime) > maxStored {
		return stanza.ResourceLimit, nil
	}
	for _, k := range oneTime {
		if len(k.Value) > maxKeySize {
			return stanza.ResourceLimit, nil
		}
	}
	for !same && a.keys.oneTime.len() > 0 {
		g.deleteOneTime(a, a.keys.oneTime.front().ID)
		a.keys.oneTime.pop()
	}
	a.keys.form, a.keys.static = form, static
	a.keys.asked = false
	g.saveAccount(a)
	if len(oneTime) > 0 {
		a.keys.oneTime.grow(len(oneTime), len(oneTime[0].Value))
	}
	for _, k := range oneTime {
		a.keys.oneTime.push(k)
		if !g.records.off {
			g.records.put(oneTimeKey(a.addr, k.ID), k.Value)
		}
	}
	return 0, nil
}

// fetch hands out one bundle per user asked for.
func (g *Gatekeeper) fetch(a *account, p *stanza.KeyFetch) *stanza.KeyBundles {
	out := &stanza.KeyBundles{}
	for _, addr := range p.Users {
		to, why := g.mayWrite(a, addr)
		if other := g.accounts[addr]; why != 0 && other != nil && together(a, other) {
			to, why = other, 0 // who writes to a group needs the keys of all in it
		}
		if why == 0 && to.keys.static == nil {
			why = stanza.ItemNotFound
		}
		if why == 0 {
			why = g.mayFetch(a, to)
		}
		if why != 0 {
			out.Users = append(out.Users, stanza.UserKeys{Address: addr, Error: &stanza.Error{Code: why}})
			continue
		}
		var oneTime []protocols.OneTimeKey
		if to.keys.oneTime.len() > 0 {
			k := to.keys.oneTime.front()
			oneTime = append(oneTime, k)
			to.keys.oneTime.pop()
			g.deleteOneTime(to, k.ID)
		} else {
			g.out.Events = append(g.out.Events, Event{Kind: KeysGone, Account: addr})
		}
		keys := stanzaKeys(to.keys.form, to.keys.static, oneTime)
		out.Users = append(out.Users, stanza.UserKeys{Address: addr, Keys: &keys})
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
	g.sendTo(a, &stanza.Notification{ID: "keys", Event: stanza.KeysLow{Count: a.keys.oneTime.len()}}, false)
}

func oneTimeID(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
