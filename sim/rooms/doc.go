// Package rooms simulates MIMI rooms: the providers and clients of
// draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/06/) under virtual
// time, with real cryptography.
//
//	ClientA1 ~~> a.example ---> b.example ~~> ClientB1     ---> is MIMI, ~~> is a
//	             hub,     <---  hub,                       provider's own
//	             follower       follower
//
// A [World] runs the machines of groups/hub, groups/follower and groups/member. All
// that they tell each other crosses links of sim/link as bytes and is kept as a
// [Frame]. The same [Config] gives the same bytes at the same times.
//
//	w, err := rooms.New(rooms.Config{Seed: 1})
//	a, err := w.AddProvider("a.example")
//	alice, err := w.AddDevice("a.example", "alice", "ClientA1")
//	_, err = w.Do(alice, member.CreateRoom{...})
//	err = w.Settle(rooms.Patience)
//
// [Play] acts out the draft's "Example protocol flow" and judges what came of it.
//
// From [World.Trouble] to [World.Heal] links lose, providers and devices are cut off, and
// nodes stop in the middle of a step and start again from their records.
//
// A [Trial] is a room whose users do what they like meanwhile, with the [Checks] on: what
// devices were told is compared with an MLS group that follows what the hub has accepted.
//
// What it does not do: HTTP and TLS, whose place a Frame's status and a link's
// handshake take.
package rooms
