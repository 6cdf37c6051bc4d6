package scenario

import (
	"testing"
)

func TestLibraryLoads(t *testing.T) {
	t.Parallel()
	for _, name := range names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if f.Name != name {
				t.Errorf("the name within is %s", f.Name)
			}
			for _, p := range f.Points() {
				t.Logf("%s %s %s", p.Study, p, p.Scenario.Hash()[:8])
			}
		})
	}
}
