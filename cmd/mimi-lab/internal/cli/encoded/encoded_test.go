package encoded

import (
	"io"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// endless is a letter for ever.
type endless byte

func (c endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

// TestReadTooLong sees that what is too long is not decoded first.
func TestReadTooLong(t *testing.T) {
	t.Parallel()
	for e, in := range map[Encoding]io.Reader{
		Hex:  endless('0'), // an odd number of digits
		Auto: io.MultiReader(strings.NewReader("!"), endless('0')),
	} {
		_, _, err := Read(&term.IO{In: in}, nil, e)
		if want := "standard input is longer than 64 MiB, want at most that"; err == nil || err.Error() != want {
			t.Errorf("as %s: %v, want %s", e, err, want)
		}
	}
}

// TestReadFolder sees that a folder is named once.
func TestReadFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, _, err := Read(new(term.IO), []string{dir}, Auto)
	if err == nil || strings.Count(err.Error(), dir) != 1 {
		t.Errorf("input of a folder: %v, want its name once", err)
	}
}

func TestSqueeze(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", " \t\r\n\v\f": "", " 00 0a\n\n0b": "000a0b", "\xff ü": "\xffü"} {
		if got := squeeze([]byte(in)); got != want {
			t.Errorf("squeeze(%q) = %q, want %q", in, got, want)
		}
	}
}
