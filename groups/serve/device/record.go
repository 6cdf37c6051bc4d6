package device

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// The records of a device, which hold its secrets. Numbers in keys have 20 digits, so
// that they sort.
//
//	identity      the credential and the signature key, unless they come from outside: JSON
//	head          the numbers that were given: JSON
//	member/KEY    the machine's (groups/member)
//	event/N       an event that is not confirmed: JSON
//	open/ID       an intention without an outcome
//	errand/N      what the provider is to be told and has not answered: JSON
const (
	identityKey  = "identity"
	headKey      = "head"
	memberPrefix = "member/"
	eventPrefix  = "event/"
	openPrefix   = "open/"
	errandPrefix = "errand/"
)

func digits(prefix string, n uint64) string { return fmt.Sprintf("%s%020d", prefix, n) }

func eventKey(n uint64) string  { return digits(eventPrefix, n) }
func openKey(id uint64) string  { return digits(openPrefix, id) }
func errandKey(n uint64) string { return digits(errandPrefix, n) }

// head are the last numbers that were given. There is one as soon as the device has
// done anything.
type head struct {
	Event  uint64 `json:"event"`
	Errand uint64 `json:"errand"`
}

// mustJSON writes what is kept, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("device: invariant broken, the state can be written: " + err.Error())
	}
	return b
}

// restore makes the device of its records, or a new one if there are none.
func (d *Device) restore(ctx context.Context) error {
	var (
		machine []protocols.Record
		id      *mls.Identity
		known   bool
	)
	err := d.cfg.Store.Load(ctx, "", func(r protocols.Record) (err error) {
		switch {
		case r.Key == identityKey:
			id, err = parseIdentity(r.Value)
		case r.Key == headKey:
			known = true
			err = json.Unmarshal(r.Value, &d.head)
		case strings.HasPrefix(r.Key, memberPrefix):
			machine = append(machine, protocols.Record{Key: r.Key[len(memberPrefix):], Value: r.Value})
		default:
			err = d.restoreOne(r)
		}
		if err != nil {
			return fmt.Errorf("device: record %q: %w", r.Key, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("device: store: %w", err)
	}
	if err := d.identify(ctx, id); err != nil {
		return err
	}
	if d.member, err = member.Restore(d.cfg.Member, machine); err != nil {
		return fmt.Errorf("device: %w", err)
	}
	if !known && d.cfg.KeyPackages > 0 {
		_, _, err = d.step(member.PublishKeyPackages{N: d.cfg.KeyPackages, LastResort: true})
	}
	return err
}

// restoreOne reads a record of the device's own.
func (d *Device) restoreOne(r protocols.Record) error {
	prefix, rest, _ := strings.Cut(r.Key, "/")
	n, err := strconv.ParseUint(rest, 10, 64)
	if err != nil {
		return err
	}
	switch prefix + "/" {
	case eventPrefix:
		e, err := parseEvent(n, r.Value)
		if err != nil {
			return err
		}
		d.events = append(d.events, e)
		if id := member.Outcome(e.Event); id != 0 {
			d.ended(id, e)
		}
		return nil
	case openPrefix:
		d.open[n] = true
		return nil
	case errandPrefix:
		e, err := parseErrand(n, r.Value)
		d.errands = append(d.errands, e)
		return err
	}
	return fmt.Errorf("no such record")
}

// storedIdentity is an mls.Identity as it is kept.
type storedIdentity struct {
	Credential []byte   `json:"credential"`
	Suite      suite.ID `json:"suite"`
	Private    []byte   `json:"private"`
	Public     []byte   `json:"public"`
}

func parseIdentity(b []byte) (*mls.Identity, error) {
	var s storedIdentity
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	id := &mls.Identity{Signer: suite.KeyPair{Private: s.Private, Public: s.Public}}
	return id, wire.Unmarshal(s.Credential, &id.Credential)
}

// identify sets who the client is: as it was configured or is kept, or else anew.
func (d *Device) identify(ctx context.Context, kept *mls.Identity) error {
	switch {
	case d.cfg.Member.Identity != nil:
		return nil
	case kept != nil:
		d.cfg.Member.Identity = kept
		return nil
	}
	s := d.cfg.Member.Groups.Suite
	id, err := mls.NewIdentity(s, []byte(d.cfg.Client.String()))
	if err != nil {
		return fmt.Errorf("device: making an identity: %w", err)
	}
	credential, err := wire.Marshal(&id.Credential)
	if err != nil {
		return fmt.Errorf("device: making an identity: %w", err)
	}
	b := mustJSON(storedIdentity{Credential: credential, Suite: s.ID(), Private: id.Signer.Private, Public: id.Signer.Public})
	if err := d.cfg.Store.Commit(ctx, []protocols.Record{{Key: identityKey, Value: b}}); err != nil {
		return fmt.Errorf("device: store: %w", err)
	}
	d.cfg.Member.Identity = id
	return nil
}
