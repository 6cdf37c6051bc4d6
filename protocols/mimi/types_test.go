package mimi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/wire/wiretest"
)

// value is a type that goes over the wire.
type value = wiretest.Value

// Encodings that the presentation language gives, byte by byte, for values with
// something in every field. The first are those of MLS.
const (
	sampleExtensions   = "\x04\x0a\x0a\x01x"
	sampleCapabilities = "\x02\x00\x01\x02\x00\x01\x00\x02\x0a\x0a\x02\x00\x01"
	sampleRequired     = "\x02\x00\x06\x02\x00\x08\x02\x00\x01"
	sampleCredential   = "\x00\x01\x01i"
	sampleKeyLeaf      = "\x01e\x01s" + sampleCredential + sampleCapabilities +
		"\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02" + sampleExtensions + "\x01g"
	sampleKeyPackage = "\x00\x01\x00\x01\x01k" + sampleKeyLeaf + sampleExtensions + "\x01s"
	sampleContext    = "\x00\x01\x00\x01\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01t\x01c" + sampleExtensions
	sampleGroupInfo  = sampleContext + sampleExtensions + "\x01t\x00\x00\x00\x02\x01s"
	sampleWelcome    = "\x00\x01\x06\x01r\x01k\x01c\x01i"
	sampleHead       = "\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x01\x01a" // of a FramedContent from leaf 1
	sampleProposal   = "\x00\x01\x00\x01" + sampleHead + "\x02\x00\x03\x00\x00\x00\x07\x01s\x01m"
	sampleCommit     = "\x00\x01\x00\x01" + sampleHead + "\x03\x03\x02\x01r\x00\x01s\x01t\x01m"
	samplePrivate    = "\x00\x01\x00\x02\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01a\x01d\x01c"

	sampleTree       = "\x01\x04\x01o\x02o" + "" // full, with four bytes of nodes
	sampleFrank      = "0123456789abcdef0123456789abcdef\x00\x02\x01s"
	sampleTime       = "\x00\x00\x01\x90\x00\x00\x00\x05"
	sampleDictionary = "\x04\x00\x08\x01c"
	sampleKeyRequest = "\x01\x02ru\x02tu\x02ro\x04\x00\x01\x00\x02" + sampleRequired + "\x01k" + sampleCredential + "\x01s"
	sampleInfoHead   = "\x01\x00\x02\x01k" + sampleCredential + "\x01h"
	sampleSender     = "\x01k" + sampleCredential
)

