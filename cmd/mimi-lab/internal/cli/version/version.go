// Package version says what was built from what.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// Options are those of the command version.
type Options struct {
	IO   *term.IO
	JSON bool
}

// Version is what a binary knows of its origin.
type Version struct {
	Version  string `json:"version"` // of the module; "(devel)" if built in its tree
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"` // of the commit, RFC 3339
	Modified bool   `json:"modified"`       // built from more than the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
	// Licence is that of the binary: GPL-3.0 if it links go.mau.fi/libsignal.
	Licence string `json:"licence"`
	// Speaks are the documents that the protocols follow, drafts with their revision.
	Speaks []string `json:"speaks"`
}

// New makes the command version.
func New(t *term.IO) *cobra.Command {
	o := &Options{IO: t}
	c := &cobra.Command{
		Use:   "version",
		Short: "Say which version this is and what it was built from",
		Example: `  mimi-lab version
  mimi-lab version --json`,
		Args: command.NoArgs,
		RunE: func(*cobra.Command, []string) error { return run(o) },
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func run(o *Options) error {
	v := Get()
	if o.JSON {
		return o.IO.JSON(v)
	}
	fmt.Fprintf(o.IO.Out, "mimi-lab %s\n", v.Version)
	if v.Commit != "" {
		modified := ""
		if v.Modified {
			modified = ", modified"
		}
		fmt.Fprintf(o.IO.Out, "commit   %s (%s%s)\n", v.Commit, v.Time, modified)
	}
	fmt.Fprintf(o.IO.Out, "built    with %s for %s\nlicence  %s\n", v.Go, v.Platform, v.Licence)
	fmt.Fprintf(o.IO.Out, "speaks   %s\n", strings.Join(v.Speaks, "\n         "))
	return nil
}

// documents are what the protocols follow, those of MLS, of MIMI and of
// Oblivious HTTP. The code cites them by these names, which a test demands.
var documents = []string{
	"RFC 9420",
	"draft-ietf-mls-extensions-10",
	"draft-mahy-mls-ratchet-tree-options-04",
	"draft-ietf-mimi-protocol-06",
	"draft-ietf-mimi-content-09",
	"draft-mahy-mimi-message-status-01",
	"draft-ietf-mimi-room-policy-04",
	"draft-mahy-mimi-identity-05",
	"RFC 9458",
	"RFC 9292",
}

// Get reads what the linker left in this binary.
func Get() Version {
	v := Version{
		Version:  "(devel)",
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Licence:  "Apache-2.0",
		Speaks:   documents,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	for _, dep := range info.Deps {
		if dep.Path == "go.mau.fi/libsignal" {
			v.Licence = "GPL-3.0 (it links go.mau.fi/libsignal; build with -tags nogpl for Apache-2.0)"
		}
	}
	return v
}
