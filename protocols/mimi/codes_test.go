package mimi

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// enums are the enums of the wire: every name by its number, as the draft has them,
// and an encoding whose first byte at is a value.
var enums = []struct {
	name   string
	string func(uint8) string
	names  map[uint8]string
	make   func() value
	sample string
	at     int
}{
	{"KeyMaterialUserCode", func(v uint8) string { return KeyMaterialUserCode(v).String() }, map[uint8]string{
		0: "success", 1: "partialSuccess", 2: "incompatibleProtocol", 3: "noCompatibleMaterial",
		4: "userUnknown", 5: "noConsent", 6: "noConsentForThisRoom", 7: "userDeleted",
	}, func() value { return new(KeyMaterialResponse) }, "\x01\x00\x02tu\x00", 1},
	{"KeyMaterialClientCode", func(v uint8) string { return KeyMaterialClientCode(v).String() }, map[uint8]string{
		0: "success", 1: "keyMaterialExhausted", 2: "nothingCompatible",
	}, func() value { return new(ClientKeyMaterial) }, "\x01\x00", 0},
	{"UpdateResponseCode", func(v uint8) string { return UpdateResponseCode(v).String() }, map[uint8]string{
		0: "success", 1: "wrongEpoch", 2: "notAllowed", 3: "invalidProposal",
	}, func() value { return new(UpdateRoomResponse) }, "\x02\x00", 0},
	{"GroupInfoRepresentation", func(v uint8) string { return GroupInfoRepresentation(v).String() }, map[uint8]string{
		1: "full", 2: "partial",
	}, func() value { return new(GroupInfoOption) }, "\x02\x00\x00\x00", 0},
	{"RatchetTreeRepresentation", func(v uint8) string { return RatchetTreeRepresentation(v).String() }, map[uint8]string{
		1: "full", 2: "httpsUri", 3: "outOfBand", 4: "distributionService",
	}, func() value { return new(RatchetTreeOption) }, "\x04", 0},
	{"RatchetTreePresence", func(v uint8) string { return RatchetTreePresence(v).String() }, map[uint8]string{
		0: "no_ratchet_tree", 1: "present", 2: "removed", 3: "added",
	}, func() value { return new(PartialGroupInfo) }, "\x00\x00\x00", 0},
	{"SubmitResponseCode", func(v uint8) string { return SubmitResponseCode(v).String() }, map[uint8]string{
		0: "accepted", 1: "notAllowed", 2: "epochTooOld",
	}, func() value { return new(SubmitMessageResponse) }, "\x01\x01", 1},
	{"GroupInfoCode", func(v uint8) string { return GroupInfoCode(v).String() }, map[uint8]string{
		1: "success", 2: "notAuthorized", 3: "noSuchRoom",
	}, func() value { return new(GroupInfoResponse) }, "\x01\x00\x02", 2},
	{"ConsentOperation", func(v uint8) string { return ConsentOperation(v).String() }, map[uint8]string{
		0: "cancel", 1: "request", 2: "grant", 3: "revoke",
	}, func() value { return new(ConsentEntry) }, "\x00\x00\x00\x00\x00", 0},
	{"SearchIdentifierType", func(v uint8) string { return SearchIdentifierType(v).String() }, map[uint8]string{
		1: "handle", 2: "nick", 3: "email", 4: "phone", 5: "partialName", 6: "wholeProfile", 7: "oidcStdClaim", 8: "vcardField",
	}, func() value { return new(QueryElement) }, "\x01\x00", 0},
	{"IdentifierQueryCode", func(v uint8) string { return IdentifierQueryCode(v).String() }, map[uint8]string{
		0: "success", 1: "notFound", 2: "ambiguous", 3: "forbidden", 4: "unsupportedField",
	}, func() value { return new(IdentifierResponse) }, "\x00\x00\x00\x00", 0},
	{"FieldSource", func(v uint8) string { return FieldSource(v).String() }, map[uint8]string{
		7: "oidcStdClaim", 8: "vcardField",
	}, func() value { return new(ProfileField) }, "\x07\x00\x00", 0},
	{"AbuseType", func(v uint8) string { return AbuseType(v).String() }, map[uint8]string{
		0: "reserved",
	}, func() value { return new(AbuseReport) }, "\x00\x00\x00\x00\x00\x00", 2},
}

