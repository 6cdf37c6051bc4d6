// Package device is the shell around one client of a user in MIMI rooms: it runs the
// machine of package member on a store and a connection to the client's provider
// (package channel), with the clock and the back-off that the machine leaves out. What
// it speaks is draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/).
//
//	application                    Device                          provider
//	 │ Do(member.Send...)    ─▶ member ── records ─▶ store
//	 │                             ├──── calls, acks, errands ──▶ channel.Client
//	 │                             ◀──── answers, deliveries ─────┘
//	 │ Next ◀── event log ◀── store
//	 │ Confirm               ─▶
//
// A step's records, its events, and what the provider has to be told once and has not
// answered (errands) are written in one transaction, and nothing of the step is done or
// told before that is durable. So after a crash at any moment the device is as before a
// step or after it, and the next connection makes up for the rest: calls without an
// answer are made again (member.Resume), errands too, and the provider delivers again
// what was not acknowledged, which the machine knows.
//
// Events have numbers of their own, without gaps, and stay in the store until the
// application confirms them. One that stores what it does with an event, together with
// the event's number, does it exactly once.
//
// Start with [Open] and let [Device.Run] run. A store holds one device, with its
// secrets; it makes its signature key and its first KeyPackages when it is new.
//
// The package keeps no messages beyond that, and does not judge what others do: that is
// the machine's.
package device
