package message

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
	"github.com/mimi-lab/mimi-lab/protocols/wire/wiretest"
)

// value is a type that goes over the wire.
type value = wiretest.Value

// types lists them all, with an encoding each. TestTypesComplete sees to it that
// none is missing. Those at the end of the list are never moved, so that inputs
// that fuzzing kept name the same type.
var types = []struct {
	name   string
	make   func() value
	sample string
}{
	{"Message", func() value { return new(Message) }, "\x00\x01\x00\x02" + samplePrivate},
	{"AuthenticatedContent", func() value { return new(AuthenticatedContent) }, "\x00\x02" + sampleFramed + "\x01s\x01t"},
	{"PublicMessage", func() value { return new(PublicMessage) }, sampleFramed + "\x01s\x01t\x01m"},
	{"PrivateMessage", func() value { return new(PrivateMessage) }, samplePrivate},
	{"Welcome", func() value { return new(Welcome) }, "\x00\x01\x06\x01r\x01k\x01c\x01i"},
	{"GroupInfo", func() value { return new(GroupInfo) }, sampleContext + sampleExtensions + "\x01t\x00\x00\x00\x02\x01s"},
	{"KeyPackage", func() value { return new(KeyPackage) }, sampleKeyPackage},
	{"GroupSecrets", func() value { return new(GroupSecrets) }, "\x01j\x01\x01p\x05" + samplePSK},
	{"EncryptedGroupSecrets", func() value { return new(EncryptedGroupSecrets) }, "\x01r\x01k\x01c"},
	{"LeafNode", func() value { return new(LeafNode) }, sampleLeaf},
	{"ParentNode", func() value { return new(ParentNode) }, "\x01k\x01h\x08\x00\x00\x00\x01\x00\x00\x00\x02"},
	{"Commit", func() value { return new(Commit) }, sampleCommit},
	{"UpdatePath", func() value { return new(UpdatePath) }, samplePath},
	{"UpdatePathNode", func() value { return new(UpdatePathNode) }, "\x01k\x04\x01a\x01b"},
	{"HPKECiphertext", func() value { return new(HPKECiphertext) }, "\x01a\x01b"},
	{"Proposal", func() value { return new(Proposal) }, "\x00\x03\x00\x00\x00\x01"},
	{"Add", func() value { return new(Add) }, sampleKeyPackage},
	{"Update", func() value { return new(Update) }, sampleLeaf},
	{"Remove", func() value { return new(Remove) }, "\x00\x00\x00\x01"},
	{"PreSharedKey", func() value { return new(PreSharedKey) }, "\x02\x01\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01n"},
	{"ReInit", func() value { return new(ReInit) }, "\x01g\x00\x01\x00\x01" + sampleExtensions},
	{"ExternalInit", func() value { return new(ExternalInit) }, "\x01k"},
	{"GroupContextExtensions", func() value { return new(GroupContextExtensions) }, sampleExtensions},
	{"SelfRemove", func() value { return new(SelfRemove) }, ""},
	{"AppDataUpdate", func() value { return new(AppDataUpdate) }, "\x00\x09\x01\x01u"},
	{"AppEphemeral", func() value { return new(AppEphemeral) }, "\x00\x09\x01d"},
	{"Custom", func() value { return new(Custom) }, "\x01x"},
	{"PreSharedKeyID", func() value { return new(PreSharedKeyID) }, "\x03\x00\x09\x01i\x01n"},
	{"GroupContext", func() value { return new(GroupContext) }, sampleContext},
	{"Credential", func() value { return new(Credential) }, "\x00\x02\x04\x01a\x01b"},
	{"Capabilities", func() value { return new(Capabilities) }, sampleCapabilities},
	{"Extension", func() value { return new(Extension) }, "\x0a\x0a\x01x"},
	{"Extensions", func() value { return new(Extensions) }, sampleExtensions},
	{"RequiredCapabilities", func() value { return new(RequiredCapabilities) }, "\x02\x00\x06\x00\x02\x00\x01"},
	{"ExternalSender", func() value { return new(ExternalSender) }, "\x01k\x00\x01\x01i"},
	{"ExternalSenders", func() value { return new(ExternalSenders) }, "\x06\x01k\x00\x01\x01i"},
	{"ExternalPub", func() value { return new(ExternalPub) }, "\x01k"},
	{"ApplicationID", func() value { return new(ApplicationID) }, "\x01i"},
	{"Sender", func() value { return new(Sender) }, "\x02\x00\x00\x00\x01"},
	{"SenderData", func() value { return new(SenderData) }, "\x00\x00\x00\x01\x00\x00\x00\x02abcd"},
	{"ProposalOrRef", func() value { return new(proposalOrRef) }, "\x01\x00\x03\x00\x00\x00\x01"},
	{"ComponentData", func() value { return new(ComponentData) }, "\x00\x09\x01d"},
	{"AppDataDictionary", func() value { return new(AppDataDictionary) }, "\x08\x00\x08\x01c\x00\x09\x01d"},
	{"SafeAAD", func() value { return new(SafeAAD) }, "\x08\x00\x08\x01c\x00\x09\x01d"},
	{"ComponentsList", func() value { return new(ComponentsList) }, "\x04\x00\x08\x00\x09"},
	{"WireFormats", func() value { return new(WireFormats) }, "\x02\x00\x07"},
	{"Parameter", func() value { return new(Parameter) }, "\x01n\x01v"},
	{"MediaType", func() value { return new(MediaType) }, sampleMediaType},
	{"MediaTypeList", func() value { return new(MediaTypeList) }, "\x07" + sampleMediaType},
	{"ApplicationFraming", func() value { return new(ApplicationFraming) }, sampleMediaType + "\x01c"},
}

