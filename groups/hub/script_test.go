package hub

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

var rewrite = flag.Bool("update", false, "write the transcripts of testdata anew")

// TestScripts runs the scenarios of testdata: a command in, what the hub does out.
// A scenario is made of blocks
//
//	command argument argument
//	----
//	what came of it
//
// with lines of comment between them. Each is run twice: by one hub, and by hubs of
// which each does one step and is restored from the records of the one before.
// Write the transcripts anew with -update, and read the difference.
func TestScripts(t *testing.T) {
	t.Parallel()
	files := must(filepath.Glob("testdata/*.txt"))
	if len(files) == 0 {
		t.Fatal("no scripts")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want := must(os.ReadFile(file))
			got := runScript(t, string(want), false)
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("transcript differs (write it anew with -update):\n%s", firstDifference(string(want), got))
			}
			if again := runScript(t, string(want), true); again != got {
				t.Errorf("hubs that are restored after each step do something else:\n%s", firstDifference(got, again))
			}
		})
	}
}

// firstDifference returns the first lines that differ.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		at := func(s []string) string {
			if i < len(s) {
				return s[i]
			}
			return "(end)"
		}
		if at(w) != at(g) {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, at(g), at(w))
		}
	}
	return "none"
}

// runScript runs a scenario and returns it with what came of it.
func runScript(t *testing.T, text string, restart bool) string {
	w := newWorld(nil)
	w.restart = restart
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		fmt.Fprintln(&out, line)
		if i+1 == len(lines) || lines[i+1] != "----" {
			continue
		}
		fmt.Fprintln(&out, "----")
		w.log.Reset()
		w.run(t, strings.Fields(line))
		out.WriteString(w.log.String())
		for i++; i+1 < len(lines) && lines[i+1] != ""; {
			i++ // the output of before
		}
	}
	return out.String()
}

// run runs one command.
func (w *world) run(t *testing.T, f []string) {
	t.Helper()
	arg := func(i int) string {
		if i >= len(f) {
			t.Fatalf("%q: want more arguments", f)
		}
		return f[i]
	}
	report := func(out Output, err error) { w.report(out, err) }
	switch f[0] {
	case "client": // client NAME...
		for _, name := range f[1:] {
			w.client(name)
		}
	case "create": // create CLIENT
		report(w.create(w.client(arg(1))))
	case "fetch": // fetch CLIENT USER
		keys, err := w.keyMaterial(w.client(arg(1)), arg(2))
		if err != nil {
			w.printf("%v\n", err)
		} else {
			w.printf("%d KeyPackages, %d remembered\n", len(keys), len(w.hub.routes.byRef))
		}
	case "add": // add CLIENT USER ROLE
		by := w.client(arg(1))
		keys := must(w.keyMaterial(by, arg(2)))
		list := []message.Proposal{by.participants("+" + arg(2) + ":" + arg(3))}
		for _, k := range keys {
			list = append(list, mls.AddProposal(k))
		}
		report(w.commit(by, mls.CommitOptions{Proposals: list}))
	case "commit": // commit CLIENT [-none] [list=CHANGE]... [remove=USER]...
		report(w.commit(w.client(arg(1)), w.options(f[1:])))
	case "propose": // propose CLIENT list=CHANGE... remove=USER...
		report(w.propose(w.client(arg(1)), w.options(f[1:]).Proposals...))
	case "leave": // leave CLIENT
		report(w.leave(w.client(arg(1))))
	case "selfremove": // selfremove CLIENT
		c := w.client(arg(1))
		report(w.propose(c, c.cfg.SelfRemoveProposal()))
	case "hub": // hub remove=USER list=CHANGE...: the hub's own proposals, from the view of a client
		o := w.options(append([]string{arg(1)}, f[2:]...))
		report(w.step(Propose{Room: clubhouse, Proposals: o.Proposals}))
	case "send": // send CLIENT TEXT [SENDER]
		c := w.client(arg(1))
		if len(f) < 4 {
			report(w.send(c, arg(2)))
			return
		}
		m, _ := w.newMessage(c, arg(2))
		report(w.submit(c.provider(), m, mimi.URI(w.client(arg(3)).user)))
	case "join": // join CLIENT [code=CODE] [list=CHANGE]...
		w.runJoin(f)
	case "deliver": // deliver PROVIDER...
		for _, to := range f[1:] {
			if err := w.deliver(to + ".example"); err != nil {
				t.Fatalf("deliver to %s: %v", to, err)
			}
		}
	case "fail": // fail PROVIDER [RETRY-AFTER]
		i := slices.IndexFunc(w.flying, func(s Send) bool { return s.To == arg(1)+".example" })
		if i < 0 {
			t.Fatalf("%q: nothing is under way", f)
		}
		s := w.flying[i]
		w.flying = slices.Delete(w.flying, i, i+1)
		in := DeliveryFailed{Room: s.Room, To: s.To, Last: s.Last}
		if len(f) > 2 {
			in.RetryAfter = must(time.ParseDuration(f[2]))
		}
		report(w.step(in))
	case "wait": // wait DURATION
		w.now = w.now.Add(must(time.ParseDuration(arg(1))))
		report(w.step(Wake{}))
	case "restart": // restart: after a crash, in which all that was under way was lost
		w.flying = nil
		w.restore()
		report(w.step(Resume{}))
	case "read": // read CLIENT...
		for _, name := range f[1:] {
			w.printf("%s: %s\n", name, strings.Join(w.client(name).got, " "))
		}
	case "state": // state
		w.printState()
	default:
		t.Fatalf("unknown command %q", f[0])
	}
}

