package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
)

// BenchmarkCommit is what durability costs, and how much of it a record of many in one
// transaction has to bear: SQLite on the disk of the temporary folder against memory.
// Each record is of 700 bytes, as a message of a room, and is deleted by the transaction
// after, so that the file stays as small as a provider's whose followers keep up.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		for _, kind := range []string{"sqlite", "memory"} {
			b.Run(fmt.Sprintf("%s/records=%d", kind, n), func(b *testing.B) {
				var s store.Store = store.NewMemory()
				if kind == "sqlite" {
					var err error
					if s, err = sqlite.Open(filepath.Join(b.TempDir(), "store.db")); err != nil {
						b.Fatal(err)
					}
				}
				value := make([]byte, 700)
				key := func(i int) string { return fmt.Sprintf("hub/room/clubhouse/event/%016x", i) }
				at := 0
				for b.Loop() {
					var records []protocols.Record
					for i := at; i < at+n; i++ {
						records = append(records, protocols.Record{Key: key(i), Value: value})
						if i >= n {
							records = append(records, protocols.Record{Key: key(i - n)})
						}
					}
					at += n
					if err := s.Commit(context.Background(), records); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/record")
				left := 0
				if err := s.Load(context.Background(), "", func(protocols.Record) error { left++; return nil }); err != nil || left != n {
					b.Fatalf("%d records are left, error %v, want %d", left, err, n)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
