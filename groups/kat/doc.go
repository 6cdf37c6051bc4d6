// Package kat makes and verifies test vectors for MIMI rooms, of what no working
// group has published vectors for: the endpoints of draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/), the components and
// verdicts of draft-ietf-mimi-room-policy-04
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-room-policy/), and what both need
// of draft-ietf-mls-extensions-10: AppDataUpdate and Safe AAD.
//
//	Generate ──► Set of files ──► folder ──► Read ──► Vectors ──Check(i)──► Outcome
//
// A file is a JSON array of cases in the manner of the MLS working group's
// test-vectors.md; [README] describes each. The same build makes the same bytes:
// keys come from a seed and times are fixed.
//
// Making and verifying share the cases' format and no more. A struct is written field
// by field in the order of the draft, on package wire alone, and read by the parsers
// of protocols/mimi and groups/room; what a case expects is stated, or follows from
// few lines of its own, and is compared with what those packages come to. So a file
// that passes says that two readings of the draft agree, and one of others can be
// verified without a part of this package that made it.
//
// The package knows both protocols/mimi and groups/room, neither of which imports the
// other, and so stands above them. It has no state and touches no files.
package kat
