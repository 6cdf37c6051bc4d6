package stanza_test

import (
	"bytes"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

var (
	alice  = ident.Address{User: "14155551000", Server: ident.User}
	bob    = ident.Address{User: "10853634039893", Server: ident.Interop, Integrator: 1}
	carol  = ident.Address{User: "42", Server: ident.Messenger, Device: 3}
	group  = ident.Address{User: "4915112345678-1700000000", Server: ident.Group}
	server = ident.Address{Server: ident.User}
	groups = ident.Address{Server: ident.Group}
	msgEnc = stanza.Enc{Type: "msg", Version: 2, Payload: []byte{0x33, 0x0a, 0x21}}
)

func signalKeys(ids ...uint32) stanza.Keys {
	k := stanza.Keys{
		Registration: 0x01020304,
		Identity:     bytes.Repeat([]byte{1}, 32),
		Signed:       &stanza.SignedKey{ID: 7, Value: bytes.Repeat([]byte{2}, 32), Signature: bytes.Repeat([]byte{3}, 64)},
	}
	for _, id := range ids {
		k.OneTime = append(k.OneTime, stanza.OneTimeKey{ID: id, Value: bytes.Repeat([]byte{byte(id)}, 32)})
	}
	return k
}

func opaqueKeys(ids ...uint32) stanza.Keys {
	k := stanza.Keys{Static: []byte("any bytes")}
	for _, id := range ids {
		k.OneTime = append(k.OneTime, stanza.OneTimeKey{ID: id, Value: []byte("a KeyPackage")})
	}
	return k
}

// retryKeys are keys as a retry receipt carries them.
func retryKeys() *stanza.Keys {
	k := signalKeys(9)
	k.Registration = 0
	return &k
}

var clubhouse = uri("mimi://a.example/r/clubhouse")

func uri(s string) ident.URI {
	u, err := ident.ParseURI(s)
	if err != nil {
		panic(err)
	}
	return u
}

func ptr[T any](v T) *T { return &v }

// samples are typed stanzas that together use every field of every type.
var samples = []struct {
	name   string
	stanza stanza.Stanza
}{
	{"message/fan-out", &stanza.Message{
		ID: "3EB0C431C26A1916E2", To: bob, Type: stanza.TextMessage,
		Participants: []stanza.To{
			{Address: bob, Enc: stanza.Enc{Type: "pkmsg", Version: 2, Payload: []byte{0x33, 8, 1}}},
			{Address: alice.WithDevice(2), Enc: msgEnc},
		},
	}},
	{"message/group", &stanza.Message{
		ID: "3EB0FF", From: group, Participant: bob, Type: stanza.MediaMessage, Notify: "Jo & <Ann>", Timestamp: 1700000000,
		Offline: 2, PHash: "2:qV3ZbKLm", Enc: []stanza.Enc{{Type: "skmsg", Version: 2, MediaType: "image", Count: 2, Payload: []byte{1}}},
	}},
	{"message/to a group", &stanza.Message{ID: "a", To: group, Type: stanza.TextMessage, PHash: "2:qV3ZbKLm", Version: 1<<64 - 1, Enc: []stanza.Enc{msgEnc}}},
	{"message/mls", &stanza.Message{ID: "a", To: group, Type: stanza.ReactionMessage, Enc: []stanza.Enc{{Type: "mls", Version: 1, Payload: []byte{0, 1}}}}},
	{"receipt/delivered", &stanza.Receipt{ID: "3EB0", To: bob}},
	{"receipt/read", &stanza.Receipt{ID: "3EB0", To: group, Participant: bob, Type: stanza.Read, Timestamp: 1700000000, IDs: []string{"3EB1", "x"}}},
	{"receipt/sender", &stanza.Receipt{ID: "3EB0", From: bob, Type: stanza.Sender, Offline: 1}},
	{"receipt/retry", &stanza.Receipt{
		ID: "3EB0", To: bob, Type: stanza.RetryAsk, Registration: 77,
		Retry: &stanza.Retry{Count: 1, ID: "3EB0", Timestamp: 1700000000, Version: 1},
	}},
	{"receipt/retry with keys", &stanza.Receipt{
		ID: "3EB0", To: bob, Type: stanza.RetryAsk, Registration: 77,
		Retry: &stanza.Retry{Count: 2, ID: "3EB0", Version: 1}, Keys: retryKeys(),
	}},
	{"receipt/retry with opaque keys", &stanza.Receipt{
		ID: "3EB0", To: bob, Type: stanza.RetryAsk, Registration: 77,
		Retry: &stanza.Retry{Count: 2, ID: "3EB0", Version: 1}, Keys: ptr(opaqueKeys(9)),
	}},
	{"ack", &stanza.Ack{Class: stanza.AckMessage, ID: "3EB0", To: bob, Timestamp: 1700000000}},
	{"ack/error", &stanza.Ack{
		Class: stanza.AckReceipt, ID: "3EB0", To: bob, From: group, Participant: alice, Type: "read", Error: stanza.NotReachable,
	}},
	{"ib", &stanza.IB{From: server, Offline: &stanza.Offline{Count: 3}, Dirty: []stanza.Dirty{{Type: "groups", Timestamp: 1700000000}, {Type: "x"}}}},
	{"ib/empty mailbox", &stanza.IB{Offline: &stanza.Offline{}}},
	{"notification/identity", &stanza.Notification{ID: "1", From: bob, Timestamp: 1700000000, Type: "encrypt", Event: stanza.IdentityChange{}}},
	{"notification/keys low", &stanza.Notification{ID: "1", From: server, Type: "encrypt", Event: stanza.KeysLow{Count: 4}}},
	{"notification/ping", &stanza.Notification{ID: "1", From: bob, Offline: 3, Type: "interop", Event: stanza.PingReceived{}}},
	{"notification/consent", &stanza.Notification{ID: "1", From: alice, Type: "interop", Event: stanza.ConsentChanged{Given: true}}},
	{"notification/revoked", &stanza.Notification{ID: "1", From: server, Type: "interop", Event: stanza.RevokedAgreement{Integrator: 1}}},
	{"notification/composing", &stanza.Notification{ID: "1", To: group, Type: "chatstate", Event: stanza.Typing{}}},
	{"notification/paused", &stanza.Notification{ID: "1", From: group, Participant: bob, Type: "chatstate", Event: stanza.Typing{Paused: true}}},
	{"call/offer", &stanza.Call{
		ID: "1", To: bob, From: carol, Timestamp: 1700000000, Offline: 1, Action: stanza.CallOffer, CallID: "F00D", Creator: alice, Enc: []stanza.Enc{msgEnc},
	}},
	{"call/terminate", &stanza.Call{ID: "1", To: bob, Action: stanza.CallTerminate, CallID: "F00D", Creator: alice, Reason: "timeout"}},
	{"iq/key upload", &stanza.IQ{ID: "1", To: server, Type: stanza.Set, Namespace: "encrypt", Payload: &stanza.KeyUpload{Keys: signalKeys(1, 2)}}},
	{"iq/opaque key upload", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "encrypt", Payload: &stanza.KeyUpload{Keys: opaqueKeys(1<<32 - 1)}}},
	{"iq/key fetch", &stanza.IQ{ID: "1", Type: stanza.Get, Namespace: "encrypt", Payload: &stanza.KeyFetch{Users: []ident.Address{bob, carol}}}},
	{"iq/key bundles", &stanza.IQ{ID: "1", From: server, Type: stanza.Result, Namespace: "encrypt", Payload: &stanza.KeyBundles{Users: []stanza.UserKeys{
		{Address: bob, Keys: ptr(signalKeys(5))},
		{Address: alice, Keys: ptr(opaqueKeys())},
		{Address: carol, Error: &stanza.Error{Code: stanza.ItemNotFound, Text: "item-not-found"}},
	}}}},
	{"iq/key count query", &stanza.IQ{ID: "1", Type: stanza.Get, Namespace: "encrypt", Payload: stanza.KeyCountQuery{}}},
	{"iq/key count", &stanza.IQ{ID: "1", Type: stanza.Result, Namespace: "encrypt", Payload: stanza.KeyCount{Value: 50}}},
	{"iq/blocklist query", &stanza.IQ{ID: "1", Type: stanza.Get, Namespace: "blocklist", Payload: stanza.BlocklistQuery{}}},
	{"iq/block", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "blocklist", Payload: &stanza.Block{Address: bob}}},
	{"iq/unblock", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "blocklist", Payload: &stanza.Block{Address: bob, Unblock: true}}},
	{"iq/blocklist", &stanza.IQ{ID: "1", Type: stanza.Result, Namespace: "blocklist", Payload: &stanza.Blocklist{Addresses: []ident.Address{bob, carol}}}},
	{"iq/settings query", &stanza.IQ{ID: "1", Type: stanza.Get, Namespace: "interop", Payload: stanza.SettingsQuery{}}},
	{"iq/settings", &stanza.IQ{ID: "1", Type: stanza.Result, Namespace: "interop", Payload: &stanza.Settings{
		Inbox: stanza.SeparateInbox, Apps: []stanza.App{{Integrator: 1, Enabled: true}, {Integrator: 65535}},
	}}},
	{"iq/ping", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "interop", Payload: &stanza.Ping{User: alice}}},
	{"iq/consent", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "interop", Payload: &stanza.Consent{User: bob, Given: true}}},
	{"iq/delete", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "interop", Payload: stanza.Delete{}}},
	{"iq/group create", &stanza.IQ{ID: "1", To: groups, Type: stanza.Set, Namespace: "w:g2", Payload: &stanza.GroupCreate{
		Subject: "Trip", Key: "3EB0", Participants: []stanza.Participant{{Address: bob}, {Address: alice}},
	}}},
	{"iq/group", &stanza.IQ{ID: "1", From: groups, Type: stanza.Result, Namespace: "w:g2", Payload: &stanza.GroupInfo{
		Group: group, Subject: "Trip", Creation: 1700000000, Creator: alice, Version: 1, Key: "3EB0",
		Participants: []stanza.Participant{{Address: alice, Admin: true, Since: 1}, {Address: bob, Error: stanza.AgreementRevoked}},
	}}},
	{"iq/group add", &stanza.IQ{ID: "1", To: group, Type: stanza.Set, Namespace: "w:g2", Payload: &stanza.GroupChange{
		Action: stanza.GroupAdd, Participants: []stanza.Participant{{Address: bob}},
	}}},
	{"iq/group removed", &stanza.IQ{ID: "1", From: group, Type: stanza.Result, Namespace: "w:g2", Payload: &stanza.GroupChange{
		Action: stanza.GroupRemove, Version: 1<<64 - 1, Participants: []stanza.Participant{{Address: bob, Error: stanza.ItemNotFound}},
	}}},
	{"iq/group leave", &stanza.IQ{ID: "1", To: groups, Type: stanza.Set, Namespace: "w:g2", Payload: &stanza.GroupLeave{Group: group}}},
	{"iq/group query", &stanza.IQ{ID: "1", To: group, Type: stanza.Get, Namespace: "w:g2", Payload: stanza.GroupQuery{}}},
	{"iq/groups query", &stanza.IQ{ID: "1", To: groups, Type: stanza.Get, Namespace: "w:g2", Payload: stanza.GroupsQuery{}}},
	{"iq/groups", &stanza.IQ{ID: "1", From: groups, Type: stanza.Result, Namespace: "w:g2", Payload: &stanza.GroupList{
		Groups: []stanza.GroupInfo{{Group: group, Version: 1}, {Group: group, Subject: "x", Version: 2}},
	}}},
	{"notification/group", &stanza.Notification{ID: "1", From: group, Participant: alice, Type: "w:gp2", Event: &stanza.GroupChange{
		Action: stanza.GroupRemove, Version: 7, Participants: []stanza.Participant{{Address: bob}},
	}}},
	{"ack/phash", &stanza.Ack{Class: stanza.AckMessage, ID: "3EB0", To: group, Error: stanza.Conflict, PHash: "2:qV3ZbKLm", Version: 1<<64 - 1}},
	{"iq/keepalive", &stanza.IQ{ID: "1", Type: stanza.Get, Namespace: "w:p", Payload: stanza.KeepAlive{}}},
	{"iq/empty result", &stanza.IQ{ID: "1", From: server, Type: stanza.Result}},
	{"iq/error", &stanza.IQ{ID: "1", Type: stanza.Fail, Namespace: "encrypt", Error: &stanza.Error{Code: 999, Text: "busy"}}},
	{"iq/login", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "mimi", Payload: &stanza.Login{Client: uri("mimi://a.example/d/alice/A1"), Token: []byte("a token")}}},
	{"iq/key packages", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "mimi", Payload: &stanza.KeyPackages{List: [][]byte{{0, 1}, {2}}}}},
	{"iq/create", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "mimi", Payload: &stanza.Create{Room: clubhouse, GroupInfo: []byte{1}, RatchetTree: []byte{2}}}},
	{"iq/leave", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "mimi", Payload: &stanza.Leave{Room: clubhouse, Seq: 4711}}},
	{"iq/commit", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "mimi", Payload: &stanza.Update{
		Room: clubhouse, Commit: []byte{1}, Welcome: []byte{2}, GroupInfo: []byte{3}, RatchetTree: []byte{4},
	}}},
	{"iq/proposals", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "mimi", Payload: &stanza.Update{Room: clubhouse, Proposals: [][]byte{{1}, {2}}}}},
	{"iq/update answer", &stanza.IQ{ID: "1", Type: stanza.Result, Namespace: "mimi", Payload: &stanza.Body{Tag: stanza.UpdateBody, Data: []byte{0}}}},
	{"iq/update refused", &stanza.IQ{
		ID: "1", Type: stanza.Fail, Namespace: "mimi",
		Payload: &stanza.Body{Tag: stanza.UpdateBody, Data: []byte{1}}, Error: &stanza.Error{Code: stanza.Conflict, Text: "wrongEpoch", After: 3},
	}},
	{"iq/key material", &stanza.IQ{ID: "1", Type: stanza.Get, Namespace: "mimi", Payload: &stanza.Body{Tag: stanza.KeyMaterialBody, Data: []byte{1}}}},
	{"iq/group info", &stanza.IQ{ID: "1", Type: stanza.Get, Namespace: "mimi", Payload: &stanza.Body{Tag: stanza.GroupInfoBody, Room: clubhouse, Data: []byte{1}}}},
	{"iq/identifiers", &stanza.IQ{ID: "1", Type: stanza.Get, Namespace: "mimi", Payload: &stanza.Body{Tag: stanza.IdentifierBody, Domain: "b.example", Data: []byte{1}}}},
	{"iq/consent entry", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "mimi", Payload: &stanza.Body{Tag: stanza.ConsentBody, Data: []byte{1}}}},
	{"iq/abuse", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "mimi", Payload: &stanza.Body{Tag: stanza.AbuseBody, Room: clubhouse, Data: []byte{1}}}},
	{"message/to a room", &stanza.Message{
		ID: "1", Room: clubhouse, Sender: uri("mimi://a.example/u/alice"), Type: stanza.RoomMessage, Enc: []stanza.Enc{{Type: "mls", Version: 1, Payload: []byte{1}}},
	}},
	{"message/from a room", &stanza.Message{
		ID: "1", Room: clubhouse, Seq: 1<<64 - 1, Type: stanza.RoomMessage, Enc: []stanza.Enc{{Type: "mls", Version: 1, Payload: []byte{1}}},
		Accepted: &stanza.Accepted{Timestamp: 1<<64 - 1, Frank: []byte{1}},
	}},
	{"ack/accepted", &stanza.Ack{Class: stanza.AckMessage, ID: "1", Room: clubhouse, Accepted: &stanza.Accepted{}}},
	{"ack/epoch too old", &stanza.Ack{Class: stanza.AckMessage, ID: "1", Room: clubhouse, Error: stanza.Conflict, Reason: "epochTooOld", Epoch: 1<<64 - 1}},
	{"ack/events", &stanza.Ack{Class: stanza.AckNotification, ID: "7", Room: clubhouse, Seq: 7}},
	{"notification/commit", &stanza.Notification{ID: "7", Room: clubhouse, Seq: 7, Type: "mimi", Event: &stanza.Update{
		Accepted: 1764547200123, Commit: []byte{1}, Proposals: [][]byte{{2}},
	}}},
	{"notification/welcome", &stanza.Notification{ID: "8", Seq: 8, Type: "mimi", Event: &stanza.Update{
		Room: clubhouse, Accepted: 1764547200123, Welcome: []byte{1}, RatchetTree: []byte{2},
	}}},
	{"notification/consent entry", &stanza.Notification{ID: "9", Seq: 9, Type: "mimi", Event: &stanza.Body{Tag: stanza.ConsentBody, Data: []byte{1}}}},
	{"ib/end", &stanza.IB{Error: &stanza.Error{Code: stanza.Conflict, Text: "another connection"}}},
	{"iq/media connection query", &stanza.IQ{ID: "1", Type: stanza.Set, Namespace: "w:m", Payload: stanza.MediaConnQuery{}}},
	{"iq/media connection", &stanza.IQ{ID: "1", Type: stanza.Result, Namespace: "w:m", Payload: &stanza.MediaConn{
		Auth: "x", TTL: 300, AuthTTL: 3600, MaxBuckets: 12, Hosts: []string{"media.example", "127.0.0.1:8443"},
	}}},
	{"iq/unknown", &stanza.IQ{ID: "1", Type: stanza.Get, Namespace: "w:profile", Payload: stanza.Unknown{Children: []stanza.Node{
		{Tag: "x", Attrs: []stanza.Attr{{Name: "y", Value: "z"}}, Children: []stanza.Node{{Tag: "w", Data: []byte("data")}}},
	}}}},
}
