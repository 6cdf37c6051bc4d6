package member

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// start is when the tests begin.
var start = time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)

const suiteID = suite.X25519AES128GCMSHA256Ed25519

// clubhouse is the room of the draft's example.
var clubhouse = uri("mimi://a.example/r/clubhouse")

func uri(s string) ident.URI { return must(ident.ParseURI(s)) }

// must ends a test at an error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newSuite(label string) suite.Suite {
	return must(suite.NewSeeded(suiteID, sha256.Sum256([]byte("member")), label))
}

// world is the hub of a.example, the followers of a.example to c.example, and their
// clients, with what is on its way between them. Each way keeps its order.
type world struct {
	now       time.Time
	hubCfg    hub.Config
	hub       *hub.Hub
	hubStore  store
	followers map[string]*provider
	devices   map[string]*device
	ways      map[string][]func()
	order     []string // of the ways' tasks, as they were put there
	// next says which way goes on; nil is the one whose task has waited longest.
	next func(ways []string) string
	// restart restores machines of these names after every step: "hub", "member".
	restart map[string]bool
	// wire changes what the hub sends to a follower; nil changes nothing.
	wire func(to string, list []mimi.FanoutMessage) []mimi.FanoutMessage
	// submitted and committed are told what the hub accepts; lose says whether an
	// answer gets lost.
	submitted func(epoch, at uint64)
	committed func(epoch uint64)
	lose      func() bool
	// stopped says whether a device has stopped before it could say that it leaves.
	stopped func(*device) bool
	log     *strings.Builder
	wakes   map[string]time.Time
}

type store map[string][]byte

func (s store) apply(list []protocols.Record) {
	for _, r := range list {
		if r.Value == nil {
			delete(s, r.Key)
		} else {
			s[r.Key] = bytes.Clone(r.Value)
		}
	}
}

func (s store) records() (list []protocols.Record) {
	for _, k := range slices.Sorted(maps.Keys(s)) {
		list = append(list, protocols.Record{Key: k, Value: s[k]})
	}
	return list
}

type provider struct {
	domain string
	cfg    *follower.Config
	f      *follower.Follower
	store  store
	stops  int // how often it was stopped
}

// device is a client with its store and what its application was told.
type device struct {
	name   string // "alice/ClientA1"
	cfg    Config
	m      *Member
	store  store
	events []Event
}

func newWorld() *world {
	s := newSuite("hub")
	id := must(mls.NewIdentity(s, []byte("mimi://a.example")))
	w := &world{
		now: start, hubStore: store{}, followers: map[string]*provider{}, devices: map[string]*device{},
		ways: map[string][]func(){}, restart: map[string]bool{}, log: new(strings.Builder), wakes: map[string]time.Time{},
		hubCfg: hub.Config{
			Domain: "a.example", Groups: &mls.Config{Suite: s}, Identity: id,
			Franking: must(s.GenerateSigner()), FrankKeys: []mimi.HubKey{must(mimi.NewHubKey(s))},
			Disclose: mimi.Disclose, EpochTolerance: 1, RetryMin: time.Second, RetryMax: time.Minute,
		},
	}
	w.hub = must(hub.New(w.hubCfg))
	for _, d := range []string{"a.example", "b.example", "c.example"} {
		fs := newSuite("follower " + d)
		cfg := &follower.Config{Domain: d, Groups: map[suite.ID]*mls.Config{suiteID: {Suite: fs, Components: room.DefaultPoints.MLSComponents()}}}
		w.followers[d] = &provider{domain: d, cfg: cfg, f: must(follower.New(cfg)), store: store{}}
	}
	return w
}

func domainOf(user string) string { return user[:1] + ".example" }

func userURI(user string) ident.URI { return uri("mimi://" + domainOf(user) + "/u/" + user) }

