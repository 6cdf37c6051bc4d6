package provider

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/config"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// clientsSuffix is that of the file of a directory of --dev that tells devices of a
// provider's users what they need to know of it.
const clientsSuffix = ".clients"

// ForClients is what a provider of --dev tells the devices of its users, who are on the
// same machine. How else they learn it, the drafts leave to each provider.
type ForClients struct {
	Address      string `json:"address,omitempty"`
	NoiseAddress string `json:"noise_address,omitempty"`
	NoiseKey     []byte `json:"noise_key,omitempty"` // the server's, public
	// HubSender is the ExternalSender of its hub, FrankingAgent a FrankingAgentData:
	// what goes into a room that a device makes.
	HubSender     []byte `json:"hub_sender"`
	FrankingAgent []byte `json:"franking_agent"`
}

// ReadForClients reads what a provider of a directory tells.
func ReadForClients(dir, domain string) (*ForClients, error) {
	file := filepath.Join(dir, domain+clientsSuffix)
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f := new(ForClients)
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("%s, which %s writes when it starts: %w", file, domain, err)
	}
	return f, nil
}

// Authority returns the authority of a directory of --dev.
func Authority(dir string) (*localca.Authority, error) {
	c, err := readCertificate(filepath.Join(dir, rootName))
	if err != nil {
		return nil, err
	}
	return localca.Of(c)
}

// ownClients is the server that the provider's own clients connect to.
type ownClients struct {
	server    *channel.Server
	listeners map[way]net.Listener
	ended     sync.WaitGroup // until it takes no connections any more
}

// way is how clients connect.
type way string

// The ways.
const (
	tlsWay   way = "TLS"
	noiseWay way = "Noise"
)

// serveClients lets the provider's own clients connect, if there is an address for
// them; otherwise it returns nil.
func (s *settings) serveClients(p *serve.Provider, cfg *serve.Config) (*ownClients, error) {
	if s.Clients == "" && s.Noise == "" {
		return nil, nil
	}
	c, err := s.channel(p, cfg)
	if err != nil {
		return nil, err
	}
	server, err := channel.New(*c)
	if err != nil {
		return nil, err
	}
	o := &ownClients{server: server, listeners: make(map[way]net.Listener)}
	for _, w := range []struct {
		way     way
		address string
		flag    string
		serve   func(net.Listener) error
	}{{tlsWay, s.Clients, "--clients", server.Serve}, {noiseWay, s.Noise, "--noise", server.ServeNoise}} {
		if w.address == "" {
			continue
		}
		l, err := net.Listen("tcp", w.address)
		if err != nil {
			o.stop(ended(context.Background()))
			return nil, exit.Failuref(w.flag+" names another address.", "listening for clients over %s: %w", w.way, err)
		}
		o.listeners[w.way] = l
		o.ended.Go(func() {
			if err := w.serve(l); !errors.Is(err, net.ErrClosed) {
				cfg.Logger.Error("clients", "over", w.way, "error", err)
			}
		})
	}
	if err := s.tell(p, o, c); err != nil {
		o.stop(ended(context.Background()))
		return nil, err
	}
	return o, nil
}

// over returns where it listens, nil if it does not.
func (o *ownClients) over(w way) net.Addr {
	if o == nil || o.listeners[w] == nil {
		return nil
	}
	return o.listeners[w].Addr()
}

// stop ends all connections, those of clients that take long at the end of ctx.
func (o *ownClients) stop(ctx context.Context) {
	if o != nil {
		_ = o.server.Shutdown(ctx)
		o.ended.Wait()
	}
}

