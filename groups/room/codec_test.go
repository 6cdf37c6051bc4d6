package room

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
	"github.com/mimi-lab/mimi-lab/protocols/wire/wiretest"
)

// The encodings in this file are put together by hand from the drafts' structs:
// numbers as the bytes they are, vectors and opaque values by vec. The package's
// own writer has no part in them.

// vec is a vector<V>: its length and its contents.
func vec(contents ...string) string {
	s := strings.Join(contents, "")
	if len(s) < 1<<6 {
		return string([]byte{byte(len(s))}) + s
	}
	return string(binary.BigEndian.AppendUint16(nil, 1<<14|uint16(len(s)))) + s
}

// u32 and u64 are small numbers.
func u32(v byte) string { return "\x00\x00\x00" + string([]byte{v}) }
func u64(v byte) string { return "\x00\x00\x00\x00" + u32(v) }

const none = "\x00" // an optional that is absent

var (
	handRole = u32(3) + vec("admin") + vec("runs it") +
		vec("\x00\x0a", "\xf0\x01") + // canBan and a private one
		u32(1) + "\x01" + u32(9) + u32(0) + none +
		vec(u32(0)+vec(u32(1), u32(2)), u32(2)+vec())
	goRole = Role{
		Index: 3, Name: "admin", Description: "runs it", Capabilities: []Capability{CanBan, 0xf001},
		Min: 1, Max: new(uint32(9)),
		Changes: []RoleChangeTargets{{From: 0, Targets: []uint32{1, 2}}, {From: 2}},
	}
	handCaps = vec("\x00\x01") + vec("\x00\x02") + vec("\x00\x06") + vec("\x00\x08") + vec("\x00\x01", "\x00\x02") +
		vec("\x00\x01") + vec("\x00\x22", "\x00\x25") + vec("\x00\x20") + vec(vec("text/plain")+vec(vec("charset")+vec("utf-8"))) + vec("\x01\x03")
	goCaps = ExtendedCapabilities{
		Versions: []message.ProtocolVersion{1}, Suites: []suite.ID{2}, Extensions: []message.ExtensionType{6},
		Proposals: []message.ProposalType{8}, Credentials: []message.CredentialType{1, 2}, WireFormats: []message.WireFormat{1},
		Components: []message.ComponentID{0x22, 0x25}, SafeAAD: []message.ComponentID{0x20},
		MediaTypes:   []message.MediaType{{Type: []byte("text/plain"), Parameters: []message.Parameter{{Name: []byte("charset"), Value: []byte("utf-8")}}}},
		ContentTypes: []message.ContentType{1, 3},
	}
	noCaps = strings.Repeat("\x00", 10)
)

