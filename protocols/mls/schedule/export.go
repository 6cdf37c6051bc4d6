package schedule

import (
	"errors"
	"fmt"
	"math"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// ErrExportLength: no exported secret has that many bytes.
var ErrExportLength = errors.New("length of an exported secret out of range")

// Export is MLS-Exporter (RFC 9420, Section 8.5): n bytes, 0 to 255 times the
// suite's hash. exporterSecret is the epoch's exporter_secret.
func Export(s suite.Suite, exporterSecret []byte, label string, context []byte, n int) ([]byte, error) {
	size := s.ID().Sizes().Hash
	if limit := min(255*size, math.MaxUint16); n < 0 || n > limit {
		return nil, fmt.Errorf("schedule: %w: %d, want 0 to %d", ErrExportLength, n, limit)
	}
	secret := labeled.DeriveSecret(s, exporterSecret, label)
	defer clear(secret)
	return labeled.Expand(s, secret, "exported", s.Hash(nil, context), n), nil
}
