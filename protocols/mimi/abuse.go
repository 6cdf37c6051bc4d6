package mimi

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// AbusiveMessage is a message that a report is about, with the hub's frank of it
// (draft-ietf-mimi-protocol-06, Report abuse):
//
//	struct {
//	    opaque message_content<V>;
//	    Frank frank;
//	    uint64 accepted_timestamp;
//	} AbusiveMessage;
type AbusiveMessage struct {
	// MessageContent is the whole application_data that the message had, with its
	// ApplicationFraming if there was one: the tag is over it (deviation 6).
	MessageContent    []byte
	Frank             Frank
	AcceptedTimestamp uint64 // in milliseconds since 1970
}

func (m *AbusiveMessage) UnmarshalTLS(r *wire.Reader) {
	m.MessageContent = r.Opaque()
	m.Frank.UnmarshalTLS(r)
	m.AcceptedTimestamp = r.Uint64()
}

func (m *AbusiveMessage) MarshalTLS(w *wire.Writer) {
	w.Opaque(m.MessageContent)
	m.Frank.MarshalTLS(w)
	w.Uint64(m.AcceptedTimestamp)
}

// AbuseType says what kind of abuse a report is about
// (draft-ietf-mimi-protocol-06, Report abuse). The draft has no value but the
// reserved one, which therefore stands for every kind (deviation 13).
type AbuseType uint8

// AbuseReserved is the only value there is.
const AbuseReserved AbuseType = 0

var abuseNames = map[AbuseType]string{AbuseReserved: "reserved"}

// String returns the draft's name, or the number.
func (t AbuseType) String() string { return name(abuseNames, t) }

// AbuseReport tells the hub of abuse (draft-ietf-mimi-protocol-06, Report abuse):
//
//	struct {
//	    IdentifierUri reportingUser;
//	    IdentifierUri allegedAbuserUri;
//	    AbuseType reasonCode;
//	    opaque note<V>;
//	    AbusiveMessage messages<V>;
//	    AppDataDictionary abuse_extensions;
//	} AbuseReport;
type AbuseReport struct {
	ReportingUser    IdentifierURI // empty if the reporter does not say
	AllegedAbuserURI IdentifierURI
	ReasonCode       AbuseType
	Note             string
	Messages         []AbusiveMessage
	AbuseExtensions  message.AppDataDictionary
}

// ParseAbuseReport reads the body of a request to reportAbuse.
func ParseAbuseReport(b []byte) (*AbuseReport, error) {
	m := new(AbuseReport)
	if err := parse(b, "AbuseReport", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *AbuseReport) UnmarshalTLS(r *wire.Reader) {
	m.ReportingUser.UnmarshalTLS(r)
	m.AllegedAbuserURI.UnmarshalTLS(r)
	m.ReasonCode = code(r, "AbuseType", abuseNames)
	m.Note = text(r)
	m.Messages = wire.List[AbusiveMessage](r)
	m.AbuseExtensions.UnmarshalTLS(r)
}

func (m *AbuseReport) MarshalTLS(w *wire.Writer) {
	m.ReportingUser.MarshalTLS(w)
	m.AllegedAbuserURI.MarshalTLS(w)
	putCode(w, "AbuseType", abuseNames, m.ReasonCode)
	putText(w, m.Note)
	wire.PutList(w, m.Messages)
	m.AbuseExtensions.MarshalTLS(w)
}
