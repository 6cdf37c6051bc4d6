package content

import (
	"strconv"
	"strings"
)

// Disposition is what a part is meant for.
type Disposition uint8

// The registry of dispositions (MIMI Content Disposition registry). A value that
// is not in it is treated as render.
const (
	DispositionUnspecified Disposition = 0
	DispositionRender      Disposition = 1
	DispositionReaction    Disposition = 2
	DispositionProfile     Disposition = 3
	DispositionInline      Disposition = 4
	DispositionIcon        Disposition = 5
	DispositionAttachment  Disposition = 6
	DispositionSession     Disposition = 7
	DispositionPreview     Disposition = 8
)

var dispositionNames = [...]string{"unspecified", "render", "reaction", "profile", "inline", "icon", "attachment", "session", "preview"}

// String returns the disposition's name in the registry.
func (d Disposition) String() string { return nameOf(dispositionNames[:], "Disposition", uint64(d)) }

// Known reports whether the disposition is in the registry.
func (d Disposition) Known() bool { return int(d) < len(dispositionNames) }

// Effective returns the disposition that a client acts upon: render for one that
// it does not know (General handling).
func (d Disposition) Effective() Disposition {
	if !d.Known() {
		return DispositionRender
	}
	return d
}

// Semantics is what the parts of a [MultiPart] are to each other.
type Semantics uint8

const (
	ChooseOne  Semantics = 0 // the receiver picks exactly one
	SingleUnit Semantics = 1 // the receiver processes all as a unit, or none
	ProcessAll Semantics = 2 // the receiver processes as many as it can
)

var semanticsNames = [...]string{"chooseOne", "singleUnit", "processAll"}

// String returns the name in the draft.
func (s Semantics) String() string { return nameOf(semanticsNames[:], "Semantics", uint64(s)) }

// Cardinality is the number that says which of the four a part is.
type Cardinality uint8

const (
	CardinalityNull     Cardinality = 0
	CardinalitySingle   Cardinality = 1
	CardinalityExternal Cardinality = 2
	CardinalityMulti    Cardinality = 3
)

// cardinalities has the name of each and how many items its NestedPart has.
var cardinalities = [...]struct {
	name  string
	items int
}{{"nullpart", 3}, {"single", 5}, {"external", 15}, {"multi", 5}}

// String returns the name in the draft.
func (c Cardinality) String() string {
	if int(c) < len(cardinalities) {
		return cardinalities[c].name
	}
	return nameOf(nil, "Cardinality", uint64(c))
}

// nameOf looks a code up in its registry.
func nameOf(names []string, typ string, v uint64) string {
	if v < uint64(len(names)) && names[v] != "" {
		return names[v]
	}
	return typ + "(" + strconv.FormatUint(v, 10) + ")"
}

// NestedPart is a body, or a part of one (Message Bodies):
//
//	NestedPart = [
//	  disposition: baseDispos / $extDispos / unknownDispos,
//	  language: tstr,
//	  ( NullPart // SinglePart // ExternalPart // MultiPart)
//	]
//
// The zero value is an empty part of no disposition.
type NestedPart struct {
	Disposition Disposition
	// Language is empty, or a list of language tags with commas between them (RFC
	// 5646).
	Language string
	Part     Part // nil stands for NullPart
}

// Languages returns the language tags.
func (p NestedPart) Languages() []string {
	var tags []string
	for tag := range strings.SplitSeq(p.Language, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Part is what is in a part: [NullPart], [SinglePart], [ExternalPart] or
// [MultiPart].
type Part interface {
	Cardinality() Cardinality
	write(w *writer, depth int)
}

// NullPart is no content; it is the body of what deletes or unlikes:
//
//	NullPart = ( cardinality: nullpart )
type NullPart struct{}

// SinglePart is content in the message:
//
//	SinglePart = (
//	    cardinality: single,
//	    contentType: tstr,
//	    content: bstr
//	)
type SinglePart struct {
	ContentType string // an IANA media type with parameters
	Content     []byte
}

// ExternalPart is content that is to be fetched (External content):
//
//	ExternalPart = (
//	    cardinality: external,
//	    contentType: tstr,     ; An IANA media type
//	    url: uri,              ; A URL where the content can be fetched
//	    expires: uint .size 4, ; expiration in seconds since UNIX epoch
//	    size: uint .size 8,    ; size of content in octets
//	    encAlg: uint .size 2,  ; An IANA AEAD Algorithm number, or zero
//	    key: bstr,             ; AEAD key
//	    nonce: bstr,           ; AEAD nonce
//	    aad: bstr,             ; AEAD additional authentiation data
//	    hashAlg: uint .size 1, ; An IANA Named Information Hash Algorithm
//	    contentHash: bstr,     ; hash of the content at the target url
//	    description: tstr,     ; an optional text description
//	    filename: tstr         ; an optional suggested filename
//	)
type ExternalPart struct {
	ContentType string
	URL         string
	Expires     uint32 // 0 if the content does not expire
	Size        uint64 // 0 if it is not said
	EncAlg      EncAlg
	Key         SecretKey
	Nonce       []byte
	AAD         []byte
	HashAlg     uint8
	ContentHash []byte
	Description string
	Filename    string
}

// MultiPart is several parts:
//
//	MultiPart = (
//	    cardinality: multi,
//	    partSemantics: chooseOne / singleUnit / processAll,
//	    parts: [2* NestedPart]
//	)
type MultiPart struct {
	Semantics Semantics
	Parts     []NestedPart
}

// Cardinality implements Part.
func (NullPart) Cardinality() Cardinality { return CardinalityNull }

// Cardinality implements Part.
func (SinglePart) Cardinality() Cardinality { return CardinalitySingle }

// Cardinality implements Part.
func (ExternalPart) Cardinality() Cardinality { return CardinalityExternal }

// Cardinality implements Part.
func (MultiPart) Cardinality() Cardinality { return CardinalityMulti }

// Text is a body that shows plain text.
func Text(text string) NestedPart {
	return NestedPart{Disposition: DispositionRender, Part: SinglePart{TypePlain, []byte(text)}}
}

// Markdown is a body that shows text in GFM-MIMI. That it holds no HTML is the
// caller's duty; see [NoHTML].
func Markdown(text string) NestedPart {
	return NestedPart{Disposition: DispositionRender, Part: SinglePart{TypeMarkdown, []byte(text)}}
}

// React is a body that reacts with one emoji or with each of several, which must
// not be one text (Reaction).
func React(emoji string, more ...string) NestedPart {
	one := func(s string) NestedPart {
		return NestedPart{Disposition: DispositionReaction, Part: SinglePart{TypePlain, []byte(s)}}
	}
	if len(more) == 0 {
		return one(emoji)
	}
	all := MultiPart{Semantics: ProcessAll, Parts: []NestedPart{one(emoji)}}
	for _, s := range more {
		all.Parts = append(all.Parts, one(s))
	}
	return NestedPart{Disposition: DispositionReaction, Part: all}
}

// Deletion is the body of a message that deletes the one it replaces.
func Deletion() NestedPart { return NestedPart{Disposition: DispositionRender, Part: NullPart{}} }

// Unlike is the body of a message that takes back the reaction it replaces.
func Unlike() NestedPart { return NestedPart{Disposition: DispositionReaction, Part: NullPart{}} }
