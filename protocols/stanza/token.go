package stanza

// DictionaryVersion is the version of the token dictionary below, which stands
// in the header of every binary stanza. The dictionary is this project's own:
// WhatsApp's is different. Tokens are part of the wire format, so an entry never
// changes; a change makes a new version.
const DictionaryVersion = 1

// singleTokens are the strings that one byte stands for: the byte is the index,
// from 1. Index 0 is the empty list's marker. At most 235 are possible.
var singleTokens = [...]string{
	"",
	// Servers.
	"s.whatsapp.net", "g.us", "interop", "msgr",
	// Stanzas and what they are made of.
	"message", "receipt", "ack", "iq", "ib", "notification", "call",
	"enc", "participants", "to", "list", "item", "retry", "registration", "keys",
	"key", "skey", "id", "value", "signature", "identity", "static", "user", "count",
	"error", "ping", "offline", "dirty", "body",
	// Attributes.
	"from", "participant", "type", "notify", "t", "v", "jid", "phash", "mediatype",
	"class", "xmlns", "code", "text", "timestamp", "action", "call-id", "call-creator", "reason",
	// Values.
	"0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
	"pkmsg", "msg", "skmsg", "mls", "media", "reaction", "poll",
	"image", "video", "ptt", "audio", "document",
	"read", "sender", "get", "set", "result", "encrypt", "blocklist", "w:p",
	"400", "401", "403", "404", "405", "406", "410", "419", "423", "429", "500", "501", "503",
	"true", "false", "composing", "paused", "chatstate",
}

// doubleTokens are the strings that two bytes stand for: a marker for one of
// four dictionaries, of which one is in use, and the index, from 0.
var doubleTokens = [...]string{
	// Interoperability.
	"settings", "inbox", "app", "integrator", "enabled", "combined", "separate",
	"consent", "given", "revoked", "delete",
	// Blocking.
	"block", "unblock",
	// Calls.
	"offer", "offer_notice", "relaylatency", "preaccept", "accept", "transport", "terminate", "reject",
	// Conditions.
	"bad-request", "not-authorized", "forbidden", "item-not-found", "not-allowed", "not-acceptable",
	"gone", "resource-limit", "locked", "rate-overlimit", "internal-server-error",
	"feature-not-implemented", "service-unavailable", "460", "461", "462", "463", "464",
	"not-enlisted", "not-reachable", "not-eligible", "agreement-revoked", "blocked",
	// Media and content.
	"sticker", "gif", "contact", "location", "mediaretry", "group", "groups", "subject",
	"server", "device", "devices", "update", "remove", "add", "status", "available", "unavailable",
}

// Markers. Their numbers and meaning are those that public client sources show.
const (
	markerEmpty      = 0   // the empty list
	markerDictionary = 236 // to 239: a double-byte token, its index follows
	markerInterop    = 245 // user, device (2 bytes), integrator (2 bytes), server "interop"
	markerMessenger  = 246 // user, device (2 bytes), server "msgr"
	markerDevice     = 247 // domain (1 byte, 0), device (1 byte), user; server "s.whatsapp.net"
	markerList8      = 248 // the number of items (1 byte), the items
	markerList16     = 249 // the number of items (2 bytes), the items
	markerPair       = 250 // user, server
	markerHex        = 251 // as markerNibble, with the alphabet 0 to 9, A to F
	markerBytes8     = 252 // the length (1 byte), the bytes
	markerBytes20    = 253 // the length (3 bytes, at most 20 bits), the bytes
	markerBytes32    = 254 // the length (4 bytes), the bytes
	markerNibble     = 255 // the number of bytes (7 bits; the top bit: the last nibble is none), two characters a byte
)

// maxPacked is the number of bytes that nibble and hex packing can count.
const maxPacked = 127

// domainUser is the domain byte of markerDevice that stands for s.whatsapp.net.
const domainUser = 0

// Flags beside the version in the header: version<<4 | flags.
const flagCompressed = 2

// token is a string of the dictionary.
type token struct {
	text string
	// code is how it is written: its byte, or the marker and index of a
	// double-byte token as marker<<8 | index. 0 means no token.
	code   uint16
	isName bool // whether it may be a tag or the name of an attribute
}

// tokenSlots is the size of the table below: a power of two, several times the
// number of tokens.
const tokenSlots = 1024

// tokenTable finds tokens by their text: a hash table with open addressing,
// which takes a third of the time of a map.
var tokenTable = func() *[tokenSlots]token {
	t := new([tokenSlots]token)
	insert := func(s string, code uint16) {
		i := tokenHash(s)
		for t[i].code != 0 {
			i = (i + 1) % tokenSlots
		}
		t[i] = token{text: s, code: code, isName: validName(s)}
	}
	for i, s := range singleTokens[1:] {
		insert(s, uint16(i+1))
	}
	for i, s := range doubleTokens {
		insert(s, markerDictionary<<8|uint16(i))
	}
	return t
}()

// tokenHash mixes the length with three bytes of s, which is not empty.
func tokenHash(s string) uint {
	n := uint(len(s))
	h := uint(s[0]) | uint(s[n/2])<<8 | uint(s[n-1])<<16 | n<<24
	return h * 0x9E3779B1 >> 16 % tokenSlots
}

// findToken returns the token that stands for s, or the zero token.
func findToken(s string) *token {
	if s == "" {
		return &noToken
	}
	for i := tokenHash(s); ; i = (i + 1) % tokenSlots {
		if t := &tokenTable[i]; t.code == 0 || t.text == s {
			return t
		}
	}
}

var noToken token

// maxPackedToken is the length of the longest token that could also be packed.
var maxPackedToken = func() (n int) {
	for i := range tokenTable {
		t := &tokenTable[i]
		if all, _ := scan(t.text); t.code != 0 && all&(classNibble|classHex) != 0 {
			n = max(n, len(t.text))
		}
	}
	return n
}()
