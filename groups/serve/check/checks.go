package check

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// Checks returns all checks, in the order that they are shown in: by the draft's
// sections.
func Checks() []Check { return slices.Clone(checks) }

var checks = makeChecks()

// sections are those of the endpoints in draft-ietf-mimi-protocol-06.
var sections = map[mimi.EndpointName]string{
	mimi.EndpointKeyMaterial: "5.2", mimi.EndpointUpdate: "5.3", mimi.EndpointSubmitMessage: "5.4",
	mimi.EndpointNotify: "5.5", mimi.EndpointGroupInfo: "5.6", mimi.EndpointRequestConsent: "5.7",
	mimi.EndpointUpdateConsent: "5.7", mimi.EndpointIdentifierQuery: "5.8", mimi.EndpointReportAbuse: "5.9",
	mimi.EndpointProxyDownload: "5.10.2",
}

// row is a check as the tables have it: a [Check] without the names of its fields.
type row struct{ ID, Section, Sent, Want string }

// transportChecks, then those of each endpoint. What is common to endpoints is added to
// each by makeChecks.
var transportChecks = []row{
	{"transport.server", "4.1", "a TLS handshake", "a certificate for the provider's domain, and one of the client asked for"},
	{"transport.peer", "4.1", "a request with certificate, From and Host as they should be", "an answer that is no refusal"},
	{"transport.no-certificate", "4.1", "the same without a client certificate", "no connection, or 4xx"},
	{"transport.untrusted", "4.1", "the same with a certificate that nobody has signed", "no connection, or 4xx"},
	{"transport.from-missing", "4.1", "the same without From", "4xx"},
	{"transport.from-form", "4.1", "the same with a From that is not mimi@ and a domain", "4xx"},
	{"transport.from-other", "4.1", "the same with From of a provider that the certificate is not for", "4xx"},
	{"transport.host-other", "4.1", "the same with Host of another provider", "4xx"},
	{"transport.host-port", "4.1", "the same with another port in Host", "the port is ignored"},
	{"transport.unknown-path", "5.1", "a request for a path that is not in the directory", "404"},
	{"transport.calls-certificate", "4.1", "-", "requests of the provider come with its certificate"},
	{"transport.calls-from", "4.1", "-", "their From is mimi@ and its domain"},
	{"transport.calls-host", "4.1", "-", "their Host is the domain of the one that is asked"},
}

var directoryChecks = []row{
	{"directory.document", "5.1", "GET /.well-known/mimi-protocol-directory", "200 and a JSON object"},
	{"directory.endpoints", "5.1", "-", "a template for each of the ten endpoints"},
	{"directory.hosts", "5.1", "-", "https, and hosts that are known for the provider's"},
	{"directory.method", "5.1", "the same by POST", "405"},
}

