package adapters

import (
	"github.com/mimi-lab/mimi-lab/protocols"
	mls "github.com/mimi-lab/mimi-lab/protocols/mls/adapter"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
)

// free returns the adapters of every build.
func free() []protocols.Adapter {
	return []protocols.Adapter{
		mls.Adapter{},
		sized.Adapter{},
	}
}
