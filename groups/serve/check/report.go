package check

import (
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// Draft is what is checked against.
const Draft = "draft-ietf-mimi-protocol-06"

// What checks are and what comes of them is the same for all that check.
type (
	Check   = verdict.Check
	Result  = verdict.Result
	Verdict = verdict.Verdict
)

// The verdicts.
const (
	Pass = verdict.Pass
	// Warn: the draft does not say it, or only recommends it, and others may stumble.
	Warn = verdict.Warn
	Fail = verdict.Fail
	// Skip: it could not be checked.
	Skip = verdict.Skip
)

// Report is what a run found.
type Report struct {
	Draft    string   `json:"draft"`
	Provider string   `json:"provider"` // its domain
	As       []string `json:"as"`       // the domains that the checker played
	Checks   []Result `json:"checks"`   // all there are, in their order
	verdict.Tally
	Seconds float64 `json:"seconds"`
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

func (r *run) pass(id, format string, args ...any) { r.sheet.Note(id, Pass, format, args...) }
func (r *run) warn(id, format string, args ...any) { r.sheet.Note(id, Warn, format, args...) }
func (r *run) fail(id, format string, args ...any) { r.sheet.Note(id, Fail, format, args...) }

// skip skips several checks for one reason, but for those that have a verdict.
func (r *run) skip(reason string, ids ...string) {
	for _, id := range ids {
		r.sheet.Note(id, Skip, "%s", reason)
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
func (r *run) verdict(id string) Verdict { return r.sheet.Verdict(id) }

// report counts.
func (r *run) report(took time.Duration) *Report {
	out := &Report{Draft: Draft, Provider: r.cfg.Domain, Seconds: took.Seconds()}
	for _, p := range r.cfg.Peers {
		out.As = append(out.As, p.Domain)
	}
	out.Checks, out.Tally = r.sheet.Seal(r.unreached())
	return out
}
