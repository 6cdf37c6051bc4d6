package check_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// mutant is a provider of this project with one fault: in its configuration, its
// cryptography, between its server and its handler, or on the way to its peers.
type mutant struct {
	name  string
	rule  string   // of the draft that it breaks
	trips []string // the checks of which one has to fail

	config func(*serve.Config)
	suite  func(*faulty)
	// request may change a request, and response the answer to it, with the body that
	// was asked with. They are for one run.
	request  func(*http.Request, []byte) []byte
	response func(r *http.Request, body []byte, w *httptest.ResponseRecorder)
	instead  func(w *world) http.HandlerFunc // takes the place of an endpoint, by its path in at
	at       string
	// way does a request to a peer in another way: it returns what to send to whom, or
	// with a status what is answered and not sent.
	way func(*outgoing)
}

// outgoing is a request to notify on its way to a peer.
type outgoing struct {
	to     string
	list   []mimi.FanoutMessage
	status int // not 0: not sent, and answered with it
	// answered may change what the peer said.
	answered func(status int, h http.Header) int
	// header and host are those of the request; anonymous sends it without a
	// certificate, and tail is put behind its body.
	header    http.Header
	host      string
	anonymous bool
	tail      []byte
}

// faulty is a suite that does not always do what it should.
type faulty struct {
	suite.Suite
	believes string // label of signatures that are not verified
	missigns string // label of signatures by another key
	repeats  string // label of what is encrypted: the first of it, every time
	mu       sync.Mutex
	first    []byte
	other    suite.KeyPair
}

// has reports whether a signed or encrypted message has a label of MLS.
func has(message []byte, label string) bool {
	return label != "" && bytes.Contains(message, []byte("MLS 1.0 "+label))
}

func (f *faulty) Verify(public, message, signature []byte) error {
	if has(message, f.believes) {
		return nil
	}
	return f.Suite.Verify(public, message, signature)
}

func (f *faulty) Sign(private suite.PrivateKey, message []byte) ([]byte, error) {
	if has(message, f.missigns) {
		return f.Suite.Sign(f.other.Private, message)
	}
	return f.Suite.Sign(private, message)
}

func (f *faulty) SealBase(public, info, aad, plaintext []byte) (enc, ciphertext []byte, err error) {
	if has(info, f.repeats) {
		f.mu.Lock()
		if f.first == nil {
			f.first = bytes.Clone(plaintext)
		}
		plaintext = f.first
		f.mu.Unlock()
	}
	return f.Suite.SealBase(public, info, aad, plaintext)
}

// code rewrites a struct in the body of a response.
func code[T any](endpoint mimi.EndpointName, change func(*T)) func(*http.Request, []byte, *httptest.ResponseRecorder) {
	return func(r *http.Request, _ []byte, w *httptest.ResponseRecorder) {
		e, _ := mimi.FindEndpoint(endpoint)
		if w.Code != e.Success[0] || !strings.HasPrefix(r.URL.Path, "/"+string(endpoint)+"/") {
			return
		}
		m := must(e.ParseResponse(w.Body.Bytes(), nil)).(*T)
		change(m)
		w.Body = bytes.NewBuffer(must(mimi.Marshal(m)))
	}
}

// isFor reports whether a request is for an endpoint.
func isFor(r *http.Request, e mimi.EndpointName) bool {
	return strings.HasPrefix(r.URL.Path, "/"+string(e)+"/")
}

