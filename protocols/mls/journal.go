package mls

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// Record is one named piece of a group's state, for a store that keeps it and, in
// a [Group]'s, keeps it secret. Keys are ASCII without spaces.
//
//	context               what all agree on: GroupContext, confirmation tag
//	tree/L/N/E            page N of level L of the ratchet tree, as of epoch E
//	proposal/I            a proposal received in this epoch
//
// and of a member alone
//
//	member                its leaf, signer and the secrets of the epoch
//	private               its private keys of the tree
//	exporter              the exporter tree
//	keys/E/N              entry N of the secret tree of epoch E
//	past/E                what else opens messages of past epoch E
//	resumption/E          the resumption secret of epoch E
//	update/I              the keys of an Update of its own
//
// Numbers are hexadecimal, of fixed length. A page stands under the epoch that last
// changed it, and stays as long as an epoch is kept that has it; so a Commit
// writes the pages of a path, however large the tree; and a message the entries of
// its sender's ratchets and, for the first in an epoch, of the nodes that are opened
// for them.
//
// Records are neither encrypted nor authenticated: a store has to do both. It gives back
// what it was given, under the key it was given it, all of it as of one call of Changes:
// sealed, say, with the record's key as associated data, and with a number of the last
// call that is kept where it can't be set back. [Restore] refuses what contradicts
// itself. It can't see a secret that was changed, one that stands under another key, or
// a state of earlier: groups made of these fail later, by messages that do not decrypt
// and Commits with wrong tags, and a state of earlier sends with keys that were used.
type Record struct {
	Key   string
	Value []byte // nil means deleted
}

// recordKind is what a record is, by the first part of its key.
type recordKind uint8

const (
	recordContext recordKind = iota
	recordTree
	recordProposal
	recordMember // from here on secret
	recordPrivate
	recordExporter
	recordKeys
	recordPast
	recordResumption
	recordUpdate
)

var recordKinds = [...]string{
	recordContext: "context", recordTree: "tree", recordProposal: "proposal", recordMember: "member",
	recordPrivate: "private", recordExporter: "exporter", recordKeys: "keys", recordPast: "past",
	recordResumption: "resumption", recordUpdate: "update",
}

// numbered reports whether there are several records of a kind.
func (k recordKind) numbered() bool {
	switch k {
	case recordContext, recordMember, recordPrivate, recordExporter:
		return false
	}
	return true
}

// recordName is a record's key.
type recordName struct {
	kind   recordKind
	page   pageName // of a page; of an entry of a secret tree only the number
	number uint64   // the epoch, or the place in a list
}

// pageName is where a page lies in a tree.
type pageName struct {
	level  uint8
	number uint32
}

// String returns the key.
func (n recordName) String() string {
	switch {
	case n.kind == recordTree:
		return fmt.Sprintf("tree/%x/%08x/%016x", n.page.level, n.page.number, n.number)
	case n.kind == recordKeys:
		return fmt.Sprintf("keys/%016x/%08x", n.number, n.page.number)
	case n.kind.numbered():
		return fmt.Sprintf("%s/%016x", recordKinds[n.kind], n.number)
	}
	return recordKinds[n.kind]
}

// parseName is the inverse of String.
func parseName(key string) (n recordName, ok bool) {
	parts := strings.Split(key, "/")
	kind := slices.Index(recordKinds[:], parts[0])
	if kind < 0 {
		return n, false
	}
	n.kind = recordKind(kind)
	hex := func(i, bits int) (v uint64) {
		if i >= len(parts) {
			return 0
		}
		v, _ = strconv.ParseUint(parts[i], 16, bits)
		return v
	}
	if n.kind == recordTree {
		n.page = pageName{uint8(hex(1, 8)), uint32(hex(2, 32))}
		n.number = hex(3, 64)
	} else if n.kind == recordKeys {
		n.number, n.page.number = hex(1, 64), uint32(hex(2, 32))
	} else if n.kind.numbered() {
		n.number = hex(1, 64)
	}
	return n, n.String() == key
}

// journal says what of a group's state was not yet reported. The nil journal of a
// group whose state nobody wants takes nothing down.
type journal struct {
	dirty  map[recordName][]byte // with the value, of pages alone
	latest map[pageName]version  // of every page
	old    []superseded          // earlier ones that a kept epoch has, in their order
}

