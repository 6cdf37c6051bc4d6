package trace_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/trace"
)

var update = flag.Bool("update", false, "write the pictures of testdata")

func ExampleSequence() {
	entries := []trace.Entry{
		{At: 0, Node: "alice", Event: trace.Send, Peer: "gatekeeper", ID: "m1", Kind: "message", Size: 412},
		{At: 40 * des.Millisecond, Node: "gatekeeper", Event: trace.Receive, Peer: "alice", ID: "m1", Kind: "message", Size: 412},
	}
	svg, err := trace.Sequence(entries, "m1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Contains(string(svg), "<title>Life of message m1</title>"))
	// Output: true
}

// stored is the life of a message that is lost once, waits for its recipient while
// the gatekeeper crashes, and arrives twice; with entries that are not about it.
func stored() []trace.Entry {
	const ms, h = des.Millisecond, 2 * des.Hour
	entries := []trace.Entry{
		{At: 0, Node: "alice", Event: trace.Seal, Note: "text"},
		{At: 1 * ms, Node: "alice", Event: trace.Send, Peer: "wren/proxy", Kind: "message", Size: 1243},
		{At: 38 * ms, Node: "wren/proxy", Event: trace.Receive, Peer: "alice", Kind: "message", Size: 1243},
		{At: 38 * ms, Node: "wren/proxy", Event: trace.Send, Peer: "whatsapp", Kind: "message", Size: 1290},
		{At: 60 * ms, Node: "wren/proxy", Event: trace.Drop, Peer: "whatsapp", Kind: "message", Note: "partition"},
		{At: 1038 * ms, Node: "wren/proxy", Event: trace.Send, Peer: "whatsapp", Kind: "message", Size: 1290, Note: "retry 1"},
		{At: 1072 * ms, Node: "whatsapp", Event: trace.Receive, Peer: "wren/proxy", Kind: "message", Size: 1290},
		{At: 1072 * ms, Node: "whatsapp", Event: trace.Store, Peer: "bob"},
		{At: 1073 * ms, Node: "whatsapp", Event: trace.Send, Peer: "wren/proxy", Kind: "ack", Size: 96},
		{At: 1108 * ms, Node: "wren/proxy", Event: trace.Receive, Peer: "whatsapp", Kind: "ack", Size: 96},
		{At: 9000 * ms, Node: "whatsapp", Event: trace.Crash, Note: "power"},
		{At: 9100 * ms, Node: "elsewhere", Event: trace.Crash},
		{At: 12000 * ms, Node: "whatsapp", Event: trace.Restart},
		{At: h, Node: "bob", Event: trace.Online},
		{At: h + 40*ms, Node: "whatsapp", Event: trace.Send, Peer: "bob", Kind: "message", Size: 1290},
		{At: h + 90*ms, Node: "bob", Event: trace.Receive, Peer: "whatsapp", Kind: "message", Size: 1290},
		{At: h + 91*ms, Node: "bob", Event: trace.Deliver, Note: "text"},
		{At: h + 92*ms, Node: "bob", Event: trace.Send, Peer: "whatsapp", Kind: "receipt", Size: 210},
		{At: h + 120*ms, Node: "bob", Event: trace.Receive, Peer: "whatsapp", Kind: "message", Size: 1290},
		{At: h + 140*ms, Node: "whatsapp", Event: trace.Receive, Peer: "bob", Kind: "receipt", Size: 210},
		{At: h + 150*ms, Node: "whatsapp", Event: trace.Send, Peer: "wren/proxy", Kind: "receipt", Size: 260},
	}
	for i := range entries {
		switch entries[i].Event {
		case trace.Crash, trace.Restart, trace.Online:
		default:
			entries[i].ID = "m1"
		}
	}
	return append(entries, trace.Entry{At: h + des.Second, Node: "bob", Event: trace.Offline})
}

func diagram(entries []trace.Entry) *trace.Diagram {
	return &trace.Diagram{
		Title: "One message to a user who is offline", Sub: "a golden test", Entries: entries,
		Actors: []trace.Actor{
			{Node: "alice", Label: "Alice", Role: trace.Device, Note: "a partner's user"},
			{Node: "wren/proxy", Role: trace.Proxy},
			{Node: "whatsapp", Role: trace.Gatekeeper},
			{Node: "bob", Label: "Bob", Role: trace.Device},
		},
	}
}

// TestGolden compares with pictures that somebody looked at.
func TestGolden(t *testing.T) {
	t.Parallel()
	drawn, err := diagram(trace.Life(stored(), "m1")).SVG()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := trace.Sequence(stored(), "m1")
	if err != nil {
		t.Fatal(err)
	}
	entitled := diagram(trace.Life(stored(), "m1"))
	entitled.Level = true
	entitled.Headings = []trace.Heading{{Before: 0, Text: "1. Sent & lost"}, {Before: 12, Text: "2. Later"}}
	titled, err := entitled.SVG()
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"stored.svg": drawn, "plain.svg": plain, "level.svg": titled} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s (-want +got; -update writes it):\n%s", name, d)
		}
	}
}

