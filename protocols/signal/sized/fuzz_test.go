package sized_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
)

// FuzzRestore takes one record in the place of a genuine one. What restores must
// export the same state again, and not panic in use.
func FuzzRestore(f *testing.F) {
	a, b := newClient(f, "a"), newClient(f, "b")
	group := a.(protocols.GroupClient)
	if err := group.CreateGroup(now, "g"); err != nil {
		f.Fatal(err)
	}
	if _, err := group.Change(now, "g", []protocols.Member{{Address: "b", Bundle: bundleOf(f, b)}}, nil); err != nil {
		f.Fatal(err)
	}
	if err := group.Settle("g", true); err != nil {
		f.Fatal(err)
	}
	if _, err := group.SealGroup("g", []byte("hello")); err != nil {
		f.Fatal(err)
	}
	bundleOf(f, a)
	good := a.State()
	for _, r := range good {
		f.Add(r.Key, r.Value)
	}
	incoming := seal(f, a, "b", "hello")
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		records := append(append([]protocols.Record{}, good...), protocols.Record{Key: key, Value: value})
		c, err := sized.Adapter{}.Restore(protocols.Config{
			Address: "a",
			Suite:   fakeSuite{r: rand.NewChaCha8([32]byte{})},
		}, records)
		if err != nil {
			if !errors.Is(err, protocols.ErrState) || c != nil {
				t.Fatalf("client %v, error %v, want nil and ErrState", c, err)
			}
			return
		}
		state := c.State()
		again, err := sized.Adapter{}.Restore(protocols.Config{
			Address: "a",
			Suite:   fakeSuite{r: rand.NewChaCha8([32]byte{})},
		}, state)
		if err != nil {
			t.Fatalf("its own state: %v", err)
		}
		if !reflect.DeepEqual(again.State(), state) {
			t.Fatal("state changed on the way")
		}
		c.Publish(now, 3)
		c.Seal("b", []byte("hello"))
		c.Open("b", incoming)
		c.(protocols.GroupClient).SealGroup("g", []byte("hello"))
	})
}
