// Package bridge plays how a Signal user takes part in an MLS room: a gatekeeper after
// Article 7 of the Digital Markets Act with a user Bob, two providers of MIMI with the
// users Alice and Carol, and between them a gateway (groups/gateway), at a server or on
// Bob's own device. All are the real machines, under virtual time.
//
//	at a server:
//	bob's app ── gatekeeper ── gateway of g.example ── g.example ── a.example ── alice, carol
//	on a device:
//	bob's app ── gatekeeper ── proxy of g.example ── bob's bridge ── g.example ── a.example ── ...
//
// A [World] keeps every frame, and everything that a node has ever stored, so that a
// [Story] can judge who learned what: [Story.Trust] says it as a table, from the bytes
// that each party had and from what its machines say that they held.
//
// The links have constant delays and lose nothing; what a gateway does when it stops at
// any moment is [World.Crash].
package bridge
