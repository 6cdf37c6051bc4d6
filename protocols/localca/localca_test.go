package localca

import (
	"crypto/x509"
	"net"
	"net/url"
	"testing"
	"time"
)

// TestIssue: what is issued is good for what it was made for, to those who trust the
// authority, in its time, and for nothing else.
func TestIssue(t *testing.T) {
	t.Parallel()
	starts := time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)
	ends := starts.Add(time.Hour)
	made, err := New("test", starts, ends)
	if err != nil {
		t.Fatal(err)
	}
	kept := made.Certificate()
	a, err := Of(&kept)
	if err != nil {
		t.Fatal(err)
	}
	other, err := New("other", starts, ends)
	if err != nil {
		t.Fatal(err)
	}
	client := &url.URL{Scheme: "mimi", Host: "a.example", Path: "/d/alice/A1"}
	for _, tt := range []struct {
		name           string
		leaf           Leaf
		server, client bool
	}{
		{"provider", Leaf{DNS: []string{"a.example"}}, true, true},
		{"address", Leaf{IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}, true, false},
		{"client", Leaf{URIs: []*url.URL{client}}, false, true},
	} {
		tt.leaf.Name, tt.leaf.Starts, tt.leaf.Ends = tt.name, starts, ends
		c, err := a.Issue(tt.leaf)
		if err != nil {
			t.Fatal(err)
		}
		good := func(roots *x509.CertPool, at time.Time, usage x509.ExtKeyUsage) bool {
			_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}})
			return err == nil
		}
		if s, cl := good(made.Pool(), starts, x509.ExtKeyUsageServerAuth), good(made.Pool(), ends, x509.ExtKeyUsageClientAuth); s != tt.server || cl != tt.client {
			t.Errorf("%s: good for a server %v, for a client %v, want %v and %v", tt.name, s, cl, tt.server, tt.client)
		}
		usage := c.Leaf.ExtKeyUsage[0]
		if good(other.Pool(), starts, usage) || good(made.Pool(), ends.Add(time.Second), usage) {
			t.Errorf("%s: good for those who trust another, or after its end", tt.name)
		}
		if _, err := Of(&c); err == nil {
			t.Errorf("%s: taken for an authority", tt.name)
		}
	}
}
