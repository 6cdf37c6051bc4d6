package layout

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// otherBody reads b as a kind of MIMI with the package that computes with it.
func otherBody(b []byte, k Kind) error {
	var err error
	switch k {
	case KeyMaterialRequest:
		_, err = mimi.ParseKeyMaterialRequest(b)
	case KeyMaterialResponse:
		_, err = mimi.ParseKeyMaterialResponse(b)
	case UpdateRequest:
		_, err = mimi.ParseUpdateRequest(b, nil)
	case UpdateRoomResponse:
		_, err = mimi.ParseUpdateRoomResponse(b)
	case SubmitMessageRequest:
		_, err = mimi.ParseSubmitMessageRequest(b)
	case SubmitMessageResponse:
		_, err = mimi.ParseSubmitMessageResponse(b)
	case FanoutMessage:
		_, err = mimi.ParseFanoutMessages(b, nil)
	case GroupInfoRequest:
		_, err = mimi.ParseGroupInfoRequest(b)
	case GroupInfoResponse:
		_, err = mimi.ParseGroupInfoResponse(b)
	case ConsentEntry:
		_, err = mimi.ParseConsentEntry(b)
	case IdentifierRequest:
		_, err = mimi.ParseIdentifierRequest(b)
	case IdentifierResponse:
		_, err = mimi.ParseIdentifierResponse(b)
	case AbuseReport:
		_, err = mimi.ParseAbuseReport(b)
	case GroupInfoRatchetTreeTBE:
		_, err = mimi.ParseGroupInfoRatchetTreeTBE(b, nil)
	case Frank:
		err = wire.Unmarshal(b, new(mimi.Frank))
	case FrankingAgentData:
		_, err = mimi.ParseFrankingAgentData(b)
	case PseudonymousCredential:
		_, err = mimi.ParsePseudonymousCredential(b)
	default:
		err = fmt.Errorf("no kind %s", k)
	}
	return err
}

const (
	alice = mimi.IdentifierURI("mimi://a.example/u/alice")
	bob   = mimi.IdentifierURI("mimi://b.example/u/bob")
	room  = mimi.IdentifierURI("mimi://a.example/r/clubhouse")
	when  = 1762000000123
)

// handshake returns a proposal or a commit, signed by nobody.
func handshake(t message.ContentType, sender message.SenderType, epoch uint64) message.Message {
	c := message.FramedContent{GroupID: []byte("mimi://a.example/g/clubhouse"), Epoch: epoch, Sender: message.Sender{Type: sender}}
	switch c.Type = t; t {
	case message.ContentProposal:
		c.Proposal = &message.Proposal{Type: message.ProposalRemove, Body: &message.Remove{Removed: 1}}
	case message.ContentCommit:
		c.Commit = &message.Commit{}
	}
	return message.Message{Public: &message.PublicMessage{Content: c}}
}

