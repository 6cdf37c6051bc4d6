package stanza

import (
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/layout"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// contents are the structs that elements of rooms carry, by what leads to them: the
// parent's tag and the own, with the type of the iq where that decides.
var contents = map[string]layout.Kind{
	"message/enc":              layout.MLSMessage,
	"accepted/frank":           layout.Frank,
	"update/commit":            layout.MLSMessage,
	"update/proposal":          layout.MLSMessage,
	"update/welcome":           layout.MLSMessage,
	"update/group-info":        layout.GroupInfoOption,
	"update/ratchet-tree":      layout.RatchetTreeOption,
	"create/group-info":        layout.GroupInfo,
	"create/ratchet-tree":      layout.RatchetTree,
	"key-packages/key-package": layout.KeyPackage,
	"iq set/consent":           layout.ConsentEntry,
	"iq set/abuse":             layout.AbuseReport,
	"notification/consent":     layout.ConsentEntry,
	"iq get/key-material":      layout.KeyMaterialRequest,
	"iq get/group-info":        layout.GroupInfoRequest,
	"iq get/identifiers":       layout.IdentifierRequest,
	"iq result/update":         layout.UpdateRoomResponse,
	"iq result/key-material":   layout.KeyMaterialResponse,
	"iq result/group-info":     layout.GroupInfoResponse,
	"iq result/identifiers":    layout.IdentifierResponse,
}

// ofRoom reports whether a stanza is of a room of MIMI, so that its data is in the
// presentation language.
func ofRoom(n *stanza.Node) bool {
	switch n.Tag {
	case "message", "ack":
		_, ok := n.Attr("room")
		return ok
	case "iq":
		v, _ := n.Attr("xmlns")
		return v == stanza.NamespaceMIMI
	case "notification":
		v, _ := n.Attr("type")
		return v == string(stanza.NotifyMIMI)
	}
	return false
}

// content is what data in an element is.
type content struct {
	ReadAs  layout.Kind   `json:"read_as"`
	Fields  *outline.Node `json:"fields,omitempty"`
	Problem string        `json:"problem,omitempty"` // why it is not well-formed
}

// readContent reads the data of an element below another, or returns nil if it is
// nothing that is known.
func readContent(parent, n *stanza.Node) *content {
	if parent == nil || len(n.Data) == 0 {
		return nil
	}
	above := parent.Tag
	if above == "iq" {
		switch typ, _ := parent.Attr("type"); typ {
		case "error":
			above = "iq result" // whose struct says no
		default:
			above = "iq " + typ
		}
	}
	kind, ok := contents[above+"/"+n.Tag]
	if !ok {
		return nil
	}
	m, err := layout.Read(n.Data, kind)
	if err != nil {
		return &content{ReadAs: kind, Problem: err.Error()}
	}
	return &content{ReadAs: kind, Fields: m.Fields}
}

// lines are the content in lines that fit columns.
func (c *content) lines(t *term.IO, columns int) []string {
	if c.Fields == nil {
		return []string{t.Paint(term.Bad, "not a well-formed "+string(c.ReadAs)+": "+c.Problem)}
	}
	var b strings.Builder
	_ = c.Fields.Write(&b, outline.Style{Columns: columns, Paint: inspect.Painter(t)}) // a Builder takes all
	out := []string{t.Paint(term.Faint, string(c.ReadAs))}
	for line := range strings.Lines(b.String()) {
		out = append(out, "  "+strings.TrimSuffix(line, "\n"))
	}
	return out
}