var endpointChecks = map[mimi.EndpointName][]row{
	mimi.EndpointKeyMaterial: {
		{"found", "", "a request for the user, for a room of the requester's hub", "success or partialSuccess, and each client of the user"},
		{"package", "", "-", "KeyPackages that are valid, the user's and of an acceptable suite"},
		{"once", "", "the same again", "other KeyPackages, but for those of last resort"},
		{"incompatible", "", "an extension required that nobody has", "noCompatibleMaterial"},
		{"suite", "", "a request signed by a suite that nobody has", "no KeyPackage"},
		{"signature", "", "a wrong key_material_request_signature", "no KeyPackage"},
		{"credential", "", "the credential of another user", "no KeyPackage"},
		{"target", "", "a targetUser that is not the one in the path", "no KeyPackage"},
		{"other-hub", "", "a room of another provider's hub", "no KeyPackage"},
		{"unknown", "", "a user who does not exist", "userUnknown or noConsent, without clients"},
		{"refusing", "8", "a user who has not consented", "noConsent or noConsentForThisRoom, without clients"},
		{"protocol", "", "a protocol other than MLS 1.0", "incompatibleProtocol, or 4xx"},
		{"asks", "", "-", "the provider asks for KeyPackages of the checker's user as it should"},
		{"via-hub", "", "a participant asks the hub for the user of another provider", "that provider is asked the same, and its answer handed on"},
		{"via-hub-outsider", "", "one who is no participant asks the same", "no KeyPackage"},
	},
	mimi.EndpointUpdate: {
		{"invited", "5.5", "-", "a Welcome for the checker's user comes, and opens with the tree"},
		{"external", "", "an external Commit of a participant's client", "success"},
		{"timestamp", "", "-", "accepted_timestamp is the time in milliseconds"},
		{"signature", "", "a Commit with a wrong signature", "refused"},
		{"other-provider", "", "a Commit through another provider than the committer's", "notAllowed"},
		{"policy", "7.5", "a Commit that the room's policy forbids", "notAllowed"},
		{"group-info", "", "a Commit whose GroupInfo has a wrong signature", "refused"},
		{"tree", "", "a Commit with the ratchet tree of the epoch before", "refused"},
		{"stranger", "", "an external Commit of a user whom the policy does not let in", "notAllowed"},
		{"unknown-proposal", "", "a Commit of a proposal that the hub has not seen", "invalidProposal, with its reference"},
		{"forged-proposal", "", "a proposal with a wrong signature", "invalidProposal, with its reference"},
		{"no-welcome", "", "a Commit that adds a client, without a Welcome", "refused"},
		{"add", "", "a Commit that adds a user of another provider", "success"},
		{"welcome", "5.5", "-", "the Welcome comes to the provider of its KeyPackage, and opens with the tree"},
		{"welcome-route", "5.5", "-", "it comes to no other provider"},
		{"wrong-epoch", "", "a Commit of the epoch before", "wrongEpoch, and the current epoch"},
		{"repeated", "5.5", "an accepted update once more", "success or wrongEpoch, and nothing is fanned out again"},
		{"commit", "5.5", "a Commit that renews keys", "success, and it comes to the other provider as it was"},
		{"proposals", "3.5", "proposals by which a user leaves", "success, and they come to the other provider"},
		{"more-proposals", "5.5", "-", "moreProposals as they were"},
		{"cached", "3.5", "a Commit without the proposals that wait", "refused"},
		{"leave", "3.5", "a Commit with them", "success"},
		{"removed-told", "5.5", "-", "the removed client's provider gets the Commit"},
		{"self-remove", "3.5", "a proposal by which the checker's own client leaves", "success"},
		{"unknown-room", "", "an update of a room that does not exist", "refused"},
	},
	mimi.EndpointSubmitMessage: {
		{"accepted", "", "a message of a participant", "accepted"},
		{"timestamp", "", "-", "accepted_timestamp is the time in milliseconds"},
		{"frank", "5.4.1", "-", "a Frank, if the room has a franking_agent and the message a frank_aad"},
		{"frank-signature", "5.4.1.2", "-", "its integrity signature verifies with the agent's key"},
		{"fanout", "5.5", "-", "the message comes to the other provider as it was, with that Frank and time"},
		{"readable", "5.4.1.3", "-", "a member there decrypts it and verifies the Frank"},
		{"unfranked", "5.4.1.2", "a message without frank_aad", "accepted without a Frank"},
		{"stranger", "", "a sendingUri that is no participant", "notAllowed"},
		{"other-provider", "", "a sendingUri of another provider's user", "notAllowed"},
		{"future-epoch", "", "a message of an epoch that has not begun", "notAllowed"},
		{"old-epoch", "", "a message of an epoch before", "accepted, or epochTooOld and the current epoch"},
		{"other-group", "", "a message of another group", "notAllowed"},
		{"repeated", "", "an accepted message once more", "an answer"},
		{"removed", "5.3", "a message of a user who was removed", "notAllowed"},
		{"unknown-room", "", "a message to a room that does not exist", "refused"},
	},
	mimi.EndpointNotify: {
		{"welcome", "", "a Welcome for a KeyPackage that was claimed", "201"},
		{"message", "", "a message of that room", "201"},
		{"duplicate", "", "the same request again", "201"},
		{"batch", "", "two FanoutMessages in one request", "201"},
		{"commit", "", "the Commit that removes the user", "201"},
		{"other-hub", "", "an event of a room whose hub is another provider", "4xx"},
		{"body", "", "-", "what the provider sends to notify can be read, and keeps the rules of its body"},
		{"order", "", "three messages to a room of the provider's hub", "they come in that order"},
		{"once", "", "-", "each comes once"},
		{"retry", "", "503 to the first of them", "it comes again"},
		{"retry-after", "", "with Retry-After: 2", "not before two seconds"},
		{"retry-bytes", "", "-", "it comes again byte for byte"},
		{"withheld", "5.3", "a message after a user was removed", "does not come to its provider"},
	},
	mimi.EndpointGroupInfo: {
		{"success", "", "a request of a participant", "success, for the room and in the suite that was asked for"},
		{"signature", "", "-", "the response is signed by hub_sender, one of the room's external_senders"},
		{"content", "", "-", "the GroupInfo is valid, without a tree, and the tree beside it matches"},
		{"current", "", "the same after a Commit", "the GroupInfo of the current epoch"},
		{"pending", "", "the same while proposals wait", "they are in pending_proposals"},
		{"unsigned", "", "a wrong signature", "notAuthorized, or 4xx"},
		{"other-provider", "", "a participant's credential through another provider", "notAuthorized, or 4xx"},
		{"stranger", "", "a user whom the policy does not let in", "notAuthorized, or 4xx"},
		{"unknown-room", "", "a room that does not exist", "noSuchRoom or notAuthorized, or 404"},
	},
	mimi.EndpointRequestConsent: {
		{"request", "", "a request for the user's consent", "201"},
		{"repeated", "", "the same again", "201"},
		{"cancel", "", "its cancellation", "201"},
		{"cancel-none", "", "a cancellation that nothing was requested for", "201"},
		{"unknown", "", "a request for the consent of a user who does not exist", "404, or 201"},
		{"operation", "", "a grant", "4xx"},
		{"requester", "", "a requester of another provider than the one that sends it", "4xx"},
		{"target", "", "a target of another provider", "4xx"},
	},
	mimi.EndpointUpdateConsent: {
		{"grant", "", "an unsolicited grant for the user, for one room", "201"},
		{"revoke", "", "its revocation", "201"},
		{"operation", "", "a request", "4xx"},
		{"target", "", "a target of another provider than the one that sends it", "4xx"},
		{"received", "", "-", "a grant that the provider sends is well-formed and its user's"},
	},
	mimi.EndpointIdentifierQuery: {
		{"found", "", "a query that finds the user", "success, with the user's URI"},
		{"all-match", "", "the same with a second condition that does not hold", "no success"},
		{"none", "", "a query that nobody matches", "notFound, or another refusal"},
		{"empty", "", "a query without conditions", "no success"},
		{"domain", "", "the domain of another provider in the path", "4xx"},
	},
	mimi.EndpointReportAbuse: {
		{"accepted", "", "a report with a message and its Frank", "2xx"},
		{"forged", "", "the same with a Frank that the hub has not made", "2xx or 4xx"},
		{"other-provider", "", "the same with reportingUser of another provider", "4xx"},
		{"unknown-room", "", "a report about a room that does not exist", "4xx"},
	},
	mimi.EndpointProxyDownload: {
		{"asset", "", "the URL of an asset", "200 and the asset"},
		{"unlisted", "", "a URL of a host that holds no assets", "4xx, and the host is not asked"},
		{"scheme", "", "a URL of http", "4xx"},
		{"address", "", "a URL with an IP address", "4xx"},
		{"user", "", "a URL with user information", "4xx"},
		{"nonsense", "", "what is no URL", "4xx"},
	},
}

