package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

var (
	errStopped = errors.New("stopped")
	errPower   = errors.New("no power")
)

// TestJournal holds that what leaves does so when its records and all before are
// durable, and not at all if they are not.
func TestJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowStore{Store: store.NewMemory(), pass: make(chan struct{})}
		var failed error
		j := New(slow, errStopped, func(err error) { failed = err })
		ended := make(chan struct{})
		go func() { j.Run(); close(ended) }()
		var log []string
		add := func(name string, records ...protocols.Record) {
			j.Add(Entry{Records: records, Then: func(err error) { log = append(log, fmt.Sprint(name, " ", err)) }})
		}
		add("1", protocols.Record{Key: "k", Value: []byte("1")})
		synctest.Wait()
		add("2", protocols.Record{Key: "k", Value: []byte("2")})
		add("3")
		add("4", protocols.Record{Key: "k", Value: []byte("4")})
		synctest.Wait()
		if len(log) != 0 {
			t.Fatalf("%q left before it was durable", log)
		}
		slow.pass <- struct{}{}
		synctest.Wait()
		if got := strings.Join(log, ", "); got != "1 <nil>" {
			t.Fatalf("got %s, want 1 alone", got)
		}
		slow.pass <- struct{}{}
		synctest.Wait()
		if got := strings.Join(log, ", "); got != "1 <nil>, 2 <nil>, 3 <nil>, 4 <nil>" {
			t.Fatalf("got %s, want all in order", got)
		}
		commits, written := j.Counts()
		if commits != 2 || slow.commits != 2 || written != 2 {
			t.Errorf("%d commits, want 2", slow.commits)
		}
		log = nil
		slow.err = errPower
		add("5", protocols.Record{Key: "k", Value: []byte("5")})
		synctest.Wait()
		add("6", protocols.Record{Key: "k", Value: []byte("6")})
		slow.pass <- struct{}{}
		<-ended
		add("7")
		want := fmt.Sprintf("6 %v, 5 %v, 7 %v", errStopped, errStopped, errStopped)
		if got := strings.Join(log, ", "); got != want || !errors.Is(failed, errPower) {
			t.Errorf("got %s and %v, want %s and the store's error", got, failed, want)
		}
	})
}

// slowStore commits when it is let.
type slowStore struct {
	store.Store
	pass    chan struct{}
	commits int
	err     error
}

func (s *slowStore) Commit(ctx context.Context, records []protocols.Record) error {
	<-s.pass
	s.commits++
	if s.err != nil {
		return s.err
	}
	return s.Store.Commit(ctx, records)
}
