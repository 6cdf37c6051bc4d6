package gateway

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// The records that are kept. They hold keys, and the plaintext of what is in an outbox.
//
//	head                      the number of the last job: JSON
//	line|N|KEY                the records of a line (protocols/dma)
//	stranger|ADDRESS          when somebody was told the terms: JSON
//	job|N                     a medium that is being carried over: JSON
//	user|ADDRESS|self         a user: JSON
//	user|ADDRESS|keys         KeyPackages of an account that is being made: JSON
//	user|ADDRESS|member|KEY   the records of its member (groups/member)
//	user|ADDRESS|thread|N     a chat: JSON
//	user|ADDRESS|ref|N|SLOT   a message that both sides have: JSON
//	user|ADDRESS|send|N|ID    what is on its way to the room: JSON

// ErrState: records do not form the state of a gateway.
var ErrState = errors.New("gateway: invalid state")

// banned is the role of those who are listed and not in.
const banned = room.RoleBanned

func lineKey(no int, k string) string     { return "line|" + strconv.Itoa(no) + "|" + k }
func strangerKey(a ident.Address) string  { return "stranger|" + a.String() }
func jobKey(id uint64) string             { return "job|" + strconv.FormatUint(id, 10) }
func userKey(u *user) string              { return "user|" + u.key + "|self" }
func keysKey(u *user) string              { return "user|" + u.key + "|keys" }
func memberKey(u *user, k string) string  { return "user|" + u.key + "|member|" + k }
func threadKey(t *thread) string          { return "user|" + t.user.key + "|thread|" + strconv.Itoa(t.line) }
func refKey(t *thread, slot int) string   { return t.part("ref", uint64(slot)) }
func sendKey(t *thread, id uint64) string { return t.part("send", id) }
func (t *thread) part(kind string, n uint64) string {
	return fmt.Sprintf("user|%s|%s|%d|%d", t.user.key, kind, t.line, n)
}

// put notes a record; a nil value deletes it.
func (g *Gateway) put(key string, value []byte) {
	g.out.Persist = append(g.out.Persist, protocols.Record{Key: key, Value: value})
}

// mustJSON writes what is kept, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("gateway: invariant broken, the state can be written: " + err.Error())
	}
	return b
}

func (g *Gateway) saveHead()            { g.put("head", mustJSON(g.nextJob)) }
func (g *Gateway) saveUser(u *user)     { g.put(userKey(u), mustJSON(u.userRecord)) }
func (g *Gateway) saveThread(t *thread) { g.put(threadKey(t), mustJSON(t.threadRecord)) }

// saveKeys notes the KeyPackages of an account that is being made.
func (g *Gateway) saveKeys(u *user) {
	list := make([][]byte, len(u.keys))
	for i := range u.keys {
		b, err := wire.Marshal(&u.keys[i])
		if err != nil {
			panic("gateway: invariant broken, a KeyPackage of ours can be written: " + err.Error())
		}
		list[i] = b
	}
	g.put(keysKey(u), mustJSON(list))
}

func (g *Gateway) saveRef(t *thread, x *ref) { g.put(refKey(t, t.refs.slot(x.N)), mustJSON(x)) }

func (g *Gateway) dropRef(t *thread, x *ref) {
	t.refs.forget(x)
	g.put(refKey(t, t.refs.slot(x.N)), nil)
}

func (g *Gateway) saveSending(t *thread, id uint64) { g.put(sendKey(t, id), mustJSON(t.sending[id])) }
func (g *Gateway) dropSending(t *thread, id uint64) { g.put(sendKey(t, id), nil) }

// dropThread forgets what a thread was.
func (g *Gateway) dropThread(t *thread) {
	for slot, x := range t.refs.ring {
		if x != nil {
			g.put(refKey(t, slot), nil)
		}
	}
	for _, id := range sortedKeys(t.sending) {
		g.dropSending(t, id)
	}
	g.put(threadKey(t), nil)
}

