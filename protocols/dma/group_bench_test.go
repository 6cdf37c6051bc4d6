package dma

import (
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// BenchmarkGroupMessage is a text of five letters from its writing to the last receipt, in
// groups of several sizes, with all machines on one core and modelled cryptography, whose
// sizes are the real ones. The test's network takes a part of the time that grows with the
// square of the size. It reports what the sender uploads: with the key for everybody, as once
// after each removal, and without.
func BenchmarkGroupMessage(b *testing.B) {
	for _, members := range []int{10, DefaultGroupLimit, MaxGroupLimit} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			cfg := GatekeeperConfig{Native: ident.User, Reach: DefaultOn, GroupLimit: MaxGroupLimit, Volatile: true}
			gk, err := NewGatekeeper(cfg)
			if err != nil {
				b.Fatal(err)
			}
			p := &party{network: newNetworkOf(b, cfg, gk)}
			p.set = func(c *DeviceConfig) { c.Volatile = true }
			var others []ident.Address
			for i := range members {
				d := p.native(fmt.Sprint(i), fmt.Sprint(49151_000000+i))
				p.connect(d)
				if i > 0 {
					others = append(others, d.addr)
				}
			}
			p.group = p.create("0", others...)
			sender, size := p.devices["0"], 0
			measure := func() {
				p.step(sender, Compose{To: p.group, Content: Content{Kind: Text, Text: "hello"}})
				p.run()
			}
			p.stepped = func(out Output) {
				for _, o := range sender.dev.out {
					if o.kind == outGroup && o.frame != nil {
						size = len(o.frame)
					}
				}
			}
			measure()
			withKeys := size
			for b.Loop() {
				measure()
			}
			b.ReportMetric(float64(withKeys), "with-keys-B")
			b.ReportMetric(float64(size), "upload-B")
			if got := len(p.devices["1"].got); got != b.N+1 {
				b.Fatalf("a member got %d messages, want %d", got, b.N+1)
			}
			if m := p.count("undecryptable"); m != 0 {
				b.Fatalf("%d undecryptable messages", m)
			}
		})
	}
}
