package rooms

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// node is what a provider and a device have in common: it stops and starts again. What
// it has in memory, it loses; what is in its journal, it may lose.
type node struct {
	name    string
	lives   int // counts its starts, so that what was begun in an earlier life is known
	down    bool
	journal []entry
}

// entry is a step whose records are not durable yet, with what leaves the node when they
// are: "Nothing may leave before Persist is durable" (groups/hub, Output).
type entry struct {
	store   store
	records []protocols.Record
	told    func() // tells the application, in the same instant
	leave   []func()
}

// commit makes the records of a step durable and then lets its output leave, in the order
// of the steps. Without faults both happen at once.
func (w *World) commit(n *node, e entry) {
	if w.faults == nil {
		e.write()
		for _, f := range e.leave {
			f()
		}
		return
	}
	// The machine's next step may reuse the slice, not the values.
	e.records = slices.Clone(e.records)
	if w.plant.early != nil && w.plant.early(n) {
		for _, f := range e.leave {
			f()
		}
		e.leave = nil
	}
	n.journal = append(n.journal, e)
	w.maybeCrash(n)
	lives := n.lives
	w.at(w.now().Add(sample(w.faults.Disk, w.luck)), func() {
		if n.lives != lives {
			return
		}
		e := n.journal[0]
		n.journal = n.journal[1:]
		e.write()
		for _, f := range e.leave {
			f()
		}
	})
}

// write makes the records durable.
func (e *entry) write() {
	if e.store != nil {
		e.store.apply(e.records)
	}
	if e.told != nil {
		e.told()
	}
}

// within runs a task of a node soon, if it lives on until then.
func (w *World) within(n *node, task func()) {
	lives := n.lives
	w.soon(func() {
		if n.lives == lives {
			task()
		}
	})
}

// now is the virtual time.
func (w *World) now() des.Time { return w.kernel.Now() }
