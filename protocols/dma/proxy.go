package dma

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// Proxy stands between a partner's devices and the gatekeeper. The Reference
// Offer lets a partner run one under four rules, which are this machine's:
//
//  1. exactly one connection to the gatekeeper per client;
//  2. connected to the gatekeeper only while the client is connected to it;
//  3. it passes on the client's IP address;
//  4. it never decrypts messages.
//
// What a frame is, it does not look at. A proxy that ends the client's chat channel
// and opens another sees every stanza, and so all metadata, but holds no end-to-end
// key; that is what the simulator's does. One that moves sealed bytes does not see
// even those (package serve/proxy). It stores nothing and acknowledges nothing: what is
// under way when a leg breaks is lost and repeated by the endpoints.
//
// A client's two legs have the same [ConnID].
type Proxy struct {
	legs map[ConnID]*leg
	out  Output
}

// leg is one client's pair of connections.
type leg struct {
	account ident.Address
	ip      netip.Addr
	up      bool
	waiting [][]byte // frames of the client that came before the upper leg stood
}

// maxWaiting bounds what a proxy holds back while it connects to the gatekeeper.
const maxWaiting = 64

// Inputs of a [Proxy] from its gatekeeper's side. [Connect], [Frame] and
// [Disconnect] are from the client's.
type (
	// Upstream: the connection to the gatekeeper stands.
	Upstream struct{ Conn ConnID }
	// UpstreamFrame: the gatekeeper sent a frame for the client.
	UpstreamFrame struct {
		Conn ConnID
		Data []byte
	}
	// UpstreamGone: the connection to the gatekeeper is gone or never stood.
	UpstreamGone struct{ Conn ConnID }
)

func (Upstream) input()      {}
func (UpstreamFrame) input() {}
func (UpstreamGone) input()  {}

// Dial asks the shell of a [Proxy] for a connection to the gatekeeper.
type Dial struct {
	Conn    ConnID
	Account ident.Address
	IP      netip.Addr // the client's, to be passed on
}

// NewProxy returns a proxy without clients.
func NewProxy() *Proxy { return &Proxy{legs: make(map[ConnID]*leg)} }

// Step takes one input at a time. The output is valid until the next Step: Sends
// go to clients, Upstream to the gatekeeper.
func (p *Proxy) Step(now time.Time, in Input) (Output, error) {
	p.out.reset()
	var err error
	switch in := in.(type) {
	case Connect:
		err = p.connect(in)
	case Frame:
		err = p.up(in)
	case Disconnect:
		p.gone(in.Conn)
	case Upstream:
		if l := p.legs[in.Conn]; l != nil && !l.up {
			l.up = true
			for _, f := range l.waiting {
				p.out.Upstream = append(p.out.Upstream, Send{Conn: in.Conn, Frame: f})
			}
			l.waiting = nil
		}
	case UpstreamFrame:
		if p.legs[in.Conn] == nil {
			err = fmt.Errorf("dma: proxy: frame for unknown client %d", in.Conn)
			break
		}
		p.out.Sends = append(p.out.Sends, Send{Conn: in.Conn, Frame: in.Data})
	case UpstreamGone:
		if p.legs[in.Conn] != nil {
			delete(p.legs, in.Conn)
			p.out.Sends = append(p.out.Sends, Send{Conn: in.Conn, Close: true})
		}
	case Wake:
	default:
		err = fmt.Errorf("dma: proxy: input %T, want one of a proxy's", in)
	}
	if err != nil {
		return Output{}, err
	}
	return p.out, nil
}

func (p *Proxy) connect(in Connect) error {
	if in.Conn == 0 || p.legs[in.Conn] != nil {
		return fmt.Errorf("dma: proxy: connection %d is 0 or in use", in.Conn)
	}
	p.legs[in.Conn] = &leg{account: in.Account, ip: in.IP}
	p.out.Dials = append(p.out.Dials, Dial(in))
	return nil
}

func (p *Proxy) up(in Frame) error {
	l := p.legs[in.Conn]
	switch {
	case l == nil:
		return fmt.Errorf("dma: proxy: frame on unknown connection %d", in.Conn)
	case l.up:
		p.out.Upstream = append(p.out.Upstream, Send{Conn: in.Conn, Frame: in.Data})
	case len(l.waiting) == maxWaiting:
		return errors.New("dma: proxy: too many frames before the gatekeeper's connection stood")
	default:
		l.waiting = append(l.waiting, in.Data)
	}
	return nil
}

func (p *Proxy) gone(c ConnID) {
	if l := p.legs[c]; l != nil {
		delete(p.legs, c)
		p.out.Upstream = append(p.out.Upstream, Send{Conn: c, Close: true})
	}
}
