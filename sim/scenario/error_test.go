package scenario

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		old, new string
		override string
		want     string // the error, whole
	}{
		{"unknown key", "    users: 10", "    user: 10", "",
			"small.yaml:9:5: gatekeepers.whatsapp: found no users, expected it to be given\n" +
				"small.yaml:10:5: gatekeepers.whatsapp.user: found an unknown key (did you mean users?)"},
		{"unknown key at the top", "duration: 1h", "duration: 1h\nwarm_up: 5m", "",
			"small.yaml:7:1: warm_up: found an unknown key (did you mean warmup?)"},
		{"wrong type", "    users: 10", "    users: ten", "",
			`small.yaml:10:12: gatekeepers.whatsapp.users: found "ten", expected a whole number from 1 to 10000000`},
		{"quoted number", "    users: 10", `    users: "10"`, "",
			`small.yaml:10:12: gatekeepers.whatsapp.users: found "10", expected a whole number from 1 to 10000000`},
		{"number for text", "title: Two users", "title: 2", "",
			"small.yaml:3:8: title: found the number 2, expected text"},
		{"mapping for a scalar", "duration: 1h", "duration: {hours: 1}", "",
			"small.yaml:6:11: duration: found a mapping, expected a duration such as 50ms, 1h30m or 30d from 1ms to 400d"},
		{"scalar for a mapping", "mailbox: {retention: 30d}", "mailbox: 30d", "",
			`small.yaml:13:14: gatekeepers.whatsapp.mailbox: found "30d", expected a mapping with retention or window`},
		{"scalar for a list", "agreements: [{gatekeeper: whatsapp}]", "agreements: whatsapp", "",
			`small.yaml:19:17: partners.wren.agreements: found "whatsapp", expected a list`},
		{"empty list", "agreements: [{gatekeeper: whatsapp}]", "agreements: []", "",
			"small.yaml:19:17: partners.wren.agreements: found an empty list, expected at least one element"},
		{"nothing", "duration: 1h", "duration:", "",
			"small.yaml:6:10: duration: found nothing, expected a duration such as 50ms, 1h30m or 30d from 1ms to 400d"},
		{"wrong unit", "retention: 30d", "retention: 30MB", "",
			`small.yaml:13:26: gatekeepers.whatsapp.mailbox.retention: found "30MB", expected a duration such as 50ms, 1h30m or 30d from 1s to 400d`},
		{"no unit", "size: 60B", "size: 60", "",
			"small.yaml:28:31: workload.kinds.text.size: found the number 60, expected a size such as 60B, 100kB or 16MB"},
		{"out of range", "eea_share: 90%", "eea_share: 190%", "",
			`small.yaml:11:16: gatekeepers.whatsapp.eea_share: found "190%", expected a share from 0 to 1, such as 0.3 or 30%`},
		{"above the maximum", "scenario: 1", "scenario: 2", "",
			"small.yaml:1:11: scenario: found the number 2, expected a whole number from 1 to 1"},
		{"unknown word", "route: direct", "route: proxy", "",
			`small.yaml:18:12: partners.wren.route: found "proxy", expected direct or proxied`},
		{"no name", "  - name: wren", "  - name: Wren!", "",
			`small.yaml:15:11: partners.Wren!.name: found "Wren!", expected a name of lower-case letters, digits and dashes`},
		{"bad time", "start: 2024-03-07T00:00:00Z", "start: yesterday", "",
			`small.yaml:5:8: start: found "yesterday", expected a time such as 2024-03-07T00:00:00Z`},
		{"shares", "share: 100%, size", "share: 80%, size", "",
			"small.yaml:28:5: workload.kinds: found shares that sum to 0.8, expected a sum of 1"},
		{"distribution without a parameter", "device_gatekeeper: {delay: 40ms}", "device_gatekeeper: {delay: {dist: lognormal, median: 40ms}}", "",
			"small.yaml:31:30: links.device_gatekeeper.delay: found a lognormal distribution without sigma, expected sigma greater than 0"},
		{"distribution with another's parameter", "device_gatekeeper: {delay: 40ms}", "device_gatekeeper: {delay: {dist: exponential, mean: 40ms, sd: 1ms}}", "",
			"small.yaml:31:66: links.device_gatekeeper.delay.sd: found a parameter that exponential does not have, expected mean, min or max"},
		{"quantiles that fall", "device_gatekeeper: {delay: 40ms}",
			"device_gatekeeper: {delay: {dist: empirical, quantiles: [{at: 0, value: 5ms}, {at: 50%, value: 1ms}, {at: 1, value: 9ms}]}}", "",
			"small.yaml:31:81: links.device_gatekeeper.delay.quantiles.1: found 1ms at 50% after 5ms at 0, expected growing shares and values that do not fall"},
		{"reordering by nothing", "device_gatekeeper: {delay: 40ms}", "device_gatekeeper: {delay: 40ms, reorder: 1%}", "",
			`small.yaml:31:45: links.device_gatekeeper.reorder: found 1%, expected a reorder_delay beside it`},
		{"backoff", "reconnect: {min: 1s, max: 1m}", "reconnect: {min: 2m, max: 1m}", "",
			"small.yaml:22:29: devices.reconnect.max: found 1m, expected at least min, which is 2m"},
		{"no such gatekeeper", "[{gatekeeper: whatsapp}]", "[{gatekeeper: whatsup}]", "",
			`small.yaml:19:31: partners.wren.agreements.0.gatekeeper: found "whatsup", expected the name of a gatekeeper: whatsapp`},
		{"late revocation", "[{gatekeeper: whatsapp}]", "[{gatekeeper: whatsapp, revoked_at: 2h}]", "",
			"small.yaml:19:53: partners.wren.agreements.0.revoked_at: found 2h, expected a time within the run, which takes 1h"},
		{"too many partners", "  - name: wren", "  - {name: lark, count: 1000, users: 1, eea_share: 1, route: direct, agreements: [{gatekeeper: whatsapp}]}\n  - name: wren", "",
			"small.yaml:14:1: partners: found 1001 partners, expected at most 1000"},
		{"name twice", "  - name: wren", "  - name: whatsapp", "",
			"small.yaml:15:5: partners.whatsapp: found the name whatsapp a second time, expected names that differ"},
		{"proxied without links", "route: direct", "route: proxied", "",
			"small.yaml:29:1: links: found no device_proxy or no proxy_gatekeeper, expected both, because wren is proxied"},
		{"more contacts than users", "native_per_partner_user: 4", "native_per_partner_user: 11", "",
			"small.yaml:24:39: workload.contacts.native_per_partner_user: found 11, expected at most the 10 users of whatsapp"},
		{"check twice", "duration: 1h", "checks: [order, order]\nduration: 1h", "",
			"small.yaml:6:17: checks.1: found a second order, expected each check once"},
		{"no basis", "  links: {assumed: for the test}\n", "", "",
			`small.yaml:31:30: links.device_gatekeeper.delay: found "40ms" without a basis, expected its source, or why it is assumed, under basis` + "\n" +
				`small.yaml:32:31: links.gatekeeper_partner.delay: found "10ms" without a basis, expected its source, or why it is assumed, under basis` + "\n" +
				`small.yaml:33:27: links.device_partner.delay: found "40ms" without a basis, expected its source, or why it is assumed, under basis`},
		{"basis of nothing", "  links: {assumed: for the test}", "  links: {assumed: for the test}\n  link: {assumed: a slip}", "",
			"small.yaml:40:3: basis.link: found an entry that covers no number, expected the path of a number, or the front of one"},
		{"basis of both kinds", "  links: {assumed: for the test}", "  links: {assumed: for the test, source: a paper}", "",
			"small.yaml:39:3: basis.links: found a mapping, expected either {source: ...} or {assumed: ...}"},
		{"basis without a reason", "  links: {assumed: for the test}", "  links: {assumed: ''}", "",
			"small.yaml:39:3: basis.links: found a mapping, expected either {source: ...} or {assumed: ...}\n" +
				`small.yaml:39:20: basis.links: found "", expected a sentence`},
		{"alias", "  gatekeepers: {assumed: for the test}\n  partners: {assumed: for the test}", "  gatekeepers: &a {assumed: for the test}\n  partners: *a", "",
			"small.yaml:35:16: basis.gatekeepers: found a YAML anchor, expected a plain value; anchors, aliases, merge keys and tags are not part of the format\n" +
				"small.yaml:36:13: basis.partners: found a YAML alias, expected a plain value; anchors, aliases, merge keys and tags are not part of the format"},
		{"tag", "users: 10", "users: !!int 10", "",
			"small.yaml:10:12: gatekeepers.0.users: found a YAML tag, expected a plain value; anchors, aliases, merge keys and tags are not part of the format"},
		{"key twice", "title: Two users", "title: Two users\ntitle: Three", "",
			`small.yaml:4:1: found invalid YAML: mapping key "title" already defined at [3:1]`},
		{"unquoted sweep", "device_gatekeeper: {delay: 40ms}", "device_gatekeeper: {delay: ${1ms,2ms}}", "",
			`small.yaml:31:31: found invalid YAML: ',' or '}' must be specified (did you mean "${...}" in quotes, as a sweep within {} or [] needs?)`},
		{"two documents", "basis:", "---\nbasis:", "",
			"small.yaml: found 2 YAML documents, expected one mapping"},
		{"sweep without a value", "duration: 1h", "duration: ${1h,,2h}", "",
			"small.yaml:6:11: duration: found nothing, expected a value\nsmall.yaml:6:11: duration: found the sweep ${1h,,2h}, expected single values with commas between them"},
		{"sweep with a wrong value", "duration: 1h", "duration: ${1h,2MB}", "",
			`small.yaml:6:11: duration: found "2MB", expected a duration such as 50ms, 1h30m or 30d from 1ms to 400d`},
		{"override of a wrong type", "", "", "gatekeepers.whatsapp.users=ten",
			`--set gatekeepers.whatsapp.users=ten: gatekeepers.whatsapp.users: found "ten", expected a whole number from 1 to 10000000`},
		{"override of an unknown key", "", "", "gatekeepers.whatsapp.user=10",
			`--set gatekeepers.whatsapp.user=10: gatekeepers.whatsapp.user: found unknown key "user" (did you mean users?)`},
		{"override of an unknown element", "", "", "gatekeepers.whatsup.users=10",
			`--set gatekeepers.whatsup.users=10: gatekeepers.whatsup.users: found no "whatsup" in gatekeepers, expected whatsapp or * (did you mean whatsapp?)`},
		{"override below a scalar", "", "", "duration.hours=1",
			"--set duration.hours=1: duration.hours: found \"1h\" at duration, expected something with hours below it"},
		{"override without a value", "", "", "duration",
			"--set duration: found no path=value, expected an override such as partners.count=5"},
		{"override that is no YAML", "", "", "duration={",
			`--set duration={: duration: found "{", expected one YAML value`},
		{"study of an unknown path", "basis:", "studies: [{name: more, set: {gatekeepers.whatsapp.user: 1}}]\nbasis:", "",
			`small.yaml:34:57: gatekeepers.whatsapp.user: found unknown key "user" (did you mean users?)`},
		{"crash that never comes", "duration: 1h", "duration: 1h\nfaults: {crashes: {device: {every: 0, down: 1s}}}", "",
			"small.yaml:7:36: faults.crashes.device.every: found the number 0 without a basis, expected its source, or why it is assumed, under basis\n" +
				"small.yaml:7:36: faults.crashes.device.every: found 0, expected a time greater than 0; leave the whole out for none\n" +
				`small.yaml:7:45: faults.crashes.device.down: found "1s" without a basis, expected its source, or why it is assumed, under basis`},
		{"partition of no time", "duration: 1h", "duration: 1h\nfaults: {partitions: {every: 1h, for: 0, of: [device_partner]}}", "",
			`small.yaml:7:30: faults.partitions.every: found "1h" without a basis, expected its source, or why it is assumed, under basis` + "\n" +
				"small.yaml:7:39: faults.partitions.for: found the number 0 without a basis, expected its source, or why it is assumed, under basis\n" +
				"small.yaml:7:39: faults.partitions.for: found 0, expected a time greater than 0; leave the whole out for none"},
		{"unknown link", "duration: 1h", "duration: 1h\nfaults: {partitions: {every: 1h, for: 1s, of: [device_proxi]}}", "",
			`small.yaml:7:30: faults.partitions.every: found "1h" without a basis, expected its source, or why it is assumed, under basis` + "\n" +
				`small.yaml:7:39: faults.partitions.for: found "1s" without a basis, expected its source, or why it is assumed, under basis` + "\n" +
				`small.yaml:7:48: faults.partitions.of.0: found "device_proxi", expected device_gatekeeper, device_proxy, proxy_gatekeeper, gatekeeper_partner or device_partner (did you mean device_proxy?)`},
		{"zipf without exponent", "activity: {dist: uniform}", "activity: {dist: zipf}", "",
			"small.yaml:26:13: workload.activity: found zipf with exponent 0, expected zipf with an exponent greater than 0, or uniform without one"},
		{"always offline", "  prekeys: {batch: 50, refill_below: 5, signed_rotation: 27d}", "  prekeys: {batch: 50, refill_below: 5, signed_rotation: 27d}\n  offline: 5m", "",
			"small.yaml:22:12: devices.offline: found offline periods without online ones, expected both or neither"},
		{"refill above the batch", "refill_below: 5", "refill_below: 51", "",
			"small.yaml:21:38: devices.prekeys.refill_below: found 51, expected at most the batch, which is 50"},
		{"yes for true", "    route: direct", "    route: direct\n    push: yes", "",
			`small.yaml:19:11: partners.wren.push: found "yes", expected true or false`},
		{"half of the quantiles", "device_gatekeeper: {delay: 40ms}", "device_gatekeeper: {delay: {dist: empirical, quantiles: [{at: 0, value: 5ms}, {at: 50%, value: 9ms}]}}", "",
			"small.yaml:31:48: links.device_gatekeeper.delay.quantiles: found 2 quantiles, expected at least two, the first at 0 and the last at 100%"},
		{"max below min", "device_gatekeeper: {delay: 40ms}", "device_gatekeeper: {delay: {dist: uniform, min: 2s, max: 1s}}", "",
			"small.yaml:31:60: links.device_gatekeeper.delay.max: found 1s, expected at least min, which is 2s"},
		{"merge key", "mailbox: {retention: 30d}", "mailbox:\n      <<: {retention: 30d}", "",
			"small.yaml:14:7: gatekeepers.0.mailbox: found a merge key or a key that is too long, expected a key"},
		{"explicit key", "duration: 1h", "? duration\n: 1h", "",
			"small.yaml:6:1: found a key that is not a plain word, expected a key; anchors, aliases, merge keys and tags are not part of the format"},
		{"infinite", "messages_per_user_per_day: 29", "messages_per_user_per_day: .inf", "",
			`small.yaml:25:30: workload.messages_per_user_per_day: found ".inf", expected a number from 0 to 100000`},
		{"negative seed", "replications: 2", "replications: 2\nseed: -1", "",
			"small.yaml:8:7: seed: found the number -1, expected a whole number"},
		{"studies no list", "basis:", "studies: 5\nbasis:", "",
			"small.yaml:34:10: studies: found the number 5, expected a list of studies"},
		{"study no mapping", "basis:", "studies: [x]\nbasis:", "",
			`small.yaml:34:11: studies.0: found "x", expected a mapping with name, question, set or sweep`},
		{"study without a name", "basis:", "studies: [{question: 5}]\nbasis:", "",
			"small.yaml:34:11: studies.0: found no name, expected it to be given\n" +
				"small.yaml:34:22: studies.0.question: found the number 5, expected text"},
		{"studies with one name", "basis:", "studies: [{name: a}, {name: a}]\nbasis:", "",
			"small.yaml:34:22: studies.a: found the name a second time, expected names that differ"},
		{"study with an unknown key", "basis:", "studies: [{name: a, sets: {}}]\nbasis:", "",
			"small.yaml:34:21: studies.a.sets: found an unknown key (did you mean set?)"},
		{"study with a list of values", "basis:", "studies: [{name: a, set: [1]}]\nbasis:", "",
			"small.yaml:34:26: studies.a.set: found a list, expected a mapping from paths to values"},
		{"basis no mapping", "  links: {assumed: for the test}", "  links: public", "",
			`small.yaml:39:3: basis.links: found "public", expected either {source: ...} or {assumed: ...}`},
		{"basis with an unknown key", "  links: {assumed: for the test}", "  links: {assume: for the test}", "",
			"small.yaml:39:3: basis.links: found a mapping, expected either {source: ...} or {assumed: ...}\n" +
				"small.yaml:39:11: basis.links.assume: found an unknown key (did you mean assumed?)"},
		{"override of a list's element", "", "", "checks.0=order",
			`--set checks.0=order: checks.0: found no "0" in checks, expected a list with elements; this one is empty`},
		{"removal of a list's element", "", "", "gatekeepers.0=null",
			"--set gatekeepers.0=null: gatekeepers.0: found null, expected a value; remove elements by giving the whole list"},
		{"override of an element too far", "", "", "gatekeepers.7.users=1",
			`--set gatekeepers.7.users=1: gatekeepers.7.users: found no "7" in gatekeepers, expected whatsapp or *`},
		{"override with a star of nothing", "", "", "workload.kinds.text.*.value=1B",
			"--set workload.kinds.text.*.value=1B: workload.kinds.text.*.value: found no mapping below workload.kinds.text, expected one at least for *"},
		{"override of an element", "", "", "partners.wren={name: wren}",
			"--set partners.wren={name: wren}: partners.wren: found no users, expected it to be given\n" +
				"--set partners.wren={name: wren}: partners.wren: found no eea_share, expected it to be given\n" +
				"--set partners.wren={name: wren}: partners.wren: found no route, expected it to be given\n" +
				"--set partners.wren={name: wren}: partners.wren: found no agreements, expected it to be given"},
		{"override of the studies", "", "", "studies=1",
			`--set studies=1: studies: found unknown key "studies", expected scenario, name, title, question, adapter, start, warmup, duration, cooldown, seed, replications, gatekeepers, partners, devices, workload, links, faults or checks`},
		{"override with nothing", "", "", "duration=",
			"--set duration=: duration: found nothing, expected a value"},
		{"override of nothing", "", "", "=5",
			"--set =5: found no path=value, expected an override such as partners.count=5"},
		{"override with a slip", "", "", "checks=[order, ordre]",
			`--set checks=[order, ordre]: checks.1: found "ordre", expected durability, duplicates, order, confidentiality or consent (did you mean order?)`},
		{"override below a star", "", "", "links.*.*.value=5ms",
			"--set links.*.*.value=5ms: links.*.*.value: found no mapping below links.device_gatekeeper, expected one at least for *\n" +
				"--set links.*.*.value=5ms: links.*.*.value: found no mapping below links.gatekeeper_partner, expected one at least for *\n" +
				"--set links.*.*.value=5ms: links.*.*.value: found no mapping below links.device_partner, expected one at least for *"},
		{"override of all keys", "", "", "gatekeepers.whatsapp.*=5",
			`--set gatekeepers.whatsapp.*=5: gatekeepers.whatsapp.*: found unknown key "*", expected name, users, eea_share, reachability, inbox, mailbox or resend_after`},
		{"study that sweeps no list", "basis:", "studies: [{name: more, sweep: {duration: 1h}}]\nbasis:", "",
			`small.yaml:34:42: studies.more.sweep.duration: found "1h", expected a list of 1 to 1000 single values`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data := []byte(small)
			if tt.old != "" {
				data = edit(t, tt.old, tt.new)
			}
			var overrides []string
			if tt.override != "" {
				overrides = []string{tt.override}
			}
			f, err := Load("small.yaml", data, overrides...)
			if err == nil {
				t.Fatal("no error")
			}
			if f != nil {
				t.Error("a file beside the error")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("the error is a %T, want an *Error within", err)
			}
		})
	}
}

