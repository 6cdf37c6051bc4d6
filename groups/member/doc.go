// Package member is the machine of a client, a device of a user, that takes part in
// MIMI rooms: it holds the MLS group and the state of each room, makes and judges
// what changes them, and seals and opens messages.
//
// It implements the client's part of draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/) over the groups of RFC
// 9420 and draft-ietf-mls-extensions-10 (protocols/mls), with the policy of
// draft-ietf-mimi-room-policy-04 (groups/room) and the content of
// draft-ietf-mimi-content-09 (protocols/content).
//
//	application            Member               follower (package groups/follower)
//	 │ CreateRoom, AddUser,  │                        │
//	 │ Send, Leave ...      ─▶ Call, Publish         ─▶ to the hub of the room
//	 │                       │◀─ Reply                │
//	 │                       │◀─ Delivery             │◀─ notify of the hub
//	 │◀ Joined, Message,     │  Ack, Leave           ─▶
//	 │  RoomChanged ...      │                        │
//
// The machine is sans-IO: [Member.Step] takes one [Input] and the time, and returns
// what to persist, what the provider is to do, and what the application is to know.
// A shell makes Output.Persist durable before anything else of the Output leaves; the
// Events of a Step are to be stored together with its records, or they are lost if
// the shell stops in between. On an error nothing has changed. [Restore] makes the
// same machine of its records, and [Resume] asks again what had no answer.
//
// What a user wants is an intention. It has a number, Output.ID, by which events
// speak of it, and outlives restarts. A room works on one at a time, in their order:
//
//	AddUser ── keyMaterial ──▶ KeyPackages ── Commit ── update ──▶ accepted: merged
//	                                             ▲                 another was first:
//	                                             └── on the next epoch, the same again
//
// A Commit of one's own is merged when the hub has accepted it, which its answer
// says, or its echo, or, if the answer was lost, a later event that only the epoch
// which it began can have had. A Commit of another that the room's policy forbids is
// refused, though the hub has accepted it ([Refused]); the room stays at its epoch,
// and [Join] enters it anew.
//
// Start with [New], [PublishKeyPackages], and [CreateRoom] or a Welcome.
//
// The package keeps no messages: their order, edits and reactions are those of
// content.Timeline, which is the application's. It does not authenticate anybody
// beyond what its mls.Config says of credentials.
package member
