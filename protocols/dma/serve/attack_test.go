package serve

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/egress"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// attackers is the address that attacks on a gatekeeper come from which others use
// meanwhile.
const attackers = "127.0.0.2"

// attack is one kind of abuse.
type attack struct {
	name string
	set  func(*Config) // beyond guarded; may be nil
	// once is one attempt. It says in the words of why how it was refused, "" if it was
	// not, or returns an error if it could not be made.
	once func(*attacker) (refusal string, err error)
	want string // the refusal
	// seen means that the gatekeeper alone knows the refusal: the attacker is hung up on.
	seen bool
}

// guarded are bounds that the attacks reach.
func guarded(c *Config) {
	c.Limits = Limits{HandshakeTimeout: 5 * time.Second, FrameTimeout: time.Second, RequestTimeout: 5 * time.Second, Frame: 256 << 10, Checks: 4}
	c.Rates = Rates{
		Connections: 8, Handshakes: 4, Connects: Rate{30, time.Second},
		Enlistments: Rate{10, time.Second}, PartnerEnlistments: Rate{20, time.Minute}, Stanzas: Rate{2000, time.Second},
	}
	c.Machine.PerSender = 50
	c.Machine.Quotas = dma.Quotas{Fetches: 100, FetchesOfOne: 10, Waiting: 100, Bytes: 4 << 20}
}

// attacker is where attempts come from, with a device that it owns.
type attacker struct {
	w      *world
	ctx    context.Context
	eve    *phone // a user of the other partner
	victim *phone // a native user who is not connected
	thief  *phone // with another user's account and stolen tokens, but not the key
	record []byte // what a device of somebody else has sent
	auth   string // the victim's token for the media host

	held  []net.Conn // that are left hanging
	wire  *wire      // the connection in use; nil without one
	count int
}

// id is another one at each call, of this attacker.
func (a *attacker) id() string {
	a.count++
	return fmt.Sprint(a.eve.Account().User, "-", a.count)
}

func (a *attacker) dial(to string) (net.Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(attackers)}}
	nc, err := d.DialContext(a.ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	return nc, nc.SetDeadline(time.Now().Add(10 * time.Second))
}

// wire is a chat connection after its handshake.
type wire struct {
	nc net.Conn
	r  *bufio.Reader
	c  *noise.Channel
}

// login connects as a phone.
func (a *attacker) login(p *phone) (*wire, error) {
	nc, err := a.dial(a.w.chat)
	if err != nil {
		return nil, err
	}
	l := &line{d: p.Device, nc: nc, r: newReader(nc)}
	c, err := l.handshake(a.ctx)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return &wire{nc, l.r, c}, nil
}

// connected returns the connection in use, or makes one.
func (a *attacker) connected() (*wire, error) {
	if a.wire != nil {
		return a.wire, nil
	}
	w, err := a.login(a.eve)
	a.wire = w
	return w, err
}

// gone closes the connection in use.
func (a *attacker) gone() {
	if a.wire != nil {
		_ = a.wire.nc.Close()
		a.wire = nil
	}
}

func (w *wire) send(b []byte) error {
	b, err := w.c.Seal(nil, b)
	if err != nil {
		return err
	}
	_, err = w.nc.Write(b)
	return err
}

func (w *wire) say(s stanza.Stanza) error {
	b, err := stanza.AppendBinary(nil, s.Node())
	if err != nil {
		return err
	}
	return w.send(b)
}

// until reads stanzas up to one that f takes, or the farewell.
func (w *wire) until(f func(stanza.Stanza) bool) error {
	for {
		body, err := noise.ReadFrame(w.r, w.c.MaxBody(), nil)
		if err != nil {
			return err
		}
		frame, err := w.c.Open(body)
		if err != nil {
			return err
		}
		if told := farewell(frame); told != nil {
			return told
		}
		s, err := new(stanza.Decoder).Parse(frame)
		if err != nil {
			return err
		}
		if f(s) {
			return nil
		}
	}
}

// told returns the refusal that the gatekeeper says.
func told(err error) (string, error) {
	var e *stanza.Error
	if errors.As(err, &e) {
		return e.Code.Error(), nil
	}
	return "", err
}

