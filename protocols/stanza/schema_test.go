package stanza_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

var xmlBlock = regexp.MustCompile("(?s)```xml\n(.*?)\n```\n")

func readSchema(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("schema.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSchemaExamples executes every example of schema.md.
func TestSchemaExamples(t *testing.T) {
	t.Parallel()
	schema := readSchema(t)
	blocks := xmlBlock.FindAllStringSubmatch(schema, -1)
	if fences := strings.Count(schema, "```"); fences != 2*len(blocks) {
		t.Errorf("%d code fences around %d examples: some example is not executed", fences, len(blocks))
	}
	shown := map[string]bool{}
	for _, block := range blocks {
		text := block[1]
		n, err := stanza.ParseXML([]byte(text))
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		checkCodecs(t, n)
		s, err := stanza.Parse(n)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		for _, kind := range kinds(s) {
			shown[kind] = true
		}
		for from, again := range map[string]stanza.Stanza{"the tree": n, "the typed stanza": s} {
			if got, err := stanza.IndentXML(again); err != nil || string(got) != text {
				t.Errorf("%s writes, %v\n%s\nwant\n%s", from, err, got, text)
			}
		}
	}
	for _, s := range samples {
		for _, kind := range kinds(s.stanza) {
			if !shown[kind] {
				t.Errorf("no example of %s", kind)
			}
		}
	}
}

// kinds returns the names of a stanza's type and of its payload's or event's.
func kinds(s stanza.Stanza) []string {
	out := []string{fmt.Sprintf("%T", s)}
	switch s := s.(type) {
	case *stanza.IQ:
		out = append(out, fmt.Sprintf("%T", s.Payload))
		if b, ok := s.Payload.(*stanza.Body); ok {
			out = append(out, string(s.Type)+" of "+string(b.Tag))
		}
	case *stanza.Notification:
		out = append(out, fmt.Sprintf("%T", s.Event))
	case *stanza.Message:
		out = append(out, "message of "+string(s.Type))
	case *stanza.Receipt:
		out = append(out, "receipt of "+string(s.Type))
	case *stanza.Call:
		out = append(out, "call to "+string(s.Action))
	}
	return out
}

func TestSchemaTables(t *testing.T) {
	t.Parallel()
	schema := readSchema(t)
	var rows []string
	for _, c := range stanza.Codes() {
		rows = append(rows, fmt.Sprintf("| %d | %s | %s |", int(c), c.Name(), c.Sentence()))
	}
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"MaxSize", stanza.MaxSize}, {"MaxDepth", stanza.MaxDepth}, {"MaxNodes", stanza.MaxNodes},
		{"MaxAttrs", stanza.MaxAttrs}, {"MaxName", stanza.MaxName}, {"MaxValue", stanza.MaxValue},
	} {
		rows = append(rows, fmt.Sprintf("| %s | %d | ", limit.name, limit.value))
	}
	for _, row := range rows {
		if !strings.Contains(schema, row) {
			t.Errorf("schema.md lacks the row %q", row)
		}
	}
}
