package mimi

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// TestDisclose: MIMI content is franked and reported, with and without its media type
// in front.
func TestDisclose(t *testing.T) {
	t.Parallel()
	s := seeded(t, 1, "bob")
	m, err := content.New(s, string(bob), string(room), content.Text("hello"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	framed, err := Framed(plain)
	if err != nil {
		t.Fatal(err)
	}
	untyped, err := wire.Marshal(&message.ApplicationFraming{Content: plain})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"plain": plain, "framed": framed, "framed without a type": untyped} {
		f := newFranked(t, 1)
		if f.Content, err = Disclose(data); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(f.Content.Salt, m.Salt[:]) || f.Content.SenderURI != bob || f.Content.RoomURI != room {
			t.Errorf("%s discloses %+v", name, f.Content)
		}
		f.ApplicationData, f.FrankingTag = data, FrankingTag(f.Content.Salt, data)
		if f.Frank, err = NewFrank(f.suite, f.hubKey, f.agent.Private, f.FrankingTag, f.Context()); err != nil {
			t.Fatal(err)
		}
		if err := f.Verify(f.suite); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.report().Verify(f.suite); err != nil {
			t.Errorf("%s: reported: %v", name, err)
		}
	}
	other, err := wire.Marshal(&message.ApplicationFraming{MediaType: message.MediaType{Type: []byte("text/plain")}, Content: plain})
	if err != nil {
		t.Fatal(err)
	}
	m.Extensions = nil
	anonymous, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for want, data := range map[string][]byte{
		"want application/mimi-content": other, "want both": anonymous, "ApplicationFraming": []byte("\x01"), "content": plain[:len(plain)-1],
		"mimi: ": nil,
	} {
		if d, err := Disclose(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.8x discloses %+v, %v, want %q", data, d, err, want)
		}
	}
}

// FuzzDisclose: what comes from a reporter is refused or disclosed.
func FuzzDisclose(f *testing.F) {
	s, err := suite.NewSeeded(1, [32]byte{1}, "fuzz")
	if err != nil {
		f.Fatal(err)
	}
	m, err := content.New(s, string(bob), string(room), content.Text("hello"))
	if err != nil {
		f.Fatal(err)
	}
	plain, err := m.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	framed, err := Framed(plain)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add(framed)
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Disclose(data)
		if err == nil && len(d.Salt) != 16 {
			t.Fatalf("%x discloses a salt of %d bytes", data, len(d.Salt))
		}
	})
}

// TestDeterministic: from the same seed come the same bytes, so that vectors can be
// made. Suites that sign with ECDSA draw from the seed.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	for _, id := range suite.IDs() {
		var first []byte
		for range 2 {
			s := seeded(t, id, "vectors")
			f := newFranked(t, id)
			k := keyRequest(t, s)
			request, private := infoRequest(t, s, "code")
			hub := signer(t, s)
			response, err := NewGroupInfoResponse(s, request, room, infoContent(t), message.ExternalSender{SignatureKey: hub.Public}, hub.Private)
			if err != nil {
				t.Fatal(err)
			}
			c := &PseudonymousCredential{ClientPseudonym: "mimi://a.example/d/77aa", UserPseudonym: "mimi://a.example/p/77aa", SignaturePublicKey: hub.Public}
			link, err := c.Link(s, message.BasicCredential([]byte("mimi://a.example/d/A1")), hub.Private)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Seal(s, LinkKey(make([]byte, id.Sizes().AEADKey)), link); err != nil {
				t.Fatal(err)
			}
			all := append([]byte(nil), private...)
			for _, v := range []wire.Marshaler{f.Frank, k, request, response, c} {
				if all, err = wire.Append(all, v); err != nil {
					t.Fatal(err)
				}
			}
			if first == nil {
				first = all
			} else if !bytes.Equal(first, all) {
				t.Errorf("%s: two runs differ", id)
			}
		}
	}
}
