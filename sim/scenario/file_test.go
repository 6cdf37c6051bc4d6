package scenario

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small is a scenario with the least that the format asks for.
const small = `scenario: 1
name: small
title: Two users
adapter: signal-v3
start: 2024-03-07T00:00:00Z
duration: 1h
replications: 2
gatekeepers:
  - name: whatsapp
    users: 10
    eea_share: 90%
    reachability: {default: opt_in, opt_in_rate: 30%, app_rate: 100%}
    mailbox: {retention: 30d}
partners:
  - name: wren
    users: 5
    eea_share: 100%
    route: direct
    agreements: [{gatekeeper: whatsapp}]
devices:
  prekeys: {batch: 50, refill_below: 5, signed_rotation: 27d}
  reconnect: {min: 1s, max: 1m}
workload:
  contacts: {native_per_partner_user: 4}
  messages_per_user_per_day: 29
  activity: {dist: uniform}
  kinds:
    text: {share: 100%, size: 60B}
links:
  mode: stream
  device_gatekeeper: {delay: 40ms}
  gatekeeper_partner: {delay: 10ms}
  device_partner: {delay: 40ms}
basis:
  gatekeepers: {assumed: for the test}
  partners: {assumed: for the test}
  devices: {assumed: for the test}
  workload: {assumed: for the test}
  links: {assumed: for the test}
`

