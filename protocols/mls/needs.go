package mls

import (
	"maps"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// This file is about what a GroupContext asks of members and what a leaf says that
// its client supports (RFC 9420, Section 11.1; draft-ietf-mls-extensions-10,
// Negotiating Extensions and Components).

// needs is what a GroupContext asks of members, read once for all of them.
type needs struct {
	context     message.Extensions
	required    message.RequiredCapabilities
	wireFormats message.WireFormats
	components  required // app_components
	safeAAD     required // safe_aad
	media       media    // content_media_types
	mediaKeys   map[string]bool
	err         error // the extensions are malformed
}

// required is a list of components in the app_data_dictionary of a GroupContext.
type required struct {
	present bool
	list    message.ComponentsList
}

// needsOf reads the extensions of a GroupContext.
func (c *Config) needsOf(context message.Extensions) *needs {
	n := &needs{context: context}
	n.err = n.read(c)
	return n
}

func (n *needs) read(c *Config) error {
	if data, ok := n.context.Find(message.ExtensionRequiredCapabilities); ok {
		if err := wire.Unmarshal(data, &n.required); err != nil { // 11.1-2
			return fail(CheckRequired, "required_capabilities: %w", err)
		}
	}
	if data, ok := n.context.Find(c.points().RequiredWireFormats); ok {
		if err := wire.Unmarshal(data, &n.wireFormats); err != nil { // ext-wire-formats-1
			return fail(CheckWireFormats, "required_wire_formats: %w", err)
		}
	}
	d, err := c.dictionary(n.context)
	if err != nil { // ext-dictionary-1
		return fail(CheckDictionary, "GroupContext: %w", err)
	}
	if n.components, err = components(d, c.points().AppComponents); err != nil { // ext-app-components-1
		return fail(CheckAppComponents, "app_components of the GroupContext: %w", err)
	}
	if n.safeAAD, err = components(d, c.points().SafeAAD); err != nil { // ext-safe-aad-2
		return fail(CheckSafeAADComponents, "safe_aad of the GroupContext: %w", err)
	}
	if n.media, err = mediaTypes("the GroupContext", d, c.points().ContentMediaTypes); err != nil {
		return err
	}
	n.mediaKeys = make(map[string]bool, len(n.media.list))
	for i := range n.media.list {
		n.mediaKeys[mediaKey(&n.media.list[i])] = true
	}
	return nil
}

// components reads a list of components from a dictionary.
func components(d message.AppDataDictionary, id message.ComponentID) (r required, err error) {
	data, ok := d.Find(id)
	if !ok {
		return r, nil
	}
	return required{true, r.list}, wire.Unmarshal(data, &r.list)
}

// sameLists reports whether what is to be looked up in every leaf is as in o.
func (n *needs) sameLists(o *needs) bool {
	return slices.Equal(n.wireFormats, o.wireFormats) &&
		slices.Equal(n.components.list, o.components.list) &&
		slices.Equal(n.safeAAD.list, o.safeAAD.list) &&
		maps.Equal(n.mediaKeys, o.mediaKeys)
}

// checkLists checks what a leaf's extensions say that it supports, beyond its
// capabilities, against what the GroupContext requires.
func (c *Config) checkLists(l *message.LeafNode, p place) error {
	n := p.needs
	if err := c.checkWireFormats(l, p); err != nil {
		return err
	}
	if len(n.components.list)+len(n.safeAAD.list)+len(n.media.list) == 0 {
		return nil
	}
	d, err := c.dictionary(l.Extensions)
	if err != nil {
		return fail(CheckDictionary, "%s: %w", p.what, err)
	}
	id := c.points().AppComponents
	if err := supports(CheckAppComponents, p.what, d, id, n.components.list); err != nil { // ext-app-components-1
		return err
	}
	if err := supports(CheckSafeAADComponents, p.what, d, c.points().SafeAAD, n.safeAAD.list); err != nil { // ext-safe-aad-2
		return err
	}
	return c.checkMedia(l, d, p)
}

// supports checks that the list of a component in a leaf's dictionary has what is
// required.
func supports(check Check, what string, d message.AppDataDictionary, id message.ComponentID, list message.ComponentsList) error {
	if len(list) == 0 {
		return nil
	}
	own, err := components(d, id)
	if err != nil {
		return fail(check, "%s: component %d: %w", what, id, err)
	}
	set := newTypeSet(own.list)
	for _, want := range list {
		if !set.has(want) {
			return fail(check, "%s does not list component %d in component %d, which is required", what, want, id)
		}
	}
	return nil
}

// checkWireFormats checks that a leaf supports the wire formats that the
// GroupContext requires; those of RFC 9420 need not be listed.
func (c *Config) checkWireFormats(l *message.LeafNode, p place) error {
	if len(p.needs.wireFormats) == 0 {
		return nil
	}
	var supported message.WireFormats
	if data, ok := l.Extensions.Find(c.points().SupportedWireFormats); ok {
		if err := wire.Unmarshal(data, &supported); err != nil {
			return fail(CheckWireFormats, "%s: supported_wire_formats: %w", p.what, err)
		}
	}
	set := newTypeSet(supported)
	for _, f := range p.needs.wireFormats { // ext-wire-formats-1
		if f > message.WireKeyPackage && !set.has(f) {
			return fail(CheckWireFormats, "%s does not support wire format %v, which is required", p.what, f)
		}
	}
	return nil
}

// addComponents lets a leaf that supports app_data_dictionary say which components
// its client supports: such a leaf has to advertise app_components
// (draft-ietf-mls-extensions-10, Attaching Application Data to MLS Messages). What
// the leaf says already stays. unknown is a GREASE value to add, unless it is 0.
func (c *Config) addComponents(l *message.LeafNode, unknown message.ComponentID) error {
	p := c.points()
	if !l.Capabilities.SupportsExtension(p.AppDataDictionary) {
		return nil
	}
	d, err := c.dictionary(l.Extensions)
	if err != nil {
		return fail(CheckDictionary, "own leaf: %w", err)
	}
	known := message.ComponentsList{p.AppComponents, p.SafeAAD, p.LastResortKeyPackage}
	if c.MediaTypes != nil {
		known = append(known, p.ContentMediaTypes)
	}
	var aad message.ComponentsList
	for id, comp := range c.Components {
		known = append(known, id)
		if comp.SafeAAD {
			aad = append(aad, id)
		}
	}
	sorted := func(list message.ComponentsList) message.ComponentsList {
		slices.Sort(list)
		list = slices.Compact(list)
		if unknown != 0 {
			list = append(list, unknown)
		}
		return list
	}
	add := func(id message.ComponentID, v wire.Marshaler) {
		if _, ok := d.Find(id); ok || err != nil {
			return
		}
		var data []byte
		if data, err = wire.Marshal(v); err == nil {
			d = d.With(id, data)
		}
	}
	add(p.AppComponents, sorted(known))
	if len(aad) > 0 {
		add(p.SafeAAD, sorted(aad))
	}
	if c.MediaTypes != nil {
		add(p.ContentMediaTypes, c.MediaTypes)
	}
	if unknown != 0 {
		d = d.With(unknown, []byte{})
	}
	if err != nil {
		return fail(CheckDictionary, "own leaf: %w", err)
	}
	data, err := wire.Marshal(d)
	if err != nil {
		return fail(CheckDictionary, "own leaf: %w", err)
	}
	l.Extensions = l.Extensions.With(p.AppDataDictionary, data)
	return nil
}
