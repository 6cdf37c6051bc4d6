package rooms

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
)

// Restart makes all machines again from their records, and nothing else. Nothing may
// be under way.
func (w *World) Restart() error {
	if w.busy > 0 {
		return errors.New("rooms: restart while something is under way, want it after Settle")
	}
	for _, domain := range slices.Sorted(maps.Keys(w.providers)) {
		if err := w.restartProvider(w.providers[domain]); err != nil {
			return fmt.Errorf("rooms: restart of %s: %w", domain, err)
		}
	}
	for _, d := range w.Devices() {
		if err := w.restartDevice(d); err != nil {
			return fmt.Errorf("rooms: restart of %s: %w", d.Name, err)
		}
		if _, err := w.Do(d, member.Resume{}); err != nil {
			return err
		}
		w.stepFollower(d.provider, follower.Connect{Client: d.URI}, w.must("connect"))
	}
	return w.err
}
