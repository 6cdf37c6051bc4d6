package adapters

import (
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
)

// free returns the adapters of every build.
func free() []protocols.Adapter {
	return []protocols.Adapter{
		sized.Adapter{},
	}
}
