package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
	"github.com/mimi-lab/mimi-lab/protocols/egress"
)

// MediaSource is where a partner hosts what its users send: the gatekeeper's media host GETs
// {3p_base_url}/{storage_ref} there (Reference Offer, media).
type MediaSource struct {
	Base  string         // {3p_base_url}, https alone
	Roots *x509.CertPool // who signs its certificate; nil means the system's
	// Private lets the URL lead to addresses that are not public, for one machine.
	Private bool
	// Dial makes connections in place of the network; nil means TCP. Private is not looked
	// at then.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// source is a partner's host. What comes from it is a stranger's.
type source struct {
	base  string
	most  uint64 // bytes of a ciphertext
	stall time.Duration
	http  *http.Client
}

func newSource(cfg MediaSource, l MediaLimits, most uint64) (*source, error) {
	if !httpsBase(cfg.Base) {
		return nil, errors.New("media: base is no https://HOST with a path at most")
	}
	if cfg.Dial == nil {
		d := &net.Dialer{Timeout: l.Stall}
		if !cfg.Private {
			d.Control = egress.PublicOnly
		}
		cfg.Dial = d.DialContext
	}
	tr := &http.Transport{
		DialContext: cfg.Dial, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: cfg.Roots}, TLSHandshakeTimeout: l.Stall,
		ForceAttemptHTTP2: true, DisableCompression: true, ResponseHeaderTimeout: l.Stall, MaxResponseHeaderBytes: 32 << 10,
		MaxConnsPerHost: l.PerPartner, MaxIdleConnsPerHost: l.PerPartner, IdleConnTimeout: time.Minute,
	}
	return &source{strings.TrimSuffix(cfg.Base, "/") + "/", most, l.Stall, &http.Client{
		Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// httpsBase reports whether a partner's URL may have paths below it.
func httpsBase(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// Why a partner's answer is not passed on.
var (
	errSourceMissing  = errors.New("it has no such medium")
	errSourceRange    = errors.New("it has no such range")
	errSourceRedirect = errors.New("it redirects, want the medium itself")
	errSourceStatus   = errors.New("status is none of 200, 206, 404, 410 and 416")
	errSourceLarge    = errors.New("its medium is larger than a medium may be")
	errSourceShape    = errors.New("its medium is not of the length of a ciphertext")
	errSourceRangeLie = errors.New("it answers another range than was asked for")
	errSourceStalled  = errors.New("it sends nothing for too long")
)

// pass fetches a ciphertext and passes it on as it comes. The error is for the log; the client
// was told, unless begun says that the answer had begun: then it must break off.
func (s *source) pass(w http.ResponseWriter, r *http.Request, ref string) (begun bool, err error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	watch := time.AfterFunc(s.stall, func() { cancel(errSourceStalled) })
	defer watch.Stop()
	want := parseRange(r.Header.Get("Range"))
	resp, err := s.get(ctx, r.Method, ref, want)
	var most uint64
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		most, err = s.check(resp, want)
	}
	if err != nil {
		var late net.Error
		if context.Cause(ctx) == errSourceStalled || errors.As(err, &late) && late.Timeout() {
			err = errSourceStalled // to whichever bound
		}
		s.tell(w, err)
		return false, err
	}
	blob.Headers(w.Header())
	w.Header().Set("Accept-Ranges", "bytes")
	if resp.StatusCode == http.StatusPartialContent {
		w.Header().Set("Content-Range", resp.Header.Get("Content-Range"))
	}
	if resp.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	w.WriteHeader(resp.StatusCode)
	if r.Method == http.MethodHead {
		return true, nil
	}
	n, err := io.Copy(w, io.LimitReader(&watched{resp.Body, watch, s.stall}, int64(most)+1))
	switch {
	case context.Cause(ctx) == errSourceStalled:
		err = errSourceStalled
	case err != nil:
	case uint64(n) > most:
		err = errSourceLarge
	case resp.StatusCode == http.StatusPartialContent && uint64(n) != most:
		err = errSourceRangeLie
	}
	return true, err
}

// get asks the partner. It says nothing of who wants the medium.
func (s *source) get(ctx context.Context, method, ref string, want byteRange) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+ref, nil)
	if err != nil {
		return nil, err
	}
	if want.given {
		req.Header.Set("Range", want.String())
	}
	resp, err := s.http.Do(req)
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the reference, which is the key to the medium
	}
	return resp, err
}

// check says whether an answer may be passed on, and how many bytes of it.
func (s *source) check(resp *http.Response, want byteRange) (most uint64, err error) {
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		if n := resp.ContentLength; n >= 0 {
			return s.most, s.fits(uint64(n))
		}
		return s.most, nil
	case code == http.StatusPartialContent:
		from, to, total, ok := parseContentRange(resp.Header.Get("Content-Range"))
		n := to - from + 1
		if !ok || !want.fits(from, to, total) || resp.ContentLength >= 0 && resp.ContentLength != n {
			return 0, errSourceRangeLie
		}
		return uint64(n), s.fits(uint64(total))
	case code == http.StatusNotFound, code == http.StatusGone:
		return 0, errSourceMissing
	case code == http.StatusRequestedRangeNotSatisfiable && want.given:
		return 0, errSourceRange
	case code >= 300 && code < 400:
		return 0, errSourceRedirect
	}
	return 0, errSourceStatus
}

// fits says whether a ciphertext may have n bytes.
func (s *source) fits(n uint64) error {
	switch {
	case n > s.most:
		return errSourceLarge
	case !blob.Shaped(n):
		return errSourceShape
	}
	return nil
}

// tell answers the client why it gets nothing.
func (s *source) tell(w http.ResponseWriter, err error) {
	code := http.StatusBadGateway
	switch {
	case errors.Is(err, errSourceMissing):
		code = http.StatusNotFound
	case errors.Is(err, errSourceRange):
		code = http.StatusRequestedRangeNotSatisfiable
	case errors.Is(err, errSourceStalled):
		code = http.StatusGatewayTimeout
	}
	http.Error(w, "the partner's media host: "+mediaWhy(err), code)
}

// mediaWhy returns what logs and clients are told of an error at a partner's host: one of few
// phrases, as the error itself may quote what a stranger has sent.
func mediaWhy(err error) string {
	for _, known := range []error{
		errSourceMissing, errSourceRange, errSourceRedirect, errSourceStatus, errSourceLarge, errSourceShape, errSourceRangeLie, errSourceStalled,
		egress.ErrPrivate, errRevoked, errUserGone, errTooSlow,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return "its certificate is not good"
	}
	return why(err)
}

// watched is a body whose source must go on sending. Time at which nobody reads is not the
// source's.
type watched struct {
	r     io.Reader
	watch *time.Timer
	stall time.Duration
}

func (b *watched) Read(to []byte) (int, error) {
	b.watch.Reset(b.stall)
	defer b.watch.Stop()
	return b.r.Read(to)
}
