package rooms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/bench"
)

// Options are those of [Run].
type Options struct {
	// Followers and Clients are swept: the numbers of followers with the first number
	// of clients at each, and the numbers of clients with 3 followers, or with the first
	// number of followers if 3 is not among them. Nil is 1, 2, 3, 5, 10, 20 and 1, 10,
	// 100. Each follower has one client more, who sends.
	Followers []int
	Clients   []int
	// Stores are the providers' stores: SQLite, Memory; nil is both.
	Stores []Store
	// Rooms is how many rooms there are, all with the same members; 0 is 1. Events of
	// one room to one follower go out one request after the other, together with what
	// waits meanwhile; more rooms have more requests with less in each.
	Rooms    int
	Messages int           // of a round; 0 is 2000
	UnderWay int           // requests at once, over all senders; 0 is 200
	Time     time.Duration // on the clock for each row; 0 is 5 s
	// Dir is where the stores are; "" is a temporary folder. What a commit costs is a
	// matter of its disk.
	Dir string
	// Profile, if not nil, gets a CPU profile of all rounds. Its label "part" says
	// whose the time is.
	Profile io.Writer
	// Progress, if not nil, is called now and then with the share that is done.
	Progress func(share float64)
}

// Store is a kind of store.
type Store string

// The stores.
const (
	SQLite Store = "sqlite" // every commit is synced to the disk before it counts
	Memory Store = "memory" // nothing outlives the process
)

// Bounds of what is measured.
const (
	maxFollowers = 50
	maxClients   = 1000 // of a room
	maxRooms     = 100
	maxMessages  = 100_000
	maxUnderWay  = 250 // streams that a server of Go's takes on one connection
	minRounds    = 3
)

// orDefault fills in what was left out, and checks the rest.
func (o Options) orDefault() (Options, error) {
	if o.Followers == nil {
		o.Followers = []int{1, 2, 3, 5, 10, 20}
	}
	if o.Clients == nil {
		o.Clients = []int{1, 10, 100}
	}
	if o.Stores == nil {
		o.Stores = []Store{SQLite, Memory}
	}
	o.Rooms = cmp.Or(o.Rooms, 1)
	o.Messages = cmp.Or(o.Messages, 2000)
	o.UnderWay = cmp.Or(o.UnderWay, 200)
	o.Time = cmp.Or(o.Time, 5*time.Second)
	if len(o.Followers) == 0 || len(o.Clients) == 0 || len(o.Stores) == 0 {
		return o, errors.New("bench: rooms: nothing to measure, want a number of followers, of clients, and a store")
	}
	for _, s := range o.Stores {
		if s != SQLite && s != Memory {
			return o, fmt.Errorf("bench: rooms: store %q, want %s or %s", s, SQLite, Memory)
		}
	}
	for _, b := range []struct {
		what       string
		n          []int
		from, upTo int
	}{
		{"followers", o.Followers, 1, maxFollowers}, {"clients of a follower", o.Clients, 1, maxClients}, {"rooms", []int{o.Rooms}, 1, maxRooms},
		{"messages", []int{o.Messages}, 1, maxMessages}, {"requests under way", []int{o.UnderWay}, 1, maxUnderWay},
	} {
		for _, n := range b.n {
			if n < b.from || n > b.upTo {
				return o, fmt.Errorf("bench: rooms: %d %s, want %d to %d", n, b.what, b.from, b.upTo)
			}
		}
	}
	for _, p := range o.points() {
		if n := p.followers * (p.clients + 1); n > maxClients {
			return o, fmt.Errorf("bench: rooms: %d followers of %d clients each, and one who sends, are %d, want at most %d", p.followers, p.clients, n, maxClients)
		}
	}
	if o.Time < 0 {
		return o, errors.New("bench: rooms: negative time, want at least 0")
	}
	return o, nil
}

// Check says why [Run] would refuse the options.
func (o Options) Check() error {
	_, err := o.orDefault()
	return err
}

// point is what one row measures.
type point struct {
	store              Store
	followers, clients int
}

// points are the two sweeps, in each store.
func (o *Options) points() (list []point) {
	usual := 3
	if !slices.Contains(o.Followers, usual) {
		usual = o.Followers[0]
	}
	for _, s := range o.Stores {
		for _, n := range o.Followers {
			list = append(list, point{s, n, o.Clients[0]})
		}
		for _, n := range o.Clients[1:] {
			list = append(list, point{s, usual, n})
		}
	}
	return list
}

