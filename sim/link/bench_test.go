package link_test

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

// BenchmarkSend sends a frame of 1 KiB every millisecond; one operation is one
// frame.
func BenchmarkSend(b *testing.B) {
	delay := link.LogNormal{Median: 0.05, Sigma: 0.4}
	for name, cfg := range map[string]link.Config{
		"datagram": {Delay: delay, Loss: 0.01, Duplicate: 0.01, Reorder: 0.01, ReorderBy: delay, Bandwidth: 1e8},
		"stream":   {Mode: link.Stream, Delay: delay, Loss: 0.01, Bandwidth: 1e8},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			l := newLink(b, cfg, name)
			now, arrived := des.Time(0), 0
			for b.Loop() {
				now += des.Millisecond
				arrived += l.Send(now, 1024).N
			}
			if arrived == 0 {
				b.Fatal("nothing arrived")
			}
		})
	}
}
