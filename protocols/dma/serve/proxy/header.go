package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// The header of the PROXY protocol, version 2 (Section 2.2).
const (
	signature  = "\r\n\r\n\x00\r\nQUIT\n"
	proxied    = 0x21 // version 2, command PROXY
	tcp4       = 0x11 // AF_INET, STREAM
	tcp6       = 0x21 // AF_INET6, STREAM
	fixed      = len(signature) + 4
	addresses4 = 2*4 + 2*2
	addresses6 = 2*16 + 2*2
)

// MaxHeader is the longest header in bytes that is read, with the extensions (TLV) that
// may follow the addresses; a choice of this implementation.
const MaxHeader = 512

// ErrHeader: what a connection begins with is no header of a proxy.
var ErrHeader = errors.New("proxy: malformed header")

// AppendHeader appends the header of a connection for a client, which has connected to the
// address to.
func AppendHeader(dst []byte, client, to netip.AddrPort) ([]byte, error) {
	if !client.IsValid() || !to.IsValid() {
		return nil, errors.New("proxy: header: no address of the client or the proxy")
	}
	family, size := byte(tcp4), addresses4
	from4, to4 := client.Addr().Unmap(), to.Addr().Unmap()
	if !from4.Is4() || !to4.Is4() { // if one of them is of IPv6, both are written so
		family, size = tcp6, addresses6
	}
	dst = append(dst, signature...)
	dst = append(dst, proxied, family)
	dst = binary.BigEndian.AppendUint16(dst, uint16(size))
	if family == tcp4 {
		a, b := from4.As4(), to4.As4()
		dst = append(append(dst, a[:]...), b[:]...)
	} else {
		a, b := client.Addr().As16(), to.Addr().As16()
		dst = append(append(dst, a[:]...), b[:]...)
	}
	dst = binary.BigEndian.AppendUint16(dst, client.Port())
	return binary.BigEndian.AppendUint16(dst, to.Port()), nil
}

// ReadHeader reads a header and nothing after it, and returns the client's address.
// Extensions are skipped.
func ReadHeader(r io.Reader) (client netip.AddrPort, err error) {
	var head [fixed]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return client, fmt.Errorf("proxy: header: %w", err)
	}
	if string(head[:len(signature)]) != signature {
		return client, fmt.Errorf("%w: begins with %q, want the signature of PROXY protocol 2", ErrHeader, head[:4])
	}
	if c := head[len(signature)]; c != proxied {
		return client, fmt.Errorf("%w: version and command %#02x, want %#02x", ErrHeader, c, proxied)
	}
	family, size := head[len(signature)+1], int(binary.BigEndian.Uint16(head[fixed-2:]))
	need := map[byte]int{tcp4: addresses4, tcp6: addresses6}[family]
	if need == 0 {
		return client, fmt.Errorf("%w: family %#02x, want %#02x or %#02x: TCP", ErrHeader, family, tcp4, tcp6)
	}
	if size < need || size > MaxHeader-fixed {
		return client, fmt.Errorf("%w: length %d, want %d to %d", ErrHeader, size, need, MaxHeader-fixed)
	}
	var body [MaxHeader]byte
	if _, err := io.ReadFull(r, body[:size]); err != nil {
		return client, fmt.Errorf("proxy: header: %w", noEOF(err))
	}
	var ip netip.Addr
	if family == tcp4 {
		ip = netip.AddrFrom4([4]byte(body[:4]))
	} else {
		ip = netip.AddrFrom16([16]byte(body[:16])).Unmap()
	}
	if ip.IsUnspecified() || ip.IsMulticast() {
		return client, fmt.Errorf("%w: address %v, want a client's", ErrHeader, ip)
	}
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(body[need-4:])), nil
}

// noEOF is for the end in the middle of something.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