// mutants returns them, with what each remembers.
func mutants() []mutant {
	var given *mimi.KeyMaterialResponse
	bodies := map[string]bool{}
	epoch := uint64(0)
	failed := map[string]bool{}
	var mu sync.Mutex // guards the above: each mutant has one or none of them
	return []mutant{
		{
			name: "wrong code for an old epoch", rule: "5.3 wrongEpoch", trips: []string{"update.wrong-epoch"},
			response: code(mimi.EndpointUpdate, func(m *mimi.UpdateRoomResponse) {
				if m.ResponseCode == mimi.UpdateWrongEpoch {
					m.ResponseCode, m.CurrentEpoch = mimi.UpdateNotAllowed, 0
				}
			}),
		}, {
			name: "old epoch in wrongEpoch", rule: "5.3 currentEpoch", trips: []string{"update.wrong-epoch"},
			response: code(mimi.EndpointUpdate, func(m *mimi.UpdateRoomResponse) {
				if m.ResponseCode == mimi.UpdateWrongEpoch {
					m.CurrentEpoch--
				}
			}),
		}, {
			name: "a KeyPackage given twice", rule: "5.2 not provided in any other response", trips: []string{"keyMaterial.once"},
			response: code(mimi.EndpointKeyMaterial, func(m *mimi.KeyMaterialResponse) {
				mu.Lock()
				defer mu.Unlock()
				if m.UserStatus != mimi.UserSuccess || !strings.HasPrefix(string(m.UserURI), "mimi://"+checked) {
					return
				}
				if given == nil {
					given = m
				}
				*m = *given
			}),
		}, {
			name: "KeyPackages of a wrong signature", rule: "5.2 KeyPackage", trips: []string{"keyMaterial.package"},
			response: code(mimi.EndpointKeyMaterial, func(m *mimi.KeyMaterialResponse) {
				for i := range m.Clients {
					if k := m.Clients[i].KeyPackage; k != nil && strings.HasPrefix(string(m.UserURI), "mimi://"+checked) {
						k.Signature[0] ^= 1
					}
				}
			}),
		}, {
			name: "clients beside a refusal", rule: "5.2 MUST NOT populate the clients list", trips: []string{"keyMaterial.refusing"},
			response: code(mimi.EndpointKeyMaterial, func(m *mimi.KeyMaterialResponse) {
				if m.UserStatus == mimi.UserNoConsent {
					m.Clients = []mimi.ClientKeyMaterial{{ClientStatus: mimi.ClientKeyMaterialExhausted, ClientURI: "mimi://a.example/d/rufus/phone"}}
				}
			}),
		}, {
			name: "consent ignored", rule: "8 Consent", trips: []string{"keyMaterial.refusing"},
			config: func(c *serve.Config) { c.Follower.NeedConsent = false },
		}, {
			name: "KeyMaterialRequest not verified", rule: "5.2 key_material_request_signature", trips: []string{"keyMaterial.signature"},
			suite: func(f *faulty) { f.believes = mimi.LabelKeyMaterialRequest },
		}, {
			name: "GroupInfoRequest not verified", rule: "5.6 signature", trips: []string{"groupInfo.unsigned"},
			suite: func(f *faulty) { f.believes = mimi.LabelGroupInfoRequest },
		}, {
			name: "Commits not verified", rule: "4.2 sender authentication", trips: []string{"update.signature"},
			suite: func(f *faulty) { f.believes = "FramedContentTBS" },
		}, {
			name: "old GroupInfo", rule: "5.6 current GroupInfo", trips: []string{"groupInfo.current", "groupInfo.pending"},
			suite: func(f *faulty) { f.repeats = mimi.LabelGroupInfoAndTree },
		}, {
			name: "no frank", rule: "5.4 server_frank", trips: []string{"submitMessage.frank"},
			response: code(mimi.EndpointSubmitMessage, func(m *mimi.SubmitMessageResponse) { m.Frank = nil }),
		}, {
			name: "frank of another key", rule: "5.4.1.2 franking_private_key", trips: []string{"submitMessage.frank-signature"},
			suite: func(f *faulty) { f.missigns = mimi.LabelFrankingIntegrity },
		}, {
			name: "time in seconds", rule: "5.4 milliseconds from the UNIX epoch", trips: []string{"submitMessage.timestamp"},
			response: code(mimi.EndpointSubmitMessage, func(m *mimi.SubmitMessageResponse) { m.AcceptedTimestamp /= 1000 }),
		}, {
			name: "future epochs accepted", rule: "5.4 an MLS epoch more recent than the hub's", trips: []string{"submitMessage.future-epoch"},
			response: func(r *http.Request, body []byte, w *httptest.ResponseRecorder) {
				mu.Lock()
				defer mu.Unlock()
				if m, err := mimi.ParseUpdateRequest(body, nil); err == nil && isFor(r, mimi.EndpointUpdate) && w.Code == 200 {
					if u, err := mimi.ParseUpdateRoomResponse(w.Body.Bytes()); err == nil && u.ResponseCode == mimi.UpdateSuccess {
						epoch = max(epoch, m.Bundle.ProposalOrCommit.Public.Content.Epoch+1)
					}
				}
			},
			request: func(r *http.Request, body []byte) []byte {
				mu.Lock()
				defer mu.Unlock()
				m, err := mimi.ParseSubmitMessageRequest(body)
				if err != nil || !isFor(r, mimi.EndpointSubmitMessage) || epoch == 0 || m.AppMessage.Epoch <= epoch {
					return body
				}
				m.AppMessage.Epoch = epoch
				return must(wire.Marshal(m))
			},
		}, {
			name: "sendingUri not looked at", rule: "5.4 an active participant", trips: []string{"submitMessage.stranger", "submitMessage.other-provider"},
			request: func(r *http.Request, body []byte) []byte {
				m, err := mimi.ParseSubmitMessageRequest(body)
				if err != nil || !isFor(r, mimi.EndpointSubmitMessage) || !strings.HasSuffix(r.Header.Get("From"), peers[0]) {
					return body
				}
				m.SendingURI = mimi.IdentifierURI("mimi://" + peers[0] + "/u/checker")
				return must(wire.Marshal(m))
			},
		}, {
			name: "Welcome to the wrong provider", rule: "5.2 KeyPackageRef, 5.5", trips: []string{"update.welcome", "update.welcome-route"},
			way: func(o *outgoing) {
				if o.list[0].Kind() == mimi.FanoutWelcome && o.to == peers[1] {
					o.to = peers[0]
				}
			},
		}, {
			name: "events out of order", rule: "5.5 an ordered list", trips: []string{"notify.order"},
			way: func(o *outgoing) { slices.Reverse(o.list) },
		}, {
			name: "Commits not fanned out", rule: "5.5 forwards that message to all other providers", trips: []string{"update.commit"},
			way: func(o *outgoing) {
				o.list = slices.DeleteFunc(o.list, func(f mimi.FanoutMessage) bool { return f.Kind() == mimi.FanoutCommit })
				if len(o.list) == 0 {
					o.status = http.StatusCreated
				}
			},
		}, {
			name: "moreProposals dropped", rule: "5.5 moreProposals MUST be the same", trips: []string{"update.more-proposals"},
			way: func(o *outgoing) { o.list[0].MoreProposals = nil },
		}, {
			name: "no retry", rule: "5.5 SHOULD retry", trips: []string{"notify.retry"},
			way: func(o *outgoing) { o.answered = func(int, http.Header) int { return http.StatusCreated } },
		}, {
			name: "Retry-After ignored", rule: "5.5 respecting Retry-After", trips: []string{"notify.retry-after"},
			way: func(o *outgoing) {
				o.answered = func(status int, h http.Header) int {
					h.Del("Retry-After")
					return status
				}
			},
		}, {
			name: "a retry is stamped anew", rule: "5.5 the same request body", trips: []string{"notify.retry-bytes"},
			way: func(o *outgoing) {
				mu.Lock()
				defer mu.Unlock()
				key := string(must(wire.Marshal(&o.list[0].Message)))
				if failed[o.to+key] {
					o.list[0].Timestamp++
				}
				o.answered = func(status int, _ http.Header) int {
					mu.Lock()
					defer mu.Unlock()
					failed[o.to+key] = failed[o.to+key] || status != http.StatusCreated
					return status
				}
			},
		}, {
			name: "events sent twice", rule: "5.5 an ordered list", trips: []string{"notify.once"},
			way: func(o *outgoing) { o.list = append(o.list, o.list[0]) },
		}, {
			name: "duplicates refused", rule: "5.5 MUST return a 201", trips: []string{"notify.duplicate"},
			response: func(r *http.Request, body []byte, w *httptest.ResponseRecorder) {
				mu.Lock()
				defer mu.Unlock()
				if !isFor(r, mimi.EndpointNotify) || w.Code != http.StatusCreated {
					return
				}
				if bodies[string(body)] {
					w.Code = http.StatusConflict
				}
				bodies[string(body)] = true
			},
		}, {
			name: "From not checked", rule: "4.1 From", trips: []string{"transport.from-missing", "transport.from-form", "transport.from-other"},
			request: func(r *http.Request, body []byte) []byte {
				if len(r.TLS.PeerCertificates) > 0 {
					r.Header.Set("From", mimi.From(r.TLS.PeerCertificates[0].DNSNames[0]))
				}
				return body
			},
		}, {
			name: "certificate's domain not checked", rule: "4.1 RFC 6125", trips: []string{"transport.from-other"},
			request: func(r *http.Request, body []byte) []byte {
				from, err := mimi.ParseFrom(r.Header.Get("From"))
				if err == nil && len(r.TLS.PeerCertificates) > 0 {
					state := *r.TLS
					state.PeerCertificates = []*x509.Certificate{newAuthority().issue(from).Leaf}
					r.TLS = &state
				}
				return body
			},
		}, {
			name: "Host not checked", rule: "4.1 Host", trips: []string{"transport.host-other"},
			request: func(r *http.Request, body []byte) []byte {
				r.Host = checked
				return body
			},
		}, {
			name: "an open proxy", rule: "5.10.2 asset server domain", trips: []string{"proxyDownload.unlisted"}, at: "/proxyDownload/",
			instead: openProxy,
		}, {
			name: "malformed body is an error of the server", rule: "5.4 (HTTP 400)", trips: []string{"submitMessage.malformed"},
			response: func(r *http.Request, _ []byte, w *httptest.ResponseRecorder) {
				if isFor(r, mimi.EndpointSubmitMessage) && w.Code == http.StatusBadRequest {
					w.Code = http.StatusInternalServerError
				}
			},
		}, {
			name: "conditions of a query joined by or", rule: "5.8 AND semantics", trips: []string{"identifierQuery.all-match"},
			request: func(r *http.Request, body []byte) []byte {
				m, err := mimi.ParseIdentifierRequest(body)
				if err != nil || !isFor(r, mimi.EndpointIdentifierQuery) || len(m.QueryElements) < 2 {
					return body
				}
				m.QueryElements = m.QueryElements[:1]
				return must(wire.Marshal(m))
			},
		}, {
			name: "unsolicited grants refused", rule: "5.7 does not need to be in response to a request", trips: []string{"updateConsent.grant"},
			response: func(r *http.Request, _ []byte, w *httptest.ResponseRecorder) {
				if isFor(r, mimi.EndpointUpdateConsent) && w.Code == http.StatusCreated {
					w.Code = http.StatusConflict
				}
			},
		}, {
			name: "every update accepted", rule: "5.3 notAllowed, invalidProposal", trips: []string{
				"update.group-info", "update.tree", "update.no-welcome", "update.forged-proposal", "update.unknown-proposal", "update.policy",
			},
			response: code(mimi.EndpointUpdate, func(m *mimi.UpdateRoomResponse) {
				if m.ResponseCode != mimi.UpdateSuccess {
					*m = mimi.UpdateRoomResponse{AcceptedTimestamp: uint64(time.Now().UnixMilli())}
				}
			}),
		}, {
			name: "every message accepted", rule: "5.4 notAllowed", trips: []string{"submitMessage.other-group", "submitMessage.stranger"},
			response: code(mimi.EndpointSubmitMessage, func(m *mimi.SubmitMessageResponse) {
				if m.StatusCode != mimi.SubmitAccepted {
					*m = mimi.SubmitMessageResponse{AcceptedTimestamp: uint64(time.Now().UnixMilli())}
				}
			}),
		}, {
			name: "a frank that nobody asked for", rule: "5.4.1.2 with the frank_aad", trips: []string{"submitMessage.unfranked"},
			response: code(mimi.EndpointSubmitMessage, func(m *mimi.SubmitMessageResponse) {
				if m.StatusCode == mimi.SubmitAccepted && m.Frank == nil {
					m.Frank = &mimi.Frank{FrankingSignatureCiphersuite: 1, FrankingIntegritySignature: make([]byte, 64)}
				}
			}),
		}, {
			name: "GroupInfoResponse badly signed", rule: "5.6 GroupInfoResponseTBS", trips: []string{"groupInfo.signature"},
			suite: func(f *faulty) { f.missigns = mimi.LabelGroupInfoResponse },
		}, {
			name: "every query finds", rule: "5.8 notFound", trips: []string{"identifierQuery.none", "identifierQuery.empty"},
			response: code(mimi.EndpointIdentifierQuery, func(m *mimi.IdentifierResponse) {
				*m = mimi.IdentifierResponse{URI: []mimi.IdentifierURI{"mimi://a.example/u/bob"}}
			}),
		}, {
			name: "the hub keeps key material", rule: "5.2 via the hub", trips: []string{"keyMaterial.via-hub"},
			response: code(mimi.EndpointKeyMaterial, func(m *mimi.KeyMaterialResponse) {
				if strings.HasPrefix(string(m.UserURI), "mimi://"+peers[1]) {
					m.UserStatus, m.Clients = mimi.UserNoCompatibleMaterial, nil
				}
			}),
		}, {
			name: "reports of abuse refused", rule: "5.9", trips: []string{"reportAbuse.accepted"},
			response: func(r *http.Request, _ []byte, w *httptest.ResponseRecorder) {
				if isFor(r, mimi.EndpointReportAbuse) && w.Code == http.StatusCreated {
					w.Code = http.StatusForbidden
				}
			},
		}, {
			name: "no groupInfo in the directory", rule: "5.1 URIs for each type of endpoint", trips: []string{"directory.endpoints"},
			response: func(r *http.Request, _ []byte, w *httptest.ResponseRecorder) {
				if r.URL.Path == mimi.DirectoryPath {
					w.Body = bytes.NewBuffer(bytes.Replace(w.Body.Bytes(), []byte(`"groupInfo"`), []byte(`"group-info"`), 1))
				}
			},
		}, {
			name: "gateway keys of another type", rule: "RFC 9458, 3.2", trips: []string{"oblivious.keys"},
			response: func(r *http.Request, _ []byte, w *httptest.ResponseRecorder) {
				if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "ohttp-gateway") {
					w.Header().Set("Content-Type", "text/plain")
				}
			},
		}, {
			name: "requests without a certificate", rule: "4.1 mutually authenticated", trips: []string{"transport.calls-certificate"},
			way: func(o *outgoing) { o.anonymous = true },
		}, {
			name: "requests of another form of From", rule: "4.1 addr-spec", trips: []string{"transport.calls-from"},
			way: func(o *outgoing) { o.header.Set("From", "<"+mimi.From(checked)+">") },
		}, {
			name: "requests with the own Host", rule: "4.1 Host", trips: []string{"transport.calls-host"},
			way: func(o *outgoing) { o.host = checked },
		}, {
			name: "padded events", rule: "5.5 concatenated FanoutMessage objects", trips: []string{"notify.body"},
			way: func(o *outgoing) { o.tail = []byte{0} },
		},
	}
}

