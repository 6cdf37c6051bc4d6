package chat

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
	// Devices are the numbers of connected devices; half of them send. Nil is 250, 500,
	// 1000, 2000.
	Devices []int
	Stores  []Store // where the gatekeeper's state is; nil is None and SQLite
	// UnderWay is how many messages of each sender are under way at once; 0 is 4.
	UnderWay int
	Size     int           // bytes of the ciphertext in a message; 0 is 200, about that of a short text
	Messages int           // of a round; 0 is 20000, at least one for each sender
	Time     time.Duration // on the clock for each row; 0 is 5 s
	// Dir is where the stores are; "" is a temporary folder. What a commit costs is a
	// matter of its disk.
	Dir string
	// Profile, if not nil, gets a CPU profile. Its label "part" says whose the time is.
	Profile io.Writer
	// Progress, if not nil, is called now and then with the share that is done.
	Progress func(share float64)
}

// Store is where the gatekeeper's state is.
type Store string

// The stores.
const (
	None   Store = "none"   // in memory alone: nothing is written down
	Memory Store = "memory" // what is written down outlives nothing
	SQLite Store = "sqlite" // every commit is synced to the disk before it counts
)

var stores = []Store{None, Memory, SQLite}

// Bounds of what is measured.
const (
	maxDevices  = 20_000
	maxUnderWay = 32 // steps that a gatekeeper takes of one client before they are durable
	maxSize     = 64 << 10
	maxMessages = 10_000_000
	minRounds   = 3
)

// orDefault fills in what was left out, and checks the rest.
func (o Options) orDefault() (Options, error) {
	if o.Devices == nil {
		o.Devices = []int{250, 500, 1000, 2000}
	}
	if o.Stores == nil {
		o.Stores = []Store{None, SQLite}
	}
	o.UnderWay = cmp.Or(o.UnderWay, 4)
	o.Size = cmp.Or(o.Size, 200)
	o.Messages = cmp.Or(o.Messages, 20_000)
	o.Time = cmp.Or(o.Time, 5*time.Second)
	if len(o.Devices) == 0 || len(o.Stores) == 0 {
		return o, errors.New("bench: chat: nothing to measure, want a number of devices and a store")
	}
	for _, s := range o.Stores {
		if !slices.Contains(stores, s) {
			return o, fmt.Errorf("bench: chat: store %q, want one of %q", s, stores)
		}
	}
	for _, b := range []struct {
		what       string
		n          []int
		from, upTo int
	}{
		{"devices", o.Devices, 2, maxDevices}, {"messages of a sender under way", []int{o.UnderWay}, 1, maxUnderWay},
		{"bytes", []int{o.Size}, 16, maxSize}, {"messages", []int{o.Messages}, 1, maxMessages},
	} {
		for _, n := range b.n {
			if n < b.from || n > b.upTo {
				return o, fmt.Errorf("bench: chat: %d %s, want %d to %d", n, b.what, b.from, b.upTo)
			}
		}
	}
	if o.Time < 0 {
		return o, errors.New("bench: chat: negative time, want at least 0")
	}
	return o, nil
}

// Check says why [Run] would refuse the options.
func (o Options) Check() error {
	_, err := o.orDefault()
	return err
}

// Result is what [Run] measures.
type Result struct {
	Go       string `json:"go"`
	CPUs     int    `json:"cpus"`
	Arch     string `json:"arch"`
	UnderWay int    `json:"under_way"` // messages of each sender at once
	Frame    int    `json:"frame"`     // bytes of a message's stanza, and of what the echo returns
	Rows     []Row  `json:"rows"`
}

