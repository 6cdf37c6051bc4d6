// Package stanza is the unit of the chat channel between a device and a
// gatekeeper: the seven stanzas message, iq, ib, receipt, ack, notification and
// call, and their two encodings.
//
// A stanza is a tree of [Node] values. [Parse] reads a tree as one of the typed
// stanzas, whose Node method writes it back. [MarshalXML] and [ParseXML] carry a
// tree as XML, [AppendBinary] and [ParseBinary] as bytes; both carry the same
// tree. Every stanza stands with an example in schema.md.
//
// The same stanzas connect a provider of MIMI with its own clients: then they carry
// structs of draft-ietf-mimi-protocol-06 as bytes (namespace "mimi"; schema.md, Rooms of
// MIMI).
//
// What the stanzas are for is in the technical specification of WhatsApp's
// Reference Offer for interoperability, version 1.0.3 of 26 September 2025;
// names and attributes are those that public client sources
// (https://github.com/tulir/whatsmeow, whatsapp-rust) read and write. What
// neither shows is marked "assumed".
//
// # XML
//
// The XML is a subset of XML 1.0, fifth edition (https://www.w3.org/TR/xml/), in
// UTF-8, of elements alone:
//
//	stanza  = [S] element [S]
//	element = "<" name *( S attr ) [S] ( "/>" / ">" content "</" name [S] ">" )
//	attr    = name "=" ( DQUOTE value DQUOTE / "'" value "'" )
//	content = [S] *( element [S] ) / data
//	data    = text / "base64:" base64
//	S       = 1*( space / tab / CR / LF )
//
// There is no declaration, DTD, comment, processing instruction, CDATA section,
// namespace prefix or character reference, and no entity but the five that XML
// predefines; the attribute xmlns is an attribute as any other. Text does not
// stand beside elements.
//
// Data is bytes. What is valid UTF-8 without control characters but tab and line
// feed, has a character that is no white space, and does not begin with
// "base64:" is written as text. All other data is written as "base64:" and the
// padded standard base64 of RFC 4648, Section 4.
//
// # Binary
//
//	stanza  = header (1 byte: dictionary version << 4 | flags) node
//	node    = list of: tag, name and value of each attribute, content if any
//	content = list of nodes, or bytes
//
//	10  f8 04      05       16  ff 03 12 34 56    f8 01       f8 02  0c   fc 01 61
//	|   |          |        |   |                 |           |      |    |
//	|   list of 4  message  id  packed "123456"   list of 1   list   enc  1 byte: "a"
//	version 1, not compressed
//
// Strings are tokens of a dictionary, packed digits, addresses, or raw; each
// string has one form, and the decoder refuses the others. Markers are those of
// the public clients. The dictionary is this project's own and has a version
// ([DictionaryVersion]); WhatsApp's is another, so these bytes mean nothing to
// its servers. A [Dictionary] is another service's, for those who have it. Flag 2
// says that all after the header is a zlib stream (RFC 1950).
//
// # What it does not do
//
// The package does not encrypt, does not interpret the payload of an <enc>, and
// does not judge who may send what: parsing implies no trust.
package stanza
