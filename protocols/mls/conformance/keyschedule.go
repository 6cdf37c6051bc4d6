package conformance

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// keyScheduleCase is one of key-schedule.json.
type keyScheduleCase struct {
	suited
	GroupID           octets  `json:"group_id"`
	InitialInitSecret octets  `json:"initial_init_secret"`
	Epochs            []epoch `json:"epochs"`
}

type epoch struct {
	TreeHash                octets `json:"tree_hash"`
	CommitSecret            octets `json:"commit_secret"`
	PSKSecret               octets `json:"psk_secret"`
	ConfirmedTranscriptHash octets `json:"confirmed_transcript_hash"`

	GroupContext       octets `json:"group_context"`
	JoinerSecret       octets `json:"joiner_secret"`
	WelcomeSecret      octets `json:"welcome_secret"`
	InitSecret         octets `json:"init_secret"`
	SenderDataSecret   octets `json:"sender_data_secret"`
	EncryptionSecret   octets `json:"encryption_secret"`
	ExporterSecret     octets `json:"exporter_secret"`
	EpochAuthenticator octets `json:"epoch_authenticator"`
	ExternalSecret     octets `json:"external_secret"`
	ConfirmationKey    octets `json:"confirmation_key"`
	MembershipKey      octets `json:"membership_key"`
	ResumptionPSK      octets `json:"resumption_psk"`
	ExternalPub        octets `json:"external_pub"`
	Exporter           struct {
		Label   string `json:"label"`
		Context octets `json:"context"`
		Length  uint32 `json:"length"`
		Secret  octets `json:"secret"`
	} `json:"exporter"`
}

func checkKeySchedule(c *checker, s suite.Suite, v *keyScheduleCase) {
	initSecret := []byte(v.InitialInitSecret)
	for i := range v.Epochs {
		e, at := &v.Epochs[i], fmt.Sprintf("epochs[%d].", i)
		context, ok := c.write(at+"group_context", &message.GroupContext{
			Suite: v.Suite, GroupID: v.GroupID, Epoch: uint64(i),
			TreeHash: e.TreeHash, ConfirmedTranscriptHash: e.ConfirmedTranscriptHash,
		})
		if !ok {
			return
		}
		c.equal(at+"group_context", context, e.GroupContext)
		initSecret = checkEpoch(c, s, at, e, initSecret, context)
	}
}

// checkEpoch compares all that an epoch's secrets are derived to, and returns the
// init_secret for the next one.
func checkEpoch(c *checker, s suite.Suite, at string, e *epoch, initSecret, context []byte) []byte {
	joiner := schedule.JoinerSecret(s, initSecret, e.CommitSecret, context)
	member := schedule.MemberSecret(s, joiner, e.PSKSecret)
	got := schedule.NewEpoch(s, member, context)
	for _, x := range []struct {
		name      string
		got, want []byte
	}{
		{"joiner_secret", joiner, e.JoinerSecret},
		{"welcome_secret", schedule.WelcomeSecret(s, member), e.WelcomeSecret},
		{"init_secret", got.Init, e.InitSecret},
		{"sender_data_secret", got.SenderData, e.SenderDataSecret},
		{"encryption_secret", got.Encryption, e.EncryptionSecret},
		{"exporter_secret", got.Exporter, e.ExporterSecret},
		{"epoch_authenticator", got.Authenticator, e.EpochAuthenticator},
		{"external_secret", got.External, e.ExternalSecret},
		{"confirmation_key", got.Confirmation, e.ConfirmationKey},
		{"membership_key", got.Membership, e.MembershipKey},
		{"resumption_psk", got.Resumption, e.ResumptionPSK},
	} {
		c.equal(at+x.name, x.got, x.want)
	}
	if pair, err := schedule.ExternalKeyPair(s, got.External); c.ok(at+"external_pub", err) {
		c.equal(at+"external_pub", pair.Public, e.ExternalPub)
	}
	x := &e.Exporter
	if secret, err := schedule.Export(s, got.Exporter, x.Label, x.Context, int(x.Length)); c.ok(at+"exporter", err) {
		c.equal(at+"exporter.secret", secret, x.Secret)
	}
	return got.Init
}
