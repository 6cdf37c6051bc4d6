package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/provider"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/serve/device"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// explain gives an error of the device a hint what to do next. ctx is that of the
// command, which tells an interruption from a wait that was too long; about is whom
// or what it is about at another provider, or zero.
func (s *Session) explain(ctx context.Context, err error, what string, about ident.URI) error {
	var (
		code    *member.Error
		op      *net.OpError
		refusal *follower.Refusal
	)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, device.ErrReplaced):
		return exit.Failuref("", "%s has connected from elsewhere", s.as)
	case errors.Is(err, device.ErrRefused):
		return exit.Failuref("", "%s: %w", what, err)
	case what == connecting && errors.Is(err, context.DeadlineExceeded) || errors.As(err, &op) && op.Op == "dial":
		why := err.Error()
		if op != nil {
			why = op.Error()
		}
		why = strings.TrimLeft(strings.TrimPrefix(why, context.DeadlineExceeded.Error()), ":\n ")
		return exit.Failuref(howToServe(s.dev, s.User.Provider()), "no connection to %s within %v: %s", s.User.Provider(), s.timeout, why)
	case errors.Is(err, context.DeadlineExceeded):
		hint := "It is not forgotten: the device goes on with it in its next command. --timeout waits longer."
		if domain := about.Provider(); !about.IsZero() && domain != s.User.Provider() {
			hint = "Does " + domain + " run? " + hint
			if _, e := provider.ReadForClients(s.dev, domain); e != nil {
				hint += " " + howToServe(s.dev, domain)
			}
		}
		return exit.Failuref(hint, "%s: no answer within %v%s", what, s.timeout, s.before())
	case errors.As(err, &code):
		return exit.Failuref(s.aboutCode(code.Code.String(), about), "%s: %s", what, strings.TrimPrefix(code.Error(), "member: "))
	case errors.Is(err, member.ErrLeaving):
		return exit.Failuref("The next Commit of another member takes it out.", "%s: %s is leaving the room", what, s.as)
	case errors.As(err, &refusal):
		_, reason, ok := strings.Cut(refusal.Reason, "conflict: ")
		if !ok {
			return exit.Failuref("", "%s: %s", what, refusal.Reason)
		}
		return exit.Failuref("Take another name.", "%s: %s", what, reason)
	case strings.Contains(err.Error(), "draft-ietf-mimi-room-policy"): // a room.Denial, also one that was kept
		why := err.Error()
		if i := strings.LastIndex(why, "room: "); i >= 0 {
			why = why[i+len("room: "):]
		}
		return exit.Failuref("mimi-lab room policy ROOM shows who may do what.", "%s: the room's policy does not allow it: %s", what, why)
	}
	return exit.Failuref("", "%s: %w", what, err)
}

// before says what a device has still to do in a room before what was asked last: a user
// for whom nobody answers is in the way of every message.
func (s *Session) before() string {
	for _, uri := range s.Rooms() {
		if r, _ := s.Room(uri); r.Waiting > 1 {
			return fmt.Sprintf("; %s first does what it was asked earlier in %s, %d in all", s.as, Short(uri), r.Waiting-1)
		}
	}
	return ""
}

// aboutCode says what to do about a code of the draft.
func (s *Session) aboutCode(code string, about ident.URI) string {
	switch code {
	case mimi.UserNoConsent.String(), mimi.UserNoConsentForThisRoom.String():
		return "To ask for it: mimi-lab user consent " + Short(about) + " --ask --as " + s.as
	case mimi.UserUnknown.String():
		return "A user of --dev exists once one of its devices has run a command, such as: mimi-lab room list --as " + Short(about)
	case mimi.GroupInfoNotAuthorized.String():
		return "A user who is no participant needs a code, which mimi-lab room policy ROOM --new-code makes."
	case mimi.GroupInfoNoSuchRoom.String():
		return "A room is named with the provider that has it: clubhouse@a.example."
	}
	return ""
}

// howToServe says how a provider comes to run.
func howToServe(dev, domain string) string {
	return fmt.Sprintf("Run it in another terminal: mimi-lab provider serve --dev %s --domain %s", dev, domain)
}
