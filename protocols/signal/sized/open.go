package sized

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// reception is a message that was opened, and what that is about to change.
type reception struct {
	plaintext []byte
	peer      protocols.Address
	message   message
	opening   opening
	session   *session // of which a state opened it; nil if it begins a session
	index     int      // of that state
	begun     state    // the session it begins
}

// Open implements [protocols.Client].
func (c *client) Open(peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var r reception
	if err := c.receive(&r, peer, s); err != nil {
		return protocols.Opened{}, fmt.Errorf(Name+": open from %s: %w", peer, err)
	}
	return protocols.Opened{Plaintext: r.plaintext, Notice: c.commit(&r)}, nil
}

// receive opens a message. It changes nothing; commit does.
func (c *client) receive(r *reception, peer protocols.Address, s protocols.Sealed) (err error) {
	r.peer = peer
	if s.Version != encVersion {
		return malformed(fmt.Sprintf("version %d", s.Version))
	}
	switch s.Type {
	case typeMessage:
		if r.message, err = parseMessage(s.Payload); err != nil {
			return err
		}
		err = c.receiveMessage(r)
	case typePreKey:
		var m preKeyMessage
		if m, err = parsePreKeyMessage(s.Payload); err != nil {
			return err
		}
		r.message = m.message
		err = c.receivePreKey(r, &m)
	default:
		return malformed(fmt.Sprintf("type %q", s.Type))
	}
	if err != nil {
		return err
	}
	r.plaintext, err = unseal(r.message.body, r.opening.key)
	return err
}

// receiveMessage finds the state that opens a SignalMessage.
func (c *client) receiveMessage(r *reception) (err error) {
	r.session = c.sessions.with(r.peer)
	if r.session == nil {
		return protocols.ErrNoSession
	}
	r.index, r.opening, err = r.session.find(c.own, &r.message)
	return err
}

// receivePreKey opens a PreKeySignalMessage with the state that an earlier one
// with the same base key began, or begins one.
func (c *client) receivePreKey(r *reception, m *preKeyMessage) (err error) {
	if s := c.sessions.with(r.peer); s != nil {
		if i, ok := s.withBase(m.base); ok {
			r.session, r.index = s, i
			return c.receiveRepeated(r, m)
		}
	}
	h := m.header
	if h.signed != c.signedID() && (h.signed != c.signedID()-1 || h.signed == 0) {
		return fmt.Errorf("signed prekey %d: %w", h.signed, protocols.ErrKeyUnknown)
	}
	var oneTime *uint64
	if h.hasOneTime {
		if !c.oneTime.has(h.oneTime) {
			return fmt.Errorf("one-time prekey %d: %w", h.oneTime, protocols.ErrKeyUnknown)
		}
		key := public(c.oneTimeCore(h.oneTime))
		oneTime = &key
	}
	r.begun = respond(c.own, c.signedCore(h.signed), oneTime, m)
	r.opening, err = r.begun.check(c.own, &r.message)
	return err
}

// receiveRepeated opens a PreKeySignalMessage that is not its session's first.
// What no MAC covers must be as it was in the first.
func (c *client) receiveRepeated(r *reception, m *preKeyMessage) (err error) {
	st := r.session.at(r.index)
	if st.role != responder || st.header != m.header || st.remote != m.identity {
		return fmt.Errorf("header: %w", protocols.ErrAuthentication)
	}
	r.opening, err = st.check(c.own, &r.message)
	return err
}

// unseal returns the plaintext of a message whose MAC was verified.
func unseal(body []byte, key messageKey) ([]byte, error) {
	b := make([]byte, len(body))
	mask(b, body, key.stream())
	return unpad(b)
}

// commit makes the state that opened the message the current one.
func (c *client) commit(r *reception) protocols.Notice {
	s := r.session
	if s == nil {
		return c.commitFirst(r)
	}
	s.at(r.index).accept(r.opening, &r.message, c.fresh())
	if r.index >= 0 {
		s.promote(r.index)
	}
	c.touch(s)
	if s.identity != s.current.remote {
		s.identity = s.current.remote
		return protocols.IdentityChanged
	}
	return 0
}

func (c *client) commitFirst(r *reception) protocols.Notice {
	r.begun.accept(r.opening, &r.message, c.fresh())
	notice := c.install(r.peer, r.begun)
	if h := r.begun.header; h.hasOneTime {
		c.oneTime.use(h.oneTime)
		c.changedOneTime = true
		notice |= protocols.OneTimeKeyUsed
	}
	return notice
}
