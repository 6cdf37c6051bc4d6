// Package content reads and writes the content of messages in MIMI rooms and
// says what it means: the container of draft-ietf-mimi-content-09
// (https://datatracker.ietf.org/doc/html/draft-ietf-mimi-content-09) and the
// status reports of draft-mahy-mimi-message-status-01
// (https://datatracker.ietf.org/doc/html/draft-mahy-mimi-message-status-01), both
// in CBOR (RFC 8949).
//
//	mimiContent    [salt, replaces, topicId, expires, inReplyTo, {extensions}, part]
//	NestedPart     [disposition, language, 0]
//	               [disposition, language, 1, contentType, content]
//	               [disposition, language, 2, contentType, url, … key … hash … filename]
//	               [disposition, language, 3, partSemantics, [NestedPart, NestedPart, …]]
//	MessageId      1 ‖ SHA-256(len ‖ senderUri ‖ len ‖ roomUri ‖ message ‖ salt)[0..30]
//	status report  [[messageId, status], …]
//
// Start with [New] and [Message.Marshal], [Parse] and [Message.ID]. What a client
// does with a message is [NestedPart.Select] for what it shows of one, and
// [Receive] and [Timeline] for what many make together: edits, deletions,
// reactions, expiry.
//
// # Strict and lenient
//
// [Parse] is strict about form. The draft demands deterministic encoding (RFC
// 8949, Section 4.2.1: shortest forms, definite lengths, map keys in bytewise
// order) and names the values that "most likely represent malicious messages",
// and so all of these are refused; each kind of refusal is a [Check]. Hence every
// input that is read has one value and every value one encoding, and a message
// may be kept as a value without changing its ID.
//
// It is lenient where the draft says that a sender may be honest: unknown
// dispositions (shown as render), unknown media types, languages and extensions
// (kept as they are), references to messages that were never seen. What depends on
// the time or on other messages, [Expiration.Check] and [Timeline.Add] refuse.
//
// Where the draft leaves room, this is how it is read:
//
//   - Only map keys are bound to ±(2^53-1), as its sentence says; a value such as an
//     external part's size may be any unsigned integer.
//   - 0 is no extension key: it is reserved, and a key is "a positive integer,
//     negative integer, or text string".
//   - The value of an extension may be of any length, as in the CDDL file; the
//     bound of 4095 octets was removed with revision -08 and remains in the text.
//   - The size and the hash of an external part are those of "the content at the
//     target url", which is encrypted; [ExternalPart.Open] takes a size that is the
//     plaintext's as well.
//   - "Before the first concrete syntax" is no bound on time stamps here: the
//     examples of the draft would break it.
//
// The package does not interpret Markdown or HTML; [Mentions], [References] and
// [NoHTML] do not tell code from prose. It does not fetch or upload. What carries
// content is not its business either: MLS does, in ApplicationFraming.
package content
