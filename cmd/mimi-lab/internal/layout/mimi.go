package layout

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// The kinds of MIMI, under their names in draft-ietf-mimi-protocol-06: the bodies of
// its endpoints, then what is encrypted, signed or a component.
const (
	KeyMaterialRequest      Kind = "KeyMaterialRequest"
	KeyMaterialResponse     Kind = "KeyMaterialResponse"
	UpdateRequest           Kind = "UpdateRequest"
	UpdateRoomResponse      Kind = "UpdateRoomResponse"
	SubmitMessageRequest    Kind = "SubmitMessageRequest"
	SubmitMessageResponse   Kind = "SubmitMessageResponse"
	FanoutMessage           Kind = "FanoutMessage" // one or several
	GroupInfoRequest        Kind = "GroupInfoRequest"
	GroupInfoResponse       Kind = "GroupInfoResponse"
	ConsentEntry            Kind = "ConsentEntry"
	IdentifierRequest       Kind = "IdentifierRequest"
	IdentifierResponse      Kind = "IdentifierResponse"
	AbuseReport             Kind = "AbuseReport"
	GroupInfoRatchetTreeTBE Kind = "GroupInfoRatchetTreeTBE"
	Frank                   Kind = "Frank"
	FrankingAgentData       Kind = "FrankingAgentData"
	PseudonymousCredential  Kind = "PseudonymousCredential"
)

// The kinds of MIMI that stand on their own in stanzas alone. They are short, so that
// nobody should guess them.
const (
	GroupInfoOption   Kind = "GroupInfoOption"
	RatchetTreeOption Kind = "RatchetTreeOption"
)

var parts = []structure{
	{GroupInfoOption, (*decoder).groupInfoOption},
	{RatchetTreeOption, (*decoder).ratchetTreeOption},
}

// bodies are the kinds of MIMI in the order in which they are tried.
var bodies = []structure{
	{KeyMaterialRequest, (*decoder).keyMaterialRequest},
	{KeyMaterialResponse, (*decoder).keyMaterialResponse},
	{UpdateRequest, (*decoder).handshakeBundle},
	{UpdateRoomResponse, (*decoder).updateRoomResponse},
	{SubmitMessageRequest, (*decoder).submitMessageRequest},
	{SubmitMessageResponse, (*decoder).submitMessageResponse},
	{FanoutMessage, (*decoder).fanoutMessages},
	{GroupInfoRequest, (*decoder).groupInfoRequest},
	{GroupInfoResponse, (*decoder).groupInfoResponse},
	{ConsentEntry, (*decoder).consentEntry},
	{IdentifierRequest, (*decoder).identifierRequest},
	{IdentifierResponse, (*decoder).identifierResponse},
	{AbuseReport, (*decoder).abuseReport},
	{GroupInfoRatchetTreeTBE, (*decoder).groupInfoRatchetTreeTBE},
	{Frank, (*decoder).frank},
	{FrankingAgentData, (*decoder).frankingAgentData},
	{PseudonymousCredential, (*decoder).pseudonymousCredential},
}

// Bodies returns the kinds of MIMI.
func Bodies() []Kind { return kindsOf(bodies) }

// GuessBody returns the kind of MIMI that b is, as [Guess] does for MLS. requests and
// responses say which bodies may be meant; what is no body is tried with either. A
// kind with URIs of MIMI where they belong is preferred to others that fit.
func GuessBody(b []byte, requests, responses bool) (Kind, error) {
	var tried []structure
	for _, s := range bodies {
		response := strings.HasSuffix(string(s.kind), "Response")
		if response && responses || !response && requests {
			tried = append(tried, s)
		}
	}
	return guess(b, tried, "")
}

// protocolByte reads a Protocol, of which there is one.
func (d *decoder) protocolByte(name string) { enum(d, name, mimi.MLS10) }

