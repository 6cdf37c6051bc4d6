// Package user finds users of other providers, and says who may add whom to rooms.
package user

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// New makes the noun user.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "user",
		Short: "Find users, and say who may add whom to rooms",
		Long: `Find users of other providers, ask for their consent to be added to rooms, and
give or refuse it (draft-ietf-mimi-protocol-06, Convey explicit consent and Find
internal address). Users and devices are written as for room.`,
		Example: `  mimi-lab user find b.example --nick bob --as alice@a.example
  mimi-lab user consent alice@a.example --as bob@b.example`,
		Annotations: tried(),
	}, newFind(t), newConsent(t), newBlock(t))
}

// tried says what the examples of a command need.
func tried() map[string]string {
	return map[string]string{"providers": "a.example b.example", "before": "mimi-lab room list --as bob@b.example"}
}
