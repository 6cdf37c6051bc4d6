package persist

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// TestAgainstMap runs random changes beside a map, with few hashes so that many
// values share one, and compares every snapshot that was taken at the end.
func TestAgainstMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type snapshot struct {
			trie Trie[int]
			want map[int]uint32
		}
		hashes := rapid.SampledFrom([]uint32{1, 7, 1 << 31}).Draw(t, "hashes")
		var trie Trie[int]
		want := map[int]uint32{} // value to hash
		var past []snapshot
		owner := new(Owner)
		next := 0
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "action") {
			case 0:
				past = append(past, snapshot{trie, maps.Clone(want)})
				owner = new(Owner)
			case 1, 2, 3:
				v := rapid.IntRange(0, max(next-1, 0)).Draw(t, "value")
				hash, there := want[v]
				if got := trie.Remove(owner, hash, func(x int) bool { return x == v }); got != there {
					t.Fatalf("Remove of %d: got %v, want %v", v, got, there)
				}
				delete(want, v)
			default:
				hash := rapid.Uint32().Draw(t, "hash") % hashes * 0x9e3779b1
				trie.Put(owner, hash, next)
				want[next] = hash
				next++
			}
		}
		for k, s := range append(past, snapshot{trie, want}) {
			if s.trie.Len() != len(s.want) {
				t.Fatalf("snapshot %d: got %d values, want %d", k, s.trie.Len(), len(s.want))
			}
			got := map[int]bool{}
			for v := range s.trie.All {
				got[v] = true
			}
			for v, hash := range s.want {
				if _, ok := s.trie.Find(hash, func(x int) bool { return x == v }); !ok || !got[v] {
					t.Fatalf("snapshot %d: no value %d under %#x", k, v, hash)
				}
			}
			if len(got) != len(s.want) {
				t.Fatalf("snapshot %d: All has %d values, want %d", k, len(got), len(s.want))
			}
		}
	})
}
