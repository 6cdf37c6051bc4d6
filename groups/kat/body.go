package kat

import (
	"encoding/json"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// bodyCase is one of the files of endpoints: a request or a response.
type bodyCase struct {
	head
	Endpoint  string          `json:"endpoint"`
	Direction string          `json:"direction"` // "request" or "response"
	Status    int             `json:"http_status"`
	Outcome   string          `json:"outcome"`
	Struct    string          `json:"struct"`
	Body      octets          `json:"body"`
	Failure   string          `json:"failure"`
	Fields    json.RawMessage `json:"fields"`
	Signed    *signed         `json:"signed"`
}

// signed is the signature in a body.
type signed struct {
	Suite     suite.ID `json:"cipher_suite"`
	Label     string   `json:"label"`
	Private   octets   `json:"signature_priv"`
	Public    octets   `json:"signature_key"`
	TBS       octets   `json:"tbs"`
	Signature octets   `json:"signature"`
	Valid     bool     `json:"valid"`
}

const (
	request  = "request"
	response = "response"
)

func checkBody(c *checker, v *bodyCase) {
	e, ok := mimi.FindEndpoint(mimi.EndpointName(v.Endpoint))
	if !ok {
		c.fail("endpoint", "%.40q is none of the draft's", v.Endpoint)
		return
	}
	parse, of := e.ParseRequest, e.Request
	switch v.Direction {
	case response:
		same(c, "outcome", e.Outcome(v.Status).String(), v.Outcome)
		parse, of = e.ParseResponse, e.Response
		if e.Outcome(v.Status) != mimi.OutcomeDone {
			of = ""
		}
	case request:
		same(c, "http_status of a request", v.Status, 0)
		same(c, "outcome of a request", v.Outcome, "")
	default:
		c.fail("direction", "%.40q, want request or response", v.Direction)
		return
	}
	same(c, "struct", of, v.Struct)
	if of == "" {
		same(c, "body where there is no struct (bytes)", len(v.Body), 0)
		same(c, "failure where there is no struct", v.Failure, "")
		same(c, "fields where there is no struct", string(v.Fields), "null")
		same(c, "signed where there is no struct", v.Signed == nil, true)
		return
	}
	body, err := parse(v.Body, nil)
	if err == nil {
		err = ruled(body, e.Name)
	}
	if !c.failed(err, v.Failure) {
		same(c, "fields of a failure", string(v.Fields), "null")
		same(c, "signed of a failure", v.Signed == nil, true)
		return
	}
	if again, err := mimi.Marshal(body); c.ok("body, written again", err) {
		c.equal("body, written again", again, v.Body)
	}
	c.alike("fields", viewBody(body), v.Fields)
	c.signature(body, v.Signed)
}

// ruled is the Check of a body.
func ruled(body any, e mimi.EndpointName) error {
	switch m := body.(type) {
	case []mimi.FanoutMessage:
		for i := range m {
			if err := m[i].Check(); err != nil {
				return err
			}
		}
	case *mimi.ConsentEntry:
		return m.Check(e)
	case interface{ Check() error }:
		return m.Check()
	}
	return nil
}

// signature verifies the signature of a body that has one.
func (c *checker) signature(body any, v *signed) {
	var public, signature []byte
	var label string
	var id suite.ID
	var tbs func() ([]byte, error)
	switch m := body.(type) {
	case *mimi.KeyMaterialRequest:
		public, signature, label, id, tbs = m.RequesterSignatureKey, m.Signature, mimi.LabelKeyMaterialRequest, m.SignatureSuite(), m.TBS
	case *mimi.GroupInfoRequest:
		public, signature, label, id, tbs = m.RequestingSignatureKey, m.Signature, mimi.LabelGroupInfoRequest, m.CipherSuite, m.TBS
	case *mimi.GroupInfoResponse:
		if m.Status == mimi.GroupInfoSuccess {
			public, signature, label, id, tbs = m.HubSender.SignatureKey, m.Signature, mimi.LabelGroupInfoResponse, m.CipherSuite, m.TBS
		}
	}
	if !same(c, "signed is there", tbs != nil, v != nil) || tbs == nil {
		return
	}
	same(c, "signed.cipher_suite", id, v.Suite)
	same(c, "signed.label", label, v.Label)
	c.equal("signed.signature_key", public, v.Public)
	c.equal("signed.signature", signature, v.Signature)
	if b, err := tbs(); c.ok("signed.tbs", err) {
		c.equal("signed.tbs", b, v.TBS)
	}
	s, ok := c.withSuite(v.Suite)
	if !ok {
		return
	}
	c.keyPair("signed.signature_priv", v.Private, v.Public, s.SignerPublicKey)
	same(c, "signed.valid", labeled.Verify(s, v.Public, v.Label, v.TBS, v.Signature) == nil, v.Valid)
}

// hexed shows a struct of MLS as the bytes that it is encoded in.
func hexed(v wire.Marshaler) octets {
	b, err := wire.Marshal(v)
	if err != nil {
		return nil // shown as nothing, which no case has
	}
	return b
}

// viewBody shows a body with the names of the draft's fields.
func viewBody(body any) any {
	switch m := body.(type) {
	case *mimi.KeyMaterialRequest:
		return map[string]any{
			"protocol": "mls10", "requestingUser": m.RequestingUser, "targetUser": m.TargetUser, "roomId": m.RoomID,
			"acceptableCiphersuites": numbers(m.AcceptableCiphersuites),
			"requiredCapabilities": map[string]any{
				"extension_types": numbers(m.RequiredCapabilities.Extensions), "proposal_types": numbers(m.RequiredCapabilities.Proposals),
				"credential_types": numbers(m.RequiredCapabilities.Credentials),
			},
			"requesterSignatureKey": octets(m.RequesterSignatureKey), "requesterCredential": hexed(&m.RequesterCredential),
			"key_material_request_signature": octets(m.Signature),
		}
	case *mimi.KeyMaterialResponse:
		clients := []any{}
		for i := range m.Clients {
			k := &m.Clients[i]
			o := map[string]any{"clientStatus": k.ClientStatus.String(), "clientUri": k.ClientURI}
			switch k.ClientStatus {
			case mimi.ClientSuccess:
				o["keyPackage"] = hexed(k.KeyPackage)
			case mimi.ClientNothingCompatible:
				o["clientCapabilities"] = nil
				if k.ClientCapabilities != nil {
					o["clientCapabilities"] = hexed(k.ClientCapabilities)
				}
			}
			clients = append(clients, o)
		}
		return map[string]any{"protocol": "mls10", "userStatus": m.UserStatus.String(), "userUri": m.UserURI, "clients": clients}
	case *mimi.UpdateRequest:
		return viewBundle(&m.Bundle)
	case *mimi.UpdateRoomResponse:
		o := map[string]any{"responseCode": m.ResponseCode.String(), "errorDescription": m.ErrorDescription}
		switch m.ResponseCode {
		case mimi.UpdateSuccess:
			o["accepted_timestamp"] = m.AcceptedTimestamp
		case mimi.UpdateWrongEpoch:
			o["currentEpoch"] = m.CurrentEpoch
		case mimi.UpdateInvalidProposal:
			refs := []octets{}
			for _, r := range m.InvalidProposals {
				refs = append(refs, octets(r))
			}
			o["invalidProposals"] = refs
		}
		return o
	case *mimi.SubmitMessageRequest:
		return map[string]any{"protocol": "mls10", "appMessage": hexed(&message.Message{Private: m.AppMessage}), "sendingUri": m.SendingURI}
	case *mimi.SubmitMessageResponse:
		o := map[string]any{"protocol": "mls10", "statusCode": m.StatusCode.String()}
		switch m.StatusCode {
		case mimi.SubmitAccepted:
			o["accepted_timestamp"], o["frank"] = m.AcceptedTimestamp, viewFrank(m.Frank)
		case mimi.SubmitEpochTooOld:
			o["currentEpoch"] = m.CurrentEpoch
		}
		return o
	case []mimi.FanoutMessage:
		all := []any{}
		for i := range m {
			all = append(all, viewFanout(&m[i]))
		}
		return map[string]any{"messages": all}
	case *mimi.GroupInfoRequest:
		return map[string]any{
			"protocol": "mls10", "cipher_suite": uint16(m.CipherSuite), "requestingSignatureKey": octets(m.RequestingSignatureKey),
			"requestingCredential": hexed(&m.RequestingCredential), "groupInfoPublicKey": octets(m.GroupInfoPublicKey),
			"joiningCode": octets(m.JoiningCode), "signature": octets(m.Signature),
		}
	case *mimi.GroupInfoResponse:
		o := map[string]any{"version": "mls10", "room_id": m.RoomID, "status": m.Status.String()}
		if m.Status == mimi.GroupInfoSuccess {
			o["cipher_suite"], o["hub_sender"], o["signature"] = uint16(m.CipherSuite), hexed(&m.HubSender), octets(m.Signature)
			o["encrypted_groupinfo_and_tree"] = map[string]any{"kem_output": octets(m.EncryptedGroupInfoAndTree.KEMOutput), "ciphertext": octets(m.EncryptedGroupInfoAndTree.Ciphertext)}
		}
		return o
	case *mimi.ConsentEntry:
		o := map[string]any{"consentOperation": m.ConsentOperation.String(), "requesterUri": m.RequesterURI, "targetUri": m.TargetURI, "roomId": m.RoomID, "consent_extensions": viewEntries(m.ConsentExtensions)}
		if m.ConsentOperation == mimi.ConsentGrant {
			keys := []octets{}
			for i := range m.ClientKeyPackages {
				keys = append(keys, hexed(&m.ClientKeyPackages[i]))
			}
			o["clientKeyPackages"] = keys
		}
		return o
	case *mimi.IdentifierRequest:
		list := []any{}
		for _, q := range m.QueryElements {
			o := map[string]any{"searchType": q.SearchType.String(), "searchValue": q.SearchValue}
			switch q.SearchType {
			case mimi.SearchOIDCStdClaim:
				o["claimName"] = q.ClaimName
			case mimi.SearchVCardField:
				o["propertyName"] = q.PropertyName
			}
			list = append(list, o)
		}
		return map[string]any{"query_elements": list, "id_request_extensions": viewEntries(m.IDRequestExtensions)}
	case *mimi.IdentifierResponse:
		profiles := []any{}
		for _, p := range m.FoundProfiles {
			list := []any{}
			for _, f := range p.Fields {
				list = append(list, map[string]any{"fieldSource": f.FieldSource.String(), "fieldName": f.FieldName, "fieldValue": octets(f.FieldValue)})
			}
			profiles = append(profiles, map[string]any{"stableUri": p.StableURI, "fields": list})
		}
		return map[string]any{"responseCode": m.ResponseCode.String(), "uri": append([]mimi.IdentifierURI{}, m.URI...), "foundProfiles": profiles, "id_response_extensions": viewEntries(m.IDResponseExtensions)}
	case *mimi.AbuseReport:
		list := []any{}
		for i := range m.Messages {
			a := &m.Messages[i]
			list = append(list, map[string]any{"message_content": octets(a.MessageContent), "frank": viewFrank(&a.Frank), "accepted_timestamp": a.AcceptedTimestamp})
		}
		return map[string]any{"reportingUser": m.ReportingUser, "allegedAbuserUri": m.AllegedAbuserURI, "reasonCode": m.ReasonCode.String(), "note": m.Note, "messages": list, "abuse_extensions": viewEntries(m.AbuseExtensions)}
	}
	return nil
}

func viewFrank(f *mimi.Frank) any {
	if f == nil {
		return nil
	}
	return map[string]any{"server_frank": octets(f.ServerFrank[:]), "franking_signature_ciphersuite": uint16(f.FrankingSignatureCiphersuite), "franking_integrity_signature": octets(f.FrankingIntegritySignature)}
}

func viewEntries(list []message.ComponentData) []entry {
	all := []entry{}
	for _, e := range list {
		all = append(all, entry{uint16(e.Component), octets(e.Data)})
	}
	return all
}

func viewMessages(list []message.Message) []octets {
	all := []octets{}
	for i := range list {
		all = append(all, hexed(&list[i]))
	}
	return all
}

func viewTree(o *mimi.RatchetTreeOption) any {
	m := map[string]any{"representation": o.Representation.String()}
	switch o.Representation {
	case mimi.TreeFull:
		m["ratchet_tree"] = octets(o.RatchetTree)
	case mimi.TreeHTTPSURI:
		m["ratchet_tree_url"] = o.RatchetTreeURL
	}
	return m
}

func viewBundle(h *mimi.HandshakeBundle) any {
	o := map[string]any{"proposalOrCommit": hexed(&h.ProposalOrCommit)}
	if h.Type() != message.ContentCommit {
		o["moreProposals"] = viewMessages(h.MoreProposals)
		return o
	}
	o["welcome"] = nil
	if h.Welcome != nil {
		o["welcome"] = hexed(h.Welcome)
	}
	info := map[string]any{"representation": h.GroupInfoOption.Representation().String()}
	if p := h.GroupInfoOption.Partial; p != nil {
		info["partialGroupInfo"] = map[string]any{"ratchet_tree_presence": p.RatchetTreePresence.String(), "group_info_extensions": hexed(p.GroupInfoExtensions), "signature": octets(p.Signature)}
	} else {
		info["groupInfo"] = hexed(h.GroupInfoOption.Full)
	}
	o["groupInfoOption"], o["ratchetTreeOption"] = info, viewTree(&h.RatchetTreeOption)
	return o
}

func viewFanout(m *mimi.FanoutMessage) any {
	o := map[string]any{"timestamp": m.Timestamp, "message": hexed(&m.Message)}
	switch m.Kind() {
	case mimi.FanoutApplication:
		o["frank"] = viewFrank(m.Frank)
	case mimi.FanoutWelcome:
		o["ratchetTreeOption"] = viewTree(&m.RatchetTreeOption)
	case mimi.FanoutProposal:
		o["moreProposals"] = viewMessages(m.MoreProposals)
	case mimi.FanoutCommit:
		o["externalProposals"] = viewMessages(m.ExternalProposals)
	}
	return o
}