// device returns a client, which is made if need be: "alice/ClientA1" is of the
// provider that the user's name begins with.
func (w *world) device(name string) *device {
	if d := w.devices[name]; d != nil {
		return d
	}
	user, dev, ok := strings.Cut(name, "/")
	if !ok {
		panic("device " + name)
	}
	s := newSuite(name)
	client := uri("mimi://" + domainOf(user) + "/d/" + user + "/" + dev)
	d := &device{name: name, store: store{}, cfg: Config{
		Client: client, Identity: must(mls.NewIdentity(s, []byte(client.String()))),
		Groups: &mls.Config{Suite: s}, Tries: 30, RetryMin: time.Second, RetryMax: time.Minute,
	}}
	d.m = must(New(d.cfg))
	w.devices[name] = d
	p := w.followers[domainOf(user)]
	for _, in := range []follower.Input{follower.AddUser{User: userURI(user)}, follower.AddClient{Client: client}, follower.Connect{Client: client}} {
		if err := w.follower(p, in); err != nil {
			panic(err)
		}
	}
	w.do(d, PublishKeyPackages{N: 20, LastResort: true})
	return d
}

// put puts a task on a way.
func (w *world) put(way string, task func()) {
	w.ways[way] = append(w.ways[way], task)
	w.order = append(w.order, way)
}

// pass does one task, and reports whether there was one.
func (w *world) pass() bool {
	if len(w.order) == 0 {
		return false
	}
	way := w.order[0]
	if w.next != nil {
		way = w.next(slices.Sorted(maps.Keys(w.ways)))
	}
	i := slices.Index(w.order, way)
	w.order = slices.Delete(w.order, i, i+1)
	task := w.ways[way][0]
	if w.ways[way] = w.ways[way][1:]; len(w.ways[way]) == 0 {
		delete(w.ways, way)
	}
	task()
	return true
}

// quiet passes everything on until nothing is under way; time goes on for what waits
// for it, up to a bound.
func (w *world) quiet() {
	end := w.now.Add(30 * time.Minute)
	for {
		for w.pass() {
		}
		name, at := "", end
		for _, n := range slices.Sorted(maps.Keys(w.wakes)) {
			if t := w.wakes[n]; t.Before(at) {
				name, at = n, t
			}
		}
		if name == "" {
			return
		}
		delete(w.wakes, name)
		if at.After(w.now) {
			w.now = at
		}
		if name == "hub" {
			w.atHub(hub.Wake{})
		} else {
			w.do(w.devices[name], Wake{})
		}
	}
}

func (w *world) wakeAt(name string, at time.Time) {
	if at.IsZero() {
		delete(w.wakes, name)
	} else {
		w.wakes[name] = at
	}
}

// atHub steps the hub as its shell does.
func (w *world) atHub(in hub.Input) (hub.Output, error) {
	out, err := w.hub.Step(w.now, in)
	if err != nil {
		return out, err
	}
	w.hubStore.apply(out.Persist)
	for _, s := range out.Sends {
		body := bytes.Clone(s.Body)
		w.put("hub>"+s.To, func() {
			list := must(mimi.ParseFanoutMessages(body, nil))
			if w.wire != nil {
				list = w.wire(s.To, list)
			}
			if len(list) > 0 {
				w.follower(w.followers[s.To], follower.Notify{From: "a.example", Room: s.Room, Messages: list})
			}
			w.put(s.To+">hub", func() { must(w.atHub(hub.Delivered{Room: s.Room, To: s.To, Last: s.Last})) })
		})
	}
	w.wakeAt("hub", out.WakeAt)
	if w.restart["hub"] {
		w.hub = must(hub.Restore(w.hubCfg, w.hubStore.records()))
	}
	return out, nil
}

// follower steps a follower as its shell does.
func (w *world) follower(p *provider, in follower.Input) error {
	out, err := p.f.Step(w.now, in)
	if err != nil {
		return err
	}
	p.store.apply(out.Persist)
	for _, r := range out.Requests {
		w.request(p, r)
	}
	for _, r := range out.Replies {
		if w.lose != nil && w.lose() {
			r.Body, r.Err = nil, errLostAnswer
		}
		w.toDevice(r.Client, Replied{ID: r.ID, Body: r.Body, Err: r.Err})
	}
	for _, d := range out.Deliveries {
		w.toDevice(d.Client, Delivered{Room: d.Room, Seq: d.Seq, About: d.About, Body: bytes.Clone(d.Body)})
	}
	return nil
}

