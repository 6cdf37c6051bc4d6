package trace

import (
	"math"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Measures of a diagram, in pixels.
const (
	margin    = 28.0
	boxH      = 50.0  // actor boxes
	minBox    = 118.0 // width of an actor box
	minGap    = 212.0 // between lifelines
	titleH    = 62.0
	chipH     = 22.0
	labelPx   = 12.5
	chipPx    = 11.5
	headingPx = 14.0
	chipGap   = 20.0 // right of a chip
	selfArrow = 60.0 // an arrow to nobody
	monoWidth = 6.7  // of a character of a time
	rowTight  = 20.0 // from one row to the next
	rowArrow  = 38.0
	rowChip   = 32.0
	rowPause  = 46.0 // more for a long time in which nothing happens
	rowTitle  = 58.0 // more for a heading
	pause     = des.Minute
)

// layout is a diagram with places.
type layout struct {
	*Diagram
	actors  []Actor
	column  map[string]int
	x       []float64 // of the lifelines
	box     []float64 // widths of their boxes
	y       []float64 // of the entries
	times   []string  // of the entries; "" if it is the one above
	gutter  float64   // of the times, left of the first lifeline's box
	chip    []bool    // which entries are drawn as a chip on their node's line
	pauses  []gap
	titles  []float64 // of the headings
	flights []flight
	top     float64 // where lifelines begin
	bottom  float64
	w, h    float64
}

// gap is a long time in which nothing happens.
type gap struct {
	y float64
	d des.Time
}

// layOut matches arrows and collects the actors; place gives all their places.
func layOut(d *Diagram) *layout {
	l := &layout{Diagram: d, column: make(map[string]int), flights: flights(d.Entries)}
	for _, a := range d.Actors {
		l.addActor(a)
	}
	for _, e := range d.Entries {
		l.addActor(Actor{Node: e.Node})
		if e.Peer != "" {
			l.addActor(Actor{Node: e.Peer})
		}
	}
	return l
}

func (l *layout) place() {
	l.chip = chips(l.Entries, l.flights)
	sent := l.level()
	l.times = make([]string, len(l.Entries))
	var rows []Entry
	var index []int
	for i, e := range l.Entries {
		if sent[i] == none {
			rows, index = append(rows, e), append(index, i)
		}
	}
	for i, t := range stamps(rows) {
		l.times[index[i]] = t
	}
	for _, t := range l.times {
		l.gutter = max(l.gutter, 32+monoWidth*float64(utf8.RuneCountInString(t)))
	}
	l.gutter = math.Ceil(l.gutter)
	l.placeColumns()
	l.placeRows(sent)
}

// level returns, for each entry, the one whose row it shares: for the end of a level
// arrow its beginning; none for all others.
func (l *layout) level() []int {
	sent := make([]int, len(l.Entries))
	for i := range sent {
		sent[i] = none
	}
	if l.Level {
		for _, f := range l.flights {
			if f.end != none {
				sent[f.end] = f.send
			}
		}
	}
	return sent
}

func (l *layout) addActor(a Actor) {
	if _, ok := l.column[a.Node]; ok {
		return
	}
	if a.Label == "" {
		a.Label = a.Node
	}
	if a.Note == "" {
		a.Note = roles[min(int(a.Role), len(roles)-1)].name
	}
	a.Label, a.Note = cut(a.Label, 24), cut(a.Note, 28)
	l.column[a.Node] = len(l.actors)
	l.actors = append(l.actors, a)
}

// placeColumns gives each lifeline the room that its chips and the labels of the
// arrows to the next one need.
func (l *layout) placeColumns() {
	n := len(l.actors)
	right := make([]float64, n) // what stands right of a lifeline
	l.box = make([]float64, n)
	for i, a := range l.actors {
		l.box[i] = math.Ceil(max(minBox, 24+max(boldWidth(a.Label, 14), width(a.Note, 11))))
		if i < n-1 {
			right[i] = minGap
		}
	}
	for j, e := range l.Entries {
		if i := l.column[e.Node]; l.chip[j] {
			right[i] = max(right[i], 12+chipWidth(e)+chipGap)
		}
	}
	for _, f := range l.flights {
		e := l.Entries[f.send]
		from, to := l.column[e.Node], l.column[e.Peer]
		label, sub := l.labels(f)
		room := 50 + max(boldWidth(label, labelPx), width(sub, 11))
		if e.Peer == "" || from == to { // to nobody, or to itself
			right[from] = max(right[from], selfArrow/2+room)
			continue
		}
		right[min(from, to)] = max(right[min(from, to)], room/math.Abs(float64(from-to)))
	}
	x := margin + l.gutter + l.box[0]/2
	for i := range l.actors {
		l.x = append(l.x, x)
		if i+1 < n {
			x += math.Ceil(max(right[i], (l.box[i]+l.box[i+1])/2+24))
		}
	}
	edge := l.x[n-1] + max(l.box[n-1]/2, right[n-1]-chipGap)
	for _, h := range l.Headings {
		edge = max(edge, margin+width(h.Text, headingPx)+24)
	}
	l.w = math.Ceil(max(edge, margin+boldWidth(l.Title, 20), margin+width(l.Sub, 13)) + margin)
}

// placeRows gives each entry a row, or that of the entry it shares one with. Rows are further apart where more time
// passes, on a logarithmic scale.
func (l *layout) placeRows(sent []int) {
	l.top = margin + titleH + boxH
	if l.Title == "" && l.Sub == "" {
		l.top = margin + boxH
	}
	y := l.top + 34
	headings, last := l.Headings, none
	for i, e := range l.Entries {
		if sent[i] != none {
			l.y = append(l.y, l.y[sent[i]])
			continue
		}
		if last != none {
			p := l.Entries[last]
			d := e.At - p.At
			step := rowArrow
			switch {
			case l.chip[i] || l.chip[last]:
				step = rowChip
			case d == 0 && p.Event == Receive && e.Event == Send && p.Node == e.Node && e.Peer != p.Peer:
				step = rowTight
			}
			step += min(24, 6*math.Log10(1+float64(d)/float64(des.Millisecond)))
			if d >= pause {
				step += rowPause
				l.pauses = append(l.pauses, gap{math.Round(y + step/2), d})
			}
			y += math.Round(step)
		}
		last = i
		if len(headings) > 0 && headings[0].Before <= i {
			headings = headings[1:]
			y += rowTitle
			l.titles = append(l.titles, y-rowTitle/2-6)
		}
		l.y = append(l.y, y)
	}
	l.bottom = y + 36
	l.h = l.bottom + margin
}

// chips says which entries are no part of an arrow: what happens at a node, and
// frames that arrive or get lost though nobody has sent them.
func chips(entries []Entry, flights []flight) []bool {
	chip := make([]bool, len(entries))
	for i := range chip {
		chip[i] = true
	}
	for _, f := range flights {
		chip[f.send] = false
		if f.end != none {
			chip[f.end] = false
		}
	}
	return chip
}

func chipText(e Entry) (word, note string) {
	word = string(e.Event)
	if w, ok := words[e.Event]; ok {
		word = w
	}
	return word, cut(e.Note, 44)
}

func chipWidth(e Entry) float64 {
	word, note := chipText(e)
	w := 26 + boldWidth(word, chipPx)
	if note != "" {
		w += 7 + width(note, chipPx)
	}
	return math.Ceil(w)
}

// labels returns what stands above and below an arrow.
func (l *layout) labels(f flight) (label, sub string) {
	e := l.Entries[f.send]
	label = e.Kind
	if label == "" {
		label = "frame"
	}
	label = cut(label, 24)
	if e.Size > 0 {
		label += "  " + size(e.Size)
	}
	if f.end != none {
		if d := l.Entries[f.end].At - e.At; d > 0 { // else nobody measured it
			sub = span(d)
		}
		if note := l.Entries[f.end].Note; note != "" && f.fate == lost {
			sub = "lost: " + cut(note, 30)
		} else if f.fate == lost {
			sub = "lost"
		}
	}
	switch {
	case f.fate == doubled:
		sub += ", again"
	case f.fate == underway:
		sub = "under way"
	case e.Note != "" && f.fate == arrived:
		sub += "  ·  " + cut(e.Note, 30)
	}
	return label, sub
}
