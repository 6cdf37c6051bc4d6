package dma

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// How a media host knows whose a request is, is not public. Public clients of WhatsApp's own
// service ask the chat server for a token (read), which uploads carry; that the
// interoperability service has it too, that downloads carry it as well, since the end of an
// agreement could not end them otherwise, and what is in it, are assumed.

// MediaHosts is where a gatekeeper hosts media.
type MediaHosts struct {
	Hosts []string // names or addresses, with a port if it is not that of HTTPS; nil means none
	// Key is the secret by which tokens are made and verified. One that is drawn anew at a
	// start ends all tokens, which clients then ask for again.
	Key [32]byte
	// Lifetime is that of a token; 0 means [DefaultMediaLifetime].
	Lifetime time.Duration
}

// DefaultMediaLifetime is the default of [MediaHosts].Lifetime; assumed.
const DefaultMediaLifetime = time.Hour

// mediaBuckets is carried because clients want it; its meaning is not public.
const mediaBuckets = 12

// A token says whose it is and until when:
//
//	base64url(MAC (32) | expiry, Unix seconds (8) | address)
//	MAC = HMAC-SHA256(key, label | expiry | address's length (2) | address | static key)
//
// The static key is that of the device's chat channel, so that the token of a device that
// was replaced is worth nothing.
const (
	mediaAuthLabel = "mimi-lab media auth"
	mediaAuthHead  = sha256.Size + 8
	maxMediaAuth   = 512 // of a token, which a stranger sends
)

// mediaConn answers where media are hosted.
func (g *Gatekeeper) mediaConn(now time.Time, a *account) (*stanza.MediaConn, stanza.Code) {
	m := &g.cfg.Media
	if len(m.Hosts) == 0 {
		return nil, stanza.FeatureNotImplemented
	}
	lifetime := int64(m.Lifetime / time.Second)
	return &stanza.MediaConn{
		Auth: g.mediaAuth(a, now.Unix()+lifetime), TTL: lifetime, AuthTTL: lifetime, MaxBuckets: mediaBuckets, Hosts: m.Hosts,
	}, 0
}

// mediaAuth returns the token of an account.
func (g *Gatekeeper) mediaAuth(a *account, expiry int64) string {
	addr := a.addr.String()
	b := append(g.mediaMAC(a, addr, expiry), make([]byte, 8)...)
	binary.BigEndian.PutUint64(b[sha256.Size:], uint64(expiry))
	return base64.RawURLEncoding.EncodeToString(append(b, addr...))
}

// mediaMAC returns the MAC of a token of an account, which may be nil.
func (g *Gatekeeper) mediaMAC(a *account, addr string, expiry int64) []byte {
	var static []byte
	if a != nil {
		static = a.authKey
	}
	h := hmac.New(sha256.New, g.cfg.Media.Key[:])
	h.Write([]byte(mediaAuthLabel))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(expiry)))
	h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(addr))))
	h.Write([]byte(addr))
	h.Write(static)
	return h.Sum(nil)
}

// MediaUser returns whose a token is that a client shows to a media host. An error wraps
// [stanza.NotAuthorized], or [stanza.AgreementRevoked] for a user of a partner whose
// agreement has ended.
func (g *Gatekeeper) MediaUser(now time.Time, auth string) (ident.Address, error) {
	if len(g.cfg.Media.Hosts) == 0 || len(auth) > maxMediaAuth {
		return ident.Address{}, fmt.Errorf("dma: media: %w: no token of this gatekeeper's", stanza.NotAuthorized)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(auth)
	if err != nil || len(b) < mediaAuthHead {
		return ident.Address{}, fmt.Errorf("dma: media: %w: no token of this gatekeeper's", stanza.NotAuthorized)
	}
	expiry, text := int64(binary.BigEndian.Uint64(b[sha256.Size:])), string(b[mediaAuthHead:])
	addr, err := ident.ParseAddress(text)
	a := g.accounts[addr]
	// The MAC comes first whether there is such an account or not: how long that takes tells
	// a stranger nothing of numbers.
	good := hmac.Equal(b[:sha256.Size], g.mediaMAC(a, text, expiry))
	if !good || err != nil || a == nil || addr.String() != text {
		return ident.Address{}, fmt.Errorf("dma: media: %w: no token of this gatekeeper's", stanza.NotAuthorized)
	}
	if now.Unix() >= expiry {
		return ident.Address{}, fmt.Errorf("dma: media: %w: the token has expired", stanza.NotAuthorized)
	}
	if a.partner() && !g.agreements[addr.Integrator] {
		return ident.Address{}, fmt.Errorf("dma: media: %w", stanza.AgreementRevoked)
	}
	return addr, nil
}

// AskMedia asks the gatekeeper where media are hosted, and for a token. The answer is an
// event, MediaAllowed or MediaRefused. An input of a [Device].
type AskMedia struct{}

func (AskMedia) input() {}

// mediaAnswer tells what became of an AskMedia.
func (d *Device) mediaAnswer(q *stanza.IQ) {
	if m, ok := q.Payload.(*stanza.MediaConn); ok {
		d.tell(Event{Kind: MediaAllowed, Media: m})
		return
	}
	e := Event{Kind: MediaRefused, Reason: "an answer without hosts"}
	if q.Error != nil {
		e.Reason = q.Error.Code.Sentence()
	}
	d.tell(e)
}
