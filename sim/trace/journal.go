package trace

import (
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Journal takes entries, in the order of their time. A nil Journal drops them at
// the cost of a comparison. It is not safe for concurrent use.
type Journal struct {
	w       io.Writer // nil if the entries are kept
	entries []Entry
	buf     []byte
	at      des.Time // of the last entry
	err     error
}

// flushAt is how many bytes the journal collects before it writes.
const flushAt = 64 << 10

// NewJournal returns a journal that writes to w. The caller ends with
// [Journal.Flush].
func NewJournal(w io.Writer) *Journal { return &Journal{w: w} }

// NewRecorder returns a journal that keeps its entries in memory, for
// [Journal.Entries].
func NewRecorder() *Journal { return &Journal{} }

// On reports whether entries are taken, for callers to whom making one is work.
func (j *Journal) On() bool { return j != nil }

// Add appends an entry. The first error, an entry that is not valid or a failed
// write, stops the journal and is what Flush returns.
func (j *Journal) Add(e Entry) {
	if j != nil {
		j.add(&e)
	}
}

func (j *Journal) add(e *Entry) {
	if j.err != nil {
		return
	}
	err := e.validate()
	if err == nil && e.At < j.at {
		err = fmt.Errorf("at: %d, want at least %d, that of the entry before", e.At, j.at)
	}
	start := len(j.buf)
	if err == nil && j.w != nil {
		j.buf = append(e.append(j.buf), '\n')
		if n := len(j.buf) - start; n > MaxLine {
			err = fmt.Errorf("%d bytes long, want at most %d", n, MaxLine)
			j.buf = j.buf[:start]
		}
	}
	if err != nil {
		j.err = fmt.Errorf("trace: entry %s of %s: %w", e.Event, cut(e.Node, 50), err)
		return
	}
	j.at = e.At
	if j.w == nil {
		j.entries = append(j.entries, *e)
	} else if len(j.buf) >= flushAt {
		j.write()
	}
}

func (j *Journal) write() {
	if _, err := j.w.Write(j.buf); err != nil {
		j.err = fmt.Errorf("trace: write the journal: %w", err)
	}
	j.buf = j.buf[:0]
}

// Flush writes what is left and returns the journal's first error. More entries
// may follow if there is none.
func (j *Journal) Flush() error {
	if j == nil {
		return nil
	}
	if j.err == nil && len(j.buf) > 0 {
		j.write()
	}
	return j.err
}

// Entries returns the entries that a recorder kept. The slice belongs to it.
func (j *Journal) Entries() []Entry {
	if j == nil {
		return nil
	}
	return j.entries
}

// append appends the entry's line without its end to dst.
func (e *Entry) append(dst []byte) []byte {
	dst = append(dst, `{"at":`...)
	dst = strconv.AppendInt(dst, int64(e.At), 10)
	dst = appendField(dst, `,"node":`, e.Node)
	dst = appendField(dst, `,"event":`, string(e.Event))
	dst = appendField(dst, `,"peer":`, e.Peer)
	dst = appendField(dst, `,"id":`, e.ID)
	dst = appendField(dst, `,"kind":`, e.Kind)
	if e.Size != 0 {
		dst = append(dst, `,"size":`...)
		dst = strconv.AppendInt(dst, int64(e.Size), 10)
	}
	dst = appendField(dst, `,"note":`, e.Note)
	return append(dst, '}')
}

func appendField(dst []byte, name, s string) []byte {
	if s == "" {
		return dst
	}
	return appendString(append(dst, name...), s)
}

// appendString appends a JSON string (RFC 8259, Section 7) with the shortest
// escapes.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[start:]...), '"')
}

// cut shortens s to n runes, the last of which is then an ellipsis.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}
