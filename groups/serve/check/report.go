package check

import (
	"fmt"
	"strings"
	"time"
)

// Draft is what is checked against.
const Draft = "draft-ietf-mimi-protocol-06"

// Verdict is what came of a check.
type Verdict string

const (
	Pass Verdict = "pass"
	// Warn: the draft does not say it, or only recommends it, and others may stumble.
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
	Section string `json:"section"` // of the draft
	Sent    string `json:"sent"`    // what is sent
	Want    string `json:"want"`    // what is to come of it
}

// Group is the endpoint that it is about, or what else.
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

// Report is what a run found.
type Report struct {
	Draft    string   `json:"draft"`
	Provider string   `json:"provider"` // its domain
	As       []string `json:"as"`       // the domains that the checker played
	Checks   []Result `json:"checks"`   // all there are, in their order
	Pass     int      `json:"pass"`
	Warn     int      `json:"warn"`
	Fail     int      `json:"fail"`
	Skip     int      `json:"skip"`
	Seconds  float64  `json:"seconds"`
}

// Find returns the result of a check.
func (r *Report) Find(id string) (Result, bool) {
	for _, c := range r.Checks {
		if c.ID == id {
			return c, true
		}
	}
	return Result{}, false
}

// note gives a check a verdict. Of several the worst counts.
func (r *run) note(id string, v Verdict, format string, args ...any) {
	i, ok := r.index[id]
	if !ok {
		panic("check: there is no check " + id)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.results[i]
	if r.sealed || rank[v] <= rank[c.Verdict] {
		return
	}
	c.Verdict, c.Seen = v, clean(fmt.Sprintf(format, args...))
}

func (r *run) pass(id, format string, args ...any) { r.note(id, Pass, format, args...) }
func (r *run) warn(id, format string, args ...any) { r.note(id, Warn, format, args...) }
func (r *run) fail(id, format string, args ...any) { r.note(id, Fail, format, args...) }

// skip skips several checks for one reason, but for those that have a verdict.
func (r *run) skip(reason string, ids ...string) {
	for _, id := range ids {
		r.note(id, Skip, "%s", reason)
	}
}

// holds passes a check if ok, and fails it otherwise.
func (r *run) holds(id string, ok bool, format string, args ...any) {
	if ok {
		r.pass(id, format, args...)
	} else {
		r.fail(id, format, args...)
	}
}

// verdict returns that of a check so far.
func (r *run) verdict(id string) Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.results[r.index[id]].Verdict
}

// clean makes what a stranger wrote fit for a terminal: one line of bounded length.
func clean(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || 0x80 <= c && c < 0xa0 || 0x200b <= c && c <= 0x202e || 0x2060 <= c && c <= 0x206f || c == 0xfeff || c == 0xfffd {
			return '?'
		}
		return c
	}, s)
	if len(s) <= maxSeen {
		return s
	}
	cut := maxSeen
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "..."
}

// report counts.
func (r *run) report(took time.Duration) *Report {
	out := &Report{Draft: Draft, Provider: r.cfg.Domain, Checks: r.results, Seconds: took.Seconds()}
	for _, p := range r.cfg.Peers {
		out.As = append(out.As, p.Domain)
	}
	for i := range out.Checks {
		c := &out.Checks[i]
		switch c.Verdict {
		case Pass:
			out.Pass++
		case Warn:
			out.Warn++
		case Fail:
			out.Fail++
		default:
			if c.Verdict == "" {
				c.Verdict, c.Seen = Skip, r.unreached()
			}
			out.Skip++
		}
	}
	return out
}
