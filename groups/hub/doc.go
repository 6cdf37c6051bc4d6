// Package hub is the machine of a MIMI hub provider: the one that holds rooms, puts
// their events in order, enforces their policy and distributes what it has accepted.
//
// It implements the hub's part of draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/), with the policy of
// draft-ietf-mimi-room-policy-04, which groups/room has, and the groups of RFC 9420,
// which it follows as an mls.PublicGroup.
//
//	follower b ── update, submitMessage ──▶┌─────┐── notify ──▶ follower b
//	follower c ── groupInfo, reportAbuse ─▶│ Hub │── notify ──▶ follower c
//	own users  ── the same ───────────────▶│     │── notify ──▶ own users
//	any        ── keyMaterial ────────────▶└─────┘── Forward ─▶ the target's provider
//
// The machine is sans-IO: [Hub.Step] takes one [Input] and the time, and returns what
// to persist, to answer and to send, in that order. A shell authenticates the provider
// that a request comes from, makes [Output].Persist durable before anything leaves,
// and tells the outcome of each [Send]. Own users are a follower of the hub's own
// domain. An [*Error], and a response that refuses, have changed nothing.
//
//	input                      answer                        what else
//	CreateRoom                 -                             the room exists
//	KeyMaterialRequest         Forward, then:
//	KeyMaterialResponse        KeyMaterialResponse           KeyPackageRef → provider
//	UpdateRequest              UpdateRoomResponse            notify; the next epoch
//	SubmitMessageRequest       SubmitMessageResponse         notify
//	GroupInfoRequest           GroupInfoResponse             who showed a joining code
//	ReportAbuse                Report                        -
//	ProxyDownload              -, or an Error                -
//	Propose                    -                             notify
//	Delivered, DeliveryFailed  -                             the next notify, or the same again
//	Wake, Resume               -                             what is due, or was under way
//
// An accepted event is stored once, in the Persist of the Step that accepted it, until
// every follower that is to have it does. Each room has a queue to each follower with
// one request under way, so that a follower gets a room's events in order; while it is
// under way, others wait and go together into the next. A request that failed is made
// again with the same bytes, by which a follower knows it, also after a restart. What
// a Step writes grows with the logarithm of the room; only a Welcome, which carries
// the ratchet tree, and the parts of the GroupContext that list all users are larger.
//
// Start with [New] and feed it a [CreateRoom]; after a restart use [Restore] and step
// it with [Resume].
//
// What a follower does not accept is kept for it, for it was promised, up to
// [Config].Backlog bytes of each room (deviation 19): [Hub.Backlogs] tells an operator of
// whom to look after, Output.GivenUp of what was too much, and Send.Missed the follower.
//
// It does not do consent, which is for the provider of a KeyPackage's owner; it reads
// no SemiPrivateMessages; it downloads nothing itself; and it cannot check membership
// and confirmation tags, which take secrets of the group. A proposal with a wrong one holds
// a room up for [Config].ProposalPatience; a Commit with a wrong one is accepted, and
// members, who see it, enter the room anew (deviation 4).
package hub
