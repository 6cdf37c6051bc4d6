package room

import (
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// table is rows of cells, of which the first is the heading.
type table [][]string

// write writes a table with its columns aligned.
func (t table) write(out *term.IO) {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range t {
		var b strings.Builder
		for i, cell := range row {
			if i < len(row)-1 {
				cell += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
			}
			b.WriteString(cell)
		}
		line := strings.TrimRight(b.String(), " ")
		if n == 0 {
			line = out.Paint(term.Faint, line)
		}
		fmt.Fprintln(out.Out, line)
	}
}

// users are the participants that are users: the hub, which enforces the policy, is on
// the list as well.
func users(s *room.State) iter.Seq[room.Participant] {
	return func(yield func(room.Participant) bool) {
		for p := range s.All() {
			if u, err := ident.ParseURI(p.User); err == nil && u.Kind() == ident.KindProvider {
				continue
			}
			if !yield(p) {
				return
			}
		}
	}
}

// people counts users.
func people(s *room.State) (n int) {
	for range users(s) {
		n++
	}
	return n
}
