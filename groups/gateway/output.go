package gateway

import (
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Output says what the shell has to do, in this order: make Persist durable with the
// Events, and then the rest. It is the caller's.
type Output struct {
	Persist []protocols.Record
	// Events are for the operator, for checks and for the ledger.
	Events []Event
	// Frames go out on the lines, in this order.
	Frames []Frame
	// Accounts are to be made or removed at the MIMI provider.
	Accounts []Account
	// Provider is for the provider's follower, in this order: calls,
	// acknowledgements, KeyPackages, and connects of clients that are behind.
	Provider []follower.Input
	// Transfers are media to carry over.
	Transfers []Transfer
	// WakeAt is when the machine wants to be woken; zero means not at all. It replaces
	// the one of the Step before.
	WakeAt time.Time
}

// Frame is a frame for the chat channel of a line.
type Frame struct {
	Line int
	dma.Send
}

// Account is a user and a client at the MIMI provider: to be made, with its first
// KeyPackages, and to be connected; or the client to be removed. Asked for again after a
// restart until an [AccountDone] answers it, so that it may have been made already: then
// the follower takes AddUser, AddClient and Connect again, and refuses the KeyPackages as
// published before, which is as well. A shell answers with an error if the user exists and
// was not made for this client: the name is somebody else's.
type Account struct {
	User        ident.URI
	Client      ident.URI
	KeyPackages []message.KeyPackage
	Remove      bool
}

// Transfer asks to carry a medium over: to fetch its ciphertext, open it, seal it in
// the other side's way and host it there. It is asked for again after a restart until a
// [Transferred] answers it, which a shell does within a time of its own, with an error if
// need be. Either MIMI or Ref is set.
type Transfer struct {
	ID   uint64
	Kind dma.ContentKind
	MIMI *content.ExternalPart // from a room
	Ref  *dma.MediaRef         // from Signal
}

// Direction is which way a message goes.
type Direction uint8

// The directions.
const (
	ToSignal Direction = iota
	ToRoom
)

// String returns the direction in words.
func (d Direction) String() string {
	if d == ToRoom {
		return "to the room"
	}
	return "to Signal"
}

// Event is what the operator is told. The set is sealed. No event has content.
type Event interface{ event() }

type (
	// Held: the gateway held the plaintext of a message, or had the medium of one
	// opened. This is the ledger's line. What is said to the gateway itself, at the desk
	// or as a command, is no message of a room and has none, but for the text of an /edit.
	Held struct {
		Place     Place
		User      ident.URI
		Room      ident.URI
		Direction Direction
		ID        string // of the message, where it comes from
		Size      int    // bytes of the plaintext; 0 if the size of a medium is not known
		Medium    bool
	}
	// Passed: a message was put into the other side's outbox, as Count messages.
	Passed struct {
		User      ident.URI
		Room      ident.URI
		Direction Direction
		ID        string
		Count     int
	}
	// Lost: a part of a message, or all of it, could not be translated.
	Lost struct {
		User      ident.URI
		Room      ident.URI
		Direction Direction
		ID        string
		Loss      Loss
	}
	// Agreed and Ended: a Signal user has agreed to the terms; has ended it.
	Agreed struct {
		Signal ident.Address
		User   ident.URI
	}
	Ended struct {
		Signal ident.Address
		User   ident.URI
	}
	// RoomOpened and RoomClosed: a user's line stands for a room now; no longer.
	RoomOpened struct {
		User ident.URI
		Room ident.URI
		Line int
	}
	RoomClosed struct {
		User ident.URI
		Room ident.URI
		Line int
	}
	// Trouble: something is not as it should be. User and Room are zero if it is about
	// none.
	Trouble struct {
		User ident.URI
		Room ident.URI
		What string
		Why  string
	}
)

func (Held) event()       {}
func (Passed) event()     {}
func (Lost) event()       {}
func (Agreed) event()     {}
func (Ended) event()      {}
func (RoomOpened) event() {}
func (RoomClosed) event() {}
func (Trouble) event()    {}
