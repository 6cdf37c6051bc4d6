package partner

import (
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
)

// host returns the media host of the partner of a directory. It serves once it knows the
// server, which knows the users.
func host(dir *dmadev.Dir, log *slog.Logger) (http.Handler, *atomic.Pointer[partner.Server], error) {
	// What is too large is the gatekeeper's to say, which fetches it.
	store, err := blob.Open(blob.Config{Dir: dir.PartnerMedia(), MaxMedium: 1 << 30, PerOwner: 8 << 30})
	if err != nil {
		return nil, nil, exit.Failuref("", "%w", err)
	}
	users := new(atomic.Pointer[partner.Server])
	h, err := serve.NewPartnerMedia(serve.PartnerMediaConfig{Store: store, Logger: log, User: func(r *http.Request) (string, error) {
		if s := users.Load(); s != nil {
			return s.User(r)
		}
		return "", errors.New("the partner's server starts")
	}})
	if err != nil {
		return nil, nil, exit.Failuref("", "%w", err)
	}
	return h, users, nil
}
