package mimi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// EndpointName is an endpoint's name: its member in the directory.
type EndpointName string

// The endpoints of draft-ietf-mimi-protocol-06, Directory.
const (
	EndpointKeyMaterial     EndpointName = "keyMaterial"
	EndpointUpdate          EndpointName = "update"
	EndpointNotify          EndpointName = "notify"
	EndpointSubmitMessage   EndpointName = "submitMessage"
	EndpointGroupInfo       EndpointName = "groupInfo"
	EndpointRequestConsent  EndpointName = "requestConsent"
	EndpointUpdateConsent   EndpointName = "updateConsent"
	EndpointIdentifierQuery EndpointName = "identifierQuery"
	EndpointReportAbuse     EndpointName = "reportAbuse"
	EndpointProxyDownload   EndpointName = "proxyDownload"
)

// DirectoryPath is where a provider's directory is, by GET.
const DirectoryPath = "/.well-known/mimi-protocol-directory"

// MediaType is the Content-Type of bodies. The draft names none, so that it is not
// looked at when it comes in (deviation 25).
const MediaType = "application/octet-stream"

// Subject is what the variable in an endpoint's path stands for.
type Subject uint8

const (
	SubjectUser   Subject = iota + 1 // a user's URI
	SubjectRoom                      // a room's URI
	SubjectDomain                    // a provider's domain name
	SubjectURL                       // the https URL of an asset
)

var subjectNames = map[Subject]string{SubjectUser: "user", SubjectRoom: "room", SubjectDomain: "domain", SubjectURL: "URL"}

// String returns what it is in prose.
func (s Subject) String() string { return name(subjectNames, s) }

// Peer is a part that a provider plays at an endpoint.
type Peer uint8

const (
	PeerHub      Peer = iota + 1 // of the room
	PeerFollower                 // a provider with participants in the room
	PeerSource                   // a provider outside of any room, for one of its users
	PeerTarget                   // the provider of the user that it is about
)

var peerNames = map[Peer]string{PeerHub: "hub", PeerFollower: "follower", PeerSource: "source", PeerTarget: "target"}

// String returns what it is in prose.
func (p Peer) String() string { return name(peerNames, p) }

// Route is a way that a request goes.
type Route struct{ From, To Peer }

// Endpoint is what the draft says of one endpoint, as data for those who serve it,
// call it and check it.
type Endpoint struct {
	Name    EndpointName
	Section string // of draft-ietf-mimi-protocol-06
	Method  string
	Path    string // in that section
	// Variables are the names that the path's variable goes by in the draft: that of
	// the section, then that of the directory if it differs (deviation 27), with what
	// each stands for.
	Variables []Variable
	Routes    []Route

	Request  string // the struct in the body, "" if there is no body
	Many     bool   // the request has one struct or several, concatenated
	Response string // the struct in the body, "" if there is none, or an asset

	// Success are the status codes by which the answer is what Response says, or is
	// empty. The first is the one to send.
	Success []int
	// Failures are further status codes that the draft names.
	Failures []Status

	parseRequest  func([]byte, *CodePoints) (any, error)
	parseResponse func([]byte, *CodePoints) (any, error)
}

// Variable is the name of a path's variable.
type Variable struct {
	Name    string
	Subject Subject
}

// Status is a status code of HTTP and what it says at an endpoint.
type Status struct {
	Code    int
	Meaning string
}

// Common are status codes that the draft leaves to HTTP, and what they say here at
// every endpoint (deviation 26). A body with a code of MIMI in it always comes with
// a code of Success: HTTP only tells whether there is one.
var Common = []Status{
	{400, "the body or the path is not well-formed"},
	{401, "no client certificate, or From is missing or malformed"},
	{403, "From or Host is not a domain of the TLS certificates, or the peer may not ask this"},
	{404, "no such endpoint, or nothing by the name in the path"},
	{405, "another method is wanted"},
	{413, "the body is too long"},
	{421, "Host is not a domain of this provider"},
	{429, "too many requests; Retry-After says when"},
	{500, "the provider failed"},
	{503, "not now; Retry-After says when"},
}

