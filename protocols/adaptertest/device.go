package adaptertest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// now is the time of everything that the suite does.
var now = time.Date(2024, 3, 7, 0, 0, 0, 0, time.UTC)

// device is a client with its address and the verbs of a test.
type device struct {
	protocols.Client
	h       *harness
	address protocols.Address
}

// publish returns key material with n one-time keys.
func (d *device) publish(n int) protocols.KeyMaterial {
	d.h.Helper()
	k, err := d.Publish(now, n)
	if err != nil {
		d.h.Fatalf("%s publishes %d one-time keys: %v", d.address, n, err)
	}
	if len(k.OneTime) != n {
		d.h.Fatalf("%s published %d one-time keys, want %d", d.address, len(k.OneTime), n)
	}
	return k
}

// bundle returns fresh key material, as a server would hand it out.
func (d *device) bundle(oneTime bool) protocols.Bundle {
	d.h.Helper()
	if !oneTime {
		return protocols.Bundle{Static: d.publish(0).Static}
	}
	k := d.publish(1)
	return protocols.Bundle{Static: k.Static, OneTime: &k.OneTime[0]}
}

// establish starts a session with key material fresh from peer.
func (d *device) establish(peer *device, oneTime bool) protocols.Notice {
	d.h.Helper()
	return d.establishWith(peer, peer.bundle(oneTime))
}

func (d *device) establishWith(peer *device, b protocols.Bundle) protocols.Notice {
	d.h.Helper()
	n, err := d.Establish(now, peer.address, b)
	if err != nil {
		d.h.Fatalf("%s establishes a session with %s: %v", d.address, peer.address, err)
	}
	return n
}

func (d *device) seal(peer *device, text string) protocols.Sealed {
	d.h.Helper()
	s, err := d.Seal(peer.address, []byte(text))
	if err != nil {
		d.h.Fatalf("%s seals to %s: %v", d.address, peer.address, err)
	}
	return s
}

// open opens a payload that must hold want.
func (d *device) open(peer *device, s protocols.Sealed, want string) protocols.Notice {
	d.h.Helper()
	o, err := d.Open(peer.address, s)
	if err != nil {
		d.h.Fatalf("%s opens %s from %s: %v", d.address, describe(s), peer.address, err)
	}
	if string(o.Plaintext) != want {
		d.h.Fatalf("%s opened %s from %s and has %d bytes %.40q, want %d bytes %.40q",
			d.address, describe(s), peer.address, len(o.Plaintext), o.Plaintext, len(want), want)
	}
	return o.Notice
}

// exchange sends a text both ways.
func (d *device) exchange(peer *device) {
	d.h.Helper()
	peer.open(d, d.seal(peer, "there"), "there")
	d.open(peer, peer.seal(d, "and back"), "and back")
}

// refuses demands that op fails with an error that wraps want (any sentinel of
// package protocols if want is nil) and changes nothing.
func (d *device) refuses(what string, want error, op func() error) {
	d.h.Helper()
	before := d.State()
	err := op()
	switch {
	case err == nil:
		d.h.Fatalf("%s: %s succeeded, want an error", d.address, what)
	case want != nil && !errors.Is(err, want):
		d.h.Errorf("%s: %s: error %q, want one that wraps %q", d.address, what, err, want)
	case want == nil && sentinel(err) == nil:
		d.h.Errorf("%s: %s: error %q wraps no sentinel of package protocols", d.address, what, err)
	}
	if changes := d.Changes(); len(changes) != 0 {
		d.h.Fatalf("%s: %s: failed with %q but changed record %q", d.address, what, err, changes[0].Key)
	}
	if diff := diffRecords(before, d.State()); diff != "" {
		d.h.Fatalf("%s: %s: failed with %q but changed the state: %s", d.address, what, err, diff)
	}
}

// refusesPayload demands that a payload does not open.
func (d *device) refusesPayload(peer *device, s protocols.Sealed, what string, want error) {
	d.h.Helper()
	d.refuses("opening "+what, want, func() error {
		_, err := d.Open(peer.address, s)
		return err
	})
}

// restored returns a device made from the records.
func (d *device) restored(records []protocols.Record) *device {
	d.h.Helper()
	c, err := d.h.adapter.Restore(d.h.config(d.address), records)
	if err != nil {
		d.h.Fatalf("restore %s from its state: %v", d.address, err)
	}
	return &device{Client: c, h: d.h, address: d.address}
}

// sentinels are the errors of package protocols.
var sentinels = []error{
	protocols.ErrNoSession, protocols.ErrMalformed, protocols.ErrAuthentication, protocols.ErrReplayed,
	protocols.ErrKeyUnknown, protocols.ErrTooFarAhead, protocols.ErrPending, protocols.ErrState,
}

// sentinel returns the sentinel that err wraps, or nil.
func sentinel(err error) error {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return s
		}
	}
	return nil
}

// apply returns the records of a store after changes were written to it.
func apply(store, changes []protocols.Record) []protocols.Record {
	byKey := make(map[string][]byte, len(store))
	for _, r := range store {
		byKey[r.Key] = r.Value
	}
	for _, r := range changes {
		if r.Value == nil {
			delete(byKey, r.Key)
		} else {
			byKey[r.Key] = r.Value
		}
	}
	out := make([]protocols.Record, 0, len(byKey))
	for k, v := range byKey {
		out = append(out, protocols.Record{Key: k, Value: v})
	}
	slices.SortFunc(out, func(a, b protocols.Record) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// diffRecords says in what the records differ, or nothing.
func diffRecords(want, got []protocols.Record) string {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got) || i < len(want) && want[i].Key < got[i].Key:
			return "record " + want[i].Key + " is missing"
		case i >= len(want) || want[i].Key > got[i].Key:
			return "record " + got[i].Key + " is new"
		case !bytes.Equal(want[i].Value, got[i].Value):
			return "record " + want[i].Key + " differs"
		}
	}
	return ""
}

// clone returns records that share nothing with the given ones.
func clone(records []protocols.Record) []protocols.Record {
	out := slices.Clone(records)
	for i := range out {
		out[i].Value = bytes.Clone(out[i].Value)
	}
	return out
}