func TestSVGIsDeterministic(t *testing.T) {
	t.Parallel()
	first, err := trace.Sequence(stored(), "m1")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := trace.Sequence(stored(), "m1"); !bytes.Equal(first, again) {
			t.Fatal("the same entries gave other bytes")
		}
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	all := stored()
	life := trace.Life(all, "m1")
	if want := len(all) - 2; len(life) != want { // without elsewhere's crash, and bob's going afterwards
		t.Errorf("%d entries, want %d", len(life), want)
	}
	for _, e := range life {
		if e.Node == "elsewhere" || e.Event == trace.Offline {
			t.Errorf("%s of %s at %v is not of this message's life", e.Event, e.Node, e.At)
		}
	}
	if got := trace.Life(all, ""); len(got) != 0 {
		t.Errorf("%d entries of no message, want none", len(got))
	}
}

// TestTimes demands that no two rows show the same time, that none runs
// backwards, and the shape of each.
func TestTimes(t *testing.T) {
	t.Parallel()
	var entries []trace.Entry
	for _, at := range []des.Time{
		7, 7 + 850*des.Nanosecond, 7 + 1_072_000_000, 7 + 1_073_100_000, 7 + 1_073_900_000,
		7 + 12_340_000_000, 7 + 12_400_000_000,
		7 + 2*des.Hour, 7 + 2*des.Hour + 40*des.Millisecond, 7 + 2*des.Hour + 40*des.Millisecond + 1, 7 + 3*des.Day + 61*des.Second,
	} {
		entries = append(entries, trace.Entry{At: at, Node: "a", Event: trace.Store})
	}
	svg, err := (&trace.Diagram{Entries: entries}).SVG()
	if err != nil {
		t.Fatal(err)
	}
	rest := string(svg)
	for _, want := range []string{
		">0<", ">+850 ns<", ">+1.072 s<", ">+1.073 s<", ">+1.073900 s<",
		">+12.340 s<", ">+12.400 s<",
		">+2:00:00.000<", ">+2:00:00.040<", ">+2:00:00.040000001<", ">+3 d 0:01:01.000<",
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Errorf("no %s after the times before it", want)
			continue
		}
		rest = after
	}
}

// TestHeadings refuses headings that stand above no entry, or not in order.
func TestHeadings(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]trace.Heading{
		"before all": {{Before: -1}}, "after all": {{Before: 2}}, "two above one": {{Before: 1}, {Before: 1}}, "backwards": {{Before: 1}, {Before: 0}},
	} {
		d := &trace.Diagram{Entries: []trace.Entry{{Node: "a", Event: trace.Store}, {At: 1, Node: "a", Event: trace.Store}}, Headings: list}
		if _, err := d.SVG(); err == nil || !strings.Contains(err.Error(), "heading") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWidth demands that the last actor's chips are within the picture.
func TestWidth(t *testing.T) {
	t.Parallel()
	width := func(note string) (w, h int) {
		t.Helper()
		svg, err := (&trace.Diagram{Entries: []trace.Entry{
			{Node: "a", Event: trace.Send, Peer: "b"},
			{At: 1, Node: "b", Event: trace.Deliver, Note: note},
		}}).SVG()
		if err != nil {
			t.Fatal(err)
		}
		_, tag, _ := strings.Cut(string(svg), `" width="`)
		if _, err := fmt.Sscanf(tag, `%d" height="%d"`, &w, &h); err != nil {
			t.Fatal(err)
		}
		return w, h
	}
	short, h1 := width("")
	long, h2 := width(strings.Repeat("m", 40))
	if want := short + 200; long < want || h1 != h2 {
		t.Errorf("%d×%d with a long note, want at least %d×%d", long, h2, want, h1)
	}
}

// parse reads a document and returns its text and its elements' names.
func parse(t *testing.T, doc []byte) (text string, elements map[string]int) {
	t.Helper()
	elements = make(map[string]int)
	var b strings.Builder
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return b.String(), elements
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, doc)
		}
		switch x := token.(type) {
		case xml.StartElement:
			elements[x.Name.Local]++
			for _, a := range x.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" {
					t.Errorf("attribute %s in <%s>", a.Name.Local, x.Name.Local)
				}
			}
		case xml.CharData:
			b.Write(x)
		}
	}
}