// enum reads an enum of 8 bits that has these values.
func enum[T interface {
	~uint8
	fmt.Stringer
}](d *decoder, name string, values ...T) T {
	var names []string
	for _, v := range values {
		names = append(names, fmt.Sprintf("%d (%s)", uint8(v), v))
	}
	read := func() T {
		start := d.r.Offset()
		v := T(d.r.Uint8())
		known := false
		for _, w := range values {
			known = known || v == w
		}
		if d.r.Err() == nil && !known {
			d.misfit(start, "got %d", uint8(v))
		}
		return v
	}
	return value(d, name, strings.Join(names, ", "), read, func(v T) outline.Value {
		return outline.Code{Name: v.String(), Number: uint64(v)}
	})
}

// readChecked reads an opaque<V> that check has something to say about.
func (d *decoder) readChecked(check func([]byte) string) []byte {
	start := d.r.Offset()
	b := d.r.Opaque()
	if d.r.Err() == nil {
		if wrong := check(b); wrong != "" {
			d.misfit(start, "%s", wrong)
		}
	}
	return b
}

const wantURI = "opaque<V> with a URI"

// checkURI says what is wrong with an IdentifierUri.
func (d *decoder) checkURI(b []byte) string {
	if len(b) > ident.MaxURI {
		return outline.Size(len(b))
	}
	if _, err := ident.ParseURI(string(b)); d.known && err != nil {
		return err.Error()
	}
	return ""
}

// uri reads an IdentifierUri.
func (d *decoder) uri(name string) { d.uriField(name, d.checkURI) }

// uriOrNone reads one that may be empty.
func (d *decoder) uriOrNone(name string) {
	d.uriField(name, func(b []byte) string {
		if len(b) == 0 {
			return ""
		}
		return d.checkURI(b)
	})
}

func (d *decoder) uriField(name string, check func([]byte) string) {
	value(d, name, wantURI, func() []byte { return d.readChecked(check) }, func(b []byte) outline.Value {
		return outline.Bytes{Data: b, Text: true}
	})
}

// utf8 reads a string of the draft.
func (d *decoder) utf8(name string) {
	value(d, name, "opaque<V> of UTF-8 without nulls", func() []byte {
		return d.readChecked(func(b []byte) string {
			if !utf8.Valid(b) || strings.ContainsRune(string(b), 0) {
				return "got other bytes"
			}
			return ""
		})
	}, func(b []byte) outline.Value { return outline.Bytes{Data: b, Text: true} })
}

// millis reads a uint64 that counts milliseconds since 1970.
func (d *decoder) millis(name string) {
	value(d, name, "uint64", d.r.Uint64, func(v uint64) outline.Value { return outline.Millis(v) })
}

// stamp reads an opaque[32].
func (d *decoder) stamp(name string) {
	value(d, name, "opaque[32]", func() []byte { return d.r.Fixed(mimi.TagSize) }, func(b []byte) outline.Value { return outline.Bytes{Data: b} })
}

// refuse fails the reading in a field that began at start.
func (d *decoder) refuse(name string, start int, want, got string) {
	if d.r.Err() != nil {
		return
	}
	d.path = append(d.path, step{name: name})
	d.misfit(start, "%s", got)
	d.failed(want)
	d.path = d.path[:len(d.path)-1]
}

// carried reads an MLSMessage in a field, and returns it, nil if it is malformed.
func (d *decoder) carried(name string) *message.Message {
	start := d.r.Offset()
	d.group(name, d.mlsMessage)
	return d.parsed(start)
}

// parsed returns the MLSMessage that was read since an offset.
func (d *decoder) parsed(start int) *message.Message {
	if d.r.Err() != nil {
		return nil
	}
	m, err := message.Parse(d.from(start), nil)
	if err != nil {
		panic(fmt.Sprintf("layout: invariant broken, what layout reads message reads: %v", err))
	}
	return m
}