func (w *world) toDevice(c ident.URI, in Input) {
	d := w.devices[c.Segments()[0]+"/"+c.Segments()[1]]
	w.put(p(c)+">"+d.name, func() { w.do(d, in) })
}

func p(c ident.URI) string { return c.Provider() }

// request makes a request of a follower, at the hub or another follower.
func (w *world) request(p *provider, r follower.Request) {
	stops := p.stops
	answer := func(body follower.Body, err error) {
		w.put(r.To+">"+p.domain, func() {
			if p.stops == stops { // else it has no request under way with that number, or another one
				w.follower(p, follower.Answer{ID: r.ID, Body: body, Err: err})
			}
		})
	}
	refused := func(err error) bool {
		var he *hub.Error
		if errors.As(err, &he) {
			err = &follower.Refusal{Status: int(he.Status), Reason: he.Error()}
		}
		if err != nil {
			answer(nil, err)
		}
		return err != nil
	}
	body := must(wire.Marshal(r.Body))
	w.put(p.domain+">"+r.To, func() {
		var in hub.Input
		switch b := r.Body.(type) {
		case *mimi.KeyMaterialRequest:
			in = hub.KeyMaterialRequest{From: p.domain, Body: body}
		case *mimi.UpdateRequest:
			in = hub.UpdateRequest{From: p.domain, Room: uri(r.Subject), Body: body}
		case *mimi.SubmitMessageRequest:
			in = hub.SubmitMessageRequest{From: p.domain, Room: uri(r.Subject), Body: body}
		case *mimi.GroupInfoRequest:
			in = hub.GroupInfoRequest{From: p.domain, Room: uri(r.Subject), Body: body}
		case *mimi.AbuseReport:
			in = hub.ReportAbuse{From: p.domain, Room: uri(r.Subject), Body: body}
		default:
			w.atPeer(p, r, b, answer)
			return
		}
		out, err := w.atHub(in)
		if refused(err) {
			return
		}
		w.note(r.Body, out)
		if out.Report != nil {
			for i, err := range out.Report.Franks {
				fmt.Fprintf(w.log, "hub: report of %v, message %d: %v\n", out.Report.Report.AllegedAbuserURI, i, err)
			}
		}
		if out.Forward == nil {
			answer(out.Response, nil)
			return
		}
		forward := *out.Forward
		forward.Body = bytes.Clone(forward.Body)
		w.put("hub>"+forward.To, func() {
			t := w.followers[forward.To]
			got, err := t.f.Step(w.now, follower.ClaimKeyMaterial{From: "a.example", Request: must(mimi.ParseKeyMaterialRequest(forward.Body))})
			if refused(err) {
				return
			}
			t.store.apply(got.Persist)
			b := must(wire.Marshal(got.Response))
			w.put(forward.To+">hub", func() {
				out, err := w.atHub(hub.KeyMaterialResponse{Provider: forward.To, Request: forward.Body, Body: b})
				if !refused(err) {
					answer(out.Response, nil)
				}
			})
		})
	})
}

// note tells what the hub has accepted.
func (w *world) note(req any, out hub.Output) {
	switch resp := out.Response.(type) {
	case *mimi.UpdateRoomResponse:
		if b := &req.(*mimi.UpdateRequest).Bundle; w.committed != nil && resp.ResponseCode == mimi.UpdateSuccess && isCommit(&b.ProposalOrCommit) && len(out.Persist) > 0 {
			w.committed(b.ProposalOrCommit.Public.Content.Epoch)
		}
	case *mimi.SubmitMessageResponse:
		if w.submitted != nil && resp.StatusCode == mimi.SubmitAccepted {
			w.submitted(req.(*mimi.SubmitMessageRequest).AppMessage.Epoch, resp.AcceptedTimestamp)
		}
	}
}

// sorted returns the devices in the order of their names.
func (w *world) sorted() (list []*device) {
	for _, name := range slices.Sorted(maps.Keys(w.devices)) {
		list = append(list, w.devices[name])
	}
	return list
}

