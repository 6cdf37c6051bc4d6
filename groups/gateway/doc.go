// Package gateway lets a user of the Signal Protocol, at a gatekeeper or a partner
// under Article 7 of the Digital Markets Act, take part in MIMI rooms
// (draft-ietf-mimi-protocol-06, draft-ietf-mimi-content-09), as a state machine.
//
// # The trust break
//
// A [Gateway] ends two encryptions. It opens what the room's members sealed with MLS
// and seals it anew with Signal, and the other way about: in between it HOLDS THE
// PLAINTEXT of every message that its users send and get. This is the one place in
// this house where content is opened on its way. Whether it is also a break of trust
// depends on where the machine runs, [Config].Place:
//
//	AtServer   on a server, whose operator can read, keep and change all messages of
//	           its users' rooms. No end-to-end encryption holds between the ends.
//	OnDevice   on the user's own device, beside the user's Signal app. The servers
//	           pass on ciphertext of MLS on one side and of Signal on the other.
//
// The machine makes no secret of it. A user is told and has to agree before anything
// else; the members of a room are told by a message in it, again whenever somebody
// joins, and by the name and client that the participant has; a room that does not
// let the gateway speak is left. Every message whose plaintext was held is told by a
// [Held], without the content, for sim/ledger and the operator's own account.
//
// # What it is made of
//
//	Signal user          Gateway                                    MIMI provider
//	 │                    ├─ line 0: the desk     ┌ member of bob    │
//	 │◀─ chat channel ───▶├─ line 1: a room  ◀───▶├ member of dora  ◀┼▶ hub
//	 │   (protocols/dma)  ├─ line 2: a room       └ ...              │
//
// A chat of Signal is between two and knows no rooms. So the gateway has several
// accounts at the gatekeeper, its lines, all on whatever adapter of package protocols
// the gatekeeper speaks. A user's chat with a line is a room: which one, each user has
// an own answer to, so that as many lines as a user may have rooms serve all users.
// Line 0 is the desk, where a user agrees, accepts invitations and ends it all. In a
// room's chat what begins with a slash is a command; [Commands] lists them. A line
// rests before it stands for another room, so that no message is misdirected by being
// late.
//
// Towards the room each user is a user of its own of the gateway's MIMI provider with
// one client (package groups/member), which the gateway keeps.
//
// What both contents can say is translated; [Mapping] lists every kind both ways with
// what becomes of it, and MAPPING.md is that list. What cannot be is told to the user
// in words, or in the terms for all of its kind, and counted by a [Lost].
//
// # How to use it
//
// The machine is sans-IO: [Gateway.Step] takes the time and an [Input] and returns an
// [Output]. A shell makes Output.Persist durable, with the Events, before anything
// else of it leaves. On an error nothing has changed. [Restore] makes the same machine
// of its records, and [Resume] asks again what had no answer. A message is taken from
// one side and put into the other side's outbox by one Step, so that a crash neither
// loses nor doubles it.
//
// Its provider must give out key material only to those who have the user's consent
// (follower.Config.NeedConsent): accepting an invitation is that consent, and it
// bounds in how many rooms others can put a user.
//
// It does not transcode media: a [Transfer] asks the shell to carry a ciphertext over,
// which decrypts and encrypts it and so is a part of the trust break. It makes no
// calls, and it does not verify safety numbers; that a user's keys changed it tells.
package gateway
