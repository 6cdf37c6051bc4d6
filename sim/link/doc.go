// Package link models what lies between two machines: the time a frame takes,
// and whether it arrives at all, twice, or out of order. It also models when a
// link, a node or a device is up.
//
// A [Link] is one direction between two nodes. [Link.Send] says when a frame
// arrives; the caller schedules that. All links of one kind share a [Config] and
// each draws from a stream of its own:
//
//	cfg := &link.Config{Mode: link.Stream, Delay: link.LogNormal{Median: 0.05, Sigma: 0.4}, Loss: 0.001}
//	l := link.New(cfg, des.NewStream(seed, "link/alice/gatekeeper"))
//	a := l.Send(k.Now(), len(frame))
//
// In mode [Datagram] each frame fares on its own, as in UDP. In mode [Stream]
// frames arrive in order and exactly once as long as the connection lives, as
// in TCP: loss costs time, and what outlasts [Config.BreakAfter] breaks the
// connection.
//
//	 Send     transmitter (Bandwidth)      wire (Delay, Reorder)
//	--o--->|== waits ==|== is sent ==|------------- travels ----------->|  At
//	   now           free          free'                             arrival
//
// # Common random numbers
//
// Whatever becomes of a frame, it takes the same number of draws from its link's
// stream, and has draws of its own made from them. So the n-th frame of a link
// meets the same luck in every variant of a scenario: with a higher loss rate the
// frames that were lost before are lost still, and some more.
//
// # What it does not do
//
// It has no congestion control, no slow start and no competition between
// links; a frame's retransmissions don't use up bandwidth. It does not schedule
// events, and it knows no addresses. Bytes that lower layers add are the
// caller's to count.
package link
