package hub

import (
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// reportAbuse takes an abuse report and says which of its messages were accepted by
// this hub as the report says (draft-ietf-mimi-protocol-06, Report abuse). What
// becomes of it is for the provider's people.
func (h *Hub) reportAbuse(in ReportAbuse) error {
	r, err := h.room(in.Room)
	if err != nil {
		return err
	}
	if err := checkBody(in.Body); err != nil {
		return err
	}
	report, err := mimi.ParseAbuseReport(in.Body)
	if err != nil {
		return fail(Malformed, "abuse report: %w", err)
	}
	if n := len(report.Messages); n > maxReported {
		return fail(TooLarge, "abuse report of %d messages, want at most %d", n, maxReported)
	}
	if r.clients[in.From] == 0 {
		return fail(Forbidden, "abuse report of %s, which has no client in %v", in.From, in.Room)
	}
	if report.ReportingUser != "" {
		user, ok := userURI(report.ReportingUser)
		if !ok || user.Provider() != in.From {
			return fail(Forbidden, "abuse report of %q through %s, want its own provider", report.ReportingUser, in.From)
		}
		if err := r.state.mayReport(user.String()); err != nil {
			return fail(Forbidden, "abuse report: %w", err)
		}
	}
	out := &Report{Room: in.Room, From: in.From, Report: report, Franks: make([]error, len(report.Messages))}
	for i := range report.Messages {
		out.Franks[i] = h.checkFrank(r, report, &report.Messages[i])
	}
	h.out.Report = out
	return nil
}

// checkFrank says why a frank does not hold.
func (h *Hub) checkFrank(r *chatRoom, report *mimi.AbuseReport, m *mimi.AbusiveMessage) error {
	content, err := h.cfg.Disclose(m.MessageContent)
	if err != nil {
		return err
	}
	check := mimi.Report{
		Message: m, Content: content, HubKeys: h.cfg.FrankKeys, AllegedAbuser: report.AllegedAbuserURI, RoomID: r.name(),
	}
	if data, ok := r.group.ComponentData(h.cfg.Points.FrankingAgent); ok {
		if check.Agent, err = mimi.ParseFrankingAgentData(data); err != nil {
			return err
		}
	}
	return check.Verify(h.groups.Suite)
}
