package serve

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// sender makes requests to notify at one follower. The hub has one under way for each
// room, which keeps a room's events in order; those of different rooms do not wait for
// each other, up to a bound.
type sender struct {
	most int

	mu     sync.Mutex // guards queue and active
	queue  []hub.Send
	active int
}

// idle reports whether nothing is to be sent, or on its way.
func (q *sender) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.active == 0 && len(q.queue) == 0
}

// send gives a request to notify its way. It does not block.
func (p *Provider) send(s hub.Send) {
	if s.To == p.cfg.Domain {
		p.background(func() { p.deliverHere(s) })
		return
	}
	peer, err := p.peers.get(s.To)
	if err != nil {
		p.delivered(s, err)
		return
	}
	q := &peer.senders
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, s)
	if q.active < q.most {
		q.active++
		p.background(func() { p.drain(q) })
	}
}

// drain sends what waits in a queue.
func (p *Provider) drain(q *sender) {
	for {
		q.mu.Lock()
		if len(q.queue) == 0 || p.ctx.Err() != nil {
			q.active--
			q.mu.Unlock()
			return
		}
		s := q.queue[0]
		q.queue[0] = hub.Send{}
		q.queue = q.queue[1:]
		q.mu.Unlock()
		p.notify(s)
	}
}

var notifyEndpoint, _ = mimi.FindEndpoint(mimi.EndpointNotify)

// notify makes one request and tells the hub what came of it.
func (p *Provider) notify(s hub.Send) {
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.Limits.Timeout)
	defer cancel()
	_, err := p.requestMissed(ctx, s.To, notifyEndpoint, s.Room.String(), s.Body, s.Missed)
	p.delivered(s, err)
}

// missedHeader says in a request to notify how many events before those in it the hub has
// given up (deviation 19 of package hub). Who does not know it ignores it.
const missedHeader = "Mimi-Lab-Missed"

// missedIn reads missedHeader; what is no number says nothing.
func missedIn(h http.Header) uint64 {
	n, _ := strconv.ParseUint(h.Get(missedHeader), 10, 32)
	return n
}

// deliverHere gives the follower of this provider what its own hub has for it.
func (p *Provider) deliverHere(s hub.Send) {
	list, err := mimi.ParseFanoutMessages(s.Body, p.cfg.Follower.Points)
	if err == nil {
		_, err = p.askFollower(p.ctx, follower.Notify{From: p.cfg.Domain, Room: s.Room, Messages: list, Missed: s.Missed})
	}
	p.delivered(s, err)
}

// delivered tells the hub what came of a request to notify. A follower that refused it
// is asked again like one that could not be reached: only a success ends it
// (deviation 11 of protocols/mimi).
func (p *Provider) delivered(s hub.Send, err error) {
	if err == nil {
		p.stats.notified.Add(uint64(s.Messages))
		p.stats.notifies.Add(1)
		p.stepHub(hub.Delivered{Room: s.Room, To: s.To, Last: s.Last}, nil)
		return
	}
	if p.ctx.Err() != nil {
		return
	}
	p.stats.failed.Add(1)
	failed := hub.DeliveryFailed{Room: s.Room, To: s.To, Last: s.Last}
	var r *follower.Refusal
	if errors.As(err, &r) { // whose reason may name rooms and users
		failed.RetryAfter = r.After
		p.log.Warn("notify refused", "to", s.To, "messages", s.Messages, "status", r.Status)
	} else {
		p.log.Warn("notify failed", "to", s.To, "messages", s.Messages, "error", err)
	}
	p.stepHub(failed, nil)
}
