package content_test

import (
	"bytes"
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
)

// published returns the names of the messages in the vectors of the draft.
func published() []string {
	var names []string
	for _, name := range vectors.Names("mimi-content") {
		name, ok := strings.CutSuffix(name, ".cbor")
		if ok && !strings.Contains(name, "implied-") {
			names = append(names, strings.TrimPrefix(name, "mimi-content/"))
		}
	}
	return names
}

// idComment is where an example says what its ID is.
var idComment = regexp.MustCompile(`# message ID = h'([0-9a-f]{32})\n# +([0-9a-f]{32})'`)

// TestPublished reads the draft's examples, writes them again and computes their
// IDs.
func TestPublished(t *testing.T) {
	t.Parallel()
	names := published()
	if len(names) != 14 {
		t.Errorf("%d messages, want 14", len(names))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := vectorstest.Read(t, "mimi-content/"+name+".cbor")
			m, err := content.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := m.Marshal(); err != nil || !bytes.Equal(got, b) {
				t.Errorf("wrote %x (%v)\nwant  %x", got, err, b)
			}
			sender, ok1 := m.SenderURI()
			room, ok2 := m.RoomURI()
			id, err := m.ID(sender, room)
			if err != nil || !ok1 || !ok2 {
				t.Fatal(err, ok1, ok2)
			}
			want := idComment.FindSubmatch(vectorstest.Read(t, "mimi-content/"+name+".edn"))
			if want == nil {
				t.Fatal("the example says no ID")
			}
			if w := string(want[1]) + string(want[2]); id.String() != w {
				t.Errorf("ID %s, want %s", id, w)
			}
		})
	}
}

// TestPublishedImplied compares the implied values of the draft with those of the
// message they are about. In CBOR they have the ID of revision -07, whose hash had
// no lengths in it; only the notation follows the draft.
func TestPublishedImplied(t *testing.T) {
	t.Parallel()
	original := vectorstest.Read(t, "mimi-content/original.cbor")
	var implied struct {
		_            struct{} `cbor:",toarray"`
		ID           []byte
		Accepted     uint64
		Group        []byte
		Leaf         uint32
		Client       string
		Sender, Room string
	}
	if err := cbor.Unmarshal(vectorstest.Read(t, "mimi-content/implied-original.cbor"), &implied); err != nil {
		t.Fatal(err)
	}
	m, err := content.Parse(original)
	if err != nil {
		t.Fatal(err)
	}
	id, err := content.IDOf(implied.Sender, implied.Room, original, m.Salt)
	if err != nil {
		t.Fatal(err)
	}
	notation := regexp.MustCompile(`[^0-9a-z']`).ReplaceAll(vectorstest.Read(t, "mimi-content/implied-original.edn"), nil)
	if !bytes.Contains(notation, []byte("h'"+id.String()+"'")) {
		t.Errorf("ID %s, which the notation does not have", id)
	}
	old := sha256.Sum256([]byte(implied.Sender + implied.Room + string(original) + string(m.Salt[:])))
	if want := append([]byte{1}, old[:31]...); !bytes.Equal(implied.ID, want) {
		t.Errorf("the stale ID is %x, want %x", implied.ID, want)
	}
}

// TestPublishedStatus reads the draft's status report and writes it again.
func TestPublishedStatus(t *testing.T) {
	t.Parallel()
	b := vectorstest.Read(t, "mimi-status/status.cbor")
	report, err := content.ParseStatusReport(b)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := report.Marshal(); err != nil || !bytes.Equal(got, b) {
		t.Errorf("wrote %x (%v)\nwant  %x", got, err, b)
	}
	var got []content.Status
	for _, r := range report {
		got = append(got, r.Status)
	}
	if want := []content.Status{content.StatusRead, content.StatusRead, content.StatusUnread, content.StatusExpired}; len(got) != 4 || [4]content.Status(got) != [4]content.Status(want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
	// The reports are on the messages of the content draft.
	for i, name := range []string{"original", "reply", "mention", "expiring"} {
		m, err := content.Parse(vectorstest.Read(t, "mimi-content/"+name+".cbor"))
		if err != nil {
			t.Fatal(err)
		}
		sender, _ := m.SenderURI()
		room, _ := m.RoomURI()
		if id, err := m.ID(sender, room); err != nil || id != report[i].MessageID {
			t.Errorf("%s: ID %s (%v), want %s", name, id, err, report[i].MessageID)
		}
	}
}
