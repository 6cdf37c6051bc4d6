package rooms

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mimi-lab/mimi-lab/bench"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// roundTimeout bounds a round: something hangs.
const roundTimeout = 5 * time.Minute

// submit is one message of a round.
type submit struct {
	room     *room
	sender   *sender
	text     string
	body     []byte
	start    time.Duration // since the round began
	took     time.Duration // until the response
	accepted uint64        // the hub's time of it
}

// phase is the load on one of the two handlers.
type phase struct {
	accepted  time.Duration   // until the last response
	delivered time.Duration   // until the last client had everything
	cpu       time.Duration   // of the process
	took      []time.Duration // until each response
	reached   []time.Duration // until all clients had each message
}

// round is one of both, with what the providers did for it.
type round struct {
	messages   int
	hub, empty phase
	stats      serve.Stats   // of the hub
	committing time.Duration // in the hub's store
	followed   float64       // commits of a follower, the mean
}

type rounds []round

// round seals messages, submits them to the hub, checks what came of it, and sends the
// same to the empty handler.
func (w *world) round(n, underWay int) (r round, err error) {
	var list []submit
	bench.Part("members", func() { list, err = w.seal(n) })
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeoutCause(w.ctx, roundTimeout, fmt.Errorf("a round is not over after %v", roundTimeout))
	defer cancel()
	r.messages = n
	before, committing, followed := w.hub.Stats(), w.hub.store.Spent(), w.followed()
	if r.hub, err = w.load(ctx, list, underWay); err != nil {
		return r, err
	}
	if bench.Part("members", func() { err = w.verify(list) }); err != nil {
		return r, err
	}
	after := w.hub.Stats()
	r.stats = serve.Stats{
		Accepted: after.Accepted - before.Accepted, Notified: after.Notified - before.Notified, Notifies: after.Notifies - before.Notifies,
		Commits: after.Commits - before.Commits, Records: after.Records - before.Records,
	}
	r.committing = w.hub.store.Spent() - committing
	r.followed = float64(w.followed()-followed) / float64(len(w.followers))
	if after.Failed > 0 || r.stats.Accepted != uint64(n) {
		return r, fmt.Errorf("the hub accepted %d messages and failed to notify %d times, want %d and 0: %s", r.stats.Accepted, after.Failed, n, &w.warnings)
	}
	r.empty, err = w.baseline(ctx, list, underWay)
	return r, err
}

// followed returns how many transactions the followers' stores have had.
func (w *world) followed() (n uint64) {
	for _, f := range w.followers {
		n += f.Stats().Commits
	}
	return n
}

// seal makes the messages of a round, by all senders in all rooms in turn.
func (w *world) seal(n int) ([]submit, error) {
	list := make([]submit, n)
	for i := range list {
		s := &list[i]
		s.room, s.sender = w.rooms[i/len(w.senders)%len(w.rooms)], w.senders[i%len(w.senders)]
		s.text = fmt.Sprintf("message %d, of some sixty characters as people send them", s.room.sent+i)
		var err error
		if s.body, err = s.sender.seal(s.room.uri, s.text); err != nil {
			return nil, err
		}
	}
	w.bodySize = len(list[0].body)
	return list, nil
}

// load submits messages to the hub, and waits until all clients have them.
func (w *world) load(ctx context.Context, list []submit, underWay int) (p phase, err error) {
	runtime.GC()
	began, cpu := time.Now(), bench.CPUTime()
	for _, room := range w.rooms {
		n := 0
		for i := range list {
			if list[i].room == room {
				n++
			}
		}
		room.began, room.last = began, make([]atomic.Int64, n)
		room.target.Store(int64(room.sent + n))
		if n > 0 {
			w.done.Add(len(w.receivers))
		}
	}
	err = w.post(ctx, list, underWay, func(s *submit) (*http.Client, string) {
		return s.sender.hub, "https://" + hubDomain + "/submitMessage/" + mimi.Escape(s.room.uri.String())
	}, func(s *submit, body []byte) error {
		resp, err := mimi.ParseSubmitMessageResponse(body)
		if err != nil {
			return err
		}
		if resp.StatusCode != mimi.SubmitAccepted || resp.Frank == nil {
			return fmt.Errorf("submit: %v, franked %t, want accepted and franked", resp.StatusCode, resp.Frank != nil)
		}
		s.accepted = resp.AcceptedTimestamp
		w.sized.Do(func() { w.reply = make([]byte, len(body)) })
		return nil
	})
	if err != nil {
		return p, err
	}
	p.accepted = time.Since(began)
	done := make(chan struct{})
	go func() { defer close(done); w.done.Wait() }()
	select {
	case <-done:
	case <-ctx.Done():
		return p, context.Cause(ctx)
	}
	p.delivered, p.cpu = time.Since(began), bench.CPUTime()-cpu
	p.note(list)
	return p, nil
}

// baseline sends the same to the empty handler.
func (w *world) baseline(ctx context.Context, list []submit, underWay int) (p phase, err error) {
	runtime.GC()
	began, cpu := time.Now(), bench.CPUTime()
	err = w.post(ctx, list, underWay, func(s *submit) (*http.Client, string) {
		return s.sender.empty, "https://" + emptyDomain + "/submitMessage/" + mimi.Escape(s.room.uri.String())
	}, func(_ *submit, body []byte) error {
		if len(body) != len(w.reply) {
			return fmt.Errorf("the empty handler answered %d bytes, want %d", len(body), len(w.reply))
		}
		return nil
	})
	p.accepted, p.cpu = time.Since(began), bench.CPUTime()-cpu
	for i := range list {
		p.took = append(p.took, list[i].took)
	}
	return p, err
}

