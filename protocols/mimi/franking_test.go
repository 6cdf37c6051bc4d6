package mimi

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// seeded returns a suite whose keys and signatures are the same in every run.
func seeded(t testing.TB, id suite.ID, label string) suite.Suite {
	t.Helper()
	s, err := suite.NewSeeded(id, [32]byte{1}, label)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signer(t testing.TB, s suite.Suite) suite.KeyPair {
	t.Helper()
	k, err := s.GenerateSigner()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// independent computes HMAC-SHA256 by RFC 2104, Section 2, from SHA-256 alone.
func independent(key, data []byte) [32]byte {
	block := make([]byte, 64)
	copy(block, key)
	inner, outer := []byte{}, []byte{}
	for _, b := range block {
		inner, outer = append(inner, b^0x36), append(outer, b^0x5c)
	}
	sum := sha256.Sum256(append(inner, data...))
	return sha256.Sum256(append(outer, sum[:]...))
}

const (
	bob  = IdentifierURI("mimi://b.example/u/bob")
	room = IdentifierURI("mimi://hub.example/r/clubhouse")
	when = 1762000000123
)

// franked is a message that a hub has franked, as its receiver has it, and what the
// hub has.
type franked struct {
	suite  suite.Suite
	hubKey HubKey
	agent  suite.KeyPair
	Received
}

func newFranked(t testing.TB, id suite.ID) *franked {
	t.Helper()
	f := &franked{suite: seeded(t, id, "hub")}
	var err error
	if f.hubKey, err = NewHubKey(f.suite); err != nil {
		t.Fatal(err)
	}
	f.agent = signer(t, f.suite)
	f.Received = Received{
		AcceptedTimestamp: when,
		ApplicationData:   []byte("salt and content"),
		Content:           Disclosed{Salt: []byte("sixteen bytes 00"), SenderURI: bob, RoomURI: room},
		RoomID:            room,
		Sender:            bob,
		Agent:             &FrankingAgentData{f.agent.Public, message.BasicCredential([]byte("mimi://hub.example"))},
		Hub:               "hub.example",
	}
	f.FrankingTag = FrankingTag(f.Content.Salt, f.ApplicationData)
	if f.Frank, err = NewFrank(f.suite, f.hubKey, f.agent.Private, f.FrankingTag, f.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *franked) report() *Report {
	return &Report{
		Message:       &AbusiveMessage{f.ApplicationData, *f.Frank, f.AcceptedTimestamp},
		Content:       f.Content,
		HubKeys:       []HubKey{[]byte("an older key"), f.hubKey},
		Agent:         f.Agent,
		AllegedAbuser: bob,
		RoomID:        room,
	}
}

// TestFrankFormulas computes what a hub and a sender compute, from SHA-256 and the
// presentation language alone (Message Franking).
func TestFrankFormulas(t *testing.T) {
	t.Parallel()
	f := newFranked(t, 1)
	if want := independent(f.Content.Salt, f.ApplicationData); f.FrankingTag != want {
		t.Errorf("franking_tag is %x, want %x", f.FrankingTag, want)
	}
	context := append([]byte{byte(len(bob))}, bob...)
	context = append(append(context, byte(len(room))), room...)
	context = binary.BigEndian.AppendUint64(context, when)
	if want := independent(f.hubKey, append(f.FrankingTag[:], context...)); f.Frank.ServerFrank != want {
		t.Errorf("server_frank is %x, want %x", f.Frank.ServerFrank, want)
	}
	tbs := append(append(f.Frank.ServerFrank[:], 0, 1), context...)
	if got, err := f.Frank.TBS(f.Context()); err != nil || !bytes.Equal(got, tbs) {
		t.Errorf("FrankingIntegrityTBS is %x, %v, want %x", got, err, tbs)
	}
	label := "MLS 1.0 FrankingIntegrityTBS"
	content := append(append([]byte{byte(len(label))}, label...), 0x40, byte(len(tbs)))
	content = append(content, tbs...)
	if err := f.suite.Verify(f.agent.Public, content, f.Frank.FrankingIntegritySignature); err != nil {
		t.Errorf("the signature is not over %q: %v", content, err)
	}
}

// TestFrankVerifies: what a hub franks, receivers and the hub itself verify, under
// every suite.
func TestFrankVerifies(t *testing.T) {
	t.Parallel()
	for _, id := range suite.IDs() {
		f := newFranked(t, id)
		if err := f.Verify(f.suite); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if err := f.report().Verify(f.suite); err != nil {
			t.Errorf("%s: reported: %v", id, err)
		}
	}
}

// TestFrankSteps: each step of a receiver's verification fails by its name if the
// thing that it is about is wrong, and the draft's order decides which is named.
func TestFrankSteps(t *testing.T) {
	t.Parallel()
	other := seeded(t, 1, "other")
	tests := []struct {
		name  string
		spoil func(*franked)
		want  FrankStep
	}{
		{"another suite", func(f *franked) { f.Frank.FrankingSignatureCiphersuite = 3 }, FrankSuite},
		{"suite before all others", func(f *franked) { f.Frank.FrankingSignatureCiphersuite = 3; f.Agent = nil; f.FrankingTag[0]++ }, FrankSuite},
		{"no agent", func(f *franked) { f.Agent = nil }, FrankAgent},
		{"agent of a follower", func(f *franked) { f.Agent.Credential = message.BasicCredential([]byte("mimi://b.example")) }, FrankAgent},
		{"agent that is a user", func(f *franked) {
			f.Agent.Credential = message.BasicCredential([]byte("mimi://hub.example/u/hub"))
		}, FrankAgent},
		{"agent with no URI", func(f *franked) { f.Agent.Credential = message.BasicCredential([]byte("hub.example")) }, FrankAgent},
		{"agent with an unknown credential", func(f *franked) { f.Agent.Credential.Type = 0x0a0a }, FrankAgent},
		{"agent without certificates", func(f *franked) { f.Agent.Credential = message.Credential{Type: message.CredentialX509} }, FrankAgent},
		{"another key", func(f *franked) { f.Agent.FrankingSignatureKey = signer(t, other).Public }, FrankSignature},
		{"no key", func(f *franked) { f.Agent.FrankingSignatureKey = nil }, FrankSignature},
		{"timestamp changed on the way", func(f *franked) { f.AcceptedTimestamp++ }, FrankSignature},
		{"server_frank changed on the way", func(f *franked) { f.Frank.ServerFrank[31]++ }, FrankSignature},
		{"signature changed on the way", func(f *franked) { f.Frank.FrankingIntegritySignature[0]++ }, FrankSignature},
		{"hub was told of another sender", func(f *franked) {
			c := f.Context()
			c.SenderURI = "mimi://b.example/u/mallory"
			f.Frank, _ = NewFrank(f.suite, f.hubKey, f.agent.Private, f.FrankingTag, c)
		}, FrankSignature},
		{"signature before tag", func(f *franked) { f.AcceptedTimestamp++; f.FrankingTag[0]++ }, FrankSignature},
		{"tag of another message", func(f *franked) { f.FrankingTag[0]++ }, FrankTag},
		{"content of another message", func(f *franked) { f.ApplicationData = []byte("other") }, FrankTag},
		{"another salt", func(f *franked) { f.Content.Salt = []byte("sixteen bytes 01") }, FrankTag},
		{"sent by another member", func(f *franked) { f.Sender = "mimi://b.example/u/mallory" }, FrankSender},
		{"sender before room", func(f *franked) { f.Sender, f.RoomID = "", "" }, FrankSender},
		{"in another room", func(f *franked) { f.RoomID = "mimi://hub.example/r/other" }, FrankRoom},
		{"room unknown", func(f *franked) { f.RoomID = "" }, FrankRoom},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFranked(t, 1)
			tt.spoil(f)
			err := f.Verify(f.suite)
			if e := (*FrankError)(nil); !errors.As(err, &e) || e.Step != tt.want {
				t.Errorf("%v, want a failure at %s", err, tt.want)
			}
		})
	}
}

// TestReportSteps: the same for an abuse report.
func TestReportSteps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(*Report)
		want  FrankStep
	}{
		{"another suite", func(r *Report) { r.Message.Frank.FrankingSignatureCiphersuite = 3 }, FrankSuite},
		{"no agent", func(r *Report) { r.Agent = nil }, FrankAgent},
		{"no relevant key", func(r *Report) { r.HubKeys = r.HubKeys[:1] }, FrankServer},
		{"no keys", func(r *Report) { r.HubKeys = nil }, FrankServer},
		{"made-up content", func(r *Report) { r.Message.MessageContent = []byte("other") }, FrankServer},
		{"made-up salt", func(r *Report) { r.Content.Salt = nil }, FrankServer},
		{"made-up sender", func(r *Report) { r.Content.SenderURI = "mimi://b.example/u/mallory" }, FrankServer},
		{"made-up room", func(r *Report) { r.Content.RoomURI = "mimi://hub.example/r/other" }, FrankServer},
		{"made-up time", func(r *Report) { r.Message.AcceptedTimestamp++ }, FrankServer},
		{"made-up frank", func(r *Report) { r.Message.Frank.ServerFrank[0]++ }, FrankServer},
		{"sender too long to have been franked", func(r *Report) { r.Content.SenderURI = IdentifierURI(make([]byte, 2000)) }, FrankServer},
		{"made-up signature", func(r *Report) { r.Message.Frank.FrankingIntegritySignature[0]++ }, FrankSignature},
		{"another's message", func(r *Report) { r.AllegedAbuser = "mimi://b.example/u/mallory" }, FrankSender},
		{"nobody", func(r *Report) { r.AllegedAbuser = "" }, FrankSender},
		{"another room's message", func(r *Report) { r.RoomID = "mimi://hub.example/r/other" }, FrankRoom},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFranked(t, 1)
			r := f.report()
			tt.spoil(r)
			err := r.Verify(f.suite)
			if e := (*FrankError)(nil); !errors.As(err, &e) || e.Step != tt.want {
				t.Errorf("%v, want a failure at %s", err, tt.want)
			}
		})
	}
}