func TestLoadBounds(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat("{a: ", 100) + "1" + strings.Repeat("}", 100)
	tests := []struct {
		name, document, want string
	}{
		{"empty", "", "found 0 YAML documents"},
		{"no mapping", "[1, 2]", "found a list, expected a mapping with"},
		{"no UTF-8", "a: \xff", "found bytes that are not UTF-8"},
		{"long", small + "#" + strings.Repeat("x", maxSize), "found a document of"},
		{"deep", "scenario: " + nested, "found too much"},
		{"many values", "checks: [" + strings.Repeat("1,", maxNodes) + "1]", "found too much"},
		{"long text", "title: " + strings.Repeat("x", maxText+1), "found a text of 4097 bytes"},
		{"many points", strings.Replace(small, "duration: 1h", "duration: ${"+strings.Repeat("1h,", 99)+"1h}\nseed: ${"+strings.Repeat("1,", 99)+"1}", 1),
			"found sweeps with too many points"},
		{"long sweep", strings.Replace(small, "duration: 1h", "duration: ${"+strings.Repeat("1h,", maxValues)+"1h}", 1), "found a sweep of 1001 values"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load("x.yaml", []byte(tt.document))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want %q in it", err, tt.want)
			}
			if n := strings.Count(err.Error(), "\n"); n >= maxErrors {
				t.Errorf("%d errors, want at most %d", n+1, maxErrors)
			}
		})
	}
}