// post makes the requests, so many at once, and checks each answer.
func (w *world) post(ctx context.Context, list []submit, underWay int, to func(*submit) (*http.Client, string), check func(*submit, []byte) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	bench.Part("sender", func() {
		for range min(underWay, len(list)) {
			wg.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= len(list) || ctx.Err() != nil {
						return
					}
					s := &list[i]
					s.start = time.Since(began)
					client, url := to(s)
					answer, err := request(ctx, client, url, s)
					s.took = time.Since(began) - s.start
					if err == nil {
						err = check(s, answer)
					}
					if err != nil {
						fail(fmt.Errorf("message %d of %d: %w", i+1, len(list), err))
						return
					}
				}
			})
		}
	})
	wg.Wait()
	return context.Cause(ctx)
}

// request makes one request as the sender's provider does.
func request(ctx context.Context, c *http.Client, url string, s *submit) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(s.body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("From", mimi.From(s.sender.from))
	r.Header.Set("Content-Type", mimi.MediaType)
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	return body, err
}

// note notes how long the messages took, of which those of a room reach the clients in
// the order in which they were accepted.
func (p *phase) note(list []submit) {
	for _, of := range byRoom(list) {
		for k, s := range of {
			p.took = append(p.took, s.took)
			p.reached = append(p.reached, time.Duration(s.room.last[k].Load())-s.start)
		}
	}
}

// byRoom returns the messages of each room in the order in which they were accepted.
func byRoom(list []submit) map[*room][]*submit {
	of := make(map[*room][]*submit)
	for i := range list {
		s := &list[i]
		of[s.room] = append(of[s.room], s)
	}
	for _, l := range of {
		slices.SortFunc(l, func(a, b *submit) int { return cmp.Compare(a.accepted, b.accepted) })
	}
	return of
}

// verify checks that every client had every message of the round once, in the order in
// which they were accepted, that all followers had the same bytes, and that a member can
// open them.
func (w *world) verify(list []submit) error {
	of := byRoom(list)
	for _, room := range w.rooms {
		l := of[room]
		for k, s := range l {
			if k > 0 && s.accepted == l[k-1].accepted {
				return fmt.Errorf("two messages of %v accepted at %d", room.uri, s.accepted)
			}
			room.order.add(s.accepted)
		}
		room.sent += len(l)
		var first [][]byte
		for _, r := range w.receivers {
			f := r.feeds[room.uri]
			if f.count != room.sent || f.order != room.order {
				return fmt.Errorf("%v had %d messages of %v, want %d, in the order in which they were accepted", r.uri, f.count, room.uri, room.sent)
			}
			if !r.keeps {
				continue
			}
			if first == nil {
				first = f.bodies
			} else if !slices.EqualFunc(first, f.bodies, bytes.Equal) {
				return fmt.Errorf("followers had different messages of %v", room.uri)
			}
			f.bodies = nil
		}
		for k, s := range l {
			text, accepted, err := w.reader.open(room.uri, first[k])
			if err != nil {
				return fmt.Errorf("%v opens %q: %w", w.reader.uri, s.text, err)
			}
			if text != s.text || accepted != s.accepted {
				return fmt.Errorf("%v opened %q accepted at %d, want %q at %d", w.reader.uri, text, accepted, s.text, s.accepted)
			}
		}
	}
	return nil
}

// row sums up the rounds.
func (all rounds) row() Row {
	row := Row{Rounds: len(all)}
	var n, wall float64
	var stats serve.Stats
	var committing, cpu, emptyCPU time.Duration
	var took, reached, empty []time.Duration
	for i := range all {
		r := &all[i]
		n += float64(r.messages)
		stats.Notified += r.stats.Notified
		stats.Notifies += r.stats.Notifies
		stats.Commits += r.stats.Commits
		stats.Records += r.stats.Records
		committing += r.committing
		row.Followed += r.followed
		cpu += r.hub.cpu
		emptyCPU += r.empty.cpu
		wall += r.hub.delivered.Seconds()
		took, reached, empty = append(took, r.hub.took...), append(reached, r.hub.reached...), append(empty, r.empty.took...)
	}
	rate := func(of func(*round) float64) float64 {
		list := make([]float64, len(all))
		for i := range all {
			list[i] = of(&all[i])
		}
		return bench.Median(list)
	}
	row.Accepted = rate(func(r *round) float64 { return float64(r.messages) / r.hub.accepted.Seconds() })
	row.Delivered = rate(func(r *round) float64 { return float64(r.messages) / r.hub.delivered.Seconds() })
	row.Empty = rate(func(r *round) float64 { return float64(r.messages) / r.empty.accepted.Seconds() })
	row.RatioAccepted = rate(func(r *round) float64 { return r.empty.accepted.Seconds() / r.hub.accepted.Seconds() })
	row.RatioDelivered = rate(func(r *round) float64 { return r.empty.accepted.Seconds() / r.hub.delivered.Seconds() })
	row.AcceptedTimes, row.DeliveredTimes, row.EmptyTimes = bench.Quantiles(took), bench.Quantiles(reached), bench.Quantiles(empty)
	row.Batch = float64(stats.Notified) / float64(max(stats.Notifies, 1))
	row.Commits, row.Records, row.Followed = float64(stats.Commits)/n, float64(stats.Records)/n, row.Followed/n
	row.CommitMS = bench.Milliseconds(committing) / float64(max(stats.Commits, 1))
	row.CPU, row.EmptyCPU = cpu.Seconds()*1e6/n, emptyCPU.Seconds()*1e6/n
	if cpu > 0 {
		row.RatioCPU = emptyCPU.Seconds() / cpu.Seconds()
	}
	row.Busy = cpu.Seconds() / wall / float64(runtime.GOMAXPROCS(0))
	return row
}
