package client

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/provider"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/groups/serve/device"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// place is where a device is, and how it reaches its provider.
type place struct {
	store   string
	connect device.Connect
}

// find finds the place of the client in the directory of --dev, whose authority vouches
// for it, or over Noise a key that it keeps there.
func (o *Options) find(client ident.URI) (*place, error) {
	p, err := provider.ReadForClients(o.Dev, client.Provider())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Failuref(howToServe(o.Dev, client.Provider())+" (--dev names another directory.)", "%s does not run in %s", client.Provider(), o.Dev)
	}
	if err != nil {
		return nil, exit.Failuref("", "--dev: %w", err)
	}
	at := provider.DevicePath(o.Dev, client)
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return nil, exit.Failuref("", "--dev: %w", err)
	}
	cfg, address := channel.ClientConfig{Client: client}, p.Address
	if o.Noise {
		address = p.NoiseAddress
		if cfg.Noise, err = provider.DeviceNoise(o.Dev, client, p.NoiseKey); err != nil {
			return nil, exit.Failuref("", "--dev: static key of %v: %w", client, err)
		}
	} else if cfg.TLS, err = trust(o.Dev, client); err != nil {
		return nil, err
	}
	return &place{store: at + ".db", connect: device.Dial(address, cfg)}, nil
}

// trust returns what a client needs for TLS.
func trust(dev string, client ident.URI) (*tls.Config, error) {
	authority, err := provider.Authority(dev)
	if err != nil {
		return nil, exit.Failuref("", "--dev: authority: %w", err)
	}
	cert, err := issue(authority, client, time.Now())
	if err != nil {
		return nil, exit.Failuref("", "--dev: certificate of %v: %w", client, err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: authority.Pool(), ServerName: client.Provider(), Certificates: []tls.Certificate{cert}}, nil
}

// issue makes a certificate for a client, which its provider knows it by as long as the
// command lasts (channel.Certificates).
func issue(authority *localca.Authority, client ident.URI, now time.Time) (tls.Certificate, error) {
	u, err := url.Parse(client.String())
	if err != nil {
		return tls.Certificate{}, err
	}
	return authority.Issue(localca.Leaf{
		Name: "mimi-lab --dev: a client", URIs: []*url.URL{u}, Starts: now.Add(-time.Hour), Ends: now.Add(24 * time.Hour),
	})
}

// Hub returns what the provider's hub signs with, for a room that the device makes.
func (s *Session) Hub() (sender message.ExternalSender, agent *mimi.FrankingAgentData, err error) {
	p, err := provider.ReadForClients(s.dev, s.User.Provider())
	if err == nil {
		err = wire.Unmarshal(p.HubSender, &sender)
	}
	if err == nil {
		agent, err = mimi.ParseFrankingAgentData(p.FrankingAgent)
	}
	if err != nil {
		err = exit.Failuref(howToServe(s.dev, s.User.Provider()), "--dev: %w", err)
	}
	return sender, agent, err
}
