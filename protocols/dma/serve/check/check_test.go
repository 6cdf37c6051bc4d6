package check_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/check"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/check/own"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// world is what a check of a partner of this project's needs.
func world(t *testing.T, set func(*own.Config)) (check.Config, *own.Partner) {
	t.Helper()
	now := time.Now()
	a, err := localca.New("test", now.Add(-time.Hour), now.Add(time.Hour))
	must(t, err)
	issue := func() tls.Certificate {
		c, err := a.Issue(localca.Leaf{Name: "x", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Starts: now.Add(-time.Hour), Ends: now.Add(time.Hour)})
		must(t, err)
		return c
	}
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	must(t, err)
	static, err := s.GenerateKeyPair()
	must(t, err)
	gk := check.Gatekeeper{
		Audience: "https://gatekeeper.example", Certificate: issue(), Roots: a.Pool(), Static: static, HTTPS: listen(t), Chat: listen(t),
	}
	theirs := own.Config{Certificate: issue(), Roots: a.Pool(), Adapter: sized.Adapter{}, Suite: s, Gatekeeper: gk}
	if set != nil {
		set(&theirs)
	}
	p, err := own.Start(t.Context(), theirs)
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	cfg := check.Config{
		Gatekeeper: gk, Adapter: sized.Adapter{}, Suite: s, Wait: 5 * time.Second, Timeout: 4 * time.Second, KeepAlive: 5 * time.Second,
	}
	p.Has(&cfg)
	return cfg, p
}

// TestOwn: this project's own implementation passes everything.
func TestOwn(t *testing.T) {
	t.Parallel()
	cfg, _ := world(t, nil)
	cfg.Wait, cfg.Timeout, cfg.KeepAlive = time.Minute, 30*time.Second, time.Minute
	r, err := check.Partner(context.Background(), cfg)
	must(t, err)
	for _, c := range r.Checks {
		if c.Verdict != verdict.Pass {
			t.Errorf("%s: %s: %s", c.ID, c.Verdict, c.Seen)
		}
	}
	if r.Pass != len(check.PartnerChecks()) {
		t.Errorf("%+v of %d", r.Tally, len(check.PartnerChecks()))
	}
}
