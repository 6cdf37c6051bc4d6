package mimi

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestEndpoints: the table says of each endpoint what the draft says of it.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	// name, method and path, request, response, statuses that mean success
	want := `
keyMaterial POST /keyMaterial/{targetUser} KeyMaterialRequest KeyMaterialResponse [200]
update POST /update/{roomId} UpdateRequest UpdateRoomResponse [200]
submitMessage POST /submitMessage/{roomId} SubmitMessageRequest SubmitMessageResponse [200]
notify POST /notify/{roomId} FanoutMessage - [201 200]
groupInfo POST /groupInfo/{roomId} GroupInfoRequest GroupInfoResponse [200]
requestConsent POST /requestConsent/{targetDomain} ConsentEntry - [201]
updateConsent POST /updateConsent/{requesterDomain} ConsentEntry - [201]
identifierQuery POST /identifierQuery/{domain} IdentifierRequest IdentifierResponse [200]
reportAbuse POST /reportAbuse/{roomId} AbuseReport - [201 200 202 204]
proxyDownload GET /proxyDownload/{downloadUrl} - - [200]
`
	var got strings.Builder
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	for _, e := range Endpoints {
		fmt.Fprintln(&got, e.Name, e.Method, e.Path, dash(e.Request), dash(e.Response), e.Success)
		if !strings.HasSuffix(e.Path, "{"+e.Variables[0].Name+"}") {
			t.Errorf("%s: the variable of %s is not %s", e.Name, e.Path, e.Variables[0].Name)
		}
		if found, ok := FindEndpoint(e.Name); !ok || found.Path != e.Path {
			t.Errorf("%s is not found", e.Name)
		}
		if len(e.Routes) == 0 || e.Section == "" {
			t.Errorf("%s has no route or section", e.Name)
		}
	}
	if got.String() != want[1:] {
		t.Errorf("got\n%swant\n%s", &got, want[1:])
	}
	if MediaType != "application/octet-stream" || DirectoryPath != "/.well-known/mimi-protocol-directory" {
		t.Errorf("media type %q, directory at %q", MediaType, DirectoryPath)
	}
	if _, ok := FindEndpoint("submit"); ok {
		t.Error("the figures' name of submitMessage is found")
	}
}

// TestEndpointBodies: the samples of a body's struct are read at its endpoint, into
// that struct, and are written again.
func TestEndpointBodies(t *testing.T) {
	t.Parallel()
	samples := map[string][]string{}
	for _, tt := range types {
		typ, _, _ := strings.Cut(tt.name, "/")
		samples[typ] = append(samples[typ], tt.sample)
	}
	samples["FanoutMessage"] = append(samples["FanoutMessage"], strings.Join(samples["FanoutMessage"], ""))
	for i := range Endpoints {
		e := &Endpoints[i]
		for _, d := range []struct {
			what, typ string
			parse     func([]byte, *CodePoints) (any, error)
		}{{"request", e.Request, e.ParseRequest}, {"response", e.Response, e.ParseResponse}} {
			if d.typ == "" {
				if _, err := d.parse(nil, nil); err == nil {
					t.Errorf("%s: a %s without a body was read", e.Name, d.what)
				}
				continue
			}
			if len(samples[d.typ]) == 0 {
				t.Errorf("%s: no samples of %s", e.Name, d.typ)
			}
			for _, s := range samples[d.typ] {
				m, err := d.parse([]byte(s), nil)
				if err != nil {
					t.Errorf("%s: %s %q: %v", e.Name, d.what, s, err)
					continue
				}
				if typ := reflect.TypeOf(m).Elem().Name(); typ != d.typ {
					t.Errorf("%s: the %s is a %s, want a %s", e.Name, d.what, typ, d.typ)
				}
				if b, err := Marshal(m); err != nil || !bytes.Equal(b, []byte(s)) {
					t.Errorf("%s: %q was written as %q, %v", e.Name, s, b, err)
				}
			}
			if m, err := d.parse([]byte("\xff"), nil); err == nil || m != nil {
				t.Errorf("%s: junk gave %v, %v", e.Name, m, err)
			}
		}
	}
	if _, err := Marshal("text"); err == nil {
		t.Error("a string was written as a body")
	}
}

