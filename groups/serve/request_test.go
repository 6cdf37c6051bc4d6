package serve

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// This file makes requests of peers, and gives them to a provider's handler without a
// connection.

// peerRequest is a request as a peer's connection brings it: with the certificate of a
// domain that TLS has verified.
func peerRequest(cert *x509.Certificate, method, path string, body []byte) *http.Request {
	r := httptest.NewRequest("POST", "https://a.example/", bytes.NewReader(body))
	r.Method = method
	if u, err := r.URL.Parse(path); err == nil {
		r.URL = u
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
	return r
}

// pathOf returns the path of an endpoint for a value of its variable.
func pathOf(name mimi.EndpointName, value string) string {
	e, _ := mimi.FindEndpoint(name)
	return e.Path[:strings.IndexByte(e.Path, '{')] + mimi.Escape(value)
}

// ask makes a request of a peer to a provider.
func (w *world) ask(to, from string, name mimi.EndpointName, value string, body wire.Marshaler) *httptest.ResponseRecorder {
	w.Helper()
	return w.askBytes(to, from, name, value, must(wire.Marshal(body)))
}

func (w *world) askBytes(to, from string, name mimi.EndpointName, value string, body []byte) *httptest.ResponseRecorder {
	w.Helper()
	e, _ := mimi.FindEndpoint(name)
	r := peerRequest(w.certificate(from), e.Method, pathOf(name, value), body)
	r.Host = to
	r.Header.Set("From", mimi.From(from))
	rec := httptest.NewRecorder()
	w.providers[to].handler.ServeHTTP(rec, r)
	return rec
}

// certificate returns one of a domain.
func (w *world) certificate(domain string) *x509.Certificate {
	if w.certs[domain] == nil {
		if w.certs == nil {
			w.certs = make(map[string]*x509.Certificate)
		}
		w.certs[domain] = w.ca.issue(domain).Leaf
	}
	return w.certs[domain]
}

// asking returns a request for key material of a user, signed, for a room or none.
func (d *device) asking(user ident.URI, room mimi.IdentifierURI, change func(*mimi.KeyMaterialRequest)) *mimi.KeyMaterialRequest {
	req := &mimi.KeyMaterialRequest{
		RequestingUser: mimi.URI(d.user), TargetUser: mimi.URI(user), RoomID: room,
		AcceptableCiphersuites: []suite.ID{suiteID}, RequesterSignatureKey: d.id.Signer.Public, RequesterCredential: d.id.Credential,
	}
	if change != nil {
		change(req)
	}
	d.w.check(req.Sign(d.cfg.Suite, d.id.Signer.Private))
	return req
}

// joining returns a request for the GroupInfo of a room, and the key that opens the
// answer.
func (d *device) joining(change func(*mimi.GroupInfoRequest)) (*mimi.GroupInfoRequest, suite.KeyPair) {
	pair := must(d.cfg.Suite.GenerateKeyPair())
	req := &mimi.GroupInfoRequest{
		CipherSuite: suiteID, RequestingSignatureKey: d.id.Signer.Public, RequestingCredential: d.id.Credential, GroupInfoPublicKey: pair.Public,
	}
	if change != nil {
		change(req)
	}
	d.w.check(req.Sign(d.cfg.Suite, d.id.Signer.Private))
	return req, pair
}

// proposing returns an update with a proposal.
func (d *device) proposing(p message.Proposal) *mimi.UpdateRequest {
	req := new(mimi.UpdateRequest)
	req.Bundle.ProposalOrCommit = *must(message.Parse(must(d.group.Propose(time.Now(), p, mls.SendOptions{})), nil))
	return req
}

// committing returns an update with a Commit of what waits and of proposals. The device
// stays in its epoch.
func (d *device) committing(list ...message.Proposal) *mimi.UpdateRequest {
	p := must(d.group.Commit(time.Now(), mls.CommitOptions{
		Proposals: list, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true},
	}))
	b := mimi.HandshakeBundle{
		ProposalOrCommit:  *must(message.Parse(p.Message, nil)),
		RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeFull, RatchetTree: must(p.Tree().Marshal())},
	}
	b.GroupInfoOption.Full = p.GroupInfo
	if p.Welcome != nil {
		b.Welcome = must(message.Parse(p.Welcome, nil)).Welcome
	}
	return &mimi.UpdateRequest{Bundle: b}
}

// entering returns an update that joins from outside, and the group it makes.
func (d *device) entering(info *mimi.GroupInfoRatchetTreeTBE) (*mls.ExternalCommit, *mimi.UpdateRequest) {
	ext := must(mls.JoinExternal(d.cfg, time.Now(), d.id, &info.GroupInfo, mls.ExternalOptions{
		RatchetTree: info.RatchetTreeOption.RatchetTree, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true},
	}))
	b := mimi.HandshakeBundle{
		ProposalOrCommit:  *must(message.Parse(ext.Message, nil)),
		RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeDistributionService},
	}
	b.GroupInfoOption.Partial = &mimi.PartialGroupInfo{GroupInfoExtensions: ext.GroupInfo.Extensions, Signature: ext.GroupInfo.Signature}
	return ext, &mimi.UpdateRequest{Bundle: b}
}
