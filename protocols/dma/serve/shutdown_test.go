package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestShutdownWaitsForNobody: clients are told why they have to go, an enlistment that
// came is answered, and neither a partner that takes no pushes nor a stranger who says
// nothing holds the end up.
func TestShutdownWaitsForNobody(t *testing.T) {
	t.Parallel()
	slow := &slowVerifier{make(chan struct{}, 1), make(chan struct{})}
	w := newWorld(t, func(c *Config) {
		c.Signer = newIssuer(t, "unused").signer
		c.Partners[0].Pushes = &Pushes{Base: "https://127.0.0.1:1", Private: true, Again: time.Hour}
		c.Partners[1].Tokens = slow
		c.Limits.HandshakeTimeout = time.Minute
	})
	alice, bob := w.enlist(number, w.own), w.enlist("bob@partner.example", w.partner)
	alice.connect()
	alice.send(bob, "makes a push") // which fails, and would be made again in an hour
	must(t, alice.Settled(w.ctx, false))
	alice.disconnect()
	told := alice.login()
	w.outboxOf(alice)
	silent := w.dial().write('M', 'L')
	answered := make(chan string, 1)
	go func() {
		reason, err := w.postForm("eve", w.other)
		answered <- reason + errorText(err)
	}()
	<-slow.asked
	begin := time.Now()
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.gk.Shutdown(ctx) }()
	told.told("a client", stanza.ServiceUnavailable)
	close(slow.pass)
	if got := <-answered; got != "" {
		t.Errorf("the enlistment that came is answered with %q", got)
	}
	must(t, <-ended)
	silent.hungUp("a stranger")
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := net.DialTimeout("tcp", w.chat, time.Second); err == nil {
		t.Error("connections are taken after the end")
	}
	w.start()
	bob.connect()
	bob.want(alice, "makes a push")
}

// TestShutdownDeadline: an enlistment that takes too long is cut off at the deadline.
func TestShutdownDeadline(t *testing.T) {
	t.Parallel()
	slow := &slowVerifier{make(chan struct{}, 1), make(chan struct{})}
	w := newWorld(t, func(c *Config) { c.Partners[1].Tokens = slow })
	answered := make(chan string, 1)
	go func() {
		reason, err := w.postForm("eve", w.other)
		answered <- reason + errorText(err)
	}()
	<-slow.asked
	ctx, cancel := context.WithTimeout(w.ctx, 50*time.Millisecond)
	defer cancel()
	if err := w.gk.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	if got := <-answered; got == "" {
		t.Error("the enlistment was answered as if it had gone well")
	}
}

func errorText(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// postForm posts a form and returns the reason of its refusal.
func (w *world) postForm(user string, i *issuer) (string, error) {
	f := &enlist.Form{Identifier: user, Token: i.token(user, time.Hour), Version: enlist.Version, SignedPreKeyID: 1}
	body, err := enlist.Names{}.Encode(f)
	if err != nil {
		return "", err
	}
	status, text := 0, ""
	if status, text, err = w.request(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots}}, string(body)); err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return http.StatusText(status), nil
	}
	a, err := enlist.ParseAnswer([]byte(text))
	return string(a.Reason), err
}

// request posts a form by a transport.
func (w *world) request(tr *http.Transport, body string) (int, string, error) {
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Post("https://"+w.https+enlist.Path, enlist.ContentType, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}