// proposalOrRef is a ProposalOrRef that reads with DefaultCodePoints.
type proposalOrRef struct{ ProposalOrRef }

func (p *proposalOrRef) UnmarshalTLS(r *wire.Reader) { p.read(r, &DefaultCodePoints) }

// Encodings of values with something in every field.
const (
	samplePSK          = "\x01\x01i\x01n"
	sampleExtensions   = "\x04\x0a\x0a\x01x"
	sampleCapabilities = "\x02\x00\x01\x02\x00\x01\x00\x02\x0a\x0a\x02\x00\x01"
	sampleLeaf         = "\x01e\x01s\x00\x01\x01i" + sampleCapabilities + "\x03\x01h" + sampleExtensions + "\x01g"
	sampleKeyLeaf      = "\x01e\x01s\x00\x01\x01i" + sampleCapabilities + "\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02" + sampleExtensions + "\x01g"
	sampleKeyPackage   = "\x00\x01\x00\x01\x01k" + sampleKeyLeaf + sampleExtensions + "\x01s"
	sampleContext      = "\x00\x01\x00\x01\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01t\x01c" + sampleExtensions
	samplePath         = sampleLeaf + "\x07\x01k\x04\x01a\x01b"
	sampleCommit       = "\x0a\x01\x00\x03\x00\x00\x00\x01\x02\x01r\x01" + samplePath
	sampleFramed       = "\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x01\x01a\x03" + sampleCommit
	sampleMediaType    = "\x01t\x04\x01n\x01v"
	samplePrivate      = "\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01a\x01d\x01c"
)

// TestSamples: an encoding is read and written again, and no part of it or more
// than it is read.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, tt := range types {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wiretest.Sample(t, tt.sample, tt.make)
		})
	}
}

