package adaptertest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
)

// recorder stands in for a *testing.T and notes whether a check failed.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func (r *recorder) Error(args ...any) { r.Errorf("%s", fmt.Sprint(args...)) }

func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// run runs f and returns its failures. A panic is one.
func (r *recorder) run(f func()) []string {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v", p)
			}
		}()
		f()
	}()
	<-done
	return r.failed
}

// failures runs the checks whose names contain a text and returns the names of
// those that failed.
func failures(a protocols.Adapter, containing string) []string {
	var names []string
	o := Options{Unauthenticated: registrationID}
	for _, c := range checksOf(newHarness(&recorder{}, a, o)) {
		r := &recorder{}
		if strings.Contains(c.name, containing) && len(r.run(func() { c.run(newHarness(r, a, o)) })) > 0 {
			names = append(names, c.name)
		}
	}
	return names
}

// registrationID is the one part of a Signal message without authentication.
func registrationID(s protocols.Sealed) []Range {
	if _, err := signal.ParsePreKeyMessage(s.Payload); s.Type != "pkmsg" || err != nil {
		return nil
	}
	return []Range{{len(s.Payload) - 4, len(s.Payload) - 2}}
}

// broken is the twin of the Signal adapter with one fault: each function that is
// set takes the place of the method it is named after.
type broken struct {
	sized.Adapter
	name    string
	restore func(protocols.Config, []protocols.Record) (protocols.Client, error)

	publish     func(*brokenClient, int) (protocols.KeyMaterial, error)
	rotate      func(*brokenClient) error
	establish   func(*brokenClient, protocols.Address, protocols.Bundle) (protocols.Notice, error)
	established func(*brokenClient, protocols.Address) bool
	seal        func(*brokenClient, protocols.Address, []byte) (protocols.Sealed, error)
	open        func(*brokenClient, protocols.Address, protocols.Sealed) (protocols.Opened, error)
	state       func(*brokenClient) []protocols.Record
	changes     func(*brokenClient) []protocols.Record
	change      func(*brokenClient, protocols.GroupID, []protocols.Member, []protocols.Address) ([]protocols.Envelope, error)
	settle      func(*brokenClient, protocols.GroupID, bool) error
	sealGroup   func(*brokenClient, protocols.GroupID, []byte) ([]protocols.Envelope, error)
	openGroup   func(*brokenClient, protocols.GroupID, protocols.Address, protocols.Sealed) (protocols.Opened, error)

	leaked sync.Map // what any of the clients sealed, by payload
}

// inner is a sound client.
type inner = protocols.GroupClient

type brokenClient struct {
	sound atomic.Pointer[inner]
	a     *broken
	cfg   protocols.Config
	mu    sync.Mutex
	seen  map[string][]byte // for faults that need a memory
	held  []byte
	n     int
}

func (c *brokenClient) inner() inner { return *c.sound.Load() }

func (c *brokenClient) become(i inner) { c.sound.Store(&i) }

// rollBack puts the client back into an earlier state.
func (c *brokenClient) rollBack(records []protocols.Record) {
	i, err := restored(c.cfg, records)
	if err != nil {
		panic(err)
	}
	c.become(i)
}

func (c *brokenClient) CreateGroup(t time.Time, g protocols.GroupID) error {
	return c.inner().CreateGroup(t, g)
}

func (c *brokenClient) Members(g protocols.GroupID) ([]protocols.Address, error) {
	return c.inner().Members(g)
}

func (a *broken) Name() string {
	if a.name != "" {
		return a.name
	}
	return a.Adapter.Name()
}

func (a *broken) wrap(cfg protocols.Config, c protocols.Client, err error) (protocols.Client, error) {
	if err != nil {
		return nil, err
	}
	b := &brokenClient{a: a, cfg: cfg, seen: make(map[string][]byte)}
	b.become(c.(inner))
	return b, nil
}

func (a *broken) New(cfg protocols.Config) (protocols.Client, error) {
	c, err := a.Adapter.New(cfg)
	return a.wrap(cfg, c, err)
}