// Endpoints are all endpoints, in the order of the draft's sections.
var Endpoints = []Endpoint{
	{
		Name: EndpointKeyMaterial, Section: "Fetch Key Material", Method: "POST",
		Path: "/keyMaterial/{targetUser}", Variables: []Variable{{"targetUser", SubjectUser}},
		Routes:  []Route{{PeerFollower, PeerHub}, {PeerHub, PeerTarget}, {PeerSource, PeerTarget}},
		Request: "KeyMaterialRequest", Response: "KeyMaterialResponse", Success: []int{200},
		parseRequest: plain(ParseKeyMaterialRequest), parseResponse: plain(ParseKeyMaterialResponse),
	},
	{
		Name: EndpointUpdate, Section: "Update Room State", Method: "POST",
		Path: "/update/{roomId}", Variables: []Variable{{"roomId", SubjectRoom}},
		Routes:  []Route{{PeerFollower, PeerHub}},
		Request: "UpdateRequest", Response: "UpdateRoomResponse", Success: []int{200},
		parseRequest: numbered(ParseUpdateRequest), parseResponse: plain(ParseUpdateRoomResponse),
	},
	{
		Name: EndpointSubmitMessage, Section: "Submit a Message", Method: "POST",
		Path: "/submitMessage/{roomId}", Variables: []Variable{{"roomId", SubjectRoom}},
		Routes:  []Route{{PeerFollower, PeerHub}},
		Request: "SubmitMessageRequest", Response: "SubmitMessageResponse", Success: []int{200},
		parseRequest: plain(ParseSubmitMessageRequest), parseResponse: plain(ParseSubmitMessageResponse),
	},
	{
		Name: EndpointNotify, Section: "Fanout Messages and Room Events", Method: "POST",
		Path: "/notify/{roomId}", Variables: []Variable{{"roomId", SubjectRoom}},
		Routes:  []Route{{PeerHub, PeerFollower}},
		Request: "FanoutMessage", Many: true, Success: []int{201, 200}, // 200 in the figures (deviation 11)
		parseRequest: func(b []byte, points *CodePoints) (any, error) {
			list, err := ParseFanoutMessages(b, points)
			if err != nil {
				return nil, err
			}
			return list, nil
		},
	},
	{
		Name: EndpointGroupInfo, Section: "Claim group key information", Method: "POST",
		Path: "/groupInfo/{roomId}", Variables: []Variable{{"roomId", SubjectRoom}},
		Routes:  []Route{{PeerFollower, PeerHub}},
		Request: "GroupInfoRequest", Response: "GroupInfoResponse", Success: []int{200},
		parseRequest: plain(ParseGroupInfoRequest), parseResponse: plain(ParseGroupInfoResponse),
	},
	{
		Name: EndpointRequestConsent, Section: "Convey explicit consent", Method: "POST",
		Path: "/requestConsent/{targetDomain}", Variables: []Variable{{"targetDomain", SubjectDomain}, {"targetUser", SubjectUser}},
		Routes:  []Route{{PeerSource, PeerTarget}},
		Request: "ConsentEntry", Success: []int{201},
		Failures:     []Status{{404, "targetUri is unknown"}},
		parseRequest: plain(ParseConsentEntry),
	},
	{
		Name: EndpointUpdateConsent, Section: "Convey explicit consent", Method: "POST",
		Path: "/updateConsent/{requesterDomain}", Variables: []Variable{{"requesterDomain", SubjectDomain}, {"requesterUser", SubjectUser}},
		Routes:  []Route{{PeerTarget, PeerSource}},
		Request: "ConsentEntry", Success: []int{201},
		Failures:     []Status{{404, "requesterUri is unknown"}},
		parseRequest: plain(ParseConsentEntry),
	},
	{
		Name: EndpointIdentifierQuery, Section: "Find internal address", Method: "POST",
		Path: "/identifierQuery/{domain}", Variables: []Variable{{"domain", SubjectDomain}},
		Routes:  []Route{{PeerSource, PeerTarget}},
		Request: "IdentifierRequest", Response: "IdentifierResponse", Success: []int{200},
		parseRequest: plain(ParseIdentifierRequest), parseResponse: plain(ParseIdentifierResponse),
	},
	{
		Name: EndpointReportAbuse, Section: "Report abuse", Method: "POST",
		Path: "/reportAbuse/{roomId}", Variables: []Variable{{"roomId", SubjectRoom}},
		Routes:  []Route{{PeerFollower, PeerHub}},
		Request: "AbuseReport", Success: []int{201, 200, 202, 204}, // the draft names none (deviation 26)
		parseRequest: plain(ParseAbuseReport),
	},
	{
		Name: EndpointProxyDownload, Section: "Download Files", Method: "GET",
		Path: "/proxyDownload/{downloadUrl}", Variables: []Variable{{"downloadUrl", SubjectURL}},
		Routes:  []Route{{PeerFollower, PeerHub}},
		Success: []int{200},
	},
}

// plain makes a Parse function one of any.
func plain[T any](parse func([]byte) (*T, error)) func([]byte, *CodePoints) (any, error) {
	return numbered(func(b []byte, _ *CodePoints) (*T, error) { return parse(b) })
}

