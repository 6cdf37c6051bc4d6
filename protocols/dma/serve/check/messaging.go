package check

import (
	"context"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// isText reports whether a message is a text that is no reply.
func isText(m *serve.Received) bool { return m.Content.Kind == dma.Text && m.Content.ReplyTo == "" }

// messaging checks texts and receipts.
func (r *run) messaging(ctx context.Context) string {
	a := r.a
	came := r.ask(ctx, Ask{Step: Send, Number: a.number, Text: "send a text to " + a.number}, func(*seen) bool {
		return a.got(isText) != nil || a.has(dma.Undecryptable, "")
	}, "messaging.send")
	if came {
		came = r.await(ctx, r.cfg.Timeout, func(*seen) bool { return a.got(isText) != nil })
		r.holds("messaging.send", came, "it came", "it does not decrypt, nor when it is asked for again")
	}
	id := r.delivers(ctx, "messaging.delivered", dma.Content{Kind: dma.Text, Text: "A text of the checker's."})
	if id == "" {
		return ""
	}
	ok := r.await(ctx, r.cfg.Timeout, func(s *seen) bool { return s.uploads > 1 })
	r.holds("messaging.refill", ok, "they came", fmt.Sprintf("none in %v", r.cfg.Timeout))
	if r.ask(ctx, Ask{Step: Read, Number: a.number, Message: id, Text: "read what has come from " + a.number}, func(*seen) bool {
		return a.has(dma.ReadReceipt, id)
	}, "messaging.read") {
		r.pass("messaging.read", "it came")
	}
	r.retry(ctx)
	return ""
}

// delivers sends content and checks that the device has it. It returns the message's ID, ""
// if it could not be sent.
func (r *run) delivers(ctx context.Context, check string, c dma.Content) (id string) {
	id, err := r.a.send(ctx, c)
	if err != nil {
		r.unseen("it could not be sent: "+err.Error(), check)
		return ""
	}
	return r.delivered(ctx, check, id)
}

// delivered checks that the device has a message.
func (r *run) delivered(ctx context.Context, check, id string) string {
	ok := r.await(ctx, r.cfg.Timeout, func(*seen) bool { return r.a.has(dma.DeliveryReceipt, id) || r.a.has(dma.MessageRefused, id) })
	r.mu.Lock()
	refused := r.a.has(dma.MessageRefused, id)
	r.mu.Unlock()
	if refused {
		r.unseen("the gatekeeper has refused it", check)
		return ""
	}
	r.holds(check, ok, "it came", fmt.Sprintf("none in %v", r.cfg.Timeout))
	return id
}

// retry sends what does not decrypt.
func (r *run) retry(ctx context.Context) {
	r.a.spoils.Store(true)
	id, err := r.a.send(ctx, dma.Content{Kind: dma.Text, Text: "A text that comes twice, and opens once."})
	if err != nil {
		r.unseen("it could not be sent: "+err.Error(), "messaging.retry", "messaging.retried")
		return
	}
	asked := r.await(ctx, r.cfg.Timeout, func(s *seen) bool { return s.receipt(stanza.RetryAsk, id) != nil })
	if !asked {
		r.mu.Lock()
		opened := r.a.has(dma.DeliveryReceipt, id)
		r.mu.Unlock()
		if opened {
			r.fail("messaging.retry", "a message that was changed on the way is taken as delivered")
		} else {
			r.fail("messaging.retry", "none in %v", r.cfg.Timeout)
		}
		r.unseen("there is no retry receipt", "messaging.retried")
		return
	}
	r.mu.Lock()
	first := r.seen.receipt(stanza.RetryAsk, id)
	r.mu.Unlock()
	r.holds("messaging.retry", first.Retry.Count == 1 && first.Registration != 0, "it came", fmt.Sprintf("count %d and registration %d", first.Retry.Count, first.Registration))
	ok := r.await(ctx, r.cfg.Timeout, func(*seen) bool { return r.a.has(dma.DeliveryReceipt, id) })
	r.holds("messaging.retried", ok, "it came", fmt.Sprintf("none in %v", r.cfg.Timeout))
}

// offline checks pushes, and the mailbox.
func (r *run) offline(ctx context.Context) string {
	r.pushes(ctx)
	if !r.ask(ctx, Ask{Step: Leave, Text: "disconnect the device: close the app, or end the command"}, func(s *seen) bool { return s.up == 0 }, "messaging.offline") {
		return ""
	}
	id, err := r.a.send(ctx, dma.Content{Kind: dma.Text, Text: "A text for later."})
	if err == nil {
		err = r.a.Settled(ctx, false)
	}
	if err != nil {
		r.unseen("it could not be sent: "+err.Error(), "messaging.offline")
	}
	if !r.ask(ctx, Ask{Step: Return, Text: "connect the device again"}, func(s *seen) bool { return s.up > 0 }, "messaging.offline") {
		return "the device did not connect again"
	}
	ok := r.await(ctx, r.cfg.Timeout, func(*seen) bool { return r.a.has(dma.DeliveryReceipt, id) })
	r.holds("messaging.offline", ok, "it came", fmt.Sprintf("none in %v", r.cfg.Timeout))
	return ""
}
