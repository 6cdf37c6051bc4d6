package bench

import (
	"context"
	"strings"
	"testing"
)

// TestMLS: every operation is measured at every size, and drawn.
func TestMLS(t *testing.T) {
	res, err := MLS(context.Background(), MLSOptions{Seed: 1, Sizes: []int{3, 8}, Time: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Rows) != 2*9 {
		t.Errorf("%d rows, want 18", len(res.Rows))
	}
	for _, r := range res.Rows {
		if r.Min <= 0 || r.Median < r.Min || r.Reps < 3 || r.Bytes == 0 {
			t.Errorf("row %+v", r)
		}
	}
	svg, err := res.Figure().SVG()
	if err != nil || !strings.Contains(string(svg), "full commit process") {
		t.Errorf("figure: %v", err)
	}
	if _, err := MLS(context.Background(), MLSOptions{Sizes: []int{1}}); err == nil {
		t.Error("a group of one, and no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := MLS(ctx, MLSOptions{Sizes: []int{3}}); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}