// atPeer is a request at another follower.
func (w *world) atPeer(p *provider, r follower.Request, body any, answer func(follower.Body, error)) {
	t := w.followers[r.To]
	if t == nil {
		answer(nil, errors.New("no such provider"))
		return
	}
	var in follower.Input
	switch b := body.(type) {
	case *mimi.ConsentEntry:
		in = follower.Consent{From: p.domain, Endpoint: r.Endpoint, Entry: b}
		if t.domain == "a.example" && len(b.ClientKeyPackages) > 0 { // as the shell of the hub does
			must(w.atHub(hub.GrantedKeyPackages{Provider: p.domain, KeyPackages: b.ClientKeyPackages}))
		}
	case *mimi.IdentifierRequest:
		in = follower.FindUsers{From: p.domain, Request: b}
	default:
		panic(fmt.Sprintf("request with a %T", body))
	}
	out, err := t.f.Step(w.now, in)
	resp := out.Response
	for _, d := range out.Deliveries {
		w.toDevice(d.Client, Delivered{Room: d.Room, Seq: d.Seq, About: d.About, Body: bytes.Clone(d.Body)})
	}
	t.store.apply(out.Persist)
	answer(resp, err)
}

// step steps a device as its shell does.
func (w *world) step(d *device, in Input) (Output, error) {
	out, err := d.m.Step(w.now, in)
	if err != nil {
		return out, err
	}
	d.store.apply(out.Persist)
	for _, e := range out.Events {
		d.events = append(d.events, e)
		fmt.Fprintf(w.log, "%s: %s\n", d.name, show(e))
	}
	domain := d.cfg.Client.Provider()
	p := w.followers[domain]
	up := func(in follower.Input) {
		w.put(d.name+">"+domain, func() {
			if err := w.follower(p, in); err != nil {
				if c, ok := in.(follower.Call); ok {
					w.toDevice(d.cfg.Client, Replied{ID: c.ID, Err: err})
					return
				}
				panic(fmt.Sprintf("%s: %T: %v", d.name, in, err))
			}
		})
	}
	for _, in := range out.Publish {
		up(in)
	}
	for _, c := range out.Creations {
		w.put(d.name+">"+domain, func() {
			_, err := w.atHub(hub.CreateRoom{Room: c.Room, GroupInfo: c.GroupInfo, RatchetTree: c.RatchetTree})
			if err == nil {
				w.follower(p, follower.Join{Client: d.cfg.Client, Room: c.Room})
			}
			w.toDevice(d.cfg.Client, RoomCreated{Room: c.Room, Err: err})
		})
	}
	for _, in := range out.Calls {
		up(in)
	}
	for _, in := range out.Acks {
		up(in)
	}
	for _, in := range out.Leaves {
		if w.stopped == nil || !w.stopped(d) {
			up(in)
		}
	}
	w.wakeAt(d.name, out.WakeAt)
	if w.restart["member"] {
		d.m = must(Restore(d.cfg, d.store.records()))
	}
	return out, nil
}

// do is step for what is not refused.
func (w *world) do(d *device, in Input) Output {
	out, err := w.step(d, in)
	if err != nil {
		panic(fmt.Sprintf("%s: %T: %v", d.name, in, err))
	}
	return out
}

// show writes an event for transcripts.
func show(e Event) string {
	switch e := e.(type) {
	case Joined:
		return fmt.Sprintf("joined %v in epoch %d, added by %v", e.Room, e.Epoch, e.By)
	case Message:
		text, _ := e.Content.Body.PlainText()
		return fmt.Sprintf("message %q of %v by %v, accepted %s, frank %v, late %v", text, e.Sender, e.SenderClient, e.Accepted.Format("15:04:05.000"), e.Unfranked, e.Late)
	case Sent:
		return fmt.Sprintf("sent %d, accepted %s, franked %v", e.ID, e.Accepted.Format("15:04:05.000"), e.Frank != nil)
	case RoomChanged:
		return fmt.Sprintf("epoch %d by %v: %s", e.Epoch, e.ByClient, showChanges(e.Changes))
	case Proposed:
		return fmt.Sprintf("proposed by %v: %s", e.By, showChanges(e.Changes))
	case Failed:
		return fmt.Sprintf("failed %s: %v", e.What, e.Why)
	case Refused:
		return fmt.Sprintf("refused %s: %v", e.What, e.Why)
	case Found:
		return fmt.Sprintf("found %v", e.Response.URI)
	case ConsentChanged:
		return fmt.Sprintf("consent %v by %v for %v", e.Entry.ConsentOperation, e.Entry.RequesterURI, e.Entry.TargetURI)
	}
	return fmt.Sprintf("%T %+v", e, e)
}

