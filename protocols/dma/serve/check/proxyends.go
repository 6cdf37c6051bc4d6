package check

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/proxy"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// maxArrivals is how many connections a proxy may make before the rest is closed.
const maxArrivals = 1000

// accept takes what the proxy connects.
func (r *proxyRun) accept() {
	for {
		nc, err := r.cfg.Listener.Accept()
		if err != nil {
			return
		}
		a := &arrival{nc: nc}
		if r.count() >= maxArrivals {
			_ = nc.Close()
			continue
		}
		r.note(func() { r.arrived = append(r.arrived, a) })
		r.serves.Go(func() {
			_ = r.serve(a) // what comes of it is in a
			_ = nc.Close()
			r.note(func() { a.gone = true })
		})
	}
}

// serve is the gatekeeper's end of a connection.
func (r *proxyRun) serve(a *arrival) error {
	in := bufio.NewReader(a.nc)
	// Without a header the connection begins with the device's own bytes.
	if head, err := in.Peek(1); err != nil {
		return err
	} else if head[0] != '\r' {
		r.note(func() { a.err = fmt.Errorf("%w: begins with %q", proxy.ErrHeader, head) })
	} else {
		client, err := proxy.ReadHeader(in)
		r.note(func() { a.client, a.err = client, err })
		if err != nil {
			return err
		}
	}
	peer, channel, err := r.shake(in, a)
	if err != nil {
		return err
	}
	r.note(func() { a.peer, a.channel, a.shaken = peer, channel, true })
	for {
		body, err := noise.ReadFrame(in, maxFrame, nil)
		if err == nil {
			body, err = channel.Open(body)
		}
		if err != nil {
			return err
		}
		r.note(func() {
			if len(a.stanzas) < 10 {
				a.stanzas = append(a.stanzas, body)
			}
		})
	}
}

// shake is the gatekeeper's handshake.
func (r *proxyRun) shake(in *bufio.Reader, a *arrival) (*noise.Peer, *noise.Channel, error) {
	var got, said bytes.Buffer
	defer func() {
		r.note(func() {
			a.in.Write(got.Bytes())
			a.out.Write(said.Bytes())
		})
	}()
	return noise.Accept(io.TeeReader(in, &got), io.MultiWriter(&said, a.nc), noise.ServerConfig{Config: r.noise(r.static)})
}

func (r *proxyRun) noise(k suite.KeyPair) noise.Config {
	return noise.Config{Dialect: r.cfg.Dialect, Suite: r.cfg.Suite, Static: k}
}

// dial connects to the proxy as a device, from an address if it is one, with something
// before the handshake if that is not nil. That the handshake fails is in what it returns.
func (r *proxyRun) dial(ctx context.Context, from netip.Addr, before []byte) (*dialed, error) {
	dialer := net.Dialer{Timeout: r.cfg.Timeout}
	if from.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	nc, err := dialer.DialContext(ctx, "tcp", r.cfg.Proxy)
	if err != nil {
		return nil, err
	}
	d := &dialed{nc: nc}
	if d.static, err = r.cfg.Suite.GenerateKeyPair(); err != nil {
		_ = nc.Close()
		return nil, err
	}
	if err := nc.SetDeadline(time.Now().Add(r.cfg.Timeout)); err != nil {
		_ = nc.Close()
		return nil, err
	}
	if before != nil {
		_, d.err = nc.Write(before)
	}
	if d.err == nil {
		d.err = r.shakeAs(d)
	}
	return d, nc.SetDeadline(time.Time{})
}

// shakeAs is the device's handshake, with the gatekeeper and nobody else.
func (r *proxyRun) shakeAs(d *dialed) error {
	var err error
	said, heard := io.MultiWriter(d.nc, &d.out), io.TeeReader(d.nc, &d.in)
	d.channel, err = noise.Connect(heard, said, time.Now(), r.noise(d.static), noise.Trust{Pin: r.static.Public}, &noise.ClientPayload{Username: 1})
	return err
}

// maxFrame bounds what is read here after a handshake: short messages.
const maxFrame = 16 << 10
