package stanza_test

import (
	"errors"
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

// TestDecoderReuses holds that a stanza is whole until the next one is read, whatever was
// read before it, and that those who want memory to be used again get it.
func TestDecoderReuses(t *testing.T) {
	t.Parallel()
	d := stanza.Decoder{Reuse: true}
	seen := map[any]bool{}
	again := 0
	for range 3 {
		for _, s := range samples {
			b, err := stanza.AppendBinary(nil, s.stanza.Node())
			if err != nil {
				t.Fatal(err)
			}
			want, err := parse(b)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Parse(b)
			if err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(ident.URI{})); diff != "" {
				t.Errorf("%s (-ParseBinary +Decoder):\n%s", s.name, diff)
			}
			if seen[got] {
				again++
			}
			seen[got] = true
			// One that breaks off leaves nothing behind either.
			if _, err := d.Parse(b[:len(b)-1]); err == nil {
				t.Errorf("%s: half of it is read", s.name)
			}
		}
	}
	if again == 0 {
		t.Error("no stanza was made of one before")
	}
}

func parse(b []byte) (stanza.Stanza, error) {
	n, err := stanza.ParseBinary(b)
	if err != nil {
		return nil, err
	}
	return stanza.Parse(n)
}

// TestDecoderRatio: a compressed stanza that becomes far more than was sent is refused,
// before it has.
func TestDecoderRatio(t *testing.T) {
	t.Parallel()
	bomb := func(size int) []byte {
		m := &stanza.Message{ID: "M", To: ident.Address{User: "1", Server: ident.User}, Type: stanza.TextMessage,
			Enc: []stanza.Enc{{Type: "msg", Version: 2, Payload: make([]byte, size)}}}
		b, err := stanza.AppendCompressed(nil, m.Node())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tt := range []struct {
		name  string
		ratio int
		size  int
		want  bool // it is read
	}{
		{"no ratio", 0, 10 << 20, true},
		{"small", 32, stanza.FreeInflated - 100, true},
		{"bomb", 32, 10 << 20, false},
		{"a little more than is free", 32, stanza.FreeInflated, false},
		{"ratio that it has", 2000, 10 << 20, true},
	} {
		d := stanza.Decoder{Ratio: tt.ratio}
		_, err := d.Parse(bomb(tt.size))
		var format *stanza.FormatError
		if tt.want && err != nil || !tt.want && (!errors.As(err, &format) || format.Check != stanza.CheckSize) {
			t.Errorf("%s: got %v, want it read %t", tt.name, err, tt.want)
		}
	}
}