// types are the types of the package with an encoding of each, for every case that
// it has.
var types = []struct {
	name   string // the type's, and after a slash the case
	make   func() value
	sample string
}{
	{"IdentifierURI", func() value { return new(IdentifierURI) }, "\x10mimi://a.example"},
	{"KeyMaterialRequest", func() value { return new(KeyMaterialRequest) }, sampleKeyRequest},
	{"ClientKeyMaterial/success", func() value { return new(ClientKeyMaterial) }, "\x00\x02c1" + sampleKeyPackage},
	{"ClientKeyMaterial/keyMaterialExhausted", func() value { return new(ClientKeyMaterial) }, "\x01\x02c2"},
	{"ClientKeyMaterial/nothingCompatible", func() value { return new(ClientKeyMaterial) }, "\x02\x02c3\x01" + sampleCapabilities},
	{"ClientKeyMaterial/nothingCompatible, hidden", func() value { return new(ClientKeyMaterial) }, "\x02\x02c4\x00"},
	{"KeyMaterialResponse", func() value { return new(KeyMaterialResponse) }, "\x01\x01\x02tu\x09\x01\x02c2\x02\x02c4\x00" + ""},
	{"UpdateRequest", func() value { return new(UpdateRequest) }, sampleProposal + "\x00"},
	{"HandshakeBundle/proposal", func() value { return new(HandshakeBundle) }, sampleProposal + vector(sampleProposal+sampleProposal)},
	{"HandshakeBundle/commit, full", func() value { return new(HandshakeBundle) }, sampleCommit + "\x01" + sampleWelcome + "\x01" + sampleGroupInfo + sampleTree},
	{"HandshakeBundle/commit, partial", func() value { return new(HandshakeBundle) }, sampleCommit + "\x00\x02\x02" + sampleExtensions + "\x01s\x04"},
	{"GroupInfoOption/full", func() value { return new(GroupInfoOption) }, "\x01" + sampleGroupInfo},
	{"GroupInfoOption/partial", func() value { return new(GroupInfoOption) }, "\x02\x03" + sampleExtensions + "\x01s"},
	{"PartialGroupInfo", func() value { return new(PartialGroupInfo) }, "\x00" + sampleExtensions + "\x01s"},
	{"RatchetTreeOption/full", func() value { return new(RatchetTreeOption) }, sampleTree},
	{"RatchetTreeOption/httpsUri", func() value { return new(RatchetTreeOption) }, "\x02\x13https://a.example/t"},
	{"RatchetTreeOption/outOfBand", func() value { return new(RatchetTreeOption) }, "\x03"},
	{"RatchetTreeOption/distributionService", func() value { return new(RatchetTreeOption) }, "\x04"},
	{"UpdateRoomResponse/success", func() value { return new(UpdateRoomResponse) }, "\x00\x00" + sampleTime},
	{"UpdateRoomResponse/wrongEpoch", func() value { return new(UpdateRoomResponse) }, "\x01\x03old\x00\x00\x00\x00\x00\x00\x00\x07"},
	{"UpdateRoomResponse/notAllowed", func() value { return new(UpdateRoomResponse) }, "\x02\x02no"},
	{"UpdateRoomResponse/invalidProposal", func() value { return new(UpdateRoomResponse) }, "\x03\x00\x05\x02r1\x01r"},
	{"SubmitMessageRequest", func() value { return new(SubmitMessageRequest) }, "\x01" + samplePrivate + "\x02su"},
	{"SubmitMessageResponse/accepted", func() value { return new(SubmitMessageResponse) }, "\x01\x00" + sampleTime + "\x01" + sampleFrank},
	{"SubmitMessageResponse/accepted, no frank", func() value { return new(SubmitMessageResponse) }, "\x01\x00" + sampleTime + "\x00"},
	{"SubmitMessageResponse/notAllowed", func() value { return new(SubmitMessageResponse) }, "\x01\x01"},
	{"SubmitMessageResponse/epochTooOld", func() value { return new(SubmitMessageResponse) }, "\x01\x02\x00\x00\x00\x00\x00\x00\x00\x07"},
	{"Frank", func() value { return new(Frank) }, sampleFrank},
	{"FrankAAD", func() value { return new(FrankAAD) }, "0123456789abcdef0123456789abcdef"},
	{"FrankingAgentData", func() value { return new(FrankingAgentData) }, sampleSender},
	{"ServerFrankingContext", func() value { return new(ServerFrankingContext) }, "\x02su\x02ro" + sampleTime},
	{"FrankingIntegrityTBS", func() value { return new(FrankingIntegrityTBS) }, "0123456789abcdef0123456789abcdef\x00\x02\x02su\x02ro" + sampleTime},
	{"FanoutMessage/application", func() value { return new(FanoutMessage) }, sampleTime + samplePrivate + "\x01" + sampleFrank},
	{"FanoutMessage/application, no frank", func() value { return new(FanoutMessage) }, sampleTime + samplePrivate + "\x00"},
	{"FanoutMessage/welcome", func() value { return new(FanoutMessage) }, sampleTime + "\x00\x01\x00\x03" + sampleWelcome + sampleTree},
	{"FanoutMessage/proposal", func() value { return new(FanoutMessage) }, sampleTime + sampleProposal + vector(sampleProposal)},
	{"FanoutMessage/commit", func() value { return new(FanoutMessage) }, sampleTime + sampleCommit + vector(sampleProposal+sampleProposal)},
	{"GroupInfoRequest", func() value { return new(GroupInfoRequest) }, sampleInfoHead + "\x04code\x01s"},
	{"GroupInfoResponse/success", func() value { return new(GroupInfoResponse) }, "\x01\x02ro\x01\x00\x02" + sampleSender + "\x01k\x01c\x01s"},
	{"GroupInfoResponse/notAuthorized", func() value { return new(GroupInfoResponse) }, "\x01\x02ro\x02"},
	{"GroupInfoResponse/noSuchRoom", func() value { return new(GroupInfoResponse) }, "\x01\x02ro\x03"},
	{"PendingProposal", func() value { return new(PendingProposal) }, sampleProposal + sampleTime},
	{"GroupInfoRatchetTreeTBE", func() value { return new(GroupInfoRatchetTreeTBE) }, sampleGroupInfo + sampleTree + vector(sampleProposal+sampleTime)},
	{"ConsentEntry/cancel", func() value { return new(ConsentEntry) }, "\x00\x02ru\x02tu\x00\x00"},
	{"ConsentEntry/request", func() value { return new(ConsentEntry) }, "\x01\x02ru\x02tu\x01\x02ro" + vector(sampleDictionary[1:])},
	{"ConsentEntry/grant", func() value { return new(ConsentEntry) }, "\x02\x02ru\x02tu\x00" + vector(sampleKeyPackage+sampleKeyPackage) + sampleDictionary},
	{"ConsentEntry/revoke", func() value { return new(ConsentEntry) }, "\x03\x02ru\x02tu\x00\x00"},
	{"ConsentScope", func() value { return new(ConsentScope) }, "\x02ru\x02tu\x01\x02ro"},
	{"QueryElement/handle", func() value { return new(QueryElement) }, "\x01\x03im:"},
	{"QueryElement/oidcStdClaim", func() value { return new(QueryElement) }, "\x07\x0agiven_name\x05Alice"},
	{"QueryElement/vcardField", func() value { return new(QueryElement) }, "\x08\x03ORG\x03XYZ"},
	{"IdentifierRequest", func() value { return new(IdentifierRequest) }, "\x0b\x02\x02al\x08\x03ORG\x01X" + sampleDictionary},
	{"ProfileField", func() value { return new(ProfileField) }, "\x08\x03ORG\x03XYZ"},
	{"UserProfile", func() value { return new(UserProfile) }, "\x02su\x09\x08\x03ORG\x03XYZ"},
	{"IdentifierResponse", func() value { return new(IdentifierResponse) }, "\x00\x06\x02u1\x02u2\x0d\x02su\x09\x08\x03ORG\x03XYZ" + sampleDictionary},
	{"AbusiveMessage", func() value { return new(AbusiveMessage) }, "\x02mc" + sampleFrank + sampleTime},
	{"AbuseReport", func() value { return new(AbuseReport) }, "\x02ru\x02au\x00\x04note" + vector("\x02mc"+sampleFrank+sampleTime) + sampleDictionary},
	{"PseudonymousCredential", func() value { return new(PseudonymousCredential) }, "\x02cp\x02up\x01k\x01c"},
	{"IdentityLinkTBE", func() value { return new(IdentityLinkTBE) }, "\x01s" + sampleCredential},
}

// vector puts the length in front of the elements of a vector.
func vector(s string) string {
	if len(s) < 64 {
		return string(rune(len(s))) + s
	}
	return string([]byte{0x40 | byte(len(s)>>8), byte(len(s))}) + s
}

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
		typ, _, _ := strings.Cut(tt.name, "/")
		listed[typ] = true
		if got := strings.TrimPrefix(fmt.Sprintf("%T", tt.make()), "*mimi."); got != typ {
			t.Errorf("%s makes a %s", tt.name, got)
		}
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
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
			name := fn.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name
			if found[name] = true; !listed[name] {
				t.Errorf("%s reads itself and is not in types", name)
			}
		}
	}
	if len(found) != len(listed) {
		t.Errorf("%d types read themselves, %d are in types", len(found), len(listed))
	}
}
