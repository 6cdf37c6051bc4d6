package chat

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// link is one end of a connection. Reading is for one goroutine.
type link struct {
	nc      net.Conn
	r       *bufio.Reader
	channel *noise.Channel // nil until the handshake is done
	body    []byte         // of the last frame

	mu  sync.Mutex // guards what follows, and sealing
	out []byte     // frames that are not written yet
}

func newLink(nc net.Conn) *link { return &link{nc: nc, r: bufio.NewReaderSize(nc, 4<<10)} }

// read returns the body of the next frame, which the next read overwrites.
func (l *link) read(limit int) ([]byte, error) {
	var head [noise.HeaderSize]byte
	if _, err := io.ReadFull(l.r, head[:]); err != nil {
		return nil, err
	}
	n, err := noise.FrameLength(head, limit)
	if err != nil {
		return nil, err
	}
	if cap(l.body) < n {
		l.body = make([]byte, n)
	}
	l.body = l.body[:n]
	_, err = io.ReadFull(l.r, l.body)
	return l.body, err
}

// open returns what the next frame holds.
func (l *link) open() ([]byte, error) {
	body, err := l.read(l.channel.MaxBody())
	if err != nil {
		return nil, err
	}
	return l.channel.Open(body)
}

// waits reports whether the next frame has not come as a whole.
func (l *link) waits() bool {
	have := l.r.Buffered()
	if have < noise.HeaderSize {
		return true
	}
	head, err := l.r.Peek(noise.HeaderSize)
	if err != nil {
		return true
	}
	n, err := noise.FrameLength([noise.HeaderSize]byte(head), noise.MaxFrame)
	return err != nil || have < noise.HeaderSize+n
}

// seal adds a frame to those that are to be written. The caller holds mu.
func (l *link) seal(plaintext []byte) (err error) {
	l.out, err = l.channel.Seal(l.out, plaintext)
	return err
}

// flush writes what is to be written. The caller holds mu.
func (l *link) flush() error {
	if len(l.out) == 0 {
		return nil
	}
	_, err := l.nc.Write(l.out)
	l.out = l.out[:0]
	return err
}

