package sized_test

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// heap returns the bytes in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestFootprint bounds what a client and a session take, so that a simulation of
// 100 000 users fits in memory. It is not parallel, since it looks at the heap.
func TestFootprint(t *testing.T) {
	const clients = 2000
	all := make([]protocols.Client, clients)
	names := make([]string, clients)
	for i := range names {
		names[i] = strconv.Itoa(1000000 + i)
	}
	before := heap()
	for i := range all {
		all[i] = newClient(t, names[i])
		if _, err := all[i].Publish(now, 100); err != nil {
			t.Fatal(err)
		}
	}
	perClient := float64(heap()-before) / clients
	t.Logf("%.0f bytes per client with 100 one-time keys", perClient)
	if perClient > 300 {
		t.Errorf("a client takes %.0f bytes, want at most 300", perClient)
	}

	const peers = 1000
	k, err := all[1].Publish(now, 0)
	if err != nil {
		t.Fatal(err)
	}
	bundle := protocols.Bundle{Static: k.Static}
	before = heap()
	for i := range peers {
		if _, err := all[0].Establish(now, protocols.Address(names[i+2]), bundle); err != nil {
			t.Fatal(err)
		}
	}
	perSession := float64(heap()-before) / peers
	t.Logf("%.0f bytes per session", perSession)
	if perSession > 400 {
		t.Errorf("a session takes %.0f bytes, want at most 400", perSession)
	}
	runtime.KeepAlive(all)
}
