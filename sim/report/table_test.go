package report

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func est(mean, half float64) Estimate {
	return Estimate{N: 10, Mean: mean, Half: half, SD: half, Method: Replications}
}

func single(mean float64) Estimate { return Estimate{N: 1, Mean: mean, Method: NoInterval} }

func latencyTable() *Table {
	t := &Table{
		Title: "Latency by path",
		Columns: []Column{{Name: "path"}, {"p50", Milliseconds}, {"p99", Milliseconds},
			{"reachable pairs", Share}, {"messages", One}},
		Notes: []string{"Mean ± half-width of the 95 % interval over 10 replications."},
	}
	t.Add(Text("direct"), Value(est(112.4, 1.31)), Value(est(1412.6, 35)), Value(est(0.214, 0.0123)), Number(20000))
	t.Add(Text("proxied"), Value(est(141.9, 0.9)), Value(single(1502)), Value(Estimate{}), Number(20000))
	return t
}

func ExampleTable() {
	fmt.Print(latencyTable())
	// Output:
	// Latency by path
	//
	//                                      reachable
	//                    p50         p99       pairs
	// path                ms          ms           %  messages
	// ────────────────────────────────────────────────────────
	// direct   112.40 ± 1.31  1413 ±  35  21.4 ± 1.2    20,000
	// proxied  141.90 ± 0.90  1502 (n=1)                20,000
	// Mean ± half-width of the 95 % interval over 10 replications.
}

func TestTableMarkdown(t *testing.T) {
	t.Parallel()
	table := latencyTable()
	table.Title = "<b>|*"
	var b strings.Builder
	if err := table.MarkdownTo(&b); err != nil {
		t.Fatal(err)
	}
	const want = `**&lt;b&gt;\|\***

| path | p50 (ms) | p99 (ms) | reachable pairs (%) | messages |
| --- | ---: | ---: | ---: | ---: |
| direct | 112.40 ± 1.31 | 1413 ±  35 | 21.4 ± 1.2 | 20,000 |
| proxied | 141.90 ± 0.90 | 1502 (n=1) |  | 20,000 |

Mean ± half-width of the 95 % interval over 10 replications.
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestTableJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(latencyTable())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`{"name":"reachable pairs","unit":"share"}`,
		`"direct",{"n":10,"mean":112.4,"sd":1.31,"low":111.09,"high":113.71`,
		`{"n":1,"mean":1502,"sd":null,"low":null,"high":null,"method":"n=1, no interval"},null,20000]`,
	} {
		if !strings.Contains(string(got), part) {
			t.Errorf("%s\nlacks %s", got, part)
		}
	}
}

func TestTableFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.StringOfN(rapid.RuneFrom([]rune("abc xyz  -\t\x1b[é")), 0, 60, -1)
		table := &Table{Title: words.Draw(t, "title")}
		lead := rapid.IntRange(0, 2).Draw(t, "text columns")
		numbers := rapid.IntRange(0, 9).Draw(t, "number columns")
		for i := range lead + numbers {
			table.Columns = append(table.Columns, Column{Name: rapid.StringMatching(`[a-z]{1,9}( [a-z]{1,9})?`).Draw(t, fmt.Sprint("head ", i)), Unit: Milliseconds})
		}
		if lead+numbers == 0 {
			return
		}
		for range rapid.IntRange(0, 4).Draw(t, "rows") {
			var row []Cell
			for range lead {
				row = append(row, Text(words.Draw(t, "text")))
			}
			for range numbers {
				row = append(row, Value(est(rapid.Float64Range(-1e7, 1e7).Draw(t, "mean"), rapid.Float64Range(0, 1e5).Draw(t, "half"))))
			}
			table.Add(row...)
		}
		text := table.String()
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); width(line) > TerminalWidth {
				t.Fatalf("%d columns wide: %q in\n%s", width(line), line, text)
			}
		}
		if strings.ContainsAny(text, "\x1b\t") {
			t.Fatalf("control bytes in %q", text)
		}
	})
}

func TestTableSplits(t *testing.T) {
	t.Parallel()
	table := &Table{Columns: []Column{{Name: "party"}}}
	row := []Cell{Text("gatekeeper")}
	for i := range 8 {
		table.Columns = append(table.Columns, Column{fmt.Sprint("fact ", i), Bytes})
		row = append(row, Value(est(1234.5, 67.8)))
	}
	table.Add(row...)
	if got := strings.Count(table.String(), "gatekeeper"); got != 2 {
		t.Errorf("the lead column stands in %d parts, want 2:\n%s", got, table)
	}
}

func TestFormatNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v        float64
		decimals int
		want     string
	}{
		{0, 0, "0"}, {-0.001, 2, "0.00"}, {-1.5, 1, "-1.5"}, {9999, 0, "9999"}, {10000, 0, "10,000"},
		{1234567.891, 2, "1,234,567.89"}, {-123456, 0, "-123,456"}, {math.Inf(1), 0, "+Inf"},
	} {
		if got := formatNumber(c.v, c.decimals); got != c.want {
			t.Errorf("formatNumber(%v, %d) = %q, want %q", c.v, c.decimals, got, c.want)
		}
	}
}

func TestDecimals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mean, half float64
		want       int
	}{{112.4, 1.31, 1}, {112.4, 0.131, 2}, {5, 0, 0}, {0.5, 0, 3}, {12.34, 0, 1}, {100, 35, 0}, {1, 0.00001, 3}, {0, 0, 0}} {
		if got := decimalsFor(c.mean, c.half); got != c.want {
			t.Errorf("decimalsFor(%v, %v) = %d, want %d", c.mean, c.half, got, c.want)
		}
	}
}
