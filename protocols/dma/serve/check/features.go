package check

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// features checks reactions, replies, typing notices and media.
func (r *run) features(ctx context.Context) string {
	a := r.a
	id, err := a.send(ctx, dma.Content{Kind: dma.Text, Text: "What do you think of this?"})
	if err != nil {
		return "no message can be sent: " + err.Error()
	}
	about := func(step Step, text string) Ask {
		return Ask{Step: step, Number: a.number, Message: id, Text: text + `"What do you think of this?"`}
	}
	reaction := func(emoji bool) func(*serve.Received) bool {
		return func(m *serve.Received) bool {
			return m.Content.Kind == dma.Reaction && m.Content.Target == id && (m.Content.Text != "") == emoji
		}
	}
	if r.ask(ctx, about(React, "react to the message "), func(*seen) bool { return a.got(reaction(true)) != nil }, "features.reaction") {
		r.pass("features.reaction", "it came")
		if r.ask(ctx, about(Revoke, "take back the reaction to the message "), func(*seen) bool { return a.got(reaction(false)) != nil }, "features.revoke") {
			r.pass("features.revoke", "it came")
		}
	} else {
		r.unseen("there was no reaction", "features.revoke")
	}
	if r.ask(ctx, about(Reply, "reply to the message "), func(*seen) bool {
		return a.got(func(m *serve.Received) bool { return m.Content.ReplyTo == id }) != nil
	}, "features.reply") {
		r.pass("features.reply", "it came")
	}
	if r.ask(ctx, Ask{Step: Type, Number: a.number, Text: "begin to write to " + a.number + ", and send nothing"}, func(*seen) bool {
		return a.has(dma.TypingStarted, "")
	}, "features.typing") {
		r.pass("features.typing", "it came")
	}
	r.takes(ctx)
	return ""
}

// takes sends what a partner's device must take.
func (r *run) takes(ctx context.Context) {
	r.mu.Lock()
	theirs := r.a.got(isText)
	r.mu.Unlock()
	if theirs == nil {
		r.unseen("there is no text of the partner's", "features.takes-reply", "features.takes-reaction")
	} else {
		r.delivers(ctx, "features.takes-reply", dma.Content{Kind: dma.Text, Text: "A reply.", ReplyTo: theirs.ID})
		r.delivers(ctx, "features.takes-reaction", dma.Content{Kind: dma.Reaction, Text: "👍", Target: theirs.ID})
		r.delivers(ctx, "features.takes-reaction", dma.Content{Kind: dma.Reaction, Target: theirs.ID})
	}
	r.media(ctx)
}

