package mls

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// signatures collects signatures of one message to verify them together, which
// is cheaper than one after the other.
type signatures struct {
	checks []Check
	what   []string
	batch  []suite.Signature
}

// add adds a signature with the check that it stands for.
func (v *signatures) add(c Check, what string, public []byte, label string, content, signature []byte) {
	v.checks = append(v.checks, c)
	v.what = append(v.what, what)
	v.batch = append(v.batch, suite.Signature{
		Public:    public,
		Message:   labeled.SignContent(make([]byte, 0, len(content)+32), label, content),
		Signature: signature,
	})
}

// verify verifies all and names the first that is wrong.
func (v *signatures) verify(s suite.Suite) error {
	if bad, err := suite.VerifyBatch(s, v.batch); err != nil {
		return fail(v.checks[bad], "signature of %s: %w", v.what[bad], err)
	}
	return nil
}
