package mlsrun

import (
	"cmp"
	"slices"
	"time"
)

// CallStats are the figures of one call of one implementation over all games.
// They hold the time on the wire and are no measure of an engine by itself.
type CallStats struct {
	Peer   string        `json:"peer"`
	Call   string        `json:"call"`
	Count  int           `json:"count"`
	Median time.Duration `json:"median_ns"`
	Max    time.Duration `json:"max_ns"`
	Bytes  int           `json:"median_bytes"` // of the MLS message that the call made
}

// book notes every call.
type book struct{ calls map[[2]string]*notes }

type notes struct {
	times []time.Duration
	bytes []int
}

func newBook() *book { return &book{map[[2]string]*notes{}} }

func (b *book) note(peer, call string, d time.Duration, bytes int) {
	key := [2]string{peer, call}
	n := b.calls[key]
	if n == nil {
		n = &notes{}
		b.calls[key] = n
	}
	n.times, n.bytes = append(n.times, d), append(n.bytes, bytes)
}

// stats returns the figures, by call and peer.
func (b *book) stats() []CallStats {
	var all []CallStats
	for key, n := range b.calls {
		slices.Sort(n.times)
		slices.Sort(n.bytes)
		all = append(all, CallStats{
			Peer: key[0], Call: key[1], Count: len(n.times),
			Median: n.times[len(n.times)/2], Max: n.times[len(n.times)-1], Bytes: n.bytes[len(n.bytes)/2],
		})
	}
	slices.SortFunc(all, func(a, b CallStats) int {
		return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.Peer, b.Peer))
	})
	return all
}
