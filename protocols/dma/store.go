package dma

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// The records a gatekeeper keeps. Keys start with the kind:
//
//	agree/<integrator>       1 byte: active or not
//	next/                    the next number of an account, if one was given that is not there any more
//	acct/<address>           the account without keys, mailbox and IDs: JSON
//	otk/<address>/<id>       a one-time key
//	seen/<address>/<slot>    the key of an accepted message
//	box/<address>/<seq>      a mailbox entry: header length (2 bytes), header (JSON), frame
//	group/<group>            a group without its members: JSON
//	member/<group>/<address> one of its members: JSON
//	nextgroup/               the next number of a group, if one was given that is not there any more

// recorder collects the records of one Step.
type recorder struct {
	off  bool
	list []protocols.Record
}

func (r *recorder) reset() { r.list = r.list[:0] }

func (r *recorder) put(key string, value []byte) {
	if !r.off {
		r.list = append(r.list, protocols.Record{Key: key, Value: value})
	}
}

func (r *recorder) delete(key string) { r.put(key, nil) }

// accountRecord is the stored form of an account.
type accountRecord struct {
	Visible  string            `json:"visible"`
	Eligible bool              `json:"eligible,omitempty"`
	AuthKey  []byte            `json:"auth_key,omitempty"`
	LastSeen int64             `json:"last_seen,omitempty"` // Unix seconds
	Static   []byte            `json:"static,omitempty"`
	Form     KeyForm           `json:"form,omitempty"`
	Apps     map[uint16]Choice `json:"apps,omitempty"`
	Contacts map[string]Choice `json:"contacts,omitempty"`
	Blocked  []string          `json:"blocked,omitempty"`
	Pings    []time.Time       `json:"pings,omitempty"`
	Inbox    stanza.Inbox      `json:"inbox,omitempty"`
}

func (g *Gatekeeper) saveAccount(a *account) {
	if g.records.off {
		return
	}
	r := accountRecord{
		Visible: a.visible, Eligible: a.eligible, Static: a.keys.static, Form: a.keys.form, Apps: a.apps, Pings: a.pings,
		Inbox: a.inbox, AuthKey: a.authKey, LastSeen: a.lastSeen,
	}
	for addr, c := range a.contacts {
		if r.Contacts == nil {
			r.Contacts = make(map[string]Choice)
		}
		r.Contacts[addr.String()] = c
	}
	for _, addr := range sortedAddresses(a.blocked) {
		r.Blocked = append(r.Blocked, addr.String())
	}
	g.records.put("acct/"+a.addr.String(), mustJSON(r))
}

// mustJSON renders a record of plain fields, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("dma: record does not render: " + err.Error())
	}
	return b
}

func oneTimeKey(a ident.Address, id uint32) string { return "otk/" + a.String() + "/" + oneTimeID(id) }

func (g *Gatekeeper) deleteOneTime(a *account, id uint32) {
	if !g.records.off {
		g.records.delete(oneTimeKey(a.addr, id))
	}
}

func (g *Gatekeeper) saveSeen(a *account) {
	if !g.records.off {
		slot, value := a.seen.record()
		g.records.put("seen/"+a.addr.String()+"/"+strconv.Itoa(slot), value)
	}
}

// entryHeader is the stored form of what a mailbox entry's frame does not say.
type entryHeader struct {
	Kind entryKind `json:"kind,omitempty"`
	From string    `json:"from"`
	In   string    `json:"group,omitempty"`
	ID   string    `json:"id"`
	Type string    `json:"type,omitempty"`
	At   int64     `json:"at"` // Unix nanoseconds
}

func (g *Gatekeeper) deleteEntry(e *entry) {
	if !g.records.off {
		g.records.delete(entryKey(e))
	}
}

func entryKey(e *entry) string {
	return "box/" + e.owner.addr.String() + "/" + strconv.FormatUint(e.seq, 10)
}

func (g *Gatekeeper) saveEntry(e *entry) {
	if g.records.off {
		return
	}
	h := mustJSON(entryHeader{e.kind, e.from.String(), groupText(e.group), e.id, e.typ, e.at.UnixNano()})
	v := make([]byte, 0, 2+len(h)+len(e.frame))
	v = binary.BigEndian.AppendUint16(v, uint16(len(h)))
	v = append(v, h...)
	g.records.put(entryKey(e), append(v, e.frame...))
}

