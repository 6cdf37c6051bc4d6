package stanza

import "strconv"

// Code is an error condition, as an <error> child or an ack's error attribute
// carries it. It is an error itself, so errors.Is(err, stanza.ItemNotFound)
// asks an [*Error] for its condition. Codes without a name are carried as they
// are.
type Code uint16

// Conditions with their numbers and names as public client sources show them.
const (
	BadRequest            Code = 400
	NotAuthorized         Code = 401
	Forbidden             Code = 403
	ItemNotFound          Code = 404
	NotAllowed            Code = 405
	NotAcceptable         Code = 406
	RequestTimeout        Code = 408
	Conflict              Code = 409
	Gone                  Code = 410
	ResourceLimit         Code = 419
	Locked                Code = 423
	RateOverlimit         Code = 429
	InternalServerError   Code = 500
	FeatureNotImplemented Code = 501
	ServiceUnavailable    Code = 503
	RemoteTimeout         Code = 504
)

// Conditions of interoperability. That they must exist follows from DMA Article
// 7 and the Reference Offer; numbers and names are assumed.
const (
	NotEnlisted      Code = 460
	NotReachable     Code = 461
	NotEligible      Code = 462
	AgreementRevoked Code = 463
	Blocked          Code = 464
)

var codes = []struct {
	code     Code
	name     string
	sentence string
}{
	{BadRequest, "bad-request", "The stanza is malformed or lacks a part that it must have."},
	{NotAuthorized, "not-authorized", "The connection's token does not allow this, or has expired."},
	{Forbidden, "forbidden", "The sender is known and may not do this."},
	{ItemNotFound, "item-not-found", "The addressed account, device, group or item does not exist."},
	{NotAllowed, "not-allowed", "Nobody may do this to the addressed entity."},
	{NotAcceptable, "not-acceptable", "The stanza is well formed, but a value in it is not acceptable."},
	{RequestTimeout, "request-timeout", "Nothing, or not all of it, came in time."},
	{Conflict, "conflict", "The request is about a state that is not the present one; nothing took effect."},
	{Gone, "gone", "The addressed entity existed and was deleted."},
	{ResourceLimit, "resource-limit", "The request would exceed a size or number that the server keeps to."},
	{Locked, "locked", "The account is locked by the server."},
	{RateOverlimit, "rate-overlimit", "The sender has done this too often; it may try again later."},
	{InternalServerError, "internal-server-error", "The server failed; whether the request took effect is unknown."},
	{FeatureNotImplemented, "feature-not-implemented", "The server does not know the namespace or payload of the request."},
	{ServiceUnavailable, "service-unavailable", "The server cannot serve the request now; nothing took effect."},
	{RemoteTimeout, "remote-server-timeout", "Another provider did not answer; whether the request took effect is unknown."},
	{NotEnlisted, "not-enlisted", "The sender is not enlisted any more, by deletion or after 30 days without a connection, and must enlist again."},
	{NotReachable, "not-reachable", "The addressed user has not enabled the sender's app, so nothing is delivered."},
	{NotEligible, "not-eligible", "One of the two users is not located in the EEA or is otherwise outside the offer."},
	{AgreementRevoked, "agreement-revoked", "The agreement between gatekeeper and partner has ended."},
	{Blocked, "blocked", "The addressed user has blocked the sender."},
}

// Codes returns the conditions that have a name, in the order of this file.
func Codes() []Code {
	out := make([]Code, len(codes))
	for i := range codes {
		out[i] = codes[i].code
	}
	return out
}

// Name returns the condition's name, such as "item-not-found", or "" if it has
// none.
func (c Code) Name() string {
	for i := range codes {
		if codes[i].code == c {
			return codes[i].name
		}
	}
	return ""
}

// Sentence returns what the condition means in one sentence, or "" for a code
// without a name.
func (c Code) Sentence() string {
	for i := range codes {
		if codes[i].code == c {
			return codes[i].sentence
		}
	}
	return ""
}

// Error returns the code with its name.
func (c Code) Error() string {
	s := "code " + strconv.Itoa(int(c))
	if n := c.Name(); n != "" {
		s += " " + n
	}
	return s
}

// Error is an error that a stanza reports:
//
//	<error code="404" text="item-not-found" after="30"/>
type Error struct {
	Code  Code   // 1 to 65535
	Text  string // free text; Node writes the code's name if it is empty
	After int    // seconds until another try makes sense; 0 if absent
}

// Error returns code, name and text.
func (e *Error) Error() string {
	s := "stanza error: " + e.Code.Error()
	if e.Text != "" && e.Text != e.Code.Name() {
		s += ": " + e.Text
	}
	return s
}

// Unwrap returns the code.
func (e *Error) Unwrap() error { return e.Code }

func (e *Error) node() Node {
	text := e.Text
	if text == "" {
		text = e.Code.Name()
	}
	n := Node{Tag: "error", Attrs: []Attr{{"code", strconv.Itoa(int(e.Code))}}}
	if text != "" {
		n.Attrs = append(n.Attrs, Attr{"text", text})
	}
	if e.After != 0 {
		n.Attrs = append(n.Attrs, Attr{"after", itoa(int64(e.After))})
	}
	return n
}

func parseError(f *fields, n *Node) *Error {
	e := new(Error)
	for i := range n.Attrs {
		switch a := &n.Attrs[i]; a.Name {
		case "code":
			e.Code = Code(f.number(n, a, 1, 1<<16-1))
		case "text":
			e.Text = a.Value
		case "after":
			e.After = int(f.number(n, a, 1, maxCount))
		}
	}
	f.require(n.Tag, e.Code != 0, "@code")
	return e
}
