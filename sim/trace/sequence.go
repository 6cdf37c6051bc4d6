package trace

import (
	"errors"
	"fmt"
	"slices"
)

// Role is what an actor of a diagram is, by which it has its colour.
type Role uint8

// The roles.
const (
	Other      Role = iota
	Device          // a user's client
	Partner         // a third-party provider's server
	Gatekeeper      // a gatekeeper's server, or a room's hub
	Proxy           // what stands between two of the others
)

// Actor is a lifeline of a diagram.
type Actor struct {
	Node  string // as in the entries
	Label string // "" is Node
	Role  Role
	Note  string // a second line, such as "iPhone, offline at night"; "" is the role's name
}

// Diagram is a sequence diagram: time goes down, every actor has a line, and
// every frame is an arrow. Distances in time are compressed; the margin has the
// times.
type Diagram struct {
	Title  string
	Sub    string // below the title
	Actors []Actor
	// Entries in the order of time, as from [Life]. Nodes that are not among the
	// Actors are added on the right, in the order of their appearance.
	Entries []Entry
	// Level draws each arrow level, at the time when the frame is sent: the order of a
	// conversation is plainer, and how frames overtake each other is not shown.
	Level bool
	// Headings stand above the entries that they are about, in their order.
	Headings []Heading
}

// Heading is a title within a diagram.
type Heading struct {
	Before int // index of the entry that it stands above
	Text   string
}

// Limits of a diagram, far above what anybody could follow. They bound the work.
const (
	MaxRows   = 2000 // entries
	MaxActors = 50
)

// errNothing is for a diagram without entries.
var errNothing = errors.New("nothing to draw, want at least one entry")

// Sequence draws the life of one message of a journal as an SVG document. It has
// a colour scheme for light and one for dark surroundings. The same entries give
// the same bytes. For roles and labels, make a [Diagram] of the message's [Life].
func Sequence(entries []Entry, id string) ([]byte, error) {
	d := Diagram{Title: "Life of message " + cut(id, 40), Entries: Life(entries, id)}
	if len(d.Entries) == 0 {
		return nil, fmt.Errorf("trace: no entry of message %q in the journal", id)
	}
	d.Sub = outcome(d.Entries)
	return d.SVG()
}

// SVG draws the diagram as Sequence does. It refuses entries that are not valid or
// not in the order of time, none, more than [MaxRows], and more than [MaxActors].
func (d *Diagram) SVG() ([]byte, error) {
	if len(d.Entries) == 0 {
		return nil, fmt.Errorf("trace: diagram: %w", errNothing)
	}
	if n := len(d.Entries); n > MaxRows {
		return nil, fmt.Errorf("trace: diagram: %d entries, want at most %d", n, MaxRows)
	}
	for i := range d.Entries {
		if err := d.Entries[i].validate(); err != nil {
			return nil, fmt.Errorf("trace: diagram: entry %d: %w", i+1, err)
		}
		if i > 0 && d.Entries[i].At < d.Entries[i-1].At {
			return nil, fmt.Errorf("trace: diagram: entry %d: at %d, want at least %d, that of the entry before", i+1, d.Entries[i].At, d.Entries[i-1].At)
		}
	}
	for i, h := range d.Headings {
		if h.Before < 0 || h.Before >= len(d.Entries) || i > 0 && h.Before <= d.Headings[i-1].Before {
			return nil, fmt.Errorf("trace: diagram: heading %d: before entry %d, want one after the heading above and at most %d", i+1, h.Before, len(d.Entries)-1)
		}
	}
	l := layOut(d)
	if n := len(l.actors); n > MaxActors {
		return nil, fmt.Errorf("trace: diagram: %d actors, want at most %d", n, MaxActors)
	}
	l.place()
	return draw(l), nil
}

// outcome says in a few words what became of a message.
func outcome(entries []Entry) string {
	start := entries[0].At
	frames := 0
	for _, e := range entries {
		if e.Event == Send {
			frames++
		}
	}
	s := fmt.Sprintf("%d frames, %s", frames, span(entries[len(entries)-1].At-start))
	if i := slices.IndexFunc(entries, func(e Entry) bool { return e.Event == Deliver }); i >= 0 {
		return fmt.Sprintf("delivered after %s  ·  %s in all", span(entries[i].At-start), s)
	}
	return "not delivered  ·  " + s
}
