package term

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Times of a [Progress]. A terminal gets one line that is drawn again; anything
// else gets a line now and then, so that a log shows that work goes on.
const (
	showAfter  = time.Second // what is done sooner needs no progress
	redraw     = 100 * time.Millisecond
	plainEvery = 10 * time.Second
)

// What has to be done before it says when the rest will be: the first steps of a
// piece of work are like no others, and a wrong guess is worse than none.
const (
	guessAfter = 5 * time.Second
	guessShare = 0.05
)

// Progress tells on Err how far a piece of work has come and when it will be
// done. Its methods may be called concurrently. A nil Progress tells nothing.
type Progress struct {
	t     *IO
	label string
	start time.Time

	mu    sync.Mutex // guards what follows
	last  time.Time
	drawn bool // a line stands on the terminal
}

// Progress starts a piece of work. With quiet it returns nil.
func (t *IO) Progress(label string, quiet bool) *Progress {
	if quiet {
		return nil
	}
	now := t.Now()
	return &Progress{t: t, label: label, start: now, last: now}
}

// Set says that done of total is done, in any unit; the label names it.
func (p *Progress) Set(done, total float64) {
	if p == nil || total <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.t.Now()
	every := redraw
	if !p.t.ErrTTY {
		every = plainEvery
	}
	if now.Sub(p.start) < showAfter || now.Sub(p.last) < every {
		return
	}
	p.last = now
	line := p.line(min(max(done/total, 0), 1), now.Sub(p.start))
	if p.t.ErrTTY {
		fmt.Fprintf(p.t.Err, "\r\x1b[K%s", line)
		p.drawn = true
	} else {
		fmt.Fprintln(p.t.Err, line)
	}
}

// line is what a reader sees: label, bar, share and the time left.
func (p *Progress) line(share float64, elapsed time.Duration) string {
	tail := fmt.Sprintf("%3.0f %%", 100*share)
	if elapsed >= guessAfter && share >= guessShare && share < 1 {
		left := time.Duration(float64(elapsed) * (1 - share) / share)
		tail += "  about " + duration(left) + " left"
	}
	if !p.t.ErrTTY {
		return p.label + ": " + strings.TrimLeft(tail, " ")
	}
	const bar = 24
	full := int(share * bar)
	line := fmt.Sprintf("%s  %s%s  %s", p.label, strings.Repeat("█", full), strings.Repeat("░", bar-full), tail)
	if r := []rune(line); len(r) >= p.t.Width {
		line = string(r[:max(p.t.Width-1, 0)])
	}
	return line
}

// Done takes the line away. The work has ended or was given up.
func (p *Progress) Done() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.t.Err, "\r\x1b[K")
		p.drawn = false
	}
}

// duration is d in the two largest units that matter to somebody who waits.
func duration(d time.Duration) string {
	switch s := int(d.Seconds() + 0.5); {
	case s < 60:
		return fmt.Sprintf("%d s", max(s, 1))
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	default:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
}
