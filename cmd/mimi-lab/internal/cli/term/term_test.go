package term

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// clock is a terminal whose time passes when the test says so.
func clock(tty bool) (*IO, *bytes.Buffer, *time.Time) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	return &IO{
		Out: &out, Err: &out, ErrTTY: tty, OutTTY: tty, Width: 80,
		Getenv: func(string) string { return "" },
		Now:    func() time.Time { return now },
	}, &out, &now
}

func TestPaint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		tty  bool
		env  map[string]string
		want string
	}{
		{"terminal", true, nil, "\x1b[1mx\x1b[0m"},
		{"file", false, nil, "x"},
		{"NO_COLOR", true, map[string]string{"NO_COLOR": "1"}, "x"},
		{"dumb", true, map[string]string{"TERM": "dumb"}, "x"},
	} {
		s, _, _ := clock(tt.tty)
		s.Getenv = func(k string) string { return tt.env[k] }
		if got := s.Paint(Bold, "x"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestProgressOnTerminal(t *testing.T) {
	t.Parallel()
	s, out, now := clock(true)
	p := s.Progress("simulating", false)
	*now = now.Add(900 * time.Millisecond)
	p.Set(1, 4)
	if out.Len() > 0 {
		t.Errorf("before a second: got %q, want nothing", out)
	}
	*now = now.Add(time.Second)
	p.Set(1, 4)
	p.Set(2, 4) // too soon to draw again
	want := "\r\x1b[Ksimulating  ██████░░░░░░░░░░░░░░░░░░   25 %"
	if out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
	out.Reset()
	p.Done()
	p.Done()
	if got, want := out.String(), "\r\x1b[K"; got != want {
		t.Errorf("done: got %q, want %q", got, want)
	}
}

func TestProgressGuess(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		elapsed time.Duration
		share   float64
		want    string
	}{
		{"hardly begun", 3 * time.Minute, 0.0004, "work: 0 %"},
		{"too little", time.Minute, 0.049, "work: 5 %"},
		{"too soon", 4900 * time.Millisecond, 0.5, "work: 50 %"},
		{"enough of both", 5 * time.Second, 0.05, "work: 5 %  about 1 min 35 s left"},
		{"done", time.Minute, 1, "work: 100 %"},
	} {
		s, _, _ := clock(false)
		if got := s.Progress("work", false).line(tt.share, tt.elapsed); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestProgressInLog(t *testing.T) {
	t.Parallel()
	s, out, now := clock(false)
	p := s.Progress("simulating", false)
	for i := range 100 {
		*now = now.Add(time.Second)
		p.Set(float64(i+1), 100)
	}
	p.Done()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 10 || lines[0] != "simulating: 10 %  about 1 min 30 s left" || lines[9] != "simulating: 100 %" {
		t.Errorf("got %q, want ten lines, the first with 90 s left", lines)
	}
}

func TestProgressNarrow(t *testing.T) {
	t.Parallel()
	s, out, now := clock(true)
	s.Width = 20
	p := s.Progress("simulating", false)
	*now = now.Add(2 * time.Second)
	p.Set(1, 2)
	if got := len([]rune(strings.TrimPrefix(out.String(), "\r\x1b[K"))); got != 19 {
		t.Errorf("got %d columns, want 19", got)
	}
}

func TestProgressQuiet(t *testing.T) {
	t.Parallel()
	s, out, now := clock(true)
	p := s.Progress("simulating", true)
	*now = now.Add(time.Minute)
	p.Set(1, 2)
	p.Done()
	if out.Len() > 0 {
		t.Errorf("got %q, want nothing", out)
	}
}

func TestWrapLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"short", "mimi-lab: no", "mimi-lab: no"},
		{"spaces where nothing is to break", "  a   b", "  a   b"},
		{"exactly as wide", "mimi-lab: a bee", "mimi-lab: a bee"},
		{"long", "mimi-lab: one two three four five", "mimi-lab: one|  two three|  four five"},
		{"lines", "two lines:\n  one two three four\n  short", "two lines:|  one two three|    four|  short"},
		{"a path", "mimi-lab: /no/such/folder/file: no", "mimi-lab: /no/such/folder/file:|  no"},
		{"a path in between", "cannot open /no/such/folder/file and so on", "cannot open /no/such/folder/file|  and so on"},
		{"letters of two bytes", "für für für für", "für für für für"},
		{"no words", strings.Repeat(" ", 20), ""},
	} {
		if got := strings.ReplaceAll(WrapLines(tt.text, 15), "\n", "|"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 10, ""},
		{" one\n two ", 10, "one two"},
		{"one two three", 7, "one two|three"},
		{"one incomprehensible two", 7, "one|incomprehensible|two"},
		{"für über", 8, "für über"},
	} {
		if got := strings.Join(Wrap(tt.text, tt.width), "|"); got != tt.want {
			t.Errorf("Wrap(%q, %d) = %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}
