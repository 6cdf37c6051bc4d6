package mls

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// TestMediaTypes: leaves list what their clients take, and application data is framed
// once the GroupContext says so, "in which case the media type of the
// inner_application_content is interpreted as the first MediaType specified in the
// content_media_types component in the GroupContext" if its type is empty.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) { withMedia(c); c.PastEpochs = 1 })
	w.commit("0", CommitOptions{}, w.keyPackage("1"))
	a, b := w.groups["0"], w.groups["1"]
	points := &message.DefaultCodePoints
	l := a.Tree().Leaf(1)
	d, err := w.cfg.dictionary(l.Extensions)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := d.Find(points.ContentMediaTypes); !bytes.Equal(data, mediaList("text/plain", "text/html")) {
		t.Errorf("leaf has content_media_types %q", data)
	}
	if known := componentsIn(t, w.cfg, l, points.AppComponents); len(known.list) != 4 || known.list[2] != points.ContentMediaTypes {
		t.Errorf("app_components %v, want content_media_types among them", known.list)
	}

	send := func(m message.MediaType, content string) []byte {
		t.Helper()
		data, err := a.Frame(m, []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		sent, err := a.Protect(data, SendOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return sent
	}
	open := func(sent []byte) *Application {
		t.Helper()
		e, err := b.Process(now, sent)
		if err != nil {
			t.Fatal(err)
		}
		return e.(*Application)
	}
	late := send(message.MediaType{}, "before")
	w.commit("1", CommitOptions{Proposals: []message.Proposal{ExtensionsProposal(mediaContext("text/plain")(w.cfg))}})
	if got := open(late); got.MediaType != nil || string(got.Content) != "before" || string(got.Data) != "before" {
		t.Errorf("before the group framed: media type %v, content %q, data %q", got.MediaType, got.Content, got.Data)
	}
	if got := open(send(message.MediaType{}, "hi")); got.MediaType == nil || string(got.MediaType.Type) != "text/plain" || string(got.Content) != "hi" || !bytes.Equal(got.Data, framedData("hi")) {
		t.Errorf("empty type: media type %v, content %q, data %q, want text/plain", got.MediaType, got.Content, got.Data)
	}
	if got := open(send(message.MediaType{Type: []byte("image/png")}, "\x89PNG")); got.MediaType == nil || string(got.MediaType.Type) != "image/png" {
		t.Errorf("media type %v, want image/png, which need not be required", got.MediaType)
	}
}

// TestKnowsMedia: "As an exception, a client could be preconfigured to know that
// certain clients support the required types."
func TestKnowsMedia(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) {
		withMedia(c)
		c.KnowsMedia = func(_ *message.LeafNode, m *message.MediaType) bool { return string(m.Type) == "image/png" }
	})
	w.commit("0", CommitOptions{Proposals: []message.Proposal{ExtensionsProposal(mediaContext("image/png")(w.cfg))}}, w.keyPackage("1"))
}

func TestMediaKey(t *testing.T) {
	t.Parallel()
	parameter := func(list ...string) (p []message.Parameter) {
		for i := 0; i < len(list); i += 2 {
			p = append(p, message.Parameter{Name: []byte(list[i]), Value: []byte(list[i+1])})
		}
		return p
	}
	a := message.MediaType{Type: []byte("Text/Markdown"), Parameters: parameter("Charset", "UTF-8", "variant", "GFM-MIMI")}
	b := message.MediaType{Type: []byte("text/markdown"), Parameters: parameter("VARIANT", "GFM-MIMI", "charset", "UTF-8")}
	if mediaKey(&a) != mediaKey(&b) {
		t.Error("case and order of parameters make another media type")
	}
	for _, other := range []message.MediaType{
		{Type: []byte("text/markdown")},
		{Type: []byte("text/markdown"), Parameters: parameter("variant", "GFM", "charset", "UTF-8")},
		{Type: []byte("text/plain"), Parameters: b.Parameters},
	} {
		if mediaKey(&a) == mediaKey(&other) {
			t.Errorf("%v is %v", a, other)
		}
	}
	if string(a.Type) != "Text/Markdown" || string(a.Parameters[0].Name) != "Charset" {
		t.Errorf("the media type was changed to %v", a)
	}
}

// FuzzApplicationFraming: what is read as framed application data is framed to the
// same bytes.
func FuzzApplicationFraming(f *testing.F) {
	w := newWorld(f, suite.X25519AES128GCMSHA256Ed25519, withMedia)
	w.commit("0", CommitOptions{Proposals: []message.Proposal{ExtensionsProposal(mediaContext("text/plain")(w.cfg))}})
	g := w.groups["0"]
	f.Add(framedData("hello"))
	f.Add(must(&message.ApplicationFraming{MediaType: message.MediaType{Type: []byte("a/b"), Parameters: make([]message.Parameter, 2)}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, content, err := g.now.unframe(data)
		if err != nil {
			if m != nil || content != nil {
				t.Fatalf("%v with %v", m, err)
			}
			return
		}
		if data[0] == 0 { // the group's first type
			m = new(message.MediaType)
		}
		if again, err := g.Frame(*m, content); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("framed again %x, %v, want %x", again, err, data)
		}
	})
}

// TestCostOfMediaTypes: a leaf that lists many media types costs its checker memory in
// proportion to its size, as other messages do (see TestCostOfNesting).
func TestCostOfMediaTypes(t *testing.T) {
	x := newScene(t, &row{config: withMedia, extensions: mediaContext("text/plain")})
	const size = 1 << 20
	k := x.keyPackage("9")
	x.lists(&k.Public.LeafNode, x.cfg.points().ContentMediaTypes, must(make(message.MediaTypeList, size/2)))
	p := AddProposal(resign(t, x.cfg.Suite, k).Public)
	b := forge(t, x.in, forgery{proposal: &p})
	var err error
	measure(t, func() error { _, err = x.to.Process(now, b); return err }, size)
	if !errors.Is(err, CheckMediaTypes) {
		t.Errorf("error %v, want CheckMediaTypes", err)
	}
}
