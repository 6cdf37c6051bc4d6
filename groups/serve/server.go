package serve

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// server is the HTTP side of a provider, for its peers.
type server struct {
	p         *Provider
	directory []byte
	endpoints []served
	listed    map[string]string // the domains of the configuration's peers, by what they say in From

	mu    sync.Mutex // guards what follows
	total int
	from  map[string]int   // requests under way, by the peer
	bytes map[string]int64 // in their bodies
}

// served is an endpoint with its place in the directory.
type served struct {
	endpoint *mimi.Endpoint
	template *mimi.Template
}

func newServer(p *Provider) (*server, error) {
	d, err := mimi.NewDirectory(p.cfg.Base)
	if err != nil {
		return nil, err
	}
	s := &server{p: p, listed: make(map[string]string), from: make(map[string]int), bytes: make(map[string]int64)}
	for domain := range p.cfg.Peers {
		s.listed[mimi.From(domain)] = domain
	}
	if s.directory, err = json.Marshal(d); err != nil {
		return nil, fmt.Errorf("serve: directory: %w", err)
	}
	for i := range mimi.Endpoints {
		e := &mimi.Endpoints[i]
		t, err := d.Template(e.Name)
		if err != nil {
			return nil, err
		}
		s.endpoints = append(s.endpoints, served{e, t})
	}
	return s, nil
}

// serverTLS is TLS 1.3 with a client's certificate (draft-ietf-mimi-protocol-06,
// Transport layer). The handshake does without one, which is for [server.peer] to
// refuse: the directory and the keys of the Oblivious HTTP gateway are for all.
func serverTLS(cfg *Config) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cfg.Certificate},
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: cfg.Roots,
	}
}

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	log := &logged{ResponseWriter: w, status: http.StatusOK}
	name, from, err := s.route(log, r)
	if err != nil {
		s.p.refused(log, r, err)
	}
	s.p.stats.requests.Add(1)
	if s.p.log.Enabled(r.Context(), slog.LevelDebug) { // else its values need not be made
		s.p.log.DebugContext(r.Context(), "request", "endpoint", name, "from", from, "status", log.status, "bytes", r.ContentLength, "took", time.Since(start))
	}
}

// route finds out what a request is for, and from whom.
func (s *server) route(w http.ResponseWriter, r *http.Request) (name mimi.EndpointName, from string, err error) {
	if err := s.host(r); err != nil {
		return "", "", err
	}
	path := r.URL.EscapedPath()
	switch path {
	case mimi.DirectoryPath:
		return "directory", "", s.serveDirectory(w, r)
	case gatewayPath:
		return gatewayName, "", s.serveGateway(w, r)
	}
	for _, e := range s.endpoints {
		value, ok := e.template.Match(path)
		if !ok {
			continue
		}
		from, err = s.serveEndpoint(w, r, e, value)
		return e.endpoint.Name, from, err
	}
	return "", "", refuse(http.StatusNotFound, "no such endpoint")
}

// serveEndpoint answers a request for an endpoint.
func (s *server) serveEndpoint(w http.ResponseWriter, r *http.Request, e served, value string) (from string, err error) {
	if err := method(w, r, e.endpoint.Method); err != nil {
		return "", err
	}
	if from, err = s.peer(r); err != nil {
		return "", err
	}
	done, err := s.admit(from)
	if err != nil {
		return from, err
	}
	defer done()
	in := &request{endpoint: e.endpoint, from: from}
	if err := in.about(e.template.Variable().Subject, value); err != nil {
		return from, err
	}
	if e.endpoint.Name == mimi.EndpointProxyDownload {
		s.hurry(w, s.p.cfg.Limits.Download)
		return from, s.p.proxyDownload(w, r, from, value)
	}
	began, quick := time.Now(), s.quick(r, e.endpoint.Name)
	if !quick {
		s.hurry(w, readTimeout+s.p.cfg.Limits.Timeout)
	}
	body, release, err := s.body(w, r, from, e.endpoint.Name)
	if err != nil {
		return from, err
	}
	defer release()
	if !quick {
		s.hurry(w, 2*s.p.cfg.Limits.Timeout) // another provider may be asked meanwhile
	}
	in.body, in.missed = body, missedIn(r.Header)
	answer, err := s.p.serve(r.Context(), in)
	if err != nil {
		return from, err
	}
	if !quick || time.Since(began) > s.p.cfg.Limits.Timeout/8 {
		s.hurry(w, s.p.cfg.Limits.Timeout)
	}
	return from, respond(w, e.endpoint, answer)
}