// sortedKeys returns the keys of a map in their order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// Restore returns the gateway whose Output.Persist, from the first Step on, the records
// are, or what a store has made of them: of several records with one key the last
// counts, and one without a value deletes. cfg is as it was; lines may have been added.
// No line is connected, and the first Step is to be Resume. Errors wrap [ErrState].
func Restore(cfg Config, records []protocols.Record) (*Gateway, error) {
	g, err := newGateway(cfg)
	if err != nil {
		return nil, err
	}
	kept := make(map[string][]byte)
	for _, r := range records {
		if r.Value == nil {
			delete(kept, r.Key)
		} else {
			kept[r.Key] = r.Value
		}
	}
	p := parts{lines: make(map[int][]protocols.Record), users: make(map[string]*userParts)}
	keys := sortedKeys(kept)
	for _, k := range keys {
		if err := g.restore(&p, k, kept[k]); err != nil {
			return nil, fmt.Errorf("%w: record %.200q: %w", ErrState, k, err)
		}
	}
	for no := range p.lines {
		if no >= len(cfg.Lines) {
			return nil, fmt.Errorf("%w: records of line %d, and there are %d", ErrState, no, len(cfg.Lines))
		}
	}
	for no := range cfg.Lines {
		if err := g.addLine(no, p.lines[no]); err != nil {
			if len(records) == 0 {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", ErrState, err)
		}
	}
	for _, k := range sortedKeys(p.users) {
		if err := g.restoreUser(k, p.users[k]); err != nil {
			return nil, fmt.Errorf("%w: user %.200q: %w", ErrState, k, err)
		}
	}
	for id, j := range g.jobs {
		if u := g.users[j.User]; j.ID != id || u == nil || (j.Part == nil) == (j.Ref == nil) {
			return nil, fmt.Errorf("%w: job %d makes no sense", ErrState, id)
		}
	}
	return g, nil
}

// parts are the records of lines and users, taken apart.
type parts struct {
	lines map[int][]protocols.Record
	users map[string]*userParts
}

type userParts struct {
	self    []byte
	keys    []byte
	member  []protocols.Record
	threads map[int][]byte
	refs    map[int][][]byte
	sending map[int]map[uint64][]byte
}

// restore takes one record.
func (g *Gateway) restore(p *parts, key string, value []byte) error {
	kind, rest, _ := strings.Cut(key, "|")
	switch kind {
	case "head":
		return json.Unmarshal(value, &g.nextJob)
	case "stranger":
		a, err := ident.ParseAddress(rest)
		if err != nil {
			return err
		}
		var at int64
		if err := json.Unmarshal(value, &at); err != nil {
			return err
		}
		g.strangers[a] = at
		return nil
	case "job":
		id, err := strconv.ParseUint(rest, 10, 64)
		if err != nil {
			return err
		}
		j := new(job)
		g.jobs[id] = j
		return json.Unmarshal(value, j)
	case "line":
		n, k, ok := strings.Cut(rest, "|")
		no, err := strconv.Atoi(n)
		if err != nil || !ok || no < 0 {
			return errors.New("no number of a line")
		}
		p.lines[no] = append(p.lines[no], protocols.Record{Key: k, Value: value})
		return nil
	case "user":
		return p.user(rest, value)
	}
	return errors.New("unknown kind")
}

// user takes one record of a user.
func (p *parts) user(rest string, value []byte) error {
	addr, rest, _ := strings.Cut(rest, "|")
	kind, rest, _ := strings.Cut(rest, "|")
	u := p.users[addr]
	if u == nil {
		u = &userParts{threads: make(map[int][]byte), refs: make(map[int][][]byte), sending: make(map[int]map[uint64][]byte)}
		p.users[addr] = u
	}
	switch kind {
	case "self":
		u.self = value
		return nil
	case "keys":
		u.keys = value
		return nil
	case "member":
		u.member = append(u.member, protocols.Record{Key: rest, Value: value})
		return nil
	}
	n, rest, _ := strings.Cut(rest, "|")
	no, err := strconv.Atoi(n)
	if err != nil || no < 0 {
		return errors.New("no number of a line")
	}
	switch kind {
	case "thread":
		u.threads[no] = value
	case "ref":
		u.refs[no] = append(u.refs[no], value)
	case "send":
		id, err := strconv.ParseUint(rest, 10, 64)
		if err != nil {
			return err
		}
		if u.sending[no] == nil {
			u.sending[no] = make(map[uint64][]byte)
		}
		u.sending[no][id] = value
	default:
		return errors.New("unknown kind")
	}
	return nil
}

func (g *Gateway) restoreUser(key string, p *userParts) error {
	addr, err := ident.ParseAddress(key)
	if err != nil {
		return err
	}
	var rec userRecord
	if err := json.Unmarshal(p.self, &rec); err != nil {
		return err
	}
	if !validName(rec.Name) || g.names[rec.Name] != nil {
		return fmt.Errorf("name %.80q, want a valid one of this user alone", rec.Name)
	}
	u, err := g.newUser(addr, rec.Name)
	if err != nil {
		return err
	}
	u.userRecord = rec
	switch rec.State {
	case opening, on, leaving:
		if u.member, err = member.Restore(g.memberConfig(u), p.member); err != nil {
			return err
		}
	case closing, off:
		if len(p.member) > 0 {
			return errors.New("a member of who has ended it")
		}
	default:
		return fmt.Errorf("state %.80q", rec.State)
	}
	for _, r := range p.member {
		u.records[r.Key] = true
	}
	if err := u.restoreKeys(p.keys); err != nil {
		return err
	}
	for _, no := range sortedKeys(p.threads) {
		if err := g.restoreThread(u, no, p.threads[no]); err != nil {
			return err
		}
	}
	for no, list := range p.refs {
		t := u.threads[no]
		if t == nil {
			return fmt.Errorf("references of chat %d, which is not there", no)
		}
		if err := t.restoreRefs(list); err != nil {
			return err
		}
	}
	for no, list := range p.sending {
		t := u.threads[no]
		if t == nil {
			return fmt.Errorf("messages of chat %d, which is not there", no)
		}
		for id, b := range list {
			var s sending
			if err := json.Unmarshal(b, &s); err != nil {
				return err
			}
			t.sending[id] = s
		}
	}
	return nil
}

func (u *user) restoreKeys(value []byte) error {
	if (value != nil) != (u.State == opening) {
		return fmt.Errorf("KeyPackages for an account in state %s", u.State)
	}
	if value == nil {
		return nil
	}
	var list [][]byte
	if err := json.Unmarshal(value, &list); err != nil {
		return err
	}
	u.keys = make([]message.KeyPackage, len(list))
	for i, b := range list {
		if err := wire.Unmarshal(b, &u.keys[i]); err != nil {
			return err
		}
	}
	return nil
}

func (g *Gateway) restoreThread(u *user, no int, value []byte) error {
	if no >= len(g.cfg.Lines) {
		return fmt.Errorf("chat with line %d, and there are %d", no, len(g.cfg.Lines))
	}
	var rec threadRecord
	if err := json.Unmarshal(value, &rec); err != nil {
		return err
	}
	if (no == 0) != (rec.State == desk) || no > 0 && (rec.Room.Kind() != ident.KindRoom || rec.State != open && rec.State != goes && rec.State != ended) {
		return fmt.Errorf("chat %d in state %.80q", no, rec.State)
	}
	t := g.newThread(u, no, rec.Room)
	t.threadRecord = rec
	u.threads[no] = t
	return nil
}

// restoreRefs takes references in the order of their numbers.
func (t *thread) restoreRefs(list [][]byte) error {
	all := make([]*ref, len(list))
	for i, b := range list {
		all[i] = new(ref)
		if err := json.Unmarshal(b, all[i]); err != nil {
			return err
		}
		if all[i].N == ^uint64(0) {
			return errors.New("a reference without a number")
		}
	}
	slices.SortFunc(all, func(a, b *ref) int { return cmp.Compare(a.N, b.N) })
	for _, x := range all {
		t.refs.put(x)
	}
	return nil
}
