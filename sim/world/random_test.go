package world

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// TestAnyScenario simulates small random scenarios, whatever the format allows,
// with all checks on. None may panic or break an invariant. More of them:
//
//	go test ./sim/world -run TestAnyScenario -rapid.checks=5000
func TestAnyScenario(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := anyScenario(t)
		f, err := scenario.Load("random.yaml", []byte(text))
		if err != nil {
			t.Fatalf("the generator made an invalid scenario: %v\n%s", err, text)
		}
		sc := f.Points()[0].Scenario
		defer func() {
			if r := recover(); r != nil {
				t.Logf("%s", text)
				panic(r)
			}
		}()
		out, err := Simulate(&sc, "", 0, sc.Seed, Options{Ledger: true, Digest: true})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if out.Violated > 0 {
			t.Fatalf("%d violations, first %v\n%s", out.Violated, out.Violations[0], text)
		}
	})
}

// anyScenario draws a valid scenario file. The network is one in which the
// invariants are promised: frames of a datagram link are repeated, and overtake
// each other only between conversations.
func anyScenario(t *rapid.T) string {
	d := draw{t}
	datagram := d.yes("datagram")
	mode, resend, window := "stream", d.maybe("resend", "resend_after: %s", "10s"), d.of("window", "0", "1", "3", "1000")
	if datagram {
		mode, resend, window = "datagram", "resend_after: "+d.of("resend", "1s", "5s", "30s"), "1"
	}
	duration := d.of("duration", "1ms", "1s", "1m", "20m", "1h")

	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("scenario: 1\nname: random\ntitle: Whatever the format allows\nadapter: signal-v3-sized\nstart: 2024-03-07T00:00:00Z")
	p("duration: %s\nreplications: 1\nseed: %d", duration, rapid.Uint64().Draw(t, "seed"))
	p("%s", d.maybe("warmup", "warmup: %s", "1ms", "10m", "1h"))
	p("%s", d.maybe("cooldown", "cooldown: %s", "1ms", "10m", "1h"))

	gatekeepers := rapid.IntRange(1, 3).Draw(t, "gatekeepers")
	fewest := 1000
	p("gatekeepers:")
	for i := range gatekeepers {
		users := rapid.IntRange(1, 4).Draw(t, "natives")
		fewest = min(fewest, users)
		p("  - name: gk%d\n    users: %d\n    eea_share: %s", i, users, d.share("eea"))
		p("    reachability: {default: %s, app_rate: %s%s%s%s%s%s}", d.of("reach", "opt_in", "ping_then_consent", "default_on"), d.share("app"),
			d.maybe("opt in", ", opt_in_rate: %s", shares...), d.maybe("opt out", ", opt_out_rate: %s", shares...),
			d.maybe("consent", ", ping_consent_rate: %s", shares...), d.maybe("pings", ", ping_limit_per_day: %s", "1", "3"),
			d.maybe("consent delay", ", consent_delay: %s", times...))
		p("    mailbox: {retention: %s, window: %s}", d.of("retention", "1s", "1m", "1h", "30d"), window)
		if resend != "" {
			p("    %s", resend)
		}
	}
	p("partners:")
	for i := range rapid.IntRange(1, 3).Draw(t, "partners") {
		var with []string
		for g := range gatekeepers {
			if g == 0 || d.yes("agreement") {
				with = append(with, fmt.Sprintf("{gatekeeper: gk%d%s}", g, d.maybe("revoked", ", revoked_at: %s", "1ns", "1ms")))
			}
		}
		p("  - {name: p%d, users: %d, eea_share: %s, route: %s, push: %v, agreements: [%s]}", i, rapid.IntRange(1, 3).Draw(t, "users"),
			d.share("eea"), d.of("route", "direct", "proxied"), d.yes("push"), strings.Join(with, ", "))
	}
	batch := rapid.IntRange(1, 8).Draw(t, "batch")
	p("devices:\n  prekeys: {batch: %d, refill_below: %d, signed_rotation: %s}", batch, rapid.IntRange(0, batch).Draw(t, "refill"), d.of("rotation", "10m", "1h", "27d"))
	p("%s", d.maybe("presence", "  online: %[1]s\n  offline: %[1]s", times[1:]...))
	p("  reconnect: {min: %s, max: 20s}", d.of("backoff", "1ms", "1s", "20s"))
	if resend != "" {
		p("  %s", resend)
	}
	p("workload:\n  contacts: {native_per_partner_user: %d}", rapid.IntRange(1, fewest).Draw(t, "contacts"))
	p("  messages_per_user_per_day: %s\n  activity: %s", d.of("rate", "0", "1", "200", "2000"), d.of("activity", "{dist: uniform}", "{dist: zipf, exponent: 3}"))
	p("  kinds:\n    text: {share: 50%%, size: %s}\n    voice: {share: 50%%, size: %s%s%s}", d.of("text", anySize...), d.of("voice", anySize...),
		d.maybe("thumbnail", ", thumbnail: %s", anySize...), d.maybe("caption", ", caption: {share: 50%%, size: %s}", anySize...))
	for _, share := range []string{"reply_share", "reaction_share", "read_receipt_share", "typing_share"} {
		p("%s", d.maybe(share, "  "+share+": %s", shares...))
	}
	p("%s", d.maybe("read delay", "  read_delay: %s", times...))
	p("links:\n  mode: %s", mode)
	for _, class := range classes {
		p("  %s: {delay: %s%s%s%s%s}", class, d.of("delay", delays...), d.maybe("loss", ", loss: %s", "1%", "20%"),
			d.maybe("duplicate", ", duplicate: %s", "10%", "50%"), d.maybe("reorder", ", reorder: %s, reorder_delay: 2s", "10%", "50%"),
			d.maybe("bandwidth", ", bandwidth: %s", "500kbps", "5Mbps"))
	}
	p("%s", d.faults())
	p("checks: [durability, duplicates, order, confidentiality, consent]")
	p("basis:")
	for _, section := range []string{"gatekeepers", "partners", "devices", "workload", "links", "faults"} {
		if strings.Contains(b.String(), "\n"+section+":") {
			p("  %s: {assumed: drawn}", section)
		}
	}
	return b.String()
}