// TestCodes: every value of an enum that the draft has is read, and has the draft's
// name; no other is read or written, and it has a number for a name.
func TestCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range enums {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for v := range 256 {
				b := []byte(tt.sample)
				b[tt.at] = uint8(v)
				err := wire.Unmarshal(b, tt.make())
				var e *CodeError
				unknown := errors.As(err, &e) && e.Enum == tt.name && e.Value == uint8(v)
				want, known := tt.names[uint8(v)]
				if known == unknown {
					t.Errorf("%d: %v, want it to be known: %v", v, err, known)
				}
				if !known {
					want = fmt.Sprintf("0x%02x", v)
				}
				if got := tt.string(uint8(v)); got != want {
					t.Errorf("%d is called %q, want %q", v, got, want)
				}
			}
		})
	}
}

// TestCodesWritten: a value that could not be read again is not written.
func TestCodesWritten(t *testing.T) {
	t.Parallel()
	for _, v := range []value{
		&KeyMaterialResponse{UserStatus: 8}, &ClientKeyMaterial{ClientStatus: 3}, &UpdateRoomResponse{ResponseCode: 4}, &GroupInfoOption{},
		&RatchetTreeOption{}, &PartialGroupInfo{RatchetTreePresence: 4}, &SubmitMessageResponse{StatusCode: 3}, &GroupInfoResponse{},
		&ConsentEntry{ConsentOperation: 4}, &QueryElement{}, &IdentifierResponse{ResponseCode: 5}, &ProfileField{}, &AbuseReport{ReasonCode: 1},
	} {
		b, err := wire.Marshal(v)
		if e := (*CodeError)(nil); !errors.As(err, &e) {
			t.Errorf("%T: wrote %x, %v, want a CodeError", v, b, err)
		}
	}
}

// TestIncomplete: a struct without a field that its code demands is not written.
func TestIncomplete(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]value{
		"success without a KeyPackage": &ClientKeyMaterial{},
		"a submit without a message":   &SubmitMessageRequest{},
		"an update without a message":  &UpdateRequest{},
		"a fanout without a message":   &FanoutMessage{},
		"a proposal that is none":      &PendingProposal{},
		"a URI that is too long":       ptr(IdentifierURI(make([]byte, 1025))),
	} {
		if b, err := wire.Marshal(v); err == nil {
			t.Errorf("%s was written as %x", name, b)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// TestProtocols: a body of another protocol is told apart from one that is broken.
func TestProtocols(t *testing.T) {
	t.Parallel()
	for _, tt := range types {
		v := tt.make()
		switch v.(type) {
		case *KeyMaterialRequest, *KeyMaterialResponse, *SubmitMessageRequest, *SubmitMessageResponse, *GroupInfoRequest, *GroupInfoResponse:
		default:
			continue
		}
		for _, p := range []byte{0, 2, 255} {
			b := []byte(tt.sample)
			b[0] = p
			var e *ProtocolError
			if err := wire.Unmarshal(b, tt.make()); !errors.As(err, &e) || e.Protocol != Protocol(p) {
				t.Errorf("%s of protocol %d: %v, want a ProtocolError", tt.name, p, err)
			}
		}
	}
	if MLS10.String() != "mls10" || Protocol(2).String() != "0x02" {
		t.Errorf("protocols %s and %s", MLS10, Protocol(2))
	}
}

// TestOtherNames: what is not an enum of the wire has names too.
func TestOtherNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		got  fmt.Stringer
		want string
	}{
		{FanoutApplication, "application"}, {FanoutWelcome, "welcome"}, {FanoutProposal, "proposal"}, {FanoutCommit, "commit"}, {FanoutKind(0), "0x00"},
		{FrankSuite, "suite"}, {FrankAgent, "agent"}, {FrankSignature, "signature"}, {FrankTag, "franking_tag"}, {FrankServer, "server_frank"},
		{FrankSender, "sender"}, {FrankRoom, "room"}, {FrankStep(0), "0x00"},
		{SubjectUser, "user"}, {SubjectRoom, "room"}, {SubjectDomain, "domain"}, {SubjectURL, "URL"}, {Subject(9), "0x09"},
		{PeerHub, "hub"}, {PeerFollower, "follower"}, {PeerSource, "source"}, {PeerTarget, "target"}, {Peer(9), "0x09"},
		{OutcomeDone, "done"}, {OutcomeRefused, "refused"}, {OutcomeRetry, "retry"}, {Outcome(9), "0x09"},
	} {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("%T is called %q, want %q", tt.got, got, tt.want)
		}
	}
}
