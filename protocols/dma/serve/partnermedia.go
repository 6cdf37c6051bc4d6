package serve

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
)

// PartnerMediaConfig is what a partner's media host needs. It is not modified.
type PartnerMediaConfig struct {
	Store *blob.Store // it is left open
	// User returns which of the partner's users makes a request, as far as its header proves.
	User   func(*http.Request) (user string, err error)
	Limits MediaLimits
	Logger *slog.Logger // is told what happens, without tokens; nil discards it
}

// PartnerMedia is the part of a partner's server that hosts the ciphertext of what its users
// send (Reference Offer, media). It is an [http.Handler] for what is below {3p_base_url}:
//
//	GET, HEAD /{storage_ref}   the ciphertext, for the gatekeeper's media host; with ranges
//	POST      /                takes one of a user; 201 and {"ref": storage_ref} (assumed)
//
// How a partner's own users upload is no part of the interface. Nor is it public whether the
// gatekeeper proves that it is the gatekeeper when it fetches: here it does not, and who knows a
// reference, which nobody guesses, may have the ciphertext (assumed).
type PartnerMedia struct {
	cfg       PartnerMediaConfig
	mux       *http.ServeMux
	transfers *transfers
}

// NewPartnerMedia returns the handler.
func NewPartnerMedia(cfg PartnerMediaConfig) (*PartnerMedia, error) {
	if cfg.Store == nil || cfg.User == nil {
		return nil, errors.New("serve: partner media: config: no store, or nobody who knows users")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := &PartnerMedia{cfg: cfg, mux: http.NewServeMux(), transfers: newTransfers(cfg.Limits)}
	p.mux.HandleFunc("POST /{$}", p.upload)
	p.mux.HandleFunc("GET /{ref}", p.download)
	return p, nil
}

// ServeHTTP implements [http.Handler].
func (p *PartnerMedia) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// Close ends the transfers under way, and lets none begin.
func (p *PartnerMedia) Close() { p.transfers.close(ErrStopped) }

// uploaded is the answer to an upload.
type uploaded struct {
	Ref string `json:"ref"`
}

func (p *PartnerMedia) upload(w http.ResponseWriter, r *http.Request) {
	user, err := p.cfg.User(r)
	if err != nil {
		p.cfg.Logger.Info("upload refused", "peer", r.RemoteAddr, "reason", "not a user's")
		refuseBody(w, r, http.StatusUnauthorized, "want the proof of a user of this partner")
		return
	}
	p.transfers.serve(w, r, func(w http.ResponseWriter, r *http.Request) {
		ref, ok := put(w, r, p.cfg.Store, p.cfg.Logger, user, nil)
		if ok {
			answer(w, http.StatusCreated, uploaded{ref})
		}
	}, p.transfers.user(user))
}

func (p *PartnerMedia) download(w http.ResponseWriter, r *http.Request) {
	p.transfers.serve(w, r, func(w http.ResponseWriter, r *http.Request) {
		p.cfg.Store.Serve(w, r, r.PathValue("ref"))
	})
}

// put has a store take the body of a request, or answers why it does not.
func put(w http.ResponseWriter, r *http.Request, s *blob.Store, log *slog.Logger, user string, sum *[32]byte) (ref string, ok bool) {
	ref, err := s.Put(r.Context(), user, r.Body, r.ContentLength, sum)
	if err == nil {
		log.Info("medium taken", "bytes", r.ContentLength)
		return ref, true
	}
	code := http.StatusBadRequest
	switch {
	case errors.Is(err, blob.ErrTooLarge):
		code = http.StatusRequestEntityTooLarge
	case errors.Is(err, blob.ErrQuota), errors.Is(err, blob.ErrFull):
		code = http.StatusInsufficientStorage
	case errors.Is(err, blob.ErrClosed):
		code = http.StatusServiceUnavailable
	case errors.Is(err, blob.ErrDisk):
		code = http.StatusInternalServerError
	}
	why := "the medium did not come whole"
	for _, told := range []error{blob.ErrTooLarge, blob.ErrShape, blob.ErrHash, blob.ErrQuota, blob.ErrFull} {
		if errors.Is(err, told) {
			why = err.Error()
		}
	}
	if code >= 500 && code != http.StatusInsufficientStorage {
		why = "the host failed" // how is nobody's business
	}
	log.Info("upload refused", "peer", r.RemoteAddr, "status", code, "reason", why)
	refuseBody(w, r, code, why)
	return "", false
}

// answer answers in JSON.
func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
