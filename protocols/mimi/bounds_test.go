package mimi

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
	"github.com/mimi-lab/mimi-lab/protocols/wire/wiretest"
)

// TestCostBound: what a body costs to read is bounded by a constant times its size,
// for the smallest elements of every vector. The dearest is a QueryElement, which takes
// 56 bytes of memory for 2, in a slice that doubles and so takes up to 4 times
// that, garbage included.
func TestCostBound(t *testing.T) { // not parallel: it counts the process's allocations
	if testing.Short() {
		t.Skip("the race detector, which runs with -short, allocates too")
	}
	const size, perByte = 1 << 20, 4 * 56 / 2
	tests := []struct {
		name string
		make func() value
		in   []byte
	}{
		{"suites", func() value { return new(KeyMaterialRequest) }, wiretest.Flood("\x01\x00\x00\x00", "\x00\x01", "\x00\x00\x00\x00\x00\x01\x00\x00", size)},
		{"clients", func() value { return new(KeyMaterialResponse) }, wiretest.Flood("\x01\x03\x00", "\x01\x00", "", size)},
		{"clients without capabilities", func() value { return new(KeyMaterialResponse) }, wiretest.Flood("\x01\x03\x00", "\x02\x00\x00", "", size)},
		{"clients with capabilities", func() value { return new(KeyMaterialResponse) }, wiretest.Flood("\x01\x03\x00", "\x02\x00\x01\x00\x00\x00\x00\x00", "", size)},
		{"proposals", func() value { return new(HandshakeBundle) }, wiretest.Flood(sampleProposal, smallProposal, "", size)},
		{"fanned out", func() value { return new(FanoutMessage) }, wiretest.Flood(sampleTime+sampleProposal, smallProposal, "", size)},
		{"stapled", func() value { return new(FanoutMessage) }, wiretest.Flood(sampleTime+sampleCommit, smallProposal, "", size)},
		{"pending", func() value { return new(GroupInfoRatchetTreeTBE) }, wiretest.Flood(sampleGroupInfo+"\x04", smallProposal+sampleTime, "", size)},
		{"invalid proposals", func() value { return new(UpdateRoomResponse) }, wiretest.Flood("\x03\x00", "\x00", "", size)},
		{"key packages", func() value { return new(ConsentEntry) }, wiretest.Flood("\x02\x00\x00\x00", smallKeyPackage, "\x00", size)},
		{"components", func() value { return new(ConsentEntry) }, ascending(size)},
		{"query elements", func() value { return new(IdentifierRequest) }, wiretest.Flood("", "\x01\x00", "\x00", size)},
		{"uris", func() value { return new(IdentifierResponse) }, wiretest.Flood("\x00", "\x00", "\x00\x00", size)},
		{"profiles", func() value { return new(IdentifierResponse) }, wiretest.Flood("\x00\x00", "\x00\x00", "\x00", size)},
		{"fields", func() value { return new(UserProfile) }, wiretest.Flood("\x00", "\x07\x00\x00", "", size)},
		{"abusive messages", func() value { return new(AbuseReport) }, wiretest.Flood("\x00\x00\x00\x00", "\x00"+strings.Repeat("f", 32)+"\x00\x01\x00"+sampleTime, "\x00", size)},
		{"a tree", func() value { return new(RatchetTreeOption) }, wiretest.Flood("\x01", "\x00", "", size)},
		{"a note", func() value { return new(AbuseReport) }, wiretest.Flood("\x00\x00\x00", "n", "\x00\x00", size)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wiretest.Cost(t, tt.in, tt.make(), perByte)
		})
	}
}

const (
	// A self-removal from outside, as small as a handshake message gets, and the
	// smallest KeyPackage.
	smallProposal   = "\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x02\x00\x0a\x00"
	smallKeyPackage = "\x00\x01\x00\x01\x00" + "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02\x00\x00" + "\x00\x00"
)

// ascending returns a ConsentEntry with 65536 components.
func ascending(int) []byte {
	w := wire.NewWriter([]byte("\x00\x00\x00\x00"))
	w.Vector(func() {
		for i := range 1 << 16 {
			w.Uint16(uint16(i))
			w.Opaque(nil)
		}
	})
	b, err := w.Bytes()
	if err != nil {
		panic(err)
	}
	return b
}

// TestURIBound: a URI may be as long as package ident takes one, and no longer.
func TestURIBound(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{ident.MaxURI: true, ident.MaxURI + 1: false} {
		w := wire.NewWriter(nil)
		w.OpaqueString(strings.Repeat("u", n))
		b, _ := w.Bytes()
		var u IdentifierURI
		if err := wire.Unmarshal(b, &u); (err == nil) != ok || ok && len(u) != n {
			t.Errorf("%d bytes: %v, want it read: %v", n, err, ok)
		}
	}
}

