package stanza_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

func TestParseReturnsWhatNodeWrote(t *testing.T) {
	t.Parallel()
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			n := s.stanza.Node()
			if err := n.Validate(); err != nil {
				t.Fatal(err)
			}
			got, err := stanza.Parse(n)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(s.stanza, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(ident.URI{})); d != "" {
				t.Fatalf("parsed (-want +got):\n%s", d)
			}
			if m := got.Node(); !m.Equal(&n) {
				t.Fatalf("wrote %v\nwant  %v", m, n)
			}
		})
	}
}

// TestSamplesUseEveryField keeps the table above honest: a field that no sample
// sets would be a field that no test reads.
func TestSamplesUseEveryField(t *testing.T) {
	t.Parallel()
	set := map[string]bool{}
	for _, s := range samples {
		markFields(set, reflect.ValueOf(s.stanza))
	}
	for name, used := range set {
		if !used {
			t.Errorf("no sample sets %s", name)
		}
	}
}

func markFields(set map[string]bool, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			markFields(set, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			markFields(set, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().String() + "." + v.Type().Field(i).Name
			set[name] = set[name] || !v.Field(i).IsZero()
			markFields(set, v.Field(i))
		}
	}
}

// TestParseIgnoresTheUnknown puts an unknown attribute and unknown children into
// every node that has children of its own, at either end.
func TestParseIgnoresTheUnknown(t *testing.T) {
	t.Parallel()
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if iq, ok := s.stanza.(*stanza.IQ); ok {
				if _, ok := iq.Payload.(stanza.Unknown); ok || iq.Payload == nil && iq.Error == nil {
					return // takes every child
				}
			}
			n := s.stanza.Node()
			addUnknown(&n)
			if len(n.Children) == 0 {
				n.Children = []stanza.Node{{Tag: "unheard-of"}}
			}
			got, err := stanza.Parse(n)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(s.stanza, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(ident.URI{})); d != "" {
				t.Fatalf("parsed (-want +got):\n%s", d)
			}
		})
	}
}

func addUnknown(n *stanza.Node) {
	n.Attrs = append([]stanza.Attr{{Name: "unheard-of", Value: "1"}}, n.Attrs...)
	if len(n.Children) == 0 {
		return
	}
	for i := range n.Children {
		addUnknown(&n.Children[i])
	}
	unknown := stanza.Node{Tag: "unheard-of", Data: []byte("x")}
	n.Children = append(append([]stanza.Node{unknown}, n.Children...), unknown)
}

func TestParseTakesPartsInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			n := s.stanza.Node()
			turnRound(&n)
			got, err := stanza.Parse(n)
			if err != nil {
				t.Fatal(err)
			}
			if back := got.Node(); !sameParts(&back, &n) {
				t.Fatalf("parsed %+v\nof     %v", got, n)
			}
		})
	}
}

func turnRound(n *stanza.Node) {
	slices.Reverse(n.Attrs)
	slices.Reverse(n.Children)
	for i := range n.Children {
		turnRound(&n.Children[i])
	}
}

// sameParts reports whether two nodes are equal but for the order of attributes
// and children.
func sameParts(a, b *stanza.Node) bool {
	if a.Tag != b.Tag || !bytes.Equal(a.Data, b.Data) || len(a.Children) != len(b.Children) || len(a.Attrs) != len(b.Attrs) {
		return false
	}
	for _, attr := range a.Attrs {
		if !slices.Contains(b.Attrs, attr) {
			return false
		}
	}
	for i := range a.Children {
		if !slices.ContainsFunc(b.Children, func(c stanza.Node) bool { return sameParts(&a.Children[i], &c) }) {
			return false
		}
	}
	return true
}

// node builds a tree for the tables below: attributes as name, value pairs.
func node(tag string, attrs []string, children ...stanza.Node) stanza.Node {
	n := stanza.Node{Tag: tag, Children: children}
	for i := 0; i < len(attrs); i += 2 {
		n.Attrs = append(n.Attrs, stanza.Attr{Name: attrs[i], Value: attrs[i+1]})
	}
	return n
}

