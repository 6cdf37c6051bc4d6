package adapter

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

var errRecord = errors.New("record can't be of this client")

// restore reads the client back from its records, each of which it checks.
func (c *client) restore(records []protocols.Record) error {
	for _, r := range records {
		if r.Value == nil {
			delete(c.store.records, r.Key)
		} else {
			c.store.records[r.Key] = bytes.Clone(r.Value)
		}
	}
	if err := c.readLocal(); err != nil {
		return err
	}
	sessions := make(map[string][]mls.Record) // by prefix, with records beside the engine's
	groups := make(map[string][]mls.Record)
	for key, value := range c.store.records {
		kind, rest, _ := strings.Cut(key, "/")
		var err error
		switch kind {
		case localKey:
			if key != localKey {
				err = errRecord
			}
		case "static", "one-time":
			err = c.readPackage(key, kind, rest, value)
		case "spent":
			err = c.checkSpent(key, rest, value)
		case "peer": // with its sessions, below
			var name string
			if name, err = unescape(rest); err == nil {
				c.peers[protocols.Address(name)] = nil
			}
		case "session":
			err = gather(sessions, key, 3, value)
		case "group":
			err = gather(groups, key, 2, value)
		default:
			err = errRecord
		}
		if err != nil {
			return fmt.Errorf("record %q: %w", key, err)
		}
	}
	for a := range c.peers {
		if err := c.readPeer(a, sessions); err != nil {
			return fmt.Errorf("peer %q: %w", a, err)
		}
	}
	for prefix := range sessions {
		return fmt.Errorf("%q: %w: no peer has it", prefix, errRecord)
	}
	for prefix, records := range groups {
		if err := c.readGroup(prefix, records); err != nil {
			return fmt.Errorf("%q: %w", prefix, err)
		}
	}
	for _, id := range []uint32{c.ids.static, c.ids.previous} {
		if id != 0 && c.store.records[staticKey(id)] == nil {
			return fmt.Errorf("last-resort KeyPackage %d is missing", id)
		}
	}
	return nil
}

// gather sorts a record to those with the same first parts of the key.
func gather(into map[string][]mls.Record, key string, parts int, value []byte) error {
	at := 0
	for range parts {
		i := strings.IndexByte(key[at:], '/')
		if i < 0 {
			return errRecord
		}
		at += i + 1
	}
	into[key[:at]] = append(into[key[:at]], mls.Record{Key: key[at:], Value: value})
	return nil
}

func unescape(s string) (string, error) {
	plain, err := url.PathUnescape(s)
	if err != nil || escape(plain) != s || plain == "" {
		return "", errRecord
	}
	return plain, nil
}

// read reads a record's value.
func read(b []byte, body func(*wire.Reader)) error {
	r := wire.NewReader(b)
	if v := r.Uint8(); r.Err() == nil && v != recordVersion {
		r.Fail(fmt.Errorf("version %d, want %d", v, recordVersion))
	}
	body(r)
	return r.Done()
}

func (c *client) readLocal() error {
	var id suite.ID
	var address, signer []byte
	err := read(c.store.records[localKey], func(r *wire.Reader) {
		id = suite.ID(r.Uint16())
		address, signer = r.Opaque(), bytes.Clone(r.Opaque())
		c.ids = ids{r.Uint32(), r.Uint32(), r.Uint32()}
	})
	switch {
	case err != nil:
		return fmt.Errorf("record %q: %w", localKey, err)
	case id != c.suite.ID() || string(address) != string(c.address):
		return fmt.Errorf("record %q is of %q with suite %d", localKey, address, id)
	case c.ids.next == 0 || c.ids.static >= c.ids.next || c.ids.previous > c.ids.static || c.ids.static != 0 && c.ids.previous == c.ids.static:
		return fmt.Errorf("record %q: impossible numbers of KeyPackages", localKey)
	}
	public, err := c.suite.SignerPublicKey(signer)
	if err != nil {
		return fmt.Errorf("record %q: %w", localKey, err)
	}
	c.self = &mls.Identity{Credential: message.BasicCredential([]byte(c.address)), Signer: suite.KeyPair{Private: signer, Public: public}}
	return nil
}

func parseID(s string) (uint32, bool) {
	id, err := strconv.ParseUint(s, 16, 32)
	return uint32(id), err == nil && fmt.Sprintf("%08x", id) == s
}