func (a *broken) Restore(cfg protocols.Config, r []protocols.Record) (protocols.Client, error) {
	restore := a.restore
	if restore == nil {
		restore = a.Adapter.Restore
	}
	c, err := restore(cfg, r)
	return a.wrap(cfg, c, err)
}

func (c *brokenClient) Publish(t time.Time, n int) (protocols.KeyMaterial, error) {
	if c.a.publish != nil {
		return c.a.publish(c, n)
	}
	return c.inner().Publish(t, n)
}

func (c *brokenClient) Rotate(t time.Time) error {
	if c.a.rotate != nil {
		return c.a.rotate(c)
	}
	return c.inner().Rotate(t)
}

func (c *brokenClient) Establish(t time.Time, p protocols.Address, b protocols.Bundle) (protocols.Notice, error) {
	if c.a.establish != nil {
		return c.a.establish(c, p, b)
	}
	return c.inner().Establish(t, p, b)
}

func (c *brokenClient) Established(p protocols.Address) bool {
	if c.a.established != nil {
		return c.a.established(c, p)
	}
	return c.inner().Established(p)
}

func (c *brokenClient) Seal(p protocols.Address, b []byte) (protocols.Sealed, error) {
	if c.a.seal != nil {
		return c.a.seal(c, p, b)
	}
	return c.inner().Seal(p, b)
}

func (c *brokenClient) Open(p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	if c.a.open != nil {
		return c.a.open(c, p, s)
	}
	return c.inner().Open(p, s)
}

func (c *brokenClient) Change(t time.Time, g protocols.GroupID, add []protocols.Member, remove []protocols.Address) ([]protocols.Envelope, error) {
	if c.a.change != nil {
		return c.a.change(c, g, add, remove)
	}
	return c.inner().Change(t, g, add, remove)
}

func (c *brokenClient) Settle(g protocols.GroupID, accepted bool) error {
	if c.a.settle != nil {
		return c.a.settle(c, g, accepted)
	}
	return c.inner().Settle(g, accepted)
}

func (c *brokenClient) SealGroup(g protocols.GroupID, b []byte) ([]protocols.Envelope, error) {
	if c.a.sealGroup != nil {
		return c.a.sealGroup(c, g, b)
	}
	return c.inner().SealGroup(g, b)
}

func (c *brokenClient) OpenGroup(t time.Time, g protocols.GroupID, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	if c.a.openGroup != nil {
		return c.a.openGroup(c, g, p, s)
	}
	return c.inner().OpenGroup(t, g, p, s)
}

func (c *brokenClient) State() []protocols.Record {
	if c.a.state != nil {
		return c.a.state(c)
	}
	return c.inner().State()
}

func (c *brokenClient) Changes() []protocols.Record {
	if c.a.changes != nil {
		return c.a.changes(c)
	}
	return c.inner().Changes()
}

func restored(cfg protocols.Config, r []protocols.Record) (inner, error) {
	c, err := sized.Adapter{}.Restore(cfg, r)
	if err != nil {
		return nil, err
	}
	return c.(inner), nil
}

var errVague = errors.New("something went wrong")

