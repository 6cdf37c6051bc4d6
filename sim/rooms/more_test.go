package rooms

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// playAll plays the example and what follows it.
func playAll(t *testing.T, cfg Config, policy string) *Story {
	t.Helper()
	s, err := PlayAll(cfg, policy)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPlayAll plays all sections in rooms of all policies, also over restarts and over
// links that are cut.
func TestPlayAll(t *testing.T) {
	t.Parallel()
	for _, name := range Policies() {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				t.Parallel()
				cfg := Config{Seed: seed, Restart: seed%2 == 1}
				if seed >= 2 {
					r := des.NewStream(seed, "cuts")
					cfg.Access, cfg.Backbone = cut(DefaultAccess, r), cut(DefaultBackbone, r)
				}
				s := playAll(t, cfg, name)
				s.demand(t)
				if len(s.Findings) != 11 {
					t.Errorf("%d promises, want 11", len(s.Findings))
				}
			})
		}
	}
}

// TestBrokenMore breaks what the further sections promise, and demands that the verdict
// says so.
func TestBrokenMore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault Fault
		where func(*Frame) bool // these frames
		want  string            // part of the promise that is to be broken
	}{
		{"a query asks for another name", Alter,
			func(f *Frame) bool { return f.Kind == Request && f.Endpoint == mimi.EndpointIdentifierQuery },
			"were found as they wish"},
		// The last byte is in the consent_extensions, so that the entry is malformed.
		{"Xavier's consent does not reach his provider", Alter,
			func(f *Frame) bool { return f.Kind == Call && f.Endpoint == mimi.EndpointUpdateConsent },
			"gave out a KeyPackage once"},
		{"a report is forgotten on its way", Forget,
			func(f *Frame) bool { return f.Kind == Request && f.Endpoint == mimi.EndpointReportAbuse },
			"proves what Xavier said"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			done := false
			s := playAll(t, Config{Seed: 1, Fault: func(f *Frame) Fault {
				if !tt.where(f) {
					return NoFault
				}
				done = true
				return tt.fault
			}}, "administered")
			if !done {
				t.Fatal("no frame to break")
			}
			i := slices.IndexFunc(s.Findings, func(f Finding) bool { return strings.Contains(f.Promise, tt.want) })
			if i < 0 || len(s.Findings[i].Broken) == 0 {
				t.Errorf("%q holds, want it broken", tt.want)
			}
		})
	}
}

// TestVerdictMore changes what was seen of a story that went well, and demands that each
// change is found.
func TestVerdictMore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Story)
		broken func(*Story) []string
		want   string
	}{
		{"a KeyPackage before consent", func(s *Story) { s.more.granted = len(s.World.frames) }, (*Story).unasked, "without consent"},
		{"a KeyPackage after its end", func(s *Story) { s.more.granted, s.more.ended = 0, 1 }, (*Story).unasked, "without consent"},
		{"an attempt that did not fail", func(s *Story) { s.more.refused[0] = 1 << 40 }, (*Story).unasked, "did not fail"},
		{"the true report is not proven", func(s *Story) {
			s.alice.provider.Reports[0].Franks[0] = fmt.Errorf("no")
		}, (*Story).unproven, "what Xavier said is not proven"},
		{"the forged report is taken", func(s *Story) {
			s.alice.provider.Reports[1].Franks[0] = nil
		}, (*Story).unproven, "want its frank refused"},
		{"the reported text elsewhere", func(s *Story) {
			f := s.World.frames[len(s.World.frames)-1]
			f.Body = append(f.Body, spam...)
		}, (*Story).leaks, "in frame"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := playAll(t, Config{Seed: 1}, "administered")
			if got := tt.broken(s); len(got) > 0 {
				t.Fatalf("before the change: %q", got)
			}
			tt.change(s)
			if got := strings.Join(tt.broken(s), "; "); !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestDiagramMore: what the users and the hub's operator are told is in the diagram.
func TestDiagramMore(t *testing.T) {
	t.Parallel()
	svg, err := playAll(t, Config{Seed: 1}, "administered").Diagram().SVG()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A room over four providers", "5.7 Convey explicit consent", "the frank holds", "report that proves nothing", "may add xavier", "nobody"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("no %q in the diagram", want)
		}
	}
	if strings.Contains(string(svg), ">[]<") {
		t.Error("an arrow without a label")
	}
}
