// Package conformance checks the protocols against the published test vectors.
package conformance

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	mls "github.com/mimi-lab/mimi-lab/protocols/mls/conformance"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

// New makes the noun conformance.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "conformance",
		Short: "Check the protocols against the published test vectors",
		Long: `Check the protocols against the published test vectors: against every value that
the vectors hold, in every cipher suite. "vectors fetch" gets them.`,
		Example: `  mimi-lab conformance list`,
	}, newList(t), newRun(t))
}

// protocol is one whose published vectors there are runners for.
type protocol struct {
	source vectors.Source
	files  []mls.File
}

// protocols returns those that there are.
func protocols() []protocol {
	var all []protocol
	for _, s := range vectors.Sources() {
		if s.Name == "mls" {
			all = append(all, protocol{s, mls.Files()})
		}
	}
	return all
}

// names returns the names of the protocols.
func names() []string {
	var all []string
	for _, p := range protocols() {
		all = append(all, p.source.Name)
	}
	return all
}
