package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// assets returns the client that fetches assets. It presents no certificate: the asset
// server is not to learn more than that somebody asks.
func (p *peers) assets() *http.Client {
	return &http.Client{CheckRedirect: noRedirect, Transport: &http.Transport{
		DialContext:       p.dial("", !p.cfg.PrivateAssets),
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: p.cfg.Roots},
		ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: 32 << 10,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: p.cfg.Limits.Timeout,
	}}
}

// asset fetches an asset for a peer, if the hub allows it (draft-ietf-mimi-protocol-06,
// Download using a hub proxy). Its length is -1 if nobody knows it. A redirect is no
// asset: it would lead to where the hub was not asked about.
func (p *Provider) asset(ctx context.Context, from, url string) (*http.Response, error) {
	if _, err := p.askHub(ctx, hub.ProxyDownload{From: from, URL: url}); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "download: the URL can't be read")
	}
	resp, err := p.fetcher.Do(r)
	if err != nil {
		p.log.WarnContext(ctx, "download failed", "from", from, "error", withoutURL(err))
		return nil, refuse(http.StatusBadGateway, "download: the asset server can't be reached")
	}
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		err = refuse(resp.StatusCode, "download: no such asset")
	case resp.StatusCode != http.StatusOK:
		err = refuse(http.StatusBadGateway, "download: the asset server says %d, want 200", resp.StatusCode)
	case resp.ContentLength > p.cfg.Limits.Asset:
		err = refuse(http.StatusBadGateway, "download: asset of %d bytes, want at most %d", resp.ContentLength, p.cfg.Limits.Asset)
	default:
		return resp, nil
	}
	_ = resp.Body.Close()
	return nil, err
}

// proxyDownload answers with an asset.
func (p *Provider) proxyDownload(w http.ResponseWriter, r *http.Request, from, url string) error {
	ctx, cancel := context.WithTimeout(r.Context(), p.cfg.Limits.Download)
	defer cancel()
	resp, err := p.asset(ctx, from, url)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	w.Header().Set("Content-Type", mimi.MediaType)
	if resp.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	w.WriteHeader(http.StatusOK)
	n, err := io.Copy(w, io.LimitReader(resp.Body, p.cfg.Limits.Asset+1))
	if err != nil || n > p.cfg.Limits.Asset {
		panic(http.ErrAbortHandler) // so that nobody takes a part for the whole
	}
	return nil
}

// Download fetches an asset through the hub of a room, so that neither the hub nor the
// asset server sees the client's address. What is read of the body is bounded; the
// caller closes it, and until then it counts towards Limits.Calls.
func (c *Client) Download(ctx context.Context, hubDomain, url string) (io.ReadCloser, error) {
	p := c.p
	if _, err := mimi.DownloadURL(url); err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	done, err := c.begin()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Limits.Download)
	context.AfterFunc(ctx, done)
	end := func() { cancel(); done() }
	resp, err := p.download(ctx, hubDomain, url)
	if err != nil {
		end()
		return nil, refusal(err)
	}
	return &bounded{resp.Body, p.cfg.Limits.Asset, end}, nil
}

func (p *Provider) download(ctx context.Context, hubDomain, url string) (*http.Response, error) {
	if hubDomain == p.cfg.Domain {
		return p.asset(ctx, p.cfg.Domain, url)
	}
	peer, err := p.peers.get(hubDomain)
	if err != nil {
		return nil, err
	}
	e, _ := mimi.FindEndpoint(mimi.EndpointProxyDownload)
	at, err := p.url(ctx, peer, e, url)
	if err != nil {
		return nil, err
	}
	resp, err := p.roundTrip(ctx, peer, e.Method, at, "", nil, nil)
	if err == nil && e.Outcome(resp.StatusCode) != mimi.OutcomeDone {
		defer closeBody(resp)
		return nil, failure(resp)
	}
	return resp, err
}

// errAsset: an asset is longer than it may be.
var errAsset = errors.New("serve: the asset is too long")

// bounded is a body of which no more than left bytes are read.
type bounded struct {
	io.ReadCloser
	left int64
	end  func()
}

// Read implements [io.Reader].
func (b *bounded) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	if b.left -= int64(n); b.left < 0 {
		return 0, errAsset
	}
	return n, err
}

// Close implements [io.Closer].
func (b *bounded) Close() error {
	b.end()
	return b.ReadCloser.Close()
}
