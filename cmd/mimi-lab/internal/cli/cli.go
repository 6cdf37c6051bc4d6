// Package cli is the command line of mimi-lab: a noun, then a verb. Each noun is
// a package, each verb a file with its options, its constructor and its run
// function.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/bench"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/completion"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/conformance"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/content"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/demo"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/device"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/gatekeeper"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/mimi"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/mls"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/partner"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/provider"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/proxy"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/room"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/scenario"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/sim"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/stanza"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/user"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/vectors"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/version"
)

// Main runs the command line of the process and returns its exit code. The first
// interrupt asks the command to end and to leave what it has finished whole; the
// second one ends the process at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Run(ctx, term.System(), os.Args[1:])
}

// Run runs one command line and returns its exit code. Cancelling ctx interrupts
// it.
func Run(ctx context.Context, t *term.IO, args []string) int {
	out := &checked{w: t.Out}
	whole := *t
	whole.Out = out
	t = &whole
	root := New(t)
	root.SetArgs(args)
	started := false // whether the command line made sense
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	err := root.ExecuteContext(ctx)
	if err == nil && out.err() != nil {
		err = exit.Failuref("Not all of the output is there.", "%w", out.err())
	}
	if err == nil {
		return exit.OK
	}
	if e := (*exit.Error)(nil); !started && !errors.As(err, &e) {
		err = exit.Usagef(`"mimi-lab --help" lists the commands.`, "%w", err)
	}
	if exit.Code(err) == exit.Interrupted {
		fmt.Fprintln(t.Err, "mimi-lab: interrupted")
	} else {
		fmt.Fprintln(t.Err, term.WrapLines(fmt.Sprintf("mimi-lab: %v", err), columns(t)))
	}
	for _, line := range term.Wrap(exit.Hint(err), 80) {
		fmt.Fprintln(t.Err, line)
	}
	return exit.Code(err)
}

// checked remembers that a result could not be written: whoever reads it is not to take a
// part of it for all.
type checked struct {
	w io.Writer

	mu     sync.Mutex // guards failed
	failed error      // the first one
}

// Write implements [io.Writer].
func (c *checked) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failed = cmp.Or(c.failed, err)
	}
	return n, err
}

func (c *checked) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// columns is how wide complaints are, wherever they go: 80 columns, or what is asked for
// as programs are by POSIX, for those who search lines.
func columns(t *term.IO) int {
	if n, err := strconv.Atoi(t.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return 80
}

const long = `mimi-lab is a research toolkit for interoperable end-to-end encrypted
messaging: the Signal Protocol inside the interoperability stanzas of the
Digital Markets Act, MLS and MIMI; simulated, served and measured
with the same protocol code.

It is for research. Nobody has audited it.`

const codes = `Exit codes:
  0    done
  1    something could not be done
  2    the command line, or a file it names, makes no sense
  3    a check found a violation
  130  interrupted; what was finished before is whole

NO_COLOR=1 turns colours off, COLUMNS=200 widens complaints. Results go to
standard output, progress to standard error.`

// New makes the root command.
func New(t *term.IO) *cobra.Command {
	root := command.Noun(&cobra.Command{
		Use:           "mimi-lab",
		Short:         "A laboratory for interoperable messaging",
		Long:          long + "\n\n" + codes,
		Example:       `  mimi-lab version`,
		SilenceErrors: true,
		SilenceUsage:  true,
	},
		bench.New(t),
		content.New(t),
		demo.New(t),
		device.New(t),
		gatekeeper.New(t),
		mimi.New(t),
		mls.New(t),
		partner.New(t),
		proxy.New(t),
		provider.New(t),
		room.New(t),
		user.New(t),
		conformance.New(t),
		scenario.New(t),
		sim.New(t),
		stanza.New(t),
		vectors.New(t),
		completion.New(t),
		version.New(t),
	)
	root.SetIn(t.In)
	root.SetOut(t.Out)
	root.SetErr(t.Err)
	root.SetFlagErrorFunc(command.FlagError)
	root.SetUsageTemplate(usage)
	root.SetHelpCommand(newHelp(root))
	root.CompletionOptions.DisableDefaultCmd = true // ours is shorter
	return root
}

// newHelp makes the command help, which knows no other topics than commands.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [command]",
		Short:   "Show what a command does and how it is called",
		Example: "  mimi-lab help version",
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 && c.Args != nil {
				if err := c.Args(c, rest); err != nil {
					return err
				}
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

// usage is how the help of a command goes on after its description, 80 columns
// wide.
const usage = `Usage:
{{- if .HasAvailableSubCommands}}
  {{.CommandPath}} [command]

Commands:
{{- range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}
{{- else}}
  {{.UseLine}}
{{- end}}
{{- if .HasExample}}

Examples:
{{.Example}}
{{- end}}
{{- if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}
{{- end}}
{{- if .HasAvailableSubCommands}}

"{{.CommandPath}} [command] --help" says more about a command.
{{- end}}
`
