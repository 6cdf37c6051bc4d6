//go:build nogpl

package adapters

import "github.com/mimi-lab/mimi-lab/protocols"

func gpl() []protocols.Adapter { return nil }

// leftOut names the adapters that this build lacks.
var leftOut = []string{"signal-v3"}
