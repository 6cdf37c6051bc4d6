package serve

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// TestIdleMemory bounds what an idle connection costs: at most 50 KB, both ends of it.
func TestIdleMemory(t *testing.T) {
	w := newWorld(t, nil)
	const n = 300
	var phones []*phone
	for i := range n {
		phones = append(phones, w.enlist(fmt.Sprint(4915100000000+i), w.own))
	}
	used := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := used()
	var open []*raw
	for _, p := range phones {
		open = append(open, p.login())
	}
	for w.gk.Stats().Connected < n {
		time.Sleep(time.Millisecond)
	}
	each := (int64(used()) - int64(before)) / n
	t.Logf("%d bytes for each of %d connections, both ends", each, n)
	if each > 50<<10 {
		t.Errorf("%d bytes for each connection, want at most %d", each, 50<<10)
	}
	runtime.KeepAlive(open)
}
