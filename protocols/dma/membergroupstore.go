package dma

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// memberGroupRecord is the stored form of a group at a device.
type memberGroupRecord struct {
	Subject string         `json:"subject,omitempty"`
	Version uint64         `json:"version"`
	Members []storedMember `json:"members"`
}

type storedMember struct {
	Address string `json:"a"`
	Admin   bool   `json:"admin,omitempty"`
	Since   uint64 `json:"since"`
}

func groupRecordKey(a ident.Address) string { return "group/" + a.String() }

func (d *Device) saveGroup(gr *memberGroup) {
	if d.records.off {
		return
	}
	r := memberGroupRecord{Subject: gr.Subject, Version: gr.Version}
	for _, m := range gr.Members {
		r.Members = append(r.Members, storedMember{m.Address.String(), m.Admin, m.Since})
	}
	d.records.put(groupRecordKey(gr.Address), mustJSON(r))
}

func (d *Device) deleteGroup(gr *memberGroup) {
	if !d.records.off {
		d.records.delete(groupRecordKey(gr.Address))
	}
}

func (d *Device) restoreMemberGroup(key string, data []byte) error {
	addr, err := ident.ParseAddress(key)
	if err != nil {
		return err
	}
	var r memberGroupRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	gr := &memberGroup{Group: Group{Address: addr, Subject: r.Subject, Version: r.Version}, id: protocols.GroupID(addr.String())}
	for _, m := range r.Members {
		a, err := ident.ParseAddress(m.Address)
		if err != nil {
			return err
		}
		if gr.has(a) || a.User == "" || a.Server == ident.Group || len(gr.Members) == MaxGroupLimit {
			return fmt.Errorf("member %v, want at most %d different users", a, MaxGroupLimit)
		}
		gr.Members = append(gr.Members, GroupMember{a, m.Admin, m.Since})
	}
	if d.hosted == nil || addr.Server != ident.Group || addr.User == "" || !gr.has(d.cfg.Address) {
		return fmt.Errorf("no group that the device is in")
	}
	gr.hash = ParticipantHash(gr.addresses())
	// The client has its own record, which lacks those whose keys were of no use.
	names, err := d.hosted.Members(gr.id)
	if err != nil {
		return err
	}
	for _, name := range names {
		if a, err := ident.ParseAddress(string(name)); err != nil || !gr.has(a) {
			return fmt.Errorf("client has the member %s", name)
		}
	}
	if err := d.hosted.SetMembers(gr.id, names); err != nil { // which are so; unless it is not hosted
		return err
	}
	if d.groups == nil {
		d.groups = make(map[ident.Address]*memberGroup)
	}
	d.groups[addr] = gr
	return nil
}

// groupRecords is the part of an outRecord that is about groups.
type groupRecords struct {
	Group   string   `json:"group,omitempty"`
	Wish    wish     `json:"wish,omitempty"`
	Ref     string   `json:"ref,omitempty"`
	PHash   string   `json:"phash,omitempty"`
	Version uint64   `json:"version,omitempty"`
	Waiting []string `json:"waiting,omitempty"`
}

func (o *outgoing) groupRecords() groupRecords {
	r := groupRecords{Group: groupText(o.group), Wish: o.wish, Ref: o.ref, PHash: o.phash, Version: o.version}
	for _, a := range sortedAddresses(o.waiting) {
		r.Waiting = append(r.Waiting, a.String())
	}
	return r
}

func (d *Device) restoreGroupState(o *outgoing, r *outRecord) (err error) {
	if r.Group != "" {
		if o.group, err = ident.ParseAddress(r.Group); err != nil {
			return err
		}
		if o.group.User == "" || o.group.Server != ident.Group {
			return fmt.Errorf("group %v", o.group)
		}
	}
	o.wish, o.ref, o.phash, o.version = r.Wish, r.Ref, r.PHash, r.Version
	for _, s := range r.Waiting {
		a, err := ident.ParseAddress(s)
		if err != nil {
			return err
		}
		if o.waiting == nil {
			o.waiting = make(map[ident.Address]bool)
		}
		o.waiting[a] = true
	}
	switch o.wish {
	case "":
	case wishCreate, wishList:
	case wishRoster, wishChange, wishLeave, wishKeys:
		if r.Group == "" {
			return fmt.Errorf("wish for no group")
		}
	default:
		return fmt.Errorf("wish %q", o.wish)
	}
	switch {
	case o.wish != "" && o.kind != outIQ, o.kind == outGroup && (r.Group == "" || r.Peer != ""):
		return fmt.Errorf("kind %d of group %q with peer %q and wish %q", o.kind, r.Group, r.Peer, o.wish)
	case o.wish == wishKeys:
		s, err := parseFrame(o.frame)
		q, _ := s.(*stanza.IQ)
		if err != nil || q == nil {
			return fmt.Errorf("wish for keys that is no query")
		}
		p, _ := q.Payload.(*stanza.KeyFetch)
		if p == nil {
			return fmt.Errorf("wish for keys that asks for none")
		}
		for _, a := range p.Users {
			o.users = append(o.users, d.peer(a))
		}
	}
	return nil
}

func gotKey(o *outgoing, who ident.Address) string {
	return "got/" + strings.TrimPrefix(outKey(o), "out/") + "/" + who.String()
}

// saveGot records that nothing more is due to a member for a message.
func (d *Device) saveGot(o *outgoing, who ident.Address) {
	if !d.records.off {
		d.records.put(gotKey(o, who), []byte{1})
	}
}

// deleteGot forgets of whom there were receipts.
func (d *Device) deleteGot(o *outgoing) {
	if !d.records.off {
		for _, who := range o.told {
			d.records.delete(gotKey(o, who))
		}
	}
	o.told = nil
}

// restoreGot takes the keys of records that saveGot made.
func (d *Device) restoreGot(keys []string) error {
	messages := make(map[string]*outgoing)
	for _, o := range d.out {
		messages[strings.TrimPrefix(outKey(o), "out/")] = o
	}
	for _, o := range d.sent {
		messages[strings.TrimPrefix(outKey(o), "out/")] = o
	}
	slices.Sort(keys)
	for _, key := range keys {
		seq, who, _ := strings.Cut(key, "/")
		a, err := ident.ParseAddress(who)
		o := messages[seq]
		if err != nil || o == nil || o.kind != outGroup {
			return fmt.Errorf("record %q: no message to a group, or no user", "got/"+key)
		}
		delete(o.waiting, a)
		o.told = append(o.told, a)
	}
	return nil
}
