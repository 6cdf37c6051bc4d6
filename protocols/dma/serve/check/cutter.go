package check

import (
	"net"
	"sync"
)

// cutter is a listener whose connections can be cut.
type cutter struct {
	net.Listener

	mu   sync.Mutex // guards open
	open map[*cut]struct{}
}

func newCutter(l net.Listener) *cutter { return &cutter{Listener: l, open: map[*cut]struct{}{}} }

// Accept implements net.Listener.
func (c *cutter) Accept() (net.Conn, error) {
	nc, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	k := &cut{Conn: nc, of: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[k] = struct{}{}
	return k, nil
}

// cut closes all connections there are.
func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.open {
		_ = k.Conn.Close()
	}
}

// cut is one of them.
type cut struct {
	net.Conn
	of *cutter
}

// Close implements net.Conn.
func (k *cut) Close() error {
	k.of.mu.Lock()
	delete(k.of.open, k)
	k.of.mu.Unlock()
	return k.Conn.Close()
}
