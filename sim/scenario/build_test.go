package scenario

import (
	"math"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

// The mean that a built distribution states must be that of its draws, and no
// draw may lie beyond the bounds.
func TestBuild(t *testing.T) {
	t.Parallel()
	const second = Duration(time.Second)
	tests := []struct {
		name     string
		dist     link.Dist
		min, max float64
	}{
		{"absent", Dist[Duration]{}.Build(), 0, 0},
		{"constant", Dist[Duration]{Dist: Constant, Value: second}.Build(), 1, 1},
		{"bytes", Dist[Bytes]{Dist: Constant, Value: 5000}.Build(), 5000, 5000},
		{"uniform", Dist[Duration]{Dist: UniformDist, Min: second, Max: 3 * second}.Build(), 1, 3},
		{"normal", Dist[Duration]{Dist: Normal, Mean: second, SD: second}.Build(), 0, 9},
		{"lognormal", Dist[Duration]{Dist: LogNormal, Median: second, Sigma: 0.5}.Build(), 0, 50},
		{"lognormal, max", Dist[Duration]{Dist: LogNormal, Median: second, Sigma: 0.8, Max: 2 * second}.Build(), 0, 2},
		{"lognormal, min", Dist[Duration]{Dist: LogNormal, Median: second, Sigma: 0.8, Min: second / 2}.Build(), 0.5, 99},
		{"lognormal, both", Dist[Bytes]{Dist: LogNormal, Median: 100, Sigma: 1, Min: 50, Max: 300}.Build(), 50, 300},
		{"exponential", Dist[Duration]{Dist: Exponential, Mean: second}.Build(), 0, 30},
		{"exponential, both", Dist[Duration]{Dist: Exponential, Mean: second, Min: second / 4, Max: 2 * second}.Build(), 0.25, 2},
		{"empirical", Dist[Duration]{Dist: Empirical, Quantiles: []Quantile[Duration]{{0, 0}, {0.5, second}, {1, 5 * second}}}.Build(), 0, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := des.NewStream(1, tt.name)
			const n = 200_000
			var sum, squares float64
			for range n {
				x := tt.dist.Sample(r)
				if x < tt.min || x > tt.max {
					t.Fatalf("drew %v, want %v to %v", x, tt.min, tt.max)
				}
				sum += x
				squares += x * x
			}
			mean := sum / n
			se := math.Sqrt(max(squares/n-mean*mean, 0) / n)
			if got := tt.dist.Mean(); math.Abs(got-mean) > 5*se+1e-9*mean {
				t.Errorf("Mean is %v, %d draws have %v ± %v", got, n, mean, se)
			}
		})
	}
}

// What the loader accepts the packages below must accept.
func TestLibraryBuilds(t *testing.T) {
	t.Parallel()
	for _, name := range names() {
		f, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Points() {
			buildAll(t, &p.Scenario)
		}
	}
}

func buildAll(t *testing.T, s *Scenario) {
	t.Helper()
	for _, class := range []LinkClass{DeviceGatekeeper, DeviceProxy, ProxyGatekeeper, GatekeeperPartner, DevicePartner} {
		c := s.Links.Class(class).Build(s.Links.Mode)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %s: %v", s.Name, class, err)
		}
	}
	c := s.Faults.Crashes
	for what, schedule := range map[string]link.Schedule{
		"presence": s.Devices.Presence(), "partitions": s.Faults.Partitions.Schedule(), "device": c.Device.Schedule(),
		"proxy": c.Proxy.Schedule(), "gatekeeper": c.Gatekeeper.Schedule(), "partner": c.Partner.Schedule(),
	} {
		if err := schedule.Validate(); err != nil {
			t.Errorf("%s: %s: %v", s.Name, what, err)
		}
	}
	for _, k := range s.Workload.Kinds.All() {
		for _, d := range []Dist[Bytes]{k.Size, k.Thumbnail, k.Caption.Size} {
			if err := d.Build().Validate(); err != nil {
				t.Errorf("%s: %s: %v", s.Name, k.Name, err)
			}
		}
	}
}
