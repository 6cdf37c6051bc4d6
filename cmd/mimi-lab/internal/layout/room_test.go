package layout

import (
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	rooms "github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// TestRoomComponents: what the components of a room hold is shown, and what does not
// fit is called so.
func TestRoomComponents(t *testing.T) {
	t.Parallel()
	p := &rooms.DefaultPoints
	for _, tt := range []struct {
		name string
		id   message.ComponentID
		data wire.Marshaler
		cut  int // bytes left out at the end
		want []string
	}{
		{"participants", p.ParticipantList, &rooms.ParticipantListUpdate{
			Changed: []rooms.UserIndexRolePair{{Index: 1, Role: 3}}, Removed: []uint32{4, 7},
			Added: []rooms.UserRolePair{{User: "mimi://b.example/u/bob", Role: 2}},
		}, 0, []string{"participant_list (34)", "user_index: 1", "role_index: 3", "removedIndices: 4, 7", `"mimi://b.example/u/bob"`, "role_index: 2"}},
		{"metadata", p.RoomMetadata, &rooms.RoomMetaData{
			URI: "mimi://a.example/r/clubhouse", Name: "Clubhouse", Descriptions: []rooms.RichDescription{{LanguageTag: "en", Content: []byte("Ours")}}, Mood: "calm",
		}, 0, []string{"room_metadata (35)", `room_uri: 28 bytes "mimi://a.example/r/clubhouse"`, `"Clubhouse"`, `language_tag: 2 bytes "en"`, `"Ours"`, `room_mood: 4 bytes "calm"`}},
		{"cut off", p.RoomMetadata, &rooms.RoomMetaData{URI: "mimi://a.example/r/clubhouse"}, 1, []string{"not well-formed"}},
		{"known by name", p.BaseRoomPolicy, &message.ComponentsList{}, 0, []string{"base_room_policy (39)"}},
	} {
		data, err := wire.Marshal(tt.data)
		if err != nil {
			t.Fatal(err)
		}
		b, err := wire.Marshal(&message.Proposal{Type: points.AppDataUpdate, Body: &message.AppDataUpdate{Component: tt.id, Op: message.AppDataSet, Update: data[:len(data)-tt.cut]}})
		if err != nil {
			t.Fatal(err)
		}
		m, err := Read(b, Proposal)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var out strings.Builder
		if err := m.Fields.Write(&out, outline.Style{Columns: 80}); err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %s in\n%s", tt.name, want, &out)
			}
		}
	}
}
