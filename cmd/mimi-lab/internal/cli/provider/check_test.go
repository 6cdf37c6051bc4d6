package provider

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/serve/check"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// runChecks runs provider check and returns what it prints.
func runChecks(t *testing.T, o *checkOptions, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	o.IO = &term.IO{Out: &out, Err: io.Discard, Now: time.Now, Width: 80}
	o.Name, o.Timeout, o.Deadline = "checker", 5*time.Second, time.Minute
	err := runCheck(t.Context(), o, args)
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); !o.JSON && n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	return out.String(), err
}

// TestCheckSelf is a run in which everything passes, as text and as JSON.
func TestCheckSelf(t *testing.T) {
	t.Parallel()
	out, err := runChecks(t, &checkOptions{Self: true})
	if err != nil || !strings.Contains(out, " passed, 0 warned of, 0 failed, 0 skipped, in ") {
		t.Errorf("error %v after\n%s", err, out)
	}
	out, err = runChecks(t, &checkOptions{Self: true, JSON: true})
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Draft, Provider        string
		As                     []string
		Pass, Warn, Fail, Skip int
		Seconds                float64
		Checks                 []map[string]string
	}
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if r.Draft != check.Draft || r.Provider != "a.example" || len(r.As) != 2 || r.Pass != len(r.Checks) || r.Seconds <= 0 {
		t.Errorf("got %+v", r)
	}
	for _, key := range []string{"id", "section", "sent", "want", "verdict", "seen"} {
		if r.Checks[0][key] == "" || len(r.Checks[0]) != 6 {
			t.Errorf("a check has no %s: %v", key, r.Checks[0])
		}
	}
}

// TestCheckDevelopment checks a provider that runs with the same directory, which has a
// user without a client: what that lacks is skipped.
func TestCheckDevelopment(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lab")
	_, stop := run(t, 1, &serveOptions{Dev: dir, Domain: "a.example", Users: []string{"bob"}})
	out, err := runChecks(t, &checkOptions{Dev: dir, User: "mimi://a.example/u/bob", Quiet: true}, "https://a.example")
	if err != nil || !strings.Contains(out, "0 failed") || strings.Contains(out, " 0 skipped") {
		t.Errorf("error %v after\n%s", err, out)
	}
	if !strings.Contains(strings.Join(strings.Fields(out), " "), "self-remove: no room was given") {
		t.Errorf("it does not say that there is no room:\n%s", out)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.check.example"+addrSuffix)); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	out, err = runChecks(t, &checkOptions{Dev: dir}, "a.example")
	if exit.Code(err) != exit.Violation || !strings.Contains(out, "1 failed") {
		t.Errorf("of one that has stopped: error %v after\n%s", err, out)
	}
}

// TestCheckRemote holds that nothing but loopback is spoken to without --remote.
func TestCheckRemote(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lab")
	if _, err := development(dir, "a.example", time.Now()); err != nil {
		t.Fatal(err)
	}
	out, err := runChecks(t, &checkOptions{Dev: dir, Address: "192.0.2.1:443"}, "a.example") // RFC 5737: nobody's
	if exit.Code(err) != exit.Violation || !strings.Contains(strings.Join(strings.Fields(out), " "), errNotHere.Error()) {
		t.Errorf("error %v after\n%s", err, out)
	}
}

// TestCheckPrint is what a report of all verdicts looks like.
func TestCheckPrint(t *testing.T) {
	t.Parallel()
	result := func(id, section string, v check.Verdict, seen string) check.Result {
		return check.Result{
			Check:   check.Check{ID: id, Section: section, Sent: "a Commit of the epoch before, by a member that has not heard of another", Want: "wrongEpoch"},
			Verdict: v, Seen: seen,
		}
	}
	r := &check.Report{Draft: check.Draft, Provider: "a.example", As: []string{"b.example"}, Tally: verdict.Tally{Pass: 2, Warn: 1, Fail: 1, Skip: 3}, Seconds: 1.25, Checks: []check.Result{
		result("update.late", "5.3", check.Fail, "notAllowed: "+strings.Repeat("because ", 10)),
		result("update.later", "5.3", check.Pass, "wrongEpoch"),
		result("update.one", "5.3", check.Skip, "no room was given"),
		result("update.two", "5.3", check.Skip, "no room was given"),
		result("notify.late", "5.5", check.Warn, "status 200"),
		result("notify.other", "5.5", check.Skip, "no room was given"),
		result("groupInfo.late", "5.6", check.Pass, "wrongEpoch"),
	}}
	const all = `a.example, checked by b.example
against draft-ietf-mimi-protocol-06

update
  fail  5.3      late
        sent: a Commit of the epoch before, by a member that has not heard of
              another
        want: wrongEpoch
        seen: notAllowed: because because because because because because
              because because because because
  pass  5.3      later              a Commit of the epoch before, by a member
                                    that has not heard of another
  skip  one, two: no room was given

notify
  warn  5.5      late
        sent: a Commit of the epoch before, by a member that has not heard of
              another
        want: wrongEpoch
        seen: status 200
  skip  other: no room was given

groupInfo
  pass  5.6      late               a Commit of the epoch before, by a member
                                    that has not heard of another

7 checks: 2 passed, 1 warned of, 1 failed, 3 skipped, in 1.2 s
`
	for _, quiet := range []bool{false, true} {
		want := all
		if quiet {
			want = strings.Replace(want, "  pass  5.3      later              a Commit of the epoch before, by a member\n                                    that has not heard of another\n", "", 1)
			want = want[:strings.Index(want, "groupInfo")] + want[strings.Index(want, "7 checks"):]
		}
		var out bytes.Buffer
		o := &checkOptions{IO: &term.IO{Out: &out}, Quiet: quiet}
		o.print(r)
		if out.String() != want {
			t.Errorf("quiet %t: got\n%s\nwant\n%s", quiet, out.String(), want)
		}
	}
}
