package trace_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/trace"
)

func ExampleJournal() {
	j := trace.NewJournal(os.Stdout)
	j.Add(trace.Entry{At: 5 * des.Millisecond, Node: "alice", Event: trace.Send, Peer: "gatekeeper", ID: "m1", Kind: "message", Size: 412})
	j.Add(trace.Entry{At: des.Second, Node: "gatekeeper", Event: trace.Crash, Note: `"power"`})
	if err := j.Flush(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"at":5000000,"node":"alice","event":"send","peer":"gatekeeper","id":"m1","kind":"message","size":412}
	// {"at":1000000000,"node":"gatekeeper","event":"crash","note":"\"power\""}
}

func TestNilJournal(t *testing.T) {
	var j *trace.Journal
	n := testing.AllocsPerRun(100, func() {
		j.Add(trace.Entry{Node: "a", Event: trace.Send, Note: "dropped"})
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if err := j.Flush(); err != nil || j.On() || j.Entries() != nil {
		t.Errorf("a nil journal took something: %v, %v, %v", err, j.On(), j.Entries())
	}
}

func TestJournalRoundTrip(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	file, kept := trace.NewJournal(&buf), trace.NewRecorder()
	for i := range 2000 {
		e := trace.Entry{At: des.Time(i / 2), Node: fmt.Sprint("n", i), Event: "own-event-1", Peer: "p\u2028\x7f", ID: "<&>", Kind: "\x00\x1f", Size: i, Note: "\"\\\n\r\t é 🙂 \ufffd"}
		file.Add(e)
		kept.Add(e)
	}
	if err := errors.Join(file.Flush(), kept.Flush(), file.Flush()); err != nil {
		t.Fatal(err)
	}
	got, err := trace.Read(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(kept.Entries(), got); d != "" {
		t.Errorf("read back (-want +got):\n%s", d)
	}
}

type failing struct{ after int }

var errDisk = errors.New("disk full")

func (w *failing) Write(p []byte) (int, error) {
	if w.after--; w.after < 0 {
		return 0, errDisk
	}
	return len(p), nil
}

func TestJournalErrors(t *testing.T) {
	t.Parallel()
	ok := trace.Entry{At: 5, Node: "a", Event: trace.Send}
	for _, c := range []struct {
		name string
		edit func(*trace.Entry)
		want string
	}{
		{"negative time", func(e *trace.Entry) { e.At = -1 }, "at: negative"},
		{"step back", func(e *trace.Entry) { e.At = 4 }, "at: 4, want at least 5"},
		{"no node", func(e *trace.Entry) { e.Node = "" }, "node: empty"},
		{"no event", func(e *trace.Entry) { e.Event = "" }, "event: want a word"},
		{"event in capitals", func(e *trace.Entry) { e.Event = "Send" }, "event: want a word"},
		{"negative size", func(e *trace.Entry) { e.Size = -1 }, "size: negative"},
		{"note not UTF-8", func(e *trace.Entry) { e.Note = "\xff" }, "note: not valid UTF-8"},
		{"long", func(e *trace.Entry) { e.Note = strings.Repeat("x", trace.MaxLine) }, "want at most 65536"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			j := trace.NewJournal(&buf)
			j.Add(ok)
			bad := ok
			c.edit(&bad)
			j.Add(bad)
			j.Add(ok)
			if err := j.Flush(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
	t.Run("disk full", func(t *testing.T) {
		t.Parallel()
		j := trace.NewJournal(&failing{after: 1})
		for range 5000 {
			j.Add(ok)
		}
		if err := j.Flush(); !errors.Is(err, errDisk) {
			t.Errorf("error %v, want %v", err, errDisk)
		}
	})
}

func TestReaderErrors(t *testing.T) {
	t.Parallel()
	const ok = `{"at":5,"node":"a","event":"send"}` + "\n"
	for _, c := range []struct{ name, in, want string }{
		{"cut off", ok + `{"at":5,"node":"a","event":"send"}`, "trace: line 2: ends without a newline"},
		{"blank line", ok + "\n" + ok, "trace: line 2: not an entry"},
		{"no JSON", ok + ok + "hello\n", "trace: line 3: not an entry"},
		{"array", "[]\n", "trace: line 1: not an entry"},
		{"null", "null\n", "trace: line 1: node: empty"},
		{"two values", `{"at":5,"node":"a","event":"send"} {}` + "\n", "trace: line 1: not an entry"},
		{"unknown field", `{"at":5,"node":"a","event":"send","color":1}` + "\n", "trace: line 1: column 34: not as a journal writes it"},
		{"field twice", `{"at":5,"at":5,"node":"a","event":"send"}` + "\n", "trace: line 1: column 10"},
		{"other order", `{"node":"a","at":5,"event":"send"}` + "\n", "trace: line 1: column 3"},
		{"capitals", `{"AT":5,"node":"a","event":"send"}` + "\n", "trace: line 1: column 3"},
		{"space", `{"at": 5,"node":"a","event":"send"}` + "\n", "trace: line 1: column 7"},
		{"carriage return", `{"at":5,"node":"a","event":"send"}` + "\r\n", "trace: line 1: column 35"},
		{"empty field", `{"at":5,"node":"a","event":"send","peer":""}` + "\n", "trace: line 1: column 34"},
		{"needless escape", `{"at":5,"node":"\u0061","event":"send"}` + "\n", "trace: line 1: column 17"},
		{"lone surrogate", `{"at":5,"node":"\ud800","event":"send"}` + "\n", "trace: line 1: column 17"},
		{"not UTF-8", "{\"at\":5,\"node\":\"\xff\",\"event\":\"send\"}\n", "trace: line 1: column 17"},
		{"float", `{"at":5.5,"node":"a","event":"send"}` + "\n", "trace: line 1: not an entry"},
		{"too late for a clock", `{"at":9223372036854775808,"node":"a","event":"send"}` + "\n", "trace: line 1: not an entry"},
		{"negative time", `{"at":-5,"node":"a","event":"send"}` + "\n", "trace: line 1: at: negative"},
		{"negative size", `{"at":5,"node":"a","event":"send","size":-1}` + "\n", "trace: line 1: size: negative"},
		{"no event", `{"at":5,"node":"a"}` + "\n", "trace: line 1: event: want a word"},
		{"step back", ok + `{"at":4,"node":"a","event":"send"}` + "\n", "trace: line 2: at: 4, want at least 5"},
		{"long line", strings.Repeat(" ", trace.MaxLine) + "\n", "trace: line 1: longer than 65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := trace.Read(strings.NewReader(c.in))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("error %v\nwant  %s", err, c.want)
			}
			if want := strings.Count(c.in, ok[:len(ok)-2]+"}\n"); len(got) > want {
				t.Errorf("%d entries beside the error, want at most %d", len(got), want)
			}
		})
	}
	t.Run("broken disk", func(t *testing.T) {
		t.Parallel()
		if _, err := trace.Read(io.MultiReader(strings.NewReader(ok), brokenReader{})); !errors.Is(err, errDisk) {
			t.Errorf("error %v, want %v", err, errDisk)
		}
	})
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errDisk }

func TestReadNothing(t *testing.T) {
	t.Parallel()
	if got, err := trace.Read(strings.NewReader("")); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v of an empty journal", got, err)
	}
}

// FuzzRead: reading never panics, and what it takes is written back byte for
// byte.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"at":5,"node":"a","event":"send","peer":"b","id":"1","kind":"message","size":3,"note":"\"\u0001é"}` + "\n"))
	f.Add([]byte(`{"at":5,"node":"a","event":"x"}` + "\n" + `{"at":6,"node":"\\","event":"y-1"}` + "\n"))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		entries, err := trace.Read(bytes.NewReader(in))
		var out bytes.Buffer
		j := trace.NewJournal(&out)
		for _, e := range entries {
			j.Add(e)
		}
		if werr := j.Flush(); werr != nil {
			t.Fatalf("an entry that was read is not written: %v", werr)
		}
		if err == nil && !bytes.Equal(out.Bytes(), in) {
			t.Fatalf("read %q\nwrote %q", in, out.Bytes())
		}
		if err != nil && !bytes.HasPrefix(in, out.Bytes()) {
			t.Fatalf("read %q before an error\nwrote %q", in, out.Bytes())
		}
	})
}

// BenchmarkJournal writes entries; one operation is one entry.
func BenchmarkJournal(b *testing.B) {
	e := trace.Entry{At: 123456789, Node: "gatekeeper/1", Event: trace.Send, Peer: "alice/2", ID: "3EB0C431C26A1916E07A", Kind: "message", Size: 1024}
	for name, j := range map[string]*trace.Journal{"nil": nil, "discard": trace.NewJournal(io.Discard)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				j.Add(e)
			}
			if err := j.Flush(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
