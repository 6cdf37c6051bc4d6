package rooms

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Check is the name of something that must hold in a room.
type Check string

// What must hold in a room, whatever goes wrong around it.
const (
	// CheckAgreement: when all has come to rest, the hub and all clients in the group are at one
	// epoch, with one epoch authenticator and one state of the room.
	CheckAgreement Check = "agreement"
	// CheckFork: what a hub has accepted follows from what it had accepted before.
	CheckFork Check = "fork"
	// CheckAccepted: what the hub has accepted, no client refuses, and none misses events.
	CheckAccepted Check = "accepted"
	// CheckDelivery: each message that the hub has accepted is told once to each client that was
	// in the group then, in the hub's order; and its sender is told what is true.
	CheckDelivery Check = "delivery"
	// CheckRemoval: who was removed is told no later message, and a provider without a client
	// in the group is sent no later event.
	CheckRemoval Check = "removal"
	// CheckWelcome: each client that a Commit adds joins by its Welcome.
	CheckWelcome Check = "welcome"
	// CheckSecrecy: no plaintext and no secret of an epoch in what providers send, get or keep.
	CheckSecrecy Check = "secrecy"
	// CheckLiveness: every intention has an outcome, and nothing is left to do.
	CheckLiveness Check = "liveness"
)

// Checks lists all checks.
var Checks = []Check{
	CheckAgreement, CheckFork, CheckAccepted, CheckDelivery, CheckRemoval, CheckWelcome, CheckSecrecy, CheckLiveness,
}

// Violation is something that does not hold.
type Violation struct {
	Check Check    `json:"check"`
	At    des.Time `json:"at_ns"`
	Node  string   `json:"node"`
	What  string   `json:"what"`
}

// String returns the violation in one line.
func (v Violation) String() string {
	return fmt.Sprintf("%s at %v: %s: %s", v.Check, v.At, v.Node, v.What)
}

// judge watches a world and says what does not hold in one room of it.
type judge struct {
	w       *World
	truth   *truth
	markers [][]byte
	// numbers are those by which each device was delivered the events of the room, by
	// their timestamps.
	numbers map[string]map[uint64]uint64
	last    *Device // who has sent the last message, when all had come to rest
	found   []Violation
	count   int
}

// marker stands in every plaintext, and by chance nowhere else.
const marker = "in plain text: 7c1e9a42d05b"

// maxViolations is how many violations of a run are kept.
const maxViolations = 20

func newJudge(w *World, uri ident.URI, cfg *mls.Config) *judge {
	j := &judge{w: w, truth: newTruth(w, uri, cfg), numbers: make(map[string]map[uint64]uint64)}
	j.truth.report = j.report
	text := []byte(marker)
	j.markers = [][]byte{text, []byte(hex.EncodeToString(text))}
	for i := range 3 { // as base64 has it, wherever it begins
		b := base64.StdEncoding.EncodeToString(append(make([]byte, i), text...))
		j.markers = append(j.markers, []byte(b[4:len(b)-4]))
	}
	w.watch.hub, w.watch.device, w.watch.record = j.truth.hub, j.truth.device, j.records
	w.watch.frame = j.frame
	return j
}

func (j *judge) report(c Check, node, format string, args ...any) {
	if j.count++; len(j.found) < maxViolations {
		j.found = append(j.found, Violation{c, j.w.Now(), node, fmt.Sprintf(format, args...)})
	}
}

// frame looks at a frame that is sent.
func (j *judge) frame(f *Frame) {
	if j.leaks(f.Body) || j.leaks([]byte(f.Reason)) {
		j.report(CheckSecrecy, f.From, "plaintext in frame %d, %s to %s", f.Number, f.Summary(), f.To)
	}
	if f.Kind == Delivery && f.Struct == "FanoutMessage" && f.Subject == j.truth.room.String() {
		j.delivery(f)
	}
	if f.Kind != Request || f.Endpoint != mimi.EndpointNotify || len(j.truth.away[f.To]) == 0 || f.Subject != j.truth.room.String() {
		return
	}
	list, err := mimi.ParseFanoutMessages(f.Body, nil)
	if err != nil {
		j.report(CheckRemoval, f.From, "frame %d: %v", f.Number, err)
	}
	for i := range list {
		for _, x := range j.truth.away[f.To] {
			if at := list[i].Timestamp; x.from < at && at < x.to {
				j.report(CheckRemoval, f.From, "%s gets an event of kind %v at %d, and had no client in the room from %d on", f.To, list[i].Kind(), at, x.from)
			}
		}
	}
}