func showChanges(list []Change) string {
	var out []string
	for _, c := range list {
		s := string(c.Kind)
		if !c.Client.IsZero() {
			s += " " + c.Client.String()
		} else if !c.User.IsZero() {
			s += " " + c.User.String()
		}
		if c.Role != 0 {
			s += fmt.Sprintf(" (role %d)", c.Role)
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// roles of the test's policy, administered.
const (
	roleUser  = 2
	roleAdmin = 3
)

// create makes the room of the draft's example.
func (w *world) create(d *device) {
	w.do(d, CreateRoom{
		Room: clubhouse, Policy: "administered", Metadata: room.RoomMetaData{Name: "Clubhouse"},
		Hub:           message.ExternalSender{SignatureKey: w.hubCfg.Identity.Signer.Public, Credential: w.hubCfg.Identity.Credential},
		FrankingAgent: &mimi.FrankingAgentData{FrankingSignatureKey: w.hubCfg.Franking.Public, Credential: message.BasicCredential([]byte("mimi://a.example"))},
	})
	w.quiet()
}

// trio is the draft's room with Alice, Bob and Cathy.
func trio(t testing.TB, change func(*world)) *world {
	t.Helper()
	w := newWorld()
	if change != nil {
		change(w)
	}
	alice := w.device("alice/ClientA1")
	w.device("bob/ClientB1")
	w.device("cathy/ClientC1")
	w.quiet()
	w.create(alice)
	w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
	w.quiet()
	w.do(alice, AddUser{Room: clubhouse, User: userURI("cathy"), Role: roleUser})
	w.quiet()
	w.agree(t)
	return w
}

func text(s string) *content.Message { return &content.Message{Body: content.Text(s)} }

// inRoom returns the devices that are in the room.
func (w *world) inRoom() (list []*device) {
	for _, name := range slices.Sorted(maps.Keys(w.devices)) {
		d := w.devices[name]
		if r, ok := d.m.Room(clubhouse); ok && r.State != nil {
			list = append(list, d)
		}
	}
	return list
}

// agree checks that all devices in the room see the same.
func (w *world) agree(t testing.TB) {
	t.Helper()
	var first Room
	list := w.inRoom()
	for i, d := range list {
		r, _ := d.m.Room(clubhouse)
		if i == 0 {
			first = r
		}
		if r.Epoch != first.Epoch || !bytes.Equal(r.Authenticator, first.Authenticator) {
			t.Fatalf("%s is at epoch %d %x, %s at %d %x\n%s", d.name, r.Epoch, r.Authenticator, list[0].name, first.Epoch, first.Authenticator, w.log)
		}
		a, b := must(wire.Marshal(r.State.Dictionary())), must(wire.Marshal(first.State.Dictionary()))
		if !bytes.Equal(a, b) || r.State.Clients() != len(list) {
			t.Fatalf("%s: other components, or %d clients, want %d\n%s", d.name, r.State.Clients(), len(list), w.log)
		}
	}
}

// texts returns what a device has read.
func (d *device) texts() (list []string) {
	for _, e := range d.events {
		if m, ok := e.(Message); ok && m.Content != nil {
			s, _ := m.Content.Body.PlainText()
			list = append(list, s)
		}
	}
	return list
}

// find returns the last event of a type.
func find[E Event](d *device) (e E, ok bool) {
	for _, x := range d.events {
		if y, is := x.(E); is {
			e, ok = y, true
		}
	}
	return e, ok
}
