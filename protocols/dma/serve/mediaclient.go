package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/media"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// mediaHTTP returns a client for a media host, which leads to no other one.
func mediaHTTP(roots *x509.CertPool, dial func(context.Context, string, string) (net.Conn, error), stall time.Duration) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}, TLSHandshakeTimeout: stall,
			ForceAttemptHTTP2: true, DisableCompression: true, ResponseHeaderTimeout: stall, MaxResponseHeaderBytes: 32 << 10, IdleConnTimeout: time.Minute,
		},
	}
}

// mediaLink is what a device knows of the gatekeeper's media host.
type mediaLink struct {
	http *http.Client

	mu     sync.Mutex // guards what follows
	conn   *stanza.MediaConn
	until  time.Time     // when conn is good no longer
	why    string        // why there is none
	asking bool          // for it
	told   chan struct{} // closed when there is an answer
}

// answered takes what the machine tells about media.
func (l *mediaLink) answered(e dma.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case dma.MediaAllowed:
		l.conn, l.why = e.Media, ""
		// One that ends while a transfer begins is of no use.
		l.until = time.Now().Add(time.Duration(min(e.Media.TTL, e.Media.AuthTTL)) * time.Second * 9 / 10)
	case dma.MediaRefused:
		l.conn, l.why = nil, e.Reason
	default:
		return
	}
	l.asking = false
	if l.told != nil {
		close(l.told)
		l.told = nil
	}
}

// refresh lets nobody use a connection that the host has refused.
func (l *mediaLink) refresh(refused *stanza.MediaConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == refused {
		l.conn = nil
	}
}

// mediaConn returns where media are hosted and the token, and asks the gatekeeper if need be,
// which takes until the device is connected.
func (d *Device) mediaConn(ctx context.Context) (*stanza.MediaConn, error) {
	l := d.media
	l.mu.Lock()
	if l.conn != nil && time.Now().Before(l.until) {
		defer l.mu.Unlock()
		return l.conn, nil
	}
	l.conn, l.why = nil, ""
	if l.told == nil {
		l.told = make(chan struct{})
	}
	told, ask := l.told, !l.asking
	l.asking = true
	l.mu.Unlock()
	if ask {
		if _, err := d.Do(ctx, dma.AskMedia{}); err != nil {
			l.mu.Lock()
			l.asking = false
			l.mu.Unlock()
			return nil, err
		}
	}
	select {
	case <-told:
	case <-ctx.Done():
		return nil, fmt.Errorf("serve: media: where media are hosted: %w", context.Cause(ctx))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil, fmt.Errorf("%w: the gatekeeper hosts none: %s", ErrMediaRefused, l.why)
	}
	return l.conn, nil
}

// refusal is an answer of a host that is not the one that was asked for.
func refusal(resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 256))
	text := strings.ToValidUTF8(strings.TrimSpace(string(b)), "?")
	if resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
		return fmt.Errorf("%w: status %d: %.200q", ErrMediaRefused, resp.StatusCode, text)
	}
	return fmt.Errorf("serve: media: the host failed: status %d: %.200q", resp.StatusCode, text)
}

// upload has the gatekeeper host a ciphertext of a native user.
func (d *Device) upload(ctx context.Context, f io.ReadSeeker, kind dma.ContentKind, ref *dma.MediaRef, progress Progress) (media.Path, error) {
	hash := base64.URLEncoding.EncodeToString(ref.SHA256[:])
	for try := 1; ; try++ {
		conn, err := d.mediaConn(ctx)
		if err != nil {
			return media.Path{}, err
		}
		u := url.URL{
			Scheme: "https", Host: conn.Hosts[0], Path: "/mms/" + mmsKind(kind) + "/" + hash,
			RawQuery: url.Values{"auth": {conn.Auth}, "token": {hash}}.Encode(),
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return media.Path{}, fmt.Errorf("serve: media: %w", err)
		}
		var a mmsAnswer
		status, err := postMedia(ctx, d.media.http, u.String(), &counted{f, 0, ref.Size, progress}, int64(ref.Size), nil, http.StatusOK, &a)
		if status == http.StatusUnauthorized && try == 1 { // the gatekeeper was started anew
			d.media.refresh(conn)
			continue
		}
		if err != nil {
			return media.Path{}, err
		}
		return media.ParsePath(a.DirectPath)
	}
}

