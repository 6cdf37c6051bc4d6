package mimi

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// This file is draft-ietf-mimi-protocol-06, Message Franking:
//
//	sender     franking_tag = HMAC_SHA256(salt, application_data)
//	hub        server_frank = HMAC_SHA256(hub_key, franking_tag || context)
//	           franking_integrity_signature = SignWithLabel(., "FrankingIntegrityTBS",
//	                                                        FrankingIntegrityTBS)
//	receiver   verifies the signature, the tag, and who the sender is
//	hub again  verifies its own server_frank of a reported message
//
// The HMAC is with SHA-256 whatever the group's cipher suite, so it is not that of a
// suite.Suite, whose hash varies.

// hmac256 is HMAC_SHA256.
func hmac256(key []byte, data ...[]byte) (tag [TagSize]byte) {
	h := hmac.New(sha256.New, key)
	for _, d := range data {
		h.Write(d)
	}
	h.Sum(tag[:0])
	return tag
}

// FrankingTag returns the franking_tag of a message (Client creation and sending).
// applicationData is all that the PrivateMessage carries, an ApplicationFraming
// included; salt is that of the content in it.
func FrankingTag(salt, applicationData []byte) [TagSize]byte { return hmac256(salt, applicationData) }

// AAD returns the Safe AAD with a message's franking_tag in it. Other components'
// items can be set beside it. points nil means [DefaultCodePoints].
func (f *FrankAAD) AAD(points *CodePoints) message.SafeAAD {
	id := points.orDefault().FrankAAD
	return message.SafeAAD(message.AppDataDictionary(nil).With(id, f.FrankingTag[:]))
}

// FrankAADOf returns the frank_aad in the authenticated_data of a message, or nil if
// there is none: the data is no Safe AAD, or has no such item. An item that is no
// FrankAAD is an error. points nil means [DefaultCodePoints].
func FrankAADOf(authenticatedData []byte, points *CodePoints) (*FrankAAD, error) {
	var aad message.SafeAAD
	if wire.Unmarshal(authenticatedData, &aad) != nil {
		return nil, nil // a room without safe_aad puts there what it likes
	}
	data, ok := message.AppDataDictionary(aad).Find(points.orDefault().FrankAAD)
	if !ok {
		return nil, nil
	}
	f := new(FrankAAD)
	if err := parse(data, "FrankAAD", f.UnmarshalTLS); err != nil {
		return nil, err
	}
	return f, nil
}

// FrankingAgentOf returns the franking agent in the app_data_dictionary of a
// GroupContext, or nil if there is none. points nil means [DefaultCodePoints].
func FrankingAgentOf(context *message.GroupContext, points *CodePoints) (*FrankingAgentData, error) {
	p := points.orDefault()
	data, ok := context.Extensions.Find(p.MLS.AppDataDictionary)
	if !ok {
		return nil, nil
	}
	var d message.AppDataDictionary
	if err := parse(data, "app_data_dictionary", d.UnmarshalTLS); err != nil {
		return nil, err
	}
	if data, ok = d.Find(p.FrankingAgent); !ok {
		return nil, nil
	}
	return ParseFrankingAgentData(data)
}

// HubKey is the key under which a hub franks, known to it alone. It never prints
// itself.
type HubKey []byte

// Format hides the key from every verb of package fmt.
func (HubKey) Format(f fmt.State, _ rune) { io.WriteString(f, "mimi.HubKey(hidden)") }

// NewHubKey draws a key.
func NewHubKey(s suite.Suite) (HubKey, error) {
	k := make(HubKey, sha256.Size)
	if _, err := io.ReadFull(s.Rand(), k); err != nil {
		return nil, fmt.Errorf("mimi: hub key: %w", err)
	}
	return k, nil
}

// ServerFrank returns the server_frank of a message (Hub processing).
func (k HubKey) ServerFrank(tag [TagSize]byte, context *ServerFrankingContext) ([TagSize]byte, error) {
	b, err := wire.Append(make([]byte, 0, 256), context)
	if err != nil {
		return [TagSize]byte{}, fmt.Errorf("mimi: ServerFrankingContext: %w", err)
	}
	return hmac256(k, tag[:], b), nil
}

