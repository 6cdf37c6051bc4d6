package mimi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Directory says where a provider's endpoints are (draft-ietf-mimi-protocol-06,
// Directory): the JSON document at [DirectoryPath], a URL template by the name of
// each endpoint.
type Directory struct {
	templates map[EndpointName]string
	repaired  bool // the colon behind "proxyDownload" was missing
}

// DirectoryError says what is wrong with the entry of an endpoint.
type DirectoryError struct {
	Endpoint EndpointName
	Err      error
}

// Error implements error.
func (e *DirectoryError) Error() string {
	return fmt.Sprintf("mimi: directory: %s: %v", e.Endpoint, e.Err)
}

// Unwrap returns what went wrong.
func (e *DirectoryError) Unwrap() error { return e.Err }

// ErrNoEndpoint: the directory has no such endpoint.
var ErrNoEndpoint = errors.New("no such endpoint in the directory")

// MaxDirectory bounds the document in bytes. It is a choice of this implementation.
const MaxDirectory = 64 << 10

// NewDirectory returns the directory of a provider whose endpoints are all below a
// URL, such as "https://mimi.example.com/v1", at the paths that the draft's sections
// give them.
func NewDirectory(base string) (*Directory, error) {
	if u, err := url.Parse(base); err != nil || u.Host == "" {
		return nil, fmt.Errorf("mimi: directory below %q, want an https URL", clip(base))
	}
	d := &Directory{templates: map[EndpointName]string{}}
	for i := range Endpoints {
		e := &Endpoints[i]
		s := strings.TrimSuffix(base, "/") + e.Path
		if _, err := ParseTemplate(e, s); err != nil {
			return nil, err
		}
		d.templates[e.Name] = s
	}
	return d, nil
}

// missingColon finds the draft's own directory, which lacks a colon.
var missingColon = regexp.MustCompile(`("proxyDownload")(\s*")`)

// ParseDirectory reads a document. Members that it does not know are ignored, and
// endpoints may be missing; a known one twice is an error. Whether the templates make
// sense is looked at when they are used, and by [Directory.Check].
//
// The example in the draft is no JSON, for want of a colon, and is read all the same
// (deviation 28).
func ParseDirectory(b []byte) (*Directory, error) {
	if len(b) > MaxDirectory {
		return nil, fmt.Errorf("mimi: directory of %d bytes, want at most %d", len(b), MaxDirectory)
	}
	d, err := parseDirectory(b)
	if err == nil {
		return d, nil
	}
	fixed := missingColon.ReplaceAll(b, []byte("$1:$2"))
	if d, again := parseDirectory(fixed); again == nil {
		d.repaired = true
		return d, nil
	}
	return nil, err
}

func parseDirectory(b []byte) (*Directory, error) {
	fail := func(err error) (*Directory, error) { return nil, fmt.Errorf("mimi: directory: %w", err) }
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil {
		return fail(err)
	} else if t != json.Delim('{') {
		return fail(fmt.Errorf("%v, want an object", t))
	}
	d := &Directory{templates: map[EndpointName]string{}}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return fail(err)
		}
		member := EndpointName(t.(string)) // what the names of an object's members are
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return fail(err)
		}
		if _, known := FindEndpoint(member); !known {
			continue
		}
		if _, twice := d.templates[member]; twice {
			return nil, &DirectoryError{member, errors.New("twice, want one")}
		}
		var s string
		if raw[0] != '"' {
			return nil, &DirectoryError{member, fmt.Errorf("%s, want a string", clip(string(raw)))}
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, &DirectoryError{member, err}
		}
		d.templates[member] = s
	}
	if _, err := dec.Token(); err != nil {
		return fail(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fail(errors.New("something behind the object"))
	}
	return d, nil
}

// MarshalJSON writes the document, its members in the order of [Endpoints].
func (d *Directory) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for _, e := range Endpoints {
		s, ok := d.templates[e.Name]
		if !ok {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		v, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", string(e.Name), v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Template returns the template of an endpoint. If there is none, the error wraps
// [ErrNoEndpoint].
func (d *Directory) Template(n EndpointName) (*Template, error) {
	e, ok := FindEndpoint(n)
	s, there := d.templates[n]
	if !ok || !there {
		return nil, &DirectoryError{n, ErrNoEndpoint}
	}
	return ParseTemplate(e, s)
}

// Check checks the directory of the provider with a domain: that every endpoint has
// a template, and that its host is the domain itself or one of hosts, which are
// those that the provider declared elsewhere (deviation 29). The error joins a
// [*DirectoryError] for each endpoint that is wrong.
func (d *Directory) Check(domain string, hosts ...string) error {
	var errs []error
	for _, e := range Endpoints {
		t, err := d.Template(e.Name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		host, err := ParseHost(t.Host())
		if err != nil {
			errs = append(errs, &DirectoryError{e.Name, err})
			continue
		}
		if !strings.EqualFold(host, domain) && !slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
			errs = append(errs, &DirectoryError{e.Name, fmt.Errorf("host %q, want %s", host, strings.Join(append([]string{domain}, hosts...), " or "))})
		}
	}
	return errors.Join(errs...)
}

// Defects names the mistakes of the draft's own example that the directory has. They
// are tolerated: what is expanded is the template as it stands.
func (d *Directory) Defects() []string {
	var list []string
	for _, e := range Endpoints {
		t, err := d.Template(e.Name)
		if err != nil {
			continue
		}
		if !strings.HasSuffix(t.before, "/") {
			list = append(list, fmt.Sprintf("%s: no / before {%s}", e.Name, t.variable.Name))
		}
		if t.variable != e.Variables[0] {
			list = append(list, fmt.Sprintf("%s: {%s}, where the section on the endpoint has {%s}", e.Name, t.variable.Name, e.Variables[0].Name))
		}
	}
	if d.repaired {
		list = append(list, `proxyDownload: no colon behind the member's name`)
	}
	return list
}
