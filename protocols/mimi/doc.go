// Package mimi is the words that providers of MIMI say to each other: the structs
// and codes of draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/), what is signed,
// encrypted and franked in them, and the paths and status codes of HTTP that carry
// them. The ways to convey a ratchet tree are those of
// draft-mahy-mls-ratchet-tree-options-04.
//
//	follower                      hub                       other follower
//	   │ keyMaterial  ────────────►│ keyMaterial  ───────────────►│
//	   │ update       ────────────►│ notify       ───────────────►│
//	   │ submitMessage ───────────►│ notify       ───────────────►│
//	   │ groupInfo, reportAbuse, proxyDownload ►│
//	   │ requestConsent, updateConsent, identifierQuery ─────────►│
//
// Each endpoint has a file with the structs of its bodies, a Parse function for
// each body, and the Marshal of package wire to write it. A body that was read is
// only known to be well-formed; its Check says whether it keeps those rules of the
// draft that need no more than the body. Slices of it are parts of the input, and
// it is written again byte for byte.
//
// The draft leaves much open and contradicts itself in places. DEVIATIONS.md lists
// each such place, how it is read here, and the test that holds that reading; in
// the code it is cited as "deviation 7".
//
// The package holds no state. What a hub, a follower and a client make of the
// bodies is for the packages below groups; what rooms keep in the GroupContext is
// in groups/room.
package mimi
