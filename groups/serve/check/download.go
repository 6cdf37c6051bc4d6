package check

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/bhttp"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/ohttp"
)

// trap is a URL at a provider that the checker plays, which holds no assets and sees
// whether somebody asks.
func (r *run) trap() (string, *peer) {
	p := r.b
	if r.c != nil {
		p = r.c
	}
	return "https://" + p.domain + "/no-asset/" + token(), p
}

// asked returns how often a peer was asked for what is no endpoint.
func (p *peer) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.probed
}

// checkDownload is Download using a hub proxy (5.10.2).
func (r *run) checkDownload(ctx context.Context) {
	ask := func(u string) *answer { return r.b.ask(ctx, mimi.EndpointProxyDownload, u, nil) }
	if r.cfg.Asset == "" {
		r.skip("no asset was given", "proxyDownload.asset")
	} else {
		a := ask(r.cfg.Asset)
		r.holds("proxyDownload.asset", a.err == nil && a.status == http.StatusOK && len(a.body) > 0, "%v, %d bytes", a, len(a.body))
		if a.refused() {
			r.skip("an asset is refused in any case", of("proxyDownload", "proxyDownload.method", "proxyDownload.path")...)
			return
		}
		if a.accepted() {
			r.asset = a.body
		}
	}
	at, p := r.trap()
	before := p.asked()
	a := ask(at)
	n := p.asked() - before
	r.holds("proxyDownload.unlisted", a.refused() && n == 0, "%v; %s was asked %d times", a, p.domain, n)
	r.refuses("proxyDownload.scheme", ask("http://"+p.domain+"/asset"))
	r.refuses("proxyDownload.address", ask("https://127.0.0.1/asset"))
	r.refuses("proxyDownload.address", ask("https://[::1]/asset"))
	r.refuses("proxyDownload.user", ask("https://user:password@"+p.domain+"/asset"))
	r.refuses("proxyDownload.nonsense", ask("asset"))
}

// gatewayPath is where a gateway is by RFC 9540, Section 4. The draft says nothing of
// the place (deviation 41 of protocols/mimi).
const gatewayPath = "/.well-known/ohttp-gateway"

// checkOblivious is Download using Oblivious HTTP (5.10.3), with the checker as the
// relay.
func (r *run) checkOblivious(ctx context.Context) {
	at := "https://" + r.host() + gatewayPath
	a := r.send(ctx, r.b.http, r.b.request(http.MethodGet, at, nil))
	if a.refused() {
		r.warn("oblivious.keys", "%v: where else the gateway may be, the draft does not say", a)
		r.skip("there is no gateway", of("oblivious", "oblivious.keys")...)
		return
	}
	if a.err != nil || a.status != http.StatusOK {
		r.fail("oblivious.keys", "%v", a)
		r.skip("there are no keys", of("oblivious", "oblivious.keys")...)
		return
	}
	configs, err := ohttp.ParseKeys(a.body)
	if err != nil {
		r.fail("oblivious.keys", "%v", err)
		r.skip("there are no keys", of("oblivious", "oblivious.keys")...)
		return
	}
	if t := a.header.Get("Content-Type"); !strings.EqualFold(t, ohttp.MediaTypeKeys) {
		r.fail("oblivious.keys", "Content-Type %q", t)
	}
	r.pass("oblivious.keys", "%d configurations", len(configs))
	var config *ohttp.KeyConfig
	for _, c := range configs {
		if c.Fits(r.suite.ID()) {
			config = c
		}
	}
	if config == nil {
		r.skip("no key is for algorithms that the checker has", of("oblivious", "oblivious.keys")...)
		return
	}
	r.gateway(ctx, at, config)
}

// gateway asks the gateway for things.
func (r *run) gateway(ctx context.Context, at string, config *ohttp.KeyConfig) {
	send := func(body []byte, mediaType string) *answer {
		q := r.b.request(http.MethodPost, at, body)
		q.header.Set("Content-Type", mediaType)
		return r.send(ctx, r.b.http, q)
	}
	get := func(asset string) (int, []byte, string) {
		u, err := url.Parse(asset)
		if err != nil {
			return 0, nil, err.Error() + "; "
		}
		plain, err := (&bhttp.Request{Method: http.MethodGet, Scheme: u.Scheme, Authority: u.Host, Path: u.RequestURI()}).Marshal()
		if err != nil {
			return 0, nil, err.Error() + "; "
		}
		sealed, q, err := ohttp.Encapsulate(r.suite, config, plain)
		if err != nil {
			return 0, nil, err.Error() + "; "
		}
		a := send(sealed, ohttp.MediaTypeRequest)
		if !a.accepted() {
			return 0, nil, a.String() + "; "
		}
		plain, err = q.Open(a.body)
		if err != nil {
			return 0, nil, err.Error() + "; "
		}
		resp, err := bhttp.ParseResponse(plain)
		if err != nil {
			return 0, nil, err.Error() + "; "
		}
		return resp.Status, resp.Content, ""
	}

	r.refuses("oblivious.garbage", send([]byte("no encapsulated request"), ohttp.MediaTypeRequest))
	r.refuses("oblivious.media-type", send([]byte("no encapsulated request"), "text/plain"))
	trap, p := r.trap()
	before := p.asked()
	status, _, trouble := get(trap)
	n := p.asked() - before
	r.holds("oblivious.unlisted", 400 <= status && status < 600 && n == 0, "%sstatus %d, encapsulated; %s was asked %d times", trouble, status, p.domain, n)
	if r.cfg.Asset == "" {
		r.skip("no asset was given", "oblivious.asset")
		return
	}
	status, content, trouble := get(r.cfg.Asset)
	ok := status == http.StatusOK && len(content) > 0 && (r.asset == nil || bytes.Equal(content, r.asset))
	r.holds("oblivious.asset", ok, "%sstatus %d, encapsulated, %d bytes", trouble, status, len(content))
}
