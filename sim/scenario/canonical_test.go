package scenario

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reload reads a canonical form, which has no basis.
func reload(t *testing.T, data []byte) Scenario {
	t.Helper()
	p := &problems{file: "canonical"}
	root := parse(data, p)
	if err := p.err(); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	var s Scenario
	d := decoder{p}
	d.decode(root, reflect.ValueOf(&s).Elem(), rules{}, "")
	if err := p.err(); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return s
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, name := range names() {
		f, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Points() {
			s := reload(t, p.Scenario.Canonical())
			if diff := cmp.Diff(p.Scenario, s); diff != "" {
				t.Errorf("%s %s: the canonical form is another scenario:\n%s", name, p, diff)
			}
		}
	}
}

// The canonical form is what results are named after: it must not drift.
func TestCanonicalIsStable(t *testing.T) {
	t.Parallel()
	f, err := Load("small.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"scenario": 1, "name": "small", "title": "Two users", "adapter": "signal-v3", "start": "2024-03-07T00:00:00Z", ` +
		`"duration": "1h", "replications": 2, ` +
		`"gatekeepers": [{"name": "whatsapp", "users": 10, "eea_share": "90%", ` +
		`"reachability": {"default": "opt_in", "opt_in_rate": "30%", "app_rate": "100%"}, "mailbox": {"retention": "30d"}}], ` +
		`"partners": [{"name": "wren", "users": 5, "eea_share": "100%", "route": "direct", "agreements": [{"gatekeeper": "whatsapp"}]}], ` +
		`"devices": {"prekeys": {"batch": 50, "refill_below": 5, "signed_rotation": "27d"}, "reconnect": {"min": "1s", "max": "1m"}}, ` +
		`"workload": {"contacts": {"native_per_partner_user": 4}, "messages_per_user_per_day": 29, "activity": {"dist": "uniform"}, ` +
		`"kinds": {"text": {"share": "100%", "size": {"dist": "constant", "value": "60B"}}}}, ` +
		`"links": {"mode": "stream", "device_gatekeeper": {"delay": {"dist": "constant", "value": "40ms"}}, ` +
		`"gatekeeper_partner": {"delay": {"dist": "constant", "value": "10ms"}}, "device_partner": {"delay": {"dist": "constant", "value": "40ms"}}}}`
	if diff := cmp.Diff(want, string(f.Points()[0].Scenario.Canonical())); diff != "" {
		t.Errorf("canonical form (-want +got):\n%s", diff)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	hash := func(document string, overrides ...string) string {
		f, err := Load("small.yaml", []byte(document), overrides...)
		if err != nil {
			t.Fatal(err)
		}
		return f.Points()[0].Scenario.Hash()
	}
	base := hash(small)
	same := map[string]string{
		"written differently": hash(strings.NewReplacer("30d", "720h", "30%", "0.3", "size: 60B", "size: {dist: constant, value: 60B}").Replace(small)),
		"another seed":        hash(small, "seed=7", "replications=9", "title=Other", "question=Why"),
		"basis":               hash(strings.ReplaceAll(small, "for the test", "because")),
	}
	for name, h := range same {
		if h != base {
			t.Errorf("%s: another hash", name)
		}
	}
	if hash(small, "gatekeepers.whatsapp.users=11") == base {
		t.Error("another number of users: the same hash")
	}
}