// TestReportNeedsApplicationData: what is disclosed is all that the tag is over, with
// the framing (deviation 6).
func TestReportNeedsApplicationData(t *testing.T) {
	t.Parallel()
	f := newFranked(t, 1)
	framing := message.ApplicationFraming{MediaType: message.MediaType{Type: []byte("application/mimi-content")}, Content: []byte("content")}
	data, err := wire.Marshal(&framing)
	if err != nil {
		t.Fatal(err)
	}
	f.ApplicationData, f.FrankingTag = data, FrankingTag(f.Content.Salt, data)
	if f.Frank, err = NewFrank(f.suite, f.hubKey, f.agent.Private, f.FrankingTag, f.Context()); err != nil {
		t.Fatal(err)
	}
	r := f.report()
	if err := r.Verify(f.suite); err != nil {
		t.Errorf("with the framing: %v", err)
	}
	r.Message.MessageContent = framing.Content
	if e := (*FrankError)(nil); !errors.As(r.Verify(f.suite), &e) || e.Step != FrankServer {
		t.Errorf("without the framing it verified, or failed elsewhere: %v", e)
	}
}

// TestFrankURIsByteForByte: what the hub vouches for are the bytes that the sender
// gave, so that one URI in two spellings makes two franks; who the sender is compares
// in canonical form (deviation 32).
func TestFrankURIsByteForByte(t *testing.T) {
	t.Parallel()
	f := newFranked(t, 1)
	f.Sender, f.RoomID = "mimi://B.example/u/bob", "MIMI://hub.example/r/clubhouse"
	if err := f.Verify(f.suite); err != nil {
		t.Errorf("another spelling of the same names: %v", err)
	}
	f.Content.SenderURI = "mimi://B.example/u/bob"
	if e := (*FrankError)(nil); !errors.As(f.Verify(f.suite), &e) || e.Step != FrankSignature {
		t.Errorf("another spelling in the content verified, or failed elsewhere: %v", e)
	}
}

