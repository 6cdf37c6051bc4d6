package check

import (
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// seen is what was seen of the partner's device.
type seen struct {
	login    ident.Address // the account, once the user is enlisted
	visible  string        // the user
	enlisted int           // how often that went well
	rejected int           // and how often not

	up        int // connections, now
	connected int // that were let in
	refused   int // that were not
	insists   int // of them, those for an account that is not there

	stanzas    int
	uploads    int // of one-time keys
	keepalives int
	acks       int
	receipts   map[string]*stanza.Receipt // the last, by type and the message's ID
	blocked    map[ident.Address]bool     // by blocklist stanzas
	pinged     map[ident.Address]bool
	consented  map[string]bool // notices of consent, by ID: whether they are acknowledged
	deleted    int
}

func newSeen() seen {
	return seen{
		receipts: map[string]*stanza.Receipt{}, blocked: map[ident.Address]bool{}, pinged: map[ident.Address]bool{}, consented: map[string]bool{},
	}
}

// receipt returns the receipt of a type for a message, or nil.
func (s *seen) receipt(t stanza.ReceiptType, id string) *stanza.Receipt {
	return s.receipts[string(t)+"/"+id]
}

// ofToken is the check that a token fails by an error, "" if it is about something else.
func ofToken(err error) string {
	for _, k := range []struct {
		kind error
		id   string
	}{
		{token.ErrMalformed, "identity.token"},
		{token.ErrKey, "identity.kid"},
		{token.ErrAlgorithm, "identity.signature"},
		{token.ErrSignature, "identity.signature"},
		{token.ErrIssuer, "identity.issuer"},
		{token.ErrAudience, "identity.audience"},
		{token.ErrExpired, "identity.lifetime"},
		{token.ErrEarly, "identity.lifetime"},
		{token.ErrLifetime, "identity.lifetime"},
		{token.ErrIdentifier, "identity.identifier"},
		{enlist.BadIntegrator, "identity.issuer"},
		{jwks.ErrUnavailable, "identity.keys"},
		{token.ErrKeys, "identity.keys"},
	} {
		if errors.Is(err, k.kind) {
			return k.id
		}
	}
	return ""
}

// enlisted takes the answer to a form.
func (r *run) enlisted(f *enlist.Form, login ident.Address, err error) {
	if err == nil && login.Server != ident.Interop {
		return // one of the checker's own
	}
	if err == nil {
		for _, id := range []string{"form", "version", "token", "kid", "signature", "issuer", "audience", "lifetime", "identifier", "enlisted"} {
			r.pass("identity."+id, "%v", login)
		}
		r.note(func(s *seen) {
			s.enlisted++
			s.login, s.visible = login, f.Identifier
		})
		return
	}
	var field *enlist.Error
	id := ofToken(err)
	switch {
	case errors.Is(err, enlist.BadVersion), errors.As(err, &field) && field.Reason == enlist.BadVersion:
		id = "identity.version"
	case errors.As(err, &field), errors.Is(err, enlist.BadParam):
		id = "identity.form"
	case id == "":
		id = "identity.enlisted"
	}
	r.fail(id, "%v", err)
	r.note(func(s *seen) { s.rejected++ })
}

// connected takes a connection to the chat channel, or its refusal.
func (r *run) connected(a ident.Address, err error) {
	if err == nil {
		if a.Server == ident.Interop {
			r.note(func(s *seen) {
				s.up++
				s.connected++
			})
			for _, id := range []string{"prologue", "handshake", "key", "token"} {
				r.pass("chat."+id, "%v", a)
			}
		}
		return
	}
	var frame *noise.Error
	gone := errors.Is(err, stanza.NotEnlisted)
	r.note(func(s *seen) {
		s.refused++
		if gone && s.deleted > 0 {
			s.insists++
		}
	})
	switch {
	case gone: // of an account that was deleted, perhaps
	case errors.Is(err, noise.ErrPrologue):
		r.fail("chat.prologue", "%v", err)
	case errors.As(err, &frame):
		r.fail("chat.handshake", "%v", err)
	case errors.Is(err, jwks.ErrUnavailable):
		r.fail("identity.keys", "%v", err)
	case ofToken(err) != "" || errors.Is(err, stanza.NotAuthorized) && isToken(err):
		r.fail("chat.token", "%v", err)
	case errors.Is(err, stanza.NotAuthorized):
		r.fail("chat.key", "%v", err)
	}
	// What breaks off without a word is a port scan's, or a partner's whose gatekeeper's
	// key is another one.
}

func isToken(err error) bool {
	var t *token.Error
	return errors.As(err, &t)
}

// gone takes the end of a connection.
func (r *run) gone(a ident.Address, err error) {
	if a.Server != ident.Interop {
		return
	}
	r.note(func(s *seen) { s.up-- })
	var form *stanza.FormatError
	if errors.Is(err, protocols.ErrMalformed) || errors.As(err, &form) || errors.Is(err, stanza.ResourceLimit) {
		r.fail("chat.stanzas", "%v", err)
	}
	if errors.Is(err, stanza.Conflict) {
		r.note(func(s *seen) {
			if s.deleted == 0 {
				r.fail("chat.one", "another connection of the same client while one stood")
			}
		})
	}
}

// frame takes a stanza.
func (r *run) frame(a ident.Address, sent bool, frame []byte) {
	if a.Server != ident.Interop {
		return
	}
	tree, err := stanza.ParseBinary(frame)
	var s stanza.Stanza
	if err == nil {
		s, err = stanza.Parse(tree)
	}
	if err != nil {
		if !sent {
			r.fail("chat.stanzas", "%v", err)
		}
		return
	}
	if sent {
		r.sent(s)
		return
	}
	r.note(func(see *seen) {
		see.stanzas++
		switch s := s.(type) {
		case *stanza.IQ:
			see.iq(s)
		case *stanza.Receipt:
			for _, id := range append(s.IDs, s.ID) {
				see.receipts[string(s.Type)+"/"+id] = s
			}
		case *stanza.Ack:
			see.acks++
			if _, ok := see.consented[s.ID]; ok {
				see.consented[s.ID] = true
			}
		}
	})
}

// sent takes a stanza that the device is sent.
func (r *run) sent(s stanza.Stanza) {
	n, ok := s.(*stanza.Notification)
	if !ok {
		return
	}
	if _, ok := n.Event.(stanza.ConsentChanged); ok {
		r.note(func(s *seen) {
			if !s.consented[n.ID] {
				s.consented[n.ID] = false
			}
		})
	}
}

// iq takes a question or an order.
func (s *seen) iq(q *stanza.IQ) {
	switch p := q.Payload.(type) {
	case *stanza.KeyUpload:
		if len(p.Keys.OneTime) > 0 {
			s.uploads++
		}
	case stanza.KeepAlive:
		s.keepalives++
	case *stanza.Block:
		s.blocked[p.Address] = !p.Unblock
	case *stanza.Ping:
		s.pinged[p.User] = true
	case stanza.Delete:
		s.deleted++
	}
}

// conclude gives verdicts on what holds all the time.
func (r *run) conclude() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen.stanzas > 0 {
		r.pass("chat.stanzas", "%d", r.seen.stanzas)
	}
	if r.seen.connected > 0 {
		r.pass("chat.one", "%d connections, one after the other", r.seen.connected)
	}
	if r.seen.enlisted > 0 {
		r.holds("messaging.ack", r.seen.acks > 0, fmt.Sprint(r.seen.acks), "no acknowledgement at all")
	}
}
