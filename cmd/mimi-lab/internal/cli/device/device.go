// Package device runs devices of users: of a gatekeeper's partner, and of the gatekeeper.
package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
)

// New makes the noun device.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "device",
		Short: "Run a user's device against a gatekeeper",
		Long: `Run the device of a user against the gatekeeper of "gatekeeper serve" with the
same --dev. Each user has one, as the Reference Offer has it. A name such as
bob@partner.example is a user of the partner there; a phone number without
its plus is a user of the gatekeeper.`,
		Example: `  mimi-lab device enlist 4915112345678
  mimi-lab device send bob@partner.example 4915112345678 "Hello across"
  mimi-lab device receive 4915112345678`,
		Annotations: tried("mimi-lab device enlist bob@partner.example"),
	}, newEnlist(t), newConnect(t), newSend(t), newMedia(t), newReceive(t), newBlock(t), newPing(t), newAllow(t), newInbox(t), newGroup(t), newDelete(t))
}

// tried says what the examples of a command need.
func tried(before ...string) map[string]string {
	return map[string]string{"gatekeeper": "yes", "before": strings.Join(before, "\n")}
}

// options are those of all commands that run a device.
type options struct {
	IO        *term.IO
	Dev       string
	Name      string
	TokenFile string
	Proxy     string
	Timeout   time.Duration
	JSON      bool
	MaxMedia  int    // MiB
	notSaved  error  // why the last medium that never will be saved was not
	Save      string // where media go; "" means a directory of the user's in Dev
}

func (o *options) flags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&o.Dev, "dev", dmadev.Default, "`directory` of gatekeeper serve --dev")
	f.StringVar(&o.TokenFile, "token", "", "`file` with a token of the user's partner (default: of its server in --dev)")
	f.StringVar(&o.Proxy, "proxy", "", "`address` of the partner's proxy to connect by, or dev: the one in --dev")
	f.DurationVar(&o.Timeout, "timeout", 10*time.Second, "how long to wait for the gatekeeper and for others")
}

// open opens the directory and the store of the device.
func (o *options) open() (*dmadev.Dir, store.Store, error) {
	if o.Timeout <= 0 {
		return nil, nil, exit.Usagef("", "--timeout %v: want more than 0", o.Timeout)
	}
	dir, err := dmadev.Open(o.Dev)
	if err != nil {
		return nil, nil, err
	}
	file, err := dir.DeviceStore(o.Name)
	if err != nil {
		return nil, nil, err
	}
	s, err := sqlite.Open(file)
	if errors.Is(err, store.ErrInUse) {
		return nil, nil, exit.Failuref("Wait for it to end: a user has one device.", "another command runs the device of %s", o.Name)
	}
	if err != nil {
		return nil, nil, exit.Failuref("", "%w", err)
	}
	return dir, s, nil
}

// token returns a proof of who the user is.
func (o *options) token(ctx context.Context, dir *dmadev.Dir) (string, error) {
	switch {
	case o.TokenFile != "":
		return o.tokenOfFile()
	case dmadev.Native(o.Name):
		return dir.Token(o.Name, time.Now())
	}
	c, err := o.partner(ctx, dir)
	if err != nil {
		return "", err
	}
	t, err := c.Token(ctx)
	if err != nil {
		return "", o.partnerless(err)
	}
	return t, nil
}

// partner returns the user's device as a client of the partner's server, which the user
// joins if need be.
func (o *options) partner(ctx context.Context, dir *dmadev.Dir) (*partner.Client, error) {
	c := &partner.Client{Base: dmadev.Partner, Roots: dir.Roots, Dial: dir.DialPartner, User: o.Name}
	var err error
	if c.Credential, err = dir.Credential(o.Name); err != nil || c.Credential != "" {
		return c, err
	}
	if err := c.Join(ctx, dir.Invitation); err != nil {
		return nil, o.partnerless(err)
	}
	return c, dir.KeepCredential(o.Name, c.Credential)
}

