package content_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// TestID computes an ID by the formula of the draft, written out.
func TestID(t *testing.T) {
	t.Parallel()
	m := newMessage(t, newSuite(t), alice, content.Text("hi"))
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	in := "\x00" + string(rune(len(alice))) + alice + "\x00" + string(rune(len(room))) + room + string(b) + string(m.Salt[:])
	sum := sha256.Sum256([]byte(in))
	want := "01" + hex.EncodeToString(sum[:31])
	id, err := m.ID(alice, room)
	if err != nil || id.String() != want {
		t.Errorf("ID %s (%v), want %s", id, err, want)
	}
	for _, other := range [][2]string{{bob, room}, {alice, room + "2"}, {alice + "m", room[1:]}} {
		if id2, err := m.ID(other[0], other[1]); err != nil || id2 == id {
			t.Errorf("as of %q: %s (%v), want another ID", other, id2, err)
		}
	}
	long := strings.Repeat("x", 1<<16)
	for _, other := range [][2]string{{long, room}, {alice, long}} {
		if id, err := m.ID(other[0], other[1]); !errors.Is(err, content.CheckURI) || !id.IsZero() {
			t.Errorf("a URI of 2^16 bytes: %s, %v, want %v", id, err, content.CheckURI)
		}
	}
	if _, err := m.ID(long[1:], long[1:]); err != nil {
		t.Errorf("URIs of 2^16-1 bytes: %v", err)
	}
	m.Body.Language = "\xff"
	if _, err := m.ID(alice, room); !errors.Is(err, content.CheckUTF8) {
		t.Errorf("ID of what can't be written: %v", err)
	}
}

func TestMessageIDText(t *testing.T) {
	t.Parallel()
	const s = "017ce54837404c3696e0c747b985cb172716d0ed0a3d249ca63ace7d82a096f4"
	var id content.MessageID
	if err := id.UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if got, err := id.MarshalText(); err != nil || string(got) != s {
		t.Errorf("wrote %s (%v), want %s", got, err, s)
	}
	for bad, want := range map[string]content.Check{
		s[2:]: content.CheckLength, s + "00": content.CheckLength, "xx" + s[2:]: content.CheckLength, "02" + s[2:]: content.CheckHash, "": content.CheckLength,
	} {
		before := id
		if err := id.UnmarshalText([]byte(bad)); !errors.Is(err, want) || id != before {
			t.Errorf("%q: %v, want %v", bad, err, want)
		}
	}
}

// noEntropy is a suite whose source of randomness has run dry.
type noEntropy struct{ suite.Suite }

func (noEntropy) Rand() io.Reader { return strings.NewReader("") }

