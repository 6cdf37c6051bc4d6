// Package mlsrun plays conversations between MLS implementations that offer the
// interop client interface of the IETF MLS working group
// (https://github.com/mlswg/mls-implementations), and says who agreed, how long
// each call took and how many bytes it made.
//
// A [Peer] is one implementation; a [Scenario] is a conversation among named
// actors, who are dealt out to the peers in several ways. After each Commit all
// members have to agree on the epoch authenticator and on an exported secret.
//
// A [Deviation] is a failure that one release of an implementation is known for;
// [Deviations] lists them. Only other failures are news.
package mlsrun
