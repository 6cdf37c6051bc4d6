package dma

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// The records a device keeps:
//
//	self           what was published and when, and the choice of inbox: JSON
//	out/<seq>      a stanza in the outbox, or a message without delivery receipt: JSON
//	got/<seq>/<a>  a receipt of one of those who get a message to a group
//	group/<a>      a group that the user is in: JSON
//	seen/<slot>    the key of a message shown to the user
//	e2e/<key>      the records of the end-to-end client

// ClientPrefix is what the keys of the end-to-end client's records begin with among a
// device's.
const ClientPrefix = "e2e/"

type selfRecord struct {
	Published bool         `json:"published"`
	RotatedAt time.Time    `json:"rotated_at"`
	Inbox     stanza.Inbox `json:"inbox,omitempty"`
}

func (d *Device) saveSelf() {
	if !d.records.off {
		d.records.put("self", mustJSON(selfRecord{d.published, d.rotatedAt, d.inbox}))
	}
}

type outRecord struct {
	Kind    outKind     `json:"kind"`
	ID      string      `json:"id"`
	Type    string      `json:"type,omitempty"`
	Peer    string      `json:"peer,omitempty"`
	Content []byte      `json:"content,omitempty"`
	Media   ContentKind `json:"media,omitempty"`
	Attempt int         `json:"attempt,omitempty"`
	Frame   []byte      `json:"frame,omitempty"`
	Fetch   bool        `json:"fetch,omitempty"`
	Rekey   bool        `json:"rekey,omitempty"`
	Sent    bool        `json:"sent,omitempty"` // acknowledged; waits for the delivery receipt
	groupRecords
}

func (d *Device) deleteOut(o *outgoing) {
	if !d.records.off {
		d.records.delete(outKey(o))
	}
}

func outKey(o *outgoing) string { return "out/" + strconv.FormatUint(o.seq, 10) }

// saveOut records a stanza in the outbox.
func (d *Device) saveOut(o *outgoing) { d.saveOutgoing(o, false) }

// saveSent records a message that waits for its delivery receipt.
func (d *Device) saveSent(o *outgoing) { d.saveOutgoing(o, true) }

func (d *Device) saveOutgoing(o *outgoing, sent bool) {
	if d.records.off {
		return
	}
	r := outRecord{
		Kind: o.kind, ID: o.id, Type: o.typ, Content: o.content, Media: o.media,
		Attempt: o.attempt, Frame: o.frame, Fetch: o.fetch, Sent: sent,
	}
	if o.peer != nil {
		r.Peer, r.Rekey = o.peer.addr.String(), o.peer.rekey
	}
	r.groupRecords = o.groupRecords()
	d.records.put(outKey(o), mustJSON(r))
}

func (d *Device) saveSeen() {
	if !d.records.off {
		slot, value := d.seen.record()
		d.records.put("seen/"+strconv.Itoa(slot), value)
	}
}

// ClientRecords picks the records of the end-to-end client from a device's, for
// [protocols.Adapter.Restore].
func ClientRecords(records []protocols.Record) []protocols.Record {
	var out []protocols.Record
	for _, r := range records {
		if key, ok := strings.CutPrefix(r.Key, ClientPrefix); ok {
			out = append(out, protocols.Record{Key: key, Value: r.Value})
		}
	}
	slices.SortFunc(out, func(a, b protocols.Record) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// RestoreDevice makes a device from the records of an earlier one: all of them,
// each key once. cfg.Client has been restored from [ClientRecords]. The device is
// not connected.
func RestoreDevice(cfg DeviceConfig, records []protocols.Record) (*Device, error) {
	d, err := NewDevice(cfg)
	if err != nil {
		return nil, err
	}
	var got []string
	for _, r := range records {
		if key, ok := strings.CutPrefix(r.Key, "got/"); ok {
			got = append(got, key) // of what may come after it
			continue
		}
		if err := d.restore(r); err != nil {
			return nil, fmt.Errorf("dma: restore device: record %q: %w: %w", r.Key, protocols.ErrState, err)
		}
	}
	if err := d.restoreGot(got); err != nil {
		return nil, fmt.Errorf("dma: restore device: %w: %w", protocols.ErrState, err)
	}
	slices.SortFunc(d.out, func(a, b *outgoing) int { return cmp.Compare(a.seq, b.seq) })
	for _, o := range d.out {
		if o.fetch {
			o.peer.fetching = true
		}
		for _, p := range o.users {
			p.fetching = true
		}
	}
	return d, nil
}

func (d *Device) restore(r protocols.Record) error {
	kind, rest, _ := strings.Cut(r.Key, "/")
	switch kind {
	case "self":
		var s selfRecord
		if err := json.Unmarshal(r.Value, &s); err != nil {
			return err
		}
		d.published, d.rotatedAt, d.inbox = s.Published, s.RotatedAt, s.Inbox
	case "seen":
		return d.seen.restore(r.Value)
	case "out":
		return d.restoreOut(rest, r.Value)
	case "group":
		return d.restoreMemberGroup(rest, r.Value)
	case "e2e":
	default:
		return fmt.Errorf("unknown kind")
	}
	return nil
}

func (d *Device) restoreOut(seq string, data []byte) error {
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return err
	}
	var r outRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	o := &outgoing{
		seq: n, kind: r.Kind, id: r.ID, typ: r.Type, content: r.Content, media: r.Media,
		attempt: r.Attempt, frame: r.Frame, fetch: r.Fetch,
	}
	switch {
	case o.kind > outGroup:
		return fmt.Errorf("kind %d", o.kind)
	case (o.kind == outMessage || o.kind == outGroup) && (len(o.content) == 0 || o.attempt < 0 || o.attempt > stanza.MaxRetry):
		return fmt.Errorf("message of %d bytes in attempt %d", len(o.content), o.attempt)
	case o.kind != outMessage && o.kind != outGroup && (len(o.frame) == 0 || r.Sent):
		return fmt.Errorf("no frame")
	}
	if err := d.restoreGroupState(o, &r); err != nil {
		return err
	}
	if r.Peer != "" {
		addr, err := ident.ParseAddress(r.Peer)
		if err != nil {
			return err
		}
		o.peer = d.peer(addr)
		o.peer.rekey = o.peer.rekey || r.Rekey && !r.Sent
	} else if o.kind != outIQ && o.kind != outGroup || o.fetch {
		return fmt.Errorf("no peer")
	}
	d.nextSeq = max(d.nextSeq, n)
	if !r.Sent {
		d.out = append(d.out, o)
		return nil
	}
	if d.sent == nil {
		d.sent = make(map[string]*outgoing)
	}
	d.sent[o.id] = o
	return nil
}
