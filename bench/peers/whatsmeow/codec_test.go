package peer_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	wa "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/binary/token"
	"go.mau.fi/whatsmeow/types"
	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestMain has the codecs compared with as many nodes as README says, the same each time,
// unless flags want others.
func TestMain(m *testing.M) {
	flag.Parse()
	set := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { set[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": "10000", "rapid.seed": "1", "rapid.nofailfile": "true"} {
		if !set[name] {
			if err := flag.Set(name, value); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}

// theirs is our codec with the dictionary of their package. Their stanzas begin with flags
// alone.
var theirs = func() *stanza.Dictionary {
	d, err := stanza.NewDictionary(0, token.SingleByteTokens[:], token.DoubleByteTokens[:])
	if err != nil {
		panic(err)
	}
	return d
}()

// TestOursToTheirs holds that their package decodes what our codec encodes, compressed or
// not.
func TestOursToTheirs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := genTree(4).Draw(t, "node")
		for _, encode := range []func([]byte, stanza.Node) ([]byte, error){theirs.AppendBinary, theirs.AppendCompressed} {
			b, err := encode(nil, n)
			if err != nil {
				t.Fatalf("encoding %v: %v", n, err)
			}
			got, err := unmarshal(b)
			if err != nil {
				t.Fatalf("their package on %x: %v", clip(b), err)
			}
			if want := sorted(n); !got.Equal(&want) {
				t.Fatalf("their package read %v of %x, want %v", got, clip(b), want)
			}
		}
	})
}

// TestTheirsToOurs holds that our codec decodes what their package encodes, and that what
// our codec encodes of that is the same to their package.
func TestTheirsToOurs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := genNode(4).Draw(t, "node")
		b, err := wa.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := theirs.ParseBinary(b)
		if err != nil {
			t.Fatalf("our codec on %x of %v: %v", clip(b), n.XMLString(), err)
		}
		want := tree(n)
		if got = sorted(got); !got.Equal(&want) {
			t.Fatalf("our codec read %v of %x, want %v", got, clip(b), want)
		}
		if b, err = theirs.AppendBinary(nil, got); err != nil {
			t.Fatalf("encoding %v: %v", got, err)
		}
		if again, err := unmarshal(b); err != nil || !again.Equal(&want) {
			t.Fatalf("their package read %v, %v of %x, want %v", again, err, clip(b), want)
		}
	})
}

// clip bounds what a failure prints.
func clip(b []byte) []byte { return b[:min(len(b), 256)] }

// unmarshal has their package decode a stanza.
func unmarshal(b []byte) (n stanza.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	if b, err = wa.Unpack(b); err != nil {
		return n, err
	}
	theirs, err := wa.Unmarshal(b)
	if err != nil {
		return n, err
	}
	return tree(*theirs), nil
}

// tree returns one of their nodes as one of ours, its attributes by name: theirs are a map.
func tree(n wa.Node) stanza.Node {
	out := stanza.Node{Tag: n.Tag}
	for name, v := range n.Attrs {
		if v != nil {
			out.Attrs = append(out.Attrs, stanza.Attr{Name: name, Value: text(v)})
		}
	}
	switch c := n.Content.(type) {
	case nil:
	case []wa.Node:
		for _, child := range c {
			out.Children = append(out.Children, tree(child))
		}
	case []byte:
		out.Data = c
	default:
		out.Data = []byte(text(c))
	}
	return sortedHere(out)
}

// text returns what one of their values is as text. Their own text of an address of a
// partner's user leaves the partner out.
func text(v any) string {
	jid, ok := v.(types.JID)
	if !ok {
		return fmt.Sprint(v)
	}
	return address(jid).String()
}

func address(jid types.JID) ident.Address {
	return ident.Address{User: jid.User, Server: ident.Server(jid.Server), Integrator: jid.Integrator, Device: jid.Device}
}

func sorted(n stanza.Node) stanza.Node {
	n.Children = slices.Clone(n.Children)
	for i := range n.Children {
		n.Children[i] = sorted(n.Children[i])
	}
	return sortedHere(n)
}

