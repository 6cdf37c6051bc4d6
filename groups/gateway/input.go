package gateway

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// Input is what the machine can be told. The set is sealed.
type Input interface{ input() }

type (
	// Chat is what happens on a line's chat channel at the gatekeeper: a dma.Connect,
	// dma.Disconnect or dma.Frame.
	Chat struct {
		Line int
		In   dma.Input
	}
	// Provider is what the MIMI provider has for a client: a member.Delivered or
	// member.Replied.
	Provider struct {
		Client ident.URI
		In     member.Input
	}
	// AccountDone answers an [Account]. An error says that it will not be done.
	AccountDone struct {
		Client ident.URI
		Err    error
	}
	// Transferred answers a [Transfer]: what the medium is on the other side, or why it
	// could not be carried over.
	Transferred struct {
		ID   uint64
		MIMI *content.ExternalPart // of a medium that came from Signal
		Ref  *dma.MediaRef         // of one that came from a room
		Err  error
	}
	// Resume: the shell runs again after a restart. No line is connected, and what had
	// no answer is asked again.
	Resume struct{}
	// Wake: the time that an earlier Output.WakeAt asked for has come. A wake that comes
	// early or late does no harm.
	Wake struct{}
)

func (Chat) input()        {}
func (Provider) input()    {}
func (AccountDone) input() {}
func (Transferred) input() {}
func (Resume) input()      {}
func (Wake) input()        {}

// check refuses what does not come from outside: the rest of what lines and members
// understand is the gateway's own to say.
func check(in Input) error {
	switch in := in.(type) {
	case Chat:
		switch in.In.(type) {
		case dma.Connect, dma.Disconnect, dma.Frame:
			return nil
		}
		return fmt.Errorf("gateway: a %T on a line, want Connect, Disconnect or Frame", in.In)
	case Provider:
		switch in.In.(type) {
		case member.Delivered, member.Replied:
			return nil
		}
		return fmt.Errorf("gateway: a %T for a client, want Delivered or Replied", in.In)
	}
	return nil
}