// readTimeout bounds how long a request may take to arrive.
const readTimeout = time.Minute

// quickBody is how long a body may be that arrives at once, in bytes. A choice of this
// implementation.
const quickBody = 64 << 10

// quick reports whether a request will be answered within the time that the provider's
// own server gives to every request, unless something is wrong: its body arrives at once,
// and no other provider is asked. [server.hurry] costs a message to the goroutine of the
// connection, which most requests can do without.
func (s *server) quick(r *http.Request, name mimi.EndpointName) bool {
	own, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	return own == s.p.http && 0 <= r.ContentLength && r.ContentLength <= quickBody && name != mimi.EndpointKeyMaterial
}

// hurry bounds how long a peer may take to read an answer: it counts among the requests
// under way for as long.
func (s *server) hurry(w http.ResponseWriter, d time.Duration) {
	// What can't be bounded is no connection.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}

// respond writes what an endpoint answers.
func respond(w http.ResponseWriter, e *mimi.Endpoint, answer wire.Marshaler) error {
	var body []byte
	if answer != nil && e.Response != "" {
		var err error
		if body, err = wire.Append(make([]byte, 0, 256), answer); err != nil {
			return fmt.Errorf("serve: response of %s: %w", e.Name, err)
		}
		w.Header().Set("Content-Type", mimi.MediaType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Success[0])
	_, _ = w.Write(body) // a peer that is gone asks again
	return nil
}

// host checks that the request is for this provider.
func (s *server) host(r *http.Request) error {
	if r.Host == s.p.cfg.Domain {
		return nil
	}
	host, err := mimi.ParseHost(r.Host)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	if host != s.p.cfg.Domain {
		return refuse(http.StatusMisdirectedRequest, "host %s, want %s", clip(host), s.p.cfg.Domain)
	}
	return nil
}

func method(w http.ResponseWriter, r *http.Request, want string) error {
	if r.Method != want {
		w.Header().Set("Allow", want)
		return refuse(http.StatusMethodNotAllowed, "method %s, want %s", clip(r.Method), want)
	}
	return nil
}

// peer returns the domain of the provider that a request is from, which its certificate
// authenticates "according to [RFC6125]" (draft-ietf-mimi-protocol-06, Transport layer).
func (s *server) peer(r *http.Request) (string, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", refuse(http.StatusUnauthorized, "no client certificate, want one of the provider in From")
	}
	header := r.Header.Values("From")
	if len(header) != 1 {
		return "", refuse(http.StatusUnauthorized, "%d From fields, want 1", len(header))
	}
	from, listed := s.listed[header[0]]
	if !listed {
		var err error
		if from, err = mimi.ParseFrom(header[0]); err != nil {
			return "", refuse(http.StatusUnauthorized, "%v", err)
		}
	}
	if err := r.TLS.PeerCertificates[0].VerifyHostname(from); err != nil {
		return "", refuse(http.StatusForbidden, "the client certificate is not for %s, which From names", from)
	}
	if from == s.p.cfg.Domain {
		// To the machines the own domain is own clients, which do not come this way.
		return "", refuse(http.StatusForbidden, "from %s, want another provider", from)
	}
	if _, ok := s.p.cfg.Peers[from]; !ok && !s.p.cfg.AnyPeer {
		return "", refuse(http.StatusForbidden, "%s is no peer", from)
	}
	return from, nil
}

// admit counts a request among those under way, unless there are too many.
func (s *server) admit(from string) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := &s.p.cfg.Limits; {
	case s.from[from] >= l.PeerRequests:
		return nil, retryLater(http.StatusTooManyRequests, time.Second, "%d requests of %s are under way, want fewer", s.from[from], from)
	case s.total >= l.Requests:
		return nil, retryLater(http.StatusServiceUnavailable, time.Second, "too many requests are under way")
	}
	s.total++
	s.from[from]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.total--
		if s.from[from]--; s.from[from] == 0 {
			delete(s.from, from)
		}
	}, nil
}

