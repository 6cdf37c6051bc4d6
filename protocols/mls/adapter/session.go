package adapter

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// peer is another client whose identity is known.
type peer struct {
	identity []byte     // its signature key
	sessions []*session // the one to seal in comes first
}

// session is a group of two.
type session struct {
	id [sessionIDSize]byte // of the group
	g  *mls.Group
	// setup is the Welcome or Commit that began the epoch, as an MLSMessage, until
	// the peer is heard in it.
	setup []byte
}

const (
	sessionIDSize  = 16
	maxAddressSize = 255 // bytes
)

// ours are names of records beside the engine's: what is sent along in a session,
// and a group's change that waits to be settled.
var ours = map[string]bool{setupName: true, pendingName: true}

const (
	setupName   = "setup"
	pendingName = "pending"
)

// Escaping keeps any address printable and free of spaces and slashes.
func escape[T ~string](s T) string { return url.PathEscape(string(s)) }

func peerKey(a protocols.Address) string { return "peer/" + escape(a) }

func sessionPrefix(a protocols.Address, id [sessionIDSize]byte) string {
	return "session/" + escape(a) + "/" + hex.EncodeToString(id[:]) + "/"
}

var (
	errSelf    = errors.New("a client has no session with itself")
	errSession = errors.New("no session has such a group")
)

// find returns a session by its group's identifier.
func (p *peer) find(id []byte) *session {
	if p != nil {
		for _, s := range p.sessions {
			if bytes.Equal(s.id[:], id) {
				return s
			}
		}
	}
	return nil
}

// putPeer writes
//
//	struct {
//	    uint8 version = 1;
//	    opaque identity<V>;
//	    struct { opaque id[16]; } sessions<V>;
//	} Peer;
func (c *client) putPeer(a protocols.Address, p *peer) {
	c.store.put(peerKey(a), record(func(w *wire.Writer) {
		w.Opaque(p.identity)
		w.Vector(func() {
			for _, s := range p.sessions {
				w.Fixed(s.id[:])
			}
		})
	}))
}

// putSession writes what changed of a session.
func (c *client) putSession(a protocols.Address, s *session) {
	prefix := sessionPrefix(a, s.id)
	c.store.sync(prefix, s.g)
	var setup []byte
	if s.setup != nil {
		setup = record(func(w *wire.Writer) { w.Fixed(s.setup) })
	}
	if !bytes.Equal(setup, c.store.records[prefix+setupName]) {
		c.store.put(prefix+setupName, setup)
	}
}

// add puts a new session first. It returns what is worth a notice.
func (c *client) add(a protocols.Address, identity []byte, s *session) protocols.Notice {
	n := protocols.SessionStarted
	p := c.peers[a]
	if p == nil {
		p = &peer{identity: bytes.Clone(identity)}
		c.peers[a] = p
	} else if !bytes.Equal(p.identity, identity) {
		p.identity = bytes.Clone(identity)
		n |= protocols.IdentityChanged
	}
	p.sessions = slices.Insert(p.sessions, 0, s)
	for len(p.sessions) > maxSessions {
		last := len(p.sessions) - 1
		c.store.drop(sessionPrefix(a, p.sessions[last].id))
		p.sessions = slices.Delete(p.sessions, last, last+1)
	}
	c.putPeer(a, p)
	c.putSession(a, s)
	return n
}

// rollback takes back what an abandoned operation did to a session.
func (c *client) rollback(a protocols.Address, s *session) {
	g, err := mls.Restore(c.sessions, c.store.under(sessionPrefix(a, s.id)))
	if err != nil {
		panic("mls: invariant broken, the records of a session form a state: " + err.Error())
	}
	s.g = g
}

// Establish makes a group of two with the owner of a bundle.
func (c *client) Establish(now time.Time, address protocols.Address, b protocols.Bundle) (protocols.Notice, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, s, err := c.establish(now, address, b)
	if err != nil {
		return 0, fmt.Errorf("mls: establish with %s: %w", address, err)
	}
	return c.add(address, k.LeafNode.SignatureKey, s), nil
}

func (c *client) establish(now time.Time, address protocols.Address, b protocols.Bundle) (*message.KeyPackage, *session, error) {
	if address == c.address || address == "" || len(address) > maxAddressSize {
		return nil, nil, fmt.Errorf("%w: address of %d bytes", errSelf, len(address))
	}
	k, err := c.fetch(now, address, b)
	if err != nil {
		return nil, nil, err
	}
	s := new(session)
	if _, err := io.ReadFull(c.suite.Rand(), s.id[:]); err != nil {
		return nil, nil, err
	}
	if s.g, err = mls.New(c.sessions, now, c.self, s.id[:], mls.GroupOptions{}); err != nil {
		return nil, nil, wrap(err)
	}
	p, err := s.g.Commit(now, mls.CommitOptions{Proposals: []message.Proposal{mls.AddProposal(*k)}})
	if err != nil {
		return nil, nil, wrap(err)
	}
	s.setup = p.Welcome
	return k, s, s.g.Merge(&p.Staged)
}

// Established reports whether there is a session with peer.
func (c *client) Established(address protocols.Address) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[address]
	return p != nil && len(p.sessions) > 0
}

