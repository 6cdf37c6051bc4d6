package serve

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/media"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// Media is a gatekeeper's media host, which ServeHTTPS serves:
//
//	POST      /mms/{kind}/{hash}?auth=                            takes a native user's ciphertext (read in clients)
//	GET, HEAD /v/t{file_reference}                                that ciphertext (Reference Offer)
//	GET, HEAD /interop/whatsapp/download/{integrator}/{storage_ref}/  what a partner hosts (Reference Offer)
//
// It sees ciphertext alone. Who asks shows the token of a media connection (dma.MediaHosts),
// in the query's auth or as a bearer: for uploads that is read in clients, for downloads
// assumed.
type Media struct {
	Store *blob.Store // of what native users send; it is left open
	// Hosts is where clients find ServeHTTPS: names or addresses, with the port unless it is
	// 443. At least one.
	Hosts []string
	// Lifetime is that of a client's token; default dma.DefaultMediaLifetime. Assumed.
	Lifetime time.Duration
	// Anonymous lets whoever knows a file_reference have its ciphertext, without a token, as
	// public clients do it at WhatsApp's own service. The end of a partner's agreement does not
	// end its users' downloads then.
	Anonymous bool
	Limits    MediaLimits
}

// completeMedia checks what the configuration says of media, and has the machine tell clients.
func (c *Config) completeMedia() error {
	m := c.Media
	if m == nil {
		for _, p := range c.Partners {
			if p.Media != nil {
				return fmt.Errorf("serve: config: partner %d hosts media, and there is no media host to fetch them", p.Integrator)
			}
		}
		return nil
	}
	if m.Store == nil || len(m.Hosts) == 0 || slices.Contains(m.Hosts, "") {
		return errors.New("serve: config: a media host without a store, or without a name")
	}
	c.Machine.Media = dma.MediaHosts{Hosts: m.Hosts, Lifetime: m.Lifetime}
	if _, err := rand.Read(c.Machine.Media.Key[:]); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// mediaHost is a gatekeeper's media host that runs.
type mediaHost struct {
	g         *Gatekeeper
	cfg       Media
	transfers *transfers
	sources   map[uint16]*source // by the partner's number

	mu   sync.Mutex      // guards what follows
	gone []ident.Address // users whose media are to be removed
	more chan struct{}   // holds a token if there may be some
}

// newMediaHost returns the media host, or nil if there is none.
func (g *Gatekeeper) newMediaHost() (*mediaHost, error) {
	if g.cfg.Media == nil {
		return nil, nil
	}
	m := &mediaHost{g: g, cfg: *g.cfg.Media, transfers: newTransfers(g.cfg.Media.Limits), sources: map[uint16]*source{}, more: make(chan struct{}, 1)}
	for _, p := range g.cfg.Partners {
		if p.Media == nil {
			continue
		}
		s, err := newSource(*p.Media, m.transfers.limits, m.cfg.Store.MaxSize())
		if err != nil {
			return nil, fmt.Errorf("serve: config: partner %d: %w", p.Integrator, err)
		}
		m.sources[p.Integrator] = s
	}
	return m, nil
}

// sweepEvery is how often what has expired is removed from the disk.
const sweepEvery = time.Hour

// sweep removes what has expired, and what users have sent who are gone, until ctx ends.
func (m *mediaHost) sweep(ctx context.Context) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			m.dropGone()
			for _, s := range m.sources {
				s.http.CloseIdleConnections()
			}
			return
		case <-t.C:
			m.cfg.Store.Sweep()
		case <-m.more:
			m.dropGone()
		}
	}
}

// agreement is the party of all transfers that end with a partner's agreement.
func (m *mediaHost) agreement(integrator uint16) party {
	return party{"agreement " + strconv.Itoa(int(integrator)), (m.transfers.limits.Transfers + 1) / 2}
}

// revoke ends the transfers of a partner, both ways: what it hosts and what its users get.
func (m *mediaHost) revoke(integrator uint16) {
	m.transfers.stop(m.agreement(integrator), errRevoked)
}

// drop ends the transfers of a user who has no account any more, and has what the user has
// sent removed.
func (m *mediaHost) drop(user ident.Address) {
	m.transfers.stop(m.transfers.user(user.String()), errUserGone)
	m.mu.Lock()
	m.gone = append(m.gone, user)
	m.mu.Unlock()
	poke(m.more)
}

// dropGone removes what users have sent who are gone.
func (m *mediaHost) dropGone() {
	m.mu.Lock()
	gone := m.gone
	m.gone = nil
	m.mu.Unlock()
	for _, user := range gone {
		m.cfg.Store.Drop(user.String())
	}
}

func (m *mediaHost) routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /mms/{kind}/{hash}", m.upload)
	mux.HandleFunc("GET /v/{ref}", m.download)
	mux.HandleFunc("GET /interop/whatsapp/download/{integrator}/{ref}/{$}", m.fetch)
}

// user returns whose a request is. The error is for the client.
func (m *mediaHost) user(r *http.Request) (ident.Address, error) {
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		auth = r.URL.Query().Get("auth")
	}
	m.g.machine.mu.Lock()
	defer m.g.machine.mu.Unlock()
	return m.g.machine.gk.MediaUser(time.Now(), auth)
}