// media sends a photo, and gets one.
func (r *run) media(ctx context.Context) {
	r.mu.Lock()
	to := r.seen.login
	r.mu.Unlock()
	photo := serve.Medium{Kind: dma.Image, Caption: "A photo.", MIME: "image/png"}
	id, err := r.a.SendMedia(ctx, to, photo, bytes.NewReader(picture), nil)
	if err != nil {
		r.unseen("it could not be sent: "+err.Error(), "features.takes-media", "features.fetches")
	} else if r.delivered(ctx, "features.takes-media", id) != "" {
		// The app may fetch it by itself, or once its user looks at it.
		fetched := r.poll(ctx, r.cfg.Timeout, func() bool { return r.gk.Stats().Handed > 0 })
		if fetched {
			r.pass("features.fetches", "it came")
		} else if r.cfg.Ask(Ask{Step: Read, Number: r.a.number, Message: id, Text: "look at the photo that has come from " + r.a.number}); r.poll(ctx, r.cfg.Wait, func() bool { return r.gk.Stats().Handed > 0 }) {
			r.pass("features.fetches", "it came, once the user looked")
		} else {
			r.unseen(fmt.Sprintf("not seen in %v: a request to the media host", r.cfg.Wait), "features.fetches")
		}
	}
	var came *serve.Received
	if !r.ask(ctx, Ask{Step: Photo, Number: r.a.number, Text: "send a photo to " + r.a.number}, func(*seen) bool {
		came = r.a.got(func(m *serve.Received) bool { return m.Content.Kind == dma.Image })
		return came != nil
	}, "features.photo") {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	err = r.a.SaveMedia(bounded, &came.Content, io.Discard, nil)
	r.holds("features.photo", err == nil, "it came, and opens", fmt.Sprint(err))
}

// picture is what the checker sends for a photo.
var picture = bytes.Repeat([]byte("not really a photo "), 100)

// poll waits until something that nobody notes is so.
func (r *run) poll(ctx context.Context, most time.Duration, so func() bool) bool {
	for until := time.Now().Add(most); !so(); {
		if ctx.Err() != nil || time.Now().After(until) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}

// reachability has the partner's user ask, and a user of the checker's consent.
func (r *run) reachability(ctx context.Context) string {
	b := r.b
	addr := b.Account()
	if !r.ask(ctx, Ask{Step: Ping, Number: b.number, Text: "ask " + b.number + " to be allowed to write (a ping)"}, func(s *seen) bool {
		return s.pinged[addr]
	}, "reach.ping", "reach.told", "reach.after") {
		return ""
	}
	r.pass("reach.ping", "it came")
	r.mu.Lock()
	login := r.seen.login
	r.mu.Unlock()
	if _, err := b.Do(ctx, dma.AnswerPing{To: login, Allow: true}); err != nil {
		r.unseen(err.Error(), "reach.told", "reach.after")
		return ""
	}
	ok := r.await(ctx, r.cfg.Timeout, func(s *seen) bool {
		for _, acknowledged := range s.consented {
			if acknowledged {
				return true
			}
		}
		return false
	})
	r.holds("reach.told", ok, "it was", fmt.Sprintf("it was not, in %v", r.cfg.Timeout))
	if r.ask(ctx, Ask{Step: Send, Number: b.number, Text: "send a text to " + b.number}, func(*seen) bool { return b.got(isText) != nil }, "reach.after") {
		r.pass("reach.after", "it came")
	}
	return ""
}

// blocking has the partner's user block and unblock.
func (r *run) blocking(ctx context.Context) string {
	addr := r.b.Account()
	if !r.ask(ctx, Ask{Step: Block, Number: r.b.number, Text: "block " + r.b.number}, func(s *seen) bool { return s.blocked[addr] }, "features.block", "features.unblock") {
		return ""
	}
	r.pass("features.block", "it was")
	if r.ask(ctx, Ask{Step: Unblock, Number: r.b.number, Text: "unblock " + r.b.number}, func(s *seen) bool { return !s.blocked[addr] }, "features.unblock") {
		r.pass("features.unblock", "it was")
	}
	return ""
}

// deletion has the partner's user delete the account, and enlist again.
func (r *run) deletion(ctx context.Context) string {
	r.conclude() // before it is somebody else
	if !r.ask(ctx, Ask{Step: Delete, Text: "delete the user's account"}, func(s *seen) bool { return s.deleted > 0 }, "deletion.request", "deletion.ends", "deletion.again") {
		return ""
	}
	r.pass("deletion.request", "it came")
	r.await(ctx, r.cfg.Timeout, func(s *seen) bool { return s.up == 0 })
	// One try is how it may learn of it.
	insists := r.await(ctx, min(r.cfg.Timeout, 3*time.Second), func(s *seen) bool { return s.insists > 1 })
	r.holds("deletion.ends", !insists, "it did not", "it connects again and again, though it is told "+stanza.NotEnlisted.Name())
	var forms, connections int
	r.note(func(s *seen) { forms, connections = s.enlisted, s.connected })
	if r.ask(ctx, Ask{Step: Again, Text: "enlist the same user again, and connect"}, func(s *seen) bool {
		return s.enlisted > forms && s.connected > connections
	}, "deletion.again") {
		r.pass("deletion.again", "that is so")
	}
	return ""
}
