package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// errand is what the provider is to be told once, and of which the machine does not
// want to know what came of it: KeyPackages, or that the client has left a room. The
// provider is told again until it has answered, in the order of the numbers.
type errand struct {
	n       uint64
	Publish []message.KeyPackage
	Leave   *follower.Leave
}

// input returns what the connection is to do.
func (e *errand) input() any {
	if e.Leave != nil {
		return *e.Leave
	}
	return follower.Publish{KeyPackages: e.Publish}
}

// storedErrand is an errand as it is kept.
type storedErrand struct {
	Publish [][]byte  `json:"publish,omitempty"`
	Leave   ident.URI `json:"leave,omitzero"`
	Seq     uint64    `json:"seq,omitempty"`
}

// errand adds an errand to a batch. The caller holds the lock. A machine says of every
// event of a room that it is not in that it has left; what waits already says the same,
// and if it comes too early, the next event has it said again.
func (d *Device) errand(b *batch, e errand) {
	if e.Leave != nil && (leaves(d.errands, e.Leave.Room) || leaves(b.errands, e.Leave.Room)) {
		return
	}
	d.head.Errand++
	e.n = d.head.Errand
	var s storedErrand
	if e.Leave != nil {
		s.Leave, s.Seq = e.Leave.Room, e.Leave.Seq
	}
	for i := range e.Publish {
		p, err := wire.Marshal(&e.Publish[i])
		if err != nil {
			panic("device: invariant broken, an own KeyPackage can be written: " + err.Error())
		}
		s.Publish = append(s.Publish, p)
	}
	b.errands = append(b.errands, e)
	b.records = append(b.records, protocols.Record{Key: errandKey(e.n), Value: mustJSON(s)})
}

// leaves reports whether an errand says that the client has left a room.
func leaves(list []errand, room ident.URI) bool {
	return slices.ContainsFunc(list, func(e errand) bool { return e.Leave != nil && e.Leave.Room == room })
}

func parseErrand(n uint64, b []byte) (errand, error) {
	var s storedErrand
	if err := json.Unmarshal(b, &s); err != nil {
		return errand{}, err
	}
	e := errand{n: n, Publish: make([]message.KeyPackage, len(s.Publish))}
	if !s.Leave.IsZero() {
		e.Leave = &follower.Leave{Room: s.Leave, Seq: s.Seq}
	}
	for i, p := range s.Publish {
		if err := wire.Unmarshal(p, &e.Publish[i]); err != nil {
			return errand{}, fmt.Errorf("KeyPackage %d: %w", i+1, err)
		}
	}
	return e, nil
}

// firstErrand returns the one that is next.
func (d *Device) firstErrand() (errand, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.errands) == 0 || d.stopped != nil {
		return errand{}, false
	}
	return d.errands[0], true
}

// counts reports whether the provider is to be asked how many KeyPackages there are.
func (d *Device) counts() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.uncount && d.stopped == nil
}

// countAgain has it asked.
func (d *Device) countAgain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.uncount = d.cfg.KeyPackages > 0
}

// replenish makes the KeyPackages that the provider lacks, of which it has n: some were
// used, some were claimed for a Welcome that never came, and some soon expire.
func (d *Device) replenish(n int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped != nil {
		return d.stopped
	}
	d.uncount = false
	missing := max(d.cfg.KeyPackages-n, 0)
	last := !d.member.HasLastResort(d.cfg.Now())
	if missing == 0 && !last {
		d.signal()
		return nil
	}
	_, refused, err := d.stepLocked(member.PublishKeyPackages{N: missing, LastResort: last})
	return errors.Join(err, errors.Join(refused...))
}