// contentOf returns what kind of content a message has that anybody can tell, or 0.
func contentOf(m *message.Message) message.ContentType {
	switch {
	case m == nil:
	case m.Public != nil:
		return m.Public.Content.Type
	case m.Private != nil:
		return m.Private.ContentType
	}
	return 0
}

// shape says what a message is.
func shape(m *message.Message) string {
	s := "got " + m.WireFormat().String()
	if c := contentOf(m); c != 0 {
		s += " with " + c.String()
	}
	return s
}

// proposals reads MLSMessages with proposals.
func (d *decoder) proposals(name string) { d.list(name, func() { d.proposalMessage(d.mlsMessage) }) }

// proposalMessage reads an MLSMessage, which must have a proposal.
func (d *decoder) proposalMessage(read func()) {
	start := d.r.Offset()
	read()
	m := d.parsed(start)
	if m != nil && (m.Public == nil || contentOf(m) != message.ContentProposal) {
		d.misfit(start, "%s", shape(m))
		d.failed("mls_public_message with proposal")
	}
}

// dictionary reads an AppDataDictionary.
func (d *decoder) dictionary(name string) {
	last := -1
	d.list(name, func() {
		start := d.r.Offset()
		id := d.component()
		if d.r.Err() == nil && int(id) <= last {
			d.refuse("component_id", start, "components in ascending order", fmt.Sprintf("got %d after %d", id, last))
		}
		last = int(id)
		d.componentContent("data", id)
	})
}

// keyMaterialRequest reads a KeyMaterialRequest (Fetch Key Material).
func (d *decoder) keyMaterialRequest() {
	start := d.r.Offset()
	d.protocolByte("protocol")
	d.uri("requestingUser")
	d.uri("targetUser")
	d.uriOrNone("roomId")
	d.codes("acceptableCiphersuites", suiteName)
	d.group("requiredCapabilities", d.requiredCapabilities)
	d.opaque("requesterSignatureKey")
	d.group("requesterCredential", d.credential)
	d.opaque("key_material_request_signature")
	if d.at != nil && d.r.Err() == nil {
		m := again(d, start, new(mimi.KeyMaterialRequest))
		d.rules(m.Check())
		d.verified(m.SignatureSuite(), m.Verify)
	}
}

// keyMaterialResponse reads a KeyMaterialResponse.
func (d *decoder) keyMaterialResponse() {
	start := d.r.Offset()
	d.protocolByte("protocol")
	enum(d, "userStatus", mimi.UserSuccess, mimi.UserPartialSuccess, mimi.UserIncompatibleProtocol, mimi.UserNoCompatibleMaterial,
		mimi.UserUnknown, mimi.UserNoConsent, mimi.UserNoConsentForThisRoom, mimi.UserDeleted)
	d.uri("userUri")
	d.list("clients", func() {
		status := enum(d, "clientStatus", mimi.ClientSuccess, mimi.ClientKeyMaterialExhausted, mimi.ClientNothingCompatible)
		d.uri("clientUri")
		switch {
		case d.r.Err() != nil:
		case status == mimi.ClientSuccess:
			d.group("keyPackage", d.keyPackage)
		case status == mimi.ClientNothingCompatible:
			d.optional("clientCapabilities", func() { d.group("clientCapabilities", d.capabilities) })
		}
	})
	if d.at != nil && d.r.Err() == nil {
		d.rules(again(d, start, new(mimi.KeyMaterialResponse)).Check())
	}
}

// handshakeBundle reads an UpdateRequest, which is a HandshakeBundle (Update Room
// State).
func (d *decoder) handshakeBundle() {
	start := d.r.Offset()
	m := d.carried("proposalOrCommit")
	switch {
	case m == nil:
		return
	case m.Public != nil && contentOf(m) == message.ContentCommit:
		d.optional("welcome", func() { d.group("welcome", d.welcome) })
		d.group("groupInfoOption", d.groupInfoOption)
		d.group("ratchetTreeOption", d.ratchetTreeOption)
	case m.Public != nil && contentOf(m) == message.ContentProposal:
		d.proposals("moreProposals")
	default:
		d.refuse("proposalOrCommit", start, "mls_public_message with proposal or commit", shape(m))
	}
	if d.at != nil && d.r.Err() == nil {
		d.rules(again(d, start, new(mimi.UpdateRequest)).Check())
	}
}