// version is a page as of an epoch.
type version struct {
	epoch uint64
	blank bool // all of it is blank, which an earlier version was not
}

// superseded is a version that is not the latest.
type superseded struct {
	page  pageName
	epoch uint64
	until uint64 // the epoch of the next one
}

func newJournal() *journal {
	return &journal{dirty: make(map[recordName][]byte), latest: make(map[pageName]version)}
}

// touch notes that a record changed.
func (j *journal) touch(n recordName) {
	if j != nil {
		j.dirty[n] = nil
	}
}

// touchKeys notes that entries of an epoch's secret tree change.
func (j *journal) touchKeys(epoch uint64, entries iter.Seq[uint32]) {
	if j == nil {
		return
	}
	for number := range entries {
		j.touch(recordName{kind: recordKeys, page: pageName{number: number}, number: epoch})
	}
}

// touchKey notes that a key of a leaf is about to be consumed.
func (j *journal) touchKey(epoch uint64, keys *schedule.SecretTree, leaf uint32) {
	if j != nil {
		j.touchKeys(epoch, slices.Values(keys.Changing(leaf)))
	}
}

// advance takes down that a tree followed another, nil for none.
func (j *journal) advance(old *tree.Tree, now *snapshot) {
	if j == nil {
		return
	}
	epoch := now.context.Epoch
	for _, pg := range now.tree.Pages(old) {
		name := pageName{pg.Level, pg.Number}
		if v, ok := j.latest[name]; ok {
			j.old = append(j.old, superseded{name, v.epoch, epoch})
		}
		j.latest[name] = version{epoch, pg.Data == nil}
		j.dirty[recordName{kind: recordTree, page: name, number: epoch}] = encodePage(pg.Data)
	}
}

// prune lets go of the versions that no epoch from oldest on has.
func (j *journal) prune(oldest uint64) {
	if j == nil {
		return
	}
	for len(j.old) > 0 && j.old[0].until <= oldest {
		o := j.old[0]
		j.old = j.old[1:]
		j.dirty[recordName{kind: recordTree, page: o.page, number: o.epoch}] = nil
		if v := j.latest[o.page]; v.blank && v.epoch == o.until {
			delete(j.latest, o.page) // blank from the beginning, as far as anyone knows
			j.dirty[recordName{kind: recordTree, page: o.page, number: v.epoch}] = nil
		}
	}
}

// state returns all records, sorted, and forgets what changed. kept are the epochs
// whose trees are kept, the oldest first; names calls its argument with all other
// records.
func (j *journal) state(names func(func(recordName)), encode func(recordName) []byte, kept ...*snapshot) []Record {
	clear(j.dirty)
	names(j.touch)
	first := kept[0].context.Epoch
	base := make(map[pageName]uint64) // the version of each page in the oldest epoch
	for _, o := range j.old {
		if o.epoch <= first {
			base[o.page] = o.epoch
		}
	}
	for page, v := range j.latest {
		if v.epoch <= first {
			base[page] = v.epoch
		}
	}
	for page, epoch := range base {
		j.dirty[recordName{recordTree, page, epoch}] = encodePage(nil)
	}
	for _, pg := range kept[0].tree.Pages(nil) {
		page := pageName{pg.Level, pg.Number}
		j.dirty[recordName{recordTree, page, base[page]}] = encodePage(pg.Data)
	}
	for i, snap := range kept[1:] {
		for _, pg := range snap.tree.Pages(kept[i].tree) {
			j.dirty[recordName{recordTree, pageName{pg.Level, pg.Number}, snap.context.Epoch}] = encodePage(pg.Data)
		}
	}
	return j.take(encode)
}

// take returns what changed, sorted, and forgets it. encode gives the value of a
// record that is not a page, nil if there is none.
func (j *journal) take(encode func(recordName) []byte) []Record {
	out := make([]Record, 0, len(j.dirty))
	for n, value := range j.dirty {
		if n.kind != recordTree {
			value = encode(n)
		}
		out = append(out, Record{n.String(), value})
	}
	clear(j.dirty)
	sortRecords(out)
	return out
}

func sortRecords(records []Record) {
	slices.SortFunc(records, func(a, b Record) int { return cmp.Compare(a.Key, b.Key) })
}
