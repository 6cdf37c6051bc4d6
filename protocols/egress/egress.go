// Package egress is about where strangers may lead a server's requests: not into its own
// networks. Names and URLs come from peers, partners and users; what they resolve to is
// compared with the registries of special-purpose addresses, of which RFC 6890
// (https://www.rfc-editor.org/rfc/rfc6890) tells.
package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// ErrPrivate: a name has led to an address that is nobody else's.
var ErrPrivate = errors.New("egress: want a public address")

// PublicOnly refuses to connect to addresses of this machine and its networks. It is the
// Control of a [net.Dialer] and looks at what a name was resolved to, so that a name
// cannot change its meaning in between.
func PublicOnly(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := a.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(notPublic, func(n netip.Prefix) bool { return n.Contains(ip) }) {
		return fmt.Errorf("address %v: %w", ip, ErrPrivate)
	}
	return nil
}

// notPublic are further networks that are not globally reachable, or lead to those that
// are not (https://www.iana.org/assignments/iana-ipv4-special-registry,
// https://www.iana.org/assignments/iana-ipv6-special-registry).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
}