// NewFrank stamps a message as the hub does (Hub processing). s is of the group's
// suite, and private the key of the franking agent.
func NewFrank(s suite.Suite, key HubKey, private suite.PrivateKey, tag [TagSize]byte, context *ServerFrankingContext) (*Frank, error) {
	server, err := key.ServerFrank(tag, context)
	if err != nil {
		return nil, err
	}
	f := &Frank{ServerFrank: server, FrankingSignatureCiphersuite: s.ID()}
	tbs, err := f.TBS(context)
	if err != nil {
		return nil, err
	}
	f.FrankingIntegritySignature, err = labeled.Sign(s, private, LabelFrankingIntegrity, tbs)
	if err != nil {
		return nil, fmt.Errorf("mimi: Frank: %w", err)
	}
	return f, nil
}

// TBS returns what the integrity signature is over: FrankingIntegrityTBS.
func (f *Frank) TBS(context *ServerFrankingContext) ([]byte, error) {
	return wire.Append(make([]byte, 0, 256), &FrankingIntegrityTBS{f.ServerFrank, f.FrankingSignatureCiphersuite, *context})
}

// FrankStep is a step of the verification of a frank, in their order.
type FrankStep uint8

const (
	FrankSuite     FrankStep = iota + 1 // the suite is the one in use
	FrankAgent                          // there is an agent, and it is the hub's
	FrankSignature                      // the integrity signature verifies
	FrankTag                            // the tag is that of the content
	FrankServer                         // the hub's own HMAC is right; of an abuse report
	FrankSender                         // the sender is who the content says
	FrankRoom                           // the room is the one that the content says
)

var stepNames = map[FrankStep]string{
	FrankSuite:     "suite",
	FrankAgent:     "agent",
	FrankSignature: "signature",
	FrankTag:       "franking_tag",
	FrankServer:    "server_frank",
	FrankSender:    "sender",
	FrankRoom:      "room",
}

// String returns what the step checks.
func (s FrankStep) String() string { return name(stepNames, s) }

// FrankError says at which step a frank did not verify.
type FrankError struct {
	Step FrankStep
	Err  error
}

// Error implements error.
func (e *FrankError) Error() string { return fmt.Sprintf("mimi: frank: %s: %v", e.Step, e.Err) }

// Unwrap returns what went wrong.
func (e *FrankError) Unwrap() error { return e.Err }

func frankError(s FrankStep, format string, args ...any) error {
	return &FrankError{s, fmt.Errorf(format, args...)}
}

// Disclosed is what the content of a message says of itself, as whoever knows the
// format of the content finds it there: in MIMI content the salt and the extensions
// sender_uri and room_uri.
type Disclosed struct {
	Salt      []byte
	SenderURI IdentifierURI
	RoomURI   IdentifierURI
}

// Received is a franked message as its receiver has it (Receiver verification of
// frank).
type Received struct {
	Frank             *Frank
	FrankingTag       [TagSize]byte // of the frank_aad in the message's AAD
	AcceptedTimestamp uint64        // of the FanoutMessage
	ApplicationData   []byte        // as decrypted
	Content           Disclosed     // of ApplicationData

	RoomID IdentifierURI      // of the room that the message came in
	Sender IdentifierURI      // the user whom the credential of the sender's leaf names
	Agent  *FrankingAgentData // of the GroupContext, nil if there is none
	Hub    string             // the hub's domain
}

// Context returns what the hub vouches for, which the receiver stores with the
// message and its frank.
func (m *Received) Context() *ServerFrankingContext {
	return &ServerFrankingContext{m.Content.SenderURI, m.Content.RoomURI, m.AcceptedTimestamp}
}