// Row is a number of devices. Rates are per second and, as the ratios, medians of the
// rounds; times are of all rounds, in milliseconds.
type Row struct {
	Store   Store `json:"store"`
	Devices int   `json:"devices"`
	Rounds  int   `json:"rounds"`

	Rate  float64 `json:"per_s"`      // messages, until the last receipt is with its sender
	Echo  float64 `json:"echo_per_s"` // frames that came back
	Ratio float64 `json:"ratio"`      // of a round of messages and the round of the echo after it

	AcceptedTimes  bench.Times `json:"accepted_ms"`  // from the sender until its acknowledgement
	DeliveredTimes bench.Times `json:"delivered_ms"` // from the sender to the recipient
	EchoTimes      bench.Times `json:"echo_ms"`      // there and back

	// The ratio of the CPU times hardly depends on what else the machine does.
	RatioCPU float64 `json:"ratio_cpu"`
	CPU      float64 `json:"cpu_us"`      // microseconds of the process for a message, all parts; 0 where it is not known
	EchoCPU  float64 `json:"echo_cpu_us"` // for a frame that came back
	Busy     float64 `json:"busy"`        // share of the machine's cores that the process had

	Commits  float64 `json:"commits"`   // transactions of the store for a message
	Records  float64 `json:"records"`   // written in them for a message
	CommitMS float64 `json:"commit_ms"` // how long one takes, the mean

	// Bytes of memory for a connection, both ends of it: before its first message, and
	// when all is quiet again after the last one.
	Idle  float64 `json:"idle_bytes"`
	Quiet float64 `json:"quiet_bytes"`
}

// Run measures. On a cancelled ctx it returns the rows that are whole, with ctx's error.
func Run(ctx context.Context, o Options) (Result, error) {
	res := Result{Go: runtime.Version(), CPUs: runtime.GOMAXPROCS(0), Arch: runtime.GOOS + "/" + runtime.GOARCH}
	o, err := o.orDefault()
	if err != nil {
		return res, err
	}
	res.UnderWay = o.UnderWay
	if o.Profile != nil {
		if err := pprof.StartCPUProfile(o.Profile); err != nil {
			return res, fmt.Errorf("bench: chat: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	rows := len(o.Stores) * len(o.Devices)
	for _, s := range o.Stores {
		for _, n := range o.Devices {
			progress := func(share float64) {
				if o.Progress != nil {
					o.Progress((float64(len(res.Rows)) + share) / float64(rows))
				}
			}
			row, frame, err := measure(ctx, &o, s, n, progress)
			if err != nil {
				if ctx.Err() != nil {
					return res, context.Cause(ctx)
				}
				return res, fmt.Errorf("bench: chat: %d devices, store %s: %w", n, s, err)
			}
			res.Rows, res.Frame = append(res.Rows, row), frame
		}
	}
	return res, nil
}

// measure measures a row.
func measure(ctx context.Context, o *Options, s Store, devices int, progress func(share float64)) (row Row, frame int, err error) {
	dir, err := os.MkdirTemp(o.Dir, "mimi-lab-bench-")
	if err != nil {
		return row, 0, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := &world{ctx: ctx, stop: stop, dir: dir, store: s, underWay: o.UnderWay, size: o.Size}
	defer func() { err = errors.Join(err, w.close(), os.RemoveAll(dir)) }()
	if err := w.build(devices / 2); err != nil {
		return row, 0, errors.Join(err, context.Cause(ctx))
	}
	progress(0.2)
	each := max(1, o.Messages/len(w.pairs))
	if _, err := w.round(1, 1); err != nil { // which makes buffers grow
		return row, 0, err
	}
	var all rounds
	for measured := time.Duration(0); len(all) < minRounds || measured < o.Time; {
		r, err := w.round(each, o.UnderWay)
		if err != nil {
			return row, 0, err
		}
		all = append(all, r)
		measured += r.chat.took + r.echo.took
		progress(0.2 + 0.8*min(1, max(float64(len(all))/minRounds, float64(measured)/float64(max(o.Time, 1)))))
	}
	row = all.row()
	row.Store, row.Devices, row.Idle = s, 2*len(w.pairs), w.idle
	row.Quiet = w.perConnection()
	return row, w.frame, nil
}
