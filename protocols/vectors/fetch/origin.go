package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

// Origin is where files come from: the sources themselves, if it is the zero
// value, or a mirror, which holds them under the names of the list.
type Origin struct {
	base   *url.URL
	folder string
}

// ParseOrigin reads the name of a mirror: a URL with http or https, or a folder.
func ParseOrigin(s string) (Origin, error) {
	scheme, _, isURL := strings.Cut(s, "://")
	switch {
	case s == "":
		return Origin{}, errors.New("want a folder or a URL, found nothing")
	case !isURL:
		return Origin{folder: s}, nil
	case !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"):
		return Origin{}, fmt.Errorf("scheme %q: want http or https, or a folder", scheme)
	}
	u, err := url.Parse(s)
	if err != nil {
		return Origin{}, err
	}
	if u.Host == "" {
		return Origin{}, errors.New("the URL names no host")
	}
	return Origin{base: u}, nil
}

// String names the origin, "" if it is the sources themselves. It does not show a
// password.
func (o Origin) String() string {
	if o.base != nil {
		return o.base.Redacted()
	}
	return o.folder
}

func (o Origin) remote() bool { return o.folder == "" }

// url is where a remote origin has a file.
func (o Origin) url(s vectors.Source, f vectors.File) (*url.URL, error) {
	if o.base == nil {
		return url.Parse(s.URL(f))
	}
	return o.base.JoinPath(f.Name), nil
}

// place names where a file is, for an error.
func (o Origin) place(s vectors.Source, f vectors.File) string {
	if !o.remote() {
		return filepath.Join(o.folder, filepath.FromSlash(f.Name))
	}
	u, err := o.url(s, f)
	if err != nil {
		return s.URL(f)
	}
	return u.Redacted()
}

// open begins to read a file. The error is a *laterError if it may be well to try
// again.
func (o Origin) open(ctx context.Context, client *http.Client, s vectors.Source, f vectors.File) (io.ReadCloser, error) {
	if !o.remote() {
		return regular(o.place(s, f))
	}
	u, err := o.url(s, f)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "mimi-lab (vectors fetch)")
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, errRedirects):
		return nil, errRedirects
	case err != nil:
		return nil, &laterError{err: reason(err)}
	case resp.StatusCode == http.StatusOK:
		return resp.Body, nil
	}
	resp.Body.Close()
	return nil, status(resp)
}

// regular opens a file that is one. Another, such as a pipe, could keep whoever opens it
// waiting without end.
func regular(path string) (io.ReadCloser, error) {
	i, err := os.Stat(path)
	if err != nil {
		return nil, reason(err)
	}
	if !i.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	return file, nil
}

// laterError is an error that may have passed at the next try.
type laterError struct {
	err  error
	wait time.Duration // that was asked for
}

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// status is the error for a response that is not the file. What the server calls
// its code is not repeated: it could play tricks with a terminal.
func status(resp *http.Response) error {
	code := resp.StatusCode
	err := fmt.Errorf("the server answers %d %s", code, http.StatusText(code))
	if code != http.StatusRequestTimeout && code != http.StatusTooManyRequests && code < 500 {
		return err
	}
	// RFC 9110, Section 10.2.3; a date instead of seconds is passed over.
	seconds, _ := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31)
	wait := time.Duration(seconds) * time.Second
	if wait > maxWait {
		return fmt.Errorf("%w and asks to wait %v", err, wait)
	}
	return &laterError{err: err, wait: wait}
}

var errRedirects = fmt.Errorf("more than %d redirects", redirects)

func checkRedirect(_ *http.Request, via []*http.Request) error {
	if len(via) > redirects {
		return errRedirects
	}
	return nil
}

// reason is an error without the place, which its reader knows already.
func reason(err error) error {
	var place *url.Error
	var path *os.PathError
	switch {
	case errors.As(err, &place):
		return place.Err
	case errors.As(err, &path):
		return path.Err
	}
	return err
}
