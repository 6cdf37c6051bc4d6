package arch

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// absent is the state of a row for what is still to come.
const absent = "does not exist yet"

// TestStatus compares README's table of Status with the packages that there are.
func TestStatus(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := statusRows(string(text))
	if len(rows) < 10 {
		t.Fatalf("README.md, Status: %d rows, want at least 10", len(rows))
	}
	var pkgs []string
	for _, p := range goList(t, "./...") {
		pkgs = append(pkgs, p.rel())
	}
	for _, complaint := range checkStatus(rows, pkgs) {
		t.Errorf("README.md, Status: %s", complaint)
	}
}

// TestCheckStatus makes sure that TestStatus can fail.
func TestCheckStatus(t *testing.T) {
	t.Parallel()
	const table = "## Status\n\n| part | packages | state |\n| --- | --- | --- |\n" +
		"| Rooms | `groups/room` | works; [notes](groups/room/DEVIATIONS.md) |\n" +
		"| Kernel | `sim/...` | works |\n" +
		"| Gateway | `groups/gateway`, `papers/...` | does not exist yet |\n\n## Limits\n"
	for _, tt := range []struct {
		name string
		pkgs []string
		want string
	}{
		{"as it says", []string{"groups/room", "sim/des", "sim/world/internal/x", "cmd/mimi-lab", "tools"}, ""},
		{"not listed", []string{"groups/room", "sim/des", "groups/room/policy"}, "no row for groups/room/policy"},
		{"not there", []string{"sim/des"}, "groups/room: no such package"},
		{"there by now", []string{"groups/room", "sim/des", "groups/gateway"}, `groups/gateway "does not exist yet", but groups/gateway does`},
		{"tree there by now", []string{"groups/room", "sim/des", "papers/dma"}, `papers/... "does not exist yet", but papers/dma does`},
	} {
		if got := strings.Join(checkStatus(statusRows(table), tt.pkgs), "; "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// statusRow is a row of the table: packages as floors names them, and their state.
type statusRow struct {
	names []string
	state string
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// statusRows reads the table.
func statusRows(readme string) []statusRow {
	_, section, _ := strings.Cut(readme, "\n## Status\n")
	if strings.HasPrefix(readme, "## Status\n") {
		section = readme
	}
	section, _, _ = strings.Cut(section, "\n## Limits")
	var rows []statusRow
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		var names []string
		for _, m := range codeSpan.FindAllStringSubmatch(cells[2], -1) {
			names = append(names, m[1])
		}
		if len(names) > 0 {
			rows = append(rows, statusRow{names, strings.TrimSpace(cells[3])})
		}
	}
	return rows
}

// checkStatus says which packages of these four folders have no row, which rows have
// no package, and which have one though they say that there is none. "/..." stands
// for the package and all below it.
func checkStatus(rows []statusRow, pkgs []string) (complaints []string) {
	listed := map[string]bool{}
	for _, r := range rows {
		for _, name := range r.names {
			i := slices.IndexFunc(pkgs, func(pkg string) bool { return fits(name, pkg) })
			switch {
			case r.state == absent && i >= 0:
				complaints = append(complaints, fmt.Sprintf("%s %q, but %s does", name, absent, pkgs[i]))
			case r.state != absent && i < 0:
				complaints = append(complaints, name+": no such package")
			}
			for _, pkg := range pkgs {
				listed[pkg] = listed[pkg] || fits(name, pkg)
			}
		}
	}
	for _, pkg := range pkgs {
		folder, _, _ := strings.Cut(pkg, "/")
		if slices.Contains([]string{"protocols", "groups", "sim", "bench"}, folder) && !listed[pkg] {
			complaints = append(complaints, "no row for "+pkg)
		}
	}
	return complaints
}
