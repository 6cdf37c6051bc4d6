package adaptertest

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// parcel is a message on its way, with the answers it will tolerate.
type parcel struct {
	sealed protocols.Sealed
	text   string
	opened bool
	late   int // messages that the receiver opened since
}

// maxLate is how many messages the receiver may open before a message that must
// still open. Each can begin a turn of the conversation; Signal keeps the keys
// of five turns.
const maxLate = 3

var randomChecks = []check{
	{"random conversations lose no message and open none twice", func(h *harness) {
		for i := range 6 {
			randomConversation(h, i)
		}
	}},
}

// randomConversation lets two devices talk over a channel that loses,
// duplicates and reorders, while they start sessions anew, rotate and restart.
func randomConversation(h *harness, run int) {
	h.Helper()
	end := [2]*device{h.client("a"), h.client("b")}
	end[0].establish(end[1], true)
	var inbox [2][]*parcel
	for step := range 150 {
		x := h.rand.IntN(2)
		me, peer := end[x], end[1-x]
		switch h.rand.IntN(14) {
		case 0:
			me.establish(peer, h.rand.IntN(3) > 0)
		case 1:
			end[x] = me.restored(clone(me.State()))
		case 2:
			me.publish(h.rand.IntN(4))
		case 3, 4, 5, 6, 7:
			if me.Established(peer.address) {
				text := fmt.Sprint("run ", run, " step ", step)
				inbox[1-x] = append(inbox[1-x], &parcel{sealed: me.seal(peer, text), text: text})
			}
		case 8:
			if n := len(inbox[x]); n > 0 { // lost
				i := h.rand.IntN(n)
				inbox[x] = append(inbox[x][:i], inbox[x][i+1:]...)
			}
		default:
			if n := len(inbox[x]); n > 0 {
				arrive(h, me, peer, &inbox[x], h.rand.IntN(n))
			}
		}
	}
	for range 4 {
		end[0].exchange(end[1])
		end[1].exchange(end[0])
	}
}

// arrive delivers parcel i of the inbox. It stays there, to arrive again.
func arrive(h *harness, me, peer *device, inbox *[]*parcel, i int) {
	h.Helper()
	p := (*inbox)[i]
	if p.opened {
		me.refusesPayload(peer, p.sealed, "a message again", nil)
		return
	}
	if p.late > maxLate {
		return
	}
	me.open(peer, p.sealed, p.text)
	p.opened = true
	for _, other := range *inbox {
		other.late++
	}
}