// channel returns the configuration of the server of clients.
func (s *settings) channel(p *serve.Provider, cfg *serve.Config) (*channel.Config, error) {
	c := &channel.Config{
		Open: func(ctx context.Context, client ident.URI) (channel.Session, error) {
			if s.dev != "" {
				if err := admit(ctx, p, client); err != nil {
					return nil, err
				}
			}
			return p.Client(ctx, client)
		},
		TLS:    &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cfg.Certificate}},
		Logger: quiet(cfg.Logger),
	}
	var err error
	if c.Noise, err = s.noise(); err != nil {
		return nil, err
	}
	var ways channel.AnyOf
	roots := s.ClientRoots
	if s.dev != "" {
		roots = s.Roots
	}
	if roots != "" {
		pool, err := readRoots(roots)
		if err != nil {
			return nil, err
		}
		c.TLS.ClientAuth, c.TLS.ClientCAs = tls.VerifyClientCertIfGiven, pool
		ways = append(ways, channel.Certificates{})
	}
	if s.Tokens != "" {
		if err := config.Private("tokens", s.Tokens); err != nil {
			return nil, err
		}
		tokens, err := readTokens(s.Tokens, p.Domain())
		if err != nil {
			return nil, err
		}
		ways = append(ways, tokens)
	}
	if s.ClientKeys != "" {
		keys, err := readClientKeys(s.ClientKeys, p.Domain())
		if err != nil {
			return nil, err
		}
		ways = append(ways, keys)
	}
	if s.dev != "" {
		ways = append(ways, ownKeys{s.dev})
	}
	if len(ways) == 0 {
		return nil, exit.Usagef(`"client_roots", "tokens" or "client_keys" say how a client proves who it is.`, "configuration: clients without any of them")
	}
	c.Authenticator = ways
	return c, nil
}

// quiet returns a logger for what every connection says, which is of interest with
// --verbose alone.
func quiet(l *slog.Logger) *slog.Logger {
	if l.Enabled(context.Background(), slog.LevelDebug) {
		return l
	}
	return nil
}

// readTokens reads the tokens of clients of a provider.
func readTokens(file, domain string) (*channel.Tokens, error) {
	tokens := new(channel.Tokens)
	return tokens, readClients("tokens", "its token", file, domain, func(client ident.URI, value string) error {
		tokens.Set(client, []byte(value))
		return nil
	})
}

// readClients reads a file that says something of clients: on a line for each its name and
// a value.
func readClients(what, value, file, domain string, set func(client ident.URI, value string) error) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return exit.Usagef("", "%s: %w", what, err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		client, err := clientURI(domain, f[0])
		if err == nil && len(f) != 2 {
			err = errors.New("want a client, such as alice/ClientA1, and " + value)
		}
		if err == nil {
			err = set(client, f[1])
		}
		if err != nil {
			return exit.Usagef("", "%s: %s, line %d: %w", what, file, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return exit.Usagef("", "%s: %s: %w", what, file, err)
	}
	return nil
}

// clientURI returns the client of a name such as alice/ClientA1.
func clientURI(domain, name string) (ident.URI, error) {
	user, client, ok := strings.Cut(name, "/")
	u, err := ident.NewURI(ident.KindClient, domain, user, client)
	if err == nil && !ok {
		err = errors.New("want USER/CLIENT")
	}
	if err != nil {
		return u, fmt.Errorf("client %q: %w", name, err)
	}
	return u, nil
}

// admit makes sure that a client of --dev exists. A user that it makes is found by its
// handle and by its name.
func admit(ctx context.Context, p *serve.Provider, client ident.URI) error {
	user, err := mimi.UserOf(client)
	if err != nil {
		return err
	}
	if p.AddClient(ctx, client) == nil {
		return nil
	}
	name := user.Segments()[0]
	if err := p.AddUser(ctx, user, follower.Profile{Fields: []follower.Field{
		{Type: mimi.SearchHandle, Value: "im:" + name + "@" + p.Domain(), Searchable: true},
		{Type: mimi.SearchNick, Value: name, Searchable: true},
	}}); err != nil {
		return err
	}
	return p.AddClient(ctx, client)
}

// tell writes what devices of --dev need to know.
func (s *settings) tell(p *serve.Provider, o *ownClients, c *channel.Config) error {
	if s.dev == "" {
		return nil
	}
	sender := p.HubSender()
	hub, err := wire.Marshal(&sender)
	if err != nil {
		return err
	}
	agent, err := wire.Marshal(p.FrankingAgent())
	if err != nil {
		return err
	}
	f := ForClients{HubSender: hub, FrankingAgent: agent}
	if at := o.over(tlsWay); at != nil {
		f.Address = at.String()
	}
	if at := o.over(noiseWay); at != nil {
		f.NoiseAddress, f.NoiseKey = at.String(), c.Noise.Static.Public
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(s.dev, s.Domain+clientsSuffix), append(b, '\n'))
}

// replace writes a file whole or not at all, as others may read it at any time.
func replace(file string, b []byte) error {
	err := os.WriteFile(file+".new", b, 0o600)
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return exit.Failuref("", "--dev: %w", err)
	}
	return nil
}