// refuse answers why a transfer does not begin.
func (m *mediaHost) refuse(w http.ResponseWriter, r *http.Request, err error) {
	code, why := http.StatusForbidden, err.Error()
	switch {
	case errors.Is(err, stanza.NotAuthorized):
		code = http.StatusUnauthorized
	case errors.Is(err, errNoMedium):
		code = http.StatusNotFound
	}
	m.g.log.Info("transfer refused", "peer", r.RemoteAddr, "method", r.Method, "status", code)
	refuseBody(w, r, code, why)
}

// Why a transfer is refused to who asks.
var (
	errNoMedium    = errors.New("no such medium")
	errNotNative   = errors.New("for the gatekeeper's own users alone")
	errNoAgreement = fmt.Errorf("the partner: %w", stanza.AgreementRevoked)
)

// mmsKinds are the kinds in the path of an upload, as read in clients. The gatekeeper learns
// them from the message's stanza as well.
var mmsKinds = []string{"image", "video", "audio", "ptt", "document"}

// mmsKind is that of a kind.
func mmsKind(k dma.ContentKind) string {
	switch k {
	case dma.Image:
		return "image"
	case dma.Voice:
		return "audio"
	case dma.Video:
		return "video"
	}
	return "document"
}

// mmsAnswer is the answer to an upload, as read in clients.
type mmsAnswer struct {
	URL        string `json:"url"`
	DirectPath string `json:"direct_path"`
}

// upload takes the ciphertext of a native user. Its SHA-256 is in the path.
func (m *mediaHost) upload(w http.ResponseWriter, r *http.Request) {
	user, err := m.user(r)
	if err == nil && user.Server == ident.Interop {
		err = fmt.Errorf("uploads are %w: a partner hosts what its users send", errNotNative)
	}
	if err != nil {
		m.refuse(w, r, err)
		return
	}
	hash, err := base64.URLEncoding.DecodeString(r.PathValue("hash"))
	if !slices.Contains(mmsKinds, r.PathValue("kind")) || err != nil || len(hash) != 32 {
		refuseBody(w, r, http.StatusBadRequest, "want /mms/KIND/HASH with a kind of "+strings.Join(mmsKinds, ", ")+" and SHA-256 in padded base64url")
		return
	}
	m.transfers.serve(w, r, func(w http.ResponseWriter, r *http.Request) {
		ref, ok := put(w, r, m.cfg.Store, m.g.log, user.String(), (*[32]byte)(hash))
		if !ok {
			return
		}
		m.g.stats.uploaded.Add(1)
		p := media.Path{Ref: ref}.String()
		answer(w, http.StatusOK, mmsAnswer{URL: "https://" + m.cfg.Hosts[0] + p, DirectPath: p})
	}, m.transfers.user(user.String()))
}

// download serves what a native user has sent.
func (m *mediaHost) download(w http.ResponseWriter, r *http.Request) {
	p, err := media.ParsePath("/v/" + r.PathValue("ref"))
	if err != nil {
		m.refuse(w, r, errNoMedium)
		return
	}
	var parties []party
	var user ident.Address
	if !m.cfg.Anonymous {
		if user, err = m.user(r); err != nil {
			m.refuse(w, r, err)
			return
		}
		parties = append(parties, m.transfers.user(user.String()))
	}
	if user.Server == ident.Interop {
		parties = append(parties, m.agreement(user.Integrator))
	}
	m.transfers.serve(w, r, func(w http.ResponseWriter, r *http.Request) {
		if user.Server == ident.Interop && !m.agreed(user.Integrator) { // since a moment ago
			m.refuse(w, r, errNoAgreement)
			return
		}
		m.g.stats.downloaded.Add(1)
		m.cfg.Store.Serve(w, r, p.Ref)
	}, parties...)
}

// agreed reports whether a partner's agreement stands.
func (m *mediaHost) agreed(integrator uint16) bool {
	m.g.machine.mu.Lock()
	defer m.g.machine.mu.Unlock()
	return m.g.machine.gk.Agreement(integrator)
}

// fetch serves what a partner hosts to a native user.
func (m *mediaHost) fetch(w http.ResponseWriter, r *http.Request) {
	p, err := media.ParsePath("/interop/whatsapp/download/" + r.PathValue("integrator") + "/" + r.PathValue("ref") + "/")
	if err != nil {
		m.refuse(w, r, errNoMedium)
		return
	}
	user, err := m.user(r)
	if err == nil && user.Server == ident.Interop {
		err = fmt.Errorf("what partners host is %w", errNotNative)
	}
	if err != nil {
		m.refuse(w, r, err)
		return
	}
	host := m.transfers.partner(strconv.Itoa(int(p.Integrator)))
	m.transfers.serve(w, r, func(w http.ResponseWriter, r *http.Request) {
		s := m.sources[p.Integrator]
		switch {
		case !m.agreed(p.Integrator):
			m.refuse(w, r, errNoAgreement)
		case s == nil:
			m.refuse(w, r, errNoMedium)
		default:
			begun, err := s.pass(w, r, p.Ref)
			if err == nil {
				m.g.stats.fetched.Add(1)
				return
			}
			m.g.stats.unfetched.Add(1)
			m.g.log.Warn("a partner's medium does not come", "integrator", p.Integrator, "reason", mediaWhy(err))
			if begun {
				panic(http.ErrAbortHandler) // so that nobody takes it for whole
			}
		}
	}, m.transfers.user(user.String()), m.agreement(p.Integrator), host)
}