// TestOutcome: what is definite and what is not.
func TestOutcome(t *testing.T) {
	t.Parallel()
	tests := []struct {
		endpoint EndpointName
		status   int
		want     Outcome
		meaning  string
	}{
		{EndpointNotify, 201, OutcomeDone, "accepted"},
		{EndpointNotify, 200, OutcomeDone, "accepted"},
		{EndpointNotify, 202, OutcomeRetry, "status 202"},
		{EndpointNotify, 503, OutcomeRetry, "not now; Retry-After says when"},
		{EndpointNotify, 429, OutcomeRetry, "too many requests; Retry-After says when"},
		{EndpointNotify, 400, OutcomeRefused, "the body or the path is not well-formed"},
		{EndpointRequestConsent, 201, OutcomeDone, "accepted"},
		{EndpointRequestConsent, 404, OutcomeRefused, "targetUri is unknown"},
		{EndpointUpdateConsent, 404, OutcomeRefused, "requesterUri is unknown"},
		{EndpointUpdate, 404, OutcomeRefused, "no such endpoint, or nothing by the name in the path"},
		{EndpointUpdate, 201, OutcomeRetry, "status 201"},
		{EndpointReportAbuse, 204, OutcomeDone, "accepted"},
		{EndpointSubmitMessage, 408, OutcomeRetry, "status 408"},
		{EndpointSubmitMessage, 301, OutcomeRetry, "status 301"},
	}
	for _, tt := range tests {
		e, _ := FindEndpoint(tt.endpoint)
		if got := e.Outcome(tt.status); got != tt.want {
			t.Errorf("%s %d: %s, want %s", tt.endpoint, tt.status, got, tt.want)
		}
		if got := e.Meaning(tt.status); got != tt.meaning {
			t.Errorf("%s %d: %q, want %q", tt.endpoint, tt.status, got, tt.meaning)
		}
	}
}

// TestFrom: "the content of the From header will be mimi@a.example", in the addr-spec
// variant (Transport layer).
func TestFrom(t *testing.T) {
	t.Parallel()
	if got := From("A.example"); got != "mimi@a.example" {
		t.Errorf("From is %q", got)
	}
	for in, want := range map[string]string{"mimi@a.example": "a.example", "mimi@A.Example": "a.example"} {
		if got, err := ParseFrom(in); err != nil || got != want {
			t.Errorf("ParseFrom(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "mimi", "mimi@", "@a.example", "a.example", "Mimi@a.example", "mimi+x@a.example", "alice@a.example",
		"<mimi@a.example>", "MIMI <mimi@a.example>", "mimi@a.example, mimi@b.example", "mimi@a.example ", " mimi@a.example",
		"mimi@a.example/u/alice", "mimi@a.example:443", "mimi@[127.0.0.1]", "mimi@127.0.0.1", "mimi@a..example", "mimi@a@b.example",
		"mimi@a.example\r\nX: y", "mimi@" + strings.Repeat("a", 300),
	} {
		if got, err := ParseFrom(in); err == nil {
			t.Errorf("ParseFrom(%q) = %q, want an error", in, got)
		}
	}
}

// TestHost: "the port component of the Host header is ignored" (Transport layer).
func TestHost(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a.example": "a.example", "A.example:8443": "a.example", "a.example:": "a.example"} {
		if got, err := ParseHost(in); err != nil || got != want {
			t.Errorf("ParseHost(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", ":443", "a.example:https", "a.example:70000", "a.example:1:2", "127.0.0.1", "[::1]", "[::1]:443", "a.example/x", "user@a.example"} {
		if got, err := ParseHost(in); err == nil {
			t.Errorf("ParseHost(%q) = %q, want an error", in, got)
		}
	}
}

// TestDownloadURL: https, a name, and nothing that a proxy should not follow.
func TestDownloadURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://assets.c.example/x?y=z": "assets.c.example", "HTTPS://Assets.C.example:8443/": "assets.c.example",
	} {
		if got, err := DownloadURL(in); err != nil || got != want {
			t.Errorf("DownloadURL(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "http://c.example/x", "ftp://c.example/x", "//c.example/x", "c.example/x", "https:c.example/x", "https:///x", "https://user@c.example/x",
		"https://c.example/x#y", "https://c.example/x#", "https://127.0.0.1/x", "https://[::1]/x", "https://2130706433/x", "https://c.example:x/",
		"mimi://c.example/u/x", "https://c.example/%zz", "https://" + strings.Repeat("a", maxURL),
	} {
		if got, err := DownloadURL(in); err == nil {
			t.Errorf("DownloadURL(%q) = %q, want an error", in, got)
		}
	}
}