func data(tag string, b ...byte) stanza.Node { return stanza.Node{Tag: tag, Data: b} }

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	type attrs = []string
	enc := stanza.Node{Tag: "enc", Attrs: []stanza.Attr{{Name: "v", Value: "2"}, {Name: "type", Value: "msg"}}, Data: []byte{1}}
	ok := attrs{"id", "1", "to", bob.String(), "type", "text"}
	retry := attrs{"id", "1", "to", bob.String(), "type", "retry"}
	one := node("retry", attrs{"count", "1", "id", "1", "v", "1"})
	encrypt := attrs{"id", "1", "type", "set", "xmlns", "encrypt"}
	for _, tt := range []struct {
		name  string
		node  stanza.Node
		check stanza.Check
		where string
	}{
		{"unknown stanza", node("presence", nil), stanza.CheckKind, "presence"},
		{"message without id", node("message", attrs{"to", bob.String(), "type", "text"}, enc), stanza.CheckMissing, "message/@id"},
		{"message with empty id", node("message", attrs{"id", "", "to", bob.String(), "type", "text"}, enc), stanza.CheckField, "message/@id"},
		{"message without type", node("message", attrs{"id", "1", "to", bob.String()}, enc), stanza.CheckMissing, "message/@type"},
		{"message without addresses", node("message", attrs{"id", "1", "type", "text"}, enc), stanza.CheckMissing, "message/@to"},
		{"message without payload", node("message", ok), stanza.CheckMissing, "message/enc"},
		{"message in the clear", node("message", ok, data("body", 'h', 'i')), stanza.CheckMissing, "message/enc"},
		{"unknown message type", node("message", attrs{"id", "1", "to", bob.String(), "type", "sms"}, enc), stanza.CheckField, "message/@type"},
		{"malformed address", node("message", attrs{"id", "1", "to", "1-2@x", "type", "text"}, enc), stanza.CheckField, "message/@to"},
		{"negative time", node("message", append(ok[:6:6], "t", "-1"), enc), stanza.CheckField, "message/@t"},
		{"time with leading zero", node("message", append(ok[:6:6], "t", "01"), enc), stanza.CheckField, "message/@t"},
		{"time past year 9999", node("message", append(ok[:6:6], "t", "253402300800"), enc), stanza.CheckField, "message/@t"},
		{"overlong number", node("message", append(ok[:6:6], "t", "9999999999999999999"), enc), stanza.CheckField, "message/@t"},
		{"participants twice", node("message", ok, node("participants", nil, node("to", attrs{"jid", bob.String()}, enc)),
			node("participants", nil, node("to", attrs{"jid", bob.String()}, enc))), stanza.CheckRepeat, "message/participants"},
		{"empty participants", node("message", ok, node("participants", nil)), stanza.CheckMissing, "participants/to"},
		{"to without enc", node("message", ok, node("participants", nil, node("to", attrs{"jid", bob.String()}))), stanza.CheckMissing, "to/enc"},
		{"to with two enc", node("message", ok, node("participants", nil, node("to", attrs{"jid", bob.String()}, enc, enc))), stanza.CheckRepeat, "to/enc"},
		{"to without jid", node("message", ok, node("participants", nil, node("to", nil, enc))), stanza.CheckMissing, "to/@jid"},
		{"enc without data", node("message", ok, node("enc", attrs{"v", "2", "type", "msg"})), stanza.CheckMissing, "enc/data"},
		{"enc version 0", node("message", ok, stanza.Node{Tag: "enc", Attrs: []stanza.Attr{{Name: "v", Value: "0"}}, Data: []byte{1}}), stanza.CheckField, "enc/@v"},
		{"retry without retry", node("receipt", retry, data("registration", 0, 0, 0, 1)), stanza.CheckMissing, "receipt/retry"},
		{"retry without registration", node("receipt", retry, one), stanza.CheckMissing, "receipt/registration"},
		{"retry of three registration bytes", node("receipt", retry, one, data("registration", 0, 0, 1)), stanza.CheckField, "registration"},
		{"sixth retry", node("receipt", retry, node("retry", attrs{"count", "6", "id", "1", "v", "1"}), data("registration", 0, 0, 0, 1)), stanza.CheckField, "retry/@count"},
		{"explicit delivered", node("receipt", attrs{"id", "1", "to", bob.String(), "type", ""}), stanza.CheckField, "receipt/@type"},
		{"receipt list without items", node("receipt", attrs{"id", "1", "to", bob.String()}, node("list", nil)), stanza.CheckMissing, "list/item"},
		{"ack of an iq", node("ack", attrs{"class", "iq", "id", "1"}), stanza.CheckField, "ack/@class"},
		{"ack error 0", node("ack", attrs{"class", "call", "id", "1", "error", "0"}), stanza.CheckField, "ack/@error"},
		{"call without action", node("call", attrs{"id", "1", "to", bob.String()}), stanza.CheckMissing, "call/action"},
		{"call with two actions", node("call", attrs{"id", "1", "to", bob.String()},
			node("accept", attrs{"call-id", "1", "call-creator", bob.String()}), node("reject", nil)), stanza.CheckRepeat, "call/action"},
		{"iq error without error", node("iq", attrs{"id", "1", "type", "error"}), stanza.CheckMissing, "iq/error"},
		{"error without code", node("iq", attrs{"id", "1", "type", "error"}, node("error", nil)), stanza.CheckMissing, "error/@code"},
		{"keys without identity", node("iq", encrypt, data("registration", 0, 0, 0, 1), data("type", 5), node("list", nil)), stanza.CheckMissing, "iq/identity"},
		{"keys of another curve", node("iq", encrypt, data("registration", 0, 0, 0, 1), data("type", 6)), stanza.CheckField, "iq/type"},
		{"short identity", node("iq", encrypt, data("registration", 0, 0, 0, 1), data("type", 5), data("identity", 1)), stanza.CheckField, "identity"},
		{"opaque keys without list", node("iq", encrypt, data("static", 1)), stanza.CheckMissing, "iq/list"},
		{"two keys handed out", node("iq", attrs{"id", "1", "type", "result", "xmlns", "encrypt"}, node("list", nil, node("user", attrs{"jid", bob.String()},
			data("static", 1), node("key", nil, data("id", 0, 0, 0, 1), data("value", 1)), node("key", nil, data("id", 0, 0, 0, 1), data("value", 1))))),
			stanza.CheckRepeat, "user/key"},
		{"fetch of nobody", node("iq", attrs{"id", "1", "type", "get", "xmlns", "encrypt"}, node("key", nil)), stanza.CheckMissing, "key/user"},
		{"block without action", node("iq", attrs{"id", "1", "type", "set", "xmlns", "blocklist"}, node("item", attrs{"jid", bob.String()})), stanza.CheckMissing, "item/@action"},
		{"app of integrator 0", node("iq", attrs{"id", "1", "type", "set", "xmlns", "interop"},
			node("settings", nil, node("app", attrs{"integrator", "0", "enabled", "true"}))), stanza.CheckField, "app/@integrator"},
		{"consent that is neither", node("iq", attrs{"id", "1", "type", "set", "xmlns", "interop"},
			node("consent", attrs{"jid", bob.String(), "given", "yes"})), stanza.CheckField, "consent/@given"},
		{"notification without type", node("notification", attrs{"id", "1"}), stanza.CheckMissing, "notification/@type"},
		{"keys low without count", node("notification", attrs{"id", "1", "type", "encrypt"}, node("count", nil)), stanza.CheckMissing, "count/@value"},
		{"consent that is not said", node("notification", attrs{"id", "1", "type", "interop"}, node("consent", nil)), stanza.CheckMissing, "consent/@given"},
		{"revoked without integrator", node("notification", attrs{"id", "1", "type", "interop"}, node("revoked", nil)), stanza.CheckMissing, "revoked/@integrator"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := stanza.Parse(tt.node)
			var fe *stanza.FormatError
			if s != nil || !errors.Is(err, tt.check) || !errors.As(err, &fe) || fe.Where != tt.where {
				t.Fatalf("got %v, %v\nwant %v at %s", s, err, tt.check, tt.where)
			}
		})
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range stanza.Codes() {
		if c.Name() == "" || c.Sentence() == "" || seen[c.Name()] {
			t.Errorf("code %d: name %q, sentence %q; both must be there, the name once", c, c.Name(), c.Sentence())
		}
		seen[c.Name()] = true
		if !errors.Is(&stanza.Error{Code: c}, c) {
			t.Errorf("an Error with code %d is not that code", c)
		}
	}
	if n := stanza.Code(999); n.Name() != "" || n.Sentence() != "" || n.Error() != "code 999" {
		t.Errorf("code 999 has name %q, sentence %q, text %q", n.Name(), n.Sentence(), n.Error())
	}
}

