// Package follower is what a MIMI provider does for its own users, as a state
// machine: it publishes their KeyPackages, keeps the consent they give, answers who
// can be found, takes the events that hubs fan out and delivers them to its clients,
// and passes their requests on. Source: draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/).
//
//	client ──Call──▶ Follower ──Request──▶ provider of the room or of the user
//	       ◀─Reply──          ◀─Answer───
//	       ◀Delivery          ◀── Notify, ClaimKeyMaterial, Consent, FindUsers
//	       ──Ack────▶
//
// A provider that hosts rooms runs a hub beside it (package groups/hub); to the hub
// its own domain is one more follower, so that local and foreign clients get the
// same events in the same order.
//
// The machine is sans-IO: [Follower.Step] takes the time and one [Input] and returns
// an [Output], which says what to store before anything is sent. On an error nothing
// has changed. A [*Refusal] is an error that a peer or a client is to be told. What
// is kept are records: [Restore] makes the same machine of them.
//
// Events of a room are stored once, however many clients are to get them; a client
// is a cursor into that log. A Welcome, and what concerns consent, goes to a mailbox
// of each client.
//
// The follower reads no message. It does not know a room's members either: a client
// counts as one from its Welcome or external Commit until it says that it has left
// ([Leave]). Who may do what in a room is for the hub to say.
package follower
