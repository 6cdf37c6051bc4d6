// Package rooms measures what a MIMI hub takes: application messages of
// draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/), by hundreds at once.
//
//	senders ── submitMessage ──▶ hub ── notify ──▶ followers ──▶ clients
//	   │        mutual TLS 1.3,   │    the same       │            count, and
//	   │        HTTP/2, loopback  └─ SQLite, synced   └─ as well   acknowledge
//	   └────── the same bodies ──▶ empty handler
//
// Hub and followers are those of groups/serve, each with its own certificate, listener
// and store. They run in one process: its cores are the same whether there is one process
// or many, one clock measures from the submit to the last delivery, and what is counted
// can be compared at the end. So the cores of a machine are shared by the hub with all
// followers, clients and senders, and the hub alone would take more than is measured.
//
// The rooms' groups are real, and all messages are: they are sealed before the clock
// runs. The empty handler reads as much and answers as much as the hub, on the same
// stack, from the same senders, in turns with the hub, so that both meet whatever else
// the machine does. What is to be compared between machines is the ratio of the two.
//
// A run fails unless every message was accepted, every client got every accepted message
// once, in the order in which the hub says that it accepted them, all followers got the
// same bytes, and a member of each room could open all of them.
package rooms
