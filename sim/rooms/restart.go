package rooms

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
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
		m, err := member.Restore(d.config, d.store.records())
		if err != nil {
			return fmt.Errorf("rooms: restart of %s: %w", d.Name, err)
		}
		d.member = m
		if _, err := w.Do(d, member.Resume{}); err != nil {
			return err
		}
		if _, err := w.stepFollower(d.provider, follower.Connect{Client: d.URI}); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) restartProvider(p *Provider) (err error) {
	if p.hub, err = hub.Restore(p.hubConfig, p.hubStore.records()); err != nil {
		return err
	}
	if p.follower, err = follower.Restore(p.followerConfig, p.followerStore.records()); err != nil {
		return err
	}
	_, err = w.stepHub(p, hub.Resume{})
	return err
}