// bad sends what is no stanza for a gatekeeper, and returns what it says.
func bad(say func() []byte) func(*attacker) (string, error) {
	say = sync.OnceValue(say) // its making is the attackers' affair
	return func(a *attacker) (string, error) {
		w, err := a.connected()
		if err != nil {
			return "", err
		}
		defer a.gone()
		if err := w.send(say()); err != nil {
			return "", err
		}
		return told(w.until(func(stanza.Stanza) bool { return false }))
	}
}

// hang leaves a connection to an address hanging, after it has said something.
func hang(to func(*world) string, say func(*attacker, net.Conn) error) func(*attacker) (string, error) {
	return func(a *attacker) (string, error) {
		nc, err := a.dial(to(a.w))
		if err != nil {
			return "", err
		}
		a.held = append(a.held, nc)
		if len(a.held) > 32 {
			_ = a.held[0].Close()
			a.held = a.held[1:]
		}
		return "", say(a, nc)
	}
}

func chatAddress(w *world) string  { return w.chat }
func httpsAddress(w *world) string { return w.https }

// trickle begins a request over TLS and does not end it.
func trickle(request string) func(*attacker, net.Conn) error {
	return func(a *attacker, nc net.Conn) error {
		c := tls.Client(nc, &tls.Config{RootCAs: a.w.roots, ServerName: "127.0.0.1"})
		if err := c.HandshakeContext(a.ctx); err != nil {
			return err
		}
		_, err := io.WriteString(c, request)
		return err
	}
}

// request makes one at the enlistment server from the attackers' address, and returns the
// body of the answer.
func (a *attacker) request(method, path string, body []byte, name, value string) ([]byte, error) {
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: a.w.roots},
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return a.dial(a.w.https) },
		DisableKeepAlives: true,
	}
	req, err := http.NewRequestWithContext(a.ctx, method, "https://127.0.0.1"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set(name, value)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(io.LimitReader(resp.Body, enlist.MaxAnswer))
}

// fetch asks the media host for a path with the victim's token.
func fetch(path string) func(*attacker) (string, error) {
	return func(a *attacker) (string, error) {
		text, err := a.request(http.MethodGet, path, nil, "Authorization", "Bearer "+a.auth)
		return strings.TrimSpace(string(text)), err
	}
}

// enlistAs posts a form from the attackers' address.
func (a *attacker) enlistAs(user string, i *issuer) (string, error) {
	f := &enlist.Form{Identifier: user, Token: i.token(user, time.Hour), Version: enlist.Version, SignedPreKeyID: 1}
	body, err := enlist.Names{}.Encode(f)
	if err != nil {
		return "", err
	}
	text, err := a.request(http.MethodPost, enlist.Path, body, "Content-Type", enlist.ContentType)
	if err != nil {
		return "", err
	}
	answer, err := enlist.ParseAnswer(text)
	if err != nil {
		return "", err
	}
	return string(answer.Reason), nil
}

// never answers no question before its asker gives up.
type never struct{}

