package findings_test

import (
	"fmt"
	"log"

	"github.com/mimi-lab/mimi-lab/sim/findings"
	"github.com/mimi-lab/mimi-lab/sim/report"
	"github.com/mimi-lab/mimi-lab/sim/world"
)

// A summary that knows who can talk to whom answers that question and no other.
func ExampleSections() {
	rep := report.NewReplication("", 0, 1)
	rep.Scalar(world.Reachable, report.Labels{}, 0.25)
	rep.Finish()
	s, err := report.Collect(rep)
	if err != nil {
		log.Fatal(err)
	}
	for _, section := range findings.Sections(s) {
		fmt.Println(section.Title)
		fmt.Print(section.Table)
	}
	// Output:
	// Who can reach whom
	// Pairs that can talk
	//
	//           pairs
	// point         %
	// ───────────────
	// all    25 (n=1)
}
