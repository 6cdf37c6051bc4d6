package hub

import (
	"cmp"
	"container/heap"
	"encoding/hex"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// This file is what the hub remembers of KeyPackages that pass through it: "the hub
// provider needs to associate its KeyPackageRef with the target provider"
// (draft-ietf-mimi-protocol-06, Fetch Key Material), "until a Welcome message is
// forwarded or the KeyPackage leaf_node.lifetime.not_after time has passed".

// route is where the Welcome for a KeyPackage goes.
type route struct {
	ref      string // KeyPackageRef
	to       string // the provider's domain
	notAfter int64  // Unix milliseconds
	lasts    bool   // it is a last-resort KeyPackage, which other rooms may use as well
	gone     bool   // it was used; the heap does not know yet
}

type routes struct {
	byRef map[string]*route
	byAge routeHeap
	of    map[string]int // how many there are to each provider
}

func newRoutes() routes { return routes{byRef: make(map[string]*route), of: make(map[string]int)} }

// next returns when the next route expires, 0 if there are none.
func (r *routes) next() int64 {
	r.tidy()
	if len(r.byAge) == 0 {
		return 0
	}
	return r.byAge[0].notAfter
}

// tidy takes routes off the heap that were used.
func (r *routes) tidy() {
	for len(r.byAge) > 0 && r.byAge[0].gone {
		heap.Pop(&r.byAge)
	}
}

// add remembers a route that is not known.
func (r *routes) add(e *route) {
	r.byRef[e.ref] = e
	r.of[e.to]++
	heap.Push(&r.byAge, e)
}

// remember remembers where KeyPackages came from. They were checked, and there is
// room for them.
func (h *Hub) remember(now time.Time, provider string, refs []message.KeyPackageRef, keys []*message.KeyPackage) {
	most := now.Add(mls.DefaultMaxLifetime).UnixMilli() // no group takes one that lives longer
	for i, ref := range refs {
		if h.routes.byRef[string(ref)] != nil {
			continue // the same KeyPackage names the same provider
		}
		e := &route{ref: string(ref), to: provider, notAfter: min(notAfter(keys[i]), most), lasts: h.groups.IsLastResort(keys[i])}
		h.routes.add(e)
		h.put(routeKey(e.ref), e.marshal())
	}
}

// notAfter returns when a KeyPackage expires in Unix milliseconds.
func notAfter(k *message.KeyPackage) int64 {
	const most = 1 << 40 // seconds; later than anyone will see, and no overflow
	return int64(min(k.LeafNode.Lifetime.NotAfter, most)) * 1000
}

// used forgets the routes of a Welcome that was accepted.
func (h *Hub) used(refs []string) {
	for _, ref := range refs {
		if e := h.routes.byRef[ref]; !e.lasts {
			h.forget(e)
		}
	}
}

func (h *Hub) forget(e *route) {
	e.gone = true
	delete(h.routes.byRef, e.ref)
	if h.routes.of[e.to]--; h.routes.of[e.to] == 0 {
		delete(h.routes.of, e.to)
	}
	h.drop(routeKey(e.ref))
}

// forgetRoutes forgets the routes that have expired.
func (h *Hub) forgetRoutes(now int64) {
	for h.routes.tidy(); len(h.routes.byAge) > 0 && h.routes.byAge[0].notAfter < now; h.routes.tidy() {
		h.forget(h.routes.byAge[0])
	}
}

func routeKey(ref string) string { return "key/" + hex.EncodeToString([]byte(ref)) }

// routeHeap is in a total order, as retries is.
type routeHeap []*route

func (r routeHeap) Len() int { return len(r) }
func (r routeHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(r[i].notAfter, r[j].notAfter), cmp.Compare(r[i].ref, r[j].ref)) < 0
}
func (r routeHeap) Swap(i, j int) { r[i], r[j] = r[j], r[i] }
func (r *routeHeap) Push(x any)   { *r = append(*r, x.(*route)) }
func (r *routeHeap) Pop() any {
	old := *r
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*r = old[:len(old)-1]
	return x
}
