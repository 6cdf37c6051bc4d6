package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/sim/report"
)

// MLSOptions are those of [MLS].
type MLSOptions struct {
	Seed  uint64        // of all keys
	Sizes []int         // numbers of members; nil is 10, 100, 1000
	Time  time.Duration // on the clock for each operation; 0 is half a second
	// Progress, if not nil, is called now and then with the share that is done.
	Progress func(share float64)
}

// maxMLS is the largest group that is measured.
const maxMLS = 100_000

// MLSResult is what [MLS] measures.
type MLSResult struct {
	Seed  uint64   `json:"seed"`
	Suite suite.ID `json:"cipher_suite"`
	Go    string   `json:"go"`
	CPUs  int      `json:"cpus"`
	Arch  string   `json:"arch"`
	Rows  []MLSRow `json:"rows"`
}

// MLSRow is one operation in groups of one size.
type MLSRow struct {
	Op     string  `json:"op"`
	N      int     `json:"n"`
	Min    float64 `json:"us_min"` // microseconds
	Median float64 `json:"us_median"`
	Reps   int     `json:"reps"`
	Bytes  int     `json:"bytes"` // of the message made or taken
}

// fewReps is how many repetitions a median needs to be taken for what an operation
// costs, on a machine that does other things besides.
const fewReps = 10

func (r MLSRow) few() bool { return r.Reps < fewReps }

// few returns how many rows have few repetitions.
func (r MLSResult) few() int {
	n := 0
	for _, row := range r.Rows {
		if row.few() {
			n++
		}
	}
	return n
}

// The operations, from bytes to bytes. A blank tree is one to which one Commit has
// added everybody; in a full tree every parent has a key.
const (
	opKeyPackage   = "key_package"
	opAddAll       = "add_all"
	opJoin         = "join"
	opBlankCreate  = "blank_commit_create"
	opBlankProcess = "blank_commit_process"
	opFullCreate   = "full_commit_create"
	opFullProcess  = "full_commit_process"
	opProtect      = "protect"   // of 1 KiB
	opUnprotect    = "unprotect" // of 1 KiB
)

