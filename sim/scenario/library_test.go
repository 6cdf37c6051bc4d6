package scenario

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestLibrary(t *testing.T) {
	t.Parallel()
	infos := Library()
	if len(infos) < 4 {
		t.Fatalf("%d scenarios", len(infos))
	}
	for _, info := range infos {
		if info.Title == "" || info.Question == "" {
			t.Errorf("%s has no title or no question", info.Name)
		}
		f, err := Open(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name != info.Name {
			t.Errorf("the name in %s.yaml is %s", info.Name, f.Name)
		}
	}
}

func TestOpenUnknown(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"dma-launch":      `no such scenario in the library: "dma-launch" (did you mean "dma-launch-2024"?)`,
		"dma-lunch-2024":  `no such scenario in the library: "dma-lunch-2024" (did you mean "dma-launch-2024"?)`,
		"../scenario":     `no such scenario in the library: "../scenario"; it has crypto-20k, dma-launch-2024, faulty-small, scale-day`,
		"something-other": `no such scenario in the library: "something-other"; it has crypto-20k, dma-launch-2024, faulty-small, scale-day`,
	} {
		_, err := Open(name)
		if !errors.Is(err, ErrNotFound) || err.Error() != want {
			t.Errorf("Open(%q): error is %v, want %v", name, err, want)
		}
	}
}

// The library's scenarios have the sizes that their purposes ask for.
func TestLibrarySizes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, study     string
		users           int
		messages        float64 // expected in all replications, at most, reactions not counted
		longest         time.Duration
		adapter         string
		faulty, proxied bool
	}{
		{"dma-launch-2024", "traffic", 120, 20_000, 30 * time.Hour, "signal-v3", false, true},
		{"faulty-small", "main", 10, 60, 4 * time.Hour, "signal-v3", true, true},
		{"scale-day", "main", 100_000, 1_020_000, 24 * time.Hour, "signal-v3-sized", false, true},
		{"crypto-20k", "main", 200, 20_000, 24 * time.Hour, "signal-v3", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := Open(tt.name)
			if err != nil {
				t.Fatal(err)
			}
			messages := 0.0
			for _, p := range f.Points() {
				if p.Study != tt.study {
					if p.Scenario.Workload.MessagesPerUserPerDay != 0 {
						t.Errorf("study %s sends messages", p.Study)
					}
					continue
				}
				s := p.Scenario
				users, proxied := 0, false
				for _, g := range s.Gatekeepers {
					users += g.Users
				}
				for _, p := range s.Partners {
					users += p.Users
					proxied = proxied || p.Route == Proxied
				}
				days := (s.Warmup + s.Duration).Seconds() / 86_400
				messages += float64(users) * days * s.Workload.MessagesPerUserPerDay * float64(s.Replications)
				faulty := !s.Faults.Partitions.Every.IsZero() && !s.Faults.Crashes.Gatekeeper.Every.IsZero()
				if users != tt.users || proxied != tt.proxied || s.Adapter != tt.adapter || faulty != tt.faulty || s.Span() > tt.longest {
					t.Errorf("%d users, proxied %v, adapter %s, faulty %v, %v", users, proxied, s.Adapter, faulty, s.Span())
				}
			}
			if messages > tt.messages+1e-6 || messages < 0.9*tt.messages || math.IsNaN(messages) {
				t.Errorf("%.0f messages are expected, want 90 to 100%% of %.0f", messages, tt.messages)
			}
		})
	}
}
