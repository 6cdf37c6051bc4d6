package term

import (
	"fmt"
	"strings"
)

// Wrap breaks a text into lines of at most width letters where it has spaces. A
// longer word stands on a line of its own. An empty text has no lines.
func Wrap(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(text) {
		n := len([]rune(word))
		if used > 0 && used+1+n > width {
			lines = append(lines, line)
			line, used = "", 0
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	if used > 0 {
		lines = append(lines, line)
	}
	return lines
}

// WrapLines breaks those lines of a text that are longer than width, and leaves the
// others as they are. A line goes on two columns further in than it begins. A word that
// fits on no line, such as a path, stays where it is.
func WrapLines(text string, width int) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if len([]rune(line)) <= width {
			out = append(out, line)
			continue
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		used := 0
		for _, word := range strings.Fields(line) {
			n := len([]rune(word))
			switch {
			case used == 0:
				out, used = append(out, indent+word), len(indent)+n
			case used+1+n <= width, used <= width && len(indent)+2+n > width:
				out[len(out)-1] += " " + word
				used += 1 + n
			default:
				out, used = append(out, indent+"  "+word), len(indent)+2+n
			}
		}
	}
	return strings.Join(out, "\n")
}

// Plural is a number of things: "1 point" or "3 points".
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
