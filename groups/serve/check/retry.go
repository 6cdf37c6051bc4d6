package check

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// retryAfter is what the second peer asks for, in seconds.
const retryAfter = 2

// order sends three messages, and has the second peer refuse the first request that
// brings one of them.
func (in *inRoom) order(ctx context.Context) {
	c := in.c
	ids := []string{"notify.order", "notify.once", "notify.retry", "notify.retry-after", "notify.retry-bytes"}
	var texts []string
	for i := range 3 {
		texts = append(texts, fmt.Sprintf("Part %d of a check %s", i+1, token()))
	}
	c.mu.Lock()
	start := len(c.inbox)
	refused := false
	c.answer = func(n *notified) (int, int) {
		if refused || !n.room.Equal(mimi.URI(in.where)) {
			return http.StatusCreated, 0
		}
		refused = true
		return http.StatusServiceUnavailable, retryAfter
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.answer = nil
	}()
	for _, t := range texts {
		req, _, err := in.d.protect(t, true)
		if err != nil {
			in.skip("making a message: "+err.Error(), ids...)
			return
		}
		if m, a := in.post(ctx, in.b, req); m == nil || m.StatusCode != mimi.SubmitAccepted {
			in.skip("a message was not accepted: "+submitSeen(m, a), ids...)
			return
		}
	}
	heard := func() (list []string) {
		for _, e := range c.events {
			if m, ok := e.(member.Message); ok && slices.Contains(texts, said(&m)) {
				list = append(list, said(&m))
			}
		}
		return list
	}
	all := c.untilIn(ctx, in.cfg.Timeout+retryAfter*time.Second, func() bool { return len(heard()) >= len(texts) })
	in.rest(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	got := heard()
	came := slices.Clone(c.inbox[start:])
	in.retried(came)
	switch {
	case slices.Equal(got, texts):
		in.pass("notify.order", "%d messages", len(got))
	case !all:
		in.fail("notify.order", "%d of %d messages came", len(got), len(texts))
	default:
		in.fail("notify.order", "they come in another order")
	}
	in.onceOnly(came)
}

// retried looks at how a request that was refused came again.
func (in *inRoom) retried(came []notified) {
	i := slices.IndexFunc(came, func(n notified) bool { return n.status == http.StatusServiceUnavailable })
	if i < 0 {
		in.skip("no request came", "notify.retry", "notify.retry-after", "notify.retry-bytes")
		return
	}
	first := &came[i]
	events := make(map[string]bool)
	for j := range first.list {
		events[string(encode(&first.list[j].Message))] = true
	}
	for j := range came[i+1:] {
		n := &came[i+1+j]
		if !slices.ContainsFunc(n.list, func(f mimi.FanoutMessage) bool { return events[string(encode(&f.Message))] }) {
			continue
		}
		waited := n.at.Sub(first.at)
		in.pass("notify.retry", "after %.1f s", waited.Seconds())
		in.holds("notify.retry-after", waited >= retryAfter*time.Second-100*time.Millisecond, "after %.1f s", waited.Seconds())
		if bytes.Equal(n.body, first.body) {
			in.pass("notify.retry-bytes", "%d bytes, the same", len(n.body))
		} else {
			in.fail("notify.retry-bytes", "%d bytes, and others than the %d before: a follower takes it for another request", len(n.body), len(first.body))
		}
		return
	}
	in.fail("notify.retry", "it does not come again")
	in.skip("it does not come again", "notify.retry-after", "notify.retry-bytes")
}

// onceOnly looks whether an event was accepted in two requests.
func (in *inRoom) onceOnly(came []notified) {
	in.holds("notify.once", len(came) > 0, "%d requests", len(came))
	times, bodies := make(map[string]int), make(map[string]bool)
	for i := range came {
		n := &came[i]
		if n.status != http.StatusCreated {
			continue
		}
		if bodies[string(n.body)] {
			in.warn("notify.once", "a request came again after it was accepted, byte for byte")
			continue
		}
		bodies[string(n.body)] = true
		for j := range n.list {
			key := string(encode(&n.list[j].Message))
			if times[key]++; times[key] == 2 {
				in.fail("notify.once", "an event came again, in another request")
			}
		}
	}
}