// made returns values of each kind, with all cases that it has.
func made(t testing.TB) map[Kind][]wire.Marshaler {
	t.Helper()
	s, err := suite.NewSeeded(1, [32]byte{1}, "layout")
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.GenerateSigner()
	if err != nil {
		t.Fatal(err)
	}
	credential := message.BasicCredential([]byte("mimi://a.example"))
	key := message.KeyPackage{Version: message.MLS10, Suite: 1, InitKey: []byte("i"), LeafNode: message.LeafNode{Source: message.SourceKeyPackage, Credential: credential}}
	info := message.GroupInfo{Context: message.GroupContext{Suite: 1, GroupID: []byte("mimi://a.example/g/clubhouse"), Epoch: 4}}
	proposal, external := handshake(message.ContentProposal, message.SenderMember, 4), handshake(message.ContentProposal, message.SenderExternal, 5)
	frank := &mimi.Frank{FrankingSignatureCiphersuite: 1, FrankingIntegritySignature: []byte("s")}
	aad, err := wire.Marshal((&mimi.FrankAAD{FrankingTag: [32]byte{7}}).AAD(nil))
	if err != nil {
		t.Fatal(err)
	}
	app := message.PrivateMessage{GroupID: info.Context.GroupID, Epoch: 4, ContentType: message.ContentApplication, AuthenticatedData: aad}
	full := mimi.RatchetTreeOption{Representation: mimi.TreeFull, RatchetTree: []byte("\x01\x00")}
	elsewhere := mimi.RatchetTreeOption{Representation: mimi.TreeHTTPSURI, RatchetTreeURL: "https://a.example/t"}

	keyRequest := &mimi.KeyMaterialRequest{
		RequestingUser: alice, TargetUser: bob, RoomID: room, AcceptableCiphersuites: []suite.ID{1}, RequesterSignatureKey: k.Public, RequesterCredential: credential,
	}
	if err := keyRequest.Sign(s, k.Private); err != nil {
		t.Fatal(err)
	}
	infoRequest := &mimi.GroupInfoRequest{CipherSuite: 1, RequestingSignatureKey: k.Public, RequestingCredential: credential, JoiningCode: []byte("c")}
	if err := infoRequest.Sign(s, k.Private); err != nil {
		t.Fatal(err)
	}
	dictionary := message.AppDataDictionary{{Component: 1, Data: []byte("\x02\x00\x21")}, {Component: 0x21, Data: []byte("\x01k\x00\x01\x00")}}
	return map[Kind][]wire.Marshaler{
		KeyMaterialRequest: {keyRequest},
		KeyMaterialResponse: {
			&mimi.KeyMaterialResponse{UserStatus: mimi.UserPartialSuccess, UserURI: bob, Clients: []mimi.ClientKeyMaterial{
				{ClientURI: "mimi://b.example/d/B1", KeyPackage: &key},
				{ClientStatus: mimi.ClientKeyMaterialExhausted, ClientURI: "mimi://b.example/d/B2"},
				{ClientStatus: mimi.ClientNothingCompatible, ClientURI: "mimi://b.example/d/B3"},
				{ClientStatus: mimi.ClientNothingCompatible, ClientURI: "mimi://b.example/d/B4", ClientCapabilities: &message.Capabilities{}},
			}},
		},
		UpdateRequest: {
			&mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{ProposalOrCommit: proposal, MoreProposals: []message.Message{proposal}}},
			&mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{
				ProposalOrCommit: handshake(message.ContentCommit, message.SenderMember, 4), Welcome: &message.Welcome{Suite: 1},
				GroupInfoOption: mimi.GroupInfoOption{Full: &info}, RatchetTreeOption: full,
			}},
			&mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{
				ProposalOrCommit: handshake(message.ContentCommit, message.SenderNewMemberCommit, 4),
				GroupInfoOption:  mimi.GroupInfoOption{Partial: &mimi.PartialGroupInfo{}}, RatchetTreeOption: elsewhere,
			}},
		},
		UpdateRoomResponse: {
			&mimi.UpdateRoomResponse{AcceptedTimestamp: when},
			&mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateWrongEpoch, ErrorDescription: "zu alt", CurrentEpoch: 7},
			&mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateNotAllowed, ErrorDescription: "nein"},
			&mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateInvalidProposal, InvalidProposals: []message.ProposalRef{[]byte("r1"), []byte("r2")}},
		},
		SubmitMessageRequest: {&mimi.SubmitMessageRequest{AppMessage: &app, SendingURI: bob}},
		SubmitMessageResponse: {
			&mimi.SubmitMessageResponse{AcceptedTimestamp: when, Frank: frank},
			&mimi.SubmitMessageResponse{AcceptedTimestamp: when},
			&mimi.SubmitMessageResponse{StatusCode: mimi.SubmitNotAllowed},
			&mimi.SubmitMessageResponse{StatusCode: mimi.SubmitEpochTooOld, CurrentEpoch: 7},
		},
		FanoutMessage: {
			&mimi.FanoutMessage{Timestamp: when, Message: message.Message{Private: &app}, Frank: frank},
			&mimi.FanoutMessage{Timestamp: when, Message: message.Message{Welcome: &message.Welcome{Suite: 1}}, RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeOutOfBand}},
			&mimi.FanoutMessage{Timestamp: when, Message: proposal, MoreProposals: []message.Message{proposal}},
			&mimi.FanoutMessage{Timestamp: when, Message: handshake(message.ContentCommit, message.SenderNewMemberCommit, 4), ExternalProposals: []message.Message{external}},
		},
		GroupInfoRequest: {infoRequest},
		GroupInfoResponse: {
			&mimi.GroupInfoResponse{RoomID: room, Status: mimi.GroupInfoNoSuchRoom},
			signedResponse(t, s, k),
		},
		ConsentEntry: {
			&mimi.ConsentEntry{ConsentOperation: mimi.ConsentRequest, RequesterURI: alice, TargetURI: bob, RoomID: ptr(room), ConsentExtensions: dictionary},
			&mimi.ConsentEntry{ConsentOperation: mimi.ConsentGrant, RequesterURI: alice, TargetURI: bob, ClientKeyPackages: []message.KeyPackage{key}},
		},
		IdentifierRequest: {&mimi.IdentifierRequest{IDRequestExtensions: dictionary, QueryElements: []mimi.QueryElement{
			{SearchType: mimi.SearchHandle, SearchValue: "im:bob@b.example"},
			{SearchType: mimi.SearchOIDCStdClaim, ClaimName: "given_name", SearchValue: "Bob"},
			{SearchType: mimi.SearchVCardField, PropertyName: "ORG", SearchValue: "B"},
		}}},
		IdentifierResponse: {
			&mimi.IdentifierResponse{ResponseCode: mimi.QueryNotFound},
			&mimi.IdentifierResponse{URI: []mimi.IdentifierURI{bob}, FoundProfiles: []mimi.UserProfile{{StableURI: bob, Fields: []mimi.ProfileField{
				{FieldSource: mimi.FieldVCardField, FieldName: "ORG", FieldValue: []byte("B")},
			}}}},
		},
		AbuseReport: {&mimi.AbuseReport{ReportingUser: alice, AllegedAbuserURI: bob, Note: "naja", Messages: []mimi.AbusiveMessage{
			{MessageContent: []byte("m"), Frank: *frank, AcceptedTimestamp: when},
		}}},
		GroupInfoRatchetTreeTBE: {&mimi.GroupInfoRatchetTreeTBE{GroupInfo: info, RatchetTreeOption: elsewhere, PendingProposals: []mimi.PendingProposal{{Proposal: proposal, HubAcceptedTime: when}}}},
		Frank:                   {frank},
		FrankingAgentData:       {&mimi.FrankingAgentData{FrankingSignatureKey: k.Public, Credential: credential}},
		PseudonymousCredential:  {&mimi.PseudonymousCredential{ClientPseudonym: "mimi://a.example/d/77aa", UserPseudonym: "mimi://a.example/p/77aa"}},
	}
}

