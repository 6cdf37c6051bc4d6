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

// devices is the folder of a directory of --dev with their stores.
const devices = "devices"

// place is where a device is, and how it reaches its provider.
type place struct {
	store   string
	connect device.Connect
}

// find finds the place of a client in a directory of --dev, whose authority vouches for
// it.
func find(dev string, client ident.URI) (*place, error) {
	p, err := provider.ReadForClients(dev, client.Provider())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Failuref(howToServe(dev, client.Provider())+" (--dev names another directory.)", "%s does not run in %s", client.Provider(), dev)
	}
	if err != nil {
		return nil, exit.Failuref("", "--dev: %w", err)
	}
	authority, err := provider.Authority(dev)
	if err != nil {
		return nil, exit.Failuref("", "--dev: authority: %w", err)
	}
	cert, err := issue(authority, client, time.Now())
	if err != nil {
		return nil, exit.Failuref("", "--dev: certificate of %v: %w", client, err)
	}
	names := client.Segments()
	dir := filepath.Join(dev, devices, client.Provider(), url.PathEscape(names[0]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, exit.Failuref("", "--dev: %w", err)
	}
	return &place{
		store: filepath.Join(dir, url.PathEscape(names[1])+".db"),
		connect: device.Dial(p.Address, channel.ClientConfig{
			Client: client,
			TLS:    &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: authority.Pool(), ServerName: client.Provider(), Certificates: []tls.Certificate{cert}},
		}),
	}, nil
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
