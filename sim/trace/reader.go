package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// MaxLine is the longest line of a journal, in bytes with its end.
const MaxLine = 64 << 10

// Reader reads a journal, and strictly: it takes what a [Journal] writes and
// nothing else, so no unknown, doubled or empty fields, no other order, no blank
// lines and no step back in time.
type Reader struct {
	in   *bufio.Reader
	line int
	at   des.Time
	buf  []byte // an entry's line as a Journal would write it
}

// NewReader returns a reader of r.
func NewReader(r io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, MaxLine)}
}

// Next returns the next entry, or [io.EOF] after the last. Other errors name the
// line.
func (r *Reader) Next() (Entry, error) {
	line, err := r.in.ReadSlice('\n')
	if err == io.EOF && len(line) == 0 {
		return Entry{}, io.EOF
	}
	r.line++
	e, err := r.parse(line, err)
	if err != nil {
		return Entry{}, fmt.Errorf("trace: line %d: %w", r.line, err)
	}
	return e, nil
}

func (r *Reader) parse(line []byte, err error) (Entry, error) {
	switch {
	case err == io.EOF:
		return Entry{}, errors.New("ends without a newline, the journal is cut off")
	case errors.Is(err, bufio.ErrBufferFull):
		return Entry{}, fmt.Errorf("longer than %d bytes", MaxLine)
	case err != nil:
		return Entry{}, err
	}
	line = line[:len(line)-1]
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, fmt.Errorf("not an entry: %w", err)
	}
	if err := e.validate(); err != nil {
		return Entry{}, err
	}
	if r.buf = e.append(r.buf[:0]); !bytes.Equal(r.buf, line) {
		return Entry{}, fmt.Errorf("column %d: not as a journal writes it, want %s", common(r.buf, line)+1, cut(string(r.buf), 200))
	}
	if e.At < r.at {
		return Entry{}, fmt.Errorf("at: %d, want at least %d, that of the line before", e.At, r.at)
	}
	r.at = e.At
	return e, nil
}

// common is the length of the longest common prefix.
func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// Read reads a whole journal. On an error it returns the entries before it.
func Read(r io.Reader) ([]Entry, error) {
	var entries []Entry
	in := NewReader(r)
	for {
		e, err := in.Next()
		if err == io.EOF {
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
}
