package mimi

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// example is the directory in the draft (Directory), with its mistakes.
const example = `
{
  "keyMaterial":
     "https://mimi.example.com/v1/keyMaterial/{targetUser}",
  "update": "https://mimi.example.com/v1/update{roomId}",
  "notify": "https://mimi.example.com/v1/notify/{roomId}",
  "submitMessage":
     "https://mimi.example.com/v1/submitMessage/{roomId}",
  "groupInfo":
     "https://mimi.example.com/v1/groupInfo/{roomId}",
  "requestConsent":
     "https://mimi.example.com/v1/requestConsent/{targetUser}",
  "updateConsent":
     "https://mimi.example.com/v1/updateConsent/{requesterUser}",
  "identifierQuery":
     "https://mimi.example.com/v1/identifierQuery/{domain}",
  "reportAbuse":
     "https://mimi.example.com/v1/reportAbuse/{roomId}",
  "proxyDownload"
     "https://mimi.example.com/v1/proxyDownload/{downloadUrl}"
}`

// TestDraftDirectory: the draft's example is read, and its mistakes are named
// (deviations 27 and 28).
func TestDraftDirectory(t *testing.T) {
	t.Parallel()
	if json.Valid([]byte(example)) {
		t.Fatal("the example is JSON")
	}
	d, err := ParseDirectory([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check("mimi.example.com"); err != nil {
		t.Error(err)
	}
	want := []string{
		"update: no / before {roomId}",
		"requestConsent: {targetUser}, where the section on the endpoint has {targetDomain}",
		"updateConsent: {requesterUser}, where the section on the endpoint has {requesterDomain}",
		"proxyDownload: no colon behind the member's name",
	}
	if got := d.Defects(); !reflect.DeepEqual(got, want) {
		t.Errorf("defects %q, want %q", got, want)
	}
	for name, want := range map[EndpointName]string{
		EndpointUpdate:         "https://mimi.example.com/v1/updatemimi%3A%2F%2Fhub.example%2Fr%2Fclubhouse",
		EndpointNotify:         "https://mimi.example.com/v1/notify/mimi%3A%2F%2Fhub.example%2Fr%2Fclubhouse",
		EndpointRequestConsent: "https://mimi.example.com/v1/requestConsent/mimi%3A%2F%2Fhub.example%2Fr%2Fclubhouse",
	} {
		tmpl, err := d.Template(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.ExpandFor(room); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// TestNewDirectory: what this package writes has none of the mistakes, and comes back.
func TestNewDirectory(t *testing.T) {
	t.Parallel()
	d, err := NewDirectory("https://mimi.a.example:8443/v1/")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseDirectory(b)
	if err != nil || !reflect.DeepEqual(again, d) {
		t.Errorf("%s was read as %v, %v", b, again, err)
	}
	if got := d.Defects(); len(got) > 0 {
		t.Errorf("defects %q", got)
	}
	if err := d.Check("a.example", "mimi.a.example"); err != nil {
		t.Error(err)
	}
	consent, err := d.Template(EndpointUpdateConsent)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := consent.ExpandFor(bob); err != nil || got != "https://mimi.a.example:8443/v1/updateConsent/b.example" {
		t.Errorf("%q, %v, want the domain in it", got, err)
	}
	if _, err := consent.ExpandFor("bob"); err == nil {
		t.Error("no URI has a domain")
	}
	for _, base := range []string{"", "http://a.example", "https://", "https://a.example?x", "https://a.example#", "https://u@a.example", "https://127.0.0.1"} {
		if _, err := NewDirectory(base); err == nil {
			t.Errorf("a directory below %q", base)
		}
	}
}

// TestDirectoryRefused: what is no directory, by endpoint where it is about one.
func TestDirectoryRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		endpoint EndpointName
		want     string
	}{
		{"empty", ``, "", "EOF"},
		{"array", `[]`, "", "want an object"},
		{"null", `null`, "", "want an object"},
		{"open", `{"update":"x"`, "", "EOF"},
		{"two", `{}{}`, "", "something behind the object"},
		{"number", `{"update":7}`, EndpointUpdate, "want a string"},
		{"null entry", `{"update":null}`, EndpointUpdate, "want a string"},
		{"twice", `{"update":"x","update":"x"}`, EndpointUpdate, "twice, want one"},
		{"two colons missing", strings.Replace(example, `"notify":`, `"notify"`, 1), "", "expected colon"},
		{"long", `{"x":"` + strings.Repeat("x", MaxDirectory) + `"}`, "", "want at most 65536"},
	}
	for _, tt := range tests {
		d, err := ParseDirectory([]byte(tt.in))
		if err == nil || d != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v, want %q", tt.name, d, err, tt.want)
		}
		var e *DirectoryError
		if errors.As(err, &e); tt.endpoint != "" && (e == nil || e.Endpoint != tt.endpoint) {
			t.Errorf("%s: %v, want an error at %s", tt.name, err, tt.endpoint)
		}
	}
	d, err := ParseDirectory([]byte(`{"Update":"x","x-own":{"a":[1]},"notify":"https://a.example/{roomId}"}`))
	if err != nil {
		t.Fatalf("unknown members: %v", err)
	}
	if _, err := d.Template(EndpointUpdate); !errors.Is(err, ErrNoEndpoint) {
		t.Errorf("%v, want %v: members have their case", err, ErrNoEndpoint)
	}
	if _, err := d.Template("x-own"); !errors.Is(err, ErrNoEndpoint) {
		t.Errorf("%v, want %v", err, ErrNoEndpoint)
	}
}

// TestDirectoryCheck: hosts are the provider's or declared, and every endpoint is
// there (deviation 29).
func TestDirectoryCheck(t *testing.T) {
	t.Parallel()
	d, err := NewDirectory("https://MIMI.a.example/")
	if err != nil {
		t.Fatal(err)
	}
	for _, ok := range [][]string{{"mimi.a.example"}, {"a.example", "mimi.a.example"}, {"a.example", "x.example", "Mimi.A.example"}} {
		if err := d.Check(ok[0], ok[1:]...); err != nil {
			t.Errorf("%v: %v", ok, err)
		}
	}
	for _, bad := range [][]string{{"a.example"}, {"example"}, {"b.example", "a.example"}} {
		err := d.Check(bad[0], bad[1:]...)
		if err == nil || strings.Count(err.Error(), "want "+bad[0]) != len(Endpoints) {
			t.Errorf("%v: %v, want each endpoint's host to be wrong", bad, err)
		}
	}
	delete(d.templates, EndpointReportAbuse)
	d.templates[EndpointUpdate] = "http://mimi.a.example/{roomId}"
	err = d.Check("mimi.a.example")
	if !errors.Is(err, ErrNoEndpoint) || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "want https") {
		t.Errorf("%v, want a missing endpoint and a wrong one", err)
	}
}

// TestTemplates: templates that are none.
func TestTemplates(t *testing.T) {
	t.Parallel()
	e, _ := FindEndpoint(EndpointUpdate)
	for _, s := range []string{
		"", "https://a.example/update", "https://a.example/{}", "https://a.example/{roomId", "https://a.example/roomId}", "https://a.example/{roomId}{roomId}",
		"https://a.example/{{roomId}}", "https://a.example/{targetUser}", "https://a.example/{+roomId}", "https://a.example/{?roomId}", "http://a.example/{roomId}", "https:///{roomId}",
		"https://{roomId}/update", "https://{roomId}.a.example/update", "https://a.example{roomId}", "https://a.example:{roomId}/x", "https://u:p@a.example/{roomId}", "https://a.example/?r={roomId}",
		"https://a.example/{roomId}?", "https://a.example/{roomId}#", "https://a.example/#{roomId}", "https://127.0.0.1/{roomId}", "https://a.example:70000/{roomId}", "/update/{roomId}",
		"https://a.example/" + strings.Repeat("x", maxURL) + "{roomId}", "https://a.example/%zz/{roomId}", " https://a.example/{roomId}",
	} {
		if tmpl, err := ParseTemplate(e, s); err == nil {
			t.Errorf("%q was read as %v", s, tmpl)
		} else if d := (*DirectoryError)(nil); !errors.As(err, &d) || d.Endpoint != EndpointUpdate {
			t.Errorf("%q: %v, want a DirectoryError", s, err)
		}
	}
}

// TestTemplateMatch: what was expanded matches, whatever is in it, and what has more
// segments does not.
func TestTemplateMatch(t *testing.T) {
	t.Parallel()
	e, _ := FindEndpoint(EndpointNotify)
	tmpl, err := ParseTemplate(e, "https://a.example:8443/v1/{roomId}/notify")
	if err != nil {
		t.Fatal(err)
	}
	if tmpl.Host() != "a.example:8443" || tmpl.Variable() != (Variable{"roomId", SubjectRoom}) {
		t.Errorf("host %q, variable %v", tmpl.Host(), tmpl.Variable())
	}
	rapid.Check(t, func(t *rapid.T) {
		v := string(rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(t, "value"))
		u := tmpl.Expand(v)
		for i := 0; i < len(u); i++ {
			if u[i] <= ' ' || u[i] >= 0x7f {
				t.Fatalf("%q has byte %#x", u, u[i])
			}
		}
		path := strings.TrimPrefix(u, "https://a.example:8443")
		if got, ok := tmpl.Match(path); !ok || got != v {
			t.Fatalf("%q was matched as %q, %v, want %q", path, got, ok, v)
		}
	})
	for path, want := range map[string]string{
		"/v1/mimi:%2f%2fa.example%2fr%2fx/notify": "mimi://a.example/r/x", // an encoder that leaves what a segment may hold
		"/v1/a+b/notify": "a+b",
	} {
		if got, ok := tmpl.Match(path); !ok || got != want {
			t.Errorf("%q was matched as %q, %v, want %q", path, got, ok, want)
		}
	}
	for _, path := range []string{
		"", "/", "/v1/", "/v1//notify", "/v1/notify", "/v1/x", "/v1/x/y/notify", "/v2/x/notify", "/v1/%/notify", "/v1/%g0/notify", "/v1/x?y/notify",
		"/v1/mimi://a.example/r/x/notify", "/v1/" + strings.Repeat("x", maxURL) + "/notify",
	} {
		if got, ok := tmpl.Match(path); ok {
			t.Errorf("%q was matched as %q", path, got)
		}
	}
}

// TestParseSubject: what a path names is of the kind that the endpoint is about.
func TestParseSubject(t *testing.T) {
	t.Parallel()
	values := map[string][]Subject{
		"mimi://a.example/r/clubhouse": {SubjectRoom},
		"mimi://a.example/u/alice":     {SubjectUser},
		"mimi://a.example/p/77aa":      {SubjectUser},
		"mimi://a.example/d/ClientA1":  nil,
		"mimi://a.example":             nil,
		"a.example":                    {SubjectDomain},
		"https://assets.a.example/x":   {SubjectURL},
		"http://assets.a.example/x":    nil,
		"a.example/r/clubhouse":        nil, // as the figures have it
		"":                             nil,
	}
	for v, want := range values {
		for s := range subjectNames {
			got, err := s.ParseSubject(v)
			ok := false
			for _, w := range want {
				ok = ok || w == s
			}
			if ok != (err == nil) || ok && string(got) != v {
				t.Errorf("%q as a %s: %q, %v, want %v", v, s, got, err, ok)
			}
		}
	}
}
