package mimi

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// SubmitMessageRequest brings an application message to the hub
// (draft-ietf-mimi-protocol-06, Submit a Message):
//
//	struct {
//	    Protocol protocol;
//	    select (protocol) {
//	        case mls10:
//	            MLSMessage appMessage; // a PrivateMessage with an application message
//	            IdentifierUri sendingUri;
//	    };
//	} SubmitMessageRequest;
type SubmitMessageRequest struct {
	AppMessage *message.PrivateMessage
	SendingURI IdentifierURI // a user URI in the participant list, or a pseudonym there
}

// ParseSubmitMessageRequest reads the body of a request to submitMessage.
func ParseSubmitMessageRequest(b []byte) (*SubmitMessageRequest, error) {
	m := new(SubmitMessageRequest)
	if err := parse(b, "SubmitMessageRequest", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *SubmitMessageRequest) UnmarshalTLS(r *wire.Reader) {
	protocol(r)
	var app message.Message
	app.UnmarshalTLS(r)
	if m.AppMessage = app.Private; r.Err() == nil && !isApplication(&app) {
		r.Fail(fmt.Errorf("appMessage: a %s, want an mls_private_message with application data", kindOf(&app)))
	}
	m.SendingURI.UnmarshalTLS(r)
}

func (m *SubmitMessageRequest) MarshalTLS(w *wire.Writer) {
	putProtocol(w)
	app := message.Message{Private: m.AppMessage}
	app.MarshalTLS(w)
	if m.AppMessage != nil && !isApplication(&app) {
		w.Fail(fmt.Errorf("appMessage: a %s, want an mls_private_message with application data", kindOf(&app)))
	}
	m.SendingURI.MarshalTLS(w)
}

// isApplication reports whether m is an application message as MIMI sends it.
func isApplication(m *message.Message) bool {
	return m.Private != nil && m.Private.ContentType == message.ContentApplication
}

// kindOf says what m is.
func kindOf(m *message.Message) string {
	s := m.WireFormat().String()
	switch {
	case m.Public != nil:
		s += " with " + m.Public.Content.Type.String()
	case m.Private != nil:
		s += " with " + m.Private.ContentType.String()
	}
	return s
}

// SubmitResponseCode says what became of a SubmitMessageRequest
// (draft-ietf-mimi-protocol-06, Submit a Message). The draft calls 0 accepted in the
// enum and success in the struct that selects by it (deviation 1).
type SubmitResponseCode uint8

const (
	SubmitAccepted    SubmitResponseCode = 0
	SubmitNotAllowed  SubmitResponseCode = 1
	SubmitEpochTooOld SubmitResponseCode = 2
)

var submitNames = map[SubmitResponseCode]string{
	SubmitAccepted:    "accepted",
	SubmitNotAllowed:  "notAllowed",
	SubmitEpochTooOld: "epochTooOld",
}

// String returns the draft's name, or the number.
func (c SubmitResponseCode) String() string { return name(submitNames, c) }

// SubmitMessageResponse answers a SubmitMessageRequest:
//
//	struct {
//	    Protocol protocol;
//	    select (protocol) {
//	        case mls10:
//	            SubmitResponseCode statusCode;
//	            select (statusCode) {
//	                case success:
//	                    uint64 accepted_timestamp; // milliseconds since 1970
//	                    optional Frank frank;
//	                case epochTooOld:
//	                    uint64 currentEpoch;
//	            };
//	    };
//	} SubmitMessageResponse;
type SubmitMessageResponse struct {
	StatusCode        SubmitResponseCode
	AcceptedTimestamp uint64 // of SubmitAccepted, in milliseconds since 1970
	Frank             *Frank // of SubmitAccepted, or nil
	CurrentEpoch      uint64 // of SubmitEpochTooOld
}

// ParseSubmitMessageResponse reads the body of a response of submitMessage.
func ParseSubmitMessageResponse(b []byte) (*SubmitMessageResponse, error) {
	m := new(SubmitMessageResponse)
	if err := parse(b, "SubmitMessageResponse", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *SubmitMessageResponse) UnmarshalTLS(r *wire.Reader) {
	protocol(r)
	switch m.StatusCode = code(r, "SubmitResponseCode", submitNames); m.StatusCode {
	case SubmitAccepted:
		m.AcceptedTimestamp = r.Uint64()
		m.Frank = optionalFrank(r)
	case SubmitEpochTooOld:
		m.CurrentEpoch = r.Uint64()
	}
}

func (m *SubmitMessageResponse) MarshalTLS(w *wire.Writer) {
	putProtocol(w)
	putCode(w, "SubmitResponseCode", submitNames, m.StatusCode)
	switch m.StatusCode {
	case SubmitAccepted:
		w.Uint64(m.AcceptedTimestamp)
		putOptionalFrank(w, m.Frank)
	case SubmitEpochTooOld:
		w.Uint64(m.CurrentEpoch)
	}
}
