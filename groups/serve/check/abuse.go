package check

import (
	"context"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// report is Report abuse (5.9), of a message that the second peer's device has read.
func (in *inRoom) report(ctx context.Context) {
	c := in.c
	c.mu.Lock()
	m, ok := event(c, func(e member.Message) bool { return e.Room == in.where && e.Evidence != nil })
	c.mu.Unlock()
	if !ok {
		in.skip("no message with a Frank was read", "reportAbuse.accepted", "reportAbuse.forged", "reportAbuse.other-provider")
		return
	}
	send := func(change func(*mimi.AbuseReport)) *answer {
		report := &mimi.AbuseReport{
			ReportingUser: mimi.URI(c.user), AllegedAbuserURI: mimi.URI(in.b.user), Note: "A check of your provider: ignore it.",
			Messages: []mimi.AbusiveMessage{*m.Evidence},
		}
		change(report)
		return c.ask(ctx, mimi.EndpointReportAbuse, in.where.String(), encode(report))
	}
	a := send(func(*mimi.AbuseReport) {})
	in.holds("reportAbuse.accepted", a.accepted(), "%v", a)
	a = send(func(r *mimi.AbuseReport) { r.Messages[0].Frank.ServerFrank[0] ^= 1 })
	in.holds("reportAbuse.forged", a.accepted() || a.refused(), "%v", a)
	in.refuses("reportAbuse.other-provider", send(func(r *mimi.AbuseReport) { r.ReportingUser = mimi.URI(in.b.user) }))
}
