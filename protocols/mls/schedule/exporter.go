package schedule

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// components is how many leaves an exporter tree has: one per ComponentID.
const components = 1 << 16

// ExporterTree is the forward-secure exporter of an epoch
// (draft-ietf-mls-extensions-10, Exported Secrets): a tree of secrets as in RFC
// 9420, Section 9, with a leaf for every component of an application. It is not
// for use by several goroutines at once.
type ExporterTree struct {
	s        suite.Suite
	frontier frontier
}

// NewExporterTree returns the tree of an epoch whose application_export_secret is
// root, which it copies: the caller overwrites it.
func NewExporterTree(s suite.Suite, root []byte) *ExporterTree {
	return &ExporterTree{s, newFrontier(root, components)}
}

// SafeExport returns the exported secret of a component, once: the tree forgets
// it. After that it is an error that wraps [ErrConsumed].
func (t *ExporterTree) SafeExport(component uint16) (secret []byte, err error) {
	d := t.frontier.descend(t.s, uint32(component))
	if d == nil {
		return nil, fmt.Errorf("schedule: exported secret of component %d: %w", component, ErrConsumed)
	}
	secret = append([]byte(nil), d.leaf...)
	t.frontier.take(d)
	return secret, nil
}

// Wipe overwrites all secrets. The tree gives none after that.
func (t *ExporterTree) Wipe() { t.frontier.wipe() }
