// Package serve runs a MIMI provider on sockets and disks: it is the shell around the
// machines of groups/hub and groups/follower, which speak draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/).
//
//	peers ── HTTPS, mutual TLS 1.3 ──▶ server ─┐          ┌─▶ senders ── notify ──▶ peers
//	                                           ├▶ machines ┼─▶ requests ──────────▶ peers
//	own clients ── Client (in process) ────────┘    │      └─▶ deliveries ──▶ own clients
//	                                                ▼              ▲
//	                                             journal ── store ─┘
//
// A step of a machine returns records, and things that are to leave: a response, a
// request, a delivery. The journal writes the records of all steps in the order of the
// steps, those that wait together in one transaction, and lets nothing leave before it
// is durable. Machines go on meanwhile. If the store fails, the provider stops: what it
// knows is not what it would know after a restart.
//
// What durability costs: a transaction of a hundred records takes about twice as long as
// one of a single record (go test ./protocols/store/sqlite -run '^$' -bench Commit).
// A message that comes alone waits for a sync of the disk; of two hundred under way
// twenty and more share one. With three followers, all on synced SQLite files, hub,
// followers, clients and senders together take 1.3 times the CPU for a message that they
// take on stores in memory. The same requests to an empty handler take 0.28 and 0.40 of
// that (mimi-lab bench rooms --followers 3 --clients 1; medians of 4 runs on two cores
// that had other work as well).
//
// Start with [New], add users and clients, and call [Provider.Serve]. A program whose
// users come over a connection of its own gives each a [Client].
//
// Section Transport layer of the draft is kept in server.go and peer.go: certificates
// authenticate both providers' domains, From names the source and Host the target.
// The hub's Oblivious HTTP gateway is at the well-known path of RFC 9540; a relay for
// own clients is [Client.Oblivious].
//
// The package decides nothing about rooms, consent or policy, and does not
// authenticate own clients: who holds a [Client] is that client.
package serve
