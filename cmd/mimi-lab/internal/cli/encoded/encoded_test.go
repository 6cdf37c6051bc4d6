package encoded

import (
	"io"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
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

// TestReadDump: what looks like nothing that is read is not taken for base64 in words,
// unless it was to be.
func TestReadDump(t *testing.T) {
	t.Parallel()
	const dump = "00000000: 0001 0002 0570 6172 7479  .....party"
	for e, want := range map[Encoding]string{
		Auto:   `standard input: neither hex nor base64: ":" at character 8, want a letter, digit or one of + / - _`,
		Base64: `standard input: not base64: ":" at character 8, want a letter, digit or one of + / - _`,
		Hex:    `standard input: not hexadecimal: ":" at character 8, want 0-9 or a-f`,
	} {
		_, _, err := Read(&term.IO{In: strings.NewReader(dump)}, nil, e)
		if err == nil || err.Error() != want {
			t.Errorf("as %s: got %v, want %s", e, err, want)
		}
		if hint := "A dump?"; strings.HasPrefix(exit.Hint(err), hint) != (e == Auto) {
			t.Errorf("as %s: the hint is %q", e, exit.Hint(err))
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
