package trace

import (
	"fmt"
	"math"
	"strings"
)

func (l *layout) role(node string) string {
	return roles[min(int(l.actors[l.column[node]].Role), len(roles)-1)].class
}

// draw draws what lies below first: pauses, lifelines, arrows, chips, boxes.
func draw(l *layout) []byte {
	s := new(svg)
	s.put(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" style="max-width:100%%;height:auto" role="img" font-family="%s">`,
		num(l.w), num(l.h), num(l.w), num(l.h), sans)
	s.put(`<title>%s</title>`, escape(l.Title))
	s.put(`<desc>Sequence diagram: %s</desc>`, escape(l.describe()))
	s.style()
	s.put(`<rect width="%s" height="%s" rx="12" %s/>`, num(l.w), num(l.h), fill("bg"))
	if l.Title != "" {
		s.text(margin, margin+18, "ink", `font-size="20" font-weight="650" letter-spacing="-0.2"`, l.Title)
	}
	if l.Sub != "" {
		s.text(margin, margin+40, "soft", `font-size="13"`, l.Sub)
	}
	for _, p := range l.pauses {
		l.drawPause(s, p)
	}
	for i := range l.actors {
		l.drawLifeline(s, i)
	}
	l.drawTimes(s)
	for _, f := range l.flights {
		l.drawFlight(s, f)
	}
	for i := range l.Entries {
		if l.chip[i] {
			l.drawChip(s, i)
		}
	}
	for i, y := range l.titles { // one above the end of a level arrow, at the very end, has no place
		l.drawHeading(s, y, l.Headings[i].Text)
	}
	for i := range l.actors {
		l.drawBox(s, i)
	}
	s.put(`</svg>`)
	return []byte(s.String())
}

// describe tells the diagram in words, for those who cannot see it.
func (l *layout) describe() string {
	var names []string
	for _, a := range l.actors {
		names = append(names, a.Label)
	}
	return fmt.Sprintf("%d frames between %s. %s", len(l.flights), strings.Join(names, ", "), l.Sub)
}

// drawBox draws an actor.
func (l *layout) drawBox(s *svg, i int) {
	a := l.actors[i]
	class := l.role(a.Node)
	x, y, w := l.x[i]-l.box[i]/2, l.top-boxH, l.box[i]
	s.put(`<rect x="%s" y="%s" width="%s" height="%s" rx="9" %s/>`, num(x), num(y), num(w), num(boxH), fill("bg"))
	s.put(`<g fill-opacity="0.1" stroke-width="1.5"><g %s><rect x="%s" y="%s" width="%s" height="%s" rx="9" %s/></g></g>`,
		stroke(class), num(x), num(y), num(w), num(boxH), fill(class))
	s.text(l.x[i], y+22, "ink", `font-size="14" font-weight="600" text-anchor="middle"`, a.Label)
	s.text(l.x[i], y+38, class, `font-size="11" text-anchor="middle"`, a.Note)
}

// drawLifeline draws a line that is broken while the node is down.
func (l *layout) drawLifeline(s *svg, i int) {
	node := l.actors[i].Node
	from, state, known := l.top, Online, false
	for j, e := range l.Entries {
		if e.Node != node || !isState(e.Event) {
			continue
		}
		if !known { // the state before follows from the first change
			known = true
			switch e.Event {
			case Restart:
				state = Crash
			case Online:
				state = Offline
			}
		}
		l.drawSegment(s, i, from, l.y[j], state)
		from, state = l.y[j], e.Event
	}
	l.drawSegment(s, i, from, l.bottom, state)
	s.put(`<circle cx="%s" cy="%s" r="3" %s/>`, num(l.x[i]), num(l.bottom), fill(l.role(node)))
}

func (l *layout) drawSegment(s *svg, i int, from, to float64, state Event) {
	const down = `stroke-dasharray="1.5 5" stroke-linecap="round"`
	class, style := l.role(l.actors[i].Node), `stroke-opacity="0.5"`
	switch state {
	case Crash:
		class, style = "bad", down
	case Offline:
		class, style = "soft", down
	}
	s.put(`<path d="M%s %sV%s" %s stroke-width="1.5" %s/>`, num(l.x[i]), num(from), num(to), stroke(class), style)
}

// drawTimes writes each time once, with a line to its row.
func (l *layout) drawTimes(s *svg) {
	for i, e := range l.Entries {
		if l.times[i] == "" {
			continue
		}
		s.text(margin+l.gutter-20, l.y[i]+4, "soft", fmt.Sprintf(`font-size="11" font-family="%s" text-anchor="end"`, mono), l.times[i])
		s.put(`<path d="M%s %sH%s" %s stroke-width="1" stroke-dasharray="1 4"/>`, num(margin+l.gutter-12), num(l.y[i]), num(l.x[l.column[e.Node]]-5), stroke("hair"))
	}
}

func (l *layout) drawPause(s *svg, p gap) {
	x1, x2 := margin+l.gutter-12, l.w-margin
	s.put(`<rect x="%s" y="%s" width="%s" height="22" rx="11" %s fill-opacity="0.35"/>`, num(x1), num(p.y-11), num(x2-x1), fill("hair"))
	s.text((x1+l.x[0])/2, p.y+4, "soft", `font-size="11" font-style="italic" text-anchor="middle"`, span(p.d))
}

// drawHeading draws a band over all lifelines, with the text at its left.
func (l *layout) drawHeading(s *svg, y float64, text string) {
	s.put(`<rect x="%s" y="%s" width="%s" height="26" rx="6" %s/>`, num(margin), num(y-13), num(l.w-2*margin), fill("bg"))
	s.put(`<g fill-opacity="0.45"><rect x="%s" y="%s" width="%s" height="26" rx="6" %s/></g>`, num(margin), num(y-13), num(l.w-2*margin), fill("hair"))
	s.text(margin+12, y+5, "ink", fmt.Sprintf(`font-size="%s" font-weight="600"`, num(headingPx)), text)
}

