package des

import "slices"

// keyHeap is a binary heap, the first key on top.
type keyHeap []key

func (h *keyHeap) push(e key) {
	s := append(*h, e)
	*h = s
	i := len(s) - 1
	for i > 0 {
		p := (i - 1) / 2
		if !e.before(s[p]) {
			break
		}
		s[i] = s[p]
		i = p
	}
	s[i] = e
}

// pop drops the first key.
func (h *keyHeap) pop() {
	s := *h
	n := len(s) - 1
	e := s[n]
	*h = s[:n]
	if n > 0 {
		s[:n].sink(0, e)
	}
}

// sink puts e where it belongs at or below place i, which is free.
func (h keyHeap) sink(i int, e key) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1].before(h[c]) {
			c++
		}
		if !h[c].before(e) {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = e
}

// filter drops some of the keys.
func (h *keyHeap) filter(drop func(key) bool) {
	s := slices.DeleteFunc(*h, drop)
	*h = s
	for i := len(s)/2 - 1; i >= 0; i-- {
		s.sink(i, s[i])
	}
}
