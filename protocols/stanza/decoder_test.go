package stanza_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestDecoderAgrees reads all samples with one decoder, and compares what each gave
// after all were read: a tree that is reused too early shows.
func TestDecoderAgrees(t *testing.T) {
	t.Parallel()
	var d stanza.Decoder
	var want, got []stanza.Stanza
	for range 2 {
		for _, s := range samples {
			b, err := stanza.AppendBinary(nil, s.stanza.Node())
			if err != nil {
				t.Fatal(err)
			}
			w, err := parse(b)
			if err != nil {
				t.Fatal(err)
			}
			g, err := d.Parse(b)
			if err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			want, got = append(want, w), append(got, g)
		}
		if _, err := d.Parse([]byte("not a stanza")); err == nil {
			t.Error("nonsense was read")
		}
	}
	unknown := stanza.Node{Tag: "iq", Attrs: []stanza.Attr{{Name: "id", Value: "1"}, {Name: "type", Value: "get"}},
		Children: []stanza.Node{{Tag: "whatever", Attrs: []stanza.Attr{{Name: "a", Value: "b"}}}}}
	b, err := stanza.AppendBinary(nil, unknown)
	if err != nil {
		t.Fatal(err)
	}
	first, err := d.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Parse(b); err != nil {
		t.Fatal(err)
	}
	if n := first.Node(); !n.Equal(&unknown) {
		t.Errorf("an unknown payload did not outlive the next parse: %v", n)
	}
	for i := range want {
		if diff := cmp.Diff(want[i], got[i], cmpopts.EquateComparable(ident.URI{})); diff != "" {
			t.Errorf("stanza %d (-ParseBinary +Decoder):\n%s", i, diff)
		}
	}
}

func parse(b []byte) (stanza.Stanza, error) {
	n, err := stanza.ParseBinary(b)
	if err != nil {
		return nil, err
	}
	return stanza.Parse(n)
}