// drawFlight draws a frame's arrow with its labels along it.
func (l *layout) drawFlight(s *svg, f flight) {
	e := l.Entries[f.send]
	from, to := l.column[e.Node], l.column[e.Peer]
	class := l.role(e.Node)
	x1, y1, x2, y2 := l.x[from], l.y[f.send], l.x[to], l.y[f.send]+26
	if e.Peer == "" || from == to {
		to, x2 = from, x1+selfArrow
	}
	if f.end != none {
		y2 = l.y[f.end]
	}
	dx, dy := x2-x1, y2-y1
	if f.fate == lost || f.fate == underway { // it ends on the way
		y2 = max(min(y2, y1+30), y1+16)
		x2 = x1 + dx*0.62
		dx, dy = x2-x1, y2-y1
	}
	n := math.Hypot(dx, dy)
	ux, uy := dx/n, dy/n
	dash := ""
	switch f.fate {
	case lost:
		class = "bad"
	case doubled, underway:
		dash = ` stroke-dasharray="5 4"`
	}
	s.put(`<circle cx="%s" cy="%s" r="3.5" %s/>`, num(x1), num(y1), fill(l.role(e.Node)))
	tip := 2.0
	s.put(`<path d="M%s %sL%s %s" %s fill="none" stroke-width="1.75"%s/>`,
		num(x1+ux*5), num(y1+uy*5), num(x2-ux*(tip+6)), num(y2-uy*(tip+6)), stroke(class), dash)
	if f.fate == lost {
		s.put(`<path d="M%s %sl9 9m0 -9l-9 9" %s stroke-width="2.5" stroke-linecap="round"/>`, num(x2-4.5), num(y2-4.5), stroke("bad"))
	} else {
		ax, ay := x2-ux*tip, y2-uy*tip
		s.put(`<path d="M%s %sL%s %sL%s %sz" %s/>`, num(ax), num(ay),
			num(ax-ux*10-uy*4.5), num(ay-uy*10+ux*4.5), num(ax-ux*10+uy*4.5), num(ay-uy*10-ux*4.5), fill(class))
	}
	// The labels stand nearer to the sender, where arrows that cross are apart.
	at := 0.44
	if math.Abs(float64(to-from)) > 1 {
		at = 0.5 / math.Abs(float64(to-from))
	}
	if f.fate == lost {
		at = 0.5
	}
	mx, my := x1+dx*at, y1+dy*at
	angle := math.Atan2(dy, dx) * 180 / math.Pi
	if dx < 0 {
		angle += 180
		if angle > 180 {
			angle -= 360
		}
	}
	label, sub := l.labels(f)
	kind, bytes, _ := strings.Cut(label, "  ")
	subClass := "soft"
	if f.fate == lost {
		subClass = "bad"
	}
	s.put(`<g transform="translate(%s %s) rotate(%s)" text-anchor="middle">`, num(mx), num(my), num(angle))
	const halo = `stroke-width="4" stroke-linejoin="round" paint-order="stroke"`
	s.put(`<g %s>`, stroke("bg"))
	s.put(`<text y="-7" font-size="%s" font-weight="600" %s %s>%s<tspan font-weight="400" %s>%s</tspan></text>`,
		num(labelPx), halo, fill("ink"), escape(kind), fill("soft"), escape(prefixed(bytes)))
	if sub != "" {
		s.text(0, 15, subClass, `font-size="11" `+halo, sub)
	}
	s.put(`</g></g>`)
}

func prefixed(s string) string {
	if s == "" {
		return ""
	}
	return "\u2002" + s
}

// drawChip draws what happened within a node.
func (l *layout) drawChip(s *svg, i int) {
	e := l.Entries[i]
	x, y := l.x[l.column[e.Node]], l.y[i]
	class := l.role(e.Node)
	switch e.Event {
	case Deliver, Restart, Online:
		class = "good"
	case Crash, Reject, Drop:
		class = "bad"
	case Offline:
		class = "soft"
	}
	w := chipWidth(e)
	word, note := chipText(e)
	s.put(`<g><rect x="%s" y="%s" width="%s" height="%s" rx="11" %s/>`, num(x+11), num(y-chipH/2), num(w), num(chipH), fill("bg"))
	s.put(`<g fill-opacity="0.09" stroke-opacity="0.55"><g %s><rect x="%s" y="%s" width="%s" height="%s" rx="11" %s/></g></g>`,
		stroke(class), num(x+11), num(y-chipH/2), num(w), num(chipH), fill(class))
	if class == "bad" {
		s.put(`<circle cx="%s" cy="%s" r="8" %s/>`, num(x), num(y), fill("bg"))
		s.put(`<path d="M%s %sl9 9m0 -9l-9 9" %s stroke-width="2.5" stroke-linecap="round"/>`, num(x-4.5), num(y-4.5), stroke("bad"))
	} else {
		s.put(`<g %s stroke-width="2.5"><circle cx="%s" cy="%s" r="4.5" %s/></g>`, stroke(class), num(x), num(y), fill("bg"))
	}
	tail := ""
	if note != "" {
		tail = fmt.Sprintf(`<tspan dx="7" font-weight="400" %s>%s</tspan>`, fill("soft"), escape(note))
	}
	s.put(`<text x="%s" y="%s" font-size="%s" font-weight="600" %s>%s%s</text></g>`, num(x+23), num(y+4), num(chipPx), fill(class), escape(word), tail)
}
