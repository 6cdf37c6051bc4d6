package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// answer is what came of a request to the checked provider.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error // why there is no answer
	late   bool  // as it did not come in time
}

// refused reports whether the request was refused by a status code.
func (a *answer) refused() bool { return a.err == nil && 400 <= a.status && a.status < 500 }

// accepted reports whether the status code says success.
func (a *answer) accepted() bool { return a.err == nil && 200 <= a.status && a.status < 300 }

// String is what was seen.
func (a *answer) String() string {
	if a.err != nil {
		return "no answer: " + a.err.Error()
	}
	if a.accepted() || len(a.body) == 0 {
		return fmt.Sprintf("status %d", a.status)
	}
	why := strings.TrimSpace(string(a.body[:min(len(a.body), 4*verdict.MaxSeen)]))
	return fmt.Sprintf("status %d: %s", a.status, why)
}

// request is one that is about to be sent; what is wrong on purpose is changed in it.
type request struct {
	method, url string
	header      http.Header
	host        string
	body        io.Reader
	length      int64
}

// errEndless: an answer is longer than it may be.
var errEndless = fmt.Errorf("an answer of more than %d bytes", maxBody)

// send makes a request by a client, and reads the answer as far as it may be long.
func (r *run) send(ctx context.Context, c *http.Client, q *request) *answer {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, q.body)
	if err != nil {
		return &answer{err: err}
	}
	req.Header, req.Host = q.header, q.host
	if q.length > 0 {
		req.ContentLength = q.length
	}
	resp, err := c.Do(req)
	if err != nil {
		return &answer{err: r.plain(ctx, err), late: ctx.Err() != nil}
	}
	defer func() { _ = resp.Body.Close() }()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1)); err != nil {
		a.err = r.plain(ctx, err)
	} else if len(a.body) > maxBody {
		a.err = errEndless
	}
	return a
}

// plain is an error without the URL and with the time that was waited.
func (r *run) plain(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("nothing for %v", r.cfg.Timeout)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err
}

// request returns a request of a peer as it should be.
func (p *peer) request(method, url string, body []byte) *request {
	q := &request{method: method, url: url, header: http.Header{"From": {mimi.From(p.domain)}}, host: p.r.host()}
	if body != nil {
		q.header.Set("Content-Type", mimi.MediaType)
		q.body, q.length = bytes.NewReader(body), int64(len(body))
	}
	return q
}

// host is the checked provider's for Host: its domain, with the port if that is not the
// usual one.
func (r *run) host() string {
	if r.cfg.Port == "443" {
		return r.cfg.Domain
	}
	return net.JoinHostPort(r.cfg.Domain, r.cfg.Port)
}

// url returns where the checked provider has an endpoint, for a URI, a domain or a URL.
func (r *run) url(e mimi.EndpointName, subject string) (string, error) {
	if r.directory == nil {
		return "", mimi.ErrNoEndpoint
	}
	t, err := r.directory.Template(e)
	if err != nil {
		return "", err
	}
	if err := r.ownHost(t); err != nil {
		return "", err
	}
	if t.Variable().Subject == mimi.SubjectDomain && strings.HasPrefix(subject, "mimi:") {
		return t.ExpandFor(mimi.IdentifierURI(subject))
	}
	return t.Expand(subject), nil
}

// ownHost says why an endpoint is not the provider's (deviation 29 of protocols/mimi).
func (r *run) ownHost(t *mimi.Template) error {
	host, err := mimi.ParseHost(t.Host())
	if err != nil {
		return err
	}
	own := func(s string) bool { return strings.EqualFold(s, host) }
	if !own(r.cfg.Domain) && !slices.ContainsFunc(r.cfg.Hosts, own) {
		return fmt.Errorf("the directory names the host %s, which nobody else says is the provider's", host)
	}
	return nil
}

// ask makes a request of a peer at an endpoint, changed by the functions.
func (p *peer) ask(ctx context.Context, e mimi.EndpointName, subject string, body []byte, change ...func(*request)) *answer {
	u, err := p.r.url(e, subject)
	if err != nil {
		return &answer{err: err}
	}
	endpoint, _ := mimi.FindEndpoint(e)
	q := p.request(endpoint.Method, u, body)
	for _, f := range change {
		f(q)
	}
	return p.r.send(ctx, p.http, q)
}

// slow is a body that begins and does not go on, until it is closed.
type slow struct {
	begin  *bytes.Reader
	closed chan struct{}
	once   sync.Once
}

func newSlow(n int) *slow {
	return &slow{begin: bytes.NewReader(make([]byte, n)), closed: make(chan struct{})}
}

// Read implements [io.Reader].
func (s *slow) Read(b []byte) (int, error) {
	if s.begin.Len() > 0 {
		return s.begin.Read(b)
	}
	<-s.closed
	return 0, io.ErrUnexpectedEOF
}

// Close implements [io.Closer].
func (s *slow) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// within reports whether a time in milliseconds is about now. Clocks may differ by a
// few minutes.
func within(ms uint64, now time.Time) bool {
	const most = 10 * time.Minute
	at := time.UnixMilli(int64(min(ms, 1<<50)))
	return at.After(now.Add(-most)) && at.Before(now.Add(most))
}
