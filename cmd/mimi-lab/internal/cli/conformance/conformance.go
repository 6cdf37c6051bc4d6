// Package conformance checks the protocols against the published test vectors.
package conformance

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/kat"
	content "github.com/mimi-lab/mimi-lab/protocols/content/conformance"
	mls "github.com/mimi-lab/mimi-lab/protocols/mls/conformance"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

// New makes the noun conformance.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "conformance",
		Short: "Check the protocols against the published test vectors",
		Long: `Check the protocols against the published test vectors: against every value that
the vectors hold, for MLS in every cipher suite. "vectors fetch" gets them.
Vectors of MIMI rooms are made by "vectors generate", or come from others.`,
		Example: `  mimi-lab conformance list`,
	}, newList(t), newRun(t))
}

// protocol is one whose vectors there are checks for.
type protocol struct {
	source vectors.Source
	files  []file
	own    bool     // nobody has published them: any folder may hold some
	parts  []string // how the names of the files end that make up a file of vectors
	read   func(name string, parts [][]byte) (cases, error)
}

// file is a file of vectors, by its name without an ending.
type file struct{ name, about string }

// cases are those of one file of vectors.
type cases interface {
	Len() int
	Check(i int) mls.Outcome
}

// protocols returns those that there are.
func protocols() []protocol {
	var all []protocol
	for _, s := range vectors.Sources() {
		p := protocol{source: s}
		switch s.Name {
		case "mls":
			p.parts = []string{".json"}
			for _, f := range mls.Files() {
				p.files = append(p.files, file{f.Name, f.About})
			}
			p.read = func(name string, parts [][]byte) (cases, error) { return mls.Read(name, parts[0]) }
		case content.Messages, content.Reports:
			p.parts = []string{".cbor", ".edn"}
			for _, e := range content.Examples(s.Name) {
				p.files = append(p.files, file{e.Name, e.About})
			}
			p.read = func(name string, parts [][]byte) (cases, error) {
				return example{s.Name, name, parts[0], parts[1]}, nil
			}
		default:
			continue
		}
		all = append(all, p)
	}
	return append(all, mimi())
}

// mimi are the vectors of MIMI rooms.
func mimi() protocol {
	p := protocol{source: vectors.Source{Name: "mimi", About: "MIMI rooms and providers, unpublished"}, own: true, parts: []string{".json"}}
	for _, f := range kat.Files() {
		p.files = append(p.files, file{f.Name, f.About})
	}
	p.read = func(name string, parts [][]byte) (cases, error) { return kat.Read(name, parts[0]) }
	return p
}

// example is a published message or report, which is one case.
type example struct {
	set, name         string
	encoded, notation []byte
}

func (e example) Len() int { return 1 }

func (e example) Check(int) mls.Outcome {
	differences, err := content.Check(e.set, e.name, e.encoded, e.notation)
	if err != nil {
		differences = []string{err.Error()}
	}
	var out mls.Outcome
	for _, d := range differences {
		out.Failures = append(out.Failures, mls.Failure{What: d})
	}
	return out
}

// names returns the names of the protocols.
func names() []string {
	var all []string
	for _, p := range protocols() {
		all = append(all, p.source.Name)
	}
	return all
}
