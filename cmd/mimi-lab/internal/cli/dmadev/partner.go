package dmadev

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
)

// The files of the partner's server and proxy. The credential of a user is named after the
// user, as the device's are.
const (
	partnerStoreName   = "partner.db"
	partnerAddressName = "partner.address"
	proxyAddressName   = "proxy.address"
)

// PartnerStore returns the URL of the store of the partner's server.
func (d *Dir) PartnerStore() string { return "sqlite:" + filepath.Join(d.Path, partnerStoreName) }

// AnnouncePartner lets others find the partner's server.
func (d *Dir) AnnouncePartner(a net.Addr) error {
	if err := replace(filepath.Join(d.Path, partnerAddressName), []byte(a.String())); err != nil {
		return exit.Failuref("", "--dev: %w", err)
	}
	return nil
}

// DialPartner connects to the partner's server, wherever it is now. Its name is that in
// [Partner].
func (d *Dir) DialPartner(ctx context.Context, network, _ string) (net.Conn, error) {
	b, err := os.ReadFile(filepath.Join(d.Path, partnerAddressName))
	if err != nil {
		return nil, fmt.Errorf("no partner's server has run in %s: %w", d.Path, err)
	}
	return new(net.Dialer).DialContext(ctx, network, strings.TrimSpace(string(b)))
}

// DialGatekeeper connects to the gatekeeper's enlistment server, wherever it is now. Its
// name is that in [Gatekeeper].
func (d *Dir) DialGatekeeper(ctx context.Context, network, _ string) (net.Conn, error) {
	a, err := d.Find()
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, a.HTTPS)
}

// DialProxied connects to where the gatekeeper takes proxies, wherever that is now.
func (d *Dir) DialProxied(ctx context.Context, network, _ string) (net.Conn, error) {
	a, err := d.Find()
	if err != nil {
		return nil, err
	}
	if a.Proxied == "" {
		return nil, fmt.Errorf("the gatekeeper of %s takes no proxies", d.Path)
	}
	return new(net.Dialer).DialContext(ctx, network, a.Proxied)
}

// AnnounceProxy lets devices find the partner's proxy.
func (d *Dir) AnnounceProxy(a net.Addr) error {
	if err := replace(filepath.Join(d.Path, proxyAddressName), []byte(a.String())); err != nil {
		return exit.Failuref("", "--dev: %w", err)
	}
	return nil
}

// Proxy returns the address of the partner's proxy.
func (d *Dir) Proxy() (string, error) {
	b, err := os.ReadFile(filepath.Join(d.Path, proxyAddressName))
	if err != nil {
		return "", exit.Failuref(fmt.Sprintf(`"mimi-lab proxy serve --dev %s" runs one.`, d.Path), "no proxy has run in %s: %w", d.Path, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Credential returns what the device of a partner's user shows to the partner's server, ""
// if the user has not joined.
func (d *Dir) Credential(name string) (string, error) {
	f, err := d.file(name)
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(f + ".credential")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", exit.Failuref("", "--dev: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// KeepCredential keeps it.
func (d *Dir) KeepCredential(name, credential string) error {
	f, err := d.file(name)
	if err != nil {
		return err
	}
	if err := replace(f+".credential", []byte(credential+"\n")); err != nil {
		return exit.Failuref("", "--dev: %w", err)
	}
	return nil
}
