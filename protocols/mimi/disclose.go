package mimi

import (
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// contentType is the media type of MIMI content (draft-ietf-mimi-content-09).
const contentType = "application/mimi-content"

// arrayOfSeven is how MIMI content begins: a CBOR array of seven. As the length of an
// ApplicationFraming's media type it would stand for more than 117 million bytes, so
// that the two are told apart by it.
const arrayOfSeven = 0x87

// Disclose finds what a franked message of MIMI content says of itself
// (draft-ietf-mimi-protocol-06, Client creation and sending). applicationData is the
// content, or an ApplicationFraming with the content in it; one without a media type
// is taken for MIMI content, which MIMI clients must be able to receive.
func Disclose(applicationData []byte) (Disclosed, error) {
	inner := applicationData
	if len(inner) > 0 && inner[0] != arrayOfSeven {
		var f message.ApplicationFraming
		if err := parse(applicationData, "ApplicationFraming", f.UnmarshalTLS); err != nil {
			return Disclosed{}, err
		}
		if t := string(f.MediaType.Type); t != "" && t != contentType {
			return Disclosed{}, fmt.Errorf("mimi: content of type %q, want %s", clip(t), contentType)
		}
		inner = f.Content
	}
	m, err := content.Parse(inner)
	if err != nil {
		return Disclosed{}, fmt.Errorf("mimi: %w", err)
	}
	sender, haveSender := m.SenderURI()
	room, haveRoom := m.RoomURI()
	if !haveSender || !haveRoom {
		return Disclosed{}, errors.New("mimi: content without sender_uri and room_uri, want both in the extensions of what is franked")
	}
	return Disclosed{m.Salt[:], IdentifierURI(sender), IdentifierURI(room)}, nil
}

// Framed returns the application_data of content in a room with content advertisement,
// where it has its media type in front.
func Framed(inner []byte) ([]byte, error) {
	return wire.Marshal(&message.ApplicationFraming{MediaType: message.MediaType{Type: []byte(contentType)}, Content: inner})
}