// TestEscaping puts what could leave its place into every text of a diagram.
func TestEscaping(t *testing.T) {
	t.Parallel()
	for name, evil := range map[string]string{
		"element":   `</text><script>x</script>`,
		"attribute": `" onload="x" a='`,
		"entity":    "&lt;&#0;&x;",
		"comment":   "--><!--",
		"cdata":     "]]><![CDATA[",
		"controls":  "a\x00\x01\x1b\x7f\u0085b\r\n\t",
		"direction": "a\u202eb\u2066c",
		"no rune":   "\ufffe\uffff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := trace.Diagram{
				Title: evil, Sub: evil,
				Actors: []trace.Actor{{Node: evil, Label: evil, Note: evil}},
				Entries: []trace.Entry{
					{Node: evil, Event: trace.Send, Peer: "b" + evil, ID: evil, Kind: evil, Size: 3, Note: evil},
					{At: 1, Node: "b" + evil, Event: trace.Receive, Peer: evil, ID: evil, Kind: evil, Size: 3, Note: evil},
					{At: 1, Node: evil, Event: trace.Reject, ID: evil, Note: evil},
				},
			}
			svg, err := d.SVG()
			if err != nil {
				t.Fatal(err)
			}
			text, elements := parse(t, svg)
			if elements["script"] > 0 || elements["svg"] != 1 || elements["title"] != 1 {
				t.Errorf("elements %v", elements)
			}
			if strings.ContainsAny(text, "\x00\x01\x1b\x7f\u0085\r\t\u202e\u2066") {
				t.Errorf("control characters in %q", text)
			}
			if _, err := trace.Sequence(d.Entries, evil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSVGErrors(t *testing.T) {
	t.Parallel()
	ok := trace.Entry{At: 5, Node: "a", Event: trace.Send, Peer: "b"}
	many := make([]trace.Entry, trace.MaxRows+1)
	crowd := make([]trace.Entry, trace.MaxActors+1)
	for i := range many {
		many[i] = ok
	}
	for i := range crowd {
		crowd[i] = trace.Entry{At: 5, Node: fmt.Sprint(i), Event: trace.Store}
	}
	for _, c := range []struct {
		name    string
		entries []trace.Entry
		want    string
	}{
		{"nothing", nil, "nothing to draw"},
		{"not in order", []trace.Entry{ok, {At: 4, Node: "a", Event: trace.Store}}, "entry 2: at 4, want at least 5"},
		{"not valid", []trace.Entry{ok, {At: 5, Event: trace.Store}}, "entry 2: node: empty"},
		{"not UTF-8", []trace.Entry{{Node: "\xff", Event: trace.Store}}, "entry 1: node: not valid UTF-8"},
		{"too long", many, "2001 entries, want at most 2000"},
		{"too wide", crowd, "51 actors, want at most 50"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			svg, err := (&trace.Diagram{Entries: c.entries}).SVG()
			if err == nil || !strings.Contains(err.Error(), c.want) || svg != nil {
				t.Errorf("error %v, want %q in it and no picture", err, c.want)
			}
		})
	}
	if _, err := trace.Sequence(stored(), "m2"); err == nil || !strings.Contains(err.Error(), `no entry of message "m2"`) {
		t.Errorf("error %v of a message that is not there", err)
	}
}

// FuzzSequence draws every message of a journal: no panic, and well-formed XML.
func FuzzSequence(f *testing.F) {
	var seed bytes.Buffer
	j := trace.NewJournal(&seed)
	for _, e := range stored() {
		j.Add(e)
	}
	if err := j.Flush(); err != nil {
		f.Fatal(err)
	}
	f.Add(seed.Bytes())
	f.Add([]byte(`{"at":5,"node":"a","event":"send","id":"1"}` + "\n" + `{"at":9223372036854775807,"node":"a","event":"drop","id":"1"}` + "\n"))
	f.Add([]byte(`{"at":5,"node":"a","event":"receive","peer":"a","id":"1"}` + "\n" + `{"at":6,"node":"a","event":"send","peer":"a","id":"1","size":9}` + "\n"))
	f.Fuzz(func(t *testing.T, journal []byte) {
		entries, _ := trace.Read(bytes.NewReader(journal))
		drawn := make(map[string]bool)
		for _, e := range entries {
			if e.ID == "" || drawn[e.ID] || len(drawn) > 5 {
				continue
			}
			drawn[e.ID] = true
			svg, err := trace.Sequence(entries, e.ID)
			if err != nil {
				if len(entries) <= trace.MaxActors/2 {
					t.Fatal(err)
				}
				continue
			}
			if text, _ := parse(t, svg); strings.Contains(text, "NaN") && !bytes.Contains(journal, []byte("NaN")) {
				t.Fatalf("a place that is no number in %s", svg)
			}
		}
	})
}