// shortBodies bounds, in bytes, the requests that hold no tree, Welcome or message: what
// is read of a list of short elements is many times as long. Choices of this
// implementation.
var shortBodies = map[mimi.EndpointName]int64{
	mimi.EndpointKeyMaterial:     64 << 10,
	mimi.EndpointGroupInfo:       64 << 10,
	mimi.EndpointRequestConsent:  64 << 10,
	mimi.EndpointUpdateConsent:   1 << 20, // a grant has KeyPackages
	mimi.EndpointIdentifierQuery: 64 << 10,
	gatewayName:                  64 << 10,
}

// gatewayName stands for the Oblivious HTTP gateway, which has no name in the draft.
const gatewayName mimi.EndpointName = "gateway"

// reserve counts the bytes of a body that is to be read, unless there are too many of the
// peer's.
func (s *server) reserve(from string, n int64) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if most := s.p.cfg.Limits.PeerBytes; s.bytes[from]+n > most {
		return nil, retryLater(http.StatusTooManyRequests, time.Second, "%d bytes beside %d of %s, want at most %d under way", n, s.bytes[from], from, most)
	}
	s.bytes[from] += n
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.bytes[from] -= n; s.bytes[from] == 0 {
			delete(s.bytes, from)
		}
	}, nil
}

// body reads the body of a request, which it keeps to its bound, and holds room for it
// until release is called. One that does not say how long it is takes as much as it may.
func (s *server) body(w http.ResponseWriter, r *http.Request, from string, name mimi.EndpointName) (body []byte, release func(), err error) {
	most := s.p.cfg.Limits.Body
	if short, ok := shortBodies[name]; ok {
		most = min(most, short)
	}
	if r.ContentLength > most {
		return nil, nil, tooLarge(most)
	}
	n := most
	if r.ContentLength >= 0 {
		n = r.ContentLength
	}
	free, err := s.reserve(from, n)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			free()
		}
	}()
	body, err = readAll(http.MaxBytesReader(w, r.Body, most), r.ContentLength)
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, nil, tooLarge(most)
	case err != nil:
		return nil, nil, refuse(http.StatusBadRequest, "the body does not arrive")
	}
	return body, free, nil
}

// readAll is [io.ReadAll] of what is said to have n bytes, -1 if nothing is said. Of much
// it does not take the room before it comes.
func readAll(r io.Reader, n int64) ([]byte, error) {
	if n < 0 || n > maxAtOnce {
		return io.ReadAll(r)
	}
	b := make([]byte, n+1) // a byte more, so that the end is seen
	got, err := io.ReadFull(r, b)
	switch {
	case int64(got) == n && (err == io.EOF || err == io.ErrUnexpectedEOF):
		return b[:n:n], nil
	case err == nil || err == io.EOF:
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}

// maxAtOnce is how many bytes of a body have their room from the start. A choice of this
// implementation.
const maxAtOnce = 512 << 10

func tooLarge(most int64) error {
	return refuse(http.StatusRequestEntityTooLarge, "the body is too long, want at most %d bytes", most)
}

func (s *server) serveDirectory(w http.ResponseWriter, r *http.Request) error {
	if err := method(w, r, http.MethodGet); err != nil {
		return err
	}
	s.hurry(w, s.p.cfg.Limits.Timeout)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.directory)
	return nil
}

// refused answers with a status code and a short reason.
func (p *Provider) refused(w http.ResponseWriter, r *http.Request, err error) {
	status, reason, after := http.StatusInternalServerError, "the provider failed", time.Duration(0)
	var refused *follower.Refusal
	switch err = refusal(err); {
	case errors.As(err, &refused):
		status, reason, after = refused.Status, refused.Reason, refused.After
	case errors.Is(err, ErrStopped), p.Err() != nil:
		status, reason, after = http.StatusServiceUnavailable, "the provider stops", time.Second
	case r.Context().Err() != nil:
		return // nobody reads it
	default:
		p.log.ErrorContext(r.Context(), "request failed", "error", err)
	}
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	p.stats.refused.Add(1)
	http.Error(w, reason, status)
}

// logged remembers the status code of a response.
type logged struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (l *logged) WriteHeader(status int) {
	l.status = status
	l.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (l *logged) Unwrap() http.ResponseWriter { return l.ResponseWriter }
