package device

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

var (
	kills = flag.Int("kills", 20, "how often TestKill kills a provider; the whole of it is 200")
	seed  = flag.Uint64("seed", 0, "of TestKill; 0 draws one")
)

// The users of the test. All of them have one device, but for those who join from outside
// while it runs.
var (
	senders = []string{"alice/A1", "alan/A1", "bob/B1", "beth/B1", "cathy/C1"} // Cathy's provider has no other

	// comers are removed and added again all the time, and send when they can.
	comers = []string{"carol/B1", "dave/A1"}
	// joiners are further devices of users.
	joiners = []string{"alice/A2", "bob/B2", "beth/B2", "alan/A2", "bob/B3"}
	// reference is the device that only listens.
	reference = "bella/B1"
)

// domains are the hub's, and those of two followers.
var domains = []string{"a.example", "b.example", "c.example"}

// siege is three providers that are processes of their own, with their clients.
type siege struct {
	testing.TB
	ca        *authority
	random    *rand.Rand // of the killer alone
	processes map[string]*process
	witnesses map[string]*witness
	mails     map[string]*mail
	devices   map[string]*Device

	busy  sync.WaitGroup // those who send and commit
	stop  chan struct{}  // closed when they are to stop
	drops atomic.Int64   // connections that ended
}

// TestKill kills the hub and its followers (SIGKILL) at random moments, while devices of
// both send messages, and commits add and remove clients. Each accepted message has to be
// told exactly once, in the hub's order, to each client that was in the room.
//
//	go test ./groups/serve/device -run TestKill -kills 200 -seed 1 -timeout 30m -v
func TestKill(t *testing.T) {
	if *kills < 1 {
		t.Fatalf("-kills %d, want 1 at least", *kills)
	}
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	t.Logf("-seed %d -kills %d", n, *kills)
	s := newSiege(t, rand.New(rand.NewPCG(n, 0)))
	first := s.settle()
	s.begin()
	began := time.Now()
	atHub, atFollower := s.killAll(*kills)
	took := time.Since(began)
	s.end()
	v := s.verdict(first)
	again := 0
	for _, m := range s.mails {
		m.mu.Lock()
		again += m.again
		v.wrong = append(v.wrong, m.wrong...)
		m.mu.Unlock()
	}
	for i, problem := range append(v.wrong, v.missing...) {
		if i == 30 {
			t.Errorf("and %d more", len(v.wrong)+len(v.missing)-i)
			break
		}
		t.Error(problem)
	}
	s.agree()
	t.Logf("%d kills of the hub and %d of followers in %v: %d messages accepted, told %d times to %d devices; %d Commits; %d attempts to connect again, %d deliveries came again",
		atHub, atFollower, took.Round(time.Second), v.accepted, v.told, len(s.witnesses), v.commits, s.drops.Load(), again)
	if v.accepted < *kills/2 || v.commits < *kills/10 {
		t.Errorf("%d messages and %d Commits are too few to say anything", v.accepted, v.commits)
	}
}

func newSiege(t testing.TB, random *rand.Rand) *siege {
	s := &siege{
		TB: t, ca: newAuthority(), random: random, processes: make(map[string]*process),
		witnesses: make(map[string]*witness), mails: make(map[string]*mail), devices: make(map[string]*Device), stop: make(chan struct{}),
	}
	dir := t.TempDir()
	settings := make(map[string]*providerSettings)
	for _, domain := range domains {
		settings[domain] = &providerSettings{
			Domain: domain, Dir: dir, Listen: freeAddress(t), Clients: freeAddress(t), Peers: make(map[string]string), Tokens: make(map[string]string),
		}
	}
	for _, domain := range domains {
		for _, peer := range domains {
			if peer != domain {
				settings[domain].Peers[peer] = settings[peer].Listen
			}
		}
	}
	for _, name := range s.names() {
		settings[domainOf(name)].Tokens[name] = "token of " + name
	}
	for domain, set := range settings {
		s.processes[domain] = newProcess(t, s.ca, *set)
		s.processes[domain].start()
	}
	for _, p := range s.processes {
		p.wait()
	}
	return s
}

