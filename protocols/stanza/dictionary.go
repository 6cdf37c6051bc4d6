package stanza

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// Dictionary is that of another service: its tokens, and the header of its stanzas. Who
// has one exchanges binary stanzas with that service by it, instead of by [AppendBinary]
// and [ParseBinary], whose dictionary is this project's own.
//
// It differs from these in what it reads: every form that the markers allow, since how
// others choose among forms is theirs. A name may be packed, content may be a string in
// any form, and an address may be a string. What a tree can't hold is refused as there,
// addresses of other servers than those of package ident among it. A bare server is
// written as an address with no user, as public clients do.
//
// It is not changed once it is made, and may be used by several goroutines at once.
type Dictionary struct {
	header byte
	single []string
	double [][]string
	tokens map[string]*token
}

// Bounds of dictionaries, by the markers.
const (
	maxSingle = markerDictionary // bytes below the first marker, 0 with them
	maxDouble = 4                // markers for double-byte tokens
)

// NewDictionary returns a dictionary. A stanza that is not compressed begins with header.
// A byte stands for the string of single with that index, of which the first is not used,
// two bytes for one of at most four lists. Where a string stands twice, it is written as
// the first of them; an empty one is no token.
func NewDictionary(header byte, single []string, double [][]string) (*Dictionary, error) {
	switch {
	case header&flagCompressed != 0:
		return nil, fmt.Errorf("stanza: dictionary: header 0x%02x, want one without the flag %d, which says compressed", header, flagCompressed)
	case len(single) > maxSingle:
		return nil, fmt.Errorf("stanza: dictionary: %d single-byte tokens, want at most %d", len(single), maxSingle)
	case len(double) > maxDouble:
		return nil, fmt.Errorf("stanza: dictionary: %d lists of double-byte tokens, want at most %d", len(double), maxDouble)
	}
	d := &Dictionary{header: header, single: append([]string(nil), single...), tokens: make(map[string]*token)}
	insert := func(s string, code uint16) {
		if s != "" && d.tokens[s] == nil {
			d.tokens[s] = &token{text: s, code: code, isName: validName(s)}
		}
	}
	for i, s := range d.single {
		if i > 0 {
			insert(s, uint16(i))
		}
	}
	for i, list := range double {
		if len(list) > 1<<8 {
			return nil, fmt.Errorf("stanza: dictionary: %d tokens in list %d, want at most %d", len(list), i, 1<<8)
		}
		d.double = append(d.double, append([]string(nil), list...))
		for k, s := range list {
			insert(s, uint16(markerDictionary+i)<<8|uint16(k))
		}
	}
	return d, nil
}

// AppendBinary is [AppendBinary] with the dictionary.
func (d *Dictionary) AppendBinary(dst []byte, n Node) ([]byte, error) {
	return appendBinary(d, d.header, dst, n)
}

// AppendCompressed is [AppendCompressed] with the dictionary.
func (d *Dictionary) AppendCompressed(dst []byte, n Node) ([]byte, error) {
	return appendCompressed(d, d.header, dst, n)
}

// ParseBinary is [ParseBinary] with the dictionary.
func (d *Dictionary) ParseBinary(b []byte) (Node, error) { return parseBinary(d, d.header, b, MaxSize) }

// find returns the token that stands for s, or one with no code. A nil dictionary is the
// project's own.
func (d *Dictionary) find(s string) *token {
	if d == nil {
		return findToken(s)
	}
	if t := d.tokens[s]; t != nil {
		return t
	}
	return &noToken
}

// at returns the token of a marker and, for a double-byte one, the index that second
// reads; ok is false if the marker begins no token, known if there is none.
func (d *Dictionary) at(marker byte, second func() byte) (s string, ok, known bool) {
	var list []string
	i := int(marker)
	switch {
	case 0 < marker && marker < markerDictionary:
		list = d.single
	case markerDictionary <= marker && marker < markerDictionary+maxDouble:
		i = int(second())
		if k := int(marker) - markerDictionary; k < len(d.double) {
			list = d.double[k]
		}
	default:
		return "", false, true
	}
	if i >= len(list) || list[i] == "" {
		return "", true, false
	}
	return list[i], true, true
}

// bare reports whether s is an address that is a server alone, which a dictionary of
// others writes as an address and not as a token.
func (d *Dictionary) bare(s string) bool { return d != nil && ident.Server(s).Valid() }
