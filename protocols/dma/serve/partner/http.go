package partner

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
)

// maxBody is the longest body of a request in bytes.
const maxBody = 4 << 10

// Handler returns what answers requests, for those who serve it in another way than Serve.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// handler makes what answers requests.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+token.WellKnown, s.serveKeys)
	mux.HandleFunc("POST "+serve.PushPath, s.bounded(s.servePush))
	mux.HandleFunc("POST "+TokenPath, s.bounded(s.serveToken))
	mux.HandleFunc("GET "+WaitPath, s.serveWait)
	if s.cfg.Invitation != "" {
		mux.HandleFunc("POST "+JoinPath, s.bounded(s.serveJoin))
	}
	if s.cfg.Media != nil {
		mux.Handle(MediaPath+"/", http.StripPrefix(MediaPath, s.cfg.Media))
	}
	return mux
}

// bounded lets a request that costs something wait for nobody.
func (s *Server) bounded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.requests <- struct{}{}:
			defer func() { <-s.requests }()
			h(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
		}
	}
}

func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	s.machine.mu.Lock()
	keys := s.machine.keys
	s.machine.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(keys)
}

// servePush takes a push of the gatekeeper: whoever else sends one is refused.
func (s *Server) servePush(w http.ResponseWriter, r *http.Request) {
	if err := s.pushes(r); err != nil {
		s.stats.forged.Add(1)
		s.log.Info("push refused", "peer", r.RemoteAddr, "error", err)
		if errors.Is(err, jwks.ErrUnavailable) { // it may be the gatekeeper's
			http.Error(w, "the gatekeeper's keys can't be had", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "want a token of the gatekeeper", http.StatusUnauthorized)
		return
	}
	var p serve.PushRequest
	if err := read(w, r, &p); err != nil || p.To == "" {
		http.Error(w, `want {"to": ...}`, http.StatusBadRequest)
		return
	}
	wakes, err := s.ask(r.Context(), dma.PushRequest{To: p.To})
	switch {
	case errors.Is(err, ErrStopped):
		http.Error(w, "the server goes down", http.StatusServiceUnavailable)
	case err != nil:
		s.log.Info("push refused", "peer", r.RemoteAddr, "error", err)
		http.Error(w, "no such user", http.StatusNotFound)
	default:
		s.stats.pushes.Add(uint64(len(wakes)))
		for _, user := range wakes {
			s.wakes.wake(user)
			if s.cfg.Woken != nil {
				s.cfg.Woken(user)
			}
		}
		w.WriteHeader(http.StatusOK)
	}
}

// pushes reports why a request is not the gatekeeper's.
func (s *Server) pushes(r *http.Request) error {
	bearer, ok := bearerOf(r)
	if !ok || s.cfg.Gatekeeper == nil {
		return errors.New("no bearer token, or nobody to verify it")
	}
	_, err := s.cfg.Gatekeeper.VerifyBearer(r.Context(), bearer)
	return err
}

func bearerOf(r *http.Request) (string, bool) {
	scheme, bearer, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return bearer, ok && strings.EqualFold(scheme, "Bearer") && bearer != ""
}

// read reads a JSON body of bounded size.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// Issued is what [TokenPath] answers.
type Issued struct {
	Token     string `json:"token"`
	ExpiresIn int    `json:"expires_in"` // seconds
}

// serveToken gives a user's device a token.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	user, credential, _ := r.BasicAuth()
	if !s.is(user, credential) {
		s.refuse(w, r)
		return
	}
	t, err := s.Token(user)
	if err != nil {
		s.log.Error("no token", "error", err)
		http.Error(w, "no token can be made", http.StatusInternalServerError)
		return
	}
	s.stats.tokens.Add(1)
	answer(w, Issued{t, int(s.cfg.Lifetime / time.Second)})
}

// refuse answers one who is not the user.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request) {
	s.stats.refused.Add(1)
	s.log.Info("not the user's credential", "peer", r.RemoteAddr, "path", r.URL.Path)
	w.Header().Set("WWW-Authenticate", `Basic realm="partner", charset="UTF-8"`)
	http.Error(w, "want a user with the credential", http.StatusUnauthorized)
}

// is reports whether a credential is a user's.
func (s *Server) is(user, credential string) bool {
	s.machine.mu.Lock()
	kept, ok := s.machine.p.Credential(user)
	s.machine.mu.Unlock()
	shown := sha256.Sum256([]byte(credential))
	return ok && subtle.ConstantTimeCompare(kept, shown[:]) == 1
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}

// JoinRequest is the body of a request to [JoinPath], with Authorization: Bearer and the
// invitation.
type JoinRequest struct {
	User string `json:"user"` // the user-visible identifier
}

// Joined is its answer.
type Joined struct {
	Credential string `json:"credential"`
}

// serveJoin makes a user known.
func (s *Server) serveJoin(w http.ResponseWriter, r *http.Request) {
	bearer, _ := bearerOf(r)
	if subtle.ConstantTimeCompare([]byte(bearer), []byte(s.cfg.Invitation)) != 1 {
		s.stats.refused.Add(1)
		s.log.Info("no invitation", "peer", r.RemoteAddr)
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "want the invitation", http.StatusUnauthorized)
		return
	}
	var in JoinRequest
	if err := read(w, r, &in); err != nil {
		http.Error(w, `want {"user": ...}`, http.StatusBadRequest)
		return
	}
	c, err := s.Join(r.Context(), in.User)
	switch {
	case errors.Is(err, ErrStopped):
		http.Error(w, "the server goes down", http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		answer(w, Joined{c})
	}
}

// Join makes a user known, or gives one that is known another credential, and returns it.
// The server keeps no more than a hash of it.
func (s *Server) Join(ctx context.Context, user string) (credential string, err error) {
	// Basic authentication has no way to write a colon or control characters.
	if strings.ContainsFunc(user, func(r rune) bool { return r == ':' || unicode.IsControl(r) }) {
		return "", errors.New("partner: a user's name has a colon or control characters")
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	credential = base64.RawURLEncoding.EncodeToString(b[:])
	hash := sha256.Sum256([]byte(credential)) // which is of 128 random bits, and needs no salt
	if _, err := s.ask(ctx, dma.Join{Visible: user, Credential: hash[:]}); err != nil {
		return "", err
	}
	return credential, nil
}

// Leave makes a user unknown: there are no tokens for it, and pushes are refused.
func (s *Server) Leave(ctx context.Context, user string) error {
	_, err := s.ask(ctx, dma.Leave{Visible: user})
	return err
}
