//go:build !nogpl

package v3

import (
	"errors"
	"fmt"
	"sync"

	"go.mau.fi/libsignal/logger"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// Adapter makes clients of the Signal Protocol, version 3. The zero value is
// ready to use and speaks WhatsApp's layout of sender keys. Its clients are
// [protocols.GroupClient] and [protocols.Fingerprinter].
type Adapter struct {
	// Layout is how sender-key messages are written and read. Both ends of a
	// group must use the same.
	Layout signal.Layout
}

// Name returns "signal-v3", or "signal-v3-official" with [signal.LayoutOfficial].
func (a Adapter) Name() string {
	if a.Layout == signal.LayoutOfficial {
		return "signal-v3-official"
	}
	return "signal-v3"
}

// Claims returns what the protocol guarantees. The one thing it lacks is secrecy
// against a recording quantum adversary. A group under sender keys has forward
// secrecy, but recovers from a compromise only when keys rotate.
func (Adapter) Claims() protocols.Claims {
	return protocols.Claims{
		ForwardSecrecy:         true,
		PostCompromiseSecurity: true,
		Deniability:            true,
		SenderAuthentication:   true,
	}
}

// New makes a client with a fresh identity and its first signed prekey.
func (a Adapter) New(cfg protocols.Config) (protocols.Client, error) {
	c, err := a.client(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.create(); err != nil {
		return nil, fmt.Errorf("signal-v3: new client: %w", err)
	}
	return c, nil
}

// Restore makes a client from its records.
func (a Adapter) Restore(cfg protocols.Config, records []protocols.Record) (protocols.Client, error) {
	c, err := a.client(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.restore(records); err != nil {
		return nil, fmt.Errorf("signal-v3: restore: %w", err)
	}
	return c, nil
}

func (a Adapter) client(cfg protocols.Config) (*client, error) {
	silence()
	switch {
	case cfg.Address == "":
		return nil, errors.New("signal-v3: Config.Address is empty")
	case cfg.Suite == nil:
		return nil, errors.New("signal-v3: Config.Suite is nil")
	case a.Layout > signal.LayoutOfficial:
		return nil, fmt.Errorf("signal-v3: no sender-key layout %d", a.Layout)
	}
	return &client{
		address: cfg.Address,
		layout:  a.Layout,
		random:  random{reader: cfg.Suite.Rand()},
		store:   newStore(),
		locks:   make(map[string]*sync.Mutex),
	}, nil
}

// silence gives the library a logger that drops everything, once and before its
// first use. Without one the library installs its own lazily, which is a data
// race, and prints to standard output.
var silence = sync.OnceFunc(func() {
	if logger.Logger == nil {
		var l logger.Loggable = noLog{}
		logger.Setup(&l)
	}
})

type noLog struct{}

func (noLog) Debug(_, _ string)   {}
func (noLog) Info(_, _ string)    {}
func (noLog) Warning(_, _ string) {}
func (noLog) Error(_, _ string)   {}
func (noLog) Configure(string)    {}
