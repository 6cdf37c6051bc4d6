package workload_test

import (
	"math"
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/workload"
)

func TestWeights(t *testing.T) {
	t.Parallel()
	if got := workload.Weights(scenario.Activity{Dist: scenario.Uniform}, 3); !slices.Equal(got, []float64{1, 1, 1}) {
		t.Errorf("uniform weights %v", got)
	}
	got := workload.Weights(scenario.Activity{Dist: scenario.Zipf, Exponent: 1}, 3)
	for i, want := range []float64{18.0 / 11, 9.0 / 11, 6.0 / 11} { // 1, 1/2, 1/3 scaled to mean 1
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("zipf weight %d is %v, want %v", i, got[i], want)
		}
	}
}

// TestSamplerDrawsByWeight compares frequencies with the weights: with n draws a
// frequency has a standard deviation of at most 1/(2 sqrt n), so five of them are
// missed about once in two million.
func TestSamplerDrawsByWeight(t *testing.T) {
	t.Parallel()
	const n = 100_000
	weights := []float64{5, 0.5, 3, 1.5}
	s := workload.NewSampler(weights)
	r := des.NewStream(1, "sampler")
	var count [4]int
	for range n {
		count[s.Draw(r)]++
	}
	for i, w := range weights {
		if got, want := float64(count[i])/n, w/10; math.Abs(got-want) > 5/(2*math.Sqrt(n)) {
			t.Errorf("index %d drawn with frequency %v, want %v", i, got, want)
		}
	}
}

func TestDrawDistinct(t *testing.T) {
	t.Parallel()
	r := des.NewStream(1, "distinct")
	s := workload.NewSampler(workload.Weights(scenario.Activity{Dist: scenario.Zipf, Exponent: 4}, 50))
	for _, k := range []int{1, 7, 49, 50, 60} {
		got := s.DrawDistinct(r, k)
		if len(got) != min(k, 50) || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("%d of 50: %v", k, got)
		}
	}
}

func TestContents(t *testing.T) {
	t.Parallel()
	kinds := scenario.Kinds{
		Text:  scenario.Kind{Share: 0.5, Size: scenario.Dist[scenario.Bytes]{Dist: scenario.Constant, Value: 40}},
		Image: scenario.Kind{Share: 0.5, Size: scenario.Dist[scenario.Bytes]{Dist: scenario.Constant, Value: 20_000}, Thumbnail: scenario.Dist[scenario.Bytes]{Dist: scenario.Constant, Value: 700}},
	}
	c := workload.NewContents(kinds)
	r := des.NewStream(1, "contents")
	seen := map[workload.Content]int{}
	for range 1000 {
		seen[c.Draw(r)]++
	}
	text, image := workload.Content{Kind: 0, Text: 40}, workload.Content{Kind: 1, Media: 20_000, Thumbnail: 700}
	if len(seen) != 2 || seen[text] < 400 || seen[image] < 400 {
		t.Errorf("drew %v, want about half of each of %v and %v", seen, text, image)
	}
}
