package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Place is where a gateway runs, and so who holds the plaintext.
type Place uint8

// The places.
const (
	AtServer Place = iota // its operator reads all
	OnDevice              // nobody does but its user, who owns the device
)

// String returns the place in words.
func (p Place) String() string {
	if p == OnDevice {
		return "on the user's device"
	}
	return "at a server"
}

// Config is what a Gateway needs. It is not modified.
type Config struct {
	Place Place
	// Operator is who runs the gateway, as users and members are told; required.
	Operator string
	// Domain is that of the MIMI provider whose users the members are; required.
	Domain string
	// Lines are the gateway's accounts at the gatekeeper: the desk, and one for each
	// room that a user may be in. At least two.
	Lines []ident.Address
	// Owner is the only Signal user who is served; required OnDevice, else the zero
	// value, by which anybody is who agrees.
	Owner ident.Address

	// Adapter is the protocol that the lines speak, Keys how its key material is
	// written, and Suite what it draws from; required.
	Adapter protocols.Adapter
	Keys    dma.KeyForm
	Suite   suite.Suite
	// Groups is the configuration of the members' groups; required.
	Groups *mls.Config

	// Batch, RotateEvery, Window and ResendAfter are those of dma.DeviceConfig, for the
	// lines. A Batch of 0 means [DefaultBatch].
	Batch       int
	RotateEvery time.Duration
	Window      int
	ResendAfter time.Duration
	// Limits bound what others can make the gateway keep; zero values mean the defaults.
	Limits Limits
}

// DefaultBatch is how many one-time prekeys a line uploads at a time.
const DefaultBatch = 50

// Limits are bounds of this implementation.
type Limits struct {
	Users     int           // who have agreed; default 1000
	Strangers int           // who were told the terms and have not answered; default 1000
	Invites   int           // that wait for one user's answer; default 16
	Refs      int           // messages of one room by which replies find what they answer; default 1024
	Queue     int           // messages to one user on one line that the gatekeeper has not taken; default 64
	Transfers int           // media of one user that are being carried over; default 8
	Parts     int           // messages that one message of a room may become; default 8
	TellAgain time.Duration // between two tellings of the terms, or warnings of a room; default a minute
	Rest      time.Duration // of a line before it stands for another room; default a day
}

func (l Limits) orDefault() Limits {
	return Limits{
		Users: cmp.Or(l.Users, 1000), Strangers: cmp.Or(l.Strangers, 1000), Invites: cmp.Or(l.Invites, 16),
		Refs: cmp.Or(l.Refs, 1024), Queue: cmp.Or(l.Queue, 64), Transfers: cmp.Or(l.Transfers, 8), Parts: cmp.Or(l.Parts, 8),
		TellAgain: cmp.Or(l.TellAgain, time.Minute), Rest: cmp.Or(l.Rest, 24*time.Hour),
	}
}

// check says what is missing.
func (c *Config) check() error {
	switch {
	case c.Operator == "" || c.Domain == "":
		return errors.New("gateway: Config without Operator or Domain")
	case len(c.Lines) < 2:
		return fmt.Errorf("gateway: Config with %d lines, want a desk and at least one room", len(c.Lines))
	case c.Adapter == nil || c.Suite == nil || c.Groups == nil || c.Groups.Suite == nil:
		return errors.New("gateway: Config without Adapter, Suite, Groups or their Suite")
	case c.Place > OnDevice:
		return fmt.Errorf("gateway: Config.Place %d, want AtServer or OnDevice", c.Place)
	case c.Place == OnDevice && c.Owner.IsZero():
		return errors.New("gateway: Config of a gateway on a device without its Owner")
	}
	l := c.Limits
	if min(l.Users, l.Strangers, l.Invites, l.Refs, l.Queue, l.Transfers, l.Parts, int(l.TellAgain), int(l.Rest)) < 0 {
		return errors.New("gateway: Config: a limit is negative")
	}
	if _, err := ident.NewURI(ident.KindProvider, c.Domain); err != nil {
		return fmt.Errorf("gateway: Config.Domain: %w", err)
	}
	seen := make(map[ident.Address]bool)
	for i, a := range c.Lines {
		if err := a.Validate(); err != nil {
			return fmt.Errorf("gateway: Config.Lines[%d]: %w", i, err)
		}
		if seen[a] || a == c.Owner {
			return fmt.Errorf("gateway: Config.Lines[%d] %v is there twice, or the owner's", i, a)
		}
		seen[a] = true
	}
	return nil
}
