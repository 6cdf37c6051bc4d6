package message

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ComponentData is the data of one component (draft-ietf-mls-extensions-10,
// Attaching Application Data to MLS Messages):
//
//	struct {
//	    ComponentID component_id;
//	    opaque data<V>;
//	} ComponentData;
type ComponentData struct {
	Component ComponentID
	Data      []byte
}

func (c *ComponentData) UnmarshalTLS(r *wire.Reader) {
	c.Component = ComponentID(r.Uint16())
	c.Data = r.Opaque()
}

func (c *ComponentData) MarshalTLS(w *wire.Writer) {
	w.Uint16(uint16(c.Component))
	w.Opaque(c.Data)
}

// AppDataDictionary is the data of an app_data_dictionary extension: ComponentData
// component_data<V>, ascending by component.
type AppDataDictionary []ComponentData

// UnmarshalTLS refuses entries that do not ascend.
func (d *AppDataDictionary) UnmarshalTLS(r *wire.Reader) {
	*d = wire.List[ComponentData](r)
	ascending(r, *d, func(c ComponentData) ComponentID { return c.Component })
}

func (d AppDataDictionary) MarshalTLS(w *wire.Writer) { wire.PutList(w, []ComponentData(d)) }

// Find returns a component's data.
func (d AppDataDictionary) Find(id ComponentID) (data []byte, ok bool) {
	i, ok := d.search(id)
	if !ok {
		return nil, false
	}
	return d[i].Data, true
}

// With returns the dictionary with a component's data set. The dictionary itself
// is not changed.
func (d AppDataDictionary) With(id ComponentID, data []byte) AppDataDictionary {
	i, ok := d.search(id)
	d = slices.Clone(d)
	if ok {
		d[i].Data = data
		return d
	}
	return slices.Insert(d, i, ComponentData{id, data})
}

// Without returns the dictionary without a component. The dictionary itself is not
// changed.
func (d AppDataDictionary) Without(id ComponentID) AppDataDictionary {
	return slices.DeleteFunc(slices.Clone(d), func(c ComponentData) bool { return c.Component == id })
}

func (d AppDataDictionary) search(id ComponentID) (int, bool) {
	return slices.BinarySearchFunc(d, id, func(c ComponentData, id ComponentID) int { return cmp.Compare(c.Component, id) })
}

// ascending fails the reading if components do not ascend.
func ascending[T any](r *wire.Reader, list []T, id func(T) ComponentID) {
	for i := 1; i < len(list); i++ {
		if a, b := id(list[i-1]), id(list[i]); a >= b {
			r.Fail(fmt.Errorf("component %d after %d, want ascending order", b, a))
			return
		}
	}
}

// SafeAAD is authenticated data by component (draft-ietf-mls-extensions-10, Safe
// Additional Authenticated Data):
//
//	struct {
//	    ComponentID component_id;
//	    opaque aad_item_data<V>;
//	} SafeAADItem;
//
//	struct { SafeAADItem aad_items<V>; } SafeAAD;
type SafeAAD []ComponentData

// ParseSafeAAD reads the authenticated_data of a message of a group that has safe_aad
// in its GroupContext: see [PrivateMessage.SafeAAD] for one that is encrypted.
func ParseSafeAAD(authenticatedData []byte) (SafeAAD, error) {
	var a SafeAAD
	if err := wire.Unmarshal(authenticatedData, &a); err != nil {
		return nil, fmt.Errorf("message: SafeAAD: %w", err)
	}
	return a, nil
}

// Find returns a component's item.
func (a SafeAAD) Find(id ComponentID) (data []byte, ok bool) { return AppDataDictionary(a).Find(id) }

// UnmarshalTLS refuses items that do not ascend.
func (a *SafeAAD) UnmarshalTLS(r *wire.Reader) { (*AppDataDictionary)(a).UnmarshalTLS(r) }
func (a SafeAAD) MarshalTLS(w *wire.Writer)    { AppDataDictionary(a).MarshalTLS(w) }

// ComponentsList is the data of the app_components and safe_aad components:
// ComponentID component_ids<V>.
type ComponentsList []ComponentID

func (l *ComponentsList) UnmarshalTLS(r *wire.Reader) { *l = wire.Codes[ComponentID](r) }
func (l ComponentsList) MarshalTLS(w *wire.Writer)    { wire.PutCodes(w, l) }

// WireFormats is the data of the supported_wire_formats and required_wire_formats
// extensions: WireFormat wire_formats<V>.
type WireFormats []WireFormat

func (f *WireFormats) UnmarshalTLS(r *wire.Reader) { *f = wire.Codes[WireFormat](r) }
func (f WireFormats) MarshalTLS(w *wire.Writer)    { wire.PutCodes(w, f) }

// Parameter is a parameter of a media type (draft-ietf-mls-extensions-10, Content
// Advertisement):
//
//	struct {
//	    opaque parameter_name<V>;
//	    opaque parameter_value<V>;
//	} Parameter;
type Parameter struct{ Name, Value []byte }

func (p *Parameter) UnmarshalTLS(r *wire.Reader) {
	p.Name = r.Opaque()
	p.Value = r.Opaque()
}

func (p *Parameter) MarshalTLS(w *wire.Writer) {
	w.Opaque(p.Name)
	w.Opaque(p.Value)
}

// MediaType is a media type with parameters:
//
//	struct {
//	    opaque type<V>;
//	    Parameter parameters<V>;
//	} MediaType;
type MediaType struct {
	Type       []byte // top-level type, "/" and subtype
	Parameters []Parameter
}

func (m *MediaType) UnmarshalTLS(r *wire.Reader) {
	m.Type = r.Opaque()
	m.Parameters = wire.List[Parameter](r)
}

func (m *MediaType) MarshalTLS(w *wire.Writer) {
	w.Opaque(m.Type)
	wire.PutList(w, m.Parameters)
}

// MediaTypeList is the data of the content_media_types component: MediaType
// media_type_list<V>.
type MediaTypeList []MediaType

func (l *MediaTypeList) UnmarshalTLS(r *wire.Reader) { *l = wire.List[MediaType](r) }
func (l MediaTypeList) MarshalTLS(w *wire.Writer)    { wire.PutList(w, []MediaType(l)) }

// ApplicationFraming is application data with its media type; an empty type stands
// for the first that the group requires (draft-ietf-mls-extensions-10, Framing of
// application_data):
//
//	struct {
//	    MediaType media_type;
//	    opaque inner_application_content<V>;
//	} ApplicationFraming;
type ApplicationFraming struct {
	MediaType MediaType
	Content   []byte
}

func (f *ApplicationFraming) UnmarshalTLS(r *wire.Reader) {
	f.MediaType.UnmarshalTLS(r)
	f.Content = r.Opaque()
}

func (f *ApplicationFraming) MarshalTLS(w *wire.Writer) {
	f.MediaType.MarshalTLS(w)
	w.Opaque(f.Content)
}
