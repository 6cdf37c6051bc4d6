package findings_test

import (
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/findings"
	"github.com/mimi-lab/mimi-lab/sim/report"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/world"
)

// summary runs a small form of the launch scenario.
func summary(t *testing.T, sets ...string) *report.Summary {
	t.Helper()
	f, err := scenario.Open("dma-launch-2024", append([]string{
		"replications=3", "duration=12h", "adapter=signal-v3-sized",
	}, sets...)...)
	if err != nil {
		t.Fatal(err)
	}
	outs, err := world.Run(t.Context(), f, world.RunOptions{Workers: 2, Ledger: true})
	if err != nil {
		t.Fatal(err)
	}
	var reps []*report.Replication
	for _, o := range outs {
		if o.Violated > 0 {
			t.Errorf("seed %d: %v", o.Seed, o.Violations[0])
		}
		reps = append(reps, o.Replication)
	}
	s, err := report.Collect(reps...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLaunchAnswersItsQuestions(t *testing.T) {
	t.Parallel()
	s := summary(t)
	sections := findings.Sections(s)
	want := []string{"Who can reach whom", "How long messages take", "How many bytes messages cost", "What each party learns", "Messages"}
	if len(sections) != len(want) {
		t.Fatalf("%d sections, want %d", len(sections), len(want))
	}
	for i, section := range sections {
		if section.Title != want[i] {
			t.Errorf("section %d is %q, want %q", i, section.Title, want[i])
		}
		if section.Table == nil {
			t.Fatalf("%s: no table", section.Title)
		}
		for _, line := range strings.Split(section.Table.String(), "\n") {
			if n := len([]rune(line)); n > report.TerminalWidth {
				t.Errorf("%s: a line of %d columns: %q", section.Title, n, line)
			}
		}
		if section.Title == "Messages" {
			continue
		}
		if section.Figure == nil {
			t.Fatalf("%s: no figure", section.Title)
		}
		if _, err := section.Figure.SVG(); err != nil {
			t.Errorf("%s: %v", section.Title, err)
		}
	}
}

// TestLaunchIsPlausible holds the results against what must come out whatever the
// numbers of the scenario are.
func TestLaunchIsPlausible(t *testing.T) {
	t.Parallel()
	s := summary(t)
	traffic := report.NewLabels("study", "traffic")
	mean := func(metric string, kv ...string) float64 {
		t.Helper()
		e, ok := s.Find(traffic, metric, report.NewLabels(kv...))
		if !ok {
			t.Fatalf("no %s %v", metric, kv)
		}
		return e.Mean
	}
	median := func(route, to string) float64 {
		t.Helper()
		e, ok := s.Find(traffic, world.Latency.Name, report.NewLabels("route", route, "to", to))
		if !ok {
			t.Fatalf("no latency %s to %s", route, to)
		}
		return e.Distribution.At(0.5)
	}
	learned := func(route, party, fact string) float64 {
		return mean(world.Learned.Name, "route", route, "party", party, "fact", fact)
	}
	for _, route := range []string{"direct", "proxied"} {
		for _, fact := range []string{"identities", "contacts", "timestamps", "addresses", "sizes"} {
			if got := learned(route, "gatekeeper", fact); got != 1 {
				t.Errorf("%s: the gatekeeper learns %v of the %s, want all", route, got, fact)
			}
		}
		for _, fact := range []string{"identities", "contacts"} {
			if got := learned(route, "network", fact); got != 0 {
				t.Errorf("%s: the network learns %v of the %s, want none", route, got, fact)
			}
		}
		if got := learned(route, "partner server", "contacts"); got != 0 {
			t.Errorf("%s: the partner's server learns %v of the contacts, want none", route, got)
		}
	}
	for _, fact := range []string{"contacts", "timestamps", "sizes"} {
		if got := learned("proxied", "proxy", fact); got < 0.99 {
			t.Errorf("the proxy learns %v of the %s, want all that pass it", got, fact)
		}
	}
	if _, ok := s.Find(traffic, world.Learned.Name, report.NewLabels("route", "direct", "party", "proxy", "fact", "contacts")); ok {
		t.Error("a proxy learns something of direct connections")
	}

	// Connections that deliver in order give nobody anything to refuse.
	if got := mean(world.FramesRefused.Name); got != 0 {
		t.Errorf("%v frames were refused, want none", got)
	}
	if got := mean(world.Messages.Name, "what", "given up"); got != 0 {
		t.Errorf("%v messages were given up, want none", got)
	}

	for _, to := range []string{"native", "partner"} {
		direct, proxied := median("direct", to), median("proxied", to)
		if proxied <= direct {
			t.Errorf("to %s: %v ms proxied, %v ms direct; want more proxied", to, proxied, direct)
		}
	}

	for _, kind := range []string{"text", "image"} {
		sum := 0.0
		for _, part := range world.Parts {
			sum += mean(world.Size.Name, "kind", kind, "part", part)
		}
		if whole := mean(world.Size.Name, "kind", kind, "part", world.WholeMessage); sum-whole > 1e-9 || whole-sum > 1e-9 {
			t.Errorf("%s: the parts sum to %v bytes, the message has %v", kind, sum, whole)
		}
	}

	lines := s.Lines(world.Reachable.Name, "opt_in_rate", "default", report.Labels{})
	at := map[string]map[float64]float64{}
	for _, l := range lines {
		at[l.Name] = map[float64]float64{}
		for _, p := range l.Points {
			at[l.Name][p.X] = p.Mean
		}
	}
	for _, x := range []float64{0.05, 0.2, 0.8} {
		optIn, ping, on := at["opt_in"][x], at["ping_then_consent"][x], at["default_on"][x]
		if optIn <= 0 || optIn >= ping || ping >= 1 || on <= 0 {
			t.Errorf("at %v: opt_in %v, ping_then_consent %v, default_on %v; want opt_in below ping_then_consent", x, optIn, ping, on)
		}
		if most := x * 0.9; optIn > most+0.1 { // users opt in, and of those 90 % are eligible
			t.Errorf("at %v: opt_in reaches %v, want at most %v and some luck", x, optIn, most)
		}
	}
}

func TestNothingMeasuredNothingSaid(t *testing.T) {
	t.Parallel()
	s, err := report.Collect(report.NewReplication("", 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	if got := findings.Sections(s); len(got) != 0 {
		t.Errorf("%d sections about nothing", len(got))
	}
}