// edit replaces the one occurrence of old in the small scenario.
func edit(t *testing.T, old, new string) []byte {
	t.Helper()
	if strings.Count(small, old) != 1 {
		t.Fatalf("%q occurs %d times", old, strings.Count(small, old))
	}
	return []byte(strings.Replace(small, old, new, 1))
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		override []string
		got      func(Scenario) any
		want     string
	}{
		{"by name", []string{"gatekeepers.whatsapp.users=100"}, func(s Scenario) any { return s.Gatekeepers[0].Users }, "100"},
		{"by index", []string{"gatekeepers.0.users=100"}, func(s Scenario) any { return s.Gatekeepers[0].Users }, "100"},
		{"all by star", []string{"gatekeepers.*.users=100"}, func(s Scenario) any { return s.Gatekeepers[0].Users }, "100"},
		{"all mappings by star", []string{"links.*.delay=7ms"},
			func(s Scenario) any {
				return []Duration{s.Links.DeviceGatekeeper.Delay.Value, s.Links.DevicePartner.Delay.Value}
			}, "[7ms 7ms]"},
		{"all by leaving the element out", []string{"partners.count=3"}, func(s Scenario) any {
			var names []string
			for _, p := range s.Partners {
				names = append(names, p.Name)
			}
			return names
		}, "[wren-1 wren-2 wren-3]"},
		{"the last one counts", []string{"duration=2h", "duration=3h"}, func(s Scenario) any { return s.Duration }, "3h"},
		{"something absent", []string{"faults.crashes.gatekeeper.every=1h", "faults.crashes.gatekeeper.down=30s"},
			func(s Scenario) any { return s.Faults.Crashes.Gatekeeper.Down.Value }, "30s"},
		{"a mapping", []string{"faults.crashes.device={every: {dist: exponential, mean: 1h}, down: 5s}"},
			func(s Scenario) any { return s.Faults.Crashes.Device.Every.Mean }, "1h"},
		{"a list", []string{"checks=[order, consent]"}, func(s Scenario) any { return s.Checks }, "[order consent]"},
		{"null removes", []string{"gatekeepers.whatsapp.reachability.opt_in_rate=null"},
			func(s Scenario) any { return s.Gatekeepers[0].Reachability.OptInRate }, "0"},
		{"after a removal", []string{"links=null", "links={mode: datagram, device_gatekeeper: {delay: 1ms}, gatekeeper_partner: {delay: 1ms}, device_partner: {delay: 1ms}}"},
			func(s Scenario) any { return s.Links.Mode }, "datagram"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := Load("small.yaml", []byte(small), tt.override...)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(tt.got(f.Points()[0].Scenario)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSweeps(t *testing.T) {
	t.Parallel()
	two := strings.Replace(small, "partners:\n", `  - name: messenger
    users: 10
    eea_share: 90%
    reachability: {default: opt_in, opt_in_rate: 30%, app_rate: 100%}
    mailbox: {retention: 30d}
partners:
`, 1)
	tests := []struct {
		name, old, new string
		overrides      []string
		want           []string // study, point, and what came out of it
	}{
		{"none", "", "", nil, []string{"main  1h 30% 30%"}},
		{"inline", "duration: 1h", "duration: ${1h, 90m}", nil,
			[]string{"main duration=1h 1h 30% 30%", "main duration=90m 1h30m 30% 30%"}},
		{"product, the last axis fastest", "duration: 1h", "duration: ${1h,2h}", []string{"gatekeepers.1.reachability.opt_in_rate=${0,1}"}, []string{
			"main duration=1h opt_in_rate=0 1h 30% 0", "main duration=1h opt_in_rate=1 1h 30% 100%",
			"main duration=2h opt_in_rate=0 2h 30% 0", "main duration=2h opt_in_rate=1 2h 30% 100%"}},
		{"one axis for all", "", "", []string{"gatekeepers.*.reachability.opt_in_rate=${10%,20%}"},
			[]string{"main opt_in_rate=10% 1h 10% 10%", "main opt_in_rate=20% 1h 20% 20%"}},
		{"an override ends a sweep", "duration: 1h", "duration: ${1h,2h}", []string{"duration=3h"}, []string{"main  3h 30% 30%"}},
		{"studies", "basis:\n", `studies:
  - name: plain
  - name: rates
    set: {duration: 5h}
    sweep: {gatekeepers.*.reachability.opt_in_rate: [1%, 2%]}
basis:
`, nil, []string{"plain  1h 30% 30%", "rates opt_in_rate=1% 5h 1% 1%", "rates opt_in_rate=2% 5h 2% 2%"}},
		{"an override counts more than a study", "basis:\n", `studies:
  - name: rates
    sweep: {gatekeepers.*.reachability.opt_in_rate: [1%, 2%]}
basis:
`, []string{"gatekeepers.whatsapp.reachability.opt_in_rate=9%"}, []string{"rates opt_in_rate=1% 1h 9% 1%", "rates opt_in_rate=2% 1h 9% 2%"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := Load("small.yaml", []byte(strings.Replace(two, tt.old, tt.new, 1)), tt.overrides...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range f.Points() {
				g := p.Scenario.Gatekeepers
				got = append(got, fmt.Sprintf("%s %s %v %v %v", p.Study, p, p.Scenario.Duration, g[0].Reachability.OptInRate, g[1].Reachability.OptInRate))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("points (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBasis(t *testing.T) {
	t.Parallel()
	data := edit(t, "  links: {assumed: for the test}", `  links: {assumed: for the test}
  links.*.delay: {source: a paper}
  links.device_gatekeeper: {source: another}`)
	// What links says is covered twice more closely, so it must go.
	if _, err := Load("small.yaml", data); err == nil || !strings.Contains(err.Error(), "basis.links: found an entry that covers no number") {
		t.Fatalf("error is %v", err)
	}
	data = []byte(strings.Replace(string(data), "  links: {assumed: for the test}\n", "", 1))
	data = []byte(strings.Replace(string(data), "  links.device_gatekeeper: {", "  links.device_gatekeeper.delay: {", 1))
	f, err := Load("small.yaml", data, "links.device_partner.delay=1s")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range f.Basis()[4:] {
		got = append(got, fmt.Sprint(b.Path, "|", b.Source, "|", b.Assumed, "|", b.Numbers))
	}
	want := []string{
		"links.*.delay|a paper||[{links.gatekeeper_partner.delay 10ms} {links.device_partner.delay 40ms}]",
		"links.device_gatekeeper.delay|another||[{links.device_gatekeeper.delay 40ms}]",
		"||set by an override|[{links.device_partner.delay 1s}]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("basis (-want +got):\n%s", diff)
	}
	for _, b := range f.Assumptions() {
		if b.Source != "" {
			t.Errorf("%s is among the assumptions", b.Path)
		}
	}
}

// Every number in the library that makes a claim must be in the basis, and
// nothing else may be.
func TestBasisIsComplete(t *testing.T) {
	t.Parallel()
	f, err := Load("small.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range f.Basis() {
		for _, n := range b.Numbers {
			got = append(got, n.Path+" "+n.Value)
		}
	}
	want := []string{
		"gatekeepers.whatsapp.eea_share 90%", "gatekeepers.whatsapp.reachability.opt_in_rate 30%",
		"gatekeepers.whatsapp.reachability.app_rate 100%", "gatekeepers.whatsapp.mailbox.retention 30d",
		"partners.wren.eea_share 100%",
		"devices.prekeys.batch 50", "devices.prekeys.refill_below 5", "devices.prekeys.signed_rotation 27d",
		"devices.reconnect.min 1s", "devices.reconnect.max 1m",
		"workload.contacts.native_per_partner_user 4", "workload.messages_per_user_per_day 29",
		"workload.kinds.text.share 100%", "workload.kinds.text.size 60B",
		"links.device_gatekeeper.delay 40ms", "links.gatekeeper_partner.delay 10ms", "links.device_partner.delay 40ms",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
}
