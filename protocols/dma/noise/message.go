package noise

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mimi-lab/mimi-lab/protocols/wire/protofield"
)

// Sizes of the parts of handshake messages in bytes (Noise, Sections 7.5 and 12.1).
const (
	keySize       = 32
	sealedKeySize = keySize + Overhead
)

// A part of a handshake message, with its field in HandshakeMessage's members; the last
// one of a message takes the rest of it in form Plain.
type part struct {
	field protowire.Number
	size  int // exact; 0 means at least a tag
}

// layout is how a handshake message is written.
type layout struct {
	name  string
	field protowire.Number // in HandshakeMessage
	limit int              // bytes in a frame
	parts []part
}

var (
	clientHello  = layout{"client hello", 2, MaxClientHello, []part{{1, keySize}}}
	serverHello  = layout{"server hello", 3, MaxServerHello, []part{{1, keySize}, {2, sealedKeySize}, {3, 0}}}
	clientFinish = layout{"client finish", 4, MaxClientFinish, []part{{1, sealedKeySize}, {2, 0}}}
)

// wrap writes a Noise message, which this side made, as the body of a frame.
func (l *layout) wrap(f Form, message []byte) []byte {
	if f == Plain {
		return message
	}
	var inner []byte
	for _, p := range l.parts {
		n := p.size
		if n == 0 {
			n = len(message)
		}
		inner = protowire.AppendTag(inner, p.field, protowire.BytesType)
		inner = protowire.AppendBytes(inner, message[:n])
		message = message[n:]
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, l.field, protowire.BytesType), inner)
}

// unwrap reads the body of a frame as a Noise message with the parts that it must have.
func (l *layout) unwrap(f Form, body []byte) ([]byte, error) {
	if len(body) > l.limit {
		return nil, fail(ErrFrame, l.name, "%d bytes, want at most %d", len(body), l.limit)
	}
	if f == Wrapped {
		var err error
		if body, err = l.join(body); err != nil {
			return nil, failed(ErrMessage, l.name, err)
		}
	}
	want, exact := 0, true
	for _, p := range l.parts {
		if want += p.size; p.size == 0 {
			want, exact = want+Overhead, false
		}
	}
	if len(body) < want || exact && len(body) > want {
		atLeast := ""
		if !exact {
			atLeast = "at least "
		}
		return nil, fail(ErrMessage, l.name, "%d bytes, want %s%d", len(body), atLeast, want)
	}
	return body, nil
}

// join puts the parts of a HandshakeMessage together. Fields it does not know are
// skipped, as protobuf has it, but for those of other messages and of other handshakes:
// a client hello with a static key or a payload is one of Noise IK, which is not spoken.
func (l *layout) join(body []byte) ([]byte, error) {
	var inner []byte
	found := false
	err := protofield.Each(body, func(num protowire.Number, typ protowire.Type, v []byte, _ uint64) error {
		switch {
		case num < clientHello.field || num > clientFinish.field:
			return nil
		case num != l.field || typ != protowire.BytesType:
			return fmt.Errorf("field %d of wire type %d, want %d as a message", num, typ, l.field)
		case found:
			return fmt.Errorf("field %d comes twice", num)
		}
		inner, found = v, true
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("no field %d", l.field)
	}
	parts := make([][]byte, len(l.parts))
	err = protofield.Each(inner, func(num protowire.Number, typ protowire.Type, v []byte, _ uint64) error {
		switch {
		case num > serverHello.parts[2].field:
			return nil
		case int(num) > len(parts):
			return fmt.Errorf("part %d, want none: only Noise XX is spoken", num)
		case typ != protowire.BytesType:
			return fmt.Errorf("part %d of wire type %d, want bytes", num, typ)
		case parts[num-1] != nil:
			return fmt.Errorf("part %d comes twice", num)
		}
		if want := l.parts[num-1].size; want > 0 && len(v) != want {
			return fmt.Errorf("part %d of %d bytes, want %d", num, len(v), want)
		}
		parts[num-1] = v
		return nil
	})
	if err != nil {
		return nil, err
	}
	var message []byte
	for i, p := range parts {
		if p == nil {
			return nil, fmt.Errorf("no part %d", i+1)
		}
		message = append(message, p...)
	}
	return message, nil
}
