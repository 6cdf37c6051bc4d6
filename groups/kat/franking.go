package kat

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// frankingTag returns the franking_tag in a Safe AAD, nil if there is none.
func frankingTag(authenticatedData []byte) ([]byte, error) {
	f, err := mimi.FrankAADOf(authenticatedData, nil)
	if err != nil || f == nil {
		return nil, err
	}
	return f.FrankingTag[:], nil
}

// frankingCase is one of franking.json: how a frank is made, and then what a receiver
// or the hub says of one.
type frankingCase struct {
	head
	Suite           suite.ID `json:"cipher_suite"`
	ApplicationData octets   `json:"application_data"`
	Salt            octets   `json:"salt"`
	SenderURI       string   `json:"sender_uri"`
	RoomURI         string   `json:"room_uri"`
	Timestamp       uint64   `json:"accepted_timestamp"`
	Tag             octets   `json:"franking_tag"`
	Context         octets   `json:"context"`
	HubKey          octets   `json:"hub_key"`
	ServerFrank     octets   `json:"server_frank"`
	TBS             octets   `json:"franking_integrity_tbs"`
	Private         octets   `json:"franking_signature_priv"`
	Agent           octets   `json:"franking_agent"`
	Frank           octets   `json:"frank"`

	Received *receivedCase `json:"received"` // null if it is a report
	Report   *reportCase   `json:"report"`   // null if it is received
}

// receivedCase is a franked message as its receiver has it.
type receivedCase struct {
	Frank     octets  `json:"frank"`
	Tag       octets  `json:"franking_tag"`
	Timestamp uint64  `json:"timestamp"`
	RoomID    string  `json:"room_id"`
	Sender    string  `json:"sender"`
	Agent     *octets `json:"franking_agent"`
	Hub       string  `json:"hub"`
	Refused   string  `json:"refused"`
}

// reportCase is one as the hub has it in an AbuseReport.
type reportCase struct {
	Content   octets   `json:"message_content"`
	Frank     octets   `json:"frank"`
	Timestamp uint64   `json:"accepted_timestamp"`
	HubKeys   []octets `json:"hub_keys"`
	Agent     octets   `json:"franking_agent"`
	Abuser    string   `json:"alleged_abuser_uri"`
	RoomID    string   `json:"room_id"`
	Refused   string   `json:"refused"`
}

