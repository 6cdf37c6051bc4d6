package mls

import (
	"bytes"
	"errors"
	"fmt"

	"pgregory.net/rapid"
)

// refused lets a client process what it must refuse.
func (p *play) refused(c *player, b []byte, want ...error) {
	p.Helper()
	before := fingerprint(c.g)
	_, err := c.g.Process(now, b)
	if err == nil {
		p.Fatalf("%s takes what it should refuse", c.name)
	}
	if fingerprint(c.g) != before {
		p.Fatalf("%s changes its state by what it refuses: %v", c.name, err)
	}
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	if want != nil {
		p.Fatalf("%s refuses with %v, want %v", c.name, err, want)
	}
}

// say lets a client send application data.
func (p *play) say() {
	c := p.any()
	data := fmt.Appendf(nil, "%d of %s", len(p.chats), c.name)
	b, err := c.g.Protect(data, SendOptions{})
	if len(c.g.Proposals()) > 0 {
		if !errors.Is(err, ErrProposalsPending) {
			p.Fatalf("%s: %v, want %v", c.name, err, ErrProposalsPending)
		}
		return
	}
	p.ok(err)
	p.chats = append(p.chats, &chat{c, c.g.Epoch(), b, data, map[*player]bool{}})
}

// deliver brings application data to a client, for the first time or again.
func (p *play) deliver() {
	if len(p.chats) == 0 {
		return
	}
	m, c := rapid.SampledFrom(p.chats).Draw(p.T, "chat"), p.any()
	at := c.g.Epoch()
	switch {
	case m.epoch > at || m.epoch < c.joined || m.epoch+playPast < at:
		p.refused(c, m.bytes, CheckEpoch)
	case m.from == c:
		p.refused(c, m.bytes, ErrOwnMessage)
	case m.seen[c]:
		p.refused(c, m.bytes, CheckGeneration)
	default:
		p.refused(c, p.flip(m.bytes))
		e, err := c.g.Process(now, m.bytes)
		if err != nil {
			p.Fatalf("%s at epoch %d: data of %s in epoch %d: %v", c.name, at, m.from.name, m.epoch, err)
		}
		if a := e.(*Application); !bytes.Equal(a.Data, m.data) || a.Sender != m.from.g.OwnLeaf() || a.Epoch != m.epoch {
			p.Fatalf("%s reads %q of leaf %d, want %q", c.name, a.Data, a.Sender, m.data)
		}
		m.seen[c] = true
	}
}

// ahead brings a client a handshake of an epoch that it has not come to.
func (p *play) ahead() {
	c := p.any()
	for _, e := range p.log[c.pos:] {
		if e.epoch > c.g.Epoch() {
			p.refused(c, e.bytes, CheckEpoch)
			return
		}
	}
}

// again brings a client a handshake that it has read.
func (p *play) again() {
	c := p.any()
	if c.pos == 0 {
		return
	}
	e := p.log[rapid.IntRange(0, c.pos-1).Draw(p.T, "entry")]
	switch {
	case e.epoch != c.g.Epoch():
		p.refused(c, e.bytes, CheckEpoch)
	case e.from == c.name:
		p.refused(c, e.bytes, ErrOwnMessage)
	default:
		p.refused(c, e.bytes, ErrDuplicate, CheckGeneration)
	}
}

// damage brings a client the next handshake with one bit changed. It has to read
// the right one afterwards.
func (p *play) damage() {
	c := p.any()
	if c.pos == len(p.log) {
		return
	}
	if p.log[c.pos].from != c.name {
		p.refused(c, p.flip(p.log[c.pos].bytes))
	}
	p.read(c, c.pos+1)
}

// flip returns bytes with one bit changed.
func (p *play) flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[rapid.IntRange(0, len(b)-1).Draw(p.T, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(p.T, "bit")
	return b
}
