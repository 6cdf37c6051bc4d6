package layout

import "strings"

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
