package outline

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Style says how an outline is written.
type Style struct {
	Columns int  // that lines fit where values can be shortened or broken
	Full    bool // shorten nothing
	// Paint colours a piece of the outline; nil leaves all as it is.
	Paint func(Part, string) string
}

// Part is what a piece of the outline is.
type Part uint8

const (
	PartName Part = iota
	PartDerived
	PartGood
	PartBad
)

// Write writes the outline of a node's fields, each level two columns further in.
func (n *Node) Write(w io.Writer, s Style) error {
	b := &writer{Writer: bufio.NewWriter(w), Style: s}
	for _, k := range n.Kids {
		b.node(k, 0, "")
	}
	return b.Flush()
}

type writer struct {
	*bufio.Writer
	Style
}

func (w *writer) paint(p Part, s string) string {
	if w.Paint == nil {
		return s
	}
	return w.Paint(p, s)
}

// mark stands before the names of what is not in the message itself.
const mark = "→ "

// least is how many columns a value gets even if its line becomes too long.
const least = 24

// node writes a node with its kids. first is what stands before the name, such as
// the number of an element.
func (w *writer) node(n *Node, indent int, first string) {
	name, part := n.Name, PartName
	if n.Derived {
		name, part = mark+n.Name, PartDerived
	}
	lead := strings.Repeat(" ", indent) + first
	used := indent + utf8.RuneCountInString(first) + utf8.RuneCountInString(name)
	painted := lead + w.paint(part, name)
	if n.Name == "" {
		painted, used = strings.TrimSuffix(lead, " "), indent+len(first)-1
	} else if first == "" || n.Value != nil || n.List {
		painted, used = painted+":", used+1
	}
	room := max(w.Columns-used-1, least)
	switch {
	case n.Value != nil:
		lines := w.value(n.Value, room)
		if below := w.Columns - indent - 4; !w.Full && room < below && widest(lines) > room {
			// A name that can't be shortened may fit below.
			fmt.Fprintln(w, painted)
			lines = w.value(n.Value, below)
			painted, used = strings.Repeat(" ", indent+3), indent+3
		}
		for i, l := range lines {
			if i > 0 {
				painted = strings.Repeat(" ", used)
			}
			fmt.Fprintln(w, painted+" "+w.verdict(n.Verdict, l))
		}
	case n.List && n.Brief != "" && !w.Full:
		for i, l := range wrap(strings.Fields(n.Brief), room) {
			if i > 0 {
				painted = strings.Repeat(" ", used)
			}
			fmt.Fprintln(w, painted, l)
		}
	case n.List:
		w.list(n, indent, painted)
	default:
		fmt.Fprintln(w, strings.TrimSuffix(painted, ":"))
	}
	if !n.List {
		for _, k := range n.Kids {
			w.node(k, indent+2, "")
		}
	}
}

// widest returns how many columns the widest of some lines takes.
func widest(lines []string) int {
	most := 0
	for _, l := range lines {
		most = max(most, Width(l))
	}
	return most
}

// list writes a list: how long it is, then its elements with their numbers.
func (w *writer) list(n *Node, indent int, painted string) {
	total := len(n.Kids) + n.More
	if total == 0 {
		fmt.Fprintln(w, painted, "none")
		return
	}
	fmt.Fprintln(w, painted, total)
	for i, k := range n.Kids {
		w.element(k, indent+2, i)
	}
	if n.More > 0 {
		fmt.Fprintf(w, "%s… %d more\n", strings.Repeat(" ", indent+2), n.More)
	}
}

// element writes an element of a list. The first field of a struct stands behind
// the element's number, the others below it.
func (w *writer) element(n *Node, indent, i int) {
	number := "[" + strconv.Itoa(i) + "] "
	if n.Value != nil || n.List || len(n.Kids) == 0 {
		w.node(n, indent, number)
		return
	}
	first := n.Kids[0]
	if first.Value == nil { // a struct in a struct stands better below
		fmt.Fprintln(w, strings.Repeat(" ", indent)+strings.TrimSuffix(number, " "))
		for _, k := range n.Kids {
			w.node(k, indent+4, "")
		}
		return
	}
	w.node(first, indent, number)
	for _, k := range n.Kids[1:] {
		w.node(k, indent+4, "")
	}
}

func (w *writer) verdict(v Verdict, s string) string {
	switch v {
	case Good:
		return w.paint(PartGood, s)
	case Bad:
		return w.paint(PartBad, s)
	}
	return s
}

