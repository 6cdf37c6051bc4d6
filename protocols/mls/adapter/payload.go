package adapter

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

const (
	sealedType    = "mls"
	sealedVersion = 1
)

var (
	errBinding = errors.New("the message before is not the one that this one was sent with")
	errPayload = errors.New("payload is none of those that this protocol has")
)

// seal returns a payload.
func seal(parts ...[]byte) protocols.Sealed {
	return protocols.Sealed{Type: sealedType, Version: sealedVersion, Payload: bytes.Join(parts, nil)}
}

// payload is a payload that was read.
type payload struct {
	setup   []byte           // the Welcome or Commit as it was sent, nil if there is none
	before  *message.Message // the same
	content *message.Message
}

// parse reads a payload. It keeps no part of it.
func parse(s protocols.Sealed) (*payload, error) {
	if s.Type != sealedType || s.Version != sealedVersion {
		return nil, fmt.Errorf("%w: payload of type %q and version %d, expected %q and %d", protocols.ErrMalformed, s.Type, s.Version, sealedType, sealedVersion)
	}
	b := bytes.Clone(s.Payload)
	r := wire.NewReader(b)
	p := &payload{content: new(message.Message)}
	p.content.UnmarshalTLS(r)
	if n := r.Offset(); r.Err() == nil && n < len(b) {
		p.setup, p.before, p.content = b[:n], p.content, new(message.Message)
		p.content.UnmarshalTLS(r)
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: %w", protocols.ErrMalformed, err)
	}
	return p, nil
}

// checkSession checks that a payload is one of a session, and that what was sent
// along is what the data was sent with. That holds once the data opens, since it
// authenticates the hash.
func (p *payload) checkSession(s suite.Suite) error {
	if p.content.Private == nil || p.content.Private.ContentType != message.ContentApplication {
		return fmt.Errorf("%w: %w: %v", protocols.ErrMalformed, errPayload, p.content.WireFormat())
	}
	if b := p.before; b != nil && b.Welcome == nil && (b.Private == nil || b.Private.ContentType != message.ContentCommit ||
		!bytes.Equal(b.Private.GroupID, p.content.Private.GroupID)) {
		return fmt.Errorf("%w: %w: %v before the data", protocols.ErrMalformed, errPayload, b.WireFormat())
	}
	if !bytes.Equal(p.content.Private.AuthenticatedData, binding(s, p.setup)) {
		return fmt.Errorf("%w: %w", protocols.ErrAuthentication, errBinding)
	}
	return nil
}

// binding returns the authenticated_data of what is sent with a setup: nothing if
// there is none.
func binding(s suite.Suite, setup []byte) []byte {
	if len(setup) == 0 {
		return nil
	}
	return s.Hash(nil, setup)
}
