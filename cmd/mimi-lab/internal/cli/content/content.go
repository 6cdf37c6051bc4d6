// Package content looks at MIMI content and makes it.
package content

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// New makes the noun content.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "content",
		Short: "Look at MIMI content, and make it",
		Long: `Look at the content of MIMI messages (draft-ietf-mimi-content-09) and at message
status reports (draft-mahy-mimi-message-status-01), and make content: text,
replies, reactions, edits, deletions, attachments.`,
		Example: `  mimi-lab content encode --sender mimi://a.example/u/alice \
      --room mimi://a.example/r/clubhouse --text Hello \
    | mimi-lab content show`,
	}, newShow(t), newEncode(t))
}
