package world

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/report"
)

// TestInboxIsAChoiceOfView: where native users have messages shown changes which
// inbox they are counted in, and not how many there are.
func TestInboxIsAChoiceOfView(t *testing.T) {
	t.Parallel()
	count := func(share string) (combined, separate float64) {
		t.Helper()
		sc := load(t, "faulty-small", "adapter=signal-v3-sized",
			"gatekeepers.whatsapp.inbox.combined_share="+share, "gatekeepers.messenger.inbox.combined_share="+share)
		out, err := Simulate(sc, "", 0, 3, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := report.Collect(out.Replication)
		if err != nil {
			t.Fatal(err)
		}
		find := func(inbox string) float64 {
			e, ok := s.Find(report.Labels{}, MessagesByInbox.Name, report.NewLabels("inbox", inbox))
			if !ok {
				t.Fatalf("no count of the %s inbox", inbox)
			}
			return e.Mean
		}
		return find("combined"), find("separate")
	}
	combined, none := count("100%")
	if combined == 0 || none != 0 {
		t.Errorf("all chose one inbox: %v messages in it and %v in a separate one, want some and none", combined, none)
	}
	none, separate := count("0%")
	if none != 0 || separate != combined {
		t.Errorf("all chose a separate inbox: %v messages in it and %v in the combined one, want %v and none", separate, none, combined)
	}
}