// MLS measures the MLS engine on one core, in suite 1 with basic credentials and
// handshakes in PublicMessages. What is measured has to be right: every KeyPackage is
// checked, every join agrees on the epoch and every message opens to what was sent.
// Of Commits the last one made is taken by the other member, who takes it each time
// from the same epoch, and the last time agrees on the next. On a cancelled ctx it
// returns the rows that are whole, with ctx's error.
func MLS(ctx context.Context, o MLSOptions) (MLSResult, error) {
	if o.Sizes == nil {
		o.Sizes = []int{10, 100, 1000}
	}
	if o.Time == 0 {
		o.Time = time.Second / 2
	}
	res := MLSResult{Seed: o.Seed, Suite: suite.X25519AES128GCMSHA256Ed25519, Go: runtime.Version(), CPUs: runtime.NumCPU(), Arch: runtime.GOOS + "/" + runtime.GOARCH}
	total := 0
	for _, n := range o.Sizes {
		if n < 2 || n > maxMLS {
			return res, fmt.Errorf("bench: mls: %d members, want 2 to %d", n, maxMLS)
		}
		total += n
	}
	if o.Time < 0 {
		return res, errors.New("bench: mls: negative time, want at least 0")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	done := 0
	for _, n := range o.Sizes {
		m := &mlsRun{ctx: ctx, o: o, res: &res, n: n, now: time.Now()}
		m.progress = func(share float64) {
			if o.Progress != nil {
				o.Progress((float64(done) + share*float64(n)) / float64(total))
			}
		}
		if err := m.run(); err != nil {
			return res, err
		}
		done += n
	}
	return res, nil
}

// mlsRun measures groups of one size.
type mlsRun struct {
	ctx      context.Context
	o        MLSOptions
	res      *MLSResult
	n        int
	now      time.Time
	cfg      *mls.Config
	progress func(float64)
}

func (m *mlsRun) run() error {
	s, err := suite.NewSeeded(m.res.Suite, sha256.Sum256(fmt.Appendf(nil, "bench mls %d", m.o.Seed)), "")
	if err != nil {
		return err
	}
	m.cfg = &mls.Config{Suite: s, PublicHandshake: true}
	if err := m.blank(); err != nil {
		return err
	}
	m.progress(0.3)
	return m.full()
}

// measure repeats an operation, at least three times, and notes it. Each repetition
// returns the size of its message and, not counted, a check.
func (m *mlsRun) measure(op string, once func() (bytes int, check func() error, err error)) error {
	var times []time.Duration
	size := 0
	for start := time.Now(); len(times) < 3 || time.Since(start) < m.o.Time; {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		began := time.Now()
		bytes, check, err := once()
		took := time.Since(began)
		if err == nil {
			err = check()
		}
		if err != nil {
			return fmt.Errorf("bench: mls: %s with %d members: %w", op, m.n, err)
		}
		times, size = append(times, took), bytes
	}
	m.note(op, times, size)
	return nil
}

// note adds a row.
func (m *mlsRun) note(op string, times []time.Duration, bytes int) {
	m.res.Rows = append(m.res.Rows, MLSRow{
		Op: op, N: m.n, Min: micro(slices.Min(times)), Median: micro(median(times)), Reps: len(times), Bytes: bytes,
	})
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// agree returns a check that two members are in the same epoch.
func agree(a, b *mls.Group) error {
	if string(a.EpochAuthenticator()) != string(b.EpochAuthenticator()) {
		return errors.New("members disagree on the epoch")
	}
	return nil
}

func fine() error { return nil }

// blank measures a group to which one Commit has added everybody.
func (m *mlsRun) blank() error {
	creator, err := m.creator("blank")
	if err != nil {
		return err
	}
	id, err := mls.NewIdentity(m.cfg.Suite, []byte("client"))
	if err != nil {
		return err
	}
	err = m.measure(opKeyPackage, func() (int, func() error, error) {
		k, err := m.cfg.NewKeyPackage(m.now, id, mls.LeafOptions{})
		if err != nil {
			return 0, fine, err
		}
		b, err := k.Message()
		return len(b), func() error { return m.cfg.CheckKeyPackage(m.now, &k.Public) }, err
	})
	if err != nil {
		return err
	}
	var add mls.CommitOptions
	var last *mls.KeyPackage
	for i := 1; i < m.n; i++ {
		id, err := mls.NewIdentity(m.cfg.Suite, fmt.Appendf(nil, "member %d", i))
		if err != nil {
			return err
		}
		if last, err = m.cfg.NewKeyPackage(m.now, id, mls.LeafOptions{}); err != nil {
			return err
		}
		add.Proposals = append(add.Proposals, mls.AddProposal(last.Public))
	}
	var p *mls.Pending
	err = m.measure(opAddAll, func() (int, func() error, error) {
		var err error
		if p, err = creator.Commit(m.now, add); err != nil {
			return 0, fine, err
		}
		return len(p.Message), fine, nil
	})
	if err != nil {
		return err
	}
	if err := creator.Merge(&p.Staged); err != nil {
		return err
	}
	var joined *mls.Group
	err = m.measure(opJoin, func() (int, func() error, error) {
		w, err := message.Parse(p.Welcome, nil)
		if err != nil {
			return 0, fine, err
		}
		staged, err := mls.OpenWelcome(m.cfg, m.now, w.Welcome, []*mls.KeyPackage{last}, mls.JoinOptions{})
		if err != nil {
			return 0, fine, err
		}
		joined = staged.Join()
		return len(p.Welcome), func() error { return agree(joined, creator) }, nil
	})
	if err != nil {
		return err
	}
	if err := m.commits(opBlankCreate, opBlankProcess, creator, joined); err != nil {
		return err
	}
	return m.messages(creator, joined)
}

func (m *mlsRun) creator(group string) (*mls.Group, error) {
	id, err := mls.NewIdentity(m.cfg.Suite, []byte("creator"))
	if err != nil {
		return nil, err
	}
	return mls.New(m.cfg, m.now, id, []byte(group), mls.GroupOptions{})
}

// commits measures an empty Commit of one member, and another who processes it.
func (m *mlsRun) commits(create, process string, from, to *mls.Group) error {
	var p *mls.Pending
	err := m.measure(create, func() (int, func() error, error) {
		var err error
		if p, err = from.Commit(m.now, mls.CommitOptions{Path: true}); err != nil {
			return 0, fine, err
		}
		return len(p.Message), fine, nil
	})
	if err != nil {
		return err
	}
	var staged *mls.Staged
	err = m.measure(process, func() (int, func() error, error) {
		e, err := to.Process(m.now, p.Message)
		if err != nil {
			return 0, fine, err
		}
		staged = e.(*mls.Staged)
		return len(p.Message), fine, nil
	})
	if err != nil {
		return err
	}
	if err := errors.Join(to.Merge(staged), from.Merge(&p.Staged)); err != nil {
		return err
	}
	return agree(from, to)
}

// messages measures application data of 1 KiB.
func (m *mlsRun) messages(from, to *mls.Group) error {
	data := make([]byte, 1024)
	var sent [][]byte
	err := m.measure(opProtect, func() (int, func() error, error) {
		b, err := from.Protect(data, mls.SendOptions{})
		sent = append(sent, b)
		return len(b), fine, err
	})
	if err != nil {
		return err
	}
	// Only what was sent can be opened, each once.
	var times []time.Duration
	for start := time.Now(); len(times) < len(sent) && (len(times) < 3 || time.Since(start) < m.o.Time); {
		began := time.Now()
		e, err := to.Process(m.now, sent[len(times)])
		times = append(times, time.Since(began))
		if err != nil {
			return fmt.Errorf("bench: mls: %s: %w", opUnprotect, err)
		}
		if a, ok := e.(*mls.Application); !ok || string(a.Data) != string(data) {
			return fmt.Errorf("bench: mls: %s: not what was sent", opUnprotect)
		}
	}
	m.note(opUnprotect, times, len(sent[0]))
	return nil
}

// full measures a group that all but the creator have joined by an external Commit,
// which fills the tree. The members in between share what is public and are
// dropped.
func (m *mlsRun) full() error {
	alone, cfg := *m.cfg, *m.cfg
	cfg.Shared = &mls.Shared{}
	m.cfg = &cfg
	creator, err := m.creator("full")
	if err != nil {
		return err
	}
	last := creator
	for i := 1; i < m.n; i++ {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		info, err := creator.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true})
		if err != nil {
			return err
		}
		id, err := mls.NewIdentity(m.cfg.Suite, fmt.Appendf(nil, "member %d", i))
		if err != nil {
			return err
		}
		e, err := mls.JoinExternal(m.cfg, m.now, id, info, mls.ExternalOptions{Tree: creator.Tree()})
		if err != nil {
			return err
		}
		event, err := creator.Process(m.now, e.Message)
		if err != nil {
			return err
		}
		if err := creator.Merge(event.(*mls.Staged)); err != nil {
			return err
		}
		last = e.Join()
		m.progress(0.3 + 0.6*float64(i)/float64(m.n))
	}
	if err := agree(creator, last); err != nil {
		return err
	}
	// Measured without the cache of what others have checked.
	if creator, err = mls.Restore(&alone, creator.State()); err != nil {
		return err
	}
	if last, err = mls.Restore(&alone, last.State()); err != nil {
		return err
	}
	// The creator's leaf is the first, so that no node of its path is filtered out;
	// the last member shares but the root with it.
	return m.commits(opFullCreate, opFullProcess, creator, last)
}

