package sized

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// Name is the name of the adapter.
const Name = "signal-v3-sized"

// Adapter makes modelled Signal clients, which are [protocols.GroupClient]
// values. The zero value is ready for use and has WhatsApp's layout of sender
// keys, as signal-v3's has.
type Adapter struct {
	// Layout is how sender-key messages are written and read. Both ends of a
	// group must use the same.
	Layout signal.Layout
}

var _ protocols.Adapter = Adapter{}

// Name returns [Name].
func (Adapter) Name() string { return Name }

// Claims returns the guarantees of the Signal Protocol, version 3, marked as
// modelled.
func (Adapter) Claims() protocols.Claims {
	return protocols.Claims{
		ForwardSecrecy:         true,
		PostCompromiseSecurity: true,
		Deniability:            true,
		SenderAuthentication:   true,
		Modelled:               true,
	}
}

// Registration ids are drawn as signal-v3 draws them, from the same four first
// bytes of randomness.
const (
	minRegistrationID = 128
	maxRegistrationID = 16380
)

// New makes a client. It draws 20 bytes from the suite's randomness; everything
// later is derived from them.
func (a Adapter) New(cfg protocols.Config) (protocols.Client, error) {
	if err := a.check(cfg); err != nil {
		return nil, err
	}
	var b [20]byte
	if err := draw(cfg, b[:]); err != nil {
		return nil, err
	}
	registration := minRegistrationID + binary.BigEndian.Uint32(b[:])%(maxRegistrationID-minRegistrationID+1)
	c := newClient(cfg.Address, a.Layout, registration, binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:]))
	c.changedClient, c.changedOneTime = true, true
	return c, nil
}

// Restore makes a client from its records. It draws 8 bytes from the suite's
// randomness, so that two clients restored from one state do not choose the same
// keys.
func (a Adapter) Restore(cfg protocols.Config, records []protocols.Record) (protocols.Client, error) {
	if err := a.check(cfg); err != nil {
		return nil, err
	}
	var b [8]byte
	if err := draw(cfg, b[:]); err != nil {
		return nil, err
	}
	c, err := restore(cfg.Address, a.Layout, binary.BigEndian.Uint64(b[:]), records)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (a Adapter) check(cfg protocols.Config) error {
	switch {
	case cfg.Address == "":
		return errors.New(Name + ": config without an address")
	case cfg.Suite == nil:
		return errors.New(Name + ": config without a suite")
	case a.Layout > signal.LayoutOfficial:
		return fmt.Errorf(Name+": no sender-key layout %d", a.Layout)
	}
	return nil
}

func draw(cfg protocols.Config, b []byte) error {
	if _, err := io.ReadFull(cfg.Suite.Rand(), b); err != nil {
		return fmt.Errorf(Name+": draw randomness: %w", err)
	}
	return nil
}
