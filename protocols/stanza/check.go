package stanza

import "strconv"

// Check names a rule that bytes, a tree or a typed stanza broke. It is an error
// itself, so errors.Is(err, stanza.CheckDepth) asks for the kind of a failure.
type Check uint8

// The rules of the tree (N), of the binary codec (B), of the XML codec (X) and
// of typed stanzas (S).
const (
	CheckSize      Check = iota + 1 // N1: at most MaxSize bytes
	CheckDepth                      // N2: at most MaxDepth levels
	CheckNodes                      // N3: at most MaxNodes nodes
	CheckAttrs                      // N4: at most MaxAttrs attributes
	CheckName                       // N5: a tag or attribute name is well formed
	CheckValue                      // N6: an attribute value is UTF-8 without control characters
	CheckDuplicate                  // N7: no attribute twice in a node
	CheckContent                    // N8: children or data, not both

	CheckHeader    // B1: a known dictionary version, no unknown flag
	CheckTruncated // B2: nothing is missing at the end
	CheckTrailing  // B3, X6: nothing follows the stanza
	CheckMarker    // B4: markers and tokens are known and stand where they may
	CheckCanonical // B5: lengths are minimal, strings in the one form the encoder chooses
	CheckAddress   // B6: an address is well formed
	CheckCompress  // B7: the compressed form is a whole zlib stream and no bomb

	CheckSyntax    // X1: well formed by the grammar in the package comment
	CheckForbidden // X2: no declaration, DTD, comment, processing instruction or CDATA
	CheckEntity    // X3: no entity but amp, lt, gt, quot, apos
	CheckMixed     // X4: no text beside child elements
	CheckBase64    // X5: data marked as base64 is

	CheckKind    // S1: the stanza is one of the seven
	CheckMissing // S2: a required attribute or child is there
	CheckField   // S3: an attribute or child has a value in range
	CheckRepeat  // S4: a child that stands once stands once
)

var checkText = [...]string{
	CheckSize:      "N1: larger than allowed",
	CheckDepth:     "N2: nested too deep",
	CheckNodes:     "N3: too many nodes",
	CheckAttrs:     "N4: too many attributes",
	CheckName:      "N5: malformed name",
	CheckValue:     "N6: malformed attribute value",
	CheckDuplicate: "N7: attribute occurs twice",
	CheckContent:   "N8: children and data in one node",
	CheckHeader:    "B1: unknown dictionary version or flag",
	CheckTruncated: "B2: truncated",
	CheckTrailing:  "B3: bytes follow the stanza",
	CheckMarker:    "B4: unknown or misplaced marker or token",
	CheckCanonical: "B5: not in canonical form",
	CheckAddress:   "B6: malformed address",
	CheckCompress:  "B7: malformed compression",
	CheckSyntax:    "X1: malformed XML",
	CheckForbidden: "X2: forbidden XML construct",
	CheckEntity:    "X3: unknown entity",
	CheckMixed:     "X4: text beside child elements",
	CheckBase64:    "X5: malformed base64",
	CheckKind:      "S1: unknown stanza",
	CheckMissing:   "S2: required part missing",
	CheckField:     "S3: value out of range",
	CheckRepeat:    "S4: part occurs twice",
}

// Error returns the rule's stable identifier and what was found.
func (c Check) Error() string {
	if c == 0 || int(c) >= len(checkText) {
		return "check " + strconv.Itoa(int(c))
	}
	return checkText[c]
}

// FormatError says which rule was broken and where.
type FormatError struct {
	Check  Check
	Where  string // the node, or node/@attribute; may be empty
	Offset int    // in bytes from the start of the input, or -1 if there was none
	Detail string // what was found or expected; may be empty
}

// Error returns one line, such as
//
//	stanza: S3: value out of range: "ack/@error": "many", expected a number from 1 to 65535
func (e *FormatError) Error() string {
	s := "stanza: " + e.Check.Error()
	if e.Where != "" {
		s += ": " + strconv.Quote(e.Where)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Offset >= 0 {
		s += " at byte " + strconv.Itoa(e.Offset)
	}
	return s
}

// Unwrap returns the rule.
func (e *FormatError) Unwrap() error { return e.Check }