// listen calls take, which holds mu, with what each frame holds, and writes what it has to
// say when nothing more has come.
func (l *link) listen(take func(plaintext []byte) error) error {
	for {
		if l.waits() {
			l.mu.Lock()
			err := l.flush()
			l.mu.Unlock()
			if err != nil {
				return err
			}
		}
		plaintext, err := l.open()
		if err != nil {
			return err
		}
		l.mu.Lock()
		err = take(plaintext)
		l.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// device is a user's.
type device struct {
	*link
	user    string // what others find it by
	static  suite.KeyPair
	account ident.Address
	enc     stanza.Encoder
	dec     stanza.Decoder
	plain   []byte
}

// say adds a stanza to those that are to be written. The caller holds mu.
func (d *device) say(s stanza.Stanza) (err error) {
	if d.plain, err = d.enc.Append(d.plain[:0], s); err != nil {
		return err
	}
	return d.seal(d.plain)
}

// pair is a sender and whom it writes to.
type pair struct {
	w                *world
	number           uint64
	sender, receiver *device

	// What follows is guarded by the sender's mu.
	sent, target   int // messages, of all rounds
	acked, settled int // acknowledged; with the receipt
	payload        []byte
	accepted       []time.Duration // how long each message of the round took
	began          []time.Duration // when each was sent, by its number modulo underWay

	// And that by the receiver's.
	delivered, confirmed int             // received; with the receipt acknowledged
	goal                 int             // of all rounds
	arrived              []time.Duration // how long each message of the round took
}

// id is the name of a message: its number, from 0, of all rounds.
func id(n int) string { return strconv.Itoa(n) }

// send sends messages while there are any and fewer than underWay are on their way. The
// caller holds the sender's mu.
func (p *pair) send(underWay int) error {
	for p.sent < p.target && p.sent-p.settled < underWay {
		now := time.Since(p.w.epoch)
		p.began[p.sent%len(p.began)] = now
		binary.BigEndian.PutUint64(p.payload, p.number<<40|uint64(p.sent))
		binary.BigEndian.PutUint64(p.payload[8:], uint64(now))
		p.sent++
		if err := p.sender.say(p.message(p.sent - 1)); err != nil {
			return err
		}
	}
	return nil
}

func (p *pair) message(n int) *stanza.Message {
	return &stanza.Message{
		ID: id(n), To: p.receiver.account, Type: stanza.TextMessage, Enc: []stanza.Enc{{Type: "msg", Version: 2, Payload: p.payload}},
	}
}

// takeSender takes what comes to the sender: acknowledgements and receipts, each in order.
func (p *pair) takeSender(plaintext []byte) error {
	s, err := p.sender.dec.Parse(plaintext)
	if err != nil {
		return err
	}
	switch s := s.(type) {
	case *stanza.Ack:
		if s.Class != stanza.AckMessage || s.Error != 0 || s.ID != id(p.acked) || p.acked >= p.sent {
			return fmt.Errorf("the sender got %+v, want the acknowledgement of message %d of %d", s, p.acked, p.sent)
		}
		p.accepted = append(p.accepted, time.Since(p.w.epoch)-p.began[p.acked%len(p.began)])
		p.acked++
	case *stanza.Receipt:
		if s.Type != stanza.Delivered || s.From != p.receiver.account || s.ID != id(p.settled) || p.settled >= p.acked {
			return fmt.Errorf("the sender got %+v, want the receipt of message %d of %d acknowledged", s, p.settled, p.acked)
		}
		p.settled++
		if err := p.sender.say(&stanza.Ack{Class: stanza.AckReceipt, ID: s.ID, To: s.From, Type: string(s.Type)}); err != nil {
			return err
		}
		if p.settled == p.target {
			p.w.done.Done()
		}
		return p.send(len(p.began))
	default:
		return unexpected(s)
	}
	return nil
}

// takeReceiver takes what comes to the receiver: messages and acknowledgements of its
// receipts, each in order.
func (p *pair) takeReceiver(plaintext []byte) error {
	s, err := p.receiver.dec.Parse(plaintext)
	if err != nil {
		return err
	}
	switch s := s.(type) {
	case *stanza.Message:
		if s.ID != id(p.delivered) || s.From != p.sender.account || p.delivered >= p.goal || len(s.Enc) != 1 || len(s.Enc[0].Payload) != len(p.payload) {
			return fmt.Errorf("the recipient got %+v, want message %d of %d", s, p.delivered, p.goal)
		}
		said := s.Enc[0].Payload
		if got, want := binary.BigEndian.Uint64(said), p.number<<40|uint64(p.delivered); got != want {
			return fmt.Errorf("the recipient got content %x in message %d, want %x", got, p.delivered, want)
		}
		p.arrived = append(p.arrived, time.Since(p.w.epoch)-time.Duration(binary.BigEndian.Uint64(said[8:])))
		p.delivered++
		return p.receiver.say(&stanza.Receipt{ID: s.ID, To: s.From})
	case *stanza.Ack:
		if s.Class != stanza.AckReceipt || s.Error != 0 || s.ID != id(p.confirmed) || p.confirmed >= p.delivered {
			return fmt.Errorf("the recipient got %+v, want the acknowledgement of receipt %d of %d", s, p.confirmed, p.delivered)
		}
		if p.confirmed++; p.confirmed == p.goal {
			p.w.done.Done()
		}
	default:
		return unexpected(s)
	}
	return nil
}

// unexpected is nil for what a gatekeeper says before the first message.
func unexpected(s stanza.Stanza) error {
	if ib, ok := s.(*stanza.IB); ok && ib.Error == nil {
		return nil
	}
	if n, ok := s.(*stanza.Notification); ok {
		return fmt.Errorf("a device got %+v, which nobody should have caused", n)
	}
	return errors.New("a device got what is neither message, receipt nor acknowledgement")
}