// samples has every type of the wire, by hand and as the value it stands for.
var samples = []struct {
	name string
	make func() value
	hand string
	want value
}{
	{"UserRolePair", func() value { return new(UserRolePair) },
		vec("mimi://a.example/u/alice") + u32(3), &UserRolePair{"mimi://a.example/u/alice", 3}},
	{"ParticipantListData", func() value { return new(ParticipantListData) },
		vec(vec("mimi://b.example/u/bob")+u32(2), vec("mimi://a.example/u/alice")+u32(3), vec("mimi://c.example/u/cathy")+u32(1)),
		&ParticipantListData{[]UserRolePair{{"mimi://b.example/u/bob", 2}, {"mimi://a.example/u/alice", 3}, {"mimi://c.example/u/cathy", 1}}}},
	{"UserIndexRolePair", func() value { return new(UserIndexRolePair) }, u32(7) + u32(2), &UserIndexRolePair{7, 2}},
	{"ParticipantListUpdate", func() value { return new(ParticipantListUpdate) },
		vec(u32(1)+u32(2), u32(0)+u32(1)) + vec(u32(2)) + vec(vec("x:d")+u32(4)),
		&ParticipantListUpdate{Changed: []UserIndexRolePair{{1, 2}, {0, 1}}, Removed: []uint32{2}, Added: []UserRolePair{{"x:d", 4}}}},
	{"RichDescription", func() value { return new(RichDescription) },
		vec() + vec("de") + vec("Verein\x00"), &RichDescription{LanguageTag: "de", Content: Opaque("Verein\x00")}},
	{"RoomMetaData", func() value { return new(RoomMetaData) },
		vec("mimi://a.example/r/clubhouse") + vec("Clubhouse ☕") + vec(vec("text/plain")+vec("en")+vec("A room")) + vec("https://a.example/i.png") + vec("Tea") + vec("calm"),
		&RoomMetaData{URI: "mimi://a.example/r/clubhouse", Name: "Clubhouse ☕", Descriptions: []RichDescription{{"text/plain", "en", Opaque("A room")}}, Avatar: "https://a.example/i.png", Subject: "Tea", Mood: "calm"}},
	{"RoleChangeTargets", func() value { return new(RoleChangeTargets) }, u32(2) + vec(u32(0), u32(1)), &RoleChangeTargets{2, []uint32{0, 1}}},
	{"Role", func() value { return new(Role) }, handRole, &goRole},
	{"RoleData", func() value { return new(RoleData) }, vec(handRole), &RoleData{[]Role{goRole}}},
	{"ClaimID", func() value { return new(ClaimID) }, "\x00\x02" + vec("\x06\x03\x55\x1d\x1e"), &ClaimID{2, Opaque("\x06\x03\x55\x1d\x1e")}},
	{"Claim", func() value { return new(Claim) }, "\x00\x03" + vec("org") + vec("hr"), &Claim{ClaimID{3, Opaque("org")}, Opaque("hr")}},
	{"PreAuthRoleEntry", func() value { return new(PreAuthRoleEntry) },
		vec("\x00\x03"+vec("org")+vec("hr")) + handRole, &PreAuthRoleEntry{[]Claim{{ClaimID{3, Opaque("org")}, Opaque("hr")}}, goRole}},
	{"PreAuthData", func() value { return new(PreAuthData) }, vec(vec() + handRole), &PreAuthData{[]PreAuthRoleEntry{{nil, goRole}}}},
	{"BaseRoomPolicy", func() value { return new(BaseRoomPolicy) },
		"\x00\x01" + vec(vec("mimi://a.example/r/parent")) + "\x01" + "\x01" + u32(8) + none + "\x00\x01\x00" + vec("\x00\x25", "\x00\x26"),
		&BaseRoomPolicy{ParentDependent: true, ParentRoom: "mimi://a.example/r/parent", MultiDevice: true, MaxClients: new(uint32(8)), PersistentRoom: true, Components: []message.ComponentID{0x25, 0x26}}},
	{"BaseRoomPolicy of its own", func() value { return new(BaseRoomPolicy) },
		"\x01\x00" + vec() + "\x00" + none + "\x01" + u32(2) + "\x01\x00\x01" + vec(),
		&BaseRoomPolicy{FixedMembership: true, MaxUsers: new(uint32(2)), PseudonymsAllowed: true, Discoverable: true}},
	{"StatusNotificationPolicy", func() value { return new(StatusNotificationPolicy) }, "\x01\x02", &StatusNotificationPolicy{Required, Forbidden}},
	{"JoinLinkPolicy", func() value { return new(JoinLinkPolicy) },
		"\x01" + vec("https://a.example/j") + "\x00" + u32(60), &JoinLinkPolicy{true, "https://a.example/j", false, 60}},
	{"JoinLink", func() value { return new(JoinLink) }, vec("secret"), &JoinLink{Opaque("secret")}},
	{"JoinLinksData", func() value { return new(JoinLinksData) }, vec(vec("a"), vec("b")), &JoinLinksData{[]JoinLink{{Opaque("a")}, {Opaque("b")}}}},
	{"JoinLinksUpdate", func() value { return new(JoinLinksUpdate) }, vec(u32(1)) + vec(vec("c")), &JoinLinksUpdate{[]uint32{1}, []JoinLink{{Opaque("c")}}}},
	{"LinkPreviewPolicy", func() value { return new(LinkPreviewPolicy) },
		"\x00\x01\x02\x01" + vec(vec("https://p.example"), vec("https://q.example")), &LinkPreviewPolicy{Optional, Required, Forbidden, Required, []string{"https://p.example", "https://q.example"}}},
	{"LinkPreviewPolicy without proxies", func() value { return new(LinkPreviewPolicy) },
		"\x02\x02\x02\x02", &LinkPreviewPolicy{Forbidden, Forbidden, Forbidden, Forbidden, nil}},
	{"ProviderAssetUploadDomains", func() value { return new(ProviderAssetUploadDomains) },
		vec("a.example") + vec(vec("u.a.example"), vec("v.a.example")), &ProviderAssetUploadDomains{"a.example", []string{"u.a.example", "v.a.example"}}},
	{"DownloadPrivacy", func() value { return new(DownloadPrivacy) },
		vec("\x01\x02") + vec("\x00") + "\x02", &DownloadPrivacy{[]DownloadPrivacyType{DownloadHubProxy, DownloadOHTTP}, []DownloadPrivacyType{DownloadDirect}, DownloadOHTTP}},
	{"AssetPolicy", func() value { return new(AssetPolicy) },
		"\x02" + vec(vec("a.example")+vec(vec("u.a.example"))) + vec("\x01") + vec() + "\x01" + u64(1) + u64(2) + u64(3) + u64(4) +
			vec(vec("text/html")+vec()) + "\x01" + vec(vec("image/png")+vec()),
		&AssetPolicy{UploadLocation: UploadHub, UploadDomains: []ProviderAssetUploadDomains{{"a.example", []string{"u.a.example"}}},
			DownloadPrivacy: DownloadPrivacy{Allowed: []DownloadPrivacyType{DownloadHubProxy}, Default: DownloadHubProxy},
			MaxImage:        1, MaxAudio: 2, MaxVideo: 3, MaxAttachment: 4,
			ForbiddenMediaTypes: []message.MediaType{{Type: []byte("text/html")}}, RestrictsMediaTypes: true,
			PermittedMediaTypes: []message.MediaType{{Type: []byte("image/png")}}}},
	{"AssetPolicy that permits all", func() value { return new(AssetPolicy) },
		"\x00" + vec() + vec() + vec() + "\x00" + u64(0) + u64(0) + u64(0) + u64(0) + vec() + none, &AssetPolicy{}},
	{"LoggingPolicy", func() value { return new(LoggingPolicy) },
		"\x01" + vec(vec("mimi://a.example/d/log")) + vec("https://a.example/m") + vec(), &LoggingPolicy{Required, []string{"mimi://a.example/d/log"}, "https://a.example/m", ""}},
	{"LoggingPolicy that forbids", func() value { return new(LoggingPolicy) }, "\x02", &LoggingPolicy{Logging: Forbidden}},
	{"HistoryPolicy", func() value { return new(HistoryPolicy) }, "\x00" + vec(u32(2), u32(3)) + "\x01" + u32(60), &HistoryPolicy{Optional, []uint32{2, 3}, true, 60}},
	{"HistoryPolicy that forbids", func() value { return new(HistoryPolicy) }, "\x02", &HistoryPolicy{Sharing: Forbidden}},
	{"Bot", func() value { return new(Bot) },
		vec("poker") + vec("deals") + vec("https://b.example") + "\x00" + u32(4) + "\x00\x01", &Bot{"poker", "deals", "https://b.example", false, 4, false, true}},
	{"BotPolicy", func() value { return new(BotPolicy) },
		vec(vec("n") + vec() + vec() + "\x01" + u32(0) + "\x01\x00"), &BotPolicy{[]Bot{{Name: "n", LocalClient: true, CanTargetMessage: true}}}},
	{"MessageExpiration", func() value { return new(MessageExpiration) }, "\x01" + u32(5) + u32(9) + "\x01" + u32(7), &MessageExpiration{Required, 5, 9, new(uint32(7))}},
	{"MessageExpiration without a default", func() value { return new(MessageExpiration) }, "\x00" + u32(5) + u32(9) + none, &MessageExpiration{Optional, 5, 9, nil}},
	{"MessageExpiration that forbids", func() value { return new(MessageExpiration) }, "\x02", &MessageExpiration{Expiring: Forbidden}},
	{"ExtendedCapabilities", func() value { return new(ExtendedCapabilities) }, handCaps, &goCaps},
	{"PendingProposalPolicy", func() value { return new(PendingProposalPolicy) }, "\x02" + u64(5) + u64(9), &PendingProposalPolicy{StrategyRandomDelay, 5, 9}},
	{"PendingProposalPolicy at once", func() value { return new(PendingProposalPolicy) }, "\x01", &PendingProposalPolicy{Strategy: StrategyImmediateCommit}},
	{"MinDefaultMaxTime", func() value { return new(MinDefaultMaxTime) }, u64(1) + u64(2) + u64(3), &MinDefaultMaxTime{1, 2, 3}},
	{"AppMessagePolicy", func() value { return new(AppMessagePolicy) }, "\x02\x01\x00" + u32(9), &AppMessagePolicy{2, 256, 9}},
	{"OperationalParameters", func() value { return new(OperationalParameters) },
		handCaps + noCaps + noCaps + vec("\x00\x01") + "\x01\x00" + "\x00" + u64(1) + u64(2) + u64(3) + "\x02\x01\x00" + u32(9) +
			u64(4) + u64(5) + u64(6) + u64(7) + u64(8) + u64(9) + u32(10) + u64(11) + u64(12) + u64(13) + u32(14),
		&OperationalParameters{MandatoryCapabilities: goCaps, HandshakeFormats: []message.WireFormat{1}, ExternalProposalAllowed: true,
			LeafNodeUpdateTime: MinDefaultMaxTime{1, 2, 3}, AppMessages: AppMessagePolicy{2, 256, 9},
			MaxKPLifetime: 4, MaxCredentialLifetime: 5, ResumptionPSKLifetime: 6, SenderNonceKeypairLifetime: MinDefaultMaxTime{7, 8, 9},
			MaxKeypairs: 10, BufferIncomingMessageTime: MinDefaultMaxTime{11, 12, 13}, MaxBufferedMessages: 14}},
}

