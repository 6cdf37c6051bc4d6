package check

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
)

// The versions of HTTP that a partner's server speaks (Reference Offer).
const (
	http1 = "HTTP/1.1"
	http2 = "HTTP/2.0"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = token.MaxDocument + 1

// request asks the partner's server over one version of HTTP.
func (r *run) request(ctx context.Context, protocol, method, path string, body []byte, set func(http.Header)) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.cfg.Base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if set != nil {
		set(req.Header)
	}
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: r.cfg.Roots}, DialContext: r.dial(), Protocols: new(http.Protocols),
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 32 << 10,
	}
	tr.Protocols.SetHTTP1(protocol == http1)
	tr.Protocols.SetHTTP2(protocol == http2)
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Proto != protocol {
		return resp.StatusCode, nil, fmt.Errorf("the answer is in %s, want %s", resp.Proto, protocol)
	}
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, answer, err
}

// keys fetches the partner's keys over one version of HTTP.
func (r *run) keys(ctx context.Context, protocol string) (*token.Keys, error) {
	status, body, err := r.request(ctx, protocol, http.MethodGet, token.WellKnown, nil, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("status %d, want 200", status)
	}
	return token.ParseKeys(body)
}

// identities checks the keys, and that a user is enlisted.
func (r *run) identities(ctx context.Context) string {
	var wrong error
	good := false
	for _, v := range []struct{ id, protocol string }{{"identity.http1", http1}, {"identity.http2", http2}} {
		keys, err := r.keys(ctx, v.protocol)
		if err != nil {
			r.fail(v.id, "%v", err)
			wrong = err
			continue
		}
		good = true
		r.pass(v.id, "%d keys", len(keys.IDs()))
		r.pass("identity.keys", "%s", strings.Join(keys.IDs(), ", "))
	}
	if !good {
		r.fail("identity.keys", "%v", wrong)
	}
	g := &r.cfg.Gatekeeper
	r.cfg.Ask(Ask{Step: Enlist, Number: r.cfg.Numbers[0], Text: fmt.Sprintf(
		"enlist a user with a form to https://%s%s, and connect the device to %s, whose static key is %x", g.HTTPS.Addr(), enlist.Path, g.Chat.Addr(), g.Static.Public)})
	// One whose form was refused may try again, but is not waited for as long.
	some := r.await(ctx, r.cfg.Wait, func(s *seen) bool { return s.enlisted+s.rejected > 0 })
	if some && !r.await(ctx, r.cfg.Timeout, func(s *seen) bool { return s.enlisted > 0 }) {
		r.unseen("no form was good", "identity.enlisted")
		return "the user is not enlisted"
	}
	if !some {
		return fmt.Sprintf("not seen in %v: a form", r.cfg.Wait)
	}
	return ""
}

// connection checks the chat channel.
func (r *run) connection(ctx context.Context) string {
	some := r.await(ctx, r.cfg.Wait, func(s *seen) bool { return s.connected+s.refused > 0 })
	if !some || !r.await(ctx, r.cfg.Timeout, func(s *seen) bool { return s.up > 0 }) {
		if some {
			return "the device was not let in"
		}
		return fmt.Sprintf("not seen in %v: a connection to the chat channel", r.cfg.Wait)
	}
	ok := r.await(ctx, r.cfg.Timeout, func(s *seen) bool { return s.uploads > 0 })
	r.holds("chat.prekeys", ok, "they came", fmt.Sprintf("none in %v", r.cfg.Timeout))
	ok = r.await(ctx, r.cfg.KeepAlive, func(s *seen) bool { return s.keepalives > 0 })
	r.holds("chat.keepalive", ok, "it came", fmt.Sprintf("none in %v", r.cfg.KeepAlive))
	var before int
	r.note(func(s *seen) { before = s.connected })
	r.chat.cut()
	begun := time.Now()
	if !r.await(ctx, r.cfg.Timeout, func(s *seen) bool { return s.connected > before }) {
		r.fail("chat.resume", "no connection in %v", r.cfg.Timeout)
		r.cfg.Ask(Ask{Step: Return, Text: "connect the device again"})
		if !r.await(ctx, r.cfg.Wait, func(s *seen) bool { return s.connected > before }) {
			return "the device did not connect again"
		}
		return ""
	}
	r.pass("chat.resume", "after %.1f s", time.Since(begun).Seconds())
	return ""
}