// value returns the lines of a value, at most room columns wide each where it can
// be had.
func (w *writer) value(v Value, room int) []string {
	if w.Full {
		room = math.MaxInt32
	}
	switch v := v.(type) {
	case Bytes:
		return []string{showBytes(v, room)}
	case Number:
		return []string{strconv.FormatUint(uint64(v), 10)}
	case Time:
		return []string{showTime(uint64(v))}
	case Millis:
		return []string{showMillis(uint64(v))}
	case Bool:
		return []string{strconv.FormatBool(bool(v))}
	case Code:
		return []string{v.String()}
	case Codes:
		return wrap(words(v.List, v.More, Code.String), min(room, max(w.Columns, least)))
	case Numbers:
		return wrap(words(v.List, v.More, func(n uint64) string { return strconv.FormatUint(n, 10) }), min(room, max(w.Columns, least)))
	case Quoted:
		return []string{quote(string(v), room)}
	case Text:
		return wrap(strings.Fields(escape(string(v))), min(room, max(w.Columns, least)))
	}
	return []string{string(v.(Absent))}
}

// String returns the code's name and number.
func (c Code) String() string { return fmt.Sprintf("%s (%d)", c.Name, c.Number) }

// words writes the elements of a list with commas between them.
func words[T any](list []T, more int, show func(T) string) []string {
	var words []string
	for _, v := range list {
		words = append(words, show(v)+",")
	}
	switch {
	case more > 0:
		return append(words, fmt.Sprintf("… %d more", more))
	case len(words) == 0:
		return []string{"none"}
	}
	words[len(words)-1] = strings.TrimSuffix(words[len(words)-1], ",")
	return words
}

// wrap writes words one after the other, with line breaks between them.
func wrap(words []string, room int) []string {
	var lines []string
	line := ""
	for _, s := range words {
		switch {
		case line == "":
			line = s
		case Width(line)+1+Width(s) <= room:
			line += " " + s
		default:
			lines, line = append(lines, line), s
		}
	}
	return append(lines, line)
}

// escape replaces what is not printable by its escape in Go.
func escape(s string) string {
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// showBytes writes how many bytes there are and the first of them, as text if they
// are to be read as such.
func showBytes(v Bytes, room int) string {
	size := Size(len(v.Data))
	if len(v.Data) == 0 {
		return size
	}
	room -= len(size) + 1
	if v.Text && Printable(v.Data) {
		return size + " " + quote(string(v.Data), room)
	}
	if 2*len(v.Data) <= room {
		return size + " " + hex.EncodeToString(v.Data)
	}
	return size + " " + hex.EncodeToString(v.Data[:max(room-1, 8)/2]) + "…"
}

// Size writes a number of bytes.
func Size(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return strconv.Itoa(n) + " bytes"
}

// Printable reports whether b is text that can be read.
func Printable(b []byte) bool {
	if len(b) == 0 || !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// quote quotes text, shortened to room columns. What is not printable, such as
// control characters and those that turn the direction of writing, is escaped.
func quote(s string, room int) string {
	q := strconv.Quote(s)
	if Width(q) <= room {
		return q
	}
	used, out := 2, []byte{'"'} // the quotation mark and the ellipsis at the end
	for _, r := range s {
		c := strconv.Quote(string(r))
		c = c[1 : len(c)-1]
		if used += Width(c); used >= max(room, least) {
			break
		}
		out = append(out, c...)
	}
	return string(out) + `"…`
}

// Width estimates how many columns a text takes: two for each letter of the scripts
// of East Asia and for pictures.
func Width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r >= 0x1100 && r < 0x1160, r >= 0x2e80 && r < 0xa4d0, r >= 0xac00 && r < 0xd7a4,
			r >= 0xf900 && r < 0xfb00, r >= 0xfe30 && r < 0xfe70, r >= 0xff00 && r < 0xff61, r >= 0x1f300:
			n += 2
		default:
			n++
		}
	}
	return n
}

// maxTime is the last second of the year 9999.
const maxTime = 253402300799

func showTime(t uint64) string {
	switch {
	case t == math.MaxUint64:
		return "no end (2^64-1)"
	case t > maxTime:
		return fmt.Sprintf("after the year 9999 (%d)", t)
	}
	return fmt.Sprintf("%s UTC (%d)", time.Unix(int64(t), 0).UTC().Format(time.DateTime), t)
}

func showMillis(t uint64) string {
	if t/1000 > maxTime {
		return fmt.Sprintf("after the year 9999 (%d)", t)
	}
	return fmt.Sprintf("%s UTC (%d)", time.UnixMilli(int64(t)).UTC().Format(time.DateTime+".000"), t)
}
