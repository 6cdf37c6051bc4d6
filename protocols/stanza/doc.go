// Package stanza is the unit of the chat channel between a device and a
// gatekeeper: the seven stanzas message, iq, ib, receipt, ack, notification and
// call.
//
// A stanza is a tree of [Node] values. [Parse] reads a tree as one of the typed
// stanzas, whose Node method writes it back.
//
// What the stanzas are for is in the technical specification of WhatsApp's
// Reference Offer for interoperability, version 1.0.3 of 26 September 2025;
// names and attributes are those that public client sources
// (https://github.com/tulir/whatsmeow, whatsapp-rust) read and write. What neither shows is marked "assumed".
//
// The package does not encrypt, does not interpret the payload of an <enc>, and
// does not judge who may send what: parsing implies no trust.
package stanza