// Result is what [Run] measures.
type Result struct {
	Go       string `json:"go"`
	CPUs     int    `json:"cpus"`
	Arch     string `json:"arch"`
	Rooms    int    `json:"rooms"`
	Messages int    `json:"messages"`  // of a round
	UnderWay int    `json:"under_way"` // requests at once
	Body     int    `json:"body"`      // bytes of a request to submit a message
	Rows     []Row  `json:"rows"`
}

// Row is a number of followers and clients. Rates are per second and, as the ratios,
// medians of the rounds; times are of all rounds, in milliseconds.
type Row struct {
	Store     Store `json:"store"`
	Followers int   `json:"followers"`
	Clients   int   `json:"clients"` // of each follower
	Rounds    int   `json:"rounds"`

	Accepted  float64 `json:"accepted_per_s"`  // until the last response
	Delivered float64 `json:"delivered_per_s"` // until the last client has the last message
	Empty     float64 `json:"empty_per_s"`     // of the empty handler
	// The ratios are of a round of the hub and the round of the empty handler after it.
	RatioAccepted  float64 `json:"ratio_accepted"`
	RatioDelivered float64 `json:"ratio_delivered"`

	AcceptedTimes  bench.Times `json:"accepted_ms"`  // from the request to the response
	DeliveredTimes bench.Times `json:"delivered_ms"` // from the request until the last client has it
	EmptyTimes     bench.Times `json:"empty_ms"`     // from the request to the response

	Batch    float64 `json:"batch"`            // messages in a request to notify, the mean
	Commits  float64 `json:"commits"`          // transactions of the hub's store for a message
	Records  float64 `json:"records"`          // written in them for a message
	CommitMS float64 `json:"commit_ms"`        // how long one takes, the mean
	Followed float64 `json:"follower_commits"` // transactions of a follower's store for a message

	// The ratio of the CPU times hardly depends on what else the machine does.
	RatioCPU float64 `json:"ratio_cpu"`
	CPU      float64 `json:"cpu_us"`       // microseconds of the process for a message, all parts; 0 where it is not known
	EmptyCPU float64 `json:"empty_cpu_us"` // for a request to the empty handler
	Busy     float64 `json:"busy"`         // share of the machine's cores that the process had
}

// Run measures. On a cancelled ctx it returns the rows that are whole, with ctx's error.
func Run(ctx context.Context, o Options) (Result, error) {
	res := Result{Go: runtime.Version(), CPUs: runtime.GOMAXPROCS(0), Arch: runtime.GOOS + "/" + runtime.GOARCH}
	o, err := o.orDefault()
	if err != nil {
		return res, err
	}
	res.Rooms, res.Messages, res.UnderWay = o.Rooms, o.Messages, o.UnderWay
	if o.Profile != nil {
		if err := pprof.StartCPUProfile(o.Profile); err != nil {
			return res, fmt.Errorf("bench: rooms: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	points := o.points()
	for i, p := range points {
		progress := func(share float64) {
			if o.Progress != nil {
				o.Progress((float64(i) + share) / float64(len(points)))
			}
		}
		row, body, err := measure(ctx, &o, p, progress)
		if err != nil {
			if ctx.Err() != nil {
				return res, context.Cause(ctx)
			}
			return res, fmt.Errorf("bench: rooms: %d followers of %d clients, store %s: %w", p.followers, p.clients, p.store, err)
		}
		res.Rows, res.Body = append(res.Rows, row), body
	}
	return res, nil
}

// measure measures a row.
func measure(ctx context.Context, o *Options, p point, progress func(share float64)) (row Row, body int, err error) {
	dir, err := os.MkdirTemp(o.Dir, "mimi-lab-bench-")
	if err != nil {
		return row, 0, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := &world{ctx: ctx, stop: stop, dir: dir, point: p}
	defer func() { err = errors.Join(err, w.close(), os.RemoveAll(dir)) }()
	if err := w.build(o.Rooms); err != nil {
		return row, 0, errors.Join(err, context.Cause(ctx))
	}
	progress(0.2)
	var all rounds
	// The first round makes connections, one message after the other: of many at once
	// each would make one of its own, and the handshakes could take too long.
	if _, err := w.round(2*len(w.senders), 1); err != nil {
		return row, 0, err
	}
	for measured := time.Duration(0); len(all) < minRounds || measured < o.Time; {
		r, err := w.round(o.Messages, o.UnderWay)
		if err != nil {
			return row, 0, err
		}
		all = append(all, r)
		measured += r.hub.delivered + r.empty.accepted
		progress(0.2 + 0.8*min(1, max(float64(len(all))/minRounds, float64(measured)/float64(max(o.Time, 1)))))
	}
	row = all.row()
	row.Store, row.Followers, row.Clients = p.store, p.followers, p.clients
	return row, w.bodySize, nil
}
