//go:build !nogpl

package adapters

import (
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal/v3"
)

// gpl returns the adapters that link GPL-3.0 code.
func gpl() []protocols.Adapter {
	return []protocols.Adapter{
		v3.Adapter{},
	}
}

// leftOut names the adapters that this build lacks.
var leftOut []string
