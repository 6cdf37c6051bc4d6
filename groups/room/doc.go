// Package room is the state of a MIMI room and the rules by which it changes:
// participants, their roles, metadata and policy, as pure functions over values
// that do not change. A hub and every member call the same functions, so that
// they come to the same verdict and the same bytes.
//
// It implements draft-ietf-mimi-room-policy-04
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-room-policy/) and, of
// draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/), the sections
// Participant List and Room Metadata. Where the drafts err or leave a choice,
// DEVIATIONS.md says what this package does and which test holds it there.
//
//	GroupContext
//	└── app_data_dictionary
//	    ├── 0x0022 participant_list    who, in which role        ParticipantListData
//	    ├── 0x0023 room_metadata       name, avatar, ...         RoomMetaData
//	    ├── 0x0025 roles_list          who may do what           RoleData
//	    ├── 0x0026 preauth_list        who may come unasked      PreAuthData
//	    ├── 0x0027 base_room_policy    limits of the room        BaseRoomPolicy
//	    └── ...                        see [Points]
//
// A user in the participant list is a participant; one with a client in the MLS
// group is an active participant; the clients are the group's members. A client
// is in the group only if its user is a participant.
//
// Begin with [Decode], which makes a [State] of a dictionary and the users of the
// group's leaves; ask [Authorize] or [AuthorizeCommit], which return the state
// that follows or a [*Denial]; [Merge] is what an AppDataUpdate does to a
// component's bytes.
//
// The package does not authenticate anybody: that a client belongs to a user, and
// which claims its credential makes, is the caller's to know. It holds no consent,
// no join codes and no messages.
package room
