// Package verdict is what a check of somebody else's implementation comes to: rules as
// data, each with the section of the specification that it is from, and a sheet that gathers
// what was seen of them. What is checked and how is for the packages that check.
//
// Start with [New], give checks verdicts as they come, and end with [Sheet.Seal].
package verdict

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Verdict is what came of a check.
type Verdict string

const (
	Pass Verdict = "pass"
	// Warn: the specification does not say it, or only recommends it, and others may stumble.
	Warn Verdict = "warn"
	Fail Verdict = "fail"
	// Skip: it could not be checked.
	Skip Verdict = "skip"
)

// rank says which of two verdicts on one check counts: the higher.
var rank = map[Verdict]int{Skip: 1, Pass: 2, Warn: 3, Fail: 4}

// Check is a rule that is checked.
type Check struct {
	ID      string `json:"id"`      // the group, a dot and a name
	Section string `json:"section"` // of the specification
	Sent    string `json:"sent"`    // what is sent, or "-"
	Want    string `json:"want"`    // what is to come of it
}

// Group is what the check is about.
func (c *Check) Group() string {
	group, _, _ := strings.Cut(c.ID, ".")
	return group
}

// Result is a check with what came of it.
type Result struct {
	Check
	Verdict Verdict `json:"verdict"`
	Seen    string  `json:"seen"` // what was seen, or why it was skipped
}

// Tally counts verdicts.
type Tally struct {
	Pass int `json:"pass"`
	Warn int `json:"warn"`
	Fail int `json:"fail"`
	Skip int `json:"skip"`
}

// Sheet gathers the verdicts of a run. Its methods may be called by several goroutines at
// once.
type Sheet struct {
	index map[string]int

	mu      sync.Mutex // guards what follows
	results []Result
	sealed  bool
}

// New returns a sheet of checks without verdicts.
func New(checks []Check) *Sheet {
	s := &Sheet{index: make(map[string]int, len(checks))}
	for i, c := range checks {
		s.results = append(s.results, Result{Check: c})
		s.index[c.ID] = i
	}
	return s
}

// Note gives a check a verdict. Of several the worst counts, and of two that are the same
// the first. It panics if there is no such check.
func (s *Sheet) Note(id string, v Verdict, format string, args ...any) {
	i, ok := s.index[id]
	if !ok {
		panic("verdict: there is no check " + id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.results[i]
	if s.sealed || rank[v] <= rank[c.Verdict] {
		return
	}
	c.Verdict, c.Seen = v, Clean(fmt.Sprintf(format, args...))
}

// Verdict returns that of a check so far.
func (s *Sheet) Verdict(id string) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.results[s.index[id]].Verdict
}

// Seal skips the checks that have no verdict, for the reason, and returns all. No verdict
// counts after it.
func (s *Sheet) Seal(reason string) ([]Result, Tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
	var t Tally
	for i := range s.results {
		c := &s.results[i]
		switch c.Verdict {
		case Pass:
			t.Pass++
		case Warn:
			t.Warn++
		case Fail:
			t.Fail++
		default:
			if c.Verdict == "" {
				c.Verdict, c.Seen = Skip, Clean(reason)
			}
			t.Skip++
		}
	}
	return slices.Clone(s.results), t
}

// MaxSeen is the longest Seen in bytes, without the dots that say that it was longer.
const MaxSeen = 160

// Clean makes what a stranger wrote fit for a terminal: one line of bounded length.
func Clean(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || 0x80 <= c && c < 0xa0 || 0x200b <= c && c <= 0x202e || 0x2060 <= c && c <= 0x206f || c == 0xfeff || c == 0xfffd {
			return '?'
		}
		return c
	}, s)
	if len(s) <= MaxSeen {
		return s
	}
	cut := MaxSeen
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "..."
}