var obliviousChecks = []row{
	{"oblivious.keys", "5.10.3", "GET /.well-known/ohttp-gateway", "application/ohttp-keys (RFC 9458, RFC 9540)"},
	{"oblivious.asset", "5.10.3", "an encapsulated GET of the asset", "the asset, encapsulated"},
	{"oblivious.unlisted", "5.10.3", "an encapsulated GET of a host that holds no assets", "a refusal, encapsulated, and the host is not asked"},
	{"oblivious.garbage", "5.10.3", "what is no encapsulated request", "4xx"},
	{"oblivious.media-type", "5.10.3", "an encapsulated request of another media type", "4xx"},
}

func makeChecks() (list []Check) {
	for _, r := range makeRows() {
		list = append(list, Check(r))
	}
	return list
}

func makeRows() []row {
	all := slices.Concat(transportChecks, directoryChecks)
	for i := range mimi.Endpoints {
		e := &mimi.Endpoints[i]
		list := slices.Clone(endpointChecks[e.Name])
		list = append(list, row{"method", "", "another method than " + e.Method, "405"})
		list = append(list, row{"path", "", "a path that names nothing of the right kind", "4xx"})
		if e.Method == "POST" {
			list = append(list,
				row{"malformed", "", "bodies that are empty, cut off, too long or random", "4xx to each"},
				row{"endless", "", "the first bytes of a body of 1 GiB", "4xx at once"})
		}
		for _, c := range list {
			c.ID = string(e.Name) + "." + c.ID
			if c.Section == "" {
				c.Section = sections[e.Name]
			}
			all = append(all, c)
		}
	}
	return append(all, obliviousChecks...)
}

// of returns the IDs of a group's checks, without those that are common to endpoints.
func of(group string, but ...string) (ids []string) {
	for i := range checks {
		if c := &checks[i]; c.Group() == group && !slices.Contains(but, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
