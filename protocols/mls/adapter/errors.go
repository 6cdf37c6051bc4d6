package adapter

import (
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
)

// sentinels are what errors of the engine mean at the seam, the first that fits. An
// epoch that is not the current one is for epochError to judge.
var sentinels = []struct{ is, means error }{
	{mls.ErrOwnMessage, protocols.ErrReplayed}, // its key is gone
	{schedule.ErrConsumed, protocols.ErrReplayed},
	{schedule.ErrTooFarAhead, protocols.ErrTooFarAhead},
	{mls.CheckGroupUnique, protocols.ErrReplayed},
	{mls.CheckGroup, protocols.ErrNoSession},
	{mls.CheckWelcomeFor, protocols.ErrKeyUnknown},
	{mls.CheckWelcomeSecrets, protocols.ErrAuthentication},
	{mls.CheckGroupInfo, protocols.ErrAuthentication},
	{mls.CheckGroupInfoSigner, protocols.ErrAuthentication},
	{mls.CheckDecrypt, protocols.ErrAuthentication},
	{mls.CheckSenderMember, protocols.ErrAuthentication},
	{mls.CheckSignature, protocols.ErrAuthentication},
	{mls.CheckMembership, protocols.ErrAuthentication},
	{mls.CheckConfirmation, protocols.ErrAuthentication},
	{mls.CheckLeafSignature, protocols.ErrAuthentication},
	{mls.CheckLeafCredential, protocols.ErrAuthentication},
	{mls.CheckKeyPackageSignature, protocols.ErrAuthentication},
	{mls.CheckPathDecrypt, protocols.ErrAuthentication},
}

// wrap says which sentinel of package protocols an error of the engine means. What
// has none is a message that this protocol does not allow.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	for _, s := range sentinels {
		if errors.Is(err, s.is) {
			return fmt.Errorf("%w: %w", s.means, err)
		}
	}
	return fmt.Errorf("%w: %w", protocols.ErrMalformed, err)
}

// wrapAt is wrap for a message of an epoch, taken to a group at another: if the keys
// of an earlier epoch are gone, the message is too late; one of a later epoch comes
// before the Commit that it needs.
func wrapAt(err error, message, group uint64) error {
	if errors.Is(err, mls.CheckEpoch) {
		if message < group {
			return fmt.Errorf("%w: %w", protocols.ErrReplayed, err)
		}
		return fmt.Errorf("%w: %w", protocols.ErrNoSession, err)
	}
	return wrap(err)
}
