package trace

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Life returns the entries that belong to a message: those with its ID, and what
// happened to the nodes that it passed while it was on its way (crash, restart,
// offline, online).
func Life(entries []Entry, id string) []Entry {
	var life []Entry
	var from, to des.Time = des.Never, -1
	nodes := make(map[string]bool)
	for _, e := range entries {
		if e.ID == id && id != "" {
			nodes[e.Node] = true
			if e.Peer != "" {
				nodes[e.Peer] = true
			}
			from, to = min(from, e.At), max(to, e.At)
		}
	}
	for _, e := range entries {
		if id != "" && e.ID == id || e.ID == "" && isState(e.Event) && nodes[e.Node] && from <= e.At && e.At <= to {
			life = append(life, e)
		}
	}
	slices.SortStableFunc(life, func(a, b Entry) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	return life
}

func isState(e Event) bool { return e == Crash || e == Restart || e == Offline || e == Online }

// flight is a frame on its way: an arrow.
type flight struct {
	send, end int // indexes of entries; end is none if it never arrived
	fate      fate
}

type fate uint8

const (
	arrived  fate = iota
	lost          // a Drop says so
	doubled       // arrived once more
	underway      // nothing says what became of it
)

const none = -1

// flights matches what was sent with what arrived or was dropped: the oldest
// frame first that has the same ends and kind. A frame that arrives without one
// left is the last one again.
func flights(entries []Entry) []flight {
	type wire struct{ from, to, kind string }
	var all []flight
	waiting := make(map[wire][]int) // indexes of all
	last := make(map[wire]int)
	for i, e := range entries {
		w := wire{e.Node, e.Peer, e.Kind}
		switch e.Event {
		case Send:
			waiting[w] = append(waiting[w], len(all))
			last[w] = len(all)
			all = append(all, flight{i, none, underway})
			continue
		case Receive:
			w = wire{e.Peer, e.Node, e.Kind}
		case Drop:
		default:
			continue
		}
		end := arrived
		if e.Event == Drop {
			end = lost
		}
		if q := waiting[w]; len(q) > 0 {
			all[q[0]].end, all[q[0]].fate = i, end
			waiting[w] = q[1:]
		} else if f, ok := last[w]; ok && end == arrived {
			all = append(all, flight{all[f].send, i, doubled})
		}
	}
	return all
}
