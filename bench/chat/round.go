package chat

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/mimi-lab/mimi-lab/bench"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
)

// roundTimeout bounds a round: something hangs.
const roundTimeout = 5 * time.Minute

// phase is the load on gatekeeper or echo.
type phase struct {
	took time.Duration // until the last device had everything
	cpu  time.Duration // of the process
}

// round is one of both, with what the gatekeeper did for it.
type round struct {
	messages, frames int
	chat, echo       phase
	stats            serve.Stats
	committing       time.Duration // in the store

	accepted, delivered, echoed []time.Duration
}

type rounds []round

// echoUnderWay is how many frames of a device are under way at the echo: in all as many as
// there are messages under way, of half as many senders.
func (w *world) echoUnderWay() int { return (w.underWay + 1) / 2 }

// round has each sender send so many messages, checks what came of them, and has all
// devices send as many frames to the echo.
func (w *world) round(each, underWay int) (r round, err error) {
	ctx, cancel := context.WithTimeoutCause(w.ctx, roundTimeout, fmt.Errorf("a round is not over after %v", roundTimeout))
	defer cancel()
	before, committing := w.gk.Stats(), w.disk.Spent()
	r.messages = each * len(w.pairs)
	r.chat, err = w.load(ctx, 2*len(w.pairs), func() error {
		for _, p := range w.pairs {
			if err := p.start(each, underWay); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	after := w.gk.Stats()
	r.stats = serve.Stats{Routed: after.Routed - before.Routed, Settled: after.Settled - before.Settled, Commits: after.Commits - before.Commits, Records: after.Records - before.Records}
	r.committing = w.disk.Spent() - committing
	if err := w.verify(&r); err != nil {
		return r, err
	}
	r.frames = (each + 1) / 2 * len(w.echoers)
	r.echo, err = w.load(ctx, len(w.echoers), func() error {
		for _, e := range w.echoers {
			if err := e.start((each + 1) / 2); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	for _, e := range w.echoers {
		e.mu.Lock()
		r.echoed = append(r.echoed, e.took...)
		e.took = e.took[:0]
		e.mu.Unlock()
	}
	return r, nil
}

// load has start begin something that devices say the end of.
func (w *world) load(ctx context.Context, ends int, start func() error) (p phase, err error) {
	runtime.GC()
	w.done.Add(ends)
	began, cpu := time.Now(), bench.CPUTime()
	if bench.Part("devices", func() { err = start() }); err != nil {
		return p, err
	}
	done := make(chan struct{})
	go func() { defer close(done); w.done.Wait() }()
	select {
	case <-done:
	case <-ctx.Done():
		return p, context.Cause(ctx)
	}
	return phase{time.Since(began), bench.CPUTime() - cpu}, nil
}

// start has the sender begin with its next messages.
func (p *pair) start(n, underWay int) error {
	p.receiver.mu.Lock()
	p.goal += n
	p.receiver.mu.Unlock()
	p.sender.mu.Lock()
	defer p.sender.mu.Unlock()
	p.target += n
	if err := p.send(min(underWay, len(p.began))); err != nil {
		return err
	}
	return p.sender.flush()
}

// start has the device begin with its next frames.
func (e *echoer) start(n int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.target += n
	if err := e.send(e.w.echoUnderWay()); err != nil {
		return err
	}
	return e.flush()
}

// verify checks that what the devices and the gatekeeper counted in a round is the same.
// That each message came once and in order, they have checked when it came.
func (w *world) verify(r *round) error {
	for _, p := range w.pairs {
		p.sender.mu.Lock()
		p.receiver.mu.Lock()
		r.accepted, r.delivered = append(r.accepted, p.accepted...), append(r.delivered, p.arrived...)
		p.accepted, p.arrived = p.accepted[:0], p.arrived[:0]
		ok := p.sent == p.target && p.acked == p.sent && p.settled == p.sent && p.delivered == p.sent && p.confirmed == p.sent
		p.receiver.mu.Unlock()
		p.sender.mu.Unlock()
		if !ok {
			return fmt.Errorf("pair %d: %d messages sent, %d acknowledged, %d delivered, %d with a receipt, of %d", p.number, p.sent, p.acked, p.delivered, p.settled, p.target)
		}
	}
	if n := uint64(r.messages); r.stats.Routed != n || r.stats.Settled != n || len(r.accepted) != r.messages || len(r.delivered) != r.messages {
		return fmt.Errorf("the gatekeeper counts %d messages accepted and %d settled, the devices %d and %d, want %d", r.stats.Routed, r.stats.Settled, len(r.accepted), len(r.delivered), n)
	}
	return nil
}

// row sums up the rounds.
func (all rounds) row() Row {
	row := Row{Rounds: len(all)}
	var messages, frames, wall float64
	var stats serve.Stats
	var committing, cpu, echoCPU time.Duration
	var accepted, delivered, echoed []time.Duration
	var rates, echoes, ratios []float64
	for i := range all {
		r := &all[i]
		messages, frames, wall = messages+float64(r.messages), frames+float64(r.frames), wall+r.chat.took.Seconds()
		stats.Commits, stats.Records = stats.Commits+r.stats.Commits, stats.Records+r.stats.Records
		committing, cpu, echoCPU = committing+r.committing, cpu+r.chat.cpu, echoCPU+r.echo.cpu
		accepted, delivered, echoed = append(accepted, r.accepted...), append(delivered, r.delivered...), append(echoed, r.echoed...)
		rate, echo := float64(r.messages)/r.chat.took.Seconds(), float64(r.frames)/r.echo.took.Seconds()
		rates, echoes, ratios = append(rates, rate), append(echoes, echo), append(ratios, rate/echo)
	}
	row.Rate, row.Echo, row.Ratio = bench.Median(rates), bench.Median(echoes), bench.Median(ratios)
	row.AcceptedTimes, row.DeliveredTimes, row.EchoTimes = bench.Quantiles(accepted), bench.Quantiles(delivered), bench.Quantiles(echoed)
	row.CPU, row.EchoCPU = cpu.Seconds()*1e6/messages, echoCPU.Seconds()*1e6/frames
	if row.CPU > 0 {
		row.RatioCPU = row.EchoCPU / row.CPU
	}
	row.Busy = cpu.Seconds() / wall / float64(runtime.GOMAXPROCS(0))
	row.Commits, row.Records = float64(stats.Commits)/messages, float64(stats.Records)/messages
	row.CommitMS = bench.Milliseconds(committing) / float64(max(stats.Commits, 1))
	return row
}
