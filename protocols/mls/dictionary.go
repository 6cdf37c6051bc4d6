package mls

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// This file is the part of draft-ietf-mls-extensions-10 that concerns data of
// components: the app_data_dictionary, AppDataUpdate, AppEphemeral and SafeAAD.

// dictionary returns the app_data_dictionary among extensions, nil if there is none.
func (c *Config) dictionary(list message.Extensions) (d message.AppDataDictionary, err error) {
	if data, ok := list.Find(c.points().AppDataDictionary); ok {
		if err := wire.Unmarshal(data, &d); err != nil {
			return nil, fail(CheckDictionary, "app_data_dictionary: %w", err)
		}
	}
	return d, nil
}

// checkDictionary checks the app_data_dictionary among extensions.
func (c *Config) checkDictionary(what string, list message.Extensions) error {
	if _, err := c.dictionary(list); err != nil { // ext-dictionary-1
		return fail(CheckDictionary, "%s: %w", what, err)
	}
	return nil
}

// ComponentData returns a component's data in the GroupContext.
func (g *PublicGroup) ComponentData(id message.ComponentID) (data []byte, ok bool) {
	d, err := g.cfg.dictionary(g.now.context.Extensions)
	if err != nil {
		return nil, false // was checked when the epoch began
	}
	return d.Find(id)
}

// applyAppData applies AppEphemeral and then AppDataUpdate proposals to the
// extensions of the next GroupContext.
func (c *Config) applyAppData(l *list) error {
	for _, p := range l.ephemeral {
		comp, ok := c.Components[p.Component]
		if !ok || comp.Ephemeral == nil { // ext-app-ephemeral-1
			return fail(CheckAppEphemeral, "app_ephemeral for component %d, which is not known", p.Component)
		}
		if err := comp.Ephemeral(p.Data); err != nil {
			return fail(CheckAppEphemeral, "app_ephemeral for component %d: %w", p.Component, err)
		}
	}
	if len(l.appData) == 0 {
		return nil
	}
	d, err := c.dictionary(l.extensions)
	if err != nil {
		return err
	}
	var ids typeSet[message.ComponentID]
	for _, p := range l.appData {
		ids.add(p.Component)
	}
	for _, id := range ids.list {
		if d, err = c.applyComponent(d, id, l.appData); err != nil {
			return err
		}
	}
	data, err := wire.Marshal(d)
	if err != nil {
		return fail(CheckDictionary, "app_data_dictionary: %w", err)
	}
	l.extensions = l.extensions.With(c.points().AppDataDictionary, data)
	l.needs = c.needsOf(l.extensions)
	return l.needs.err
}

// applyComponent applies the updates of one component.
func (c *Config) applyComponent(d message.AppDataDictionary, id message.ComponentID, all []*message.AppDataUpdate) (message.AppDataDictionary, error) {
	comp, ok := c.Components[id]
	if !ok { // ext-app-data-1
		return nil, fail(CheckAppDataUnknown, "app_data_update for component %d, which is not known", id)
	}
	var updates [][]byte
	removes := 0
	for _, p := range all {
		switch {
		case p.Component != id:
		case p.Op == message.AppDataRemove:
			removes++
		default:
			updates = append(updates, p.Update)
		}
	}
	old, present := d.Find(id)
	switch {
	case removes > 1 || removes == 1 && len(updates) > 0: // ext-app-data-2
		return nil, fail(CheckAppDataList, "component %d is removed %d times and updated %d times in one Commit", id, removes, len(updates))
	case removes == 1 && !present: // ext-app-data-3
		return nil, fail(CheckAppDataRemove, "component %d is to be removed and has no data", id)
	case removes == 1:
		return d.Without(id), nil
	case comp.Update == nil: // ext-app-data-4
		return nil, fail(CheckAppDataRejected, "component %d takes no updates", id)
	}
	data, err := comp.Update(old, updates)
	if err != nil {
		return nil, fail(CheckAppDataRejected, "component %d: %w", id, err)
	}
	return d.With(id, data), nil
}

// checkAAD checks that authenticated data is framed if the group frames it.
func (g *PublicGroup) checkAAD(data []byte) error { return g.checkAADOf(g.now, data) }

// checkAADOf is checkAAD for a message of the epoch that snap is of.
func (g *PublicGroup) checkAADOf(snap *snapshot, data []byte) error {
	if !snap.needs.safeAAD.present {
		return nil
	}
	var aad message.SafeAAD
	if err := wire.Unmarshal(data, &aad); err != nil { // ext-safe-aad-1
		return fail(CheckSafeAAD, "authenticated_data is no SafeAAD: %w", err)
	}
	return nil
}