func (s *siege) names() []string { return slices.Concat(senders, comers, joiners, []string{reference}) }

// domainOf returns the provider of a device of the test.
func domainOf(name string) string {
	_, client, _ := strings.Cut(name, "/")
	return strings.ToLower(client[:1]) + ".example"
}

func userOf(name string) ident.URI {
	user, _, _ := strings.Cut(name, "/")
	return uri("mimi://" + domainOf(name) + "/u/" + user)
}

// open makes a device and runs it and its application.
func (s *siege) open(name string) {
	domain := domainOf(name)
	client := uri("mimi://" + domain + "/d/" + name)
	dial := Dial(s.processes[domain].settings.Clients, channel.ClientConfig{
		Client: client, Token: []byte("token of " + name), TLS: &tls.Config{RootCAs: s.ca.pool, ServerName: domain},
	})
	post := newMail(name)
	s.mails[name] = post
	connect := func(ctx context.Context, deliver func(follower.Delivery)) (*channel.Client, error) {
		return dial(ctx, func(in follower.Delivery) {
			post.take(in)
			deliver(in)
		})
	}
	d := must(Open(s.Context(), Config{
		Client: client, Store: store.NewMemory(), Connect: connect, KeyPackages: 5,
		BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond,
		Member: member.Config{Tries: 1 << 20, RetryMin: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond},
		Logger: slog.New(&counter{Handler: slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}), drops: &s.drops}),
	}))
	w := newWitness(name, client)
	s.devices[name], s.witnesses[name] = d, w
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx); err != nil {
			s.Errorf("%s: Run: %v", name, err)
		}
	})
	running.Go(func() { w.follow(ctx, d) })
	s.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// counter counts the connections that a device makes again.
type counter struct {
	slog.Handler
	drops *atomic.Int64
}

func (c *counter) Enabled(context.Context, slog.Level) bool { return true }
func (c *counter) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *counter) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "connecting again" {
		c.drops.Add(1)
	}
	if r.Level < slog.LevelError {
		return nil
	}
	return c.Handler.Handle(ctx, r)
}

// settle makes the room, with all but the joiners, and returns who is in it.
func (s *siege) settle() (first []ident.URI) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 30*time.Second)
	defer cancel()
	for _, name := range slices.Concat(senders, comers, []string{reference}) {
		s.open(name)
		if err := s.devices[name].Settled(ctx); err != nil {
			s.Fatalf("%s: %v", name, err)
		}
	}
	keys := s.processes["a.example"].keys
	create := member.CreateRoom{Room: clubhouse, Policy: "cooperative", Metadata: room.RoomMetaData{Name: "Clubhouse"}}
	if err := wire.Unmarshal(keys.Sender, &create.Hub); err != nil {
		s.Fatal(err)
	}
	create.FrankingAgent = must(mimi.ParseFrankingAgentData(keys.Agent))
	inputs := []member.Input{create}
	// The reference is the last, so that it knows all Commits from there on.
	for _, name := range slices.Concat(senders[1:], comers, []string{reference}) {
		inputs = append(inputs, member.AddUser{Room: clubhouse, User: userOf(name), Role: 2})
	}
	for _, in := range inputs {
		if err := s.want(ctx, senders[0], in, ""); err != nil {
			s.Fatalf("%T: %v", in, err)
		}
	}
	for name, d := range s.devices {
		for in := false; !in; time.Sleep(time.Millisecond) {
			d.View(func(m *member.Member) { _, in = m.Room(clubhouse) })
			if ctx.Err() != nil {
				s.Fatalf("%s is not in the room", name)
			}
		}
		first = append(first, d.Client())
	}
	for _, name := range joiners { // with no KeyPackages there before, nobody has added them
		s.open(name)
	}
	return first
}

// want does something with a device and waits for its outcome.
func (s *siege) want(ctx context.Context, name string, in member.Input, text string) error {
	d := s.devices[name]
	id, err := d.Do(ctx, in)
	if err != nil {
		return err
	}
	s.witnesses[name].wants(id, text)
	_, err = d.Wait(ctx, id)
	return err
}

