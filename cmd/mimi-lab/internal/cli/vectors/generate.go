package vectors

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/version"
	"github.com/mimi-lab/mimi-lab/groups/kat"
)

// generateOptions are those of the command vectors generate.
type generateOptions struct {
	IO    *term.IO
	Out   string
	Quiet bool
	JSON  bool
}

// generators are the protocols that there are vectors of our own for.
var generators = []string{"mimi"}

func newGenerate(t *term.IO) *cobra.Command {
	o := &generateOptions{IO: t}
	c := &cobra.Command{
		Use:   "generate PROTOCOL",
		Short: "Make vectors of our own, where none were published",
		Long: `Make vectors of our own, where none were published: for mimi, those of rooms,
their policies and what providers say to each other. A folder gets a JSON file
for each subject, a README.md that describes them to implementers, and a
manifest.json with the drafts' revisions, the commit of this build and the
SHA-256 of each file.

The same build makes the same files. "conformance run mimi" verifies them, or
those of others in the same format.`,
		Example:           `  mimi-lab vectors generate mimi --out mimi-vectors`,
		Args:              command.Args(1, 1, "the name of a protocol"),
		ValidArgsFunction: cobra.FixedCompletions(generators, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(_ *cobra.Command, args []string) error {
			if args[0] != generators[0] {
				return command.Unknown("protocol", args[0], generators, "There are vectors of our own for mimi.")
			}
			if o.Out == "" {
				return exit.Usagef("", "--out is missing, want a folder for the vectors")
			}
			return runGenerate(o)
		},
	}
	c.Flags().StringVar(&o.Out, "out", "", "`folder` for them; it is made if need be")
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "print nothing if all went well")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

// generatedJSON is what the command made, as JSON.
type generatedJSON struct {
	Dir string `json:"dir"`
	*kat.Manifest
}

func runGenerate(o *generateOptions) error {
	all, err := kat.Generate()
	if err != nil {
		return err
	}
	v := version.Get()
	m := kat.NewManifest(all, v.Version, v.Commit, v.Modified, v.Speaks)
	if err := writeVectors(o.Out, all, m); err != nil {
		return exit.Failuref("--out chooses another folder.", "%w", err)
	}
	switch {
	case o.JSON:
		return o.IO.JSON(generatedJSON{o.Out, m})
	case o.Quiet:
		return nil
	}
	o.print(m)
	return nil
}

// writeVectors fills a folder, the manifest last: a folder with one is whole.
func writeVectors(dir string, all []kat.Made, m *kat.Manifest) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	write := func(name string, data []byte) error {
		return os.WriteFile(filepath.Join(dir, name), data, 0o666)
	}
	if err := os.Remove(filepath.Join(dir, kat.ManifestName)); err != nil && !os.IsNotExist(err) {
		return err
	}
	for i := range all {
		if err := write(all[i].Name+".json", all[i].Data); err != nil {
			return err
		}
	}
	if err := write(kat.ReadmeName, kat.Readme(all, m)); err != nil {
		return err
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return write(kat.ManifestName, append(b, '\n'))
}

func (o *generateOptions) print(m *kat.Manifest) {
	t := o.IO
	fmt.Fprintln(t.Out, t.Paint(term.Bold, "file                     cases       size"))
	bytes := 0
	for _, f := range m.Files {
		fmt.Fprintf(t.Out, "%-24s %5d %10s\n", f.Name[:len(f.Name)-len(".json")], f.Cases, size(int64(f.Bytes)))
		bytes += f.Bytes
	}
	fmt.Fprintf(t.Out, "%-24s %5d %10s\n", "total", m.Cases, size(int64(bytes)))
	fmt.Fprintf(t.Out, "%s, %s and %s in\n  %s\n\n", t.Paint(term.Good, files(len(m.Files))), kat.ReadmeName, kat.ManifestName, o.Out)
	fmt.Fprintf(t.Out, "To verify them:\n  mimi-lab conformance run mimi --dir %s\n", command.Quote(o.Out))
}