// TestSamples: what was put together by hand is read as the value it stands for and
// written the same, and no part of it or more than it is read.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, tt := range samples {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := wiretest.Sample(t, tt.hand, func() wiretest.Value { return tt.make() })
			if d := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("reading %x (-want +got):\n%s", tt.hand, d)
			}
			if b, err := wire.Marshal(tt.want); err != nil || string(b) != tt.hand {
				t.Errorf("wrote %x, %v, want %x", b, err, tt.hand)
			}
		})
	}
}

// TestInvalid: well-formed bytes that say what the drafts forbid are refused, and
// the values they stand for are not written.
func TestInvalid(t *testing.T) {
	t.Parallel()
	role := func(index, rest string) string { return index + vec("r") + vec() + rest }
	free := vec() + u32(0) + none + u32(0) + none + vec()
	tests := []struct {
		name string
		into value
		hand string
		want string // part of the error
		same value  // what the writing refuses, nil if no value stands for the bytes
	}{
		{"participant without a name", new(ParticipantListData), vec(vec() + u32(2)), "without a name", &ParticipantListData{[]UserRolePair{{"", 2}}}},
		{"participant in role 0", new(ParticipantListData), vec(vec("x:a") + u32(0)), "role 0", &ParticipantListData{[]UserRolePair{{"x:a", 0}}}},
		{"participant twice", new(ParticipantListData), vec(vec("x:b")+u32(2), vec("x:a")+u32(2), vec("x:b")+u32(3)), "twice",
			&ParticipantListData{[]UserRolePair{{"x:b", 2}, {"x:a", 2}, {"x:b", 3}}}},
		{"participant twice in a row", new(ParticipantListData), vec(vec("x:a")+u32(2), vec("x:a")+u32(2)), "twice", &ParticipantListData{[]UserRolePair{{"x:a", 2}, {"x:a", 2}}}},
		{"change to role 0", new(ParticipantListUpdate), vec(u32(0)+u32(0)) + vec() + vec(), "role 0", &ParticipantListUpdate{Changed: []UserIndexRolePair{{0, 0}}}},
		{"added in role 0", new(ParticipantListUpdate), vec() + vec() + vec(vec("x:a")+u32(0)), "role 0", &ParticipantListUpdate{Added: []UserRolePair{{"x:a", 0}}}},
		{"room name with a null", new(RoomMetaData), vec() + vec("a\x00b") + vec() + vec() + vec() + vec(), "UTF-8", &RoomMetaData{Name: "a\x00b"}},
		{"room mood that is no UTF-8", new(RoomMetaData), vec() + vec() + vec() + vec() + vec() + vec("\xff"), "UTF-8", &RoomMetaData{Mood: "\xff"}},
		{"room URI with a space", new(RoomMetaData), vec("mimi://a b") + vec() + vec() + vec() + vec() + vec(), "printable", &RoomMetaData{URI: "mimi://a b"}},
		{"avatar without a scheme", new(RoomMetaData), vec() + vec() + vec() + vec("/i.png") + vec() + vec(), "scheme", &RoomMetaData{Avatar: "/i.png"}},
		{"role name that is no UTF-8", new(RoleData), vec(u32(2) + vec("\xff") + vec() + free), "UTF-8", &RoleData{[]Role{{Index: 2, Name: "\xff"}}}},
		{"role twice", new(RoleData), vec(role(u32(2), free), role(u32(2), free)), "twice", &RoleData{[]Role{{Index: 2, Name: "r"}, {Index: 2, Name: "r"}}}},
		{"canOpenJoin of a role", new(RoleData), vec(role(u32(2), vec("\x00\x04")+u32(0)+none+u32(0)+none+vec())), "canOpenJoin", &RoleData{[]Role{{Index: 2, Capabilities: []Capability{CanOpenJoin}}}}},
		{"maximum below minimum", new(RoleData), vec(role(u32(2), vec()+u32(2)+"\x01"+u32(1)+u32(0)+none+vec())), "at least 2 and at most 1 participants", &RoleData{[]Role{{Index: 2, Min: 2, Max: new(uint32(1))}}}},
		{"active maximum below minimum", new(RoleData), vec(role(u32(2), vec()+u32(0)+none+u32(2)+"\x01"+u32(1)+vec())), "active", &RoleData{[]Role{{Index: 2, MinActive: 2, MaxActive: new(uint32(1))}}}},
		{"presence octet", new(RoleData), vec(role(u32(2), vec()+u32(2)+"\x02"+u32(1)+u32(0)+none+vec())), wire.ErrOptional.Error(), nil},
		{"preauthorized for role 0", new(PreAuthData), vec(vec() + role(u32(0), free)), "role 0", &PreAuthData{[]PreAuthRoleEntry{{}}}},
		{"bool 2", new(BaseRoomPolicy), "\x02\x00" + vec() + "\x00" + none + none + "\x00\x00\x00" + vec(), "bool 2", nil},
		{"dependent without a parent", new(BaseRoomPolicy), "\x00\x01" + vec() + "\x00" + none + none + "\x00\x00\x00" + vec(), "parent", &BaseRoomPolicy{ParentDependent: true}},
		{"parent of an independent room", new(BaseRoomPolicy), "\x00\x00" + vec(vec("x:p")) + "\x00" + none + none + "\x00\x00\x00" + vec(), "parent", &BaseRoomPolicy{ParentRoom: "x:p"}},
		{"two parents", new(BaseRoomPolicy), "\x00\x01" + vec(vec("x:p"), vec("x:q")) + "\x00" + none + none + "\x00\x00\x00" + vec(), "2 parent rooms", nil},
		{"empty parent", new(BaseRoomPolicy), "\x00\x01" + vec(vec()) + "\x00" + none + none + "\x00\x00\x00" + vec(), "empty URI", nil},
		{"optionality 3", new(StatusNotificationPolicy), "\x00\x03", "Optionality: 3", &StatusNotificationPolicy{ReadReceipts: 3}},
		{"autodetection required", new(LinkPreviewPolicy), "\x01\x00\x00\x02", "autodetect", &LinkPreviewPolicy{AutodetectHyperlinks: Required, ProxyUse: Forbidden}},
		{"proxy use without a proxy", new(LinkPreviewPolicy), "\x00\x00\x00\x00" + vec(), "0 proxies", &LinkPreviewPolicy{}},
		{"forbidden proxy", nil, "", "1 proxies", &LinkPreviewPolicy{ProxyUse: Forbidden, Proxies: []string{"x:p"}}},
		{"upload location 3", new(AssetPolicy), "\x03" + vec() + vec() + vec() + "\x00" + u64(0) + u64(0) + u64(0) + u64(0) + vec() + none, "AssetUploadLocation: 3", &AssetPolicy{UploadLocation: 3}},
		{"download type 3", new(DownloadPrivacy), vec("\x03") + vec() + "\x00", "DownloadPrivacyType: 3", &DownloadPrivacy{Allowed: []DownloadPrivacyType{3}}},
		{"hub uploads of nobody", new(AssetPolicy), "\x02" + vec() + vec() + vec() + "\x00" + u64(0) + u64(0) + u64(0) + u64(0) + vec() + none, "0 providers", &AssetPolicy{UploadLocation: UploadHub}},
		{"permitted types of an open policy", nil, "", "permitted", &AssetPolicy{PermittedMediaTypes: []message.MediaType{{}}}},
		{"logging without loggers", new(LoggingPolicy), "\x01" + vec() + vec() + vec(), "logging_clients", &LoggingPolicy{Logging: Required}},
		{"forbidden logging with loggers", nil, "", "not empty", &LoggingPolicy{Logging: Forbidden, Clients: []string{"x:l"}}},
		{"history by the banned", new(HistoryPolicy), "\x00" + vec(u32(1)) + "\x00" + u32(0), "neither 0 nor 1", &HistoryPolicy{Roles: []uint32{1}}},
		{"forbidden history with a period", nil, "", "not empty", &HistoryPolicy{Sharing: Forbidden, MaxTimePeriod: 1}},
		{"local bot with a role", new(BotPolicy), vec(vec() + vec() + vec() + "\x01" + u32(2) + "\x00\x00"), "want 0", &BotPolicy{[]Bot{{LocalClient: true, Role: 2}}}},
		{"expiration upside down", new(MessageExpiration), "\x00" + u32(2) + u32(1) + none, "at least 2", &MessageExpiration{Min: 2, Max: 1}},
		{"default out of range", new(MessageExpiration), "\x00" + u32(2) + u32(3) + "\x01" + u32(4), "4 seconds", &MessageExpiration{Min: 2, Max: 3, Default: new(uint32(4))}},
		{"forbidden expiration with durations", nil, "", "durations", &MessageExpiration{Expiring: Forbidden, Max: 1}},
		{"strategy 3", new(PendingProposalPolicy), "\x03\x00\x09", "PendingProposalStrategy: 3", &PendingProposalPolicy{Strategy: 3}},
		{"delay upside down", new(PendingProposalPolicy), "\x02" + u64(2) + u64(1), "at least 2", &PendingProposalPolicy{StrategyRandomDelay, 2, 1}},
		{"delay of no strategy", nil, "", "delays", &PendingProposalPolicy{StrategyUnspecified, 1, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.into != nil {
				if err := wire.Unmarshal([]byte(tt.hand), tt.into); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("reading %x: %v, want an error with %q", tt.hand, err, tt.want)
				}
			}
			if tt.same != nil {
				if b, err := wire.Marshal(tt.same); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("wrote %x, %v, want an error with %q", b, err, tt.want)
				}
			}
		})
	}
}