var (
	shares  = []string{"0", "30%", "100%"}
	times   = []string{"1ms", "10s", "{dist: exponential, mean: 2m}", "{dist: lognormal, median: 30s, sigma: 2}", "{dist: uniform, min: 1s, max: 10m}"}
	delays  = []string{"0", "50ms", "{dist: lognormal, median: 60ms, sigma: 1}", "{dist: exponential, mean: 1s}"}
	anySize = []string{"0", "1B", "100B", "{dist: lognormal, median: 1kB, sigma: 3}", "1MB"}
	classes = []string{"device_gatekeeper", "device_proxy", "proxy_gatekeeper", "gatekeeper_partner", "device_partner"}
)

// draw gives names to the draws of a scenario's parts.
type draw struct{ *rapid.T }

func (d draw) of(name string, values ...string) string {
	return rapid.SampledFrom(values).Draw(d.T, name)
}

func (d draw) yes(name string) bool { return rapid.Bool().Draw(d.T, name) }

func (d draw) share(name string) string { return d.of(name, shares...) }

// maybe renders one of the values, or nothing.
func (d draw) maybe(name, format string, values ...string) string {
	if i := rapid.IntRange(0, len(values)).Draw(d.T, name); i > 0 {
		return fmt.Sprintf(format, values[i-1])
	}
	return ""
}

func (d draw) faults() string {
	var b strings.Builder
	if d.yes("partitions") {
		fmt.Fprintf(&b, "  partitions: {every: %s, for: %s, of: [%s]}\n", d.of("every", times[2:]...), d.of("for", times...),
			strings.Join(classes[rapid.IntRange(0, len(classes)-1).Draw(d.T, "class"):], ", "))
	}
	var crashes []string
	for _, role := range []string{"device", "proxy", "gatekeeper", "partner"} {
		if d.yes("crash of " + role) {
			crashes = append(crashes, fmt.Sprintf("    %s: {every: %s, down: %s}", role, d.of("every", times[2:]...), d.of("down", times...)))
		}
	}
	if len(crashes) > 0 {
		b.WriteString("  crashes:\n" + strings.Join(crashes, "\n") + "\n")
	}
	if b.Len() == 0 {
		return ""
	}
	return "faults:\n" + b.String()
}