// hmacSHA256 is the HMAC of the draft's formulas.
func hmacSHA256(key []byte, parts ...[]byte) octets {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func checkFranking(c *checker, v *frankingCase) {
	s, ok := c.withSuite(v.Suite)
	if !ok {
		return
	}
	says, err := mimi.Disclose(v.ApplicationData)
	if !c.ok("application_data", err) {
		return
	}
	c.equal("salt", says.Salt, v.Salt)
	same(c, "sender_uri", string(says.SenderURI), v.SenderURI)
	same(c, "room_uri", string(says.RoomURI), v.RoomURI)
	c.equal("franking_tag", hmacSHA256(v.Salt, v.ApplicationData), v.Tag)
	context := mimi.ServerFrankingContext{SenderURI: mimi.IdentifierURI(v.SenderURI), RoomURI: mimi.IdentifierURI(v.RoomURI), AcceptedTimestamp: v.Timestamp}
	if b, err := wire.Marshal(&context); c.ok("context", err) {
		c.equal("context", b, v.Context)
	}
	c.equal("server_frank", hmacSHA256(v.HubKey, v.Tag, v.Context), v.ServerFrank)
	agent, err := mimi.ParseFrankingAgentData(v.Agent)
	if !c.ok("franking_agent", err) {
		return
	}
	c.keyPair("franking_signature_priv", v.Private, agent.FrankingSignatureKey, s.SignerPublicKey)
	frank := c.readFrank("frank", v.Frank)
	if frank == nil {
		return
	}
	c.equal("frank (server_frank)", frank.ServerFrank[:], v.ServerFrank)
	same(c, "frank (franking_signature_ciphersuite)", frank.FrankingSignatureCiphersuite, v.Suite)
	if b, err := frank.TBS(&context); c.ok("franking_integrity_tbs", err) {
		c.equal("franking_integrity_tbs", b, v.TBS)
	}
	c.ok("frank (franking_integrity_signature)", labeled.Verify(s, agent.FrankingSignatureKey, mimi.LabelFrankingIntegrity, v.TBS, frank.FrankingIntegritySignature))
	same(c, "received or report", v.Received != nil, v.Report == nil)
	if v.Received != nil {
		c.received(s, v.ApplicationData, says, v.Received)
	}
	if v.Report != nil {
		c.report(s, v.Report)
	}
}

func (c *checker) readFrank(what string, b octets) *mimi.Frank {
	f := new(mimi.Frank)
	if !c.ok(what, wire.Unmarshal(b, f)) {
		return nil
	}
	return f
}

// refused is the step at which a frank was refused, "" if it was not.
func refused(err error) string {
	var f *mimi.FrankError
	if errors.As(err, &f) {
		return f.Step.String()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func (c *checker) received(s suite.Suite, applicationData []byte, says mimi.Disclosed, v *receivedCase) {
	m := &mimi.Received{
		Frank: c.readFrank("received.frank", v.Frank), AcceptedTimestamp: v.Timestamp, ApplicationData: applicationData, Content: says,
		RoomID: mimi.IdentifierURI(v.RoomID), Sender: mimi.IdentifierURI(v.Sender), Hub: v.Hub,
	}
	if m.Frank == nil || !same(c, "received.franking_tag (bytes)", len(v.Tag), mimi.TagSize) {
		return
	}
	copy(m.FrankingTag[:], v.Tag)
	if v.Agent != nil {
		var err error
		if m.Agent, err = mimi.ParseFrankingAgentData(*v.Agent); !c.ok("received.franking_agent", err) {
			return
		}
	}
	same(c, "received.refused", refused(m.Verify(s)), v.Refused)
}

func (c *checker) report(s suite.Suite, v *reportCase) {
	says, err := mimi.Disclose(v.Content)
	if !c.ok("report.message_content", err) {
		return
	}
	f := c.readFrank("report.frank", v.Frank)
	agent, err := mimi.ParseFrankingAgentData(v.Agent)
	if !c.ok("report.franking_agent", err) || f == nil {
		return
	}
	r := &mimi.Report{
		Message: &mimi.AbusiveMessage{MessageContent: v.Content, Frank: *f, AcceptedTimestamp: v.Timestamp}, Content: says,
		Agent: agent, AllegedAbuser: mimi.IdentifierURI(v.Abuser), RoomID: mimi.IdentifierURI(v.RoomID),
	}
	for _, k := range v.HubKeys {
		r.HubKeys = append(r.HubKeys, mimi.HubKey(k))
	}
	same(c, "report.refused", refused(r.Verify(s)), v.Refused)
}

// contextObject is a ServerFrankingContext.
func contextObject(sender, room string, at uint64) object {
	return object{text("sender_uri", sender), text("room_uri", room), num64("accepted_timestamp", at)}
}

// frankObject stamps a message as the hub does.
func (m *maker) frankObject(key suite.KeyPair, hubKey, tag octets, context object) object {
	server := hmacSHA256(hubKey, tag, context.bytes())
	tbs := object{raw("server_frank", server), num16("franking_signature_ciphersuite", uint16(m.suite.ID())), part("context", context)}
	return object{raw("server_frank", server), num16("franking_signature_ciphersuite", uint16(m.suite.ID())), data("franking_integrity_signature", m.sign(key, mimi.LabelFrankingIntegrity, tbs.bytes()))}
}

// contentOf is a message of MIMI content that says whose it is.
func (m *maker) contentOf(sender, room, words string) octets {
	msg := need(content.New(m.suite, sender, room, content.Text(words)))
	return need(msg.Marshal())
}

func makeFranking(m *maker) []any {
	agentKey, strangerKey, hubKey, otherHubKey := m.signer(), m.signer(), m.random(32), m.random(32)
	sender := user("alice")
	const hub = "h.example"
	plainData := m.contentOf(sender, clubhouse, "hello")
	otherData := m.contentOf(sender, clubhouse, "other words")
	framedData := object{part("media_type", object{text("type", "application/mimi-content"), vector("parameters")}), data("inner_application_content", plainData)}.bytes()
	defaultData := object{part("media_type", object{text("type", ""), vector("parameters")}), data("inner_application_content", plainData)}.bytes()
	agent := agentObject(agentKey.Public).bytes()
	base := func(name, section string, applicationData octets, because ...string) *frankingCase {
		says := need(mimi.Disclose(applicationData)) // the content's own format is another draft's
		tag := hmacSHA256(says.Salt, applicationData)
		context := contextObject(sender, clubhouse, millis)
		frank := m.frankObject(agentKey, hubKey, tag, context)
		tbs := append(frank[:2:2], part("context", context))
		return &frankingCase{
			head: newHead(name, section, because...), Suite: m.suite.ID(), ApplicationData: applicationData, Salt: octets(says.Salt), SenderURI: sender, RoomURI: clubhouse, Timestamp: millis,
			Tag: tag, Context: context.bytes(), HubKey: hubKey, ServerFrank: hmacSHA256(hubKey, tag, context.bytes()), TBS: tbs.bytes(), Private: seed(agentKey), Agent: agent, Frank: frank.bytes(),
		}
	}
	var cases []any
	receive := func(name, refusedAt string, f func(*frankingCase, *receivedCase), because ...string) {
		v := base(name, protocolSection+"Receiver verification of frank", plainData, because...)
		r := &receivedCase{Frank: v.Frank, Tag: v.Tag, Timestamp: millis, RoomID: clubhouse, Sender: sender, Agent: &agent, Hub: hub, Refused: refusedAt}
		f(v, r)
		v.Received = r
		cases = append(cases, v)
	}
	report := func(name, refusedAt string, f func(*frankingCase, *reportCase), because ...string) {
		v := base(name, protocolSection+"Report abuse", plainData, because...)
		r := &reportCase{Content: v.ApplicationData, Frank: v.Frank, Timestamp: millis, HubKeys: []octets{hubKey}, Agent: agent, Abuser: sender, RoomID: clubhouse, Refused: refusedAt}
		f(v, r)
		v.Report = r
		cases = append(cases, v)
	}
	again := func(v *frankingCase, applicationData octets) *frankingCase {
		w := base(v.Name, v.Section, applicationData, v.Deviations...)
		*v = *w
		return v
	}
	flip := func(b octets, at int) octets {
		b = append(octets{}, b...)
		b[at] ^= 1
		return b
	}
	d := func(n int) string { return deviation(mimi1, n) }

	receive("content alone", "", func(*frankingCase, *receivedCase) {}, d(32))
	receive("content with its media type in front", "", func(v *frankingCase, r *receivedCase) {
		again(v, framedData)
		r.Frank, r.Tag = v.Frank, v.Tag
	}, d(6))
	receive("content with an empty media type in front", "", func(v *frankingCase, r *receivedCase) {
		again(v, defaultData)
		r.Frank, r.Tag = v.Frank, v.Tag
	}, d(6))
	receive("the leaf and the path have other spellings of the names", "", func(_ *frankingCase, r *receivedCase) {
		r.Sender, r.RoomID = "mimi://A.example/u/alice", "mimi://H.EXAMPLE/r/clubhouse"
	}, d(32))
	receive("the frank names another cipher suite", "suite", func(_ *frankingCase, r *receivedCase) { r.Frank = flip(r.Frank, 33) }, d(50))
	receive("the GroupContext has no franking agent", "agent", func(_ *frankingCase, r *receivedCase) { r.Agent = nil })
	receive("the franking agent is of another domain", "agent", func(_ *frankingCase, r *receivedCase) { r.Hub = "b.example" }, d(24))
	receive("the franking agent is of a subdomain", "agent", func(_ *frankingCase, r *receivedCase) { r.Hub = "mimi.h.example" }, d(24))
	receive("the signature is another agent's", "signature", func(_ *frankingCase, r *receivedCase) {
		other := agentObject(strangerKey.Public).bytes()
		r.Agent = &other
	})
	receive("a bit of the signature differs", "signature", func(_ *frankingCase, r *receivedCase) { r.Frank = flip(r.Frank, 40) })
	receive("a bit of the server_frank differs", "signature", func(_ *frankingCase, r *receivedCase) { r.Frank = flip(r.Frank, 0) })
	receive("the hub accepted it at another time", "signature", func(_ *frankingCase, r *receivedCase) { r.Timestamp++ }, d(43))
	receive("the tag is of other content", "franking_tag", func(v *frankingCase, r *receivedCase) {
		r.Tag = hmacSHA256(v.Salt, otherData)
	})
	receive("the hub franked the tag of other content", "franking_tag", func(v *frankingCase, r *receivedCase) {
		r.Tag = hmacSHA256(v.Salt, otherData)
		r.Frank = m.frankObject(agentKey, hubKey, r.Tag, contextObject(sender, clubhouse, millis)).bytes()
	})
	receive("the hub franked another sender", "signature", func(v *frankingCase, r *receivedCase) {
		r.Frank = m.frankObject(agentKey, hubKey, v.Tag, contextObject(user("bob"), clubhouse, millis)).bytes()
	})
	receive("the hub spelled the sender in another way", "signature", func(v *frankingCase, r *receivedCase) {
		r.Frank = m.frankObject(agentKey, hubKey, v.Tag, contextObject("mimi://A.example/u/alice", clubhouse, millis)).bytes()
	}, d(32))
	receive("the leaf is of another user", "sender", func(_ *frankingCase, r *receivedCase) { r.Sender = user("bob") })
	receive("it came in another room", "room", func(_ *frankingCase, r *receivedCase) { r.RoomID = "mimi://h.example/r/other" })

	report("a report", "", func(*frankingCase, *reportCase) {})
	report("a report after the hub has changed its key", "", func(_ *frankingCase, r *reportCase) { r.HubKeys = []octets{otherHubKey, hubKey} })
	report("a report of content with its media type in front", "", func(v *frankingCase, r *reportCase) {
		again(v, framedData)
		r.Content, r.Frank = v.ApplicationData, v.Frank
	}, d(6))
	report("a report without the media type that was in front", "server_frank", func(v *frankingCase, r *reportCase) {
		again(v, framedData)
		r.Frank = v.Frank
	}, d(6))
	report("a report of what was not said", "server_frank", func(_ *frankingCase, r *reportCase) { r.Content = otherData })
	report("a report of another time", "server_frank", func(_ *frankingCase, r *reportCase) { r.Timestamp++ })
	report("a report to another hub", "server_frank", func(_ *frankingCase, r *reportCase) { r.HubKeys = []octets{otherHubKey} })
	report("a report to a hub without keys", "server_frank", func(_ *frankingCase, r *reportCase) { r.HubKeys = []octets{} })
	report("a report with a signature that differs in a bit", "signature", func(_ *frankingCase, r *reportCase) { r.Frank = flip(r.Frank, 40) })
	report("a report with another agent", "signature", func(_ *frankingCase, r *reportCase) { r.Agent = agentObject(strangerKey.Public).bytes() })
	report("a report with a frank of another cipher suite", "suite", func(_ *frankingCase, r *reportCase) { r.Frank = flip(r.Frank, 33) }, d(50))
	report("a report of another user", "sender", func(_ *frankingCase, r *reportCase) { r.Abuser = user("bob") })
	report("a report for another room", "room", func(_ *frankingCase, r *reportCase) { r.RoomID = "mimi://h.example/r/other" })
	return cases
}
