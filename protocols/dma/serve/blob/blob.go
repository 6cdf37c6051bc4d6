// Package blob keeps the ciphertexts of media on a disk and serves them by HTTP with byte
// ranges (RFC 9110, Section 14, https://www.rfc-editor.org/rfc/rfc9110#section-14), for the
// media host of a gatekeeper and for that of a partner (technical specification in WhatsApp's
// Reference Offer 1.0.3, media).
//
// Start with [Open], take a ciphertext with [Store.Put], which returns its reference, and
// serve it with [Store.Serve].
//
//	DIR/<accepted, Unix seconds>.<owner, hashed>.<reference>
//
// The name of a file says all that is known of it, so that one rename makes a ciphertext and
// what is known of it durable at once. References are random and say nothing. What peers say
// is compared with the references there are and never becomes a part of a path.
//
// It knows no users and no tokens: a shell has authenticated who puts and who gets. Nor does
// it know what is in a ciphertext: it looks at its length and hash alone.
package blob

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

// Why a ciphertext is not taken or not given.
var (
	ErrNotFound = errors.New("blob: no such medium, or not any more")
	ErrTooLarge = errors.New("blob: larger than a medium may be")
	ErrShape    = errors.New("blob: not of the length of a ciphertext")
	ErrHash     = errors.New("blob: not of the hash that was announced")
	ErrQuota    = errors.New("blob: the owner's room is used up")
	ErrFull     = errors.New("blob: the room of all is used up")
	ErrClosed   = errors.New("blob: closed")
	ErrDisk     = errors.New("blob: the disk failed")
)

// Config is what a store is. It is not modified. Zero values mean the defaults; but for the
// limit of 16 MB and the 30 days all of it is assumed.
type Config struct {
	Dir string // is made if it is not there; nobody else writes to it

	MaxMedium uint64 // bytes of a medium before its encryption; default 16 MiB
	PerOwner  uint64 // bytes that are kept for one owner; default 1 GiB
	Total     uint64 // bytes that are kept in all; default 64 GiB
	// Retention is how long a ciphertext is kept; default 30 days, as messages are.
	Retention time.Duration

	Now func() time.Time // nil means the clock
}

// Store keeps ciphertexts. Its methods may be called by several goroutines at once.
type Store struct {
	cfg  Config
	root *os.Root

	mu     sync.Mutex // guards what follows
	items  map[string]*item
	order  []*item           // by the time they were accepted; may hold some that are gone
	owners map[string]uint64 // bytes, by hash
	total  uint64
	closed bool
}

// item is a ciphertext that is kept.
type item struct {
	name, ref, owner string // owner is hashed
	accepted         time.Time
	size             uint64
}

// Kept counts what a store has.
type Kept struct {
	Media int    `json:"media"`
	Bytes uint64 `json:"bytes"`
}

const (
	refSize   = 20 // random bytes of a reference: nobody guesses one
	ownerSize = 16 // bytes of an owner's hash
	newPrefix = "new-"
	// leftover is the age from which on what was not accepted is of a process that crashed,
	// and not of another one whose directory this is.
	leftover = time.Hour
)

// refs writes references: in one case, so that they differ on any file system.
var refs = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Open opens the store in a directory. What was not accepted before a crash is removed when
// it is an hour old.
func Open(cfg Config) (*Store, error) {
	cfg.MaxMedium = cmp.Or(cfg.MaxMedium, 16<<20)
	cfg.PerOwner = cmp.Or(cfg.PerOwner, 1<<30)
	cfg.Total = cmp.Or(cfg.Total, 64<<30)
	cfg.Retention = cmp.Or(cfg.Retention, dma.DefaultRetention)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Dir == "" || cfg.Retention < 0 || cfg.MaxMedium > 1<<40 {
		return nil, errors.New("blob: config: want a directory, at most 1 TiB for a medium and a retention of 0 or more")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	s := &Store{cfg: cfg, root: root, items: map[string]*item{}, owners: map[string]uint64{}}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("blob: %w", err), root.Close())
	}
	s.Sweep()
	return s, nil
}

