package mimi

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// SearchIdentifierType says which fields of a profile a QueryElement is matched with
// (draft-ietf-mimi-protocol-06, Find internal address).
type SearchIdentifierType uint8

const (
	SearchHandle       SearchIdentifierType = 1
	SearchNick         SearchIdentifierType = 2
	SearchEmail        SearchIdentifierType = 3
	SearchPhone        SearchIdentifierType = 4
	SearchPartialName  SearchIdentifierType = 5
	SearchWholeProfile SearchIdentifierType = 6
	SearchOIDCStdClaim SearchIdentifierType = 7
	SearchVCardField   SearchIdentifierType = 8
)

var searchNames = map[SearchIdentifierType]string{
	SearchHandle:       "handle",
	SearchNick:         "nick",
	SearchEmail:        "email",
	SearchPhone:        "phone",
	SearchPartialName:  "partialName",
	SearchWholeProfile: "wholeProfile",
	SearchOIDCStdClaim: "oidcStdClaim",
	SearchVCardField:   "vcardField",
}

// String returns the draft's name, or the number.
func (t SearchIdentifierType) String() string { return name(searchNames, t) }

// QueryElement is one condition of an IdentifierRequest:
//
//	struct {
//	    SearchIdentifierType searchType;
//	    select (type) {
//	        case oidcStdClaim: opaque claimName<V>;
//	        case vcardField:   opaque propertyName<V>;
//	    };
//	    opaque searchValue<V>; // a UTF8 string
//	} QueryElement;
type QueryElement struct {
	SearchType   SearchIdentifierType
	ClaimName    string // of SearchOIDCStdClaim
	PropertyName string // of SearchVCardField
	SearchValue  string
}

func (q *QueryElement) UnmarshalTLS(r *wire.Reader) {
	switch q.SearchType = code(r, "SearchIdentifierType", searchNames); q.SearchType {
	case SearchOIDCStdClaim:
		q.ClaimName = string(r.Opaque())
	case SearchVCardField:
		q.PropertyName = string(r.Opaque())
	}
	q.SearchValue = text(r)
}

func (q *QueryElement) MarshalTLS(w *wire.Writer) {
	putCode(w, "SearchIdentifierType", searchNames, q.SearchType)
	switch q.SearchType {
	case SearchOIDCStdClaim:
		w.OpaqueString(q.ClaimName)
	case SearchVCardField:
		w.OpaqueString(q.PropertyName)
	}
	putText(w, q.SearchValue)
}

// IdentifierRequest looks for users of a provider (draft-ietf-mimi-protocol-06, Find
// internal address). All conditions have to hold.
//
//	struct {
//	    QueryElement query_elements<V>;
//	    AppDataDictionary id_request_extensions;
//	} IdentifierRequest;
type IdentifierRequest struct {
	QueryElements       []QueryElement
	IDRequestExtensions message.AppDataDictionary
}

// ParseIdentifierRequest reads the body of a request to identifierQuery.
func ParseIdentifierRequest(b []byte) (*IdentifierRequest, error) {
	m := new(IdentifierRequest)
	if err := parse(b, "IdentifierRequest", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *IdentifierRequest) UnmarshalTLS(r *wire.Reader) {
	m.QueryElements = wire.List[QueryElement](r)
	m.IDRequestExtensions.UnmarshalTLS(r)
}

func (m *IdentifierRequest) MarshalTLS(w *wire.Writer) {
	wire.PutList(w, m.QueryElements)
	m.IDRequestExtensions.MarshalTLS(w)
}

// IdentifierQueryCode says what became of an IdentifierRequest
// (draft-ietf-mimi-protocol-06, Find internal address).
type IdentifierQueryCode uint8

const (
	QuerySuccess          IdentifierQueryCode = 0
	QueryNotFound         IdentifierQueryCode = 1
	QueryAmbiguous        IdentifierQueryCode = 2
	QueryForbidden        IdentifierQueryCode = 3
	QueryUnsupportedField IdentifierQueryCode = 4
)

var queryNames = map[IdentifierQueryCode]string{
	QuerySuccess:          "success",
	QueryNotFound:         "notFound",
	QueryAmbiguous:        "ambiguous",
	QueryForbidden:        "forbidden",
	QueryUnsupportedField: "unsupportedField",
}

// String returns the draft's name, or the number.
func (c IdentifierQueryCode) String() string { return name(queryNames, c) }

// FieldSource says whose registry the name of a ProfileField is from
// (draft-ietf-mimi-protocol-06, Find internal address).
type FieldSource uint8

const (
	FieldOIDCStdClaim FieldSource = 7
	FieldVCardField   FieldSource = 8
)

var fieldNames = map[FieldSource]string{FieldOIDCStdClaim: "oidcStdClaim", FieldVCardField: "vcardField"}

// String returns the draft's name, or the number.
func (s FieldSource) String() string { return name(fieldNames, s) }

// ProfileField is a field of a user's profile:
//
//	struct {
//	    FieldSource fieldSource;
//	    string fieldName;
//	    opaque fieldValue<V>;
//	} ProfileField;
type ProfileField struct {
	FieldSource FieldSource
	FieldName   string
	FieldValue  []byte
}

func (f *ProfileField) UnmarshalTLS(r *wire.Reader) {
	f.FieldSource = code(r, "FieldSource", fieldNames)
	f.FieldName = text(r)
	f.FieldValue = r.Opaque()
}

func (f *ProfileField) MarshalTLS(w *wire.Writer) {
	putCode(w, "FieldSource", fieldNames, f.FieldSource)
	putText(w, f.FieldName)
	w.Opaque(f.FieldValue)
}

// UserProfile is what a query found of a user:
//
//	struct {
//	    IdentifierUri stableUri;
//	    ProfileField fields<V>;
//	} UserProfile;
type UserProfile struct {
	StableURI IdentifierURI
	Fields    []ProfileField
}

func (p *UserProfile) UnmarshalTLS(r *wire.Reader) {
	p.StableURI.UnmarshalTLS(r)
	p.Fields = wire.List[ProfileField](r)
}

func (p *UserProfile) MarshalTLS(w *wire.Writer) {
	p.StableURI.MarshalTLS(w)
	wire.PutList(w, p.Fields)
}

// IdentifierResponse answers an IdentifierRequest:
//
//	struct {
//	    IdentifierQueryCode responseCode;
//	    IdentifierUri uri<V>;
//	    UserProfile foundProfiles<V>;
//	    AppDataDictionary id_response_extensions;
//	} IdentifierResponse;
type IdentifierResponse struct {
	ResponseCode         IdentifierQueryCode
	URI                  []IdentifierURI
	FoundProfiles        []UserProfile
	IDResponseExtensions message.AppDataDictionary
}

// ParseIdentifierResponse reads the body of a response of identifierQuery.
func ParseIdentifierResponse(b []byte) (*IdentifierResponse, error) {
	m := new(IdentifierResponse)
	if err := parse(b, "IdentifierResponse", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *IdentifierResponse) UnmarshalTLS(r *wire.Reader) {
	m.ResponseCode = code(r, "IdentifierQueryCode", queryNames)
	m.URI = wire.List[IdentifierURI](r)
	m.FoundProfiles = wire.List[UserProfile](r)
	m.IDResponseExtensions.UnmarshalTLS(r)
}

func (m *IdentifierResponse) MarshalTLS(w *wire.Writer) {
	putCode(w, "IdentifierQueryCode", queryNames, m.ResponseCode)
	wire.PutList(w, m.URI)
	wire.PutList(w, m.FoundProfiles)
	m.IDResponseExtensions.MarshalTLS(w)
}