// Seal encrypts to one peer.
func (c *client) Seal(address protocols.Address, plaintext []byte) (protocols.Sealed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[address]
	if p == nil || len(p.sessions) == 0 {
		return protocols.Sealed{}, fmt.Errorf("mls: seal to %s: %w", address, protocols.ErrNoSession)
	}
	s := p.sessions[0]
	sealed, err := c.seal(s, plaintext)
	if err != nil {
		c.rollback(address, s)
		return protocols.Sealed{}, fmt.Errorf("mls: seal to %s: %w", address, err)
	}
	c.putSession(address, s)
	return sealed, nil
}

func (c *client) seal(s *session, plaintext []byte) (protocols.Sealed, error) {
	setup := s.setup
	if setup == nil && s.mayCommit() {
		p, err := s.g.Commit(time.Time{}, mls.CommitOptions{Path: true})
		if err != nil {
			return protocols.Sealed{}, err
		}
		if err := s.g.Merge(&p.Staged); err != nil {
			return protocols.Sealed{}, err
		}
		setup = p.Message
	}
	m, err := s.g.Protect(plaintext, mls.SendOptions{AAD: binding(c.suite, setup)})
	if err != nil {
		return protocols.Sealed{}, err
	}
	s.setup = setup
	return seal(setup, m), nil
}

// mayCommit reports whether this epoch's Commit is this client's: the joiner's, leaf
// 1, in odd epochs, the creator's, leaf 0, in even ones.
func (s *session) mayCommit() bool { return uint64(s.g.OwnLeaf()) == s.g.Epoch()%2 }

// Open decrypts what peer sealed for this client.
func (c *client) Open(address protocols.Address, sealed protocols.Sealed) (protocols.Opened, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := parse(sealed)
	if err == nil {
		err = p.checkSession(c.suite)
	}
	if err != nil {
		return protocols.Opened{}, fmt.Errorf("mls: open from %s: %w", address, err)
	}
	s := c.peers[address].find(p.content.Private.GroupID)
	var o protocols.Opened
	if s == nil {
		o, err = c.openFirst(address, p)
	} else {
		o, err = c.openNext(address, s, p)
	}
	if err != nil {
		return protocols.Opened{}, fmt.Errorf("mls: open from %s: %w", address, err)
	}
	if o.Plaintext == nil {
		o.Plaintext = []byte{}
	}
	return o, nil
}

// openFirst opens the first message of a session that arrives.
func (c *client) openFirst(address protocols.Address, p *payload) (o protocols.Opened, err error) {
	if p.before == nil || p.before.Welcome == nil {
		return o, fmt.Errorf("%w: %w", protocols.ErrNoSession, errSession)
	}
	w, err := c.openWelcome(c.sessions, address, p.before.Welcome, p.setup, nil)
	if err != nil {
		return o, err
	}
	id := w.Context().GroupID
	if len(id) != sessionIDSize || !bytes.Equal(id, p.content.Private.GroupID) || w.Context().Epoch != 1 ||
		w.Tree().Members() != 2 || w.Sender() != 0 {
		return o, fmt.Errorf("%w: Welcome to group %x, epoch %d, of %d, which is no session", protocols.ErrMalformed, id, w.Context().Epoch, w.Tree().Members())
	}
	s := &session{id: [sessionIDSize]byte(id), g: w.Join()}
	a, err := c.open(s, p)
	if err != nil {
		return o, err
	}
	n := c.accept(w)
	return protocols.Opened{Plaintext: a.Data, Notice: n | c.add(address, w.inviter.SignatureKey, s)}, nil
}

// openNext opens a message of a session that is known.
func (c *client) openNext(address protocols.Address, s *session, p *payload) (o protocols.Opened, err error) {
	follows := p.before != nil && p.before.Private != nil && p.before.Private.Epoch == s.g.Epoch()
	if follows {
		err = c.follow(s, p.before)
	}
	var a *mls.Application
	if err == nil {
		a, err = c.open(s, p)
	}
	if err != nil {
		if follows {
			c.rollback(address, s)
		}
		return o, err
	}
	if a.Epoch == s.g.Epoch() {
		s.setup = nil // the peer is there too
	}
	if q := c.peers[address]; q.sessions[0] != s {
		i := slices.Index(q.sessions, s)
		q.sessions = slices.Insert(slices.Delete(q.sessions, i, i+1), 0, s)
		c.putPeer(address, q)
	}
	c.putSession(address, s)
	return protocols.Opened{Plaintext: a.Data}, nil
}

// follow takes the peer's Commit, which renews its keys and does nothing else.
func (c *client) follow(s *session, m *message.Message) error {
	e, err := s.g.ProcessMessage(time.Time{}, m)
	if err != nil {
		return wrap(err)
	}
	staged, ok := e.(*mls.Staged)
	if !ok || len(staged.Proposals()) > 0 || !staged.HasPath() {
		return fmt.Errorf("%w: a Commit in a session does not renew keys alone", protocols.ErrMalformed)
	}
	return s.g.Merge(staged)
}

// open opens the data of a payload.
func (c *client) open(s *session, p *payload) (*mls.Application, error) {
	e, err := s.g.ProcessMessage(time.Time{}, p.content)
	if err != nil {
		return nil, wrapAt(err, p.content.Private.Epoch, s.g.Epoch())
	}
	return e.(*mls.Application), nil // parse let nothing else through
}