// load reads what there is from the directory.
func (s *Store) load() error {
	d, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // meanwhile
		}
		if err != nil {
			return err
		}
		if strings.HasPrefix(e.Name(), newPrefix) {
			if s.cfg.Now().Sub(info.ModTime()) > leftover {
				_ = s.root.Remove(e.Name())
			}
			continue
		}
		it, ok := parseName(e.Name())
		if !ok || !info.Mode().IsRegular() {
			continue // somebody else's
		}
		it.size = uint64(info.Size())
		s.order = append(s.order, it)
	}
	slices.SortFunc(s.order, func(a, b *item) int {
		return cmp.Or(a.accepted.Compare(b.accepted), cmp.Compare(a.ref, b.ref))
	})
	for _, it := range s.order {
		s.items[it.ref] = it
		s.take(it)
	}
	return nil
}

// parseName reads the name of a file.
func parseName(name string) (*item, bool) {
	f := strings.Split(name, ".")
	if len(f) != 3 || !validRef(f[2]) {
		return nil, false
	}
	owner, err := hex.DecodeString(f[1])
	if err != nil || len(owner) != ownerSize {
		return nil, false
	}
	at, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return nil, false
	}
	return &item{name: name, ref: f[2], owner: f[1], accepted: time.Unix(at, 0)}, true
}

// validRef reports whether a reference is one of a store.
func validRef(ref string) bool {
	b, err := refs.DecodeString(ref)
	return err == nil && len(b) == refSize && refs.EncodeToString(b) == ref
}

// hashed returns what the name of a file says of an owner.
func hashed(owner string) string {
	h := sha256.Sum256([]byte(owner))
	return hex.EncodeToString(h[:ownerSize])
}

// take takes the room of an item. The caller holds the lock, or is alone.
func (s *Store) take(it *item) {
	s.owners[it.owner] += it.size
	s.total += it.size
}

// release gives the room of an item back and removes its file, if there is one: what stays in
// spite of that has expired at the latest when it is found at a start. Who reads it reads on.
// The caller holds the lock.
func (s *Store) release(it *item) {
	s.total -= it.size
	if s.owners[it.owner] -= it.size; s.owners[it.owner] == 0 {
		delete(s.owners, it.owner)
	}
	_ = s.root.Remove(it.name)
}

// forget removes an item that is kept. The caller holds the lock.
func (s *Store) forget(it *item) {
	delete(s.items, it.ref)
	s.release(it)
}

// MaxSize is the size of the largest ciphertext that is taken.
func (s *Store) MaxSize() uint64 { return dma.MediaCiphertext(s.cfg.MaxMedium) }

// Kept returns the counts.
func (s *Store) Kept() Kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Kept{len(s.items), s.total}
}

// Put reads a ciphertext of an owner to its end and returns its reference. It is durable
// then. size is what was announced, or -1; sum is its SHA-256, or nil if none was announced.
// ctx ends it between two reads of src.
func (s *Store) Put(ctx context.Context, owner string, src io.Reader, size int64, sum *[sha256.Size]byte) (string, error) {
	o := hashed(owner)
	if size >= 0 {
		if err := s.fits(o, uint64(size)); err != nil {
			return "", err
		}
	}
	var id [refSize]byte
	_, _ = rand.Read(id[:]) // it never fails
	it := &item{ref: refs.EncodeToString(id[:]), owner: o}
	temporary := newPrefix + it.ref
	err := s.write(ctx, temporary, it, src, size, sum)
	if err == nil {
		err = s.commit(temporary, it)
	}
	if err != nil {
		_ = s.root.Remove(temporary)
		return "", err
	}
	return it.ref, nil
}