// begin lets devices send and commit until end.
func (s *siege) begin() {
	pause := func(most time.Duration) bool {
		select {
		case <-s.stop:
			return false
		case <-time.After(rand.N(most)):
			return true
		}
	}
	ctx := context.Background()
	for _, name := range slices.Concat(senders, comers, joiners) {
		s.busy.Go(func() {
			for n := 1; pause(60 * time.Millisecond); n++ {
				text := fmt.Sprintf("%s %d", name, n)
				// One who is not in the room gets an error at once, or is told that it failed.
				_ = s.want(ctx, name, member.Send{Room: clubhouse, Message: &content.Message{Body: content.Text(text)}}, text)
			}
		})
	}
	for i, name := range comers {
		s.busy.Go(func() {
			user := userOf(name)
			for pause(400 * time.Millisecond) {
				_ = s.want(ctx, senders[i], member.RemoveUser{Room: clubhouse, User: user}, "")
				if !pause(400 * time.Millisecond) {
					return
				}
				_ = s.want(ctx, senders[i], member.AddUser{Room: clubhouse, User: user, Role: 2}, "")
			}
		})
	}
	s.busy.Go(func() {
		for n := 1; pause(time.Second); n++ {
			_ = s.want(ctx, senders[2], member.SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: fmt.Sprint("Clubhouse ", n)}}, "")
		}
	})
	for _, name := range joiners {
		s.busy.Go(func() {
			if pause(time.Duration(*kills) * 200 * time.Millisecond) {
				_ = s.want(ctx, name, member.Join{Room: clubhouse}, "")
			}
		})
	}
}

// killAll kills providers n times, each at a moment that may be before it has started,
// and starts them again.
func (s *siege) killAll(n int) (atHub, atFollower int) {
	s.Helper()
	for atHub+atFollower < n {
		if s.random.IntN(5) > 0 { // else perhaps while one starts
			for _, p := range s.processes {
				p.wait()
			}
		}
		time.Sleep(time.Duration(s.random.Int64N(int64(600 * time.Millisecond))))
		// The hub, a follower or the other one, or the hub and one of them.
		targets := [][]string{{"a.example"}, {"a.example"}, {"b.example"}, {"c.example"}, {"a.example", "b.example"}, {"a.example", "c.example"}}[s.random.IntN(6)]
		targets = targets[:min(len(targets), n-atHub-atFollower)]
		for _, domain := range targets {
			if err := s.processes[domain].kill(); err != nil {
				s.Fatal(err)
			}
		}
		time.Sleep(time.Duration(s.random.Int64N(int64(50 * time.Millisecond))))
		for _, domain := range targets {
			s.processes[domain].start()
			if domain == "a.example" {
				atHub++
			} else {
				atFollower++
			}
		}
	}
	return atHub, atFollower
}

// end lets everybody end what they have begun.
func (s *siege) end() {
	s.Helper()
	for _, p := range s.processes {
		p.wait()
	}
	close(s.stop)
	ended := make(chan struct{})
	go func() {
		s.busy.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(60 * time.Second):
		s.Error("a minute after the last kill, not everything has an outcome")
	}
}

// verdict judges what the devices were told, when nothing more comes.
func (s *siege) verdict(first []ident.URI) verdict {
	all := slices.Collect(maps.Values(s.witnesses))
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		v := judge(s.witnesses[reference], first, all)
		if len(v.wrong) > 0 || len(v.missing) == 0 || time.Since(began) > 20*time.Second {
			return v
		}
	}
}

// agree checks that all who are in the room are in the same epoch.
func (s *siege) agree() {
	s.Helper()
	states := make(map[string][]string)
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		clear(states)
		for name, d := range s.devices {
			d.View(func(m *member.Member) {
				if r, ok := m.Room(clubhouse); ok {
					state := fmt.Sprintf("epoch %d, %x", r.Epoch, r.Authenticator)
					states[state] = append(states[state], name)
				}
			})
		}
		if len(states) == 1 {
			return
		}
		if time.Since(began) > 10*time.Second {
			s.Errorf("the members disagree: %v", states)
			return
		}
	}
}