// TestURIEqual: the same name in two spellings, and what is no name.
func TestURIEqual(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b IdentifierURI
		want bool
	}{
		{bob, bob, true},
		{bob, "MIMI://B.example/u/bob", true},
		{bob, "mimi://b.example/u/%62ob", true},
		{bob, "mimi://b.example/u/Bob", false},
		{bob, "mimi://b.example/d/bob", false},
		{"junk", "junk", true},
		{"junk", "Junk", false},
		{bob, "junk", false},
		{"", "", false},
		{bob, "", false},
	}
	for _, tt := range tests {
		if tt.a.Equal(tt.b) != tt.want || tt.b.Equal(tt.a) != tt.want {
			t.Errorf("%q and %q are equal: want %v", tt.a, tt.b, tt.want)
		}
	}
	u, ok := bob.Is(ident.KindUser)
	if !ok || URI(u) != bob {
		t.Errorf("%q is a user %v, %v", bob, u, ok)
	}
	if _, ok := bob.Is(ident.KindRoom); ok {
		t.Errorf("%q is a room", bob)
	}
}

// drawURI draws a URI, or what stands for none.
func drawURI(t *rapid.T, label string) IdentifierURI {
	return IdentifierURI(rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, label))
}

func drawBytes(t *rapid.T, label string) []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, label)
}

func drawText(t *rapid.T, label string) string {
	return strings.ReplaceAll(rapid.StringN(0, 30, 90).Draw(t, label), "\x00", "0")
}

func drawCredential(t *rapid.T) message.Credential {
	if rapid.Bool().Draw(t, "x509") {
		return message.Credential{Type: message.CredentialX509, Chain: []message.Certificate{drawBytes(t, "certificate")}}
	}
	return message.BasicCredential(drawBytes(t, "identity"))
}

func drawFrank(t *rapid.T) Frank {
	f := Frank{FrankingSignatureCiphersuite: suite.ID(rapid.Uint16().Draw(t, "suite")), FrankingIntegritySignature: drawBytes(t, "signature")}
	copy(f.ServerFrank[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "server_frank"))
	return f
}

func drawDictionary(t *rapid.T) (d message.AppDataDictionary) {
	for _, id := range rapid.SliceOfN(rapid.Uint16(), 0, 4).Draw(t, "components") {
		d = d.With(message.ComponentID(id), drawBytes(t, "data"))
	}
	return d
}