// Verify checks a frank in the draft's order. s is of the group's suite. What is
// wrong is a [*FrankError].
func (m *Received) Verify(s suite.Suite) error {
	if m.Frank.FrankingSignatureCiphersuite != s.ID() {
		return frankError(FrankSuite, "%s, want %s, which the group uses", m.Frank.FrankingSignatureCiphersuite, s.ID())
	}
	if m.Agent == nil {
		return frankError(FrankAgent, "no franking_agent in the GroupContext, want one")
	}
	if err := CredentialOf(&m.Agent.Credential, m.Hub); err != nil {
		return &FrankError{FrankAgent, err}
	}
	if err := m.Frank.verify(s, m.Agent.FrankingSignatureKey, m.Context()); err != nil {
		return err
	}
	if tag := FrankingTag(m.Content.Salt, m.ApplicationData); !hmac.Equal(tag[:], m.FrankingTag[:]) {
		return frankError(FrankTag, "the tag in the AAD is not that of the content")
	}
	if !m.Sender.Equal(m.Content.SenderURI) {
		return frankError(FrankSender, "the content says %q, the leaf is of %q", m.Content.SenderURI, m.Sender)
	}
	if !m.RoomID.Equal(m.Content.RoomURI) {
		return frankError(FrankRoom, "the content says %q, the message came in %q", m.Content.RoomURI, m.RoomID)
	}
	return nil
}

// verify checks the integrity signature.
func (f *Frank) verify(s suite.Suite, public []byte, context *ServerFrankingContext) error {
	tbs, err := f.TBS(context)
	if err != nil {
		return &FrankError{FrankSignature, err}
	}
	if err := labeled.Verify(s, public, LabelFrankingIntegrity, tbs, f.FrankingIntegritySignature); err != nil {
		return &FrankError{FrankSignature, err}
	}
	return nil
}

// Report is what a hub needs to validate an AbusiveMessage (Report abuse).
type Report struct {
	Message *AbusiveMessage
	Content Disclosed // of Message.MessageContent
	// HubKeys are those that were in use when the message was accepted; the key that
	// fits is the relevant one.
	HubKeys       []HubKey
	Agent         *FrankingAgentData // the room's, then
	AllegedAbuser IdentifierURI      // of the AbuseReport
	RoomID        IdentifierURI      // of the path
}

// Verify checks that the hub franked the message, that is that the alleged abuser
// sent this content in this room at that time. s is of the suite that the frank
// names. What is wrong is a [*FrankError].
func (r *Report) Verify(s suite.Suite) error {
	f := &r.Message.Frank
	if f.FrankingSignatureCiphersuite != s.ID() {
		return frankError(FrankSuite, "%s, want %s", f.FrankingSignatureCiphersuite, s.ID())
	}
	if r.Agent == nil {
		return frankError(FrankAgent, "the room had no franking_agent")
	}
	context := &ServerFrankingContext{r.Content.SenderURI, r.Content.RoomURI, r.Message.AcceptedTimestamp}
	tag := FrankingTag(r.Content.Salt, r.Message.MessageContent)
	found := false
	for _, key := range r.HubKeys {
		want, err := key.ServerFrank(tag, context)
		if err != nil {
			return &FrankError{FrankServer, err}
		}
		found = found || hmac.Equal(want[:], f.ServerFrank[:])
	}
	if !found {
		return frankError(FrankServer, "not made by this hub for this content, sender, room and time")
	}
	if err := f.verify(s, r.Agent.FrankingSignatureKey, context); err != nil {
		return err
	}
	if !r.AllegedAbuser.Equal(r.Content.SenderURI) {
		return frankError(FrankSender, "the content says %q, the report %q", r.Content.SenderURI, r.AllegedAbuser)
	}
	if !r.RoomID.Equal(r.Content.RoomURI) {
		return frankError(FrankRoom, "the content says %q, the report came for %q", r.Content.RoomURI, r.RoomID)
	}
	return nil
}

// CredentialOf says why a credential is not that of the provider with this domain. A
// basic credential is, if its identity is the provider's MIMI URI; an X.509
// credential, if its first certificate is for the domain (RFC 6125). Whether a chain
// is to be trusted is for the caller to know (deviation 24).
func CredentialOf(c *message.Credential, domain string) error {
	want, err := ident.NewURI(ident.KindProvider, domain)
	if err != nil {
		return err
	}
	switch c.Type {
	case message.CredentialBasic:
		got, err := ident.ParseURI(string(c.Identity))
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("credential of %s, want %s", got, want)
		}
		return nil
	case message.CredentialX509:
		if len(c.Chain) == 0 {
			return errors.New("x509 credential without certificates")
		}
		leaf, err := x509.ParseCertificate(c.Chain[0])
		if err != nil {
			return err
		}
		return leaf.VerifyHostname(want.Provider())
	}
	return fmt.Errorf("credential of type %v, want basic or x509", c.Type)
}