// openProxy downloads whatever it is asked for.
func openProxy(w *world) http.HandlerFunc {
	c := &http.Client{Transport: &http.Transport{DialContext: w.dial, TLSClientConfig: &tls.Config{RootCAs: w.ca.pool}}}
	return func(rw http.ResponseWriter, r *http.Request) {
		_, target, _ := strings.Cut(r.URL.Path, "/proxyDownload/")
		resp, err := c.Get(target)
		if err != nil {
			http.Error(rw, "bad gateway", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		rw.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(rw, resp.Body)
	}
}

// configure puts the fault into the provider's configuration.
func (m *mutant) configure(c *serve.Config) {
	c.Suite = must(suite.NewStd(suite.X25519AES128GCMSHA256Ed25519))
	if m.suite != nil {
		f := &faulty{Suite: c.Suite, other: must(c.Suite.GenerateSigner())}
		m.suite(f)
		c.Suite = f
	}
	if m.config != nil {
		m.config(c)
	}
}

// handler puts the fault between the server and the provider's handler.
func (m *mutant) handler(w *world) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if m.instead != nil && strings.HasPrefix(r.URL.Path, m.at) {
				m.instead(w)(rw, r)
				return
			}
			if m.request == nil && m.response == nil || r.ContentLength > 1<<20 {
				next.ServeHTTP(rw, r)
				return
			}
			body := must(io.ReadAll(r.Body))
			asked := body
			if m.request != nil {
				body = m.request(r, body)
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			if m.response != nil {
				m.response(r, asked, rec)
			}
			maps.Copy(rw.Header(), rec.Header())
			rw.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
			rw.WriteHeader(rec.Code)
			_, _ = rw.Write(rec.Body.Bytes())
		})
	}
}

