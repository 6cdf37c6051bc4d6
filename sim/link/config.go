package link

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Mode says what a link promises.
type Mode uint8

const (
	// Datagram promises nothing: each frame may be lost, doubled or overtaken.
	Datagram Mode = iota
	// Stream is a connection: in order and exactly once while it lives.
	Stream
)

// String returns "datagram" or "stream", as scenarios write it.
func (m Mode) String() string {
	switch m {
	case Datagram:
		return "datagram"
	case Stream:
		return "stream"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// Config describes links of one kind. Links share it and don't modify it; it
// must not change while they are in use. The zero Config is a perfect datagram
// link.
type Config struct {
	Mode Mode

	// Delay is the time on the wire one way, in seconds; nil is 0. A stream takes
	// twice a frame's delay for its round trip.
	Delay Dist
	// Loss is the probability that a frame (Datagram) or a segment of it (Stream)
	// is lost, 0 to 1.
	Loss float64
	// Duplicate is the probability that a frame comes twice, 0 to 1. In a stream
	// nobody sees that.
	Duplicate float64
	// Reorder is the probability that a frame is held up by ReorderBy, 0 to 1.
	// (In a datagram link frames also overtake each other where Delay varies.) In
	// a stream the frames after it wait.
	Reorder float64
	// ReorderBy is the additional delay of a frame held up, in seconds.
	ReorderBy Dist
	// Bandwidth is in bits per second; 0 is unlimited. Frames are sent one after
	// the other.
	Bandwidth float64
	// Queue is how many bytes may wait for the transmitter of a datagram link,
	// beyond which a frame is dropped; 0 is unlimited.
	Queue int

	// Handshake is how many round trips a new connection of a stream takes: 1
	// for TCP (RFC 9293, Section 3.5), 2 for TCP with TLS 1.3 (RFC 8446, Section
	// 2).
	Handshake int
	// BreakAfter is how long a stream retransmits in vain before the connection
	// breaks; 0 is [DefaultBreakAfter].
	BreakAfter des.Time

	// Down is when the link is cut: nothing that is sent then arrives.
	Down Windows
}

// DefaultBreakAfter is the least that RFC 9293, Section 3.8.3, allows for its
// threshold R2, after which TCP gives a connection up.
const DefaultBreakAfter = 100 * des.Second

// Validate says what is wrong with the configuration, if anything: which field,
// its value and what it may be.
func (c *Config) Validate() error {
	if c.Mode != Datagram && c.Mode != Stream {
		return fmt.Errorf("link: mode: %v, want datagram or stream", c.Mode)
	}
	for _, f := range []struct {
		name string
		p    float64
	}{{"loss", c.Loss}, {"duplicate", c.Duplicate}, {"reorder", c.Reorder}} {
		if !(f.p >= 0 && f.p <= 1) {
			return fmt.Errorf("link: %s: %g, want a probability from 0 to 1", f.name, f.p)
		}
	}
	for _, f := range []struct {
		name string
		d    Dist
	}{{"delay", c.Delay}, {"reorder by", c.ReorderBy}} {
		if f.d == nil {
			continue
		}
		if err := f.d.Validate(); err != nil {
			return fmt.Errorf("link: %s: %w", f.name, err)
		}
	}
	if c.Reorder > 0 && c.ReorderBy == nil {
		return fmt.Errorf("link: reorder by: missing, want a delay because reorder is %g", c.Reorder)
	}
	if err := atLeast(0, "link", "bandwidth", c.Bandwidth); err != nil {
		return err
	}
	if c.Queue < 0 {
		return fmt.Errorf("link: queue: %d bytes, want at least 0", c.Queue)
	}
	if c.Queue > 0 && (c.Mode != Datagram || c.Bandwidth == 0) {
		return fmt.Errorf("link: queue: %d bytes, want 0 unless the mode is datagram and bandwidth is limited", c.Queue)
	}
	if c.Handshake < 0 || c.Handshake > 10 {
		return fmt.Errorf("link: handshake: %d round trips, want 0 to 10", c.Handshake)
	}
	if c.BreakAfter < 0 {
		return fmt.Errorf("link: break after: %v, want at least 0", c.BreakAfter)
	}
	if err := c.Down.Validate(); err != nil {
		return fmt.Errorf("link: down: %w", err)
	}
	return nil
}
