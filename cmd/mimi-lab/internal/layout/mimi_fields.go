package layout

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// This file reads what bodies of MIMI are made of, and says what follows from a body
// as a whole.

// protocolByte reads a Protocol, of which there is one.
func (d *decoder) protocolByte(name string) { enum(d, name, mimi.MLS10) }

// enum reads an enum of 8 bits that has these values.
func enum[T interface {
	~uint8
	fmt.Stringer
}](d *decoder, name string, values ...T) T {
	var names []string
	for _, v := range values {
		names = append(names, fmt.Sprintf("%d (%s)", uint8(v), v))
	}
	read := func() T {
		start := d.r.Offset()
		v := T(d.r.Uint8())
		known := false
		for _, w := range values {
			known = known || v == w
		}
		if d.r.Err() == nil && !known {
			d.misfit(start, "got %d", uint8(v))
		}
		return v
	}
	return value(d, name, strings.Join(names, ", "), read, func(v T) outline.Value {
		return outline.Code{Name: v.String(), Number: uint64(v)}
	})
}

// readChecked reads an opaque<V> that check has something to say about.
func (d *decoder) readChecked(check func([]byte) string) []byte {
	start := d.r.Offset()
	b := d.r.Opaque()
	if d.r.Err() == nil {
		if wrong := check(b); wrong != "" {
			d.misfit(start, "%s", wrong)
		}
	}
	return b
}

const wantURI = "opaque<V> with a URI"

// checkURI says what is wrong with an IdentifierUri.
func (d *decoder) checkURI(b []byte) string {
	if len(b) > ident.MaxURI {
		return outline.Size(len(b))
	}
	if _, err := ident.ParseURI(string(b)); d.known && err != nil {
		return err.Error()
	}
	return ""
}

// uri reads an IdentifierUri.
func (d *decoder) uri(name string) { d.uriField(name, d.checkURI) }

// uriOrNone reads one that may be empty.
func (d *decoder) uriOrNone(name string) {
	d.uriField(name, func(b []byte) string {
		if len(b) == 0 {
			return ""
		}
		return d.checkURI(b)
	})
}

func (d *decoder) uriField(name string, check func([]byte) string) {
	value(d, name, wantURI, func() []byte { return d.readChecked(check) }, func(b []byte) outline.Value {
		return outline.Bytes{Data: b, Text: true}
	})
}

// utf8 reads a string of the draft.
func (d *decoder) utf8(name string) {
	value(d, name, "opaque<V> of UTF-8 without nulls", func() []byte {
		return d.readChecked(func(b []byte) string {
			if !utf8.Valid(b) || strings.ContainsRune(string(b), 0) {
				return "got other bytes"
			}
			return ""
		})
	}, func(b []byte) outline.Value { return outline.Bytes{Data: b, Text: true} })
}

// millis reads a uint64 that counts milliseconds since 1970.
func (d *decoder) millis(name string) {
	value(d, name, "uint64", d.r.Uint64, func(v uint64) outline.Value { return outline.Millis(v) })
}

// stamp reads an opaque[32].
func (d *decoder) stamp(name string) {
	value(d, name, "opaque[32]", func() []byte { return d.r.Fixed(mimi.TagSize) }, func(b []byte) outline.Value { return outline.Bytes{Data: b} })
}

// refuse fails the reading in a field that began at start.
func (d *decoder) refuse(name string, start int, want, got string) {
	if d.r.Err() != nil {
		return
	}
	d.path = append(d.path, step{name: name})
	d.misfit(start, "%s", got)
	d.failed(want)
	d.path = d.path[:len(d.path)-1]
}

// carried reads an MLSMessage in a field, and returns it, nil if it is malformed.
func (d *decoder) carried(name string) *message.Message {
	start := d.r.Offset()
	d.group(name, d.mlsMessage)
	return d.parsed(start)
}

// parsed returns the MLSMessage that was read since an offset.
func (d *decoder) parsed(start int) *message.Message {
	if d.r.Err() != nil {
		return nil
	}
	m, err := message.Parse(d.from(start), nil)
	if err != nil {
		panic(fmt.Sprintf("layout: invariant broken, what layout reads message reads: %v", err))
	}
	return m
}

// contentOf returns what kind of content a message has that anybody can tell, or 0.
func contentOf(m *message.Message) message.ContentType {
	switch {
	case m == nil:
	case m.Public != nil:
		return m.Public.Content.Type
	case m.Private != nil:
		return m.Private.ContentType
	}
	return 0
}

// shape says what a message is.
func shape(m *message.Message) string {
	s := "got " + m.WireFormat().String()
	if c := contentOf(m); c != 0 {
		s += " with " + c.String()
	}
	return s
}

// proposals reads MLSMessages with proposals.
func (d *decoder) proposals(name string) { d.list(name, func() { d.proposalMessage(d.mlsMessage) }) }

// proposalMessage reads an MLSMessage, which must have a proposal.
func (d *decoder) proposalMessage(read func()) {
	start := d.r.Offset()
	read()
	m := d.parsed(start)
	if m != nil && (m.Public == nil || contentOf(m) != message.ContentProposal) {
		d.misfit(start, "%s", shape(m))
		d.failed("mls_public_message with proposal")
	}
}

// dictionary reads an AppDataDictionary.
func (d *decoder) dictionary(name string) {
	last := -1
	d.list(name, func() {
		start := d.r.Offset()
		id := d.component()
		if d.r.Err() == nil && int(id) <= last {
			d.refuse("component_id", start, "components in ascending order", fmt.Sprintf("got %d after %d", id, last))
		}
		last = int(id)
		d.componentContent("data", id)
	})
}

// again reads what was read since start with package mimi, which computes with it.
func again[M wire.Unmarshaler](d *decoder, start int, m M) M {
	if err := wire.Unmarshal(d.from(start), m); err != nil {
		panic(fmt.Sprintf("layout: invariant broken, what layout reads mimi reads: %v", err))
	}
	return m
}

// rules adds whether a struct keeps the draft's rules on it.
func (d *decoder) rules(err error) {
	if e := (*mimi.RuleError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	d.verdict(d.at, "rules", "kept", err)
}