// delivery looks whether a client is delivered an event as two. A Welcome has the timestamp
// of its Commit, and goes through the mailbox.
func (j *judge) delivery(f *Frame) {
	if f.Mailbox || len(f.Body) < 8 {
		return
	}
	seen := j.numbers[f.To]
	if seen == nil {
		seen = make(map[uint64]uint64)
		j.numbers[f.To] = seen
	}
	at := binary.BigEndian.Uint64(f.Body)
	if before, ok := seen[at]; ok && before != f.Seq {
		j.report(CheckDelivery, f.From, "delivers the event at %d to %s as %d and as %d", at, f.To, before, f.Seq)
	}
	seen[at] = f.Seq
}

// records looks at what a provider is to keep.
func (j *judge) records(p *Provider, list []protocols.Record) {
	for _, r := range list {
		if j.leaks(r.Value) || j.leaks([]byte(r.Key)) {
			j.report(CheckSecrecy, p.Domain, "plaintext in record %q", r.Key)
		}
	}
}

func (j *judge) leaks(b []byte) bool {
	return slices.ContainsFunc(j.markers, func(m []byte) bool { return bytes.Contains(b, m) })
}

// end says what does not hold when all has come to rest.
func (j *judge) end() {
	j.agreement()
	for _, d := range j.w.Devices() {
		j.device(d)
	}
	j.reading()
	j.welcomes()
	j.secrets()
	j.leftovers()
}

// agreement compares what each client in the group knows with what the hub keeps.
func (j *judge) agreement() {
	g, err := j.kept()
	if err != nil {
		j.report(CheckAgreement, j.truth.room.Provider(), "the hub's records: %v", err)
		return
	}
	want, err := wire.Marshal(j.truth.group.Context())
	got, err1 := wire.Marshal(g.Context())
	if err != nil || err1 != nil || !bytes.Equal(want, got) {
		j.report(CheckAgreement, j.truth.room.Provider(), "the hub keeps epoch %d, and has accepted epoch %d", g.Epoch(), j.truth.group.Epoch())
	}
	tr := room.Translator{Users: userOf, Points: &mimi.DefaultCodePoints.MLS}
	state, err := tr.Decode(&room.DefaultPoints, g.Context(), g.Tree())
	if err != nil {
		j.report(CheckAgreement, j.truth.room.Provider(), "the room's state: %v", err)
		return
	}
	dict, err := wire.Marshal(state.Dictionary())
	if err != nil {
		j.report(CheckAgreement, j.truth.room.Provider(), "the room's state: %v", err)
		return
	}
	in := make(map[string]bool)
	for _, x := range j.truth.members {
		in[x.device] = true
	}
	var first *Device
	var auth []byte
	for _, d := range j.w.Devices() {
		r, ok := d.Room(j.truth.room)
		inside := ok && r.State != nil
		switch {
		case inside && !in[d.Name]:
			j.report(CheckAgreement, d.Name, "is in epoch %d, and not in the group", r.Epoch)
		case !inside && in[d.Name]:
			j.report(CheckAgreement, d.Name, "is in the group, and does not know")
		}
		if !inside || !in[d.Name] {
			continue
		}
		if first == nil {
			first, auth = d, r.Authenticator
		}
		mine, err := wire.Marshal(r.State.Dictionary())
		switch {
		case r.Epoch != g.Epoch():
			j.report(CheckAgreement, d.Name, "is in epoch %d, the hub in %d", r.Epoch, g.Epoch())
		case !bytes.Equal(r.Authenticator, auth):
			j.report(CheckAgreement, d.Name, "has epoch authenticator %.4x, %s has %.4x", r.Authenticator, first.Name, auth)
		case err != nil || !bytes.Equal(mine, dict):
			j.report(CheckAgreement, d.Name, "knows another state of the room than the hub: %v", err)
		case r.State.Clients() != len(in):
			j.report(CheckAgreement, d.Name, "sees %d clients, and %d are in the group", r.State.Clients(), len(in))
		}
	}
}

// kept returns the group as the hub's records have it.
func (j *judge) kept() (*mls.PublicGroup, error) {
	s := j.truth.room.Segments()
	prefix := "room/" + s[len(s)-1] + "/mls/"
	var list []mls.Record
	p := j.w.providers[j.truth.room.Provider()]
	for _, r := range p.hubStore.records() {
		if key, ok := strings.CutPrefix(r.Key, prefix); ok {
			list = append(list, mls.Record{Key: key, Value: r.Value})
		}
	}
	return mls.RestorePublic(j.truth.cfg, list)
}