// postMedia uploads a body and reads an answer in JSON. Errors do not have the URL, which has
// a token.
func postMedia(ctx context.Context, c *http.Client, to string, body io.Reader, size int64, authorize func(*http.Request) error, want int, into any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, io.NopCloser(body))
	if err != nil {
		return 0, fmt.Errorf("serve: media: %w", err)
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	if authorize != nil {
		if err := authorize(req); err != nil {
			return 0, fmt.Errorf("serve: media: %w", err)
		}
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, fmt.Errorf("serve: media: uploading: %w", bare(err))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != want {
		return resp.StatusCode, refusal(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 4<<10)).Decode(into); err != nil {
		return resp.StatusCode, fmt.Errorf("serve: media: the host's answer: %w", err)
	}
	return resp.StatusCode, nil
}

// bare is an error of an HTTP client without the URL, in which tokens and references are.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// download gets a ciphertext from the gatekeeper's media host. What has come is not asked for
// again.
func (d *Device) download(ctx context.Context, f *os.File, path media.Path, size uint64, progress Progress) error {
	wait, renewed := d.cfg.Media.Again, false
	var have uint64
	for try := 1; ; {
		conn, err := d.mediaConn(ctx)
		if err != nil {
			return err
		}
		status, err := d.get(ctx, conn, f, path, &have, size, progress)
		switch {
		case err == nil:
			return nil
		case status == http.StatusUnauthorized && !renewed:
			renewed = true
			d.media.refresh(conn)
			continue
		case ctx.Err() != nil, errors.Is(err, ErrMediaRefused), errors.Is(err, media.ErrSize), try >= d.cfg.Media.Tries:
			return err
		}
		d.log.Info("a download goes on later", "have", have, "of", size, "error", err)
		try++
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(d.spread(wait)):
		}
		wait *= 2
	}
}

// get gets what is missing of a ciphertext.
func (d *Device) get(ctx context.Context, conn *stanza.MediaConn, f *os.File, path media.Path, have *uint64, size uint64, progress Progress) (status int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(d.cfg.Media.Stall, func() { cancel(errSourceStalled) })
	defer watch.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+conn.Hosts[0]+path.String(), nil)
	if err != nil {
		return 0, fmt.Errorf("serve: media: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+conn.Auth)
	if *have > 0 {
		req.Header.Set("Range", byteRange{given: true, from: int64(*have), to: -1}.String())
	}
	resp, err := d.media.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("serve: media: downloading: %w", bare(err))
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
		*have = 0 // whatever was asked for
	case http.StatusPartialContent:
		if from, _, total, ok := parseContentRange(resp.Header.Get("Content-Range")); !ok || uint64(from) != *have || uint64(total) != size {
			return resp.StatusCode, fmt.Errorf("serve: media: %w", errSourceRangeLie)
		}
	default:
		return resp.StatusCode, refusal(resp)
	}
	if _, err := f.Seek(int64(*have), io.SeekStart); err != nil {
		return resp.StatusCode, fmt.Errorf("serve: media: %w", err)
	}
	body := &counted{&watched{resp.Body, watch, d.cfg.Media.Stall}, *have, size, progress}
	n, err := io.Copy(f, io.LimitReader(body, int64(size-*have)+1))
	*have += uint64(n)
	switch {
	case *have > size:
		return resp.StatusCode, fmt.Errorf("%w: more than %d bytes", media.ErrSize, size)
	case err != nil:
		return resp.StatusCode, fmt.Errorf("serve: media: downloading: %w", err)
	case *have < size && resp.StatusCode == http.StatusOK && resp.ContentLength >= 0:
		return resp.StatusCode, fmt.Errorf("%w: %d bytes, want %d", media.ErrSize, *have, size)
	case *have < size:
		return resp.StatusCode, fmt.Errorf("serve: media: downloading: %w", io.ErrUnexpectedEOF)
	}
	return resp.StatusCode, nil
}

// PartnerMediaClient is a partner's user's device at the partner's media host, which is a
// [PartnerMedia].
type PartnerMediaClient struct {
	Base  string         // {3p_base_url}
	Roots *x509.CertPool // who signs its certificate; nil means the system's
	// Authorize puts into a request what proves whose it is.
	Authorize func(*http.Request) error
	Dial      func(ctx context.Context, network, address string) (net.Conn, error) // nil means TCP
}

// Put has a ciphertext hosted, and returns its storage_ref.
func (c *PartnerMediaClient) Put(ctx context.Context, body io.Reader, size int64) (ref string, err error) {
	client := mediaHTTP(c.Roots, c.Dial, time.Minute)
	defer client.CloseIdleConnections()
	var up uploaded
	if _, err := postMedia(ctx, client, strings.TrimSuffix(c.Base, "/")+"/", body, size, c.Authorize, http.StatusCreated, &up); err != nil {
		return "", err
	}
	return up.Ref, nil
}
