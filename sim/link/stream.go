package link

import "github.com/mimi-lab/mimi-lab/sim/des"

// Constants of TCP.
const (
	// SegmentSize is the payload of a full segment: 1500 bytes of Ethernet less
	// 20 of IPv4 and 20 of TCP (RFC 9293, Section 3.7.1).
	SegmentSize = 1460
	// initialRTO is the retransmission timeout before a round trip was measured
	// (RFC 6298, Section 2.1).
	initialRTO = des.Second
	// maxRTO caps the doubling (RFC 6298, Section 2.5: at least 60 seconds).
	maxRTO = des.Minute
	// dupThreshold is the number of duplicate acknowledgments that start a fast
	// retransmit (RFC 5681, Section 3.2).
	dupThreshold = 3
)

// minRTO is what Linux uses (TCP_RTO_MIN, include/net/tcp.h). RFC 6298, Section
// 2.4, would have 1 second.
const minRTO = 200 * des.Millisecond

// stream models TCP by one frame's fate. It is sent when the transmitter is free,
// in segments. A round in which a segment is lost, or the link is down, is
// followed by another:
//
//   - one round trip later, if the first round is lost and so many segments
//     follow that duplicate acknowledgments tell (RFC 5681, Section 3.2);
//   - else after the retransmission timeout, which then doubles (RFC 6298,
//     Section 5.5).
//
// The timeout is 1 s on a new connection, then RTT + 4 RTT/2 as after a first
// measurement (RFC 6298, Section 2.2), which a steady connection comes down from
// and a shaky one needs. A frame arrives no earlier than the one before it, which
// is TCP's head-of-line blocking.
func (l *Link) stream(now des.Time, size int) Arrivals {
	c := l.cfg
	if l.state == failing {
		if now < l.last {
			return Arrivals{Broken: l.last, Conn: l.conn}
		}
		l.Reset(now)
	}
	segments := max(1, (size+SegmentSize-1)/SegmentSize)
	lost, held := l.lostRounds(segments), l.rand.Bool(c.Reorder)
	delay := l.delay(held)
	rtt := 2 * min(delay, des.Never/8)

	sent := l.transmit(now, size)
	limit := c.BreakAfter
	if limit == 0 {
		limit = DefaultBreakAfter
	}
	rto := initialRTO
	if l.state == open {
		rto = min(max(3*rtt, minRTO), maxRTO)
	}
	at := sent
	for round := 0; ; round++ {
		down := c.Down.Contains(at)
		if !down && lost == 0 {
			break
		}
		if !down {
			lost--
		}
		if round == 0 && !down && l.state == open && segments > dupThreshold {
			at = at.Add(rtt)
			continue
		}
		at = at.Add(rto)
		rto = min(2*rto, maxRTO)
		if at > sent.Add(limit) {
			l.state, l.last = failing, sent.Add(limit)
			return Arrivals{Broken: l.last, Conn: l.conn}
		}
	}
	at = at.Add(delay)
	if l.state == fresh {
		at = at.Add(des.Time(c.Handshake) * rtt)
	}
	l.state, l.last = open, max(l.last, at)
	return Arrivals{N: 1, At: [2]des.Time{l.last}, Conn: l.conn}
}
