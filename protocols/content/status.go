package content

import (
	"fmt"
	"math"
)

// MaxReports bounds a status report, as a choice of this implementation: it is as
// many as fit into MaxSize at their shortest.
const MaxReports = MaxSize / minReport

// minReport is how many bytes a PerMessageStatus takes at least: two heads, the ID
// behind its head, the status.
const minReport = 1 + 2 + 32 + 1

// Status is what became of a message (draft-mahy-mimi-message-status-01, Delivery
// Reporting and Read Receipts).
type Status uint8

const (
	StatusUnread    Status = 0 // not read yet by who reports
	StatusDelivered Status = 1 // received by a client of who reports
	StatusRead      Status = 2
	StatusExpired   Status = 3 // no longer there to be read
	StatusDeleted   Status = 4 // by the client, or by who may retract messages
	StatusHidden    Status = 5 // for example archived
	StatusError     Status = 6 // its ID is known, but something went wrong
)

var statusNames = [...]string{"unread", "delivered", "read", "expired", "deleted", "hidden", "error"}

// String returns the name in the draft.
func (s Status) String() string { return nameOf(statusNames[:], "Status", uint64(s)) }

// Known reports whether the draft names the status.
func (s Status) Known() bool { return int(s) < len(statusNames) }

// MessageStatus is what became of one message:
//
//	PerMessageStatus = [
//	    messageId: MessageId,
//	    status: baseStatus / $extStatus / unknownStatus
//	]
//
// The format may be used with messages of other formats, whose IDs are any 32
// bytes.
type MessageStatus struct {
	MessageID MessageID
	Status    Status
}

// StatusReport is what became of messages of one room, as of one member. It has
// the media type [TypeStatus].
//
//	MessageStatusReport = [ * PerMessageStatus ]
type StatusReport []MessageStatus

// ParseStatusReport reads a report, all of b. It is as strict about form as [Parse];
// that draft does not ask for deterministic encoding, and its example has it.
func ParseStatusReport(b []byte) (StatusReport, error) {
	if len(b) > MaxSize {
		return nil, broken(CheckSize, "", fmt.Sprintf("%d bytes, want at most %d", len(b), MaxSize))
	}
	r := &reader{data: b, field: "MessageStatusReport", part: -1}
	at, n := r.typed(majorArray)
	report := make(StatusReport, r.items(at, n, minReport))
	for i := range report {
		r.field = fmt.Sprintf("report %d", i)
		r.arrayOf(2)
		r.fixed(report[i].MessageID[:])
		if report[i].Status = Status(r.uint(math.MaxUint8)); r.err != nil {
			break
		}
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	return report, nil
}

// Marshal returns the encoding of the report.
func (s StatusReport) Marshal() ([]byte, error) {
	if len(s) > MaxReports {
		return nil, broken(CheckReports, "", fmt.Sprintf("%d, want at most %d", len(s), MaxReports))
	}
	w := &writer{part: -1, b: make([]byte, 0, 9+len(s)*(minReport+1))}
	w.array(len(s))
	for _, one := range s {
		w.array(2)
		w.bytes(one.MessageID[:])
		w.uint(uint64(one.Status))
	}
	if len(w.b) > MaxSize {
		return nil, broken(CheckSize, "", fmt.Sprintf("%d bytes, want at most %d", len(w.b), MaxSize))
	}
	return w.b, nil
}