func (c *client) readPackage(key, kind, number string, value []byte) error {
	id, ok := parseID(number)
	if !ok || id == 0 || id >= c.ids.next || kind == "static" && id != c.ids.static && id != c.ids.previous {
		return errRecord
	}
	k, err := c.engine.UnmarshalKeyPackage(value)
	if err != nil {
		return err
	}
	if !bytes.Equal(k.Signer.Public, c.self.Signer.Public) {
		return fmt.Errorf("%w: KeyPackage of another identity", errRecord)
	}
	c.packages[string(k.Ref)] = key
	return nil
}

func (c *client) checkSpent(key, rest string, value []byte) error {
	number, hash, _ := strings.Cut(rest, "/")
	id, ok := parseID(number)
	b, err := hex.DecodeString(hash)
	if !ok || err != nil || len(b) != 16 || hex.EncodeToString(b) != hash || id == 0 || id != c.ids.static && id != c.ids.previous {
		return errRecord
	}
	return read(value, func(*wire.Reader) {})
}

func (c *client) readPeer(a protocols.Address, sessions map[string][]mls.Record) error {
	p := new(peer)
	var all [][sessionIDSize]byte
	if err := read(c.store.records[peerKey(a)], func(r *wire.Reader) {
		p.identity = bytes.Clone(r.Opaque())
		r.Vector(func() {
			if b := r.Fixed(sessionIDSize); b != nil {
				all = append(all, [sessionIDSize]byte(b))
			}
		})
	}); err != nil {
		return err
	}
	if len(all) > maxSessions {
		return fmt.Errorf("%w: %d sessions", errRecord, len(all))
	}
	for _, id := range all {
		prefix := sessionPrefix(a, id)
		s, err := c.readSession(a, id, sessions[prefix])
		if err != nil {
			return fmt.Errorf("session %x: %w", id, err)
		}
		delete(sessions, prefix)
		p.sessions = append(p.sessions, s)
	}
	c.peers[a] = p
	return nil
}

// split takes the record that is ours from among the engine's.
func split(records []mls.Record, name string) (engine []mls.Record, own []byte) {
	for _, r := range records {
		if r.Key == name {
			own = r.Value
		} else {
			engine = append(engine, r)
		}
	}
	return engine, own
}

func (c *client) readSession(a protocols.Address, id [sessionIDSize]byte, records []mls.Record) (*session, error) {
	engine, setup := split(records, setupName)
	g, err := mls.Restore(c.sessions, engine)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(g.GroupID(), id[:]) || g.Removed() || g.Tree().Members() != 2 || !c.isOwn(g) {
		return nil, fmt.Errorf("%w: group %x is not of two", errRecord, g.GroupID())
	}
	for i, l := range g.Tree().All() {
		if i != g.OwnLeaf() && string(l.Credential.Identity) != string(a) {
			return nil, fmt.Errorf("%w: session with %q", errRecord, l.Credential.Identity)
		}
	}
	s := &session{id: id, g: g}
	if setup == nil {
		return s, nil
	}
	if len(setup) < 1 || setup[0] != recordVersion {
		return nil, fmt.Errorf("%w: setup", errRecord)
	}
	s.setup = bytes.Clone(setup[1:])
	m, err := message.Parse(s.setup, nil)
	if err != nil {
		return nil, err
	}
	if m.Welcome == nil && m.Private == nil {
		return nil, fmt.Errorf("%w: setup is a %v", errRecord, m.WireFormat())
	}
	return s, nil
}

// isOwn reports whether this client's leaf has its identity.
func (c *client) isOwn(g *mls.Group) bool {
	l := g.Tree().Leaf(g.OwnLeaf())
	return l != nil && bytes.Equal(l.SignatureKey, c.self.Signer.Public) && string(l.Credential.Identity) == string(c.address)
}

func (c *client) readGroup(prefix string, records []mls.Record) error {
	name, err := unescape(strings.TrimSuffix(strings.TrimPrefix(prefix, "group/"), "/"))
	if err != nil {
		return err
	}
	engine, pending := split(records, pendingName)
	g, err := mls.Restore(c.engine, engine)
	if err != nil {
		return err
	}
	if string(g.GroupID()) != name || g.Removed() || !c.isOwn(g) {
		return fmt.Errorf("%w: group %x", errRecord, g.GroupID())
	}
	x := &group{g: g, pending: pending != nil}
	if x.pending {
		if len(pending) < 1 || pending[0] != recordVersion {
			return fmt.Errorf("%w: pending change", errRecord)
		}
		if len(pending) > 1 {
			if x.staged, err = g.UnmarshalPending(pending[1:]); err != nil {
				return err
			}
		}
	}
	c.groups[protocols.GroupID(name)] = x
	return nil
}