func sortedHere(n stanza.Node) stanza.Node {
	n.Attrs = slices.Clone(n.Attrs)
	slices.SortFunc(n.Attrs, func(a, b stanza.Attr) int { return cmp.Compare(a.Name, b.Name) })
	return n
}

// tokens are the strings of their dictionary that are values of ours, and those that are
// names.
var tokens, names = func() (all, names []string) {
	for _, list := range append(slices.Clone(token.DoubleByteTokens[:]), token.SingleByteTokens[1:]) {
		for _, s := range list {
			n := stanza.Node{Tag: "x", Attrs: []stanza.Attr{{Name: "x", Value: s}}}
			if s != "" && n.Validate() == nil {
				all = append(all, s)
			}
			if (&stanza.Node{Tag: s}).Validate() == nil {
				names = append(names, s)
			}
		}
	}
	return all, names
}()

func genName() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(names),
		rapid.StringMatching(`[a-z_][a-z0-9_.-]{0,8}`),
		rapid.StringMatching(`[A-F][0-9A-F]{0,8}`), // which they pack
	)
}

// genText makes text that is of every form but that of an address.
func genText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(tokens),
		rapid.StringMatching(`[0-9]{1,20}`),
		rapid.StringMatching(`[0-9.-]{1,130}`),
		rapid.StringMatching(`[0-9A-F]{1,130}`),
		rapid.StringMatching(`[ -~é日😀]{1,40}`),
		rapid.Map(rapid.IntRange(250, 600), func(n int) string { return string(bytes.Repeat([]byte("x"), n)) }), // longer than 8 bits count
	)
}

// genJID makes addresses of all kinds that ours are.
func genJID() *rapid.Generator[types.JID] {
	user := rapid.StringMatching(`[0-9]{1,20}`)
	return rapid.Custom(func(t *rapid.T) types.JID {
		jid := types.JID{User: user.Draw(t, "user")}
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			jid.Server = types.DefaultUserServer
		case 1:
			jid.Server, jid.Device = types.DefaultUserServer, uint16(rapid.Byte().Draw(t, "device"))
		case 2:
			jid.Server = types.GroupServer
			if rapid.Bool().Draw(t, "old") {
				jid.User += "-" + user.Draw(t, "made")
			}
		case 3:
			jid.Server, jid.Device = types.InteropServer, rapid.Uint16().Draw(t, "device")
			jid.Integrator = rapid.Uint16Min(1).Draw(t, "integrator")
		case 4:
			jid.Server, jid.Device = types.MessengerServer, rapid.Uint16().Draw(t, "device")
		case 5:
			jid.User = ""
			jid.Server = rapid.SampledFrom([]string{types.DefaultUserServer, types.GroupServer, types.InteropServer, types.MessengerServer}).Draw(t, "server")
		}
		return jid
	})
}

// genData makes content whose length takes 8, 20 or 32 bits, the last of it seldom.
func genData() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		switch k := rapid.IntRange(0, 300).Draw(t, "size"); {
		case k == 300:
			return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, 1<<20+rapid.IntRange(0, 3).Draw(t, "more"))
		case k > 280:
			return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, rapid.IntRange(250, 70_000).Draw(t, "length"))
		}
		return rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "bytes")
	})
}

// children is how many children a node has: few, or more than 8 bits count.
func children(t *rapid.T, depth int) int {
	if depth == 1 && rapid.IntRange(0, 60).Draw(t, "many") == 60 {
		return rapid.IntRange(250, 300).Draw(t, "children")
	}
	return rapid.IntRange(1, 4).Draw(t, "children")
}

// genTree makes nodes of ours, in which addresses are text.
func genTree(depth int) *rapid.Generator[stanza.Node] {
	value := rapid.OneOf(genText(), rapid.Just(""), rapid.Map(genJID(), func(j types.JID) string { return text(j) }))
	return rapid.Custom(func(t *rapid.T) stanza.Node {
		n := stanza.Node{Tag: genName().Draw(t, "tag")}
		for _, name := range rapid.SliceOfNDistinct(genName(), 0, 6, rapid.ID).Draw(t, "attributes") {
			n.Attrs = append(n.Attrs, stanza.Attr{Name: name, Value: value.Draw(t, "value")})
		}
		switch rapid.IntRange(0, 2).Draw(t, "content") {
		case 1:
			n.Data = genData().Draw(t, "data")
		case 2:
			if depth > 0 {
				n.Children = make([]stanza.Node, children(t, depth))
				for i := range n.Children {
					n.Children[i] = genTree(depth/2).Draw(t, "child")
				}
			}
		}
		return n
	})
}

