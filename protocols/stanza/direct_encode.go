package stanza

import (
	"strconv"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// attributes is where a stanza writes its attributes: a [builder], or an encoder that
// writes them without a tree. Zero values are left out.
type attributes interface {
	text(name, v string)
	address(name string, a ident.Address)
	number(name string, v int64)
	wide(name string, v uint64)
	uri(name string, u ident.URI)
}

// Encoder writes stanzas one after another, for those who write very many. The zero
// value is ready to use. It is not safe for concurrent use.
type Encoder struct{ e encoder }

// Append appends the binary form of s to dst. It is [AppendBinary] of s.Node() in one,
// without the tree of the stanzas that a service has most of. It does not allocate for
// them if dst has room.
func (r *Encoder) Append(dst []byte, s Stanza) ([]byte, error) {
	e := &r.e
	*e = encoder{out: append(dst, DictionaryVersion<<4)}
	switch s := s.(type) {
	case *Message:
		e.message(s)
	case *Receipt:
		e.begin("receipt")
		s.attributes(e)
		e.children(s.children())
	case *Ack:
		e.begin("ack")
		s.attributes(e)
		e.children(s.children())
	case *IQ:
		e.begin("iq")
		s.attributes(e)
		e.children(s.children())
	default:
		return AppendBinary(dst, s.Node())
	}
	out := e.out
	failed := e.err != nil || len(out)-len(dst) > MaxSize
	*e = encoder{}
	if failed {
		return AppendBinary(dst, s.Node()) // which says where
	}
	return out, nil
}

// message writes a message. Its payload is what is long in it.
func (e *encoder) message(m *Message) {
	e.begin("message")
	m.attributes(e)
	if len(m.Participants) > 0 || m.Accepted != nil {
		e.children(m.children())
		return
	}
	if len(m.Enc) == 0 {
		return
	}
	e.out[e.head]++
	e.list(len(m.Enc))
	for i := range m.Enc {
		e.begin("enc")
		m.Enc[i].attributes(e)
		if data := m.Enc[i].Payload; len(data) > 0 {
			e.out[e.head]++
			e.length(len(data))
			e.out = append(e.out, data...)
		}
	}
}

// begin writes the head of an element. Its attributes follow, which count themselves,
// then its content, which its writer counts.
func (e *encoder) begin(tag string) {
	if e.nodes++; e.nodes > MaxNodes {
		e.fail(CheckNodes, tag)
	}
	e.head = len(e.out) + 1
	e.list(1)
	e.name(&Node{Tag: tag}, tag)
}

// children writes what an element contains, if anything.
func (e *encoder) children(nodes []Node) {
	if len(nodes) == 0 {
		return
	}
	e.out[e.head]++
	e.list(len(nodes))
	for i := range nodes {
		e.node(&nodes[i], 2)
	}
}

// attribute writes the name of an attribute.
func (e *encoder) attribute(name string) {
	e.out[e.head] += 2
	e.name(&Node{}, name)
}

func (e *encoder) text(name, v string) {
	if v != "" {
		e.attribute(name)
		e.value(&Node{}, &Attr{name, v})
	}
}

func (e *encoder) uri(name string, u ident.URI) {
	if !u.IsZero() {
		e.text(name, u.String())
	}
}

func (e *encoder) wide(name string, v uint64) {
	if v != 0 {
		var room [20]byte
		e.text(name, string(strconv.AppendUint(room[:0], v, 10)))
	}
}

func (e *encoder) number(name string, v int64) {
	if v == 0 {
		return
	}
	e.attribute(name)
	var room [20]byte
	digits := strconv.AppendInt(room[:0], v, 10)
	if t := findToken(string(digits)); t.code != 0 {
		e.token(t.code)
		return
	}
	e.packed(formNibble, string(digits)) // which has a code for the sign, too
}

// address writes an attribute as chooseForm would have its text written.
func (e *encoder) address(name string, a ident.Address) {
	switch {
	case !present(a):
	case a.User == "" || markerOf(a) == 0 || a.Validate() != nil:
		e.text(name, a.String())
	default:
		e.attribute(name)
		e.addressValue(a)
	}
}