// faults are broken adapters by what is wrong with them, each with a check that
// must notice.
var faults = []struct {
	fault  string
	adapt  *broken
	caught string // by the check whose name contains this
}{
	{"ill-formed name", &broken{name: "Signal V3"}, "name is stable"},
	{"repeated one-time key ids", &broken{publish: func(c *brokenClient, n int) (protocols.KeyMaterial, error) {
		k, err := c.inner().Publish(now, n)
		for i := range k.OneTime {
			k.OneTime[i].ID = uint32(i + 1)
		}
		return k, err
	}}, "with unique ids"},
	{"publishes any number of keys", &broken{publish: func(c *brokenClient, n int) (protocols.KeyMaterial, error) {
		return c.inner().Publish(now, min(max(n, 0), protocols.MaxOneTime))
	}}, "count out of range"},
	{"rotates nothing", &broken{rotate: func(*brokenClient) error { return nil }}, "stays until it is rotated"},
	{"rotates twice", &broken{rotate: func(c *brokenClient) error {
		c.inner().Rotate(now)
		return c.inner().Rotate(now)
	}}, "serves until the next rotation"},
	{"reusable key material serves for ever", &broken{rotate: func(c *brokenClient) error {
		if c.n++; c.n > 1 {
			return nil
		}
		return c.inner().Rotate(now)
	}}, "serves until the next rotation"},
	{"one-time keys serve for ever", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		before := c.inner().State()
		o, err := c.inner().Open(p, s)
		if err == nil && o.Notice.Has(protocols.OneTimeKeyUsed) {
			i := slices.IndexFunc(before, func(r protocols.Record) bool { return r.Key == "onetime" })
			c.rollBack(apply(c.inner().State(), before[i:i+1]))
		}
		return o, err
	}}, "serves once"},
	{"one-time keys are not told as used", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		o, err := c.inner().Open(p, s)
		o.Notice &^= protocols.OneTimeKeyUsed
		return o, err
	}}, "serves once"},
	{"identity changes pass in silence", &broken{establish: func(c *brokenClient, p protocols.Address, b protocols.Bundle) (protocols.Notice, error) {
		n, err := c.inner().Establish(now, p, b)
		return n &^ protocols.IdentityChanged, err
	}}, "new identity"},
	{"everybody is established", &broken{established: func(*brokenClient, protocols.Address) bool { return true }}, "without a session"},
	{"opens a message again", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		o, err := c.inner().Open(p, s)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil {
			c.seen[string(s.Payload)] = o.Plaintext
		} else if text, ok := c.seen[string(s.Payload)]; ok && s.Type == "msg" {
			return protocols.Opened{Plaintext: text}, nil
		}
		return o, err
	}}, "opens once"},
	{"opens in order only", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		m, err := signal.ParseMessage(s.Payload)
		if err == nil && m.Counter > 0 && int(m.Counter) < c.n {
			return protocols.Opened{}, protocols.ErrReplayed
		}
		o, openErr := c.inner().Open(p, s)
		if openErr == nil {
			c.n = int(m.Counter)
		}
		return o, openErr
	}}, "any order"},
	{"is confused by loss", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		if m, err := signal.ParseMessage(s.Payload); err == nil && m.Counter > 100 {
			return protocols.Opened{}, protocols.ErrTooFarAhead
		}
		return c.inner().Open(p, s)
	}}, "no obstacle"},
	{"does not look at the last byte", &broken{
		seal: func(c *brokenClient, p protocols.Address, b []byte) (protocols.Sealed, error) {
			s, err := c.inner().Seal(p, b)
			s.Payload = append(s.Payload, 0)
			return s, err
		},
		open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
			s.Payload = s.Payload[:max(len(s.Payload)-1, 0)]
			return c.inner().Open(p, s)
		}}, "altered at any byte"},
	{"does not look at one bit", &broken{
		seal: func(c *brokenClient, p protocols.Address, b []byte) (protocols.Sealed, error) {
			s, err := c.inner().Seal(p, b)
			s.Payload = append(s.Payload, 0)
			return s, err
		},
		open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
			last := max(len(s.Payload)-1, 0)
			if len(s.Payload) > 0 && s.Payload[last]&^0x10 != 0 {
				return protocols.Opened{}, protocols.ErrAuthentication
			}
			s.Payload = s.Payload[:last]
			return c.inner().Open(p, s)
		}}, "altered at any bit"},
	{"takes more than the message", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		s.Payload = bytes.TrimSuffix(s.Payload, make([]byte, 64))
		return c.inner().Open(p, s)
	}}, "drawn out"},
	{"takes any version", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		s.Version = 2
		return c.inner().Open(p, s)
	}}, "another type or version"},
	{"panics on nothing", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		_ = s.Payload[0]
		return c.inner().Open(p, s)
	}}, "cut short"},
	{"opens whoever it is from", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		o, err := c.inner().Open(p, s)
		for i := 0; err != nil && s.Type == "msg" && i < 12; i++ {
			if o, err := c.inner().Open(protocols.Address(fmt.Sprint("peer ", i, "/ü%")), s); err == nil {
				return o, nil
			}
		}
		return o, err
	}}, "do not mix"},
	{"sends plaintext along", &broken{
		seal: func(c *brokenClient, p protocols.Address, b []byte) (protocols.Sealed, error) {
			s, err := c.inner().Seal(p, b)
			s.Payload = append(append([]byte{byte(len(b)), byte(len(b) >> 8), byte(len(b) >> 16)}, b...), s.Payload...)
			return s, err
		},
		open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
			if len(s.Payload) >= 3 {
				n := int(s.Payload[0]) | int(s.Payload[1])<<8 | int(s.Payload[2])<<16
				s.Payload = s.Payload[min(3+n, len(s.Payload)):]
			}
			return c.inner().Open(p, s)
		}}, "hides its plaintext"},
	{"writes to the plaintext", &broken{seal: func(c *brokenClient, p protocols.Address, b []byte) (protocols.Sealed, error) {
		s, err := c.inner().Seal(p, b)
		clear(b)
		return s, err
	}}, "neither kept nor written"},
	{"writes behind the plaintext", &broken{seal: func(c *brokenClient, p protocols.Address, b []byte) (protocols.Sealed, error) {
		if cap(b) > len(b) {
			b[:len(b)+1][len(b)] = 0x80
		}
		return c.inner().Seal(p, b)
	}}, "neither kept nor written"},
	{"keeps the payload", &broken{seal: func(c *brokenClient, p protocols.Address, b []byte) (protocols.Sealed, error) {
		c.mu.Lock()
		held := c.held
		c.mu.Unlock()
		if len(held) > 0 && bytes.Equal(held, make([]byte, len(held))) {
			return protocols.Sealed{}, errVague
		}
		s, err := c.inner().Seal(p, b)
		c.mu.Lock()
		c.held = s.Payload
		c.mu.Unlock()
		return s, err
	}}, "neither kept nor written"},
	{"errors say nothing", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		o, err := c.inner().Open(p, s)
		if err != nil {
			err = errVague
		}
		return o, err
	}}, "altered at any byte"},
	{"an error changes the state", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		o, err := c.inner().Open(p, s)
		if errors.Is(err, protocols.ErrAuthentication) {
			c.inner().Seal(p, nil) // a counter moves
		}
		return o, err
	}}, "altered at any byte"},
	{"a forged message kills the genuine one", &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		m, _ := signal.ParseMessage(s.Payload)
		key := string(m.RatchetKey[:]) + fmt.Sprint(m.Counter)
		c.mu.Lock()
		defer c.mu.Unlock()
		if s.Type == "msg" && c.seen[key] != nil {
			return protocols.Opened{}, protocols.ErrReplayed
		}
		o, err := c.inner().Open(p, s)
		if errors.Is(err, protocols.ErrAuthentication) {
			c.seen[key] = []byte{}
		}
		return o, err
	}}, "altered at any byte"},
	{"does not report a session as changed", &broken{changes: func(c *brokenClient) []protocols.Record {
		return slices.DeleteFunc(c.inner().Changes(), func(r protocols.Record) bool { return strings.HasPrefix(r.Key, "session/") })
	}}, "changes add up"},
	{"reports changes twice", &broken{changes: func(c *brokenClient) []protocols.Record {
		if changes := c.inner().Changes(); len(changes) > 0 {
			return changes
		}
		return c.inner().State()[:1]
	}}, "changes add up"},
	{"exports an unsorted state", &broken{state: func(c *brokenClient) []protocols.Record {
		r := c.inner().State()
		slices.Reverse(r)
		return r
	}}, "records are sorted"},
	{"forgets its one-time keys", &broken{restore: func(cfg protocols.Config, r []protocols.Record) (protocols.Client, error) {
		r = clone(r)
		for i := range r {
			if r[i].Key == "onetime" && len(r[i].Value) > 5 {
				clear(r[i].Value[5:])
			}
		}
		return sized.Adapter{}.Restore(cfg, r)
	}}, "honours what it published"},
	{"restores from anything", &broken{restore: func(cfg protocols.Config, r []protocols.Record) (protocols.Client, error) {
		c, err := sized.Adapter{}.Restore(cfg, r)
		if err != nil {
			return sized.Adapter{}.New(cfg)
		}
		return c, nil
	}}, "form no state"},
	{"restores only part of the time", &broken{restore: func(cfg protocols.Config, r []protocols.Record) (protocols.Client, error) {
		c, err := sized.Adapter{}.Restore(cfg, r)
		if err != nil {
			panic("unexpected record")
		}
		return c, nil
	}}, "never panic"},
	{"two sessions share a one-time key", &broken{open: func() func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		return func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
			c.mu.Lock()
			first := c.n == 0 && s.Type == "pkmsg"
			if first {
				c.n++
				c.held = nil
				before := c.inner().State()
				fork, err := sized.Adapter{}.Restore(c.cfg, before)
				c.mu.Unlock()
				if err != nil {
					return protocols.Opened{}, err
				}
				return fork.Open(p, s) // and the key stays in c
			}
			c.mu.Unlock()
			return c.inner().Open(p, s)
		}
	}()}, "used at once by many"},
	{"seals with one counter twice", &broken{seal: func(c *brokenClient, p protocols.Address, b []byte) (protocols.Sealed, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.n++; c.n%20 != 0 {
			return c.inner().Seal(p, b)
		}
		before := c.inner().State()
		s, err := c.inner().Seal(p, b)
		c.rollBack(before) // an update is lost
		return s, err
	}}, "sealed at once"},
}

