package content

import "math"

// nestedPart reads a part on a level, 1 for the root.
func (r *reader) nestedPart(depth int) NestedPart {
	r.part, r.field = r.parts, "nestedPart"
	at := r.off
	if r.parts++; r.parts > MaxParts {
		r.fail(at, CheckParts, "want at most %d", MaxParts)
	}
	if depth > MaxDepth {
		r.fail(at, CheckDepth, "level %d, want at most %d", depth, MaxDepth)
	}
	n := r.array()
	r.field = "disposition"
	p := NestedPart{Disposition: Disposition(r.uint(math.MaxUint8))}
	r.field = "language"
	p.Language = r.text()
	r.field = "cardinality"
	atCardinality := r.off
	c := r.uint(math.MaxUint64)
	switch {
	case r.err != nil:
		return NestedPart{}
	case c >= uint64(len(cardinalities)):
		r.fail(atCardinality, CheckCardinality, "%d, want 0 to 3", c)
		return NestedPart{}
	case n != cardinalities[c].items:
		r.field = "nestedPart"
		r.fail(at, CheckLength, "array of %d, want %d for %s", n, cardinalities[c].items, Cardinality(c))
		return NestedPart{}
	}
	switch Cardinality(c) {
	case CardinalityNull:
		p.Part = NullPart{}
	case CardinalitySingle:
		p.Part = r.singlePart()
	case CardinalityExternal:
		p.Part = r.externalPart()
	case CardinalityMulti:
		p.Part = r.multiPart(depth)
	}
	if r.err != nil {
		return NestedPart{}
	}
	return p
}

func (r *reader) singlePart() SinglePart {
	var p SinglePart
	r.field = "contentType"
	p.ContentType = r.text()
	r.field = "content"
	p.Content = r.bytes()
	return p
}

func (r *reader) externalPart() ExternalPart {
	var p ExternalPart
	r.field = "contentType"
	p.ContentType = r.text()
	r.field = "url"
	p.URL = r.text()
	r.field = "expires"
	p.Expires = uint32(r.uint(math.MaxUint32))
	r.field = "size"
	p.Size = r.uint(math.MaxUint64)
	r.field = "encAlg"
	p.EncAlg = EncAlg(r.uint(math.MaxUint16))
	r.field = "key"
	p.Key = r.bytes()
	r.field = "nonce"
	p.Nonce = r.bytes()
	r.field = "aad"
	p.AAD = r.bytes()
	r.field = "hashAlg"
	p.HashAlg = uint8(r.uint(math.MaxUint8))
	r.field = "contentHash"
	p.ContentHash = r.bytes()
	r.field = "description"
	p.Description = r.text()
	r.field = "filename"
	p.Filename = r.text()
	return p
}

func (r *reader) multiPart(depth int) MultiPart {
	var p MultiPart
	r.field = "partSemantics"
	at := r.off
	s := r.uint(math.MaxUint64)
	if s >= uint64(len(semanticsNames)) {
		r.fail(at, CheckSemantics, "%d, want 0 to 2", s)
	}
	p.Semantics = Semantics(s)
	r.field = "parts"
	at = r.off
	n := r.array()
	switch {
	case r.err != nil:
		return p
	case n < 2:
		r.fail(at, CheckFewParts, "%d, want at least 2", n)
		return p
	case n > MaxParts-r.parts:
		r.fail(at, CheckParts, "%d more, want at most %d in a message", n, MaxParts)
		return p
	}
	p.Parts = make([]NestedPart, n)
	for i := range p.Parts {
		if p.Parts[i] = r.nestedPart(depth + 1); r.err != nil {
			break
		}
	}
	return p
}

// nestedPart writes a part on a level, 1 for the root.
func (w *writer) nestedPart(p NestedPart, depth int) {
	w.part, w.field = w.parts, "nestedPart"
	if w.parts++; w.parts > MaxParts {
		w.fail(CheckParts, "want at most %d", MaxParts)
	}
	if depth > MaxDepth {
		w.fail(CheckDepth, "level %d, want at most %d", depth, MaxDepth)
	}
	if w.err != nil {
		return
	}
	if p.Part == nil {
		p.Part = NullPart{}
	}
	c := p.Part.Cardinality()
	w.array(cardinalities[c].items)
	w.field = "disposition"
	w.uint(uint64(p.Disposition))
	w.field = "language"
	w.text(p.Language)
	w.field = "cardinality"
	w.uint(uint64(c))
	p.Part.write(w, depth)
}

func (NullPart) write(*writer, int) {}

func (p SinglePart) write(w *writer, _ int) {
	w.field = "contentType"
	w.text(p.ContentType)
	w.field = "content"
	w.bytes(p.Content)
}

func (p ExternalPart) write(w *writer, _ int) {
	w.field = "contentType"
	w.text(p.ContentType)
	w.field = "url"
	w.text(p.URL)
	w.uint(uint64(p.Expires))
	w.uint(p.Size)
	w.uint(uint64(p.EncAlg))
	w.bytes(p.Key)
	w.bytes(p.Nonce)
	w.bytes(p.AAD)
	w.uint(uint64(p.HashAlg))
	w.bytes(p.ContentHash)
	w.field = "description"
	w.text(p.Description)
	w.field = "filename"
	w.text(p.Filename)
}

func (p MultiPart) write(w *writer, depth int) {
	w.field = "partSemantics"
	if int(p.Semantics) >= len(semanticsNames) {
		w.fail(CheckSemantics, "%d, want 0 to 2", p.Semantics)
	}
	w.uint(uint64(p.Semantics))
	w.field = "parts"
	if len(p.Parts) < 2 {
		w.fail(CheckFewParts, "%d, want at least 2", len(p.Parts))
	}
	w.array(len(p.Parts))
	for _, kid := range p.Parts {
		if w.nestedPart(kid, depth+1); w.err != nil {
			return
		}
	}
}
