package mls

import (
	"cmp"
	"slices"

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

// FramesAAD reports whether the authenticated data of the current epoch's messages is
// a SafeAAD (draft-ietf-mls-extensions-10, Safe Additional Authenticated Data).
func (g *PublicGroup) FramesAAD() bool { return g.now.needs.safeAAD.present }

// frameAAD returns the authenticated data of a message: aad as it is or, where it is
// framed and not given, the items of components, sorted.
func (g *PublicGroup) frameAAD(aad []byte, items message.SafeAAD) ([]byte, error) {
	switch {
	case aad != nil && items != nil:
		return nil, fail(CheckSafeAAD, "authenticated data and items of components, want one of them")
	case items != nil && !g.FramesAAD():
		return nil, fail(CheckSafeAAD, "items of components for a group without safe_aad")
	case aad != nil || !g.FramesAAD():
		_, err := g.now.readAAD(aad)
		return aad, err
	}
	return encodeAAD(items)
}

// encodeAAD encodes items after it has sorted them.
func encodeAAD(items message.SafeAAD) ([]byte, error) {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b message.ComponentData) int { return cmp.Compare(a.Component, b.Component) })
	for i := 1; i < len(items); i++ {
		if items[i].Component == items[i-1].Component { // ext-safe-aad-1
			return nil, fail(CheckSafeAAD, "two items of component %d", items[i].Component)
		}
	}
	aad, err := wire.Marshal(items)
	if err != nil {
		return nil, fail(CheckSafeAAD, "items of components: %w", err)
	}
	return aad, nil
}

// readAAD reads the authenticated data of a message of the epoch: its items if the
// group frames it, else nil.
func (s *snapshot) readAAD(data []byte) (message.SafeAAD, error) {
	if !s.needs.safeAAD.present {
		return nil, nil
	}
	items, err := message.ParseSafeAAD(data)
	if err != nil { // ext-safe-aad-1
		return nil, fail(CheckSafeAAD, "authenticated_data is no SafeAAD: %w", err)
	}
	return items, nil
}
