package mls

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/bench/peers/mlsrun"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// TestPrintReport: what is known, what is no longer seen and what failed stand apart,
// each with its reason, in 80 columns.
func TestPrintReport(t *testing.T) {
	t.Parallel()
	peers := []string{"mimi-lab", "Other 1.0 (provider)"}
	known := mlsrun.Game{
		Scenario: "commit", Part: "update", Suite: 1, Mode: mlsrun.Public, Peers: peers, Outcome: mlsrun.Known,
		Error: "HandleCommit: refused", Reason: "Other 1.0 cannot update, and says so in more words than one line has room for",
	}
	failed := known
	failed.Part, failed.Outcome, failed.Reason, failed.Error = "remove", mlsrun.Failed, "", "refused\x1b[2J"
	passed := mlsrun.Game{Scenario: "branch", Part: "some members", Suite: 1, Mode: mlsrun.Public, Peers: peers, Outcome: mlsrun.Passed}
	var out bytes.Buffer
	io := &term.IO{Out: &out, Getenv: func(string) string { return "" }, Width: 80}
	if err := printReport(io, "mimi-lab (this engine), Other 1.0 (provider) (host.example:5001), A third (\x1b)", &mlsrun.Report{
		Games: []mlsrun.Game{known, known, failed, passed},
		Stale: []mlsrun.Deviation{{Peer: "Other 1.0", Scenario: "branch", Part: "some members", Reason: "cannot branch"}},
	}); err != nil {
		t.Fatal(err)
	}
	want := `peers: mimi-lab (this engine), Other 1.0 (provider) (host.example:5001), A third
  (?)

scenario               passed    known   failed  skipped   seconds
commit                      0        2        1        0      0.00
branch                      1        0        0        0      0.00
all                         1        2        1        0      0.00

call                           implementation   calls   median ms     bytes

known: commit, update (2 games)
  Other 1.0 cannot update, and says so in more words than one line has room for

no longer: branch, some members
  Other 1.0 cannot branch

failed: commit, remove, suite 1, public handshakes, among mimi-lab, Other 1.0
        (provider)
  refused?[2J
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for line := range strings.Lines(out.String()) {
		if len(strings.TrimSuffix(line, "\n")) > inspect.Columns {
			t.Errorf("wider than %d columns: %q", inspect.Columns, line)
		}
	}
}

// TestShortPeer: two implementations of one name do not become one in the table.
func TestShortPeer(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"mimi-lab":                         "mimi-lab",
		"mimi-lab #2":                      "mimi-lab #2",
		"OpenMLS 0.9.2 (a provider)":       "OpenMLS 0.9.2…",
		"OpenMLS 0.9.2 (a provider) #2":    "OpenMLS 0.… #2",
		"OpenMLS 0.9.2 (a provider) #12":   "OpenMLS 0… #12",
		"One with a # in the middle of it": "One with a # …",
		" #this is a strange name":         " #this is a s…",
	} {
		if got := shortPeer(name, 14); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}
