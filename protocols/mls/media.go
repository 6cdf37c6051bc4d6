package mls

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// This file is the Content Advertisement of draft-ietf-mls-extensions-10: which media
// types members take, and the framing of application data that says which one it is.

// media is the content_media_types of a GroupContext or a leaf.
type media struct {
	present bool
	list    message.MediaTypeList
}

// mediaTypes reads the content_media_types of a dictionary, which "must contain at
// least one item".
func mediaTypes(what string, d message.AppDataDictionary, id message.ComponentID) (m media, err error) {
	data, ok := d.Find(id)
	if !ok {
		return m, nil
	}
	if err := wire.Unmarshal(data, &m.list); err != nil { // ext-content-1
		return m, fail(CheckMediaTypes, "content_media_types of %s: %w", what, err)
	}
	if len(m.list) == 0 { // ext-content-1
		return m, fail(CheckMediaTypes, "content_media_types of %s has no media type, want 1 at least", what)
	}
	return media{true, m.list}, nil
}

// mediaKey is equal for media types that are the same: types and names of parameters
// regardless of case and the order of parameters (RFC 2045, Section 5.1). Of values
// only some parameters say whether case counts; here it does.
func mediaKey(m *message.MediaType) string {
	c := message.MediaType{Type: bytes.ToLower(m.Type), Parameters: slices.Clone(m.Parameters)}
	for i := range c.Parameters {
		c.Parameters[i].Name = bytes.ToLower(c.Parameters[i].Name)
	}
	slices.SortFunc(c.Parameters, func(a, b message.Parameter) int {
		return cmp.Or(bytes.Compare(a.Name, b.Name), bytes.Compare(a.Value, b.Value))
	})
	b, _ := wire.Marshal(&c) // it was read from a message, or one that holds it fails
	return string(b)
}

// checkMedia checks that a leaf supports the media types that the GroupContext
// requires.
func (c *Config) checkMedia(l *message.LeafNode, d message.AppDataDictionary, p place) error {
	if !p.needs.media.present {
		return nil
	}
	own, err := mediaTypes(p.what, d, c.points().ContentMediaTypes)
	if err != nil {
		return err
	}
	// The leaf's list may be long, and what is required is short or a leaf that lacks
	// some of it comes soon.
	has := make(map[string]bool)
	for i := range own.list {
		if key := mediaKey(&own.list[i]); p.needs.mediaKeys[key] {
			has[key] = true
		}
	}
	for i := range p.needs.media.list {
		m := &p.needs.media.list[i]
		if has[mediaKey(m)] || c.KnowsMedia != nil && c.KnowsMedia(l, m) {
			continue
		}
		return fail(CheckMediaTypes, "%s does not support media type %q, which is required", p.what, m.Type) // ext-content-1
	}
	return nil
}

// FramesMedia reports whether the application data of the current epoch is framed
// with its media type.
func (g *PublicGroup) FramesMedia() bool { return g.now.needs.media.present }

// Frame returns the application data for content of a media type, as the group has
// it: framed if content_media_types is in the GroupContext, else the content alone.
// The zero MediaType stands for the first that the group requires. It is what
// [Group.Protect] takes; a component may want to say something of it in the
// authenticated data.
func (g *PublicGroup) Frame(m message.MediaType, content []byte) ([]byte, error) {
	if !g.FramesMedia() {
		return content, nil
	}
	data, err := wire.Marshal(&message.ApplicationFraming{MediaType: m, Content: content})
	if err != nil { // ext-content-2
		return nil, fail(CheckApplicationFraming, "application data: %w", err)
	}
	return data, nil
}

// unframe takes application data of an epoch apart. The media type is nil in a group
// that does not frame it.
func (s *snapshot) unframe(data []byte) (*message.MediaType, []byte, error) {
	if !s.needs.media.present {
		return nil, data, nil
	}
	var f message.ApplicationFraming
	if err := wire.Unmarshal(data, &f); err != nil { // ext-content-2
		return nil, nil, fail(CheckApplicationFraming, "application data is no ApplicationFraming: %w", err)
	}
	if len(f.MediaType.Type) > 0 {
		return &f.MediaType, f.Content, nil
	}
	if len(f.MediaType.Parameters) > 0 { // ext-content-2
		return nil, nil, fail(CheckApplicationFraming, "application data has parameters of no media type")
	}
	return &s.needs.media.list[0], f.Content, nil
}