func signedResponse(t testing.TB, s suite.Suite, k suite.KeyPair) *mimi.GroupInfoResponse {
	t.Helper()
	m := &mimi.GroupInfoResponse{RoomID: room, Status: mimi.GroupInfoSuccess, CipherSuite: 1, HubSender: message.ExternalSender{SignatureKey: k.Public}}
	if err := m.Sign(s, k.Private); err != nil {
		t.Fatal(err)
	}
	return m
}

func ptr[T any](v T) *T { return &v }

// TestBodies: each kind of MIMI is read, and its fields are there under the draft's
// names.
func TestBodies(t *testing.T) {
	t.Parallel()
	all := made(t)
	for _, k := range Bodies() {
		if len(all[k]) == 0 {
			t.Errorf("no %s is made", k)
		}
		if parsed, ok := ParseBody(strings.ToLower(string(k))); !ok || parsed != k {
			t.Errorf("%s is not found by its name", k)
		}
		for i, v := range all[k] {
			b, err := wire.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			m, err := Read(b, k)
			if err != nil {
				t.Errorf("%s %d: %v", k, i, err)
				continue
			}
			if out, err := m.Fields.MarshalJSON(); err != nil || len(out) < 10 {
				t.Errorf("%s %d: %s, %v", k, i, out, err)
			}
		}
	}
	for _, e := range mimi.Endpoints {
		for _, body := range []string{e.Request, e.Response} {
			if k, ok := ParseBody(body); body != "" && (!ok || string(k) != body) {
				t.Errorf("%s: no kind %s", e.Name, body)
			}
		}
	}
}

// TestTwoReadingsOfBodies changes every byte of bodies, cuts them short at each, and
// demands that both readings accept the same.
func TestTwoReadingsOfBodies(t *testing.T) {
	t.Parallel()
	for k, list := range made(t) {
		for _, v := range list {
			b, err := wire.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			sameBody(t, b, k)
			for i := range b {
				sameBody(t, b[:i], k)
				for _, x := range []byte{1, 2, 0x40, 0x80, 0xff} {
					c := append([]byte(nil), b...)
					c[i] ^= x
					sameBody(t, c, k)
				}
			}
			sameBody(t, append(b, 0), k)
			sameBody(t, append(b, b...), k)
		}
		if t.Failed() {
			t.Fatalf("in %s", k)
		}
	}
}

// sameBody demands that both readings accept b as k, or neither.
func sameBody(t *testing.T, b []byte, k Kind) {
	t.Helper()
	here, there := Check(b, k), otherBody(b, k)
	if (here == nil) != (there == nil) {
		t.Errorf("%x as %s: layout says %v, mimi says %v", b, k, here, there)
	}
}

// FuzzReadBody: any bytes are read or refused with a place in them, and what is read
// is what package mimi reads.
func FuzzReadBody(f *testing.F) {
	for _, list := range made(f) {
		for _, v := range list {
			b, err := wire.Marshal(v)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range Bodies() {
			sameBody(t, b, k)
			m, err := Read(b, k)
			if (err == nil) != (Check(b, k) == nil) {
				t.Errorf("%x as %s: Read says %v, Check does not", b, k, err)
			}
			if err == nil && len(m.Fields.Kids) == 0 {
				t.Errorf("%x as %s: no fields", b, k)
			}
		}
	})
}

