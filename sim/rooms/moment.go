package rooms

import (
	"cmp"
	"maps"
	"slices"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Moment is a line of a transcript: a frame that is sent, or what the user of a
// device or the operator of a provider is told.
type Moment struct {
	At    des.Time
	Frame *Frame // nil for an event
	// Device or Provider is who is told.
	Device   *Device
	Provider *Provider
	Text     string // see [Tell]
	after    int    // how many frames had been sent
}

// Who returns the short name of who is told.
func (m *Moment) Who() string {
	if m.Provider != nil {
		return m.Provider.Domain
	}
	return Short(m.Device.Name)
}

// Moments returns what happened from one time until before another, in its order. It
// leaves acknowledgements out.
func (s *Story) Moments(from, to des.Time) (list []Moment) {
	within := func(t des.Time) bool { return from <= t && t < to }
	for _, f := range s.World.frames {
		if within(f.Sent) && f.Kind != Ack && f.Kind != Leave {
			list = append(list, Moment{At: f.Sent, Frame: f, after: f.Number})
		}
	}
	for _, d := range s.World.Devices() {
		for _, x := range d.Events {
			if text := Tell(x.Event); text != "" && within(x.At) {
				list = append(list, Moment{At: x.At, Device: d, Text: text, after: x.Frames})
			}
		}
	}
	for _, domain := range slices.Sorted(maps.Keys(s.World.providers)) {
		p := s.World.providers[domain]
		for _, r := range p.Reports {
			if within(r.At) {
				list = append(list, Moment{At: r.At, Provider: p, Text: r.tell(), after: r.Frames})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Moment) int { return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(a.At, b.At)) })
	return list
}

// Traffic counts what providers told each other.
type Traffic struct {
	Requests      int `json:"requests"`
	RequestBytes  int `json:"request_bytes"`
	ResponseBytes int `json:"response_bytes"`
}

// Traffic returns the sums over all frames of MIMI, of bodies alone.
func (s *Story) Traffic() (t Traffic) {
	for _, f := range s.World.frames {
		switch f.Kind {
		case Request:
			t.Requests++
			t.RequestBytes += len(f.Body)
		case Response:
			t.ResponseBytes += len(f.Body)
		}
	}
	return t
}
