package sized_test

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/adaptertest"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, sized.Adapter{}, adaptertest.Options{
		Unauthenticated: registrationID,
	})
}

// registrationID is where a PreKeySignalMessage has its initiator's registration
// id, which no MAC covers: two bytes before the signed prekey's one-byte id, each
// after its tag.
func registrationID(s protocols.Sealed) []adaptertest.Range {
	if s.Type != "pkmsg" {
		return nil
	}
	m, err := signal.ParsePreKeyMessage(s.Payload)
	if err != nil || m.RegistrationID < 1<<7 || m.RegistrationID >= 1<<14 || m.SignedPreKeyID >= 1<<7 {
		panic("unexpected sizes of ids")
	}
	n := len(s.Payload)
	return []adaptertest.Range{{From: n - 4, To: n - 2}}
}
