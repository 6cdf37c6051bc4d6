package conformance

import (
	"maps"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// messagesCase is one of messages.json: an encoding of each struct by its name.
type messagesCase map[string]octets

// structs says how the fields of a case are read and written again. Those that are
// not listed there are MLSMessages, and the ratchet tree.
var structs = map[string]func() codec{
	"group_secrets":                     func() codec { return new(message.GroupSecrets) },
	"add_proposal":                      func() codec { return new(message.Add) },
	"update_proposal":                   func() codec { return new(message.Update) },
	"remove_proposal":                   func() codec { return new(message.Remove) },
	"pre_shared_key_proposal":           func() codec { return new(message.PreSharedKey) },
	"re_init_proposal":                  func() codec { return new(message.ReInit) },
	"external_init_proposal":            func() codec { return new(message.ExternalInit) },
	"group_context_extensions_proposal": func() codec { return new(message.GroupContextExtensions) },
	"commit":                            func() codec { return new(message.Commit) },
}

type codec interface {
	wire.Marshaler
	wire.Unmarshaler
}

// envelopes says what the MLSMessages of a case carry; content is 0 if it is not
// said or can't be seen.
var envelopes = map[string]struct {
	format  message.WireFormat
	content message.ContentType
}{
	"mls_welcome":                {message.WireWelcome, 0},
	"mls_group_info":             {message.WireGroupInfo, 0},
	"mls_key_package":            {message.WireKeyPackage, 0},
	"public_message_application": {message.WirePublicMessage, message.ContentApplication},
	"public_message_proposal":    {message.WirePublicMessage, message.ContentProposal},
	"public_message_commit":      {message.WirePublicMessage, message.ContentCommit},
	"private_message":            {message.WirePrivateMessage, 0},
}

const ratchetTree = "ratchet_tree"

func checkMessages(c *checker, v *messagesCase) {
	same(c, "case (fields)", len(*v), len(structs)+len(envelopes)+1)
	for _, name := range slices.Sorted(maps.Keys(structs)) {
		b, m := c.field(v, name), structs[name]()
		if c.read(name, b, m) {
			c.rewritten(name, m, b)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(envelopes)) {
		b, want := c.field(v, name), envelopes[name]
		m, ok := c.parse(name, b, want.format)
		if !ok {
			continue
		}
		c.rewritten(name, m, b)
		if m.Public != nil {
			same(c, name+" (content type)", m.Public.Content.Type, want.content)
		}
	}
	checkRatchetTree(c, c.field(v, ratchetTree))
}

// field returns a field of a case and notes if it is not there.
func (c *checker) field(v *messagesCase, name string) []byte {
	b, ok := (*v)[name]
	if !ok {
		c.fail("case."+name, "is missing")
	}
	return b
}

// rewritten notes what is not written as it was read.
func (c *checker) rewritten(name string, m wire.Marshaler, want []byte) {
	if b, ok := c.write(name, m); ok {
		c.equal(name+", written again", b, want)
	}
}

// checkRatchetTree reads a ratchet tree, whose syntax is that of all suites. The
// file's are no more than syntactically valid.
func checkRatchetTree(c *checker, b []byte) {
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{}, c.label)
	if !c.ok(ratchetTree, err) {
		return
	}
	t, err := tree.Parse(s, b)
	if !c.ok(ratchetTree, err) {
		return
	}
	if got, err := t.Marshal(); c.ok(ratchetTree, err) {
		c.equal(ratchetTree+", written again", got, b)
	}
}
