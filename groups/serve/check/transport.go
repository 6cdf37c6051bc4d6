package check

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// checkDirectory is Directory (5.1).
func (r *run) checkDirectory(ctx context.Context) {
	at := "https://" + r.host() + mimi.DirectoryPath
	a := r.send(ctx, r.b.http, r.b.request(http.MethodGet, at, nil))
	if a.err != nil {
		r.fail("transport.server", "%v", a.err)
		r.stopped = "there is no connection to the provider"
		return
	}
	r.holds("transport.server", r.asked.Load(), "the certificate is for %s; a client's was asked for: %t", r.cfg.Domain, r.asked.Load())
	if a.status != http.StatusOK {
		r.fail("directory.document", "%v", a)
		r.stopped = "there is no directory"
		return
	}
	d, err := mimi.ParseDirectory(a.body)
	if err != nil {
		r.fail("directory.document", "%v", err)
		r.stopped = "there is no directory"
		return
	}
	r.pass("directory.document", "%d bytes", len(a.body))
	for _, defect := range d.Defects() {
		if !strings.Contains(defect, "where the section") { // of which the draft has both
			r.warn("directory.document", "%s", defect)
		}
	}
	r.directory = d
	r.checkTemplates(d)
	post := r.send(ctx, r.b.http, r.b.request(http.MethodPost, at, []byte{}))
	r.wrongMethod("directory.method", post)
}

// checkTemplates looks at the entries of the directory.
func (r *run) checkTemplates(d *mimi.Directory) {
	for i := range mimi.Endpoints {
		e := &mimi.Endpoints[i]
		t, err := d.Template(e.Name)
		if err != nil {
			r.fail("directory.endpoints", "%s: %v", e.Name, err)
			continue
		}
		if err := r.ownHost(t); err != nil {
			r.fail("directory.hosts", "%s: %v", e.Name, err)
		}
	}
	r.pass("directory.endpoints", "all ten")
	r.pass("directory.hosts", "%s, or declared", r.cfg.Domain)
}

// wrongMethod is a check of another method than the endpoint's.
func (r *run) wrongMethod(id string, a *answer) {
	switch {
	case a.err == nil && a.status == http.StatusMethodNotAllowed:
		r.pass(id, "%v", a)
	case a.refused():
		r.warn(id, "%v, where HTTP has 405", a)
	default:
		r.fail(id, "%v", a)
	}
}

// refuses is a check of what has to be refused by a status code.
func (r *run) refuses(id string, a *answer) { r.holds(id, a.refused(), "%v", a) }

// cutOff is a check of a request that may also end with the connection.
func (r *run) cutOff(id string, a *answer) {
	r.holds(id, a.err != nil && !a.late || a.refused(), "%v", a)
}

// query is an identifierQuery that nobody should match: it changes nothing, so that it
// can be asked by whomever.
func query() []byte {
	b, err := wire.Marshal(&mimi.IdentifierRequest{QueryElements: []mimi.QueryElement{{SearchType: mimi.SearchNick, SearchValue: "nobody-" + rand.Text()}}})
	if err != nil {
		panic("check: invariant broken, a query can be written: " + err.Error())
	}
	return b
}

// checkTransport is Transport layer (4.1): who is let in.
func (r *run) checkTransport(ctx context.Context) {
	ask := func(change ...func(*request)) *answer {
		return r.b.ask(ctx, mimi.EndpointIdentifierQuery, r.cfg.Domain, query(), change...)
	}
	by := func(cert *tls.Certificate, change ...func(*request)) *answer {
		c := r.client(cert)
		defer c.CloseIdleConnections()
		u, err := r.url(mimi.EndpointIdentifierQuery, r.cfg.Domain)
		if err != nil {
			return &answer{err: err}
		}
		return r.send(ctx, c, r.b.request(http.MethodPost, u, query()))
	}
	from := func(s string) func(*request) {
		return func(q *request) {
			if q.header.Del("From"); s != "" {
				q.header.Set("From", s)
			}
		}
	}
	host := func(s string) func(*request) { return func(q *request) { q.host = s } }

	right := ask()
	if right.err != nil || right.status == 401 || right.status == 403 || right.status == 421 || right.status >= 500 {
		r.fail("transport.peer", "%v", right)
		r.stopped = "the provider does not take " + r.b.domain + " for a peer"
		return
	}
	r.pass("transport.peer", "%v", right)
	r.pathUnknown(ctx)
	if !right.accepted() {
		r.skip("the request is refused in any case", of("transport")...)
		return
	}
	r.cutOff("transport.no-certificate", by(nil))
	untrusted, err := selfSigned(r.b.domain)
	if err != nil {
		r.skip(err.Error(), "transport.untrusted")
	} else {
		r.cutOff("transport.untrusted", by(untrusted))
	}
	r.refuses("transport.from-missing", ask(from("")))
	for _, f := range []string{r.b.domain, "hub@" + r.b.domain, "MIMI <mimi@" + r.b.domain + ">", "mimi@"} {
		r.refuses("transport.from-form", ask(from(f)))
	}
	others := []string{"checker.invalid", r.cfg.Domain}
	if r.c != nil {
		others[0] = r.c.domain
	}
	for _, o := range others {
		r.refuses("transport.from-other", ask(from(mimi.From(o))))
	}
	r.refuses("transport.host-other", ask(host(r.b.domain)))
	port := ask(host(net.JoinHostPort(r.cfg.Domain, "4443")))
	r.holds("transport.host-port", port.accepted(), "%v", port)
}

// pathUnknown asks for what is in no directory.
func (r *run) pathUnknown(ctx context.Context) {
	q := r.b.request(http.MethodPost, "https://"+r.host()+"/no-such-endpoint/"+rand.Text(), query())
	a := r.send(ctx, r.b.http, q)
	switch {
	case a.err == nil && a.status == http.StatusNotFound:
		r.pass("transport.unknown-path", "%v", a)
	case a.refused():
		r.warn("transport.unknown-path", "%v, where HTTP has 404", a)
	default:
		r.fail("transport.unknown-path", "%v", a)
	}
}

// selfSigned returns a certificate that no authority has signed.
func selfSigned(domain string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{domain}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
