package signal

import "google.golang.org/protobuf/encoding/protowire"

// GroupMessage is what a member of a sender-key group tells another in their
// pairwise session: its sender key, or that the membership changed. The group's
// id stands inside, under the session's MAC, so that a server cannot pass one
// group's message off as another's.
//
//	message GroupMessage {
//	  bytes group_id = 1;
//	  bytes distribution = 2;   // a SenderKeyDistributionMessage, or
//	  GroupChange change = 3;
//	}
//	message GroupChange {
//	  repeated bytes add = 1;     // addresses
//	  repeated bytes remove = 2;
//	  repeated bytes members = 3; // all after the change; only to those added
//	}
//
// The first two fields are those of the message in which WhatsApp's clients wrap
// a distribution. The change is this project's own: no published protocol tells
// membership end to end, it is the server's knowledge.
type GroupMessage struct {
	GroupID      []byte
	Distribution []byte // nil if this is a change
	Change       *GroupChange
}

// GroupChange says who joined and who left. Each list is in the sender's order,
// without repetition.
type GroupChange struct {
	Add, Remove, Members []string
}

// ParseGroupMessage reads a GroupMessage. Its bytes alias b.
func ParseGroupMessage(b []byte) (GroupMessage, error) {
	const what = "GroupMessage"
	f, err := parseFields(what, "-bbb", b)
	if err != nil {
		return GroupMessage{}, err
	}
	if err := f.require(1); err != nil {
		return GroupMessage{}, err
	}
	m := GroupMessage{GroupID: f.data[1]}
	switch {
	case f.seen[2] == f.seen[3]:
		return GroupMessage{}, malformed(what, "expected either a distribution or a change")
	case f.seen[2]:
		m.Distribution = f.data[2]
	default:
		if m.Change, err = parseGroupChange(f.data[3]); err != nil {
			return GroupMessage{}, err
		}
	}
	return m, nil
}

func parseGroupChange(b []byte) (*GroupChange, error) {
	const what = "GroupChange"
	var c GroupChange
	lists := [...]*[]string{&c.Add, &c.Remove, &c.Members}
	at := 0
	for len(b) > 0 {
		tag, n := minimalVarint(b)
		list := int(tag>>3) - 1
		if n < 0 || tag > 3<<3|2 || tag&7 != uint64(protowire.BytesType) || list < at {
			return nil, malformed(what, "unexpected field")
		}
		at = list
		b = b[n:]
		size, n := minimalVarint(b)
		if n < 0 || size == 0 || size > uint64(len(b)-n) {
			return nil, malformed(what, "bad address in field %d", list+1)
		}
		b = b[n:]
		*lists[list] = append(*lists[list], string(b[:size]))
		b = b[size:]
	}
	for i, list := range lists {
		seen := make(map[string]bool, len(*list))
		for _, address := range *list {
			if seen[address] {
				return nil, malformed(what, "an address twice in field %d", i+1)
			}
			seen[address] = true
		}
	}
	return &c, nil
}

// Append appends the message to dst.
func (m *GroupMessage) Append(dst []byte) []byte {
	dst = appendBytes(dst, 1, m.GroupID)
	if m.Change == nil {
		return appendBytes(dst, 2, m.Distribution)
	}
	var change []byte
	for i, list := range [...][]string{m.Change.Add, m.Change.Remove, m.Change.Members} {
		for _, address := range list {
			change = appendBytes(change, protowire.Number(i+1), []byte(address))
		}
	}
	return appendBytes(dst, 3, change)
}