// leak remembers what a client seals to a group, by the payload.
func leak(c *brokenClient, g protocols.GroupID, b []byte) ([]protocols.Envelope, error) {
	out, err := c.inner().SealGroup(g, b)
	if err == nil {
		c.a.leaked.Store(string(out[len(out)-1].Payload), string(b))
	}
	return out, err
}

// groupFaults are those of group clients.
var groupFaults = []struct {
	fault  string
	adapt  *broken
	caught []string
}{
	{"anybody reads everything", &broken{
		sealGroup: leak,
		openGroup: func(c *brokenClient, g protocols.GroupID, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
			o, err := c.inner().OpenGroup(now, g, p, s)
			if text, ok := c.a.leaked.Load(string(s.Payload)); ok && err != nil {
				return protocols.Opened{Plaintext: []byte(text.(string))}, nil
			}
			return o, err
		}}, []string{"there is none", "nothing before", "nothing that follows", "come back", "each once", "its sender and its group"}},
	{"a second change drops the first", &broken{change: func(c *brokenClient, g protocols.GroupID, add []protocols.Member, remove []protocols.Address) ([]protocols.Envelope, error) {
		c.inner().Settle(g, false)
		return c.inner().Change(now, g, add, remove)
	}}, []string{"pending until"}},
	{"a dropped change is merged", &broken{settle: func(c *brokenClient, g protocols.GroupID, _ bool) error {
		return c.inner().Settle(g, true)
	}}, []string{"pending until"}},
	{"a restart drops a pending change", &broken{restore: func(cfg protocols.Config, r []protocols.Record) (protocols.Client, error) {
		c, err := restored(cfg, r)
		if err == nil {
			c.Settle(theGroup, false)
		}
		return c, err
	}}, []string{"pending until", "changes add up"}},
	{"a change passes in silence", &broken{openGroup: func(c *brokenClient, g protocols.GroupID, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		o, err := c.inner().OpenGroup(now, g, p, s)
		o.Notice &^= protocols.MembersChanged
		return o, err
	}}, []string{"everybody reads"}},
	{"an empty plaintext is none", &broken{openGroup: func(c *brokenClient, g protocols.GroupID, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		o, err := c.inner().OpenGroup(now, g, p, s)
		if len(o.Plaintext) == 0 {
			o.Plaintext = nil
		}
		return o, err
	}}, []string{"everybody reads"}},
	{"plaintext is sent along", &broken{sealGroup: func(c *brokenClient, g protocols.GroupID, b []byte) ([]protocols.Envelope, error) {
		out, err := c.inner().SealGroup(g, b)
		if err == nil {
			last := &out[len(out)-1]
			last.Payload = append(last.Payload, b...)
		}
		return out, err
	}}, []string{"hides its plaintext"}},
	{"one byte is not looked at", &broken{
		sealGroup: func(c *brokenClient, g protocols.GroupID, b []byte) ([]protocols.Envelope, error) {
			out, err := c.inner().SealGroup(g, b)
			if err == nil {
				last := &out[len(out)-1]
				last.Payload = append(last.Payload, 0)
			}
			return out, err
		},
		openGroup: func(c *brokenClient, g protocols.GroupID, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
			if s.Type == "skmsg" {
				s.Payload = s.Payload[:max(len(s.Payload)-1, 0)]
			}
			return c.inner().OpenGroup(now, g, p, s)
		}}, []string{"altered payload"}},
	{"the group is not looked at", &broken{openGroup: func(c *brokenClient, g protocols.GroupID, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		o, err := c.inner().OpenGroup(now, g, p, s)
		if err != nil && g != theGroup {
			return c.inner().OpenGroup(now, theGroup, p, s)
		}
		return o, err
	}}, []string{"its sender and its group"}},
	{"an update is lost", &broken{sealGroup: func(c *brokenClient, g protocols.GroupID, b []byte) ([]protocols.Envelope, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.n++; c.n%20 != 0 {
			return c.inner().SealGroup(g, b)
		}
		before := c.inner().State()
		out, err := c.inner().SealGroup(g, b)
		c.rollBack(before)
		return out, err
	}}, []string{"sealed at once"}},
}

