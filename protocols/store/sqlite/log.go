package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// This file is the log of the last commits. A machine's records are mostly short-lived,
// such as an event that its follower accepts a moment later, or overwritten again and
// again, such as a room's head. So a commit appends one row with all of its records to
// the table log, in place of looking each up in the table records, and the oldest rows
// leave the log for that table as new ones come. What a later row overrules is never
// written there. Both happen in one transaction: what counts is at any time the table
// records with the log's rows over it, in their order.

// maxLog bounds the log in bytes of its rows: the last thousand messages of a hub, which
// is more than are on their way to its followers under load, and soon read when the file
// is opened. What is in the log is in memory as well. A choice of this implementation.
const maxLog = 1 << 20

// recent is the log, as it is in memory.
type recent struct {
	latest map[string]change // the last change of each key in the log
	rows   []row             // the oldest first
	size   int               // of their bytes
	most   int               // that they may be
}

// change is what a row of the log says of a key.
type change struct {
	row   int64
	value []byte // nil if the key is deleted
}

// row is a row of the log.
type row struct {
	n       int64 // its number
	size    int   // in bytes
	records []protocols.Record
}

func newRecent() *recent { return &recent{latest: make(map[string]change), most: maxLog} }

// next returns the number of the next row.
func (l *recent) next() int64 {
	if len(l.rows) == 0 {
		return 1
	}
	return l.rows[len(l.rows)-1].n + 1
}

// leaving returns how many of the oldest rows leave the log for a new one of some bytes:
// none until it is full, and then a quarter, so that most commits have the end of the log
// to write and nothing else.
func (l *recent) leaving(size int) (n int) {
	if l.size+size <= l.most {
		return 0
	}
	for left := l.size; n < len(l.rows) && left+size > l.most/4*3; n++ {
		left -= l.rows[n].size
	}
	return n
}

// counts reports whether no later row overrules a record of a row.
func (l *recent) counts(r *row, key string) bool { return l.latest[key].row == r.n }

// drop takes the oldest rows out.
func (l *recent) drop(n int) {
	for i := range l.rows[:n] {
		r := &l.rows[i]
		for _, rec := range r.records {
			if l.counts(r, rec.Key) {
				delete(l.latest, rec.Key)
			}
		}
		l.size -= r.size
	}
	clear(l.rows[:n]) // their records are not to outlive them
	l.rows = l.rows[n:]
}

// add appends a row.
func (l *recent) add(r row) {
	for _, rec := range r.records {
		l.latest[rec.Key] = change{r.n, rec.Value}
	}
	l.rows = append(l.rows, r)
	l.size += r.size
}

// under returns the changes of keys with a prefix, in the order of the keys.
func (l *recent) under(prefix string) (list []protocols.Record) {
	for _, key := range slices.Sorted(maps.Keys(l.latest)) {
		if strings.HasPrefix(key, prefix) {
			list = append(list, protocols.Record{Key: key, Value: l.latest[key].value})
		}
	}
	return list
}

// marshalRow writes records one behind the other: the length of the key, the key, the
// length of the value plus one, or zero if the key is deleted, and the value. Lengths
// are those of package binary (AppendUvarint). What it returns beside are the same
// records, their values slices of the row.
func marshalRow(records []protocols.Record) (b []byte, own []protocols.Record) {
	size := 0
	for _, r := range records {
		size += 2*binary.MaxVarintLen32 + len(r.Key) + len(r.Value)
	}
	b, own = make([]byte, 0, size), make([]protocols.Record, len(records))
	for i, r := range records {
		b = binary.AppendUvarint(b, uint64(len(r.Key)))
		b = append(b, r.Key...)
		own[i].Key = r.Key
		if r.Value == nil {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(r.Value))+1)
		b = append(b, r.Value...)
		own[i].Value = b[len(b)-len(r.Value) : len(b) : len(b)]
	}
	return b, own
}

// errRow: a row of the log ends within a record.
var errRow = errors.New("it ends within a record")

// parseRow reads what marshalRow has written. Values are slices of the row.
func parseRow(b []byte) (records []protocols.Record, err error) {
	field := func(n uint64) (v []byte) {
		if n > uint64(len(b)) {
			err = errRow
			return nil
		}
		v, b = b[:n:n], b[n:]
		return v
	}
	length := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			err = errRow
			return 0
		}
		b = b[size:]
		return n
	}
	for len(b) > 0 {
		r := protocols.Record{Key: string(field(length()))}
		if n := length(); n > 0 {
			r.Value = field(n - 1)
		}
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// readLog reads the log of a file.
func readLog(conn *sqlite.Conn) (*recent, error) {
	l := newRecent()
	err := sqlitex.ExecuteTransient(conn, "SELECT n, records FROM log ORDER BY n", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			b := make([]byte, stmt.ColumnLen(1))
			stmt.ColumnBytes(1, b)
			records, err := parseRow(b)
			if err != nil {
				return fmt.Errorf("%w: row %d of the log: %w", store.ErrDamaged, stmt.ColumnInt64(0), err)
			}
			l.add(row{stmt.ColumnInt64(0), len(b), records})
			return nil
		},
	})
	return l, err
}

// commit writes records in a transaction: to the log, for which the oldest rows leave it,
// or, if they are more than it may hold, past it.
func (l *recent) commit(conn *sqlite.Conn, records []protocols.Record) error {
	b, own := marshalRow(records)
	n, added := l.leaving(len(b)), row{l.next(), len(b), own}
	logged := len(b) <= l.most
	if err := l.write(conn, n, &added, b, logged); err != nil {
		return err
	}
	l.drop(n)
	if logged {
		l.add(added)
	}
	return nil
}

// write is commit's transaction. It leaves what is in memory as it is.
func (l *recent) write(conn *sqlite.Conn, leaving int, added *row, b []byte, logged bool) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	for i := range l.rows[:leaving] {
		r := &l.rows[i]
		for _, rec := range r.records {
			if l.counts(r, rec.Key) {
				if err := writeRecord(conn, rec); err != nil {
					return err
				}
			}
		}
	}
	if leaving > 0 {
		gone, err := conn.Prepare("DELETE FROM log WHERE n <= ?1")
		if err != nil {
			return err
		}
		gone.BindInt64(1, l.rows[leaving-1].n)
		if err := run(gone); err != nil {
			return err
		}
	}
	if logged {
		add, err := conn.Prepare("INSERT INTO log (n, records) VALUES (?1, ?2)")
		if err != nil {
			return err
		}
		add.BindInt64(1, added.n)
		add.BindBytes(2, b)
		return run(add)
	}
	for _, rec := range added.records {
		if err := writeRecord(conn, rec); err != nil {
			return err
		}
	}
	return nil
}

// writeRecord writes a record to the table records.
func writeRecord(conn *sqlite.Conn, r protocols.Record) error {
	// With one index and no triggers, REPLACE looks a key up once and writes over what
	// is there; an upsert would look it up twice.
	query := "REPLACE INTO records (key, value) VALUES (?1, ?2)"
	if r.Value == nil {
		query = "DELETE FROM records WHERE key = ?1"
	}
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	if r.Value != nil {
		stmt.BindBytes(2, r.Value)
	}
	stmt.BindText(1, r.Key)
	if err := run(stmt); err != nil {
		return fmt.Errorf("record %q: %w", r.Key, err)
	}
	return nil
}

// run runs a statement without results.
func run(stmt *sqlite.Stmt) error {
	_, err := stmt.Step()
	return errors.Join(err, stmt.Reset())
}
