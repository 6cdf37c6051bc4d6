package serve

import "github.com/mimi-lab/mimi-lab/protocols/dma"

// Groups returns the groups that the user is in, as far as the device knows: a
// dma.FetchGroups, once it is settled, makes it know all. They are made, changed, left and
// written to by Do.
func (d *Device) Groups() []dma.Group {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.machine.Groups()
}
