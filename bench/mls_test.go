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
	// What is not drawn is named, and so is what was measured, and where.
	for _, row := range res.Rows {
		drawn := strings.ReplaceAll(row.Op, "_", " ")
		if !strings.Contains(string(svg), ">"+drawn+"<") && !strings.Contains(string(svg), row.Op) {
			t.Errorf("%s is neither drawn nor named", row.Op)
		}
	}
	if remark := res.remark(); !strings.Contains(remark, "Suite 1 (MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519)") || !strings.Contains(remark, res.Arch) {
		t.Errorf("remark %q, want it to name the suite and the machine", remark)
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

// TestMLSFew: a median of few repetitions is marked in the table and named below the
// figure, and others are not.
func TestMLSFew(t *testing.T) {
	t.Parallel()
	r := MLSResult{Suite: 1, Go: "go1.26.9", Rows: []MLSRow{
		{Op: opAddAll, N: 1000, Median: 435189.9, Reps: 9, Bytes: 286767},
		{Op: opJoin, N: 100, Median: 8471.4, Reps: 10, Bytes: 30100},
	}}
	table := r.Table()
	for _, want := range []string{"      9*    286767\n", "     10      30100\n", "\n* fewer than 10 times:"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table has no %q:\n%s", want, table)
		}
	}
	for line := range strings.Lines(table) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
	if c := r.remark(); !strings.HasSuffix(c, " Measured fewer than 10 times: add all of 1 000 (9).") {
		t.Errorf("remark %q", c)
	}
	r.Rows = r.Rows[1:]
	if strings.Contains(r.Table(), "*") || strings.Contains(r.remark(), "fewer") {
		t.Errorf("a mark without a reason:\n%s%s", r.Table(), r.remark())
	}
}
