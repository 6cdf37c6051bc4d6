package rooms

import (
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Kind says what a frame is.
type Kind string

// The kinds of frames: of MIMI between providers, then those between a provider and
// its clients, which the draft leaves to each provider and writes in [[ double
// brackets ]].
const (
	Request  Kind = "request"
	Response Kind = "response"

	Publish  Kind = "publish"  // KeyPackages
	Creation Kind = "creation" // a GroupInfo with its ratchet tree, for a new room
	Created  Kind = "created"
	Call     Kind = "call"  // the body of a request that the provider is to make
	Reply    Kind = "reply" // the body of its response
	Delivery Kind = "delivery"
	Ack      Kind = "ack"
	Leave    Kind = "leave" // the client wants no more events of a room
)

// Local reports whether the frame is between a provider and its client.
func (k Kind) Local() bool { return k != Request && k != Response }

// Frame is one message between two nodes, a provider's domain or a [Device.Name].
type Frame struct {
	Number int // its place among the frames, from 1
	Sent   des.Time
	// Arrived is -1 for a frame that is under way or was lost.
	Arrived  des.Time
	From, To string
	Kind     Kind
	// Endpoint is that of a request, of its response, and of a call and its reply.
	Endpoint mimi.EndpointName
	// Subject is what the variable in the endpoint's path stands for.
	Subject string
	// Answers is the number of the frame that a response or reply is about.
	Answers int
	// Status is the HTTP status code of a response.
	Status int
	// Reason is why a request or call was refused, for people.
	Reason string
	// Struct names what the body holds, "" for nothing.
	Struct string
	Body   []byte
	// First is how long the Struct is if more follows it in the body, else 0: further
	// KeyPackages of a Publish, the ratchet tree of a Creation.
	First int
	// Seq is the number of a delivery, an acknowledgement or a leave, in the room or in
	// the client's mailbox.
	Seq     uint64
	Mailbox bool
}

// Fault is what a Config.Fault does to a frame at its arrival.
type Fault uint8

// The faults.
const (
	NoFault Fault = iota
	// Alter flips the lowest bit of the body's last byte.
	Alter
	// Forget makes the receiver answer as if it had taken the frame, and forget it.
	Forget
)

// send puts a frame on its way, on a connection of a device if one is given. arrive gets
// it at the other end; lost is told if it never gets there, and may be nil. It returns
// the frame's number, or 0 if the connection has broken before.
func (w *World) send(s *session, f Frame, arrive func(f *Frame, forget bool), lost func()) int {
	if s != nil && !s.open {
		return 0
	}
	l, err := w.link(f.From, f.To)
	if err != nil {
		w.fail(err)
		return 0
	}
	now := w.kernel.Now()
	w.counts.Frames++
	f.Number, f.Sent, f.Arrived = w.counts.Frames, now, -1
	switch f.Kind {
	case Request:
		w.counts.RequestBytes += len(f.Body)
	case Response:
		w.counts.ResponseBytes += len(f.Body)
	}
	kept := new(f)
	if w.watch.frame != nil {
		w.watch.frame(kept)
	}
	if !w.cfg.Large {
		w.frames = append(w.frames, kept)
	}
	a := l.Send(now, len(f.Body))
	if a.N == 0 && (s != nil || lost != nil) && (a.Broken > 0 || w.faults == nil) {
		w.at(max(a.Broken, now), func() {
			if s != nil {
				w.breakSession(s)
			}
			if lost != nil {
				lost()
			}
		})
	}
	up := s != nil && f.From == s.device.Name
	for _, at := range a.At[:a.N] {
		w.at(at, func() {
			if s != nil && !s.arrives(w.kernel.Now(), up) {
				return
			}
			kept.Arrived = w.kernel.Now()
			fault := NoFault
			if w.cfg.Fault != nil {
				fault = w.cfg.Fault(kept)
			}
			got := kept
			if n := len(kept.Body); fault == Alter && n > 0 {
				got = new(*kept)
				got.Body = append(make([]byte, 0, n), kept.Body...)
				got.Body[n-1] ^= 1
			}
			arrive(got, fault == Forget)
		})
	}
	return f.Number
}