func TestBrokenGroupsFail(t *testing.T) {
	t.Parallel()
	for _, f := range groupFaults {
		t.Run(f.fault, func(t *testing.T) {
			t.Parallel()
			for _, caught := range f.caught {
				if !slices.ContainsFunc(failures(f.adapt, caught), func(n string) bool { return strings.HasPrefix(n, "group:") }) {
					t.Errorf("no check of %q noticed", caught)
				}
			}
		})
	}
}

func TestSoundAdapterPasses(t *testing.T) {
	t.Parallel()
	for _, a := range []protocols.Adapter{sized.Adapter{}, &broken{}} {
		if names := failures(a, ""); len(names) > 0 {
			t.Errorf("%T fails %q", a, names)
		}
	}
}

func TestBrokenAdaptersFail(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.fault, func(t *testing.T) {
			t.Parallel()
			if len(failures(f.adapt, f.caught)) == 0 {
				t.Errorf("no check of %q noticed", f.caught)
			}
		})
	}
}

// TestBrokenTwinsFail shows that RunTwin notices a wrong size and a wrong
// outcome, however late in a conversation.
func TestBrokenTwinsFail(t *testing.T) {
	t.Parallel()
	fails := func(twin protocols.Adapter, run func(*twins, tb, *rand.Rand)) bool {
		r := &recorder{}
		return len(r.run(func() {
			w := newTwins(r, [2]protocols.Adapter{sized.Adapter{}, twin}, Options{Suite: defaultSuite})
			run(w, r, rand.New(rand.NewPCG(1, 1)))
		})) > 0
	}
	longer := &broken{seal: func(c *brokenClient, p protocols.Address, b []byte) (protocols.Sealed, error) {
		s, err := c.inner().Seal(p, b)
		if c.n++; c.n > 4000 {
			s.Payload = append(s.Payload, 0)
		}
		return s, err
	}}
	vague := &broken{open: func(c *brokenClient, p protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
		o, err := c.inner().Open(p, s)
		if errors.Is(err, protocols.ErrAuthentication) {
			err = protocols.ErrReplayed
		}
		return o, err
	}}
	for name, run := range map[string]func(*twins, tb, *rand.Rand){"skip": (*twins).skip, "turns": (*twins).turns} {
		if fails(sized.Adapter{}, run) {
			t.Errorf("%s: an adapter is no twin of itself", name)
		}
	}
	if !fails(longer, (*twins).skip) {
		t.Error("nobody noticed a longer payload")
	}
	if !fails(vague, (*twins).turns) {
		t.Error("nobody noticed another error")
	}
}
