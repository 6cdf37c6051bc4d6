package mimi

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/encoded"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/layout"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// showOptions are those of the command mimi show.
type showOptions struct {
	IO       *term.IO
	Args     []string
	Encoding encoded.Encoding
	Endpoint string
	Response bool
	Type     string
	Full     bool
	JSON     bool
}

func newShow(t *term.IO) *cobra.Command {
	o := &showOptions{IO: t, Encoding: encoded.Auto}
	c := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show what is in a body of MIMI, field by field",
		Long: `Show what is in the body of a request or response between MIMI providers, in the
field names of draft-ietf-mimi-protocol-06. --endpoint and --response say whose
body it is, --type says it by the name of the struct, one of
  ` + inspect.KindNames(layout.Bodies()) + `.
Without them it is the one that fits. It comes from FILE, or from standard input
if that is "-" or left out: in hexadecimal, in base64 or as it is.

Lines with an arrow are not in the body but follow from it: what is in known
extensions and components, whether the body keeps those rules of the draft that
can be seen from it, and whether signatures verify where the key is with them. A
check that fails exits with 1.`,
		Example: `  echo 0101 | mimi-lab mimi show --endpoint submitMessage --response
  echo ARxtaW1pOi8vYS5leGFtcGxlL3IvY2x1YmhvdXNlAw== | mimi-lab mimi show --json`,
		Args: command.Args(0, 1, "a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Args = args
			return runShow(o)
		},
	}
	o.Encoding.Flag(c.Flags())
	c.Flags().StringVar(&o.Endpoint, "endpoint", "", "`name` of the endpoint that it is sent to")
	c.Flags().BoolVar(&o.Response, "response", false, "it is a response (default: a request)")
	c.Flags().StringVar(&o.Type, "type", "", "which struct it is (default: the one that fits)")
	c.Flags().BoolVar(&o.Full, "full", false, "shorten nothing")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object, bytes in hexadecimal")
	return c
}

func runShow(o *showOptions) error {
	kind, err := named(o)
	if err != nil {
		return err
	}
	b, e, err := encoded.Read(o.IO, o.Args, o.Encoding)
	if err != nil {
		return err
	}
	if kind == "" {
		if kind, err = guess(b, e, o.Response); err != nil {
			return err
		}
	}
	return inspect.Show(o.IO, b, e, kind, inspect.How{Full: o.Full, JSON: o.JSON})
}

// named returns the struct that --endpoint or --type name, "" if they name none.
func named(o *showOptions) (layout.Kind, error) {
	if o.Type != "" && (o.Endpoint != "" || o.Response) {
		return "", exit.Usagef("Leave one of them out.", "--type says all that --endpoint and --response do")
	}
	if o.Type != "" {
		if k, ok := layout.ParseBody(o.Type); ok {
			return k, nil
		}
		var names []string
		for _, k := range layout.Bodies() {
			names = append(names, string(k))
		}
		return "", command.Unknown("type", o.Type, names, "There are "+strings.Join(names, ", ")+".")
	}
	if o.Endpoint == "" {
		return "", nil
	}
	e, ok := mimi.FindEndpoint(mimi.EndpointName(o.Endpoint))
	if !ok {
		var names []string
		for _, e := range mimi.Endpoints {
			names = append(names, string(e.Name))
		}
		return "", command.Unknown("endpoint", o.Endpoint, names, "There are "+strings.Join(names, ", ")+".")
	}
	what, body := "request", e.Request
	if o.Response {
		what, body = "response", e.Response
	}
	k, ok := layout.ParseBody(body)
	if !ok {
		return "", exit.Usagef("", "a %s of %s has no struct in its body", what, e.Name)
	}
	return k, nil
}

// guess finds out what b is.
func guess(b []byte, e encoded.Encoding, response bool) (layout.Kind, error) {
	kind, err := layout.GuessBody(b, !response, true)
	var g *layout.GuessError
	if errors.As(err, &g) && len(g.Fits) > 0 {
		return "", exit.Usagef("--endpoint and --response, or --type, say which one it is.", "ambiguous: %w", err)
	}
	if err != nil {
		return "", exit.Usagef("--type tries one of them alone. "+e.Hint(), "%s: %w", outline.Size(len(b)), err)
	}
	return kind, nil
}
