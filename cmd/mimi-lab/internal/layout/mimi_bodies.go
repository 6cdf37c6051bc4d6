package layout

import (
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// This file reads the bodies of MIMI, in the order of the draft's sections.

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