// RestoreGatekeeper makes a gatekeeper from the records of an earlier one: all of
// them, each key once. Nobody is connected.
func RestoreGatekeeper(cfg GatekeeperConfig, records []protocols.Record) (*Gatekeeper, error) {
	g, err := NewGatekeeper(cfg)
	if err != nil {
		return nil, err
	}
	sorted := slices.Clone(records)
	slices.SortFunc(sorted, func(a, b protocols.Record) int { return strings.Compare(a.Key, b.Key) })
	r := restorer{Gatekeeper: g}
	for _, rec := range sorted { // acct/ sorts before what refers to accounts
		if err := r.restore(rec); err != nil {
			return nil, fmt.Errorf("dma: restore gatekeeper: record %q: %w: %w", rec.Key, protocols.ErrState, err)
		}
	}
	slices.SortFunc(r.entries, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	for _, e := range r.entries {
		e.owner.box = append(e.owner.box, e)
		e.owner.boxBytes += len(e.frame)
		g.expiry.push(e.at.Add(g.cfg.Retention), e)
		g.nextSeq = max(g.nextSeq, e.seq)
	}
	slices.SortFunc(r.keys, func(x, y oneTimeRecord) int { return cmp.Compare(x.key.ID, y.key.ID) })
	for _, k := range r.keys {
		k.owner.keys.oneTime.push(k.key)
	}
	return g, nil
}

// restorer is a gatekeeper under restoration, with what has an order that the keys of
// the records do not show.
type restorer struct {
	*Gatekeeper
	entries []*entry
	keys    []oneTimeRecord
}

type oneTimeRecord struct {
	owner *account
	key   protocols.OneTimeKey
}

// restore takes one record in.
func (g *restorer) restore(r protocols.Record) error {
	kind, rest, _ := strings.Cut(r.Key, "/")
	name, tail, _ := strings.Cut(rest, "/")
	if kind == "agree" {
		n, err := strconv.ParseUint(name, 10, 16)
		if err != nil || len(r.Value) != 1 {
			return fmt.Errorf("not an agreement")
		}
		g.agreements[uint16(n)] = r.Value[0] == 1
		return nil
	}
	if kind == "next" && rest == "" {
		n, err := strconv.ParseUint(string(r.Value), 10, 64)
		g.nextAccount = max(g.nextAccount, n)
		return err
	}
	if kind == "nextgroup" && rest == "" {
		n, err := strconv.ParseUint(string(r.Value), 10, 64)
		g.nextGroup = max(g.nextGroup, n)
		return err
	}
	addr, err := ident.ParseAddress(name)
	if err != nil {
		return err
	}
	switch kind {
	case "group":
		return g.restoreGroup(addr, r.Value)
	case "member":
		return g.restoreMember(addr, tail, r.Value)
	}
	if kind == "acct" {
		return g.restoreAccount(addr, r.Value)
	}
	a := g.accounts[addr]
	if a == nil {
		return fmt.Errorf("no account %v", addr)
	}
	n, err := strconv.ParseUint(tail, 10, 64)
	if err != nil {
		return err
	}
	switch {
	case kind == "box":
		e, err := restoreEntry(a, n, r.Value)
		if err != nil {
			return err
		}
		g.entries = append(g.entries, e)
		return nil
	case kind == "otk" && n > 0 && n < 1<<32 && (a.keys.form != SignalKeys || n < 1<<24):
		g.keys = append(g.keys, oneTimeRecord{a, protocols.OneTimeKey{ID: uint32(n), Value: r.Value}})
		return nil
	case kind == "seen":
		return a.seen.restore(r.Value)
	}
	return fmt.Errorf("unknown kind")
}

func (g *Gatekeeper) restoreAccount(addr ident.Address, data []byte) error {
	var r accountRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	a := &account{addr: addr, visible: r.Visible, eligible: r.Eligible, apps: r.Apps, pings: r.Pings, inbox: r.Inbox, authKey: r.AuthKey, lastSeen: r.LastSeen, keys: keyStore{form: r.Form, static: r.Static}}
	if r.Static != nil {
		if _, err := signal.ParseStatic(r.Static); r.Form > OpaqueKeys || r.Form == SignalKeys && err != nil {
			return fmt.Errorf("key material of form %d: %v", r.Form, err)
		}
	}
	for s, c := range r.Contacts {
		p, err := ident.ParseAddress(s)
		if err != nil {
			return err
		}
		if a.contacts == nil {
			a.contacts = make(map[ident.Address]Choice)
		}
		a.contacts[p] = c
	}
	for _, s := range r.Blocked {
		p, err := ident.ParseAddress(s)
		if err != nil {
			return err
		}
		if a.blocked == nil {
			a.blocked = make(map[ident.Address]bool)
		}
		a.blocked[p] = true
	}
	if len(a.authKey) != 0 && len(a.authKey) != authKeySize {
		return fmt.Errorf("auth key of %d bytes, want %d", len(a.authKey), authKeySize)
	}
	g.accounts[addr] = a
	g.index(a)
	if addr.Server == ident.Interop {
		n, err := strconv.ParseUint(addr.User, 10, 64)
		if err != nil {
			return err
		}
		g.nextAccount = max(g.nextAccount, n+1)
	}
	return nil
}

func restoreEntry(a *account, seq uint64, data []byte) (*entry, error) {
	if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
		return nil, fmt.Errorf("entry of %d bytes is cut off", len(data))
	}
	n := 2 + int(binary.BigEndian.Uint16(data))
	var h entryHeader
	if err := json.Unmarshal(data[2:n], &h); err != nil {
		return nil, err
	}
	from, err := ident.ParseAddress(h.From)
	if err != nil {
		return nil, err
	}
	var group ident.Address
	if h.In != "" {
		if group, err = ident.ParseAddress(h.In); err != nil {
			return nil, err
		}
	}
	return &entry{
		owner: a, seq: seq, kind: h.Kind, live: true, from: from, group: group, id: h.ID, typ: h.Type,
		frame: data[n:], at: time.Unix(0, h.At),
	}, nil
}

func sortedAddresses(set map[ident.Address]bool) []ident.Address {
	out := make([]ident.Address, 0, len(set))
	for a := range set {
		out = append(out, a)
	}
	slices.SortFunc(out, compareAddresses)
	return out
}

func (g *Gatekeeper) sortedAccounts() []*account {
	out := make([]*account, 0, len(g.accounts))
	for _, a := range g.accounts {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *account) int { return compareAddresses(a.addr, b.addr) })
	return out
}

func compareAddresses(a, b ident.Address) int { return strings.Compare(a.String(), b.String()) }