// fuzz reads data as a T and wants what is read written as it was.
func fuzz[T any, P interface {
	*T
	value
}](f *testing.F) {
	for _, s := range samples {
		if _, ok := s.want.(P); ok {
			f.Add([]byte(s.hand))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v := P(new(T))
		if err := wire.Unmarshal(data, v); err != nil {
			return
		}
		if got, err := wire.Marshal(v); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read %x, wrote %x, %v", data, got, err)
		}
	})
}

func FuzzParticipantListData(f *testing.F)      { fuzz[ParticipantListData](f) }
func FuzzParticipantListUpdate(f *testing.F)    { fuzz[ParticipantListUpdate](f) }
func FuzzRoomMetaData(f *testing.F)             { fuzz[RoomMetaData](f) }
func FuzzRoleData(f *testing.F)                 { fuzz[RoleData](f) }
func FuzzPreAuthData(f *testing.F)              { fuzz[PreAuthData](f) }
func FuzzBaseRoomPolicy(f *testing.F)           { fuzz[BaseRoomPolicy](f) }
func FuzzStatusNotificationPolicy(f *testing.F) { fuzz[StatusNotificationPolicy](f) }
func FuzzJoinLinkPolicy(f *testing.F)           { fuzz[JoinLinkPolicy](f) }
func FuzzJoinLinksData(f *testing.F)            { fuzz[JoinLinksData](f) }
func FuzzJoinLinksUpdate(f *testing.F)          { fuzz[JoinLinksUpdate](f) }
func FuzzLinkPreviewPolicy(f *testing.F)        { fuzz[LinkPreviewPolicy](f) }
func FuzzAssetPolicy(f *testing.F)              { fuzz[AssetPolicy](f) }
func FuzzLoggingPolicy(f *testing.F)            { fuzz[LoggingPolicy](f) }
func FuzzHistoryPolicy(f *testing.F)            { fuzz[HistoryPolicy](f) }
func FuzzBotPolicy(f *testing.F)                { fuzz[BotPolicy](f) }
func FuzzMessageExpiration(f *testing.F)        { fuzz[MessageExpiration](f) }
func FuzzOperationalParameters(f *testing.F)    { fuzz[OperationalParameters](f) }