func (d *decoder) groupInfoOption() {
	representation := enum(d, "representation", mimi.GroupInfoFull, mimi.GroupInfoPartial)
	switch {
	case d.r.Err() != nil:
	case representation == mimi.GroupInfoFull:
		d.group("groupInfo", d.groupInfo)
	default:
		d.group("partialGroupInfo", func() {
			enum(d, "ratchet_tree_presence", mimi.NoRatchetTree, mimi.RatchetTreePresent, mimi.RatchetTreeRemoved, mimi.RatchetTreeAdded)
			d.extensions()
			d.opaque("signature")
		})
	}
}

func (d *decoder) ratchetTreeOption() {
	representation := enum(d, "representation", mimi.TreeFull, mimi.TreeHTTPSURI, mimi.TreeOutOfBand, mimi.TreeDistributionService)
	if d.r.Err() != nil {
		return
	}
	switch representation {
	case mimi.TreeFull:
		start := d.r.Offset()
		d.opaque("ratchet_tree")
		if d.at != nil && d.r.Err() == nil && d.depth < maxDepth {
			d.inside("nodes", d.from(start), func(d *decoder) { d.ratchetTree("nodes") })
		}
	case mimi.TreeHTTPSURI:
		d.utf8("ratchet_tree_url")
	}
}

// updateRoomResponse reads an UpdateRoomResponse.
func (d *decoder) updateRoomResponse() {
	code := enum(d, "responseCode", mimi.UpdateSuccess, mimi.UpdateWrongEpoch, mimi.UpdateNotAllowed, mimi.UpdateInvalidProposal)
	d.utf8("errorDescription")
	switch code {
	case mimi.UpdateSuccess:
		d.millis("accepted_timestamp")
	case mimi.UpdateWrongEpoch:
		d.uint64("currentEpoch")
	case mimi.UpdateInvalidProposal:
		d.list("invalidProposals", func() { d.bare("opaque<V>", d.r.Opaque, false) })
	}
}

// bare reads an element of a list that is one opaque<V>.
func (d *decoder) bare(want string, read func() []byte, text bool) {
	b := read()
	if !d.failed(want) && d.at != nil {
		d.at.Value = outline.Bytes{Data: b, Text: text}
	}
}

// submitMessageRequest reads a SubmitMessageRequest (Submit a Message).
func (d *decoder) submitMessageRequest() {
	d.protocolByte("protocol")
	start := d.r.Offset()
	m := d.carried("appMessage")
	if m != nil && (m.Private == nil || contentOf(m) != message.ContentApplication) {
		d.refuse("appMessage", start, "mls_private_message with application", shape(m))
	}
	if m != nil && m.Private != nil && d.at != nil {
		d.frankAAD(m.Private.AuthenticatedData)
	}
	d.uri("sendingUri")
}

// frankAAD adds the franking_tag in a message's AAD.
func (d *decoder) frankAAD(aad []byte) {
	f, err := mimi.FrankAADOf(aad, nil)
	switch {
	case err != nil:
		d.verdict(d.at, "frank_aad", "", err)
	case f != nil:
		d.at.Derive("franking_tag", outline.Bytes{Data: f.FrankingTag[:]})
	}
}

// submitMessageResponse reads a SubmitMessageResponse.
func (d *decoder) submitMessageResponse() {
	d.protocolByte("protocol")
	code := enum(d, "statusCode", mimi.SubmitAccepted, mimi.SubmitNotAllowed, mimi.SubmitEpochTooOld)
	switch code {
	case mimi.SubmitAccepted:
		d.millis("accepted_timestamp")
		d.optional("frank", func() { d.group("frank", d.frank) })
	case mimi.SubmitEpochTooOld:
		d.uint64("currentEpoch")
	}
}

