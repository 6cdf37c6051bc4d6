package room

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// RichDescription is a description of a room in one language and form
// (mimi-protocol-06, Room Metadata):
//
//	struct {
//	    opaque media_type<V>;          // empty: text/plain;charset=utf-8
//	    opaque language_tag<V>;
//	    opaque description_content<V>;
//	} RichDescription;
type RichDescription struct {
	MediaType   string `json:"media_type"`
	LanguageTag string `json:"language_tag"`
	Content     Opaque `json:"description_content"`
}

func (d *RichDescription) UnmarshalTLS(r *wire.Reader) {
	d.MediaType = readText(r)
	d.LanguageTag = readText(r)
	d.Content = r.Opaque()
}

func (d *RichDescription) MarshalTLS(w *wire.Writer) {
	writeText(w, d.MediaType)
	writeText(w, d.LanguageTag)
	w.Opaque(d.Content)
}

// RoomMetaData is the data of the room_metadata component, and what an update of
// it holds:
//
//	struct {
//	    Uri room_uri;
//	    UTF8String room_name;
//	    RichDescription room_descriptions<V>;
//	    Uri room_avatar;              // https, resolving to an image
//	    UTF8String room_subject;
//	    UTF8String room_mood;
//	} RoomMetaData;
//
//	struct { opaque uri<V>; } Uri;
//	struct { opaque string<V>; } UTF8String;
type RoomMetaData struct {
	URI          string            `json:"room_uri"`
	Name         string            `json:"room_name"`
	Descriptions []RichDescription `json:"room_descriptions"`
	Avatar       string            `json:"room_avatar"`
	Subject      string            `json:"room_subject"`
	Mood         string            `json:"room_mood"`
}

func (m *RoomMetaData) UnmarshalTLS(r *wire.Reader) {
	m.URI = readURI(r)
	m.Name = readText(r)
	m.Descriptions = wire.List[RichDescription](r)
	m.Avatar = readURI(r)
	m.Subject = readText(r)
	m.Mood = readText(r)
}

func (m *RoomMetaData) MarshalTLS(w *wire.Writer) {
	writeURI(w, m.URI)
	writeText(w, m.Name)
	wire.PutList(w, m.Descriptions)
	writeURI(w, m.Avatar)
	writeText(w, m.Subject)
	writeText(w, m.Mood)
}