func TestSalt(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	a, err1 := content.NewSalt(s)
	b, err2 := content.NewSalt(s)
	if err1 != nil || err2 != nil || a == b {
		t.Errorf("salts %x, %x (%v, %v), want two", a, b, err1, err2)
	}
	if _, err := content.New(noEntropy{s}, alice, room, content.Text("")); !errors.Is(err, io.EOF) {
		t.Errorf("without entropy: %v, want %v", err, io.EOF)
	}
	derived, err := content.DeriveSalt(s, []byte("base"), []byte("nonce"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte("base"))
	mac.Write([]byte("nonce"))
	if want := mac.Sum(nil)[:16]; !bytes.Equal(derived[:], want) {
		t.Errorf("derived %x, want %x", derived, want)
	}
	other, err := suite.NewSeeded(suite.P384AES256GCMSHA384P384, [32]byte{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := content.DeriveSalt(other, nil, nil); !errors.Is(err, content.CheckHash) {
		t.Errorf("with SHA-384: %v, want %v", err, content.CheckHash)
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	id := content.MessageID{1}
	text, like := content.Text("x"), content.React("x")
	for _, tt := range []struct {
		name string
		m    content.Message
		want content.Kind
	}{
		{"message", content.Message{Body: text}, content.KindMessage},
		{"reply", content.Message{InReplyTo: id, Body: text}, content.KindReply},
		{"reaction", content.Message{InReplyTo: id, Body: like}, content.KindReaction},
		{"message", content.Message{Body: like}, content.KindMessage}, // to nothing
		{"edit", content.Message{Replaces: id, Body: text}, content.KindEdit},
		{"edit", content.Message{Replaces: id, InReplyTo: id, Body: like}, content.KindEdit},
		{"delete", content.Message{Replaces: id, InReplyTo: id, Body: content.Deletion()}, content.KindDelete},
		{"delete", content.Message{Replaces: id}, content.KindDelete},
		{"unlike", content.Message{Replaces: id, InReplyTo: id, Body: content.Unlike()}, content.KindUnlike},
	} {
		if got := tt.m.Kind(); got != tt.want || got.String() != tt.name {
			t.Errorf("%+v is a %s, want %s", tt.m, got, tt.name)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		content.DispositionPreview.String():  "preview",
		content.Disposition(9).String():      "Disposition(9)",
		content.ProcessAll.String():          "processAll",
		content.CardinalityExternal.String(): "external",
		content.Cardinality(4).String():      "Cardinality(4)",
		content.StatusError.String():         "error",
		content.Status(7).String():           "Status(7)",
		content.EncAES128GCM.String():        "AEAD_AES_128_GCM",
		content.EncNone.String():             "none",
		content.EncAlg(29).String():          "EncAlg(29)",
		content.Kind(0).String():             "Kind(0)",
		content.KeySenderURI.String():        "senderUri",
		content.KeyRoomURI.String():          "roomUri",
		content.Key{Int: -3}.String():        "-3",
		content.Key{Text: "a\x1b"}.String():  `"a\x1b"`,
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if d := content.Disposition(77); d.Known() || d.Effective() != content.DispositionRender {
		t.Errorf("an unknown disposition is treated as %s, want render", d.Effective())
	}
	if d := content.DispositionIcon; !d.Known() || d.Effective() != d {
		t.Errorf("icon is treated as %s", d.Effective())
	}
	if content.Status(7).Known() || !content.StatusError.Known() {
		t.Error("want statuses 0 to 6 to be known")
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	p := content.NestedPart{Language: "en-GB, fr,,de"}
	if d := cmp.Diff([]string{"en-GB", "fr", "de"}, p.Languages()); d != "" {
		t.Error(d)
	}
	if got := (content.NestedPart{}).Languages(); got != nil {
		t.Errorf("got %q, want none", got)
	}
}

// TestExtensions adds and removes extensions of all kinds of keys and keeps them in
// order.
func TestExtensions(t *testing.T) {
	t.Parallel()
	type stamp struct {
		_    struct{} `cbor:",toarray"`
		Hour int
		Name string
	}
	v, err := content.NewValue(stamp{Hour: 7, Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	keys := []content.Key{content.KeySenderURI, content.KeyRoomURI, {Int: 256}, {Int: -1}, {Int: -300}, {Text: "b"}, {Text: "aa"}}
	var e content.Extensions
	for _, i := range []int{4, 2, 6, 0, 5, 3, 1} {
		e = e.With(keys[i], content.TextValue("old")).With(keys[i], v)
	}
	e = e.With(content.KeySenderURI, content.TextValue(alice)).With(content.KeyRoomURI, content.TextValue(room))
	for i, x := range e {
		if x.Key != keys[i] {
			t.Errorf("key %d is %s, want %s", i, x.Key, keys[i])
		}
	}
	m := &content.Message{Extensions: e}
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := content.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e, back.Extensions); d != "" {
		t.Error(d)
	}
	var s stamp
	if got, ok := back.Extensions.Find(content.Key{Int: -300}); !ok || got.Decode(&s) != nil || s.Hour != 7 || s.Name != "x" {
		t.Errorf("got %s, %+v", got, s)
	}
	var n int
	if err := v.Decode(&n); err == nil {
		t.Error("an array decodes to an integer")
	}
	if got, want := v.String(), `[7, "x"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	less := e.Without(content.KeySenderURI)
	if _, ok := less.Find(content.KeySenderURI); ok || len(less) != len(e)-1 || len(e) != len(keys) {
		t.Errorf("%d extensions without the sender of %d", len(less), len(e))
	}
	if uri, ok := (&content.Message{Extensions: less}).SenderURI(); ok || uri != "" {
		t.Errorf("sender %q, want none", uri)
	}
	if _, err := content.NewValue([][][][]int{{{{1}}}}); !errors.Is(err, content.CheckDepth) {
		t.Errorf("4 levels in the map: %v, want %v", err, content.CheckDepth)
	}
	if _, err := content.NewValue(make(chan int)); err == nil {
		t.Error("a channel is encoded")
	}
}

func TestExpiration(t *testing.T) {
	t.Parallel()
	const year = 366 * 24 * time.Hour
	at := func(d time.Duration) content.Expiration {
		e, err := content.At(base.Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	after := func(d time.Duration) content.Expiration {
		e, err := content.After(d)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, tt := range []struct {
		name string
		e    content.Expiration
		ok   bool
	}{
		{"never", content.Expiration{}, true},
		{"now", at(0), true},
		{"in a year", at(year), true},
		{"in a year and a second", at(year + time.Second), false},
		{"a year ago", at(-year), true},
		{"a year and a second ago", at(-year - time.Second), false},
		{"in 1970", content.Expiration{Kind: content.ExpiresAt}, false},
		{"at once", after(0), true},
		{"after a year", after(year), true},
		{"after a year and a second", after(year + time.Second), false},
		{"after 136 years", content.Expiration{Kind: content.ExpiresAfter, Seconds: 1<<32 - 1}, false},
	} {
		if err := tt.e.Check(base); (err == nil) != tt.ok || err != nil && !errors.Is(err, content.CheckExpiry) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := content.At(time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)); !errors.Is(err, content.CheckRange) {
		t.Errorf("before 1970: %v", err)
	}
	if _, err := content.At(time.Unix(1<<32, 0)); !errors.Is(err, content.CheckRange) {
		t.Errorf("after 2106: %v", err)
	}
	if _, err := content.After(-time.Second); !errors.Is(err, content.CheckRange) {
		t.Errorf("before it is read: %v", err)
	}
	if _, err := content.After(1 << 32 * time.Second); !errors.Is(err, content.CheckRange) {
		t.Errorf("2^32 seconds: %v", err)
	}
	if _, ok := after(time.Second).Deadline(time.Time{}); ok {
		t.Error("a relative deadline of what was not read")
	}
	if d, ok := after(time.Second).Deadline(base); !ok || !d.Equal(base.Add(time.Second)) {
		t.Errorf("deadline %s, %v", d, ok)
	}
	if d, ok := at(time.Hour).Deadline(time.Time{}); !ok || !d.Equal(base.Add(time.Hour)) {
		t.Errorf("deadline %s, %v", d, ok)
	}
	if _, ok := (content.Expiration{}).Deadline(base); ok {
		t.Error("a deadline of what never expires")
	}
}
