package world

import (
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/ledger"
	"github.com/mimi-lab/mimi-lab/sim/report"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// The routes, as results call them.
const (
	routeDirect  = string(scenario.Direct)
	routeProxied = string(scenario.Proxied)
)

// The metrics of a run.
var (
	// Latency is from the user's sending to the other user's device showing, for
	// senders that were connected when they wrote and recipients that were connected
	// when the gatekeeper took the message.
	Latency = report.Metric{Name: "latency", Unit: report.Milliseconds, Better: report.Lower,
		Help: "From sending to showing, with sender and recipient connected."}
	// LatencyAll is the same for all messages, and includes the time that either was
	// offline.
	LatencyAll = report.Metric{Name: "latency_all", Unit: report.Seconds, Better: report.Lower,
		Help: "From sending to showing, whether sender and recipient were connected or not."}
	// Reachable is the share of the cross-provider pairs of users who know each
	// other that can exchange messages at the end of the measured span.
	Reachable = report.Metric{Name: "reachable", Unit: report.Share, Better: report.Higher,
		Help: "Pairs of a partner's and a native user who know each other and can exchange messages, as a share of all such pairs."}
	// ReachableByGatekeeper is the same for the native users of each gatekeeper.
	ReachableByGatekeeper = report.Metric{Name: "reachable_by_gatekeeper", Unit: report.Share, Better: report.Higher,
		Help: "The same for the native users of each gatekeeper."}
	// Size is the mean size of a message by kind and part.
	Size = report.Metric{Name: "bytes_per_message", Unit: report.Bytes, Better: report.Lower,
		Help: "Mean bytes of a message by its kind: content, padding, end-to-end encryption, stanza, frame; media apart."}
	// Learned is the share of the truth that a role came to know, by kind of fact.
	Learned = report.Metric{Name: "learned", Unit: report.Share,
		Help: "Share of all facts of a kind that a party came to know."}
	// LearnedCount is the number of facts behind Learned.
	LearnedCount = report.Metric{Name: "learned_count", Unit: report.One,
		Help: "Facts of a kind that a party came to know."}
	// Messages counts messages by what became of them.
	Messages = report.Metric{Name: "messages", Unit: report.One,
		Help: "Messages by what became of them, over the whole run."}
	// KeysGone counts the key bundles that held no one-time prekey.
	KeysGone = report.Metric{Name: "bundles_without_one_time_prekey", Unit: report.One, Better: report.Lower,
		Help: "Key bundles handed out when the owner's one-time prekeys were used up, over the whole run."}
	// FramesRefused counts the frames that a machine refused. Over links that deliver in
	// order there are none.
	FramesRefused = report.Metric{Name: "frames_refused", Unit: report.One, Better: report.Lower,
		Help: "Frames that a device, gatekeeper or proxy refused, over the whole run."}
	// MessagesByInbox counts the messages that native users were shown, by where.
	MessagesByInbox = report.Metric{Name: "messages_by_inbox", Unit: report.One,
		Help: "Messages of partners' users that native users were shown, in one combined or in a separate inbox, over the whole run."}
	// Pings counts the reachability pings that partners' users sent.
	Pings = report.Metric{Name: "pings", Unit: report.One, Help: "Reachability pings sent by partners' users."}
	// Carried is what all links carried.
	Carried = report.Metric{Name: "bytes_carried", Unit: report.Bytes, Better: report.Lower,
		Help: "Bytes that all links carried over the whole run, media included."}
)

// Parts are the parts of a message's size, from the inside out: the content, its
// padding, what end-to-end encryption adds, what the stanza adds, and the chat
// channel's frame. Apart from them come the sum of all, the sum of all but the
// content, and the medium's ciphertext.
var Parts = []string{"content", "padding", "encryption", "stanza", "frame"}

// Fates are the values of the label "what" of [Messages].
var Fates = []string{"written", "accepted", "delivered", "refused", "dropped", "sealed anew", "given up", "read receipts"}

// The other values of the label "part" of [Size].
const (
	WholeMessage = "message"
	Overhead     = "overhead"
	MediaPart    = "media"
)

// meter collects the measurements of one run.
type meter struct {
	rep      *report.Replication
	modelled bool
	latency  map[latencyKey]*report.Histogram
	all      map[latencyKey]*report.Histogram
	sizes    [dma.Reaction + 1]sizes

	written, accepted, delivered, refused, dropped int64
	retries, givenUp, read                         int64
	inboxes                                        map[stanza.Inbox]int64
	pings, keysGone, refusedFrames                 int64
	carried                                        int64
}

type latencyKey struct {
	route    string
	toNative bool
}

// sizes are sums over the messages of one kind.
type sizes struct {
	n     int64
	part  [5]int64 // in the order of Parts
	media int64
}

func newMeter(rep *report.Replication, modelled bool) *meter {
	return &meter{
		rep: rep, modelled: modelled,
		latency: make(map[latencyKey]*report.Histogram), all: make(map[latencyKey]*report.Histogram),
		inboxes: make(map[stanza.Inbox]int64),
	}
}

// metric marks what was made without real cryptography.
func (m *meter) metric(x report.Metric) report.Metric {
	x.Modelled = m.modelled
	return x
}

// arrived measures a message that was shown to its recipient.
func (m *meter) arrived(f *flight, now des.Time) {
	if !f.measured {
		return
	}
	key := latencyKey{f.contact.route(), f.contact.to.user.partner == nil}
	m.histogram(m.all, LatencyAll, key).Record(int64(now - f.sent))
	if f.online {
		m.histogram(m.latency, Latency, key).Record(int64(now - f.sent))
	}
	if f.retried {
		return // sealed more than once, and of another size each time
	}
	s := &m.sizes[f.kind]
	s.n++
	for i, v := range [...]int{f.content, f.plain - f.content, f.sealed - f.plain, f.frame - f.sealed, frameOverhead} {
		s.part[i] += int64(v)
	}
	s.media += int64(f.media)
}

func (m *meter) histogram(of map[latencyKey]*report.Histogram, metric report.Metric, key latencyKey) *report.Histogram {
	h := of[key]
	if h == nil {
		to := "partner"
		if key.toNative {
			to = "native"
		}
		h = m.rep.Histogram(m.metric(metric), report.NewLabels("route", key.route, "to", to))
		of[key] = h
	}
	return h
}

// measureReach notes, at the end of the measured span, who can talk to whom.
func (w *world) measureReach() {
	var all, open int
	for _, g := range w.gatekeepers {
		reachable := 0
		for _, u := range g.natives {
			for _, c := range u.contacts {
				if g.machine.Reachable(u.devices[0].addr, c.to.addr) {
					reachable++
				}
			}
		}
		all, open = all+g.pairs, open+reachable
		w.meter.share(ReachableByGatekeeper, report.NewLabels("gatekeeper", g.name), reachable, g.pairs)
	}
	w.meter.share(Reachable, report.Labels{}, open, all)
}

// share records a part of a whole, unless there is no whole.
func (m *meter) share(x report.Metric, l report.Labels, part, whole int) {
	if whole > 0 {
		m.rep.Scalar(m.metric(x), l, float64(part)/float64(whole))
	}
}

// finish writes down what was counted.
func (w *world) finish() {
	m := w.meter
	rep := m.rep
	for i, n := range [...]int64{m.written, m.accepted, m.delivered, m.refused, m.dropped, m.retries, m.givenUp, m.read} {
		rep.Scalar(m.metric(Messages), report.NewLabels("what", Fates[i]), float64(n))
	}
	for _, inbox := range [...]stanza.Inbox{stanza.CombinedInbox, stanza.SeparateInbox} {
		rep.Scalar(m.metric(MessagesByInbox), report.NewLabels("inbox", string(inbox)), float64(m.inboxes[inbox]))
	}
	rep.Scalar(m.metric(KeysGone), report.Labels{}, float64(m.keysGone))
	rep.Scalar(m.metric(FramesRefused), report.Labels{}, float64(m.refusedFrames))
	rep.Scalar(m.metric(Pings), report.Labels{}, float64(m.pings))
	rep.Scalar(m.metric(Carried), report.Labels{}, float64(m.carried))
	for kind, s := range m.sizes {
		if s.n == 0 {
			continue
		}
		size := func(part string, sum int64) {
			labels := report.NewLabels("kind", dma.ContentKind(kind).String(), "part", part)
			rep.Scalar(m.metric(Size), labels, float64(sum)/float64(s.n))
		}
		var whole int64
		for i, sum := range s.part {
			size(Parts[i], sum)
			whole += sum
		}
		size(WholeMessage, whole)
		size(Overhead, whole-s.part[0])
		if dma.ContentKind(kind).Media() {
			size(MediaPart, s.media)
		}
	}
	for _, route := range [...]string{routeDirect, routeProxied} {
		for _, role := range ledger.Roles {
			if role == ledger.Proxy && route == routeDirect {
				continue
			}
			for _, fact := range ledger.Facts {
				s := w.ledger.Share(route, role, fact)
				if ratio, ok := s.Ratio(); ok {
					labels := report.NewLabels("route", route, "party", role.String(), "fact", fact.String())
					rep.Scalar(m.metric(Learned), labels, ratio)
					rep.Scalar(m.metric(LearnedCount), labels, float64(s.Known))
				}
			}
		}
	}
}
