package sized

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// Name is the name of the adapter.
const Name = "signal-v3-sized"

// Adapter makes modelled Signal clients. The zero value is ready for use.
type Adapter struct{}

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

// New makes a client. It draws 16 bytes from the suite's randomness, the only
// ones it ever draws: everything later is derived from them.
func (Adapter) New(cfg protocols.Config) (protocols.Client, error) {
	r, err := source(cfg)
	if err != nil {
		return nil, err
	}
	seed, err := draw(r)
	if err != nil {
		return nil, err
	}
	random, err := draw(r)
	if err != nil {
		return nil, err
	}
	c := newClient(cfg.Address, seed, random)
	c.changedClient, c.changedOneTime = true, true
	return c, nil
}

// Restore makes a client from its records. It draws 8 bytes from the suite's
// randomness, so that two clients restored from one state do not choose the same
// keys.
func (Adapter) Restore(cfg protocols.Config, records []protocols.Record) (protocols.Client, error) {
	r, err := source(cfg)
	if err != nil {
		return nil, err
	}
	random, err := draw(r)
	if err != nil {
		return nil, err
	}
	return restore(cfg.Address, random, records)
}

// source checks cfg and returns its randomness.
func source(cfg protocols.Config) (io.Reader, error) {
	switch {
	case cfg.Address == "":
		return nil, errors.New(Name + ": config without an address")
	case cfg.Suite == nil:
		return nil, errors.New(Name + ": config without a suite")
	}
	return cfg.Suite.Rand(), nil
}

func draw(r io.Reader) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, fmt.Errorf(Name+": draw randomness: %w", err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}
