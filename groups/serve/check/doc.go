// Package check looks whether a MIMI provider of somebody else keeps
// draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/), endpoint by endpoint,
// and rule by rule of the draft's sections.
//
//	            ┌── B: hub, follower, member ──── requests ───▶┐
//	checker ────┤                                              │ the checked provider
//	            └── C: hub, follower, member ◀─── notifies ────┘
//
// It plays one or two providers, with the machines of groups/hub, groups/follower and
// groups/member, over mutual TLS: what is right goes through them, what is wrong on
// purpose is made next to them. As the hub of a room of its own it adds a user of the
// checked provider; as a follower it joins a room of the checked provider's hub and
// adds a user of the second provider, who sees what the hub fans out.
//
// Each [Check] has a verdict in the end: pass, warn (what the draft leaves open, or only
// recommends), fail, or skip, with the reason. What needs something that the checked
// provider does not have is skipped, never passed.
//
// What the checked provider sends is a stranger's: sizes, numbers and times are
// bounded. What the check leaves behind is little: see [Config].
//
// The package reads what the draft leaves open as protocols/mimi/DEVIATIONS.md does.
// It sees what crosses between providers and nothing else: what a follower does with an
// event for its own clients, or a hub with an abuse report, it can't tell.
package check