func (w *world) runJoin(f []string) {
	c := w.client(f[1])
	code := ""
	var proposals []message.Proposal
	for _, a := range f[2:] {
		if v, ok := strings.CutPrefix(a, "code="); ok {
			code = v
		}
	}
	info, out, err := w.groupInfo(c, code)
	if info == nil {
		w.report(out, err)
		return
	}
	w.printf("GroupInfo of epoch %d, %d pending\n", info.GroupInfo.Context.Epoch, len(info.PendingProposals))
	for _, a := range f[2:] {
		if v, ok := strings.CutPrefix(a, "list="); ok {
			view := &client{cfg: c.cfg, group: w.anyMember().group}
			proposals = append(proposals, view.participants(v))
		}
	}
	w.report(w.join(c, info, proposals...))
}

// anyMember returns a member that follows the group.
func (w *world) anyMember() *client {
	for _, c := range w.sorted() {
		if c.group != nil && !c.group.Removed() && c.group.Epoch() == w.hub.rooms[clubhouse].group.Epoch() {
			return c
		}
	}
	panic("no member is at the hub's epoch")
}

// options reads what a Commit or proposals are of: the client, then list=CHANGE,
// remove=USER (all of its clients), update, and none, which leaves out what waits.
func (w *world) options(f []string) (o mls.CommitOptions) {
	c := w.client(f[0])
	var changes []string
	for _, a := range f[1:] {
		key, v, _ := strings.Cut(a, "=")
		switch key {
		case "list":
			changes = append(changes, v)
		case "remove":
			for _, leaf := range c.leaves(v) {
				o.Proposals = append(o.Proposals, mls.RemoveProposal(leaf))
			}
		case "leaf":
			var i tree.LeafIndex
			fmt.Sscan(v, &i)
			o.Proposals = append(o.Proposals, mls.RemoveProposal(i))
		case "none":
			o.References = []message.ProposalRef{}
		default:
			panic("option " + a)
		}
	}
	if len(changes) > 0 {
		o.Proposals = append([]message.Proposal{c.participants(changes...)}, o.Proposals...)
	}
	return o
}

// hash is a reference in an error; it changes with every byte of a room.
var hash = regexp.MustCompile("[0-9a-f]{64}")

func (w *world) printf(format string, args ...any) { fmt.Fprintf(&w.log, format, args...) }

// report prints what a step did.
func (w *world) report(out Output, err error) {
	if err != nil {
		w.printf("error: %v\n", err)
		return
	}
	switch r := out.Response.(type) {
	case *mimi.UpdateRoomResponse:
		w.printf("%v", r.ResponseCode)
		switch r.ResponseCode {
		case mimi.UpdateSuccess:
			w.printf(" %s", at(r.AcceptedTimestamp))
		case mimi.UpdateWrongEpoch:
			w.printf(" currentEpoch=%d", r.CurrentEpoch)
		case mimi.UpdateInvalidProposal:
			w.printf(" %d invalid", len(r.InvalidProposals))
		}
		w.printf("\n")
	case *mimi.SubmitMessageResponse:
		w.printf("%v", r.StatusCode)
		switch r.StatusCode {
		case mimi.SubmitAccepted:
			w.printf(" %s franked=%t", at(r.AcceptedTimestamp), r.Frank != nil)
		case mimi.SubmitEpochTooOld:
			w.printf(" currentEpoch=%d", r.CurrentEpoch)
		}
		w.printf("\n")
	case *mimi.GroupInfoResponse:
		w.printf("%v\n", r.Status)
	}
	if out.Refused != nil {
		w.printf("because: %s\n", hash.ReplaceAllString(out.Refused.Error(), "#"))
	}
	puts, drops := 0, 0
	for _, r := range out.Persist {
		if r.Value == nil {
			drops++
		} else {
			puts++
		}
	}
	if puts+drops > 0 {
		w.printf("persist %d, drop %d\n", puts, drops)
	}
	for _, s := range out.Sends {
		var kinds []string
		for _, m := range must(mimi.ParseFanoutMessages(s.Body, nil)) {
			k := m.Kind().String()
			if n := len(m.MoreProposals) + len(m.ExternalProposals); n > 0 {
				k += fmt.Sprintf("+%d", n)
			}
			kinds = append(kinds, k)
		}
		w.printf("notify %s ..%d: %s\n", s.To, s.Last, strings.Join(kinds, ", "))
	}
	if !out.WakeAt.IsZero() && out.WakeAt.Sub(w.now) < time.Hour { // not the KeyPackages
		w.printf("wake after %v\n", out.WakeAt.Sub(w.now))
	}
}

// at is a time of the hub, from the beginning.
func at(ms uint64) string { return fmt.Sprintf("+%dms", int64(ms)-start.UnixMilli()) }

// printState prints what the hub holds of the room.
func (w *world) printState() {
	r := w.hub.rooms[clubhouse]
	w.printf("epoch %d, %d members, %d pending, %d events\n", r.group.Epoch(), r.group.Tree().Members(), len(r.pending), len(r.events))
	for p := range r.state.now.All() {
		if !strings.Contains(p.User, "/u/") {
			continue
		}
		w.printf("%s role %d, %d clients\n", strings.TrimPrefix(p.User, "mimi://"), p.Role, p.Clients)
	}
	for _, b := range w.hub.Backlogs() {
		w.printf("to %s: %d, %d failures\n", b.To, b.Messages, b.Failures)
	}
	var size int
	for k, v := range w.store {
		size += len(k) + len(v)
	}
	for _, c := range w.sorted() {
		if c.group != nil && !c.group.Removed() && bytes.Equal(marshal(c.group.Context()), marshal(r.group.Context())) {
			w.printf("%s follows\n", c.name)
		}
	}
}