// TestTypesComplete: every type of the package that reads itself is in types.
func TestTypesComplete(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, tt := range types {
		if listed[tt.name] {
			t.Errorf("%s is listed twice", tt.name)
		}
		listed[tt.name] = true
		if got := strings.TrimPrefix(fmt.Sprintf("%T", tt.make()), "*message."); got != tt.name && tt.name != "ProposalOrRef" {
			t.Errorf("%s makes a %s", tt.name, got)
		}
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.Name != "UnmarshalTLS" {
				continue
			}
			found++
			if name := fn.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name; !listed[name] {
				t.Errorf("%s reads itself and is not in types", name)
			}
		}
	}
	if found != len(types)-1 { // ProposalOrRef reads itself here only
		t.Errorf("%d types read themselves, want %d", found, len(types)-1)
	}
}

// TestCostBound: what a value costs to read is bounded by a constant times the
// size of its encoding, for the smallest elements that every vector can have. The
// dearest is a PreSharedKeyID, 96 bytes of memory for 3, in a slice that doubles
// and so takes up to 4 times that, garbage included.
func TestCostBound(t *testing.T) { // not parallel: it counts the process's allocations
	const size, perByte = 1 << 20, 4 * 96 / 3
	tests := []struct {
		name string
		make func() value
		in   []byte
	}{
		{"certificates", func() value { return new(Credential) }, wiretest.Flood("\x00\x02", "\x00", "", size)},
		{"extensions", func() value { return new(Extensions) }, wiretest.Flood("", "\x0a\x0a\x00", "", size)},
		{"external senders", func() value { return new(ExternalSenders) }, wiretest.Flood("", "\x00\x00\x01\x00", "", size)},
		{"external senders' chains", func() value { return new(ExternalSenders) }, wiretest.Flood("", "\x00\x00\x02\x01\x00", "", size)},
		{"versions", func() value { return new(Capabilities) }, wiretest.Flood("", "\x00\x01", "\x00\x00\x00\x00", size)},
		{"unmerged leaves", func() value { return new(ParentNode) }, unmerged(size)},
		{"references", func() value { return new(Commit) }, wiretest.Flood("", "\x02\x00", "\x00", size)},
		{"self-removes", func() value { return new(Commit) }, wiretest.Flood("", "\x01\x00\x0a", "\x00", size)},
		{"custom proposals", func() value { return new(Commit) }, wiretest.Flood("", "\x01\x0a\x0a\x00", "\x00", size)},
		{"ephemerals", func() value { return new(Commit) }, wiretest.Flood("", "\x01\x00\x09\x00\x00\x00", "\x00", size)},
		{"group context extensions", func() value { return new(Commit) }, wiretest.Flood("", "\x01\x00\x07\x00", "\x00", size)},
		{"extensions of group context extensions", func() value { return new(Commit) }, wiretest.Flood("", "\x01\x00\x07\x03\x0a\x0a\x00", "\x00", size)},
		{"psk proposals", func() value { return new(Commit) }, wiretest.Flood("", "\x01\x00\x04\x01\x00\x00", "\x00", size)},
		{"path nodes", func() value { return new(UpdatePath) }, wiretest.Flood(sampleLeaf, "\x00\x00", "", size)},
		{"path ciphertexts", func() value { return new(UpdatePathNode) }, wiretest.Flood("\x00", "\x00\x00", "", size)},
		{"new members", func() value { return new(Welcome) }, wiretest.Flood("\x00\x01", "\x00\x00\x00", "\x00", size)},
		{"psks", func() value { return new(GroupSecrets) }, wiretest.Flood("\x00\x00", "\x01\x00\x00", "", size)},
		{"one opaque", func() value { return new(Custom) }, wiretest.Flood("", "x", "", size)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wiretest.Cost(t, tt.in, tt.make(), perByte)
		})
	}
}

// unmerged returns a ParentNode with n/4 unmerged leaves.
func unmerged(n int) []byte {
	p := ParentNode{}
	for i := range n / 4 {
		p.UnmergedLeaves = append(p.UnmergedLeaves, uint32(i))
	}
	b, err := wire.Marshal(&p)
	if err != nil {
		panic(err)
	}
	return b
}