// userOf says whose a credential is, as package room asks.
func userOf(c *message.Credential) (string, []room.Claim, error) {
	_, user, err := mimi.Client(c)
	return user.String(), nil, err
}

// device looks at what a device was told, and at what became of its intentions.
func (j *judge) device(d *Device) {
	for _, x := range d.Events {
		switch e := x.Event.(type) {
		case member.Refused:
			j.report(CheckAccepted, d.Name, "refused at %v: %s: %v", x.At, e.What, e.Why)
		case member.Gap:
			j.report(CheckAccepted, d.Name, "misses events at %v: deliveries %d to %d, epoch %d", x.At, e.From, e.To, e.Epoch)
		}
	}
	for _, v := range j.truth.wishes[d.Name] {
		if v.outcome == nil {
			j.report(CheckLiveness, d.Name, "intention %d, %T at %v, has no outcome", v.id, v.in, v.at)
		}
	}
	if r, ok := d.Room(j.truth.room); ok && (r.Waiting > 0 || r.Status != "inside" && r.Status != "leaving") {
		j.report(CheckLiveness, d.Name, "is %s, and %d intentions wait", r.Status, r.Waiting)
	}
}

// reading compares who was told what with what the hub has accepted.
func (j *judge) reading() {
	by := make(map[*wish][]*acceptance)
	at := make(map[uint64]*acceptance)
	for _, a := range j.truth.accepted {
		by[a.wish] = append(by[a.wish], a)
		at[a.at] = a
	}
	told := make(map[string]map[*wish]int) // in all stays
	for _, d := range j.w.Devices() {
		told[d.Name] = make(map[*wish]int)
		last, here := uint64(0), make(map[*wish]bool)
		for _, x := range d.Events {
			if _, anew := x.Event.(member.Joined); anew {
				clear(here)
			}
			e, ok := x.Event.(member.Message)
			if !ok || e.Room != j.truth.room {
				continue
			}
			ms := uint64(e.Accepted.UnixMilli())
			a := at[ms]
			text := ""
			if e.Content != nil {
				text, _ = e.Content.Body.PlainText()
			}
			if a == nil || text != a.wish.text {
				j.report(CheckDelivery, d.Name, "was told %q of %d, which the hub has not accepted", text, ms)
				continue
			}
			if e.Unfranked != nil {
				j.report(CheckDelivery, d.Name, "was told %q without a frank that holds: %v", text, e.Unfranked)
			}
			if ms <= last {
				j.report(CheckDelivery, d.Name, "was told %q of %d after one of %d", text, ms, last)
			}
			last = ms
			if !slices.ContainsFunc(j.truth.stays[d.Name], func(s *stay) bool { return s.from <= a.epoch && s.since < ms && ms < s.until }) {
				j.report(CheckRemoval, d.Name, "was told %q of epoch %d, accepted in %d, and was not in the room", text, a.epoch, a.hubEpoch)
			}
			// A sender that did not get its answer sends a message anew, and the hub accepts it
			// again. A client that was out meanwhile takes it for another.
			if here[a.wish] {
				j.report(CheckDelivery, d.Name, "was told %q twice", text)
			}
			here[a.wish] = true
			told[d.Name][a.wish]++
		}
	}
	joined := j.joined()
	for _, d := range j.w.Devices() {
		for _, v := range j.wishes() {
			list := by[v]
			if v.device == d {
				j.sender(v, list)
				continue
			}
			// may: it had the keys; must: and nothing let the hub keep it back.
			may, must := 0, 0
			for _, a := range list {
				for _, s := range j.truth.stays[d.Name] {
					if s.from <= a.epoch && s.since < a.at && a.at < s.until && joined[d.Name][s.from] {
						may++
						if a.listed[d.User.String()] {
							must++
						}
					}
				}
			}
			switch n := told[d.Name][v]; {
			case must > 0 && n == 0:
				j.report(CheckDelivery, d.Name, "was not told %q, accepted at %v in epoch %d", v.text, list[0].when, list[0].hubEpoch)
			case n > may:
				j.report(CheckDelivery, d.Name, "was told %q %d times, and it was accepted for it %d times", v.text, n, may)
			}
		}
	}
}