func TestKeyIDThatDoesNotFit(t *testing.T) {
	t.Parallel()
	upload := &stanza.KeyUpload{Keys: signalKeys()}
	upload.Keys.OneTime = []stanza.OneTimeKey{{ID: 1 << 24, Value: make([]byte, 32)}}
	defer func() {
		if want := "stanza: invariant: <id> 16777216 fits 3 bytes"; recover() != want {
			t.Errorf("did not panic with %q", want)
		}
	}()
	(&stanza.IQ{ID: "1", Type: stanza.Set, Payload: upload}).Node()
}

func TestFormatErrorText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&stanza.FormatError{Check: stanza.CheckName, Offset: 7}, "stanza: N5: malformed name at byte 7"},
		{&stanza.FormatError{Check: stanza.CheckDepth, Where: "a", Offset: -1}, `stanza: N2: nested too deep: "a"`},
		{&stanza.FormatError{Check: stanza.CheckField, Where: "a/@b", Offset: -1, Detail: "x"}, `stanza: S3: value out of range: "a/@b": x`},
		{stanza.Check(99), "check 99"},
		{&stanza.Error{Code: stanza.Gone}, "stanza error: code 410 gone"},
		{&stanza.Error{Code: 999, Text: "busy"}, "stanza error: code 999: busy"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestNodeEqual(t *testing.T) {
	t.Parallel()
	base := func() stanza.Node {
		return node("a", []string{"b", "c", "d", "e"}, node("f", nil), data("g", 'h'))
	}
	same := base()
	same.Data, same.Children[0].Attrs = []byte{}, []stanza.Attr{}
	if n := base(); !n.Equal(&same) {
		t.Error("empty is not nil")
	}
	for name, change := range map[string]func(*stanza.Node){
		"tag":             func(n *stanza.Node) { n.Tag = "x" },
		"attribute":       func(n *stanza.Node) { n.Attrs[1].Value = "x" },
		"attribute gone":  func(n *stanza.Node) { n.Attrs = n.Attrs[:1] },
		"attribute order": func(n *stanza.Node) { n.Attrs[0], n.Attrs[1] = n.Attrs[1], n.Attrs[0] },
		"child":           func(n *stanza.Node) { n.Children[0].Tag = "x" },
		"child gone":      func(n *stanza.Node) { n.Children = n.Children[:1] },
		"child's data":    func(n *stanza.Node) { n.Children[1].Data = nil },
	} {
		n, m := base(), base()
		change(&m)
		if n.Equal(&m) {
			t.Errorf("another %s is equal", name)
		}
	}
}

func TestNodeLookup(t *testing.T) {
	t.Parallel()
	n := node("a", []string{"b", "c"}, data("d", 1), data("d", 2))
	if v, ok := n.Attr("b"); v != "c" || !ok {
		t.Errorf("attribute b is %q, %v", v, ok)
	}
	if v, ok := n.Attr("x"); v != "" || ok {
		t.Errorf("attribute x is %q, %v", v, ok)
	}
	if c := n.Child("d"); c != &n.Children[0] {
		t.Errorf("child d is %v", c)
	}
	if c := n.Child("x"); c != nil {
		t.Errorf("child x is %v", c)
	}
}

// TestLoginToken: a token is not printed with what holds it.
func TestLoginToken(t *testing.T) {
	t.Parallel()
	l := &stanza.Login{Client: uri("mimi://a.example/d/alice/A1"), Token: []byte("secret")}
	q := stanza.IQ{ID: "1", Type: stanza.Set, Payload: l}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{l, *l, q, &q} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, "secret") || strings.Contains(s, fmt.Sprint([]byte("secret"))) || strings.Contains(s, "0x73, 0x65") {
				t.Errorf("%s of a %T prints %s", format, v, s)
			}
		}
	}
}