// TestGuessBody: what a body is, is found out where nothing else fits, and else asked.
func TestGuessBody(t *testing.T) {
	t.Parallel()
	for k, list := range made(t) {
		response := strings.HasSuffix(string(k), "Response")
		for i, v := range list {
			b, err := wire.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := GuessBody(b, !response, response); err != nil || got != k {
				t.Errorf("%s %d: guessed %q, %v", k, i, got, err)
			}
		}
	}
}

// TestBodyChecks: what is wrong with a well-formed body is said, and where.
func TestBodyChecks(t *testing.T) {
	t.Parallel()
	request := made(t)[KeyMaterialRequest][0].(*mimi.KeyMaterialRequest)
	request.TargetUser = alice
	early := &mimi.FanoutMessage{Message: handshake(message.ContentCommit, message.SenderNewMemberCommit, 4), ExternalProposals: []message.Message{handshake(message.ContentProposal, message.SenderExternal, 4)}}
	for _, tt := range []struct {
		kind Kind
		v    wire.Marshaler
		want string
	}{
		{KeyMaterialRequest, request, "signature"},
		{KeyMaterialResponse, &mimi.KeyMaterialResponse{}, "rules"},
		{FanoutMessage, early, "messages[0].rules"},
		{IdentifierRequest, &mimi.IdentifierRequest{}, "rules"},
	} {
		b, err := wire.Marshal(tt.v)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Read(b, tt.kind)
		if err != nil || len(m.Problems) != 1 || m.Problems[0] != tt.want {
			t.Errorf("%s: %v, problems %q, want %s", tt.kind, err, m.Problems, tt.want)
		}
	}
}

// TestBodyErrors looks at what is said of bodies that are malformed.
func TestBodyErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		kind Kind
		hex  string
		want string
	}{
		{"protocol", KeyMaterialRequest, "02", "KeyMaterialRequest: at byte 0, protocol: got 2, want 1 (mls10)"},
		{"code", SubmitMessageResponse, "0103", "SubmitMessageResponse: at byte 1, statusCode: got 3, want 0 (accepted), 1 (notAllowed), 2 (epochTooOld)"},
		{"text", UpdateRoomResponse, "0201ff", "UpdateRoomResponse: at byte 1, errorDescription: got other bytes, want opaque<V> of UTF-8 without nulls"},
		{"frank", SubmitMessageResponse, "010000000000000000000161", "SubmitMessageResponse: at byte 11, frank.server_frank: input ends early, want opaque[32]"},
		{"nothing", FanoutMessage, "", "FanoutMessage: at byte 0, messages: no bytes, want one FanoutMessage at least"},
		{"second", FanoutMessage, "0000000000000000" + "000100020000000000000000000100000000" + "00", "FanoutMessage: at byte"},
		{"key package fanned out", SubmitMessageRequest, "01" + "00010003" + "00010000", "SubmitMessageRequest: at byte 1, appMessage: got mls_welcome, want mls_private_message with application"},
		{"order of components", ConsentEntry, "00000000" + "06" + "000200" + "000100", "ConsentEntry: at byte 8, consent_extensions[1].component_id: got 1 after 2, want components in ascending order"},
	} {
		err := Check(unhex(t, tt.hex), tt.kind)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

// Parts are read as package mimi reads them, and so is every beginning of them, and
// what has a byte more.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind   Kind
		sample string
		other  wire.Unmarshaler
	}{
		{RatchetTreeOption, "\x02\x13https://a.example/t\x01s", new(mimi.RatchetTreeOption)},
		{RatchetTreeOption, "\x03\x01s", new(mimi.RatchetTreeOption)},
		{RatchetTreeOption, "\x04", new(mimi.RatchetTreeOption)},
		{RatchetTreeOption, "\x05", new(mimi.RatchetTreeOption)},
		{GroupInfoOption, "\x02\x03\x04\x0a\x0a\x01x\x01s", new(mimi.GroupInfoOption)},
		{GroupInfoOption, "\x01\x00\x01\x00\x01\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x01t\x01c\x00\x00\x01t\x00\x00\x00\x02\x01s", new(mimi.GroupInfoOption)},
		{GroupInfoOption, "\x03", new(mimi.GroupInfoOption)},
	} {
		for n := range len(tt.sample) + 2 {
			b := []byte(tt.sample + "\x00")[:n]
			got, want := Check(b, tt.kind), wire.Unmarshal(b, tt.other)
			if (got == nil) != (want == nil) {
				t.Errorf("%s %x: %v, the other reading says %v", tt.kind, b, got, want)
			}
			if _, err := Read(b, tt.kind); (err == nil) != (got == nil) {
				t.Errorf("%s %x: Read says %v, Check %v", tt.kind, b, err, got)
			}
		}
	}
}