// Table renders the result for a terminal of 80 columns.
func (r MLSResult) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "MLS engine, suite %d, wall clock, one core of %d (%s, %s), seed %d\n\n", r.Suite, r.CPUs, r.Go, r.Arch, r.Seed)
	fmt.Fprintf(&b, "%-22s %9s %13s %14s %7s  %9s\n", "operation", "members", "least µs", "median µs", "times", "bytes")
	for _, row := range r.Rows {
		mark := " "
		if row.few() {
			mark = "*"
		}
		fmt.Fprintf(&b, "%-22s %9s %13.1f %14.1f %7d%s %9d\n", row.Op, grouped(row.N), row.Min, row.Median, row.Reps, mark, row.Bytes)
	}
	if r.few() > 0 {
		fmt.Fprintf(&b, "\n* fewer than %d times: the median says little; --time measures longer.\n", fewReps)
	}
	return b.String()
}

// remark says what was measured, where, and what of it is not drawn.
func (r MLSResult) remark() string {
	s := fmt.Sprintf("Suite %d (%v), one core of %d (%s, %s), seed %d. Not drawn: %s and %s, whose cost does not depend on the members.",
		r.Suite, r.Suite, r.CPUs, r.Go, r.Arch, r.Seed, opKeyPackage, opUnprotect)
	if r.few() > 0 {
		s += fmt.Sprintf(" Measured fewer than %d times: %s.", fewReps, r.fewNames())
	}
	return s
}

// fewNames names the operations that were measured few times, with the members.
func (r MLSResult) fewNames() string {
	var names []string
	for _, row := range r.Rows {
		if row.few() {
			names = append(names, fmt.Sprintf("%s of %s (%d)", strings.ReplaceAll(row.Op, "_", " "), grouped(row.N), row.Reps))
		}
	}
	return strings.Join(names, ", ")
}

// Figure draws the medians over the number of members: of as many operations as there
// are colours, so not of those whose cost does not depend on it.
func (r MLSResult) Figure() *report.Figure {
	c := &report.LineCI{
		X:      report.Axis{Label: "members", Log: true},
		Y:      report.Axis{Label: "median time", Unit: "s", Log: true},
		Remark: r.remark(),
	}
	for _, op := range []string{opAddAll, opJoin, opBlankCreate, opBlankProcess, opFullCreate, opFullProcess, opProtect} {
		s := report.Series{Name: strings.ReplaceAll(op, "_", " ")}
		for _, row := range r.Rows {
			if row.Op == op {
				s.Points = append(s.Points, report.Point{X: float64(row.N), Estimate: report.Estimate{N: 1, Mean: row.Median / 1e6}})
			}
		}
		if len(s.Points) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	return &report.Figure{
		Name: "mls-cost", Title: "What operations of the MLS engine cost by the number of members", Chart: c,
		Caption: "To add, to join and to commit to a blank tree cost time in proportion to the members; a Commit to a full tree grows with their logarithm.",
	}
}
