// Package workload draws what users do in a simulated world: who knows whom, how
// often each one writes, and what.
//
// Contacts form a bipartite graph between partner users and native users, since
// that is what interoperability adds. Activity and popularity are uniform or
// Zipf-like; messages of a user come as a Poisson process (Law, "Simulation
// Modeling and Analysis", Section 6.12.1, for when that is apt: many independent
// causes).
//
// Everything is drawn from the stream that the caller hands in. The package does
// not know the machines and sends nothing.
package workload

import (
	"math"
	"slices"
	"sort"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// Weights returns n weights with mean 1: all alike, or for rank r from 1 in
// proportion to r^-exponent.
func Weights(a scenario.Activity, n int) []float64 {
	w := make([]float64, n)
	sum := 0.0
	for i := range w {
		w[i] = 1
		if a.Dist == scenario.Zipf {
			w[i] = math.Pow(float64(i+1), -a.Exponent)
		}
		sum += w[i]
	}
	for i := range w {
		w[i] *= float64(n) / sum
	}
	return w
}

// Sampler draws indices by weight.
type Sampler struct{ cumulative []float64 }

// NewSampler returns a sampler of the weights, which are positive.
func NewSampler(weights []float64) *Sampler {
	s := &Sampler{cumulative: make([]float64, len(weights))}
	sum := 0.0
	for i, w := range weights {
		sum += w
		s.cumulative[i] = sum
	}
	return s
}

// Draw returns an index, each with its weight's share of the probability.
func (s *Sampler) Draw(r *des.Rand) int {
	x := r.Float64() * s.cumulative[len(s.cumulative)-1]
	return min(sort.SearchFloat64s(s.cumulative, x), len(s.cumulative)-1)
}

// DrawDistinct returns k different indices in ascending order; all of them if k is
// not below their number.
func (s *Sampler) DrawDistinct(r *des.Rand, k int) []int {
	n := len(s.cumulative)
	if k >= n {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return all
	}
	out := make([]int, 0, k)
	for tries := 0; len(out) < k; tries++ {
		i := s.Draw(r)
		if tries > 20*k { // the heaviest are all taken: fill up evenly
			i = r.IntN(n)
		}
		if at, found := slices.BinarySearch(out, i); !found {
			out = slices.Insert(out, at, i)
		}
	}
	return out
}

// Content is a drawn content, before it is given text and references.
type Content struct {
	Kind      int    // index into [scenario.Kinds.All]
	Text      int    // bytes of text or caption
	Media     uint64 // bytes of the medium, 0 for text
	Thumbnail int    // bytes of the preview picture within the message
}

// Contents draws contents.
type Contents struct {
	kinds   []kind
	sampler *Sampler
}

type kind struct {
	text         bool
	size         sizer
	thumbnail    sizer
	caption      sizer
	captionShare float64
}

// sizer draws a size in bytes; nil draws 0.
type sizer func(*des.Rand) float64

func newSizer(d scenario.Dist[scenario.Bytes]) sizer {
	if d.IsZero() {
		return func(*des.Rand) float64 { return 0 }
	}
	return d.Build().Sample
}

// NewContents returns a source of contents of the given kinds.
func NewContents(kinds scenario.Kinds) *Contents {
	c := new(Contents)
	var weights []float64
	for _, k := range kinds.All() {
		weights = append(weights, float64(k.Share))
		c.kinds = append(c.kinds, kind{
			text: k.Name == "text", size: newSizer(k.Size), thumbnail: newSizer(k.Thumbnail),
			caption: newSizer(k.Caption.Size), captionShare: float64(k.Caption.Share),
		})
	}
	c.sampler = NewSampler(weights)
	return c
}

// Draw draws a content.
func (c *Contents) Draw(r *des.Rand) Content {
	i := c.sampler.Draw(r)
	k := &c.kinds[i]
	out := Content{Kind: i}
	size := max(1, math.Round(k.size(r)))
	if k.text {
		out.Text = int(size)
		return out
	}
	out.Media = uint64(size)
	out.Thumbnail = int(math.Round(k.thumbnail(r)))
	if r.Bool(k.captionShare) {
		out.Text = int(math.Round(k.caption(r)))
	}
	return out
}