// TestFrankAAD: the tag comes out of the AAD that it was put in, beside others' items.
func TestFrankAAD(t *testing.T) {
	t.Parallel()
	points := DefaultCodePoints
	points.FrankAAD = 0x8020
	for _, p := range []*CodePoints{nil, &points} {
		f := &FrankAAD{FrankingTag: [32]byte{7}}
		aad := message.SafeAAD(message.AppDataDictionary(f.AAD(p)).With(9, []byte("x")))
		b, err := wire.Marshal(aad)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := FrankAADOf(b, p); err != nil || got == nil || *got != *f {
			t.Errorf("FrankAADOf(%x) = %v, %v, want %v", b, got, err, f)
		}
	}
	for _, none := range []string{"", "junk", "\x00", "\x04\x00\x09\x01x"} {
		if got, err := FrankAADOf([]byte(none), nil); err != nil || got != nil {
			t.Errorf("FrankAADOf(%q) = %v, %v, want none", none, got, err)
		}
	}
	if _, err := FrankAADOf([]byte("\x04\x00\x20\x01x"), nil); !errors.Is(err, wire.ErrTruncated) {
		t.Errorf("an item of one byte: %v, want it to be short", err)
	}
	if got, err := FrankAADOf([]byte("\x04\x00\x20\x01x"), &points); err != nil || got != nil {
		t.Errorf("an item by another number: %v, %v, want none", got, err)
	}
}

