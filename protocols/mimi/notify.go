package mimi

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// FanoutMessage is an event of a room on its way from the hub
// (draft-ietf-mimi-protocol-06, Fanout Messages and Room Events):
//
//	struct {
//	    uint64 timestamp; // milliseconds since 1970
//	    select (protocol) {
//	        case mls10:
//	            MLSMessage message;
//	            select (message.wire_format) {
//	                case application: optional Frank frank;
//	                case welcome:     RatchetTreeOption ratchetTreeOption;
//	                case proposal:    MLSMessage moreProposals<V>;
//	                case commit:      MLSMessage externalProposals<V>;
//	            };
//	    };
//	} FanoutMessage;
//
// There is no protocol to select by (deviation 8), and the cases are content types,
// not wire formats (deviation 9): a PrivateMessage is an application message, a
// PublicMessage a proposal or a Commit.
type FanoutMessage struct {
	Timestamp         uint64 // when the hub accepted it, in milliseconds since 1970
	Message           message.Message
	Frank             *Frank            // of an application message, or nil
	RatchetTreeOption RatchetTreeOption // of a Welcome
	MoreProposals     []message.Message // of a proposal: what its HandshakeBundle had
	// ExternalProposals, of a Commit from outside, are those of the hub that take the
	// place of pending ones in the new epoch.
	ExternalProposals []message.Message
}

// ParseFanoutMessages reads the body of a request to notify: one FanoutMessage or
// several, one behind the other. points nil means [DefaultCodePoints].
func ParseFanoutMessages(b []byte, points *CodePoints) ([]FanoutMessage, error) {
	var list []FanoutMessage
	err := parse(b, "FanoutMessage", func(r *wire.Reader) {
		if r.Empty() {
			r.Fail(errNoFanout)
		}
		for !r.Empty() {
			list = wire.Extend(list)
			list[len(list)-1].read(r, &points.orDefault().MLS)
			if n := r.Offset(); len(list) == 1 && n > 0 { // the others are mostly as long
				list = slices.Grow(list, min((len(b)-n)/n, maxGuess))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// maxGuess bounds for how many FanoutMessages there is room before they are read. It is a
// choice of this implementation.
const maxGuess = 512

// MarshalFanoutMessages writes the body of a request to notify.
func MarshalFanoutMessages(list []FanoutMessage) ([]byte, error) {
	w := wire.NewWriter(nil)
	if len(list) == 0 {
		w.Fail(errNoFanout)
	}
	for i := range list {
		list[i].MarshalTLS(w)
	}
	return w.Bytes()
}

var errNoFanout = errors.New("no FanoutMessage, want one at least")

// FanoutKind is which of the cases of a FanoutMessage it is.
type FanoutKind uint8

// The cases, in the draft's order.
const (
	FanoutApplication FanoutKind = iota + 1
	FanoutWelcome
	FanoutProposal
	FanoutCommit
)

var fanoutNames = map[FanoutKind]string{
	FanoutApplication: "application",
	FanoutWelcome:     "welcome",
	FanoutProposal:    "proposal",
	FanoutCommit:      "commit",
}

// String returns the draft's name of the case, or the number.
func (k FanoutKind) String() string { return name(fanoutNames, k) }

// Kind returns which of the cases the message is, or 0 for what can't be fanned out.
func (m *FanoutMessage) Kind() FanoutKind {
	switch {
	case isApplication(&m.Message):
		return FanoutApplication
	case m.Message.Welcome != nil:
		return FanoutWelcome
	case handshakeType(&m.Message) == message.ContentProposal:
		return FanoutProposal
	case handshakeType(&m.Message) == message.ContentCommit:
		return FanoutCommit
	}
	return 0
}

// UnmarshalTLS reads with [DefaultCodePoints].
func (m *FanoutMessage) UnmarshalTLS(r *wire.Reader) { m.read(r, &message.DefaultCodePoints) }

func (m *FanoutMessage) read(r *wire.Reader, points *message.CodePoints) {
	m.Timestamp = r.Uint64()
	m.Message = points.Message(r)
	switch m.Kind() {
	case FanoutApplication:
		m.Frank = optionalFrank(r)
	case FanoutWelcome:
		m.RatchetTreeOption.UnmarshalTLS(r)
	case FanoutProposal:
		m.MoreProposals = messages(r, points)
	case FanoutCommit:
		m.ExternalProposals = messages(r, points)
	default:
		r.Fail(errFanout(&m.Message))
	}
	if err := m.proposals(); err != nil {
		r.Fail(err)
	}
}

func (m *FanoutMessage) MarshalTLS(w *wire.Writer) {
	w.Uint64(m.Timestamp)
	m.Message.MarshalTLS(w)
	if err := m.proposals(); err != nil {
		w.Fail(err)
	}
	switch m.Kind() {
	case FanoutApplication:
		putOptionalFrank(w, m.Frank)
	case FanoutWelcome:
		m.RatchetTreeOption.MarshalTLS(w)
	case FanoutProposal:
		wire.PutList(w, m.MoreProposals)
	case FanoutCommit:
		wire.PutList(w, m.ExternalProposals)
	default:
		w.Fail(errFanout(&m.Message))
	}
}

// proposals says what is among the proposals that is none.
func (m *FanoutMessage) proposals() error {
	for i := range m.MoreProposals {
		if err := wantProposal(&m.MoreProposals[i]); err != nil {
			return fmt.Errorf("moreProposals[%d]: %w", i, err)
		}
	}
	for i := range m.ExternalProposals {
		if err := wantProposal(&m.ExternalProposals[i]); err != nil {
			return fmt.Errorf("externalProposals[%d]: %w", i, err)
		}
	}
	return nil
}

func errFanout(m *message.Message) error {
	return fmt.Errorf("message: a %s, want application data in an mls_private_message, an mls_welcome, or a proposal or commit in an mls_public_message", kindOf(m))
}
