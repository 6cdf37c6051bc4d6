// Package message is the words of MLS: the structs of RFC 9420
// (https://www.rfc-editor.org/rfc/rfc9420) and of draft-ietf-mls-extensions-10
// as they go over the wire, what is signed over them, and nothing that needs a
// group's state.
//
//	MLSMessage
//	├── PublicMessage    FramedContent, signature, membership tag
//	├── PrivateMessage   the same, encrypted
//	├── Welcome          GroupSecrets per new member, GroupInfo encrypted
//	├── GroupInfo        GroupContext, extensions, signature
//	└── KeyPackage       init key, LeafNode
//
// Start with [Parse] and with the Marshal of package wire. A type that has been
// read is only known to be well-formed: enums have values that exist, vectors end
// where they should, nothing follows. Whether it is valid is for package mls to
// say, which has the group.
//
// Slices of a value that was read are parts of the input. What was read is
// written again byte for byte.
//
// Proposals that are neither of RFC 9420 nor of the extensions have no length of
// their own on the wire, so their layout must be known: they are read as one
// opaque<V>, as other implementations do with custom proposals ([Custom]).
package message
