package content

import "strconv"

// Check names a rule that bytes, a message or a sequence of messages broke. It is
// an error itself, so errors.Is(err, content.CheckParts) asks for the kind of a
// failure.
type Check uint8

// The rules of the encoding (C: Encoding restrictions), of the data model (D:
// Data model restrictions), of messages (M), status reports (S), external parts
// (E) and of what a message may do to others (T).
const (
	CheckTruncated    Check = iota + 1 // C1: nothing is missing at the end
	CheckTrailing                      // C2: nothing follows the value
	CheckShortest                      // C3: numbers and lengths are in their shortest form
	CheckIndefinite                    // C4: lengths are definite
	CheckWellFormed                    // C5: the initial byte is one of RFC 8949, Section 3
	CheckKeyOrder                      // C6: map keys ascend bytewise
	CheckKeyDuplicate                  // C7: no map key twice
	CheckType                          // C8: the value has the type of its field
	CheckLength                        // C9: an array has as many items, a string as many bytes as its field
	CheckRange                         // C10: an integer is in the range of its field
	CheckUTF8                          // D1: text is UTF-8
	CheckKeyType                       // D2: map keys are integers, text or bytes
	CheckKeyRange                      // D3: integer keys are within ±(2^53-1)
	CheckNaN                           // D4: NaN is 0xf97e00
	CheckSize                          // M1: at most MaxSize bytes
	CheckTopic                         // M2: at most MaxTopicID bytes
	CheckHash                          // M3: a message ID or external part uses a known hash algorithm
	CheckExtension                     // M4: an extension's key is a positive or negative integer or 1 to 255 bytes of text
	CheckDepth                         // M5: parts and extensions have at most MaxDepth levels
	CheckParts                         // M6: at most MaxParts parts
	CheckFewParts                      // M7: a MultiPart has at least 2 parts
	CheckCardinality                   // M8: a part is one of the four
	CheckSemantics                     // M9: known part semantics
	CheckURI                           // M10: a URI in a message ID has at most 65535 bytes
	CheckReference                     // M11: a content ID names a single or an external part
	CheckExtensions                    // M12: at most MaxExtensions extensions
	CheckReports                       // S1: at most MaxReports reports
	CheckAttachment                    // E1: at most MaxAttachment bytes
	CheckEncryption                    // E2: encryption that is known, with a key and nonce of its sizes
	CheckContentHash                   // E3: the content has the part's hash and size
	CheckOpen                          // E4: the content decrypts
	CheckExpiry                        // T1: a message expires within a year of now
	CheckTimestamp                     // T2: accepted after the room began and before now
	CheckDuplicate                     // T3: a message ID comes once
	CheckSender                        // T4: sender_uri and room_uri are those of the sender and the room
	CheckNotAuthor                     // T5: who edits or deletes is who wrote
	CheckReplyLoop                     // T6: replies do not lead back to themselves
	CheckDeleted                       // T7: what is deleted stays so
	CheckSelfReplace                   // T8: replaces names the first version of another message
)

var checkText = [...]string{
	CheckTruncated:    "C1: input ends early",
	CheckTrailing:     "C2: bytes behind the value",
	CheckShortest:     "C3: not in its shortest form",
	CheckIndefinite:   "C4: indefinite length",
	CheckWellFormed:   "C5: not well-formed",
	CheckKeyOrder:     "C6: map keys out of order",
	CheckKeyDuplicate: "C7: map key twice",
	CheckType:         "C8: wrong type",
	CheckLength:       "C9: wrong length",
	CheckRange:        "C10: integer out of range",
	CheckUTF8:         "D1: text is not UTF-8",
	CheckKeyType:      "D2: map key of a forbidden type",
	CheckKeyRange:     "D3: integer key out of range",
	CheckNaN:          "D4: NaN in a forbidden form",
	CheckSize:         "M1: message is too long",
	CheckTopic:        "M2: topicId is too long",
	CheckHash:         "M3: unknown hash algorithm",
	CheckExtension:    "M4: not an extension key",
	CheckDepth:        "M5: nested too deep",
	CheckParts:        "M6: too many parts",
	CheckFewParts:     "M7: too few parts",
	CheckCardinality:  "M8: unknown cardinality",
	CheckSemantics:    "M9: unknown partSemantics",
	CheckURI:          "M10: URI is too long",
	CheckReference:    "M11: content ID of no content",
	CheckExtensions:   "M12: too many extensions",
	CheckReports:      "S1: too many reports",
	CheckAttachment:   "E1: attachment is too long",
	CheckEncryption:   "E2: encryption that can't be used",
	CheckContentHash:  "E3: not the content that was sent",
	CheckOpen:         "E4: content does not decrypt",
	CheckExpiry:       "T1: expires more than a year from now",
	CheckTimestamp:    "T2: impossible time stamp",
	CheckDuplicate:    "T3: message ID was there before",
	CheckSender:       "T4: says it has another sender or room",
	CheckNotAuthor:    "T5: replaces a message of another sender",
	CheckReplyLoop:    "T6: reply to a reply to itself",
	CheckDeleted:      "T7: replaces a deleted message",
	CheckSelfReplace:  "T8: replaces what can't be replaced",
}

// Error returns the rule's stable identifier and what was found.
func (c Check) Error() string {
	if c == 0 || int(c) >= len(checkText) {
		return "check " + strconv.Itoa(int(c))
	}
	return checkText[c]
}

// Error says which rule was broken and where.
type Error struct {
	Check  Check
	Offset int    // in bytes from the start of the input or output, or -1 if there is none
	Where  string // the field, in the draft's words, with the index of its part; may be empty
	Detail string // what was found and expected; may be empty
}

// Error returns one line, such as
//
//	content: at byte 61, part 0 cardinality: M8: unknown cardinality: 4, want 0 to 3
func (e *Error) Error() string {
	s := "content: "
	if e.Offset >= 0 {
		s += "at byte " + strconv.Itoa(e.Offset)
		if e.Where == "" {
			s += ": "
		} else {
			s += ", "
		}
	}
	if e.Where != "" {
		s += e.Where + ": "
	}
	s += e.Check.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns the rule.
func (e *Error) Unwrap() error { return e.Check }

// broken is the error of a rule that has no place in bytes.
func broken(c Check, where, detail string) error {
	return &Error{Check: c, Offset: -1, Where: where, Detail: detail}
}