func (d *decoder) frank() {
	d.stamp("server_frank")
	d.suiteField("franking_signature_ciphersuite")
	d.opaque("franking_integrity_signature")
}

// fanoutMessages reads one FanoutMessage or several, one behind the other (Fanout
// Messages and Room Events).
func (d *decoder) fanoutMessages() {
	n := &outline.Node{Name: "messages", List: true}
	d.into("messages", n, func() {
		if len(d.input) == 0 {
			d.misfit(0, "no bytes")
			d.failed("one FanoutMessage at least")
		}
		for i := 0; !d.r.Empty(); i++ {
			d.element(n, i, d.fanoutMessage)
		}
	})
}

func (d *decoder) fanoutMessage() {
	whole := d.r.Offset()
	d.millis("timestamp")
	start := d.r.Offset()
	m := d.carried("message")
	content := contentOf(m)
	switch {
	case m == nil:
		return
	case m.Private != nil && content == message.ContentApplication:
		if d.at != nil {
			d.frankAAD(m.Private.AuthenticatedData)
		}
		d.optional("frank", func() { d.group("frank", d.frank) })
	case m.Welcome != nil:
		d.group("ratchetTreeOption", d.ratchetTreeOption)
	case m.Public != nil && content == message.ContentProposal:
		d.proposals("moreProposals")
	case m.Public != nil && content == message.ContentCommit:
		d.proposals("externalProposals")
	default:
		d.refuse("message", start, "application, welcome, proposal or commit", shape(m))
	}
	if d.at != nil && d.r.Err() == nil {
		d.rules(again(d, whole, new(mimi.FanoutMessage)).Check())
	}
}

// groupInfoRequest reads a GroupInfoRequest (Claim group key information).
func (d *decoder) groupInfoRequest() {
	start := d.r.Offset()
	d.protocolByte("protocol")
	d.suite()
	d.opaque("requestingSignatureKey")
	d.group("requestingCredential", d.credential)
	d.opaque("groupInfoPublicKey")
	d.opaque("joiningCode")
	d.opaque("signature")
	if d.at != nil && d.r.Err() == nil {
		m := again(d, start, new(mimi.GroupInfoRequest))
		d.verified(m.CipherSuite, m.Verify)
	}
}

// groupInfoResponse reads a GroupInfoResponse.
func (d *decoder) groupInfoResponse() {
	start := d.r.Offset()
	d.protocolByte("version")
	d.uri("room_id")
	status := enum(d, "status", mimi.GroupInfoSuccess, mimi.GroupInfoNotAuthorized, mimi.GroupInfoNoSuchRoom)
	if d.r.Err() != nil || status != mimi.GroupInfoSuccess {
		return
	}
	d.suite()
	d.group("hub_sender", func() {
		d.opaque("signature_key")
		d.group("credential", d.credential)
	})
	d.group("encrypted_groupinfo_and_tree", d.hpkeCiphertext)
	d.opaque("signature")
	if d.at != nil && d.r.Err() == nil {
		m := again(d, start, new(mimi.GroupInfoResponse))
		d.verified(m.CipherSuite, m.Verify)
	}
}

// groupInfoRatchetTreeTBE reads what a GroupInfoResponse has encrypted.
func (d *decoder) groupInfoRatchetTreeTBE() {
	start := d.r.Offset()
	d.group("groupInfo", d.groupInfo)
	d.group("ratchetTreeOption", d.ratchetTreeOption)
	d.list("pending_proposals", func() {
		d.proposalMessage(func() { d.group("proposal", d.mlsMessage) })
		d.millis("hub_accepted_time")
	})
	if d.at != nil && d.r.Err() == nil {
		d.rules(again(d, start, new(mimi.GroupInfoRatchetTreeTBE)).Check())
	}
}

