package dma

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// ChooseInbox is a native user's choice of where chats with users of other apps are
// shown: among all others, or apart. It holds from then on and may be changed at any
// time; no message is lost by it (Reference Offer, user experience). An input of a
// [Device].
type ChooseInbox struct{ Inbox stanza.Inbox }

func (ChooseInbox) input() {}

// chooseInbox notes the choice and has the gatekeeper keep it.
func (d *Device) chooseInbox(in ChooseInbox) error {
	switch {
	case d.cfg.Address.Server == ident.Interop:
		return errors.New("dma: choose inbox: only native users have the choice")
	case in.Inbox != stanza.CombinedInbox && in.Inbox != stanza.SeparateInbox:
		return fmt.Errorf("dma: choose inbox: %q, want combined or separate", in.Inbox)
	}
	d.inbox = in.Inbox
	d.saveSelf()
	d.ask(stanza.Set, &stanza.Settings{Inbox: in.Inbox}, nil)
	return nil
}

// inboxOf returns where a message of addr is shown: empty for one of the same
// service, and for one to a user who has not chosen.
func (d *Device) inboxOf(addr ident.Address) stanza.Inbox {
	if addr.Server != ident.Interop {
		return ""
	}
	return d.inbox
}

// set records a native user's settings; what is absent stays as it is. An app of a
// partner without an agreement, present or past, does not exist.
func (g *Gatekeeper) set(a *account, s *stanza.Settings) (stanza.Code, error) {
	if a.partner() {
		return 0, fmt.Errorf("dma: settings: %w: only native users have them", protocols.ErrMalformed)
	}
	for _, app := range s.Apps {
		if _, known := g.agreements[app.Integrator]; !known {
			return stanza.ItemNotFound, nil
		}
	}
	if s.Inbox != "" {
		a.inbox = s.Inbox
	}
	for _, app := range s.Apps {
		g.setApp(a, app.Integrator, app.Enabled)
	}
	g.saveAccount(a)
	return 0, nil
}

// setApp notes a native user's choice about a partner's app.
func (g *Gatekeeper) setApp(a *account, integrator uint16, allow bool) {
	if a.apps == nil {
		a.apps = make(map[uint16]Choice)
	}
	a.apps[integrator] = choice(allow)
	if !allow {
		g.withdraw(a, "consent withdrawn", func(other ident.Address) bool {
			return other.Server == ident.Interop && other.Integrator == integrator
		})
	}
}

// settings returns what a user has set.
func (a *account) settings() *stanza.Settings {
	s := &stanza.Settings{Inbox: a.inbox}
	for _, i := range slices.Sorted(maps.Keys(a.apps)) {
		s.Apps = append(s.Apps, stanza.App{Integrator: i, Enabled: a.apps[i] == Allowed})
	}
	return s
}
