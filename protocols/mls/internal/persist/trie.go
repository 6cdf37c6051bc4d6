// Package persist holds a hash trie whose snapshots share what they have in
// common: the indexes over the keys of a ratchet tree (RFC 9420, Sections 7.3
// and 12.4.3.1, https://www.rfc-editor.org/rfc/rfc9420, ask for unique ones).
//
//	0..15 branches of 4 bits each, highest bits first
//	└── 0..15
//	    └── bucket of up to 64 entries (hash, value)
//
// A copy of a Trie is a snapshot, taken in no time. A change copies the nodes on
// one way down, once per [Owner], so that a snapshot never changes and a thousand
// changes under one owner copy no node twice.
//
// The trie knows hashes and values, not keys: who asks for a hash says which of
// its values is meant. It holds no locks; snapshots may be read concurrently.
package persist

// Owner stands for a run of changes. Nodes made under an owner are changed in
// place by that owner and copied by all others. It is compared by address, so
// it must not be empty.
type Owner struct{ _ byte }

// fanout is how many branches a node has, bucketMax how many entries a bucket
// holds before it becomes a node. A bucket is copied whole, which 64 small
// entries keep cheap; larger ones would waste less room.
const (
	fanoutBits = 4
	fanout     = 1 << fanoutBits
	bucketMax  = 64
	hashBits   = 32
)

// entry is a value and the hash of its key.
type entry[V any] struct {
	hash  uint32
	value V
}

// node is either a branch, with kids, or a bucket.
type node[V any] struct {
	owner  *Owner
	kids   *[fanout]*node[V]
	bucket []entry[V]
}

// Trie maps hashes to values; one hash may have several. The zero value is empty.
type Trie[V any] struct {
	root *node[V]
	n    int
}

// Len returns how many entries there are.
func (t *Trie[V]) Len() int { return t.n }

// branch returns which kid of a node at depth leads to hash.
func branch(hash uint32, depth int) int {
	return int(hash>>(hashBits-fanoutBits*(depth+1))) & (fanout - 1)
}

// Find returns a value under hash for which match is true.
func (t *Trie[V]) Find(hash uint32, match func(V) bool) (v V, ok bool) {
	n := t.root
	for depth := 0; n != nil && n.kids != nil; depth++ {
		n = n.kids[branch(hash, depth)]
	}
	if n == nil {
		return v, false
	}
	for i := range n.bucket {
		if e := &n.bucket[i]; e.hash == hash && match(e.value) {
			return e.value, true
		}
	}
	return v, false
}

// All calls yield with every value, until it returns false. Values come by hash;
// those of one bucket in no particular order.
func (t *Trie[V]) All(yield func(V) bool) { t.root.all(yield) }

func (n *node[V]) all(yield func(V) bool) bool {
	if n == nil {
		return true
	}
	if n.kids != nil {
		for _, kid := range n.kids {
			if !kid.all(yield) {
				return false
			}
		}
		return true
	}
	for i := range n.bucket {
		if !yield(n.bucket[i].value) {
			return false
		}
	}
	return true
}

// Put adds a value under hash, beside those that are there.
func (t *Trie[V]) Put(o *Owner, hash uint32, v V) {
	t.n++
	at, depth := t.open(o, hash)
	n := *at
	if n == nil {
		*at = &node[V]{owner: o, bucket: []entry[V]{{hash, v}}}
		return
	}
	n.bucket = append(n.bucket, entry[V]{hash, v})
	if len(n.bucket) > bucketMax && fanoutBits*(depth+1) <= hashBits {
		*at = n.split(o, depth)
	}
}

// Remove removes one value under hash for which match is true, and reports
// whether there was one.
func (t *Trie[V]) Remove(o *Owner, hash uint32, match func(V) bool) bool {
	if _, ok := t.Find(hash, match); !ok {
		return false
	}
	at, _ := t.open(o, hash)
	n := *at
	for i := range n.bucket {
		if e := &n.bucket[i]; e.hash == hash && match(e.value) {
			last := len(n.bucket) - 1
			n.bucket[i] = n.bucket[last]
			n.bucket[last] = entry[V]{} // the value must not outlive its entry
			n.bucket = n.bucket[:last]
			break
		}
	}
	if len(n.bucket) == 0 {
		*at = nil
	}
	t.n--
	return true
}

// open makes the way to hash the owner's and returns where its bucket hangs, and
// at what depth.
func (t *Trie[V]) open(o *Owner, hash uint32) (at **node[V], depth int) {
	at = &t.root
	for {
		n := *at
		if n == nil {
			return at, depth
		}
		if n.owner != o {
			n = n.clone(o)
			*at = n
		}
		if n.kids == nil {
			return at, depth
		}
		at = &n.kids[branch(hash, depth)]
		depth++
	}
}

func (n *node[V]) clone(o *Owner) *node[V] {
	c := &node[V]{owner: o}
	if n.kids != nil {
		kids := *n.kids
		c.kids = &kids
		return c
	}
	c.bucket = make([]entry[V], len(n.bucket), len(n.bucket)+1)
	copy(c.bucket, n.bucket)
	return c
}

// split returns the branch that takes the place of a bucket at depth.
func (n *node[V]) split(o *Owner, depth int) *node[V] {
	b := &node[V]{owner: o, kids: new([fanout]*node[V])}
	for _, e := range n.bucket {
		kid := &b.kids[branch(e.hash, depth)]
		if *kid == nil {
			*kid = &node[V]{owner: o}
		}
		(*kid).bucket = append((*kid).bucket, e)
	}
	return b
}