// fits says whether there is room for a ciphertext of n bytes, and whether it may be one.
func (s *Store) fits(owner string, n uint64) error {
	switch {
	case n > s.MaxSize():
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrTooLarge, n, s.MaxSize())
	case !Shaped(n):
		return fmt.Errorf("%w: %d bytes, want blocks of 16 and 10 more", ErrShape, n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.room(owner, n)
}

// Shaped reports whether a ciphertext may have n bytes. It keeps out what somebody forgot to
// encrypt, 15 times of 16.
func Shaped(n uint64) bool {
	least := dma.MediaCiphertext(0)
	return n >= least && (n-least)%16 == 0
}

// room says whether there is room for n bytes. The caller holds the lock.
func (s *Store) room(owner string, n uint64) error {
	switch {
	case s.closed:
		return ErrClosed
	case s.owners[owner]+n > s.cfg.PerOwner:
		return fmt.Errorf("%w: %d bytes and %d more, want at most %d", ErrQuota, s.owners[owner], n, s.cfg.PerOwner)
	case s.total+n > s.cfg.Total:
		return ErrFull
	}
	return nil
}

// write writes a ciphertext to a file and has the disk take it.
func (s *Store) write(ctx context.Context, name string, it *item, src io.Reader, size int64, sum *[sha256.Size]byte) (err error) {
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDisk, err)
	}
	defer func() {
		if e := f.Close(); err == nil && e != nil {
			err = fmt.Errorf("%w: %w", ErrDisk, e)
		}
	}()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(disk{f}, h), &interrupted{ctx, io.LimitReader(src, int64(s.MaxSize())+1)})
	if err != nil {
		return fmt.Errorf("blob: taking a medium: %w", err)
	}
	it.size = uint64(n)
	switch {
	case size >= 0 && n != size:
		return fmt.Errorf("%w: %d bytes of %d: %w", ErrShape, n, size, io.ErrUnexpectedEOF)
	case sum != nil && [sha256.Size]byte(h.Sum(nil)) != *sum:
		return ErrHash
	}
	if err := s.fits(it.owner, it.size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrDisk, err)
	}
	return nil
}

// commit gives a file its name, after which it is kept. Nobody waits for the disk meanwhile.
func (s *Store) commit(temporary string, it *item) error {
	it.accepted = time.Unix(s.cfg.Now().Unix(), 0)
	it.name = fmt.Sprintf("%d.%s.%s", it.accepted.Unix(), it.owner, it.ref)
	s.mu.Lock()
	err := s.room(it.owner, it.size) // others may have taken it meanwhile
	if err == nil {
		s.take(it)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err = s.root.Rename(temporary, it.name); err == nil {
		err = s.syncDir()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.closed {
		err = ErrClosed
	}
	if err != nil {
		s.release(it)
		return fmt.Errorf("%w: %w", ErrDisk, err)
	}
	s.items[it.ref] = it
	s.order = append(s.order, it)
	return nil
}

// syncDir has the disk take the names.
func (s *Store) syncDir() error {
	d, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Drop removes all that an owner has put, since the owner is no more.
func (s *Store) Drop(owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := hashed(owner)
	if s.owners[o] == 0 {
		return
	}
	s.order = slices.DeleteFunc(s.order, func(it *item) bool {
		if it.owner == o {
			s.forget(it)
		}
		return it.owner == o
	})
}

// Sweep removes what has expired. What has expired is given to nobody in any case.
func (s *Store) Sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.order) && s.expired(s.order[n]) {
		s.forget(s.order[n])
		n++
	}
	s.order = slices.Delete(s.order, 0, n)
}

// expired reports whether an item is kept no longer.
func (s *Store) expired(it *item) bool { return s.cfg.Now().Sub(it.accepted) >= s.cfg.Retention }

// Close closes the store. Who reads reads on.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.root.Close()
}

// disk is a file whose errors are told from those of peers.
type disk struct{ f *os.File }

func (d disk) Write(b []byte) (int, error) {
	n, err := d.f.Write(b)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrDisk, err)
	}
	return n, err
}

// interrupted is a reader that ends with its context.
type interrupted struct {
	ctx context.Context
	r   io.Reader
}

func (i *interrupted) Read(b []byte) (int, error) {
	if err := context.Cause(i.ctx); err != nil {
		return 0, err
	}
	return i.r.Read(b)
}
