package dmadev

import (
	"fmt"
	"io"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
)

// Adapter returns the Signal Protocol of this build. One that has no cryptography says so.
func Adapter(says io.Writer) (protocols.Adapter, error) {
	for _, a := range adapters.All() {
		if !strings.HasPrefix(a.Name(), "signal-") {
			continue
		}
		if a.Claims().Modelled {
			fmt.Fprintf(says, "%s: modelled, messages are not encrypted end to end\n", a.Name())
		}
		return a, nil
	}
	return nil, exit.Failuref("", "no Signal Protocol in this build")
}
