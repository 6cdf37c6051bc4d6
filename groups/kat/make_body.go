package kat

import (
	"encoding/json"
	"strconv"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// bodies collects the cases of an endpoint.
type bodies struct {
	endpoint *mimi.Endpoint
	cases    []any
}

func endpoint(name mimi.EndpointName) *bodies {
	e, _ := mimi.FindEndpoint(name)
	return &bodies{endpoint: e}
}

func (b *bodies) add(name, direction string, status int, of string, body octets, failure string, fields json.RawMessage, because []string) *bodyCase {
	v := &bodyCase{head: newHead(name, protocolSection+b.endpoint.Section, because...), Endpoint: string(b.endpoint.Name), Direction: direction, Status: status, Struct: of, Body: body, Failure: failure, Fields: fields}
	if direction == response {
		v.Outcome = outcome(b.endpoint.Name, status)
	}
	b.cases = append(b.cases, v)
	return v
}

// outcome is what a client makes of a status code: done, to be tried again, or
// neither (deviation 11, and 26).
func outcome(name mimi.EndpointName, status int) string {
	done := map[mimi.EndpointName][]int{
		mimi.EndpointNotify: {200, 201}, mimi.EndpointRequestConsent: {201}, mimi.EndpointUpdateConsent: {201},
		mimi.EndpointReportAbuse: {200, 201, 202, 204},
	}[name]
	if done == nil {
		done = []int{200}
	}
	for _, s := range done {
		if s == status {
			return "done"
		}
	}
	if status >= 400 && status < 500 && status != 408 && status != 425 && status != 429 {
		return "refused"
	}
	return "retry"
}

// ask and answer are bodies that are read, wrong ones of either kind that are not.
func (b *bodies) ask(name string, o object, because ...string) *bodyCase {
	return b.add(name, request, 0, b.endpoint.Request, o.bytes(), "", o.json(), because)
}

func (b *bodies) answer(name string, o object, because ...string) *bodyCase {
	return b.add(name, response, 200, b.endpoint.Response, o.bytes(), "", o.json(), because)
}

func (b *bodies) wrongAsk(name, failure string, body octets, because ...string) {
	b.add(name, request, 0, b.endpoint.Request, body, failure, json.RawMessage("null"), because)
}

func (b *bodies) wrongAnswer(name, failure string, body octets, because ...string) {
	b.add(name, response, 200, b.endpoint.Response, body, failure, json.RawMessage("null"), because)
}

// statuses are responses without a body.
func (b *bodies) statuses(list ...int) {
	for _, s := range list {
		b.add("status "+strconv.Itoa(s), response, s, "", octets{}, "", json.RawMessage("null"), []string{deviation(mimi1, 26)})
	}
}

// unsigned returns the fields but the last, which is the signature of what is signed.
func unsigned(o object) object { return o[:len(o)-1] }

func mls10() field { return enum("protocol", 1, "mls10") }

func (m *maker) signed(label string, key suite.KeyPair, tbs object, signature octets, valid bool) *signed {
	return &signed{m.suite.ID(), label, seed(key), octets(key.Public), tbs.bytes(), signature, valid}
}

func makeKeyMaterial(m *maker) []any {
	b := endpoint(mimi.EndpointKeyMaterial)
	key := m.signer()
	ask := func(room string, suites ...uint16) object {
		o := object{
			mls10(), text("requestingUser", user("alice")), text("targetUser", user("bob")), text("roomId", room), numbers16("acceptableCiphersuites", suites...),
			part("requiredCapabilities", object{numbers16[uint16]("extension_types", 6), numbers16[uint16]("proposal_types", 8, 10), numbers16[uint16]("credential_types", 1)}),
			data("requesterSignatureKey", key.Public), basic(client("alice")),
		}
		o[len(o)-1].name = "requesterCredential"
		return append(o, data("key_material_request_signature", m.sign(key, mimi.LabelKeyMaterialRequest, o.bytes())))
	}
	d := func(n ...int) (all []string) {
		for _, i := range n {
			all = append(all, deviation(mimi1, i))
		}
		return all
	}
	sign := func(v *bodyCase, o object, signature octets, valid bool) {
		v.Signed = m.signed(mimi.LabelKeyMaterialRequest, key, unsigned(o), signature, valid)
	}
	last := func(o object) octets { // the signature of a request, whose bytes JSON shows in hexadecimal digits
		var s octets
		_ = s.UnmarshalText([]byte(o[len(o)-1].value.(string)))
		return s
	}
	inRoom, outside := ask(clubhouse, 1), ask("", 1, 3)
	sign(b.ask("for a room", inRoom, d(3, 4)...), inRoom, last(inRoom), true)
	sign(b.ask("outside of a room, in one of two suites", outside, d(3, 4, 12)...), outside, last(outside), true)
	other := append(unsigned(outside)[:len(outside)-1:len(outside)-1], data("key_material_request_signature", last(inRoom)))
	sign(b.ask("with the signature of another request", other, d(3)...), other, last(inRoom), false)
	bare := append(unsigned(inRoom)[:len(inRoom)-1:len(inRoom)-1], data("key_material_request_signature", nil))
	sign(b.ask("without a signature", bare, d(3)...), bare, octets{}, false)
	b.wrongAsk("without cipher suites", "rule", ask(clubhouse).bytes())
	b.wrongAsk("of another protocol", "enum", append(octets{2}, inRoom.bytes()[1:]...))
	b.wrongAsk("cut short", "truncated", inRoom.bytes()[:60])
	b.wrongAsk("with a byte behind", "trailing", append(inRoom.bytes(), 0))

	w := m.roomWorld()
	kp := encoded(&w.keyPackage("bob").Public)
	success := func(n string) field {
		return part("", object{enum("clientStatus", 0, "success"), text("clientUri", "mimi://b.example/d/bob/"+n), raw("keyPackage", kp)})
	}
	exhausted := part("", object{enum("clientStatus", 1, "keyMaterialExhausted"), text("clientUri", "mimi://b.example/d/bob/ClientB2")})
	caps := encoded(&message.Capabilities{Versions: []message.ProtocolVersion{1}, Suites: []suite.ID{2}, Credentials: []message.CredentialType{1}})
	incompatible := part("", object{enum("clientStatus", 2, "nothingCompatible"), text("clientUri", "mimi://b.example/d/bob/ClientB3"), some(raw("clientCapabilities", caps))})
	silent := part("", object{enum("clientStatus", 2, "nothingCompatible"), text("clientUri", "mimi://b.example/d/bob/ClientB4"), none("clientCapabilities")})
	answer := func(code uint8, shown string, clients ...field) object {
		return object{mls10(), enum("userStatus", code, shown), text("userUri", user("bob")), vector("clients", clients...)}
	}
	b.answer("success, one client", answer(0, "success", success("ClientB1")))
	b.answer("success, two clients", answer(0, "success", success("ClientB1"), success("ClientB5")))
	b.answer("partialSuccess, every code of a client", answer(1, "partialSuccess", success("ClientB1"), exhausted, incompatible, silent))
	b.answer("incompatibleProtocol", answer(2, "incompatibleProtocol"))
	b.answer("noCompatibleMaterial", answer(3, "noCompatibleMaterial"), d(45)...)
	b.answer("noCompatibleMaterial, and why", answer(3, "noCompatibleMaterial", exhausted, incompatible), d(45)...)
	b.answer("userUnknown", answer(4, "userUnknown"))
	b.answer("noConsent", answer(5, "noConsent"))
	b.answer("noConsentForThisRoom", answer(6, "noConsentForThisRoom"))
	b.answer("userDeleted", answer(7, "userDeleted"))
	b.wrongAnswer("of a code that there is not", "enum", answer(8, "").bytes())
	b.wrongAnswer("success without clients", "rule", answer(0, "").bytes())
	b.wrongAnswer("success without material for a client", "rule", answer(0, "", success("ClientB1"), exhausted).bytes())
	b.wrongAnswer("noConsent with a client", "rule", answer(5, "", exhausted).bytes())
	b.wrongAnswer("a client's code that there is not", "enum", answer(1, "", part("", object{num8("", 3), text("", "mimi://b.example/d/bob/ClientB1")})).bytes())
	b.statuses(404, 429, 503)
	return b.cases
}

// bundle parts of update.json.
func treeOption(rep uint8, shown string, more ...field) field {
	return part("ratchetTreeOption", append(object{enum("representation", rep, shown)}, more...))
}

// ratchetTree is the tree of an epoch as the data of a ratchet_tree extension.
func (w *world) ratchetTree() octets {
	info := need(w.alice.GroupInfo(mls.GroupInfoOptions{External: true}))
	b, _ := info.Extensions.Find(message.ExtensionRatchetTree)
	return b
}

func fullInfo(info *message.GroupInfo) field {
	return part("groupInfoOption", object{enum("representation", 1, "full"), raw("groupInfo", encoded(info))})
}

func partialInfo(info *message.GroupInfo, presence uint8, shown string) field {
	return part("groupInfoOption", object{enum("representation", 2, "partial"), part("partialGroupInfo", object{
		enum("ratchet_tree_presence", presence, shown), raw("group_info_extensions", encoded(info.Extensions)), data("signature", info.Signature),
	})})
}

// proposals are PublicMessages of alice, for the epoch of the room.
func (w *world) proposals() (rename, leave, byHub octets) {
	parse := func(b octets) message.Proposal { return message.DefaultCodePoints.Proposal(wire.NewReader(b)) }
	rename = need(w.alice.Propose(now, parse(update(0x23, metadataObject(clubhouse, "Salon", "", "", "").bytes())), mls.SendOptions{}))
	leave = need(w.alice.Propose(now, w.cfg.SelfRemoveProposal(), mls.SendOptions{}))
	byHub = need(w.cfg.ExternalProposal(w.alice.GroupID(), w.alice.Epoch(), 0, w.hub, mls.RemoveProposal(1)))
	w.alice.ClearProposals()
	return rename, leave, byHub
}

func messagesField(name string, list ...octets) field {
	all := make([]field, len(list))
	for i, b := range list {
		all[i] = raw("", b)
	}
	return vector(name, all...)
}

// bareWelcome is the Welcome within an MLSMessage.
func bareWelcome(b octets) octets { return encoded(need(message.Parse(b, nil)).Welcome) }

func makeUpdate(m *maker) []any {
	b := endpoint(mimi.EndpointUpdate)
	w := m.roomWorld()
	rename, leave, _ := w.proposals()
	d := func(n int) string { return deviation(mimi1, n) }
	tree := w.ratchetTree()
	full := treeOption(1, "full", raw("ratchet_tree", tree))
	commit := func(welcome, info, option field) object {
		return object{raw("proposalOrCommit", w.added), welcome, info, option}
	}
	b.ask("one proposal", object{raw("proposalOrCommit", rename), vector("moreProposals")}, d(2), d(8))
	b.ask("a proposal of AppDataUpdate and a SelfRemove", object{raw("proposalOrCommit", rename), messagesField("moreProposals", leave)}, d(2), d(8))
	b.ask("a Commit with a Welcome, all in full", commit(some(raw("welcome", bareWelcome(w.welcome))), fullInfo(w.made), full), d(8), d(10), d(21))
	b.ask("a Commit with a partial GroupInfo and no tree", commit(none("welcome"), partialInfo(w.made, 0, "no_ratchet_tree"), treeOption(4, "distributionService")), d(8), d(31))
	b.ask("a Commit with a tree elsewhere", commit(none("welcome"), partialInfo(w.made, 2, "removed"), treeOption(2, "httpsUri", text("ratchet_tree_url", "https://h.example/tree/1"))), d(21), d(22))
	b.ask("a Commit with a tree that its receivers get in another way", commit(none("welcome"), fullInfo(w.made), treeOption(3, "outOfBand")), d(22))
	sent := need(w.alice.Protect([]byte("hello"), mls.SendOptions{}))
	withTree := need(w.alice.GroupInfo(mls.GroupInfoOptions{}))
	b.wrongAsk("an application message", "content", object{raw("", sent), vector("")}.bytes())
	b.wrongAsk("a Welcome", "content", object{raw("", w.welcome), vector("")}.bytes())
	b.wrongAsk("a Commit among more proposals", "content", object{raw("", rename), messagesField("", w.added)}.bytes())
	b.wrongAsk("a GroupInfo of no known form", "enum", object{raw("", w.added), none(""), num8("", 3)}.bytes())
	b.wrongAsk("a tree of no known form", "enum", object{raw("", w.added), none(""), fullInfo(w.made), num8("", 5)}.bytes())
	b.wrongAsk("a GroupInfo with its tree inside", "rule", commit(none(""), fullInfo(withTree), treeOption(4, "")).bytes())
	b.wrongAsk("a tree by http", "rule", commit(none(""), fullInfo(w.made), treeOption(2, "", text("", "http://h.example/tree/1"))).bytes())
	b.wrongAsk("a Commit alone", "truncated", w.added)

	head := func(code uint8, shown, why string, more ...field) object {
		return append(object{enum("responseCode", code, shown), text("errorDescription", why)}, more...)
	}
	refs := vector("invalidProposals", data("", m.random(32)), data("", m.random(32)))
	b.answer("success", head(0, "success", "", num64("accepted_timestamp", millis)), d(40))
	b.answer("success, with something to say", head(0, "success", "danke schön", num64("accepted_timestamp", millis)), d(14), d(40))
	b.answer("wrongEpoch", head(1, "wrongEpoch", "the group is ahead", num64("currentEpoch", 7)), d(14))
	b.answer("notAllowed", head(2, "notAllowed", "lacks canChangeRoomName"), d(14))
	b.answer("invalidProposal, two of them", head(3, "invalidProposal", "no such index", refs), d(14))
	b.answer("invalidProposal, and not which", head(3, "invalidProposal", "", vector("invalidProposals")))
	b.wrongAnswer("of a code that there is not", "enum", head(4, "", "").bytes())
	b.wrongAnswer("success without a time", "truncated", head(0, "", "").bytes())
	b.wrongAnswer("notAllowed with a time", "trailing", head(2, "", "", num64("", millis)).bytes())
	b.wrongAnswer("a description that is not UTF-8", "content", head(2, "", "\xff").bytes(), d(14))
	b.statuses(404, 413, 503)
	return b.cases
}

func makeSubmit(m *maker) []any {
	b := endpoint(mimi.EndpointSubmitMessage)
	w := m.roomWorld()
	applicationData := m.contentOf(user("alice"), clubhouse, "hello")
	says := need(mimi.Disclose(applicationData))
	tag := hmacSHA256(says.Salt, applicationData)
	franked := octets(need(w.alice.Protect(applicationData, mls.SendOptions{Items: message.SafeAAD{{Component: 0x20, Data: tag}}})))
	plainText := octets(need(w.alice.Protect(applicationData, mls.SendOptions{})))
	ask := func(b octets, who string) object {
		return object{mls10(), raw("appMessage", b), text("sendingUri", who)}
	}
	rename, _, _ := w.proposals()
	d := func(n int) string { return deviation(mimi1, n) }
	b.ask("franked", ask(franked, user("alice")))
	b.ask("not franked", ask(plainText, user("alice")))
	b.ask("under a pseudonym", ask(franked, "mimi://a.example/p/koala"))
	b.wrongAsk("a proposal", "content", ask(rename, user("alice")).bytes())
	b.wrongAsk("a Welcome", "content", ask(w.welcome, user("alice")).bytes())
	b.wrongAsk("of another protocol", "enum", append(octets{0}, ask(franked, user("alice")).bytes()[1:]...))
	b.wrongAsk("without a sender", "truncated", object{mls10(), raw("", franked)}.bytes())
	frank := m.frankObject(w.frank, m.random(32), tag, contextObject(user("alice"), clubhouse, millis))
	head := func(code uint8, shown string, more ...field) object {
		return append(object{mls10(), enum("statusCode", code, shown)}, more...)
	}
	b.answer("accepted and franked", head(0, "accepted", num64("accepted_timestamp", millis), some(part("frank", frank))), d(1), d(15))
	b.answer("accepted", head(0, "accepted", num64("accepted_timestamp", millis), none("frank")), d(1), d(15))
	b.answer("notAllowed", head(1, "notAllowed"))
	b.answer("epochTooOld", head(2, "epochTooOld", num64("currentEpoch", 7)))
	b.wrongAnswer("of a code that there is not", "enum", head(3, "").bytes())
	b.wrongAnswer("accepted, and a presence octet of 2", "optional", head(0, "", num64("", millis), num8("", 2)).bytes(), d(15))
	b.wrongAnswer("a frank without its presence octet", "optional", head(0, "", num64("", millis), raw("", append(octets{9}, frank.bytes()[1:]...))).bytes(), d(15))
	b.statuses(404, 429, 503)
	return b.cases
}

func makeNotify(m *maker) []any {
	b := endpoint(mimi.EndpointNotify)
	w := m.roomWorld()
	rename, leave, byHub := w.proposals()
	tag := m.random(32)
	sent := octets(need(w.alice.Protect([]byte("hello"), mls.SendOptions{Items: message.SafeAAD{{Component: 0x20, Data: tag}}})))
	frank := m.frankObject(w.frank, m.random(32), tag, contextObject(user("alice"), clubhouse, millis))
	d := func(n int) string { return deviation(mimi1, n) }
	fanout := func(more int, message octets, last field) field {
		return part("", object{num64("timestamp", millis+uint64(more)), raw("message", message), last})
	}
	// notify is one FanoutMessage behind the other, which JSON shows as a list.
	notify := func(list ...field) object {
		values := make([]any, len(list))
		for i := range list {
			values[i] = list[i].value
		}
		return object{field{"messages", values, object(list).write}}
	}
	info := need(w.alice.GroupInfo(mls.GroupInfoOptions{External: true}))
	cathy := need(mls.NewIdentity(m.suite, []byte(client("cathy"))))
	external := need(mls.JoinExternal(w.cfg, now, cathy, info, mls.ExternalOptions{}))
	nextHub := octets(need(w.cfg.ExternalProposal(w.alice.GroupID(), w.alice.Epoch()+1, 0, w.hub, mls.RemoveProposal(1))))
	application := fanout(0, sent, some(part("frank", frank)))
	welcome := fanout(1, w.welcome, treeOption(1, "full", raw("ratchet_tree", w.ratchetTree())))
	proposal := fanout(2, rename, messagesField("moreProposals", leave))
	commit := fanout(3, w.added, vector("externalProposals"))
	b.ask("an application message with its frank", notify(application), d(8), d(9), d(43))
	b.ask("an application message without one", notify(fanout(0, sent, none("frank"))), d(9), d(15))
	b.ask("a Welcome with the tree", notify(welcome), d(9), d(10), d(21))
	b.ask("a Welcome with the tree elsewhere", notify(fanout(0, w.welcome, treeOption(2, "httpsUri", text("ratchet_tree_url", "https://h.example/tree/1")))), d(22))
	b.ask("a proposal", notify(fanout(0, rename, vector("moreProposals"))), d(9))
	b.ask("two proposals of one bundle", notify(proposal), d(9))
	b.ask("a proposal of the hub", notify(fanout(0, byHub, vector("moreProposals"))), d(9))
	b.ask("a Commit of a member", notify(commit), d(9), d(49))
	b.ask("an external Commit", notify(fanout(0, external.Message, vector("externalProposals"))), d(9), d(49))
	b.ask("an external Commit with a proposal of the hub for the new epoch", notify(fanout(0, external.Message, messagesField("externalProposals", nextHub))), d(9), d(49))
	b.ask("one of each kind, concatenated", notify(proposal, commit, welcome, application), d(46))
	b.ask("the same twice", notify(application, application), d(46))
	wrong := func(name, failure string, list []field, because ...string) {
		b.wrongAsk(name, failure, notify(list...).bytes(), because...)
	}
	one := func(f field) []field { return []field{f} }
	wrong("no message at all", "content", nil)
	wrong("a Commit among more proposals", "content", one(fanout(0, rename, messagesField("", w.added))))
	wrong("a KeyPackage", "content", one(fanout(0, framed(message.Message{KeyPackage: &w.bobKeys.Public}), vector(""))))
	wrong("proposals behind the Commit of a member", "rule", one(fanout(0, w.added, messagesField("", byHub))), d(49))
	wrong("proposals of the old epoch behind an external Commit", "rule", one(fanout(0, external.Message, messagesField("", byHub))), d(49))
	b.wrongAsk("two, the second cut short", "truncated", notify(application, commit).bytes()[:len(notify(application).bytes())+40])
	b.wrongAsk("one and a byte", "truncated", append(notify(application).bytes(), 0))
	b.add("accepted", response, 201, "", octets{}, "", json.RawMessage("null"), []string{d(11)})
	b.add("200, as the figures have it", response, 200, "", octets{}, "", json.RawMessage("null"), []string{d(11)})
	b.statuses(202, 400, 404, 429, 500, 503)
	return b.cases
}

func makeGroupInfo(m *maker) []any {
	b := endpoint(mimi.EndpointGroupInfo)
	key, hubKey := m.signer(), m.signer()
	kem := need(m.suite.GenerateKeyPair())
	d := func(n int) string { return deviation(mimi1, n) }
	head := object{mls10(), num16("cipher_suite", 1), data("requestingSignatureKey", key.Public), basic(client("cathy")), data("groupInfoPublicKey", kem.Public)}
	head[3].name = "requestingCredential"
	ask := func(name string, code, signedCode octets, valid bool) {
		tbs := append(head[:5:5], none("joiningCode"))
		if len(signedCode) > 0 {
			tbs[5] = some(data("joiningCode", signedCode))
		}
		signature := m.sign(key, mimi.LabelGroupInfoRequest, tbs.bytes())
		v := b.ask(name, append(head[:5:5], data("joiningCode", code), data("signature", signature)), d(5))
		if !valid {
			tbs[5] = some(data("joiningCode", code))
		}
		v.Signed = m.signed(mimi.LabelGroupInfoRequest, key, tbs, signature, valid)
	}
	ask("without a joining code", nil, nil, true)
	ask("with a joining code", octets("clubhouse-42"), octets("clubhouse-42"), true)
	ask("with a joining code that is not signed for", octets("clubhouse-42"), nil, false)
	b.wrongAsk("of another protocol", "enum", append(octets{2}, head.bytes()[1:]...))
	b.wrongAsk("without a signature", "truncated", append(head[:5:5], data("", nil)).bytes())

	sender := raw("hub_sender", object{data("", hubKey.Public), basic(hubURI)}.bytes())
	answer := object{enum("version", 1, "mls10"), text("room_id", clubhouse), enum("status", 1, "success"), num16("cipher_suite", 1), sender,
		part("encrypted_groupinfo_and_tree", object{data("kem_output", m.random(32)), data("ciphertext", m.random(80))})}
	signature := m.sign(hubKey, mimi.LabelGroupInfoResponse, answer.bytes())
	v := b.answer("success, of whose ciphertext there are others in group-info-encryption", append(answer[:6:6], data("signature", signature)), d(23), d(33), d(38))
	v.Signed = m.signed(mimi.LabelGroupInfoResponse, hubKey, answer, signature, true)
	stranger := m.sign(key, mimi.LabelGroupInfoResponse, answer.bytes())
	v = b.answer("success, signed by another", append(answer[:6:6], data("signature", stranger)), d(38))
	v.Signed = m.signed(mimi.LabelGroupInfoResponse, hubKey, answer, stranger, false)
	short := func(code uint8, shown string) object {
		return object{enum("version", 1, "mls10"), text("room_id", clubhouse), enum("status", code, shown)}
	}
	b.answer("notAuthorized", short(2, "notAuthorized"), d(38))
	b.answer("noSuchRoom", short(3, "noSuchRoom"), d(38))
	b.wrongAnswer("the reserved code", "enum", short(0, "").bytes())
	b.wrongAnswer("of a code that there is not", "enum", short(4, "").bytes())
	b.wrongAnswer("success and nothing else", "truncated", short(1, "").bytes())
	b.wrongAnswer("notAuthorized with a signature", "trailing", append(short(2, ""), data("", signature)).bytes())
	b.statuses(404, 429, 503)
	return b.cases
}

func extensions(name string, list ...entry) field {
	f := dictionaryField(name, list)[0]
	values := append([]entry{}, list...)
	f.value = values
	return f
}

// consent is a ConsentEntry.
func consent(code uint8, shown string, room, packages field) object {
	o := object{enum("consentOperation", code, shown), text("requesterUri", user("alice")), text("targetUri", user("bob")), room}
	if packages.write != nil {
		o = append(o, packages)
	}
	return append(o, extensions("consent_extensions"))
}

func makeRequestConsent(*maker) []any {
	b := endpoint(mimi.EndpointRequestConsent)
	d := func(n int) string { return deviation(mimi1, n) }
	oneRoom, everyRoom := some(text("roomId", clubhouse)), none("roomId")
	b.ask("request for a room", consent(1, "request", oneRoom, field{}), d(12), d(34))
	b.ask("request for every room", consent(1, "request", everyRoom, field{}), d(34))
	b.ask("cancel for a room", consent(0, "cancel", oneRoom, field{}), d(34))
	b.ask("cancel for every room", consent(0, "cancel", everyRoom, field{}), d(34))
	more := consent(1, "request", everyRoom, field{})
	more[len(more)-1] = extensions("consent_extensions", entry{0x8001, octets("we met in Vienna")})
	b.ask("request with an extension", more, d(34))
	b.wrongAsk("a grant, which goes the other way", "rule", consent(2, "", oneRoom, vector("")).bytes())
	b.wrongAsk("a revocation, which goes the other way", "rule", consent(3, "", oneRoom, field{}).bytes())
	b.wrongAsk("an operation that there is not", "enum", consent(4, "", oneRoom, field{}).bytes())
	b.wrongAsk("a request of nobody", "rule", object{num8("", 1), text("", ""), text("", user("bob")), everyRoom, extensions("")}.bytes(), d(12))
	b.wrongAsk("without extensions", "truncated", consent(1, "", oneRoom, field{}).bytes()[:len(consent(1, "", oneRoom, field{}).bytes())-1])
	b.add("accepted", response, 201, "", octets{}, "", json.RawMessage("null"), []string{d(11)})
	b.statuses(200, 404, 429, 500)
	return b.cases
}

func makeUpdateConsent(m *maker) []any {
	b := endpoint(mimi.EndpointUpdateConsent)
	d := func(n int) string { return deviation(mimi1, n) }
	w := m.roomWorld()
	kp := func() field { return raw("", encoded(&w.keyPackage("bob").Public)) }
	oneRoom, everyRoom := some(text("roomId", clubhouse)), none("roomId")
	b.ask("grant for a room, with KeyPackages", consent(2, "grant", oneRoom, vector("clientKeyPackages", kp(), kp())), d(34), d(42))
	b.ask("grant for every room, without", consent(2, "grant", everyRoom, vector("clientKeyPackages")), d(34))
	b.ask("revoke for a room", consent(3, "revoke", oneRoom, field{}), d(34))
	b.ask("revoke for every room", consent(3, "revoke", everyRoom, field{}), d(34))
	b.wrongAsk("a request, which goes the other way", "rule", consent(1, "", oneRoom, field{}).bytes())
	b.wrongAsk("a cancellation, which goes the other way", "rule", consent(0, "", oneRoom, field{}).bytes())
	b.wrongAsk("a grant without a list of KeyPackages", "truncated", consent(2, "", oneRoom, field{}).bytes())
	b.wrongAsk("a revocation with KeyPackages", "trailing", consent(3, "", oneRoom, vector("")).bytes())
	b.add("accepted", response, 201, "", octets{}, "", json.RawMessage("null"), []string{d(11)})
	b.statuses(200, 404, 429, 500)
	return b.cases
}

func makeIdentifierQuery(*maker) []any {
	b := endpoint(mimi.EndpointIdentifierQuery)
	d := func(n int) string { return deviation(mimi1, n) }
	condition := func(code uint8, shown, value string, more ...field) field {
		return part("", append(append(object{enum("searchType", code, shown)}, more...), text("searchValue", value)))
	}
	ask := func(list ...field) object {
		return object{vector("query_elements", list...), extensions("id_request_extensions")}
	}
	types := []struct {
		shown, value string
		more         []field
	}{
		{"handle", "alice", nil}, {"nick", "Lissy", nil}, {"email", "alice@a.example", nil}, {"phone", "+43 1 5550100", nil}, {"partialName", "lic", nil},
		{"wholeProfile", "cryptography", nil}, {"oidcStdClaim", "Alice", []field{text("claimName", "given_name")}}, {"vcardField", "Example Ltd.", []field{text("propertyName", "ORG")}},
	}
	for i, t := range types {
		b.ask("by "+t.shown, ask(condition(uint8(i+1), t.shown, t.value, t.more...)), d(14), d(39))
	}
	b.ask("by two conditions, which both have to hold", ask(condition(5, "partialName", "Ali"), condition(8, "vcardField", "Example Ltd.", text("propertyName", "ORG"))), d(30))
	b.wrongAsk("no condition", "rule", ask().bytes(), d(30))
	b.wrongAsk("a kind of search that there is not", "enum", ask(condition(9, "", "alice")).bytes())
	b.wrongAsk("a value that is not UTF-8", "content", ask(condition(1, "", "\xff")).bytes(), d(14))

	answer := func(code uint8, shown string, uris []field, profiles ...field) object {
		return object{enum("responseCode", code, shown), vector("uri", uris...), vector("foundProfiles", profiles...), extensions("id_response_extensions")}
	}
	found := []field{text("", user("alice"))}
	profile := part("", object{text("stableUri", user("alice")), vector("fields",
		part("", object{enum("fieldSource", 7, "oidcStdClaim"), text("fieldName", "given_name"), data("fieldValue", []byte("Alice"))}),
		part("", object{enum("fieldSource", 8, "vcardField"), text("fieldName", "ORG"), data("fieldValue", []byte("Example Ltd."))}))})
	b.answer("success, one URI", answer(0, "success", found), d(44))
	b.answer("success, a profile alone", answer(0, "success", nil, profile), d(44))
	b.answer("success, two users and a profile", answer(0, "success", append(found, text("", "mimi://a.example/u/alicia")), profile), d(44))
	b.answer("notFound", answer(1, "notFound", nil))
	b.answer("ambiguous", answer(2, "ambiguous", nil))
	b.answer("forbidden", answer(3, "forbidden", nil))
	b.answer("unsupportedField", answer(4, "unsupportedField", nil))
	b.wrongAnswer("of a code that there is not", "enum", answer(5, "", nil).bytes())
	b.wrongAnswer("success without anybody", "rule", answer(0, "", nil).bytes(), d(44))
	b.wrongAnswer("notFound with somebody", "rule", answer(1, "", found).bytes())
	b.statuses(404, 429, 503)
	return b.cases
}

func makeReportAbuse(m *maker) []any {
	b := endpoint(mimi.EndpointReportAbuse)
	d := func(n int) string { return deviation(mimi1, n) }
	agent, hubKey := m.signer(), m.random(32)
	abusive := func(words string) field {
		applicationData := m.contentOf(user("bob"), clubhouse, words)
		says := need(mimi.Disclose(applicationData))
		frank := m.frankObject(agent, hubKey, hmacSHA256(says.Salt, applicationData), contextObject(user("bob"), clubhouse, millis))
		return part("", object{data("message_content", applicationData), part("frank", frank), num64("accepted_timestamp", millis)})
	}
	report := func(who, note string, list ...field) object {
		return object{text("reportingUser", who), text("allegedAbuserUri", user("bob")), enum("reasonCode", 0, "reserved"), text("note", note), vector("messages", list...), extensions("abuse_extensions")}
	}
	b.ask("a message", report(user("alice"), "He insults me.", abusive("you fool")), d(6), d(13))
	b.ask("two messages, of one who does not say who", report("", "", abusive("you fool"), abusive("you fool!")), d(12), d(13))
	b.ask("no message", report(user("alice"), "He sends to me out of the room."), d(13))
	wrong := report(user("alice"), "")
	wrong[2] = num8("", 1)
	b.wrongAsk("a reason that there is not", "enum", wrong.bytes(), d(13))
	b.wrongAsk("a note that is not UTF-8", "content", report("", "\xff").bytes(), d(14))
	b.wrongAsk("extensions cut off", "truncated", report("", "").bytes()[:len(report("", "").bytes())-1])
	b.add("accepted", response, 201, "", octets{}, "", json.RawMessage("null"), []string{d(26)})
	b.statuses(200, 202, 204, 404, 429, 503)
	return b.cases
}
