package rooms

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestDiagram compares with a picture that somebody looked at.
func TestDiagram(t *testing.T) {
	t.Parallel()
	const file = "testdata/rooms.svg"
	got, err := play(t, Config{Seed: 1}, "administered").Diagram().SVG()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the diagram differs from %s (-update writes it)", file)
	}
}
