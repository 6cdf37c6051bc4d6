package room

import (
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// newPart returns a value to read a part into, nil for partNone.
func newPart(which part) value {
	switch which {
	case partParticipants:
		return new(ParticipantListData)
	case partMetadata:
		return new(RoomMetaData)
	case partOperational:
		return new(OperationalParameters)
	case partRoles:
		return new(RoleData)
	case partPreauth:
		return new(PreAuthData)
	case partBase:
		return new(BaseRoomPolicy)
	case partStatus:
		return new(StatusNotificationPolicy)
	case partJoinLinkPolicy:
		return new(JoinLinkPolicy)
	case partJoinLinks:
		return new(JoinLinksData)
	case partLinkPreview:
		return new(LinkPreviewPolicy)
	case partAsset:
		return new(AssetPolicy)
	case partLogging:
		return new(LoggingPolicy)
	case partHistory:
		return new(HistoryPolicy)
	case partBot:
		return new(BotPolicy)
	case partExpiration:
		return new(MessageExpiration)
	}
	return nil
}

// value is what is read into.
type value interface {
	wire.Marshaler
	wire.Unmarshaler
}

// Merge returns the data that a component of a room has after a Commit with the
// given updates of it, in their order; old is nil if it had none. It is what hub
// and members put into the GroupContext (draft-ietf-mls-extensions-10, Updating
// Application Data in the GroupContext). It says nothing about whether anybody may
// do so: see [Authorize]. Its errors are an [*UpdateError].
func (p *Points) Merge(id message.ComponentID, old []byte, updates [][]byte) ([]byte, error) {
	p = p.orDefault()
	data, err := p.merge(p.part(id), old, updates)
	if err != nil {
		return nil, p.fail(id, err)
	}
	return data, nil
}

func (p *Points) merge(which part, old []byte, updates [][]byte) ([]byte, error) {
	if len(updates) == 0 {
		return nil, fmt.Errorf("no update: %w", ErrComponent)
	}
	switch which {
	case partNone:
		return nil, fmt.Errorf("not of a room: %w", ErrComponent)
	case partParticipants:
		r, err := readRoster(old)
		if err != nil {
			return nil, err
		}
		list, err := readUpdates[ParticipantListUpdate](updates)
		if err != nil {
			return nil, err
		}
		if r, err = r.apply(list); err != nil {
			return nil, err
		}
		return r.encode()
	case partJoinLinks:
		links, err := readOld[JoinLinksData](old)
		if err != nil {
			return nil, err
		}
		list, err := readUpdates[JoinLinksUpdate](updates)
		if err != nil {
			return nil, err
		}
		if links, err = links.apply(list); err != nil {
			return nil, err
		}
		return wire.Marshal(links)
	}
	return replace(which, updates)
}

// replace is the merge of a component whose update is its next data: the bytes as
// they came, if they can be read.
func replace(which part, updates [][]byte) ([]byte, error) {
	if len(updates) > 1 {
		return nil, fmt.Errorf("%d updates: %w", len(updates), ErrUpdates)
	}
	if err := wire.Unmarshal(updates[0], newPart(which)); err != nil {
		return nil, err
	}
	return updates[0], nil
}

// readRoster reads a participant list; nil is an empty one. Nobody in it has a
// client.
func readRoster(data []byte) (*roster, error) {
	if data == nil {
		return new(roster), nil
	}
	r := wire.NewReader(data)
	list, x := readParticipants(r)
	if err := r.Done(); err != nil {
		return nil, err
	}
	return &roster{list: list, clients: make([]uint32, len(list)), index: x}, nil
}

// readOld reads a component's data, nil as an empty value.
func readOld[T any, P interface {
	*T
	wire.Unmarshaler
}](data []byte) (P, error) {
	v := P(new(T))
	if data == nil {
		return v, nil
	}
	return v, wire.Unmarshal(data, v)
}

func readUpdates[T any, P interface {
	*T
	wire.Unmarshaler
}](updates [][]byte) ([]P, error) {
	list := make([]P, len(updates))
	for i, b := range updates {
		list[i] = P(new(T))
		if err := wire.Unmarshal(b, list[i]); err != nil {
			return nil, fmt.Errorf("update: %w", err)
		}
	}
	return list, nil
}

// apply makes the changes of one Commit: first all removals, by places in the list
// as it is, then all additions (room-policy-04, Join Link policies component).
func (d *JoinLinksData) apply(updates []*JoinLinksUpdate) (*JoinLinksData, error) {
	removed := make(map[uint32]bool)
	var added []JoinLink
	for _, u := range updates {
		for _, i := range u.Removed {
			if int64(i) >= int64(len(d.Links)) {
				return nil, invalidWith(ErrIndex, "index %d in a list of %d join links", i, len(d.Links))
			}
			if removed[i] {
				return nil, invalidWith(ErrSameUser, "join link %d", i)
			}
			removed[i] = true
		}
		added = append(added, u.Added...)
	}
	next := make([]JoinLink, 0, len(d.Links)-len(removed)+len(added))
	for i, l := range d.Links {
		if !removed[uint32(i)] {
			next = append(next, l)
		}
	}
	return &JoinLinksData{slices.Concat(next, added)}, nil
}