// wishes returns those that are messages.
func (j *judge) wishes() (list []*wish) {
	for _, name := range slices.Sorted(maps.Keys(j.truth.wishes)) {
		for _, v := range j.truth.wishes[name] {
			if v.text != "" {
				list = append(list, v)
			}
		}
	}
	return list
}

// sender looks at what the sender of a message was told of it.
func (j *judge) sender(v *wish, list []*acceptance) {
	switch e := v.outcome.(type) {
	case member.Sent:
		known := e.Accepted.IsZero()
		for _, a := range list {
			known = known || uint64(e.Accepted.UnixMilli()) == a.at
		}
		if !known || len(list) == 0 {
			j.report(CheckDelivery, v.device.Name, "was told that %q was accepted at %v, which it was not", v.text, e.Accepted)
		}
	case member.Failed:
		if !e.Unknown && len(list) > 0 {
			j.report(CheckDelivery, v.device.Name, "was told that %q failed (%v), and it was accepted", v.text, e.Why)
		}
	}
}

// joined returns the epochs in which each device was told that it is in the room.
func (j *judge) joined() map[string]map[uint64]bool {
	all := make(map[string]map[uint64]bool)
	for _, d := range j.w.Devices() {
		all[d.Name] = make(map[uint64]bool)
		for _, x := range d.Events {
			if e, ok := x.Event.(member.Joined); ok && e.Room == j.truth.room {
				all[d.Name][e.Epoch] = true
			}
		}
	}
	return all
}

// welcomes demands that who was added has joined, but for those that have joined from
// outside before they could.
func (j *judge) welcomes() {
	joined := j.joined()
	for _, name := range slices.Sorted(maps.Keys(j.truth.stays)) {
		for i, s := range j.truth.stays[name] {
			overtaken := slices.ContainsFunc(j.truth.stays[name][i+1:], func(o *stay) bool { return o.outside })
			if s.welcomed && !joined[name][s.from] && !overtaken {
				j.report(CheckWelcome, name, "was added in epoch %d, and has not joined", s.from)
			}
		}
	}
}

// secrets looks for the epoch authenticator, which clients alone have, in all that
// providers keep and, if they are kept, in all frames.
func (j *judge) secrets() {
	var secret []byte
	for _, d := range j.w.Devices() {
		if r, ok := d.Room(j.truth.room); ok && r.State != nil {
			secret = r.Authenticator
		}
	}
	if len(secret) == 0 {
		return
	}
	for _, f := range j.w.frames {
		if bytes.Contains(f.Body, secret) {
			j.report(CheckSecrecy, f.From, "the epoch authenticator in frame %d, %s to %s", f.Number, f.Summary(), f.To)
		}
	}
	for _, domain := range slices.Sorted(maps.Keys(j.w.providers)) {
		p := j.w.providers[domain]
		for _, s := range []store{p.hubStore, p.followerStore} {
			for _, r := range s.records() {
				if bytes.Contains(r.Value, secret) {
					j.report(CheckSecrecy, domain, "the epoch authenticator in record %q", r.Key)
				}
			}
		}
	}
}

// hears reports whether the last message went to a provider.
func (j *judge) hears(domain string) bool {
	for _, x := range j.truth.members {
		d := j.w.devices[x.device]
		if d.provider.Domain == domain && d != j.last {
			return true
		}
	}
	return false
}

// leftovers says what providers still keep for clients when nothing is under way any
// more: events that nobody acknowledges, and places in rooms for those who are out.
func (j *judge) leftovers() {
	for _, domain := range slices.Sorted(maps.Keys(j.w.providers)) {
		p := j.w.providers[domain]
		present := j.hears(domain)
		for _, b := range p.hub.Backlogs() {
			j.report(CheckLiveness, domain, "%d events of %v wait for %s", b.Messages, b.Room, b.To)
		}
		for _, r := range p.followerStore.records() {
			kind, rest, _ := strings.Cut(r.Key, "|")
			switch kind {
			case "log", "box":
				j.report(CheckLiveness, domain, "keeps %s %s, which nobody fetches", kind, rest)
			case "cursor":
				client, name, _ := strings.Cut(rest, "|")
				uri, err := ident.ParseURI(client)
				if err != nil || name != j.truth.room.String() || !present || j.last == nil {
					continue // without events for its provider, nobody hears that one has left
				}
				d := j.w.device(uri)
				if !slices.ContainsFunc(j.truth.stays[d.Name], func(s *stay) bool { return s.to == never }) {
					j.report(CheckLiveness, domain, "lets %s have events of the room, and it is out", d.Name)
				}
			}
		}
	}
}