// consentEntry reads a ConsentEntry (Convey explicit consent).
func (d *decoder) consentEntry() {
	operation := enum(d, "consentOperation", mimi.ConsentCancel, mimi.ConsentRequest, mimi.ConsentGrant, mimi.ConsentRevoke)
	d.uri("requesterUri")
	d.uri("targetUri")
	d.optional("roomId", func() { d.uri("roomId") })
	if operation == mimi.ConsentGrant {
		d.list("clientKeyPackages", d.keyPackage)
	}
	d.dictionary("consent_extensions")
}

// identifierRequest reads an IdentifierRequest (Find internal address).
func (d *decoder) identifierRequest() {
	start := d.r.Offset()
	d.list("query_elements", func() {
		t := enum(d, "searchType", mimi.SearchHandle, mimi.SearchNick, mimi.SearchEmail, mimi.SearchPhone,
			mimi.SearchPartialName, mimi.SearchWholeProfile, mimi.SearchOIDCStdClaim, mimi.SearchVCardField)
		switch t {
		case mimi.SearchOIDCStdClaim:
			d.text("claimName")
		case mimi.SearchVCardField:
			d.text("propertyName")
		}
		d.utf8("searchValue")
	})
	d.dictionary("id_request_extensions")
	if d.at != nil && d.r.Err() == nil {
		d.rules(again(d, start, new(mimi.IdentifierRequest)).Check())
	}
}

// identifierResponse reads an IdentifierResponse.
func (d *decoder) identifierResponse() {
	start := d.r.Offset()
	enum(d, "responseCode", mimi.QuerySuccess, mimi.QueryNotFound, mimi.QueryAmbiguous, mimi.QueryForbidden, mimi.QueryUnsupportedField)
	d.list("uri", func() {
		d.bare(wantURI, func() []byte { return d.readChecked(d.checkURI) }, true)
	})
	d.list("foundProfiles", func() {
		d.uri("stableUri")
		d.list("fields", func() {
			enum(d, "fieldSource", mimi.FieldOIDCStdClaim, mimi.FieldVCardField)
			d.utf8("fieldName")
			d.text("fieldValue")
		})
	})
	d.dictionary("id_response_extensions")
	if d.at != nil && d.r.Err() == nil {
		d.rules(again(d, start, new(mimi.IdentifierResponse)).Check())
	}
}

// abuseReport reads an AbuseReport (Report abuse).
func (d *decoder) abuseReport() {
	d.uriOrNone("reportingUser")
	d.uri("allegedAbuserUri")
	enum(d, "reasonCode", mimi.AbuseReserved)
	d.utf8("note")
	d.list("messages", func() {
		d.opaque("message_content")
		d.group("frank", d.frank)
		d.millis("accepted_timestamp")
	})
	d.dictionary("abuse_extensions")
}

// frankingAgentData reads the data of the franking_agent component (Message
// Franking).
func (d *decoder) frankingAgentData() {
	d.opaque("franking_signature_key")
	d.group("credential", d.credential)
}

// pseudonymousCredential reads a PseudonymousCredential (Credential encryption).
func (d *decoder) pseudonymousCredential() {
	d.uri("client_pseudonym")
	d.uri("user_pseudonym")
	d.opaque("signature_public_key")
	d.opaque("identity_link_ciphertext")
}

// again reads what was read since start with package mimi, which computes with it.
func again[M wire.Unmarshaler](d *decoder, start int, m M) M {
	if err := wire.Unmarshal(d.from(start), m); err != nil {
		panic(fmt.Sprintf("layout: invariant broken, what layout reads mimi reads: %v", err))
	}
	return m
}

// rules adds whether a struct keeps the draft's rules on it.
func (d *decoder) rules(err error) {
	if e := (*mimi.RuleError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	d.verdict(d.at, "rules", "kept", err)
}
