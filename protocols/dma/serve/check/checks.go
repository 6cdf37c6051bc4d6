package check

import (
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// row is a check as the tables have it: a [verdict.Check] without the names of its fields.
// The section is that of the Reference Offer by its subject (RO ...), client where public
// clients show it, or assumed.
type row struct{ ID, Section, Sent, Want string }

// Titles are the milestones, by the group of their checks.
var Titles = map[string]string{
	"identity": "1 Identities", "chat": "2 Noise and the chat protocol", "messaging": "3 Messaging",
	"features": "4 Media, features, blocking", "deletion": "5 Deletion", "reach": "6 Reachability",
}

// Milestones are the groups in their order.
var Milestones = []string{"identity", "chat", "messaging", "features", "deletion", "reach"}

var partnerRows = []row{
	{"identity.keys", "RO ownership", "GET /.well-known/oauth/openid/jwks", "200 and a JWK Set with keys for RS256, ES256 or EdDSA"},
	{"identity.http1", "RO servers", "the same over HTTP/1.1", "the same"},
	{"identity.http2", "RO servers", "the same over HTTP/2", "the same"},
	{"identity.form", "RO enlistment", "-", "the form has its fields, each in its size, in unpadded base64url"},
	{"identity.version", "RO enlistment", "-", "the version of the interoperability protocol is that of the gatekeeper"},
	{"identity.token", "RO ownership", "-", "the token is a JWT in compact form"},
	{"identity.kid", "RO ownership", "-", "its kid is that of a published key"},
	{"identity.signature", "RO ownership", "-", "that key has signed it, with its algorithm"},
	{"identity.issuer", "assumed", "-", "iss is the partner"},
	{"identity.audience", "assumed", "-", "aud is the gatekeeper"},
	{"identity.lifetime", "assumed", "-", "it is valid now, and for a day at most"},
	{"identity.identifier", "RO enlistment", "-", "it is about the user of the form"},
	{"identity.enlisted", "RO enlistment", "status ok and an account", "that is so"},

	{"chat.prologue", "client", "-", "the connection begins with the protocol's name and version"},
	{"chat.handshake", "RO chat", "-", "the Noise handshake, XX with AES-GCM and SHA-256, succeeds"},
	{"chat.key", "RO enlistment", "-", "its static key is the one in the form"},
	{"chat.token", "RO ownership", "-", "each handshake has a token that is good"},
	{"chat.stanzas", "RO chat", "-", "stanzas are well-formed, in the binary encoding"},
	{"chat.prekeys", "client", "-", "one-time prekeys are uploaded, and the keys before them are signed"},
	{"chat.keepalive", "client", "nothing", "a keepalive within 30 s"},
	{"chat.one", "RO proxy", "-", "one connection at a time"},
	{"chat.resume", "RO chat", "the connection is cut", "another one, with a handshake"},

	{"messaging.send", "RO features", "-", "a text comes, and decrypts"},
	{"messaging.delivered", "RO features", "a text", "a delivery receipt"},
	{"messaging.read", "RO features", "-", "a read receipt once the text is read"},
	{"messaging.retry", "RO encryption", "a message that does not decrypt", "a retry receipt, the first, with the registration ID"},
	{"messaging.retried", "RO encryption", "the message once more", "a delivery receipt"},
	{"messaging.refill", "client", "a notice that one-time prekeys run low", "more of them"},
	{"messaging.ack", "client", "-", "notices and receipts are acknowledged"},
	{"messaging.push", "RO push", "POST {base}/push with a token of the gatekeeper", "an empty 200"},
	{"messaging.push-http1", "RO servers", "the same over HTTP/1.1", "the same"},
	{"messaging.push-none", "RO push", "a push without a token", "401 or 403"},
	{"messaging.push-key", "RO push", "one whose token another key has signed", "401 or 403"},
	{"messaging.push-issuer", "RO push", "one whose token is not from WHATSAPP", "401 or 403"},
	{"messaging.push-audience", "RO push", "one whose token is for another partner", "401 or 403"},
	{"messaging.push-expired", "RO push", "one whose token has expired", "401 or 403"},
	{"messaging.offline", "RO mailbox", "a text while the device is not connected", "a delivery receipt once it is"},

	{"features.reaction", "RO features", "-", "a reaction to a message of the checker's comes"},
	{"features.revoke", "RO features", "-", "that reaction is taken back"},
	{"features.reply", "RO features", "-", "a reply to a message of the checker's comes"},
	{"features.typing", "RO features", "-", "a typing notice comes"},
	{"features.takes-reply", "RO features", "a reply", "a delivery receipt"},
	{"features.takes-reaction", "RO features", "a reaction, and its revocation", "delivery receipts"},
	{"features.takes-media", "RO media", "a photo, hosted by the gatekeeper", "a delivery receipt"},
	{"features.fetches", "RO media", "the same", "GET /v/t{file_reference} at the media host"},
	{"features.photo", "RO media", "GET {3p_base_url}/{storage_ref}, for a photo that comes (optional)", "its ciphertext, of that hash, which opens"},
	{"features.block", "RO blocking", "-", "the blocklist is set, over the chat channel"},
	{"features.unblock", "RO blocking", "-", "it is set back"},

	{"deletion.request", "RO deletion", "-", "a deletion request comes over the chat channel"},
	{"deletion.ends", "RO deletion", "the account is gone, and the device told so", "it does not insist"},
	{"deletion.again", "RO enlistment", "-", "the user can enlist again, and connect"},

	{"reach.ping", "RO reachability", "-", "a ping comes, for a user who is eligible and has not consented"},
	{"reach.told", "RO reachability", "that user's consent", "it is acknowledged"},
	{"reach.after", "RO reachability", "-", "a text for that user comes"},
}

// checksOf returns the rows as checks.
func checksOf(rows []row) (list []verdict.Check) {
	for _, r := range rows {
		list = append(list, verdict.Check(r))
	}
	return list
}

// ProxyTitles are the rules of a proxy, by the group of their checks.
var ProxyTitles = map[string]string{
	"one": "1 One connection per client", "while": "2 Connected while the client is", "address": "3 The client's IP address", "sealed": "4 Never decrypts",
}

// PartnerChecks returns the checks of a partner, by milestone.
func PartnerChecks() []verdict.Check { return checksOf(partnerRows) }

var proxyRows = []row{
	{"one.each", "RO proxy 1", "a client connects", "one connection to the gatekeeper"},
	{"one.own", "RO proxy 1", "further clients, at once", "a connection for each, with its own bytes"},
	{"while.before", "RO proxy 2", "nobody is connected", "no connection to the gatekeeper"},
	{"while.leaves", "RO proxy 2", "a client leaves", "its connection ends"},
	{"while.ends", "RO proxy 2", "the gatekeeper ends a connection", "its client's ends, and no other begins"},
	{"address.passed", "RO proxy 3", "-", "the client's IP address comes first (form assumed)"},
	{"address.each", "RO proxy 3", "a client at another address", "that address"},
	{"address.forged", "RO proxy 3", "a client claims another address", "its own address"},
	{"sealed.keys", "RO proxy 4", "a device's Noise handshake", "each end finds the static key of the other"},
	{"sealed.hash", "RO proxy 4", "-", "both ends have the same handshake hash"},
	{"sealed.bytes", "RO proxy 4", "stanzas both ways", "they come through byte for byte, and open"},
}

// ProxyChecks returns the checks of a proxy, by rule.
func ProxyChecks() []verdict.Check { return checksOf(proxyRows) }
