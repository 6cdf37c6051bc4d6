package scenario

import (
	"fmt"
	"math"
	"slices"
)

// The rules that tie fields together. Each check reports a path below the one
// it is given; the decoder finds the line.

func (b Backoff) check(path string, report func(path, found, expected string)) {
	if b.Max < b.Min {
		report(path+".max", b.Max.String(), "at least min, which is "+b.Min.String())
	}
}

func (a Activity) check(path string, report func(path, found, expected string)) {
	if (a.Dist == Zipf) != (a.Exponent > 0) {
		report(path, fmt.Sprintf("%s with exponent %v", a.Dist, a.Exponent), "zipf with an exponent greater than 0, or uniform without one")
	}
}

func (k Kinds) check(path string, report func(path, found, expected string)) {
	sum := 0.0
	for _, kind := range k.All() {
		sum += float64(kind.Share)
	}
	if math.Abs(sum-1) > 1e-9 {
		report(path, fmt.Sprintf("shares that sum to %.6g", sum), "a sum of 1")
	}
}

func (l Link) check(path string, report func(path, found, expected string)) {
	if l.Reorder > 0 && l.ReorderDelay.IsZero() {
		report(path+".reorder", l.Reorder.String(), "a reorder_delay beside it")
	}
}

func (c Crash) check(path string, report func(path, found, expected string)) {
	checkPositive(c.Every, path+".every", report)
	checkPositive(c.Down, path+".down", report)
}

func (p Partitions) check(path string, report func(path, found, expected string)) {
	checkPositive(p.Every, path+".every", report)
	checkPositive(p.For, path+".for", report)
}

// checkPositive reports a span of time that is always 0.
func checkPositive(d Dist[Duration], path string, report func(path, found, expected string)) {
	if d.Build().Mean() <= 0 {
		report(path, "0", "a time greater than 0; leave the whole out for none")
	}
}

func (d Devices) check(path string, report func(path, found, expected string)) {
	if d.Offline.Build().Mean() > 0 && d.Online.Build().Mean() <= 0 {
		report(path+".offline", "offline periods without online ones", "both or neither")
	}
	if d.Prekeys.RefillBelow > d.Prekeys.Batch {
		report(path+".prekeys.refill_below", fmt.Sprint(d.Prekeys.RefillBelow), fmt.Sprintf("at most the batch, which is %d", d.Prekeys.Batch))
	}
}

// maxPartners bounds the partners of a scenario, with counts expanded.
const maxPartners = 1000

func (s Scenario) check(_ string, report func(path, found, expected string)) {
	partners := 0
	for _, p := range s.Partners {
		partners += max(p.Count, 1)
	}
	if partners > maxPartners {
		report("partners", fmt.Sprintf("%d partners", partners), fmt.Sprintf("at most %d", maxPartners))
		return
	}
	gatekeepers := s.checkNames(report)
	span := Duration(s.Span())
	for _, p := range s.Partners {
		var seen []string
		for i, a := range p.Agreements {
			path := fmt.Sprintf("partners.%s.agreements.%d", p.Name, i)
			if !slices.Contains(gatekeepers, a.Gatekeeper) {
				report(path+".gatekeeper", fmt.Sprintf("%q", a.Gatekeeper), "the name of a gatekeeper: "+list(gatekeepers))
			}
			if slices.Contains(seen, a.Gatekeeper) {
				report(path+".gatekeeper", fmt.Sprintf("a second agreement with %s", a.Gatekeeper), "one with each gatekeeper")
			}
			if a.RevokedAt > span {
				report(path+".revoked_at", a.RevokedAt.String(), "a time within the run, which takes "+span.String())
			}
			seen = append(seen, a.Gatekeeper)
		}
		if p.Route == Proxied && (s.Links.DeviceProxy.Delay.IsZero() || s.Links.ProxyGatekeeper.Delay.IsZero()) {
			report("links", "no device_proxy or no proxy_gatekeeper", "both, because "+p.Name+" is proxied")
		}
	}
	for _, g := range s.Gatekeepers {
		if n := s.Workload.Contacts.NativePerPartnerUser; n > g.Users {
			report("workload.contacts.native_per_partner_user", fmt.Sprint(n), fmt.Sprintf("at most the %d users of %s", g.Users, g.Name))
		}
	}
	for i, c := range s.Checks {
		if slices.Contains(s.Checks[:i], c) {
			report(fmt.Sprintf("checks.%d", i), "a second "+string(c), "each check once")
		}
	}
}

// checkNames reports names that are not unique, with partners expanded, and
// returns those of the gatekeepers.
func (s Scenario) checkNames(report func(path, found, expected string)) []string {
	var gatekeepers []string
	seen := map[string]bool{}
	note := func(path, name string) {
		if seen[name] {
			report(path, "the name "+name+" a second time", "names that differ")
		}
		seen[name] = true
	}
	for _, g := range s.Gatekeepers {
		note("gatekeepers."+g.Name, g.Name)
		gatekeepers = append(gatekeepers, g.Name)
	}
	for _, p := range s.Partners {
		if p.Count == 0 {
			note("partners."+p.Name, p.Name)
		}
		for i := range p.Count {
			note("partners."+p.Name, fmt.Sprintf("%s-%d", p.Name, i+1))
		}
	}
	return gatekeepers
}