func numbered[T any](parse func([]byte, *CodePoints) (*T, error)) func([]byte, *CodePoints) (any, error) {
	return func(b []byte, points *CodePoints) (any, error) {
		m, err := parse(b, points)
		if err != nil {
			return nil, err // not a nil pointer in an any
		}
		return m, nil
	}
}

// FindEndpoint returns the endpoint of a name.
func FindEndpoint(n EndpointName) (*Endpoint, bool) {
	i := slices.IndexFunc(Endpoints, func(e Endpoint) bool { return e.Name == n })
	if i < 0 {
		return nil, false
	}
	return &Endpoints[i], true
}

// ParseRequest reads the body of a request: a pointer to the struct that Request
// names, or a slice of them if Many. points nil means [DefaultCodePoints].
func (e *Endpoint) ParseRequest(b []byte, points *CodePoints) (any, error) {
	return e.parse(e.parseRequest, "request", b, points)
}

// ParseResponse reads the body of a response with a code of Success: a pointer to
// the struct that Response names.
func (e *Endpoint) ParseResponse(b []byte, points *CodePoints) (any, error) {
	return e.parse(e.parseResponse, "response", b, points)
}

func (e *Endpoint) parse(parse func([]byte, *CodePoints) (any, error), what string, b []byte, points *CodePoints) (any, error) {
	if parse == nil {
		return nil, fmt.Errorf("mimi: a %s of %s has no struct in its body", what, e.Name)
	}
	return parse(b, points)
}

// Marshal writes what ParseRequest or ParseResponse returned.
func Marshal(body any) ([]byte, error) {
	switch m := body.(type) {
	case []FanoutMessage:
		return MarshalFanoutMessages(m)
	case wire.Marshaler:
		return wire.Marshal(m)
	}
	return nil, fmt.Errorf("mimi: no body of MIMI is a %T", body)
}

// Outcome is what a status code says of a request.
type Outcome uint8

const (
	OutcomeDone    Outcome = iota + 1 // it was accepted; the body says more, if there is one
	OutcomeRefused                    // it was not done, and won't be if it is sent again
	OutcomeRetry                      // it may have been done or not; send it again later
)

var outcomeNames = map[Outcome]string{OutcomeDone: "done", OutcomeRefused: "refused", OutcomeRetry: "retry"}

// String returns what it is in prose.
func (o Outcome) String() string { return name(outcomeNames, o) }

// Outcome returns what a status code says at the endpoint.
func (e *Endpoint) Outcome(status int) Outcome {
	switch {
	case slices.Contains(e.Success, status):
		return OutcomeDone
	case status == 408 || status == 425 || status == 429:
		return OutcomeRetry
	case 400 <= status && status < 500:
		return OutcomeRefused
	}
	return OutcomeRetry // also what no server of MIMI should say
}

// Meaning returns what a status code says at the endpoint, in prose.
func (e *Endpoint) Meaning(status int) string {
	if slices.Contains(e.Success, status) {
		return "accepted"
	}
	for _, list := range [][]Status{e.Failures, Common} {
		for _, s := range list {
			if s.Code == status {
				return s.Meaning
			}
		}
	}
	return "status " + strconv.Itoa(status)
}

// fromLocal is the local part of the address in From.
const fromLocal = "mimi"

// From returns the From header of a request of the provider with this domain
// (draft-ietf-mimi-protocol-06, Transport layer): "mimi@a.example".
func From(domain string) string { return fromLocal + "@" + strings.ToLower(domain) }

// ParseFrom returns the domain of the provider that a From header names, in lower
// case. It takes an addr-spec with the local part mimi and nothing else: no display
// name, no angle brackets, no comment.
func ParseFrom(header string) (domain string, err error) {
	local, domain, ok := strings.Cut(header, "@")
	if !ok || local != fromLocal {
		return "", fmt.Errorf("mimi: From %q, want %s@ and a domain", clip(header), fromLocal)
	}
	return provider("From", domain)
}

// ParseHost returns the domain of the provider that a Host header names, in lower
// case. A port is ignored, as the draft wants it.
func ParseHost(header string) (domain string, err error) {
	domain, port, ok := strings.Cut(header, ":")
	if _, err := strconv.ParseUint(port, 10, 16); ok && port != "" && err != nil {
		return "", fmt.Errorf("mimi: Host %q: port, want a number", clip(header))
	}
	return provider("Host", domain)
}

// provider checks the name of a provider.
func provider(what, domain string) (string, error) {
	u, err := ident.NewURI(ident.KindProvider, domain)
	if err != nil {
		return "", fmt.Errorf("mimi: %s: %w", what, err)
	}
	return u.Provider(), nil
}

// clip bounds what an error repeats of a stranger's words.
func clip(s string) string { return s[:min(len(s), 64)] }
