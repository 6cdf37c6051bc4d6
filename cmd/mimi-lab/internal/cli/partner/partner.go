// Package partner runs a partner's server: that of those who interoperate with a gatekeeper.
package partner

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// New makes the noun partner.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "partner",
		Short: "Run a partner's server, which a gatekeeper asks",
		Long: `Run the server of a gatekeeper's partner under the Digital Markets Act: keys,
tokens, pushes and media, as far as WhatsApp's Reference Offer 1.0.3 shows them.`,
		Example: `  mimi-lab partner serve --for 1s`,
	}, newServe(t))
}

// Development returns the server of the partner of a directory of --dev, and the keys by
// which it verifies pushes, for which somebody calls Run. media hosts what users send; nil means
// the directory's own.
func Development(ctx context.Context, dir *dmadev.Dir, log *slog.Logger, media http.Handler, rotate time.Duration, woken func(user string)) (*partner.Server, *jwks.Source, error) {
	keys, err := jwks.New(jwks.Config{
		Base: dmadev.Gatekeeper, Roots: dir.Roots, Dial: dir.DialGatekeeper, Logger: log,
		// The two start in any order.
		Again: time.Millisecond, Policy: token.Policy{Issuer: serve.PushIssuer, Audience: dmadev.Partner},
	})
	if err != nil {
		return nil, nil, exit.Failuref("", "%w", err)
	}
	users := new(atomic.Pointer[partner.Server])
	if media == nil {
		if media, users, err = host(dir, log); err != nil {
			return nil, nil, err
		}
	}
	s, err := partner.New(ctx, partner.Config{
		Issuer: dmadev.Partner, Audience: dmadev.Gatekeeper, Store: dir.PartnerStore(), Certificate: dir.TLS,
		Gatekeeper: keys, Media: media, Invitation: dir.Invitation, RotateEvery: rotate, Woken: woken, Logger: log,
	})
	if errors.Is(err, store.ErrInUse) {
		return nil, nil, exit.Failuref(`--dev names another directory. "gatekeeper serve" runs one too, but for --no-stand-in.`, "another server of the partner runs in %s", dir.Path)
	}
	if err != nil {
		return nil, nil, exit.Failuref("", "%w", err)
	}
	users.Store(s)
	return s, keys, nil
}