// TestRoundTrip: what is made up is written, and read again as the same bytes.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	draws := map[string]func(*rapid.T) value{
		"KeyMaterialRequest": func(t *rapid.T) value {
			m := &KeyMaterialRequest{
				RequestingUser: drawURI(t, "requester"), TargetUser: drawURI(t, "target"), RoomID: drawURI(t, "room"),
				RequesterSignatureKey: drawBytes(t, "key"), RequesterCredential: drawCredential(t), Signature: drawBytes(t, "signature"),
			}
			for _, id := range rapid.SliceOfN(rapid.Uint16(), 0, 40).Draw(t, "suites") {
				m.AcceptableCiphersuites = append(m.AcceptableCiphersuites, suite.ID(id))
				m.RequiredCapabilities.Proposals = append(m.RequiredCapabilities.Proposals, message.ProposalType(id))
			}
			return m
		},
		"KeyMaterialResponse": func(t *rapid.T) value {
			m := &KeyMaterialResponse{UserStatus: KeyMaterialUserCode(rapid.IntRange(0, 7).Draw(t, "status")), UserURI: drawURI(t, "user")}
			for range rapid.IntRange(0, 3).Draw(t, "clients") {
				c := ClientKeyMaterial{ClientStatus: KeyMaterialClientCode(rapid.IntRange(0, 2).Draw(t, "client status")), ClientURI: drawURI(t, "client")}
				c.KeyPackage = &message.KeyPackage{Version: 1, InitKey: drawBytes(t, "init"), LeafNode: message.LeafNode{Source: message.SourceUpdate, Credential: drawCredential(t)}}
				if rapid.Bool().Draw(t, "capabilities") {
					c.ClientCapabilities = &message.Capabilities{Credentials: []message.CredentialType{1}}
				}
				m.Clients = append(m.Clients, c)
			}
			return m
		},
		"UpdateRoomResponse": func(t *rapid.T) value {
			m := &UpdateRoomResponse{
				ResponseCode: UpdateResponseCode(rapid.IntRange(0, 3).Draw(t, "code")), ErrorDescription: drawText(t, "description"),
				AcceptedTimestamp: rapid.Uint64().Draw(t, "time"), CurrentEpoch: rapid.Uint64().Draw(t, "epoch"),
			}
			for range rapid.IntRange(0, 3).Draw(t, "proposals") {
				m.InvalidProposals = append(m.InvalidProposals, drawBytes(t, "ref"))
			}
			return m
		},
		"SubmitMessageRequest": func(t *rapid.T) value {
			return &SubmitMessageRequest{SendingURI: drawURI(t, "sender"), AppMessage: &message.PrivateMessage{
				GroupID: drawBytes(t, "group"), Epoch: rapid.Uint64().Draw(t, "epoch"), ContentType: message.ContentApplication,
				AuthenticatedData: drawBytes(t, "aad"), EncryptedSenderData: drawBytes(t, "sender data"), Ciphertext: drawBytes(t, "ciphertext"),
			}}
		},
		"SubmitMessageResponse": func(t *rapid.T) value {
			m := &SubmitMessageResponse{
				StatusCode:        SubmitResponseCode(rapid.IntRange(0, 2).Draw(t, "code")),
				AcceptedTimestamp: rapid.Uint64().Draw(t, "time"), CurrentEpoch: rapid.Uint64().Draw(t, "epoch"),
			}
			if rapid.Bool().Draw(t, "franked") {
				m.Frank = ptr(drawFrank(t))
			}
			return m
		},
		"GroupInfoRequest": func(t *rapid.T) value {
			return &GroupInfoRequest{
				CipherSuite: suite.ID(rapid.Uint16().Draw(t, "suite")), RequestingSignatureKey: drawBytes(t, "key"), RequestingCredential: drawCredential(t),
				GroupInfoPublicKey: drawBytes(t, "hpke"), JoiningCode: drawBytes(t, "code"), Signature: drawBytes(t, "signature"),
			}
		},
		"GroupInfoResponse": func(t *rapid.T) value {
			return &GroupInfoResponse{
				RoomID: drawURI(t, "room"), Status: GroupInfoCode(rapid.IntRange(1, 3).Draw(t, "status")), CipherSuite: suite.ID(rapid.Uint16().Draw(t, "suite")),
				HubSender:                 message.ExternalSender{SignatureKey: drawBytes(t, "key"), Credential: drawCredential(t)},
				EncryptedGroupInfoAndTree: message.HPKECiphertext{KEMOutput: drawBytes(t, "kem"), Ciphertext: drawBytes(t, "ciphertext")},
				Signature:                 drawBytes(t, "signature"),
			}
		},
		"ConsentEntry": func(t *rapid.T) value {
			m := &ConsentEntry{
				ConsentOperation: ConsentOperation(rapid.IntRange(0, 3).Draw(t, "operation")),
				RequesterURI:     drawURI(t, "requester"), TargetURI: drawURI(t, "target"), ConsentExtensions: drawDictionary(t),
			}
			if rapid.Bool().Draw(t, "for a room") {
				m.RoomID = ptr(drawURI(t, "room"))
			}
			return m
		},
		"IdentifierRequest": func(t *rapid.T) value {
			m := &IdentifierRequest{IDRequestExtensions: drawDictionary(t)}
			for range rapid.IntRange(0, 3).Draw(t, "elements") {
				m.QueryElements = append(m.QueryElements, QueryElement{
					SearchType: SearchIdentifierType(rapid.IntRange(1, 8).Draw(t, "type")), ClaimName: string(drawBytes(t, "claim")),
					PropertyName: string(drawBytes(t, "property")), SearchValue: drawText(t, "value"),
				})
			}
			return m
		},
		"IdentifierResponse": func(t *rapid.T) value {
			m := &IdentifierResponse{ResponseCode: IdentifierQueryCode(rapid.IntRange(0, 4).Draw(t, "code")), IDResponseExtensions: drawDictionary(t)}
			for range rapid.IntRange(0, 3).Draw(t, "profiles") {
				m.URI = append(m.URI, drawURI(t, "uri"))
				m.FoundProfiles = append(m.FoundProfiles, UserProfile{drawURI(t, "stable"), []ProfileField{{FieldVCardField, drawText(t, "name"), drawBytes(t, "value")}}})
			}
			return m
		},
		"AbuseReport": func(t *rapid.T) value {
			m := &AbuseReport{ReportingUser: drawURI(t, "reporter"), AllegedAbuserURI: drawURI(t, "abuser"), Note: drawText(t, "note"), AbuseExtensions: drawDictionary(t)}
			for range rapid.IntRange(0, 3).Draw(t, "messages") {
				m.Messages = append(m.Messages, AbusiveMessage{drawBytes(t, "content"), drawFrank(t), rapid.Uint64().Draw(t, "time")})
			}
			return m
		},
	}
	for name, draw := range draws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				b, err := wire.Marshal(draw(t))
				if err != nil {
					t.Fatal(err)
				}
				read := fresh(name)
				if err := wire.Unmarshal(b, read); err != nil {
					t.Fatalf("reading %x: %v", b, err)
				}
				if again, err := wire.Marshal(read); err != nil || !bytes.Equal(again, b) {
					t.Fatalf("wrote %x, then %x, %v", b, again, err)
				}
			})
		})
	}
}

// fresh returns a zero of a type in types.
func fresh(name string) value {
	for _, tt := range types {
		if typ, _, _ := strings.Cut(tt.name, "/"); typ == name {
			return tt.make()
		}
	}
	panic("no type " + name)
}
