package rooms

import (
	"maps"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// Plant is a bug that a [Trial] can plant into what machines say and keep, to see that
// the checks find it.
type Plant struct {
	Name  string
	What  string
	Check Check // by which it is found, beside others perhaps
	plant func(w *World)
}

// Plants returns all of them.
func Plants() []Plant {
	return []Plant{
		{"forgotten-outbox", "a hub forgets at a crash what it has still to distribute", CheckDelivery, func(w *World) {
			w.plant.restored = func(p *Provider) {
				p.hubStore.drop(func(key string) bool { return strings.Contains(key, "/event/") || strings.Contains(key, "/to/") })
			}
		}},
		{"no-outbox", "a hub records what it accepts, and not the events", CheckDelivery, func(w *World) {
			w.plant.hub = func(_ *Provider, _ hub.Input, out *hub.Output) {
				out.Persist = slices.DeleteFunc(slices.Clone(out.Persist), func(r protocols.Record) bool {
					return strings.Contains(r.Key, "/event/") || strings.Contains(r.Key, "/to/")
				})
			}
		}},
		{"early-answer", "a provider answers before its records are durable", CheckDelivery, func(w *World) {
			w.plant.early = func(n *node) bool { return w.providers[n.name] != nil }
		}},
		{"two-commits", "a hub accepts two Commits for an epoch", CheckFork, func(w *World) {
			before := make(map[*Provider]store)
			w.plant.hub = func(p *Provider, in hub.Input, out *hub.Output) {
				if _, ok := accepts[hub.UpdateRequest](in, out); ok {
					before[p] = maps.Clone(p.hubStore)
				}
			}
			w.plant.restored = func(p *Provider) {
				if s := before[p]; s != nil {
					clear(p.hubStore)
					maps.Copy(p.hubStore, s)
				}
			}
		}},
		{"removed-provider", "a hub sends events to a provider whose clients were removed", CheckRemoval, func(w *World) {
			served := make(map[string]bool)
			w.plant.hub = func(_ *Provider, in hub.Input, out *hub.Output) {
				for _, s := range out.Sends {
					served[s.To] = true
				}
				if _, ok := accepts[hub.SubmitMessageRequest](in, out); !ok || len(out.Sends) == 0 {
					return
				}
				for _, to := range slices.Sorted(maps.Keys(served)) {
					s := out.Sends[0]
					if s.To = to; !slices.ContainsFunc(out.Sends, func(o hub.Send) bool { return o.To == to }) {
						out.Sends = append(out.Sends, s)
					}
				}
			}
		}},
		{"lost-welcome", "a follower loses Welcomes at a crash", CheckWelcome, func(w *World) {
			w.plant.restored = func(p *Provider) {
				p.followerStore.drop(func(key string) bool { return strings.HasPrefix(key, "box|") })
			}
		}},
		{"unknown-duplicate", "a follower does not know what it has had before a crash", CheckDelivery, func(w *World) {
			w.plant.restored = func(p *Provider) {
				p.followerStore.drop(func(key string) bool { return strings.HasPrefix(key, "seen|") || strings.HasPrefix(key, "turn|") })
			}
		}},
		{"lost-events", "a follower takes events and keeps none", CheckDelivery, func(w *World) {
			w.plant.follower = func(_ *Provider, in follower.Input, out *follower.Output) {
				if _, ok := in.(follower.Notify); ok {
					out.Persist = slices.DeleteFunc(slices.Clone(out.Persist), func(r protocols.Record) bool { return strings.HasPrefix(r.Key, "log|") })
				}
			}
		}},
		{"plaintext", "a client sends a message as it is", CheckSecrecy, func(w *World) {
			w.plant.call = func(_ *Device, c *follower.Call) {
				if r, ok := c.Body.(*mimi.SubmitMessageRequest); ok {
					m := *r.AppMessage
					m.Ciphertext = append(slices.Clone(m.Ciphertext), "a message, "+marker...)
					c.Body = &mimi.SubmitMessageRequest{AppMessage: &m, SendingURI: r.SendingURI}
				}
			}
		}},
		{"early-client", "a client sends before its records are durable", CheckAccepted, func(w *World) {
			w.plant.early = func(n *node) bool { return w.devices[n.name] != nil }
		}},
	}
}

// drop deletes the records whose keys are of some kind.
func (s store) drop(of func(key string) bool) {
	maps.DeleteFunc(s, func(key string, _ []byte) bool { return of(key) })
}

// accepts reports whether a hub has just accepted what an input asks for, and what that
// is.
func accepts[E hub.Input](in hub.Input, out *hub.Output) (e E, ok bool) {
	e, ok = in.(E)
	return e, ok && out.Refused == nil && len(out.Persist) > 0
}
