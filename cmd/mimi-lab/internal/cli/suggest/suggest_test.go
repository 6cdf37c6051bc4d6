package suggest

import "testing"

func TestClosest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		candidates []string
		want       string
	}{
		{"rnu", []string{"check", "run"}, "run"},
		{"--sede", []string{"--set", "--seed"}, "--seed"},
		{"dma-lauch-2024", []string{"dma-launch-2024", "dma-groups-2025"}, "dma-launch-2024"},
		{"dma-launch", []string{"dma-launch-2024", "dma-groups-2025"}, "dma-launch-2024"},
		{"dma", []string{"dma-launch-2024", "dma-groups-2025"}, ""},
		{"SHOW", []string{"show"}, "show"},
		{"xyzzy", []string{"run", "check"}, ""},
		{"", []string{"run"}, ""},
		{"run", nil, ""},
	} {
		if got := Closest(tt.name, tt.candidates); got != tt.want {
			t.Errorf("Closest(%q, %q) = %q, want %q", tt.name, tt.candidates, got, tt.want)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"abc", "acb", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