// TestFrankingAgentOf: the agent comes out of the GroupContext.
func TestFrankingAgentOf(t *testing.T) {
	t.Parallel()
	agent := &FrankingAgentData{[]byte("key"), message.BasicCredential([]byte("mimi://hub.example"))}
	data, err := wire.Marshal(agent)
	if err != nil {
		t.Fatal(err)
	}
	context := func(id message.ComponentID, data []byte) *message.GroupContext {
		b, err := wire.Marshal(message.AppDataDictionary(nil).With(id, data))
		if err != nil {
			t.Fatal(err)
		}
		return &message.GroupContext{Extensions: message.Extensions(nil).With(DefaultCodePoints.MLS.AppDataDictionary, b)}
	}
	got, err := FrankingAgentOf(context(0x0021, data), nil)
	if err != nil || got == nil || !bytes.Equal(got.FrankingSignatureKey, agent.FrankingSignatureKey) {
		t.Errorf("FrankingAgentOf = %v, %v", got, err)
	}
	for name, c := range map[string]*message.GroupContext{"no dictionary": {}, "no component": context(0x0022, data)} {
		if got, err := FrankingAgentOf(c, nil); got != nil || err != nil {
			t.Errorf("%s: %v, %v, want none", name, got, err)
		}
	}
	broken := &message.GroupContext{Extensions: message.Extensions(nil).With(DefaultCodePoints.MLS.AppDataDictionary, []byte("x"))}
	for name, c := range map[string]*message.GroupContext{"component": context(0x0021, data[1:]), "dictionary": broken} {
		if got, err := FrankingAgentOf(c, nil); got != nil || err == nil {
			t.Errorf("a broken %s: %v, %v, want an error", name, got, err)
		}
	}
}

// TestCredentialOfCertificate: a certificate is the hub's by its DNS names.
func TestCredentialOfCertificate(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), ones{})
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"hub.example"}, NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(ones{}, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c := &message.Credential{Type: message.CredentialX509, Chain: []message.Certificate{der}}
	if err := CredentialOf(c, "hub.example"); err != nil {
		t.Error(err)
	}
	for _, domain := range []string{"b.example", "sub.hub.example", "example", "hub.example/u/x", ""} {
		if CredentialOf(c, domain) == nil {
			t.Errorf("it was taken for %q", domain)
		}
	}
	c.Chain[0] = der[1:]
	if CredentialOf(c, "hub.example") == nil {
		t.Error("a broken certificate was taken")
	}
}

// ones is a source of nothing but ones.
type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 1
	}
	return len(p), nil
}

// TestSecretsHidden: no verb prints a key.
func TestSecretsHidden(t *testing.T) {
	t.Parallel()
	for _, v := range []any{HubKey("secret"), LinkKey("secret")} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if s := fmt.Sprintf(verb, v); bytes.Contains([]byte(s), []byte("secret")) || !bytes.Contains([]byte(s), []byte("hidden")) {
				t.Errorf("%s prints %q", verb, s)
			}
		}
	}
}

// TestIndependent: the HMAC of these tests is HMAC-SHA256.
func TestIndependent(t *testing.T) {
	t.Parallel()
	h := hmac.New(sha256.New, []byte("key"))
	h.Write([]byte("data"))
	if got := independent([]byte("key"), []byte("data")); !bytes.Equal(got[:], h.Sum(nil)) {
		t.Errorf("%x, want %x", got, h.Sum(nil))
	}
}