func (never) Verify(ctx context.Context, _, _ string) (*token.Claims, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// attacks are what TestAbuse and TestAbuseLatency make.
var attacks = []attack{
	{
		name: "slow handshakes", seen: true, want: errWaiting.Error(),
		once: hang(chatAddress, func(_ *attacker, nc net.Conn) error { _, err := nc.Write([]byte("ML")); return err }),
	},
	{
		name: "slow TLS handshakes", seen: true, want: errAddress.Error(),
		once: hang(httpsAddress, func(_ *attacker, nc net.Conn) error { _, err := nc.Write([]byte("\x16\x03\x01")); return err }),
	},
	{
		name: "slow headers", seen: true, want: errAddress.Error(),
		once: hang(httpsAddress, trickle("POST "+enlist.Path+" HTTP/1.1\r\nHost: x\r\nX-a: ")),
	},
	{
		name: "slow bodies", seen: true, want: errAddress.Error(), set: func(c *Config) { c.Limits.Enlistments = 4 },
		once: hang(httpsAddress, trickle("POST "+enlist.Path+" HTTP/1.1\r\nHost: x\r\nContent-Type: "+enlist.ContentType+"\r\nContent-Length: 1000\r\n\r\nauthkey=")),
	},
	{
		name: "flood of connections", seen: true, want: errConnect.Error(),
		once: func(a *attacker) (string, error) {
			nc, err := a.dial(a.w.chat)
			if err != nil {
				return "", err
			}
			return "", nc.Close()
		},
	},
	{
		name: "replayed handshakes", seen: true, want: "noise: " + noise.ErrHandshake.Error(),
		once: func(a *attacker) (string, error) {
			nc, err := a.dial(a.w.chat)
			if err != nil {
				return "", err
			}
			defer func() { _ = nc.Close() }()
			if _, err := nc.Write(a.record); err != nil {
				return "", err
			}
			_, err = io.Copy(io.Discard, nc)
			return "", err
		},
	},
	{
		name: "stolen token of another partner", want: stanza.NotAuthorized.Error(),
		once: func(a *attacker) (string, error) {
			w, err := a.login(a.thief)
			if err != nil {
				return "", err
			}
			defer func() { _ = w.nc.Close() }()
			return told(w.until(func(stanza.Stanza) bool { return false }))
		},
	},
	{
		name: "oversized frames", want: stanza.ResourceLimit.Error(),
		once: func(a *attacker) (string, error) {
			w, err := a.connected()
			if err != nil {
				return "", err
			}
			defer a.gone()
			if _, err := w.nc.Write([]byte{0xff, 0xff, 0xff}); err != nil {
				return "", err
			}
			return told(w.until(func(stanza.Stanza) bool { return false }))
		},
	},
	{
		name: "truncated frames", want: stanza.RequestTimeout.Error(),
		once: func(a *attacker) (string, error) {
			w, err := a.connected()
			if err != nil {
				return "", err
			}
			defer a.gone()
			if _, err := w.nc.Write([]byte{0, 1, 0, 'x'}); err != nil {
				return "", err
			}
			return told(w.until(func(stanza.Stanza) bool { return false }))
		},
	},
	{name: "bomb that inflates", want: stanza.BadRequest.Error(), once: bad(inflating)},
	{name: "bomb of levels", want: stanza.BadRequest.Error(), once: bad(deep)},
	{name: "bomb of attributes", want: stanza.BadRequest.Error(), once: bad(attributes)},
	{name: "bomb of children", want: stanza.BadRequest.Error(), once: bad(children)},
	{name: "XML", want: stanza.BadRequest.Error(), once: bad(laughs)},
	{
		name: "draining of prekeys", want: stanza.RateOverlimit.Error(),
		once: func(a *attacker) (string, error) {
			w, err := a.connected()
			if err != nil {
				return "", err
			}
			users := make([]ident.Address, 20)
			for i := range users {
				users[i] = a.victim.Account()
			}
			if err := w.say(&stanza.IQ{ID: "drain", Type: stanza.Get, Payload: &stanza.KeyFetch{Users: users}}); err != nil {
				return "", err
			}
			refusal := ""
			err = w.until(func(s stanza.Stanza) bool {
				q, ok := s.(*stanza.IQ)
				if !ok || q.ID != "drain" {
					return false
				}
				for _, u := range q.Payload.(*stanza.KeyBundles).Users {
					if u.Error != nil {
						refusal = u.Error.Code.Error()
					}
				}
				return true
			})
			return refusal, err
		},
	},
	{
		name: "flood of a mailbox", want: stanza.ResourceLimit.Error(),
		once: func(a *attacker) (string, error) {
			w, err := a.connected()
			if err != nil {
				return "", err
			}
			id := a.id()
			m := &stanza.Message{ID: id, To: a.victim.Account(), Type: stanza.TextMessage, Enc: []stanza.Enc{{Type: "msg", Version: 2, Payload: make([]byte, 1000)}}}
			if err := w.say(m); err != nil {
				return "", err
			}
			refusal := ""
			err = w.until(func(s stanza.Stanza) bool {
				ack, ok := s.(*stanza.Ack)
				if !ok || ack.ID != id {
					return false
				}
				if ack.Error != 0 {
					refusal = ack.Error.Error()
				}
				return true
			})
			return refusal, err
		},
	},
	{
		name: "flood of enlistments", want: string(enlist.TooMany),
		once: func(a *attacker) (string, error) { return a.enlistAs("eve@nowhere.example", a.w.partner) },
		set: func(c *Config) {
			c.Rates.Connects, c.Rates.Enlistments, c.Rates.PartnerEnlistments = Rate{}, Rate{2, time.Minute}, Rate{}
		},
	},
	{
		name: "flood of one partner's enlistments", want: string(enlist.TooMany),
		once: func(a *attacker) (string, error) {
			return a.enlistAs(a.id()+"@other.example", a.w.other)
		},
		set: func(c *Config) {
			c.Rates.Connects, c.Rates.Enlistments, c.Rates.PartnerEnlistments = Rate{}, Rate{}, Rate{6, time.Minute}
		},
	},
	{
		name: "partner whose keys never come", seen: true, want: errBusy.Error(),
		set: func(c *Config) { c.Rates, c.Limits.Checks, c.Partners[2].Tokens = Rates{}, 2, never{} },
		once: func(a *attacker) (string, error) {
			ctx, cancel := context.WithTimeout(a.ctx, 500*time.Millisecond)
			defer cancel()
			_, err := (&attacker{w: a.w, ctx: ctx}).enlistAs("eve@silent.example", a.w.silent)
			return "", err
		},
	},
	{
		name: "partner whose keys lead inward", want: string(enlist.Internal),
		set: func(c *Config) {
			c.Rates.Enlistments, c.Rates.PartnerEnlistments = Rate{}, Rate{}
			c.Partners[2].Tokens = inward(c.Partners[2].Issuer)
		},
		once: func(a *attacker) (string, error) { return a.enlistAs("eve@silent.example", a.w.silent) },
	},
	{
		name: "partner whose media lead inward", want: "the partner's media host: " + egress.ErrPrivate.Error(), set: hostInward,
		once: fetch("/interop/whatsapp/download/3/x/"),
	},
	{name: "media path traversal", want: errNoMedium.Error(), once: fetch("/v/t..%2f..%2fkeys.json")},
	{name: "media path traversal at a partner", want: errNoMedium.Error(), set: hostInward, once: fetch("/interop/whatsapp/download/3/..%2f..%2fpush/")},
}

// hostInward has a partner's {3p_base_url} lead into this machine.
func hostInward(c *Config) { c.Partners[2].Media = &MediaSource{Base: "https://127.0.0.1:1/media"} }

// inward returns what fetches a partner's keys from this machine.
func inward(issuer string) Verifier {
	s, err := jwks.New(jwks.Config{Base: "https://127.0.0.1:1", Policy: token.Policy{Issuer: issuer, Audience: audience}, Again: time.Nanosecond})
	if err != nil {
		panic(err)
	}
	return s
}

// inflating is a stanza that becomes 4 MB.
func inflating() []byte {
	m := &stanza.Message{ID: "M", To: ident.Address{User: "1", Server: ident.User}, Type: stanza.TextMessage, Enc: []stanza.Enc{{Type: "msg", Version: 2, Payload: make([]byte, 4<<20)}}}
	b, err := stanza.AppendCompressed(nil, m.Node())
	if err != nil {
		panic(err)
	}
	return b
}

// The binary form's list with 8-bit and with 16-bit length, and a string of one byte; see
// package stanza.
func listHead(n int) []byte { return []byte{249, byte(n >> 8), byte(n)} }

// deep are lists in lists, without an end.
func deep() []byte {
	b := []byte{stanza.DictionaryVersion << 4}
	for range 10000 {
		b = append(b, 248, 2, 252, 1, 'x', 248, 1) // a node of a tag and a content: a list of one node
	}
	return b
}

// attributes is a node that promises 30000 of them.
func attributes() []byte {
	return append(append([]byte{stanza.DictionaryVersion << 4}, listHead(60001)...), bytes.Repeat([]byte{252, 1, 'x'}, 60001)...)
}

// children is a node that promises 65535 of them in each of its own.
func children() []byte {
	b := []byte{stanza.DictionaryVersion << 4}
	for range 10 {
		b = append(append(b, 248, 2, 252, 1, 'x'), listHead(65535)...)
	}
	return b
}

// laughs is the well-known bomb of entities, where XML is not spoken.
func laughs() []byte {
	return []byte(`<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">` + strings.Repeat(`<!ENTITY l "&lol;&lol;&lol;">`, 9) + `]><lolz>&l;</lolz>`)
}
