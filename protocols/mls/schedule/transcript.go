package schedule

import (
	"crypto/subtle"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ConfirmedTranscriptHash returns the confirmed_transcript_hash of the epoch that a
// Commit begins (RFC 9420, Section 8.2). interimBefore is the
// interim_transcript_hash of the epoch before, empty in a group's first, and input
// the Commit's ConfirmedTranscriptHashInput, as it is encoded.
func ConfirmedTranscriptHash(s suite.Suite, interimBefore, input []byte) []byte {
	b := make([]byte, 0, len(interimBefore)+len(input))
	return s.Hash(nil, append(append(b, interimBefore...), input...))
}

// InterimTranscriptHash returns the interim_transcript_hash of the epoch that the
// Commit with this confirmation_tag begins (RFC 9420, Section 8.2):
//
//	struct {
//	    MAC confirmation_tag;
//	} InterimTranscriptHashInput;
//
// Tags are shorter than 2^30 bytes, as is all that was ever read.
func InterimTranscriptHash(s suite.Suite, confirmed, confirmationTag []byte) []byte {
	w := wire.NewWriter(make([]byte, 0, len(confirmed)+len(confirmationTag)+4))
	w.Fixed(confirmed)
	w.Opaque(confirmationTag)
	b, err := w.Bytes()
	if err != nil {
		panic("schedule: invariant broken, a confirmation tag fits a vector: " + err.Error())
	}
	return s.Hash(nil, b)
}

// ConfirmationTag returns the confirmation_tag of the Commit that began an epoch
// (RFC 9420, Section 6.1). Key and hash are those of the new epoch.
func ConfirmationTag(s suite.Suite, confirmationKey, confirmedTranscriptHash []byte) []byte {
	return s.HMAC(nil, confirmationKey, confirmedTranscriptHash)
}

// VerifyConfirmation reports whether tag is the confirmation_tag, in constant time.
func VerifyConfirmation(s suite.Suite, confirmationKey, confirmedTranscriptHash, tag []byte) bool {
	return subtle.ConstantTimeCompare(ConfirmationTag(s, confirmationKey, confirmedTranscriptHash), tag) == 1
}
