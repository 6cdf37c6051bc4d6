package arch

import (
	"fmt"
	"strconv"
	"strings"
)

// module is the import path that every name in this file is relative to.
const module = "github.com/mimi-lab/mimi-lab"

// floors lists every package of the repository, lowest first.
//
// A line is a floor and the packages on it. A package may import packages on
// the lines above it, of its own floor or a lower one, and none on its own line.
// A name that ends in "/..." stands for the package and all below it, which may
// import each other. P/internal/... belongs to P. A package may be listed before
// it exists.
//
// The floor "tests" is for packages that only test files import. They may
// import what stands above them, and the bans do not hold in them.
const floors = `
1	protocols/wire protocols/wire/protofield protocols/ident protocols/suite/... protocols/vectors sim/des

2	protocols
2	protocols/stanza/... protocols/content/... protocols/bhttp sim/link sim/trace
2	protocols/ohttp
tests	protocols/adaptertest protocols/wire/wiretest

3	protocols/signal/... protocols/mls/... protocols/sframe

4	protocols/adapters protocols/mimi protocols/dma groups/room
4	protocols/dma/noise protocols/dma/enlist protocols/dma/token protocols/dma/media

5	groups
5	groups/hub groups/follower
5	groups/member
5	groups/gateway groups/chat groups/kat

6	protocols/store/... protocols/accept protocols/egress protocols/localca protocols/verdict
6	protocols/admin
6	protocols/dma/serve/jwks protocols/dma/serve/blob
6	protocols/dma/serve groups/serve groups/serve/channel protocols/vectors/cache protocols/vectors/fetch
6	protocols/dma/serve/partner protocols/dma/serve/proxy
6	protocols/dma/serve/check/...
6	groups/serve/device
6	groups/serve/check/...
tests	protocols/vectors/vectorstest protocols/store/storetest

7	sim/scenario/... sim/ledger
7	sim/workload sim/report
7	sim/check
7	sim/world sim/rooms sim/bridge
7	sim/findings

8	bench
8	bench/rooms bench/chat bench/experiments/... bench/peers/...

9	papers/...

10	cmd/mimi-lab/...
`

// Floors with a meaning of their own.
const (
	lastPure  = 5 // floors 1 to 5: values in, values out
	shell     = 6 // sockets, disks and the real clock
	simulator = 7 // virtual time
	tests     = 0 // packages for test files
)

// ban is a name of the standard library that some floors may not use.
type ban struct {
	path  string // an import path
	names string // what of it is banned, separated by spaces; "" bans the import
	sim   bool   // banned on floor 7 as well as on floors 1 to 5
	why   string
}

// bans hold in files that are not tests.
var bans = []ban{
	{"time", "Now Since Until Sleep After AfterFunc NewTimer NewTicker Tick", true,
		"time comes in as a value"},
	{"context", "WithTimeout WithDeadline WithTimeoutCause WithDeadlineCause", true,
		"its clock is the real one"},
	{"net", "", true, "sockets belong to the shells on floor 6"},
	{"net/http", "", true, "sockets belong to the shells on floor 6"},
	{"os", "", false, "files and environment belong to the shells"},
	{"os/exec", "", false, "processes belong to the shells"},
	{"syscall", "", false, "the system belongs to the shells"},
	{"log", "", false, "a machine returns what happened; logging is the shell's job"},
	{"log/slog", "", false, "a machine returns what happened; logging is the shell's job"},
	{"fmt", "Print Printf Println Scan Scanf Scanln", false, "standard input and output belong to the command line"},
	{"testing", "", true, "tests belong in test files"},
	{"crypto/rand", "", true, "randomness comes from suite.Suite"},
	{"math/rand", "", true, "randomness comes from suite.Suite or a named stream of sim/des"},
	{"math/rand/v2", globalRand, true, "randomness comes from suite.Suite or a named stream of sim/des"},
}

// globalRand is what of math/rand/v2 draws from the source that all share.
const globalRand = "ExpFloat64 Float32 Float64 Int Int32 Int32N Int64 Int64N IntN N NormFloat64 Perm Shuffle Uint Uint32 Uint32N Uint64 Uint64N UintN"

// exception lets one package do what a ban forbids.
type exception struct {
	pkg  string // relative to the module
	what string // "path.Name", "path" for an import, or "go" for a go statement
	why  string
}

var exceptions = []exception{
	{"protocols/suite", "crypto/rand", "it is the entropy source that all others draw from"},
	{"protocols/suite", "go", "its pool seals and verifies many at once with results that do not depend on scheduling"},
}

// noSpec lists packages under protocols and groups that implement no
// specification of others, so that their comment need not name one.
var noSpec = map[string]string{
	"protocols/suite":               "a seam of this project",
	"protocols/adapters":            "a list",
	"protocols/adaptertest":         "a test suite for the adapter seam",
	"protocols/store":               "a seam of this project",
	"protocols/store/journal":       "a seam of this project",
	"protocols/store/postgres":      "the database's own documentation is its specification",
	"protocols/store/storetest":     "a test suite for the stores",
	"protocols/verdict":             "what checks come to, whatever they check",
	"protocols/vectors/cache":       "finds a folder",
	"protocols/vectors/fetch":       "fills a folder",
	"protocols/vectors/vectorstest": "finds files for tests",
	"groups":                        "strategies of this project over the adapter seam",
}

// modules that only one place may import, whoever else would like to.
var modules = []struct{ module, only, why string }{
	{"go.mau.fi/libsignal", "protocols/signal/v3",
		"it is GPL-3.0, and the build tag nogpl leaves out that one package"},
}

// line is one line of floors.
type line struct {
	floor int
	names []string
}

// parseFloors reads the block. It refuses what is not a line of it.
func parseFloors(text string) ([]line, error) {
	var lines []line
	seen := map[string]bool{}
	last := 0
	for _, s := range strings.Split(text, "\n") {
		f := strings.Fields(s)
		if len(f) == 0 {
			continue
		}
		l := line{floor: tests, names: f[1:]}
		if f[0] != "tests" {
			n, err := strconv.Atoi(f[0])
			if err != nil || n < last || n < 1 {
				return nil, fmt.Errorf("line %q: want a floor from %d on, or tests", s, max(last, 1))
			}
			l.floor, last = n, n
		}
		for _, name := range l.names {
			if seen[name] {
				return nil, fmt.Errorf("line %q: %s is listed twice", s, name)
			}
			seen[name] = true
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// find returns the index of the line that pkg stands on and its name there: the
// longest that fits. It returns -1 if there is none.
func find(lines []line, pkg string) (int, string) {
	at, best := -1, ""
	for i, l := range lines {
		for _, name := range l.names {
			if fits(name, pkg) && len(name) > len(best) {
				at, best = i, name
			}
		}
	}
	return at, best
}

// fits reports whether name, as a line of floors gives it, stands for pkg.
func fits(name, pkg string) bool {
	if tree, ok := strings.CutSuffix(name, "/..."); ok {
		return pkg == tree || strings.HasPrefix(pkg, tree+"/")
	}
	return pkg == name || strings.HasPrefix(pkg, name+"/internal/")
}
