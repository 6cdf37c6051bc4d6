package conformance

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// transcriptCase is one of transcript-hashes.json.
type transcriptCase struct {
	suited
	ConfirmationKey octets `json:"confirmation_key"`
	Content         octets `json:"authenticated_content"`
	InterimBefore   octets `json:"interim_transcript_hash_before"`
	ConfirmedAfter  octets `json:"confirmed_transcript_hash_after"`
	InterimAfter    octets `json:"interim_transcript_hash_after"`
}

func checkTranscript(c *checker, s suite.Suite, v *transcriptCase) {
	var content message.AuthenticatedContent
	if !c.read("authenticated_content", v.Content, &content) ||
		!same(c, "authenticated_content (type)", content.Content.Type, message.ContentCommit) {
		return
	}
	if !schedule.VerifyConfirmation(s, v.ConfirmationKey, v.ConfirmedAfter, content.Auth.ConfirmationTag) {
		c.fail("authenticated_content", "its confirmation_tag is wrong")
	}
	input, err := content.ConfirmedTranscriptHashInput()
	if !c.ok("authenticated_content", err) {
		return
	}
	confirmed := schedule.ConfirmedTranscriptHash(s, v.InterimBefore, input)
	c.equal("confirmed_transcript_hash_after", confirmed, v.ConfirmedAfter)
	c.equal("interim_transcript_hash_after", schedule.InterimTranscriptHash(s, confirmed, content.Auth.ConfirmationTag), v.InterimAfter)
}
