package message

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// messageVectors says what the fields of a case of messages.json are.
var messageVectors = map[string]func() value{
	"mls_welcome":                       func() value { return new(Message) },
	"mls_group_info":                    func() value { return new(Message) },
	"mls_key_package":                   func() value { return new(Message) },
	"ratchet_tree":                      func() value { return new(ratchetTree) },
	"group_secrets":                     func() value { return new(GroupSecrets) },
	"add_proposal":                      func() value { return new(Add) },
	"update_proposal":                   func() value { return new(Update) },
	"remove_proposal":                   func() value { return new(Remove) },
	"pre_shared_key_proposal":           func() value { return new(PreSharedKey) },
	"re_init_proposal":                  func() value { return new(ReInit) },
	"external_init_proposal":            func() value { return new(ExternalInit) },
	"group_context_extensions_proposal": func() value { return new(GroupContextExtensions) },
	"commit":                            func() value { return new(Commit) },
	"public_message_application":        func() value { return new(Message) },
	"public_message_proposal":           func() value { return new(Message) },
	"public_message_commit":             func() value { return new(Message) },
	"private_message":                   func() value { return new(Message) },
}

// wireFormats says what the MLSMessages among them carry.
var wireFormats = map[string]WireFormat{
	"mls_welcome":                WireWelcome,
	"mls_group_info":             WireGroupInfo,
	"mls_key_package":            WireKeyPackage,
	"public_message_application": WirePublicMessage,
	"public_message_proposal":    WirePublicMessage,
	"public_message_commit":      WirePublicMessage,
	"private_message":            WirePrivateMessage,
}

// ratchetTree is optional<Node> ratchet_tree<V> (RFC 9420, Section 12.4.3.3).
type ratchetTree []value // nil where a node is blank

func (n *ratchetTree) UnmarshalTLS(r *wire.Reader) {
	r.Vector(func() {
		var node value
		r.Optional(func() {
			switch t := NodeType(r.Uint8()); t {
			case NodeLeaf:
				node = new(LeafNode)
			case NodeParent:
				node = new(ParentNode)
			default:
				unknown(r, "node_type", t)
				return
			}
			node.UnmarshalTLS(r)
		})
		*n = append(*n, node)
	})
}

func (n ratchetTree) MarshalTLS(w *wire.Writer) {
	w.Vector(func() {
		for _, node := range n {
			w.Optional(node != nil, func() {
				if _, leaf := node.(*LeafNode); leaf {
					w.Uint8(uint8(NodeLeaf))
				} else {
					w.Uint8(uint8(NodeParent))
				}
				node.MarshalTLS(w)
			})
		}
	})
}

// TestMessagesVectors reads and writes every field of messages.json.
func TestMessagesVectors(t *testing.T) {
	t.Parallel()
	var cases []map[string]string
	if err := json.Unmarshal(vectorstest.Read(t, "mls/messages.json"), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 300 {
		t.Fatalf("%d cases, want 300", len(cases))
	}
	for i, v := range cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if len(v) != len(messageVectors) {
				t.Errorf("%d fields, want %d", len(v), len(messageVectors))
			}
			for name, make := range messageVectors {
				b, err := hex.DecodeString(v[name])
				if err != nil {
					t.Fatal(err)
				}
				m := make()
				if err := wire.Unmarshal(b, m); err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if got, err := wire.Marshal(m); err != nil || !bytes.Equal(got, b) {
					t.Errorf("%s: read %x, wrote %x, %v", name, b, got, err)
				}
				if m, ok := m.(*Message); ok && m.WireFormat() != wireFormats[name] {
					t.Errorf("%s is %v, want %v", name, m.WireFormat(), wireFormats[name])
				}
			}
		})
	}
}

// TestDeserializationVectors reads lengths as those of vectors of this package's
// types are read: the body is cut off, so what is read is a header and an error.
func TestDeserializationVectors(t *testing.T) {
	t.Parallel()
	var cases []struct {
		Header string `json:"vlbytes_header"`
		Length int    `json:"length"`
	}
	if err := json.Unmarshal(vectorstest.Read(t, "mls/deserialization.json"), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 14 {
		t.Fatalf("%d cases, want 14", len(cases))
	}
	for _, v := range cases {
		t.Run(v.Header, func(t *testing.T) {
			t.Parallel()
			header, err := hex.DecodeString(v.Header)
			if err != nil {
				t.Fatal(err)
			}
			if v.Length > 1<<24 {
				// Not worth the memory; that such a header is read is for package wire.
				if err := wire.Unmarshal(header, new(Custom)); err == nil {
					t.Errorf("a vector of %d bytes without them was read", v.Length)
				}
				return
			}
			b := append(header, make([]byte, v.Length)...)
			var c Custom
			if err := wire.Unmarshal(b, &c); err != nil || len(c.Data) != v.Length {
				t.Errorf("read %d bytes, %v, want %d", len(c.Data), err, v.Length)
			}
			if got, err := wire.Marshal(&c); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%d bytes were not written as they were read: %v", v.Length, err)
			}
		})
	}
}