// stand puts the fault on the way from the provider to its peers: each has a stand-in
// with a certificate for it, which has one of the provider.
func (m *mutant) stand(w *world) {
	if m.way == nil {
		return
	}
	client := func(certs ...tls.Certificate) *http.Client {
		c := &http.Client{Transport: &http.Transport{DialContext: w.dial, TLSClientConfig: &tls.Config{RootCAs: w.ca.pool, Certificates: certs}}}
		w.Cleanup(c.CloseIdleConnections)
		return c
	}
	known, nobody := client(w.ca.issue(checked)), client()
	at := make(map[string]net.Listener)
	for _, peer := range peers {
		s := &http.Server{
			Handler:   http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { m.pass(known, nobody, peer, rw, r) }),
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{w.ca.issue(peer)}, ClientAuth: tls.RequestClientCert},
		}
		l := must(net.Listen("tcp", "127.0.0.1:0"))
		at[peer] = l
		go func() { _ = s.ServeTLS(l, "", "") }()
		w.Cleanup(func() { _ = s.Close() })
	}
	w.way = func(ctx context.Context, host string) (net.Conn, error) {
		l := at[host]
		if l == nil {
			l = w.listeners[host]
		}
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
}

// pass passes a request on.
func (m *mutant) pass(known, nobody *http.Client, peer string, rw http.ResponseWriter, r *http.Request) {
	body := must(io.ReadAll(r.Body))
	o := &outgoing{to: peer, header: r.Header.Clone()}
	if list, err := mimi.ParseFanoutMessages(body, nil); err == nil && isFor(r, mimi.EndpointNotify) {
		o.list = list
		if m.way(o); o.status != 0 {
			rw.WriteHeader(o.status)
			return
		}
		body = append(must(mimi.MarshalFanoutMessages(o.list)), o.tail...)
	}
	q := must(http.NewRequest(r.Method, "https://"+o.to+r.URL.EscapedPath(), bytes.NewReader(body)))
	q.Header, q.Host = o.header, o.host
	client := known
	if o.anonymous {
		client = nobody
	}
	resp, err := client.Do(q)
	if err != nil {
		rw.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	status := resp.StatusCode
	if o.answered != nil {
		status = o.answered(status, resp.Header)
	}
	maps.Copy(rw.Header(), resp.Header)
	rw.WriteHeader(status)
	_, _ = io.Copy(rw, resp.Body)
}
