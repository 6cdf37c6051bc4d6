// Package proxy runs a partner's proxy, the machine dma.Proxy, on sockets. The technical
// specification in WhatsApp's Reference Offer 1.0.3 of 26 September 2025 lets a partner put
// one between its users' devices and the gatekeeper, under four rules:
//
//  1. exactly one connection to the gatekeeper per client;
//  2. connected to the gatekeeper only while the client is connected to it;
//  3. it passes on the client's IP address;
//  4. it never decrypts messages.
//
// This one does not even end the chat channel: the device's Noise handshake (package noise)
// is with the gatekeeper, and the proxy moves bytes that neither it nor anybody else on the
// way can read or change unnoticed. A proxy that ends the channel keeps rule 4 too, and sees
// who writes to whom.
//
//	device ── Noise ─────────────────────────────────────────▶ gatekeeper
//	device ── TCP ──▶ proxy ── TCP: header, then the same ───▶ gatekeeper
//
// In which form the IP address is passed on is not public: assumed to be the header of the
// PROXY protocol, version 2 (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt),
// at the beginning of the connection:
//
//	 0                12    13       14       16
//	 0d0a0d0a000d0a515549540a  21   11 or 21  length
//	16: source address, destination address, source port, destination port
//
// A header is a claim. A gatekeeper takes it on a listener of its own from addresses of
// proxies alone: see [Listen]. A proxy starts with [New] and serves with [Server.Serve].
package proxy