// genNode makes nodes of theirs, with values of all types that theirs may have. Those that
// are empty they leave out.
func genNode(depth int) *rapid.Generator[wa.Node] {
	value := rapid.OneOf(
		rapid.Map(genText(), func(s string) any { return s }),
		rapid.Map(genJID(), func(j types.JID) any { return j }),
		rapid.Map(genJID(), func(j types.JID) any { return text(j) }), // an address as a string
		rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.Uint32(), func(n uint32) any { return n }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	)
	return rapid.Custom(func(t *rapid.T) wa.Node {
		n := wa.Node{Tag: genName().Draw(t, "tag"), Attrs: wa.Attrs{}}
		for _, name := range rapid.SliceOfNDistinct(genName(), 0, 6, rapid.ID).Draw(t, "attributes") {
			n.Attrs[name] = value.Draw(t, "value")
		}
		switch rapid.IntRange(0, 5).Draw(t, "content") {
		case 1:
			n.Content = genData().Draw(t, "data")
		case 2:
			n.Content = []byte{}
		case 3:
			n.Content = []wa.Node{}
		case 4:
			n.Content = value.Draw(t, "value")
		case 5:
			if depth > 0 {
				list := make([]wa.Node, children(t, depth))
				for i := range list {
					list[i] = genNode(depth/2).Draw(t, "child")
				}
				n.Content = list
			}
		}
		return n
	})
}

// TestGeneratorsReachEveryForm holds that the random nodes have what README says.
func TestGeneratorsReachEveryForm(t *testing.T) {
	seen := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		n := genTree(4).Draw(t, "node")
		var walk func(n stanza.Node)
		walk = func(n stanza.Node) {
			switch l := len(n.Data); {
			case l >= 1<<20:
				seen["content, length of 32 bits"] = true
			case l >= 1<<8:
				seen["content, length of 20 bits"] = true
			case l > 0:
				seen["content, length of 8 bits"] = true
			case len(n.Children) >= 1<<8:
				seen["list, length of 16 bits"] = true
			case len(n.Children) == 0:
				seen["no content"] = true
			}
			for _, a := range n.Attrs {
				seen[form(a.Value)] = true
			}
			for _, c := range n.Children {
				walk(c)
			}
		}
		walk(n)
	})
	for _, want := range []string{
		"content, length of 32 bits", "content, length of 20 bits", "content, length of 8 bits", "list, length of 16 bits", "no content",
		"single", "double 0", "double 1", "double 2", "double 3", "nibble", "hex", "raw", "raw, length of 20 bits", "empty",
		"bare server", "s.whatsapp.net", "s.whatsapp.net, device", "g.us", "interop", "interop, device", "msgr", "msgr, device",
	} {
		if !seen[want] {
			t.Errorf("no random node has %s", want)
		}
	}
}

// form says what is special of a value.
func form(s string) string {
	if a, err := ident.ParseAddress(s); err == nil {
		switch {
		case a.User == "":
			return "bare server"
		case a.Device > 0:
			return string(a.Server) + ", device"
		}
		return string(a.Server)
	}
	if _, ok := token.IndexOfSingleToken(s); ok {
		return "single"
	}
	if list, _, ok := token.IndexOfDoubleByteToken(s); ok {
		return "double " + strconv.Itoa(int(list))
	}
	switch only := func(alphabet string) bool {
		return len(s) <= token.PackedMax && len(bytes.Trim([]byte(s), alphabet)) == 0
	}; {
	case s == "":
		return "empty"
	case only("0123456789-."):
		return "nibble"
	case only("0123456789ABCDEF"):
		return "hex"
	case len(s) >= 1<<8:
		return "raw, length of 20 bits"
	}
	return "raw"
}
