package noise

import (
	"errors"
	"fmt"

	"github.com/flynn/noise"
)

// MaxMessages is the most messages that one key of a channel serves. Public clients
// count them in 32 bits and begin anew after that, which would use nonces of AES-GCM
// twice; here the channel ends.
const MaxMessages = 1 << 32

// Limits are bounds of a channel; zero values mean the defaults. Both sides must have the
// same RekeyAfter. All assumed.
type Limits struct {
	// RekeyAfter is after how many messages in one direction its key is replaced (Noise,
	// Section 11.3); 0 means never, as public clients have it.
	RekeyAfter uint64
	// Messages is how many messages a direction has at most; 0 means [MaxMessages].
	// Nonces count on when a key is replaced (Noise, Section 5.1).
	Messages uint64
	// Plaintext is the largest message in bytes, in both directions; 0 means 1 MiB.
	Plaintext int
}

func (l Limits) orDefault() (Limits, error) {
	if l.Messages == 0 {
		l.Messages = MaxMessages
	}
	if l.Plaintext == 0 {
		l.Plaintext = 1 << 20
	}
	if l.Plaintext < 1 || l.Plaintext > MaxFrame-Overhead {
		return l, fmt.Errorf("noise: limits: plaintext %d, want 1 to %d", l.Plaintext, MaxFrame-Overhead)
	}
	if l.Messages > MaxMessages {
		return l, fmt.Errorf("noise: limits: %d messages, want at most %d", l.Messages, uint64(MaxMessages))
	}
	return l, nil
}

// Channel is a connection whose handshake is done. Seal is for one goroutine at a time,
// and so is Open; the two do not meet.
//
// A message of it is longer than Noise's own limit of 65535 bytes (Section 3) if it must
// be, as with public clients.
type Channel struct {
	send, receive half
	limits        Limits
	binding       []byte
}

// half is one direction.
type half struct {
	state *noise.CipherState
	ended error
}

func newChannel(send, receive *noise.CipherState, l Limits, binding []byte) *Channel {
	return &Channel{send: half{state: send}, receive: half{state: receive}, limits: l, binding: append([]byte(nil), binding...)}
}

// Binding returns the handshake hash, which names this connection for both sides and no
// other one (Noise, Section 11.2).
func (c *Channel) Binding() []byte { return append([]byte(nil), c.binding...) }

// MaxBody is the longest body of a frame that Open takes.
func (c *Channel) MaxBody() int { return c.limits.Plaintext + Overhead }

// Seal appends a frame with plaintext, of 1 byte at least, to dst. After an error that is
// ErrExhausted it seals no more.
func (c *Channel) Seal(dst, plaintext []byte) ([]byte, error) {
	if n := len(plaintext); n < 1 || n > c.limits.Plaintext {
		return dst, fail(ErrFrame, "seal", "message of %d bytes, want 1 to %d", n, c.limits.Plaintext)
	}
	if err := c.due(&c.send, "seal"); err != nil {
		return dst, err
	}
	out, err := AppendHeader(dst, len(plaintext)+Overhead)
	if err == nil {
		out, err = c.send.state.Encrypt(out, nil, plaintext)
	}
	if err != nil {
		return dst, failed(ErrExhausted, "seal", err)
	}
	c.count(&c.send)
	return out, nil
}

// Open returns the plaintext of a frame's body, which it overwrites. After an error it
// opens no more: what follows is not what the peer sent.
func (c *Channel) Open(body []byte) ([]byte, error) {
	if err := c.due(&c.receive, "open"); err != nil {
		return nil, err
	}
	if len(body) <= Overhead || len(body) > c.MaxBody() {
		c.receive.ended = fail(ErrFrame, "open", "body of %d bytes, want %d to %d", len(body), Overhead+1, c.MaxBody())
		return nil, c.receive.ended
	}
	plaintext, err := c.receive.state.Decrypt(body[:0], nil, body)
	if err != nil {
		c.receive.ended = fail(ErrOpen, "open", "message %d", c.receive.state.Nonce())
		return nil, c.receive.ended
	}
	c.count(&c.receive)
	return plaintext, nil
}

// due returns nil if h may serve another message.
func (c *Channel) due(h *half, where string) error {
	if h.ended == nil && h.state.Nonce() >= c.limits.Messages {
		h.ended = fail(ErrExhausted, where, "after %d messages; connect again", h.state.Nonce())
	}
	return h.ended
}

// count replaces a key that has served its number of messages.
func (c *Channel) count(h *half) {
	if n := c.limits.RekeyAfter; n > 0 && h.state.Nonce()%n == 0 {
		h.state.Rekey()
	}
}

// Close makes both directions serve no more.
func (c *Channel) Close() {
	closed := &Error{Kind: ErrState, Where: "channel", Err: errors.New("closed")}
	c.send.ended, c.receive.ended = closed, closed
}