// partnerless says what the partner's server did not do.
func (o *options) partnerless(err error) error {
	hint := fmt.Sprintf(`"mimi-lab gatekeeper serve --dev %[1]s" runs one, or "mimi-lab partner serve --dev %[1]s".`, command.Quote(o.Dev))
	return exit.Failuref(hint, "the partner's server gives %s no token: %w", o.Name, err)
}

// tokenOfFile returns the token of --token.
func (o *options) tokenOfFile() (string, error) {
	f, err := os.Open(o.TokenFile)
	if err != nil {
		return "", exit.Usagef("", "--token: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, 2*noise.MaxToken))
	if err != nil {
		return "", exit.Failuref("", "--token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// run runs f with a device that connects, and ends before if the gatekeeper refuses it.
func (o *options) run(ctx context.Context, events func(dma.Event), f func(ctx context.Context, dir *dmadev.Dir, d *serve.Device) error) (err error) {
	dir, st, err := o.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	cfg, err := o.config(dir, st, events)
	if err != nil {
		return err
	}
	d, err := serve.NewDevice(ctx, cfg)
	if errors.Is(err, serve.ErrNoAccount) {
		return exit.Failuref(fmt.Sprintf(`"mimi-lab device enlist %s --dev %s" makes one.`, o.Name, command.Quote(o.Dev)), "%s has no account", o.Name)
	}
	if err != nil {
		return exit.Failuref("", "%w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	running, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := d.Run(running); running.Err() == nil {
			stop(exit.Failuref(`Such a refusal is for good. "mimi-lab device enlist" enlists again.`, "the gatekeeper refuses the device of %s: %w", o.Name, err))
		}
	}()
	err = f(running, dir, d)
	if cause := context.Cause(running); err != nil && cause != nil {
		err = cause
	}
	stop(context.Canceled)
	<-ended
	return err
}

func (o *options) config(dir *dmadev.Dir, st store.Store, events func(dma.Event)) (serve.DeviceConfig, error) {
	adapter, err := dmadev.Adapter(o.IO.Err)
	if err != nil {
		return serve.DeviceConfig{}, err
	}
	at, err := dir.Find()
	if err != nil {
		return serve.DeviceConfig{}, err
	}
	s, err := dmadev.Suite()
	if err != nil {
		return serve.DeviceConfig{}, err
	}
	cfg := serve.DeviceConfig{
		Store: st, Adapter: adapter, Suite: s, Address: at.Chat, Trust: noise.Trust{Pin: dir.Noise.Public}, Events: events,
		Again: 100 * time.Millisecond, AgainMost: 5 * time.Second,
		Logger: slog.New(slog.NewTextHandler(o.IO.Err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	switch o.Proxy {
	case "":
	case "dev":
		if cfg.Address, err = dir.Proxy(); err != nil {
			return serve.DeviceConfig{}, err
		}
	default:
		cfg.Address = o.Proxy
	}
	cfg.Media = o.deviceMedia(dir)
	for _, d := range noise.Dialects {
		if d.Name == at.Dialect {
			cfg.Dialect = d
		}
	}
	if !dmadev.Native(o.Name) {
		cfg.Token = func(ctx context.Context) (string, error) { return o.token(ctx, dir) }
	}
	return cfg, nil
}

// settle waits until the gatekeeper has acknowledged everything, for as long as --timeout.
func (o *options) settle(ctx context.Context, d *serve.Device) error {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if err := d.Settled(ctx, false); err != nil {
		return o.late(err, "the gatekeeper's acknowledgement")
	}
	return nil
}

// late says what did not come in time.
func (o *options) late(err error, what string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return exit.Failuref(fmt.Sprintf(`Does "mimi-lab gatekeeper serve --dev %s" run? --timeout waits longer.`, command.Quote(o.Dev)), "%s did not come within %v", what, o.Timeout)
	}
	return err
}
