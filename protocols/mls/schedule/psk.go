package schedule

import (
	"errors"
	"fmt"
	"math"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ErrTooManyPSKs: a PSKLabel counts to 65535.
var ErrTooManyPSKs = errors.New("too many pre-shared keys")

// PSK is a pre-shared key under one of its names. It never prints the key.
type PSK struct {
	ID     message.PreSharedKeyID
	Secret []byte
}

// PSKSecret returns the psk_secret of all PSKs that a Commit injects, in its order
// (RFC 9420, Section 8.4): without any, zeros.
//
//	struct {
//	    PreSharedKeyID id;
//	    uint16 index;
//	    uint16 count;
//	} PSKLabel;
func PSKSecret(s suite.Suite, psks []PSK) ([]byte, error) {
	if len(psks) > math.MaxUint16 {
		return nil, fmt.Errorf("schedule: %w: %d, want at most %d", ErrTooManyPSKs, len(psks), math.MaxUint16)
	}
	size := s.ID().Sizes().Hash
	zeros := make([]byte, size)
	secret := make([]byte, size)
	for i := range psks {
		w := wire.NewWriter(nil)
		psks[i].ID.MarshalTLS(w)
		w.Uint16(uint16(i))
		w.Uint16(uint16(len(psks)))
		label, err := w.Bytes()
		if err != nil {
			clear(secret)
			return nil, fmt.Errorf("schedule: pre-shared key %d: %w", i, err)
		}
		extracted := s.Extract(zeros, psks[i].Secret)
		input := labeled.Expand(s, extracted, "derived psk", label, size)
		next := s.Extract(input, secret)
		clear(extracted)
		clear(input)
		clear(secret)
		secret = next
	}
	return secret, nil
}
