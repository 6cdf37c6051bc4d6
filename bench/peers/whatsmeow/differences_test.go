package peer_test

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	wa "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// differences are the rows of README's table, each with what shows that it is so.
var differences = map[string]func(*testing.T){
	"transport":   differTransport,
	"root":        differRoot,
	"certificate": differCertificate,
	"payload":     differPayload,
	"dictionary":  differDictionary,
	"server":      differServer,
	"device":      differDevice,
	"name":        differName,
	"text":        differText,
	"limit":       differLimit,
	"empty":       differEmpty,
	"content":     differContent,
	"order":       differOrder,
}

// TestDifferences holds that README's table is true, and whole.
func TestDifferences(t *testing.T) {
	readme := must(os.ReadFile("README.md"))(t)
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\|").FindAllStringSubmatch(string(readme), -1) {
		rows = append(rows, m[1])
	}
	slices.Sort(rows)
	if tested := slices.Sorted(maps.Keys(differences)); !slices.Equal(rows, tested) {
		t.Fatalf("README has the rows %q, and what is tested is %q", rows, tested)
	}
	for _, name := range rows {
		t.Run(name, differences[name])
	}
}

func differTransport(t *testing.T) {
	fs := socket.NewFrameSocket(waLog.Noop, nil)
	fs.URL = "tcp://127.0.0.1:1"
	if err := fs.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "unexpected url scheme") {
		t.Errorf("their socket says %v of a TCP address", err)
	}
}

func differRoot(t *testing.T) {
	root := keys.NewKeyPair()
	w := newWorld(t, func(static []byte) []byte { return chain(t, root, static) })
	w.refuses("failed to verify intermediate cert signature")
}

// refuses holds that their client refuses our gatekeeper.
func (w *world) refuses(why string) {
	w.t.Helper()
	if err := w.handshake(w.client()); err == nil || !strings.Contains(err.Error(), why) {
		w.t.Errorf("their client says %v, want %s", err, why)
	}
	if got := w.gk.Stats().Connected; got != 0 {
		w.t.Errorf("%d clients are connected, want none", got)
	}
}

func differCertificate(t *testing.T) {
	newWorld(t, nil).refuses("missing parts of noise certificate")
	s := must(suite.NewStd(suite.X25519AES128GCMSHA256Ed25519))(t)
	authority := must(s.GenerateSigner())(t)
	newWorld(t, func(static []byte) []byte {
		c := noise.Certificate{Service: "gatekeeper.example", Key: [32]byte(static), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
		return must(c.Sign(s, authority.Private))(t)
	}).refuses("noise certificate")
}

func differPayload(t *testing.T) {
	w := newWorld(t, func(static []byte) []byte { return chain(t, trust(t), static) })
	c := w.client()
	w.device.ID = &types.JID{User: "4915112345678", Server: types.DefaultUserServer}
	c.GetClientPayload = nil // its own, of a device that is linked with a phone
	if err := w.handshake(c); err != nil {
		t.Fatal(err)
	}
	w.await("refused", func() bool { return w.gk.Stats().Refused == 1 })
}

func differDictionary(t *testing.T) {
	ours := must(stanza.AppendBinary(nil, stanza.Node{Tag: "iq", Attrs: []stanza.Attr{{Name: "id", Value: "x"}}}))(t)
	if n, err := unmarshal(ours); err == nil && n.Tag == "iq" {
		t.Errorf("their package reads %v in our dictionary", n)
	}
	c := newWorld(t, nil).noise()
	c.send(must(wa.Marshal(wa.Node{Tag: "iq", Attrs: wa.Attrs{"id": "1.2-3", "type": "get", "xmlns": "w:p", "to": types.ServerJID}}))(t))
	c.receive(func(s stanza.Stanza) bool {
		ib, ok := s.(*stanza.IB)
		if ok && ib.Error != nil && ib.Error.Code != stanza.BadRequest {
			t.Errorf("the gatekeeper says %v of a stanza in their dictionary, want %v", ib.Error, stanza.BadRequest)
		}
		return ok && ib.Error != nil
	})
}

// iq is a node of theirs with a value.
func iq(v any) wa.Node { return wa.Node{Tag: "iq", Attrs: wa.Attrs{"to": v}} }

// unreadable holds that our codec refuses what their package encodes.
func unreadable(t *testing.T, n wa.Node, why stanza.Check) {
	t.Helper()
	b := must(wa.Marshal(n))(t)
	if got, err := theirs.ParseBinary(b); !errors.Is(err, why) {
		t.Errorf("our codec reads %v, %v of %x; want %v", got, err, clip(b), why)
	}
}

// becomes holds what is left of a value of ours after their package.
func becomes(t *testing.T, value string, want any) {
	t.Helper()
	b := must(theirs.AppendBinary(nil, stanza.Node{Tag: "iq", Attrs: []stanza.Attr{{Name: "to", Value: value}}}))(t)
	n := must(wa.Unmarshal(must(wa.Unpack(b))(t)))(t)
	if got := n.Attrs["to"]; got != want {
		t.Errorf("their package reads %#v of %q, want %#v", got, value, want)
	}
}

func differServer(t *testing.T) {
	for _, jid := range []types.JID{
		{User: "1", Server: types.HiddenUserServer}, {User: "1", Server: types.HiddenUserServer, Device: 2},
		{User: "1", Server: types.HostedServer}, {User: "1", Server: types.HostedLIDServer}, {User: "1", Server: types.BotServer},
		{User: "status", Server: types.BroadcastServer}, {User: "1", Server: types.NewsletterServer}, {User: "0", Server: types.LegacyUserServer},
		{User: "a.user", Server: types.MessengerServer},
	} {
		unreadable(t, iq(jid), stanza.CheckAddress)
	}
	becomes(t, "1@lid", "1@lid") // a string
}

func differDevice(t *testing.T) {
	b := must(wa.Marshal(iq(types.JID{User: "1", Server: types.DefaultUserServer, Device: 257})))(t)
	if n := must(theirs.ParseBinary(b))(t); n.Attrs[0].Value != "1:1@s.whatsapp.net" {
		t.Errorf("their package writes device 257 as %v", n)
	}
	becomes(t, "1:257@s.whatsapp.net", "1:257@s.whatsapp.net") // a string
}

func differName(t *testing.T) {
	unreadable(t, wa.Node{Tag: "2:47DEQpj8"}, stanza.CheckName)
	unreadable(t, wa.Node{Tag: "iq", Attrs: wa.Attrs{"404": "x"}}, stanza.CheckName)
	unreadable(t, wa.Node{Tag: "0"}, stanza.CheckMarker) // which is an end of theirs
}

func differText(t *testing.T) {
	for _, s := range []string{"a\x00b", "\xff", "line\nline"} {
		unreadable(t, iq(s), stanza.CheckValue)
	}
}

func differLimit(t *testing.T) {
	unreadable(t, iq(strings.Repeat("x", stanza.MaxValue+1)), stanza.CheckValue)
	deep := wa.Node{Tag: "iq"}
	for range stanza.MaxDepth {
		deep = wa.Node{Tag: "iq", Content: []wa.Node{deep}}
	}
	unreadable(t, deep, stanza.CheckDepth)
	many := wa.Node{Tag: "iq", Attrs: wa.Attrs{}}
	for i := range stanza.MaxAttrs + 1 {
		many.Attrs["a"+strings.Repeat("b", i)] = "x"
	}
	unreadable(t, many, stanza.CheckAttrs)
}

func differEmpty(t *testing.T) {
	if n := must(theirs.ParseBinary(must(wa.Marshal(iq("")))(t)))(t); len(n.Attrs) != 0 {
		t.Errorf("their package writes an empty attribute: %v", n)
	}
	becomes(t, "", "")
}

func differContent(t *testing.T) {
	b := must(wa.Marshal(wa.Node{Tag: "iq", Content: "404"}))(t)
	n := must(theirs.ParseBinary(b))(t)
	if string(n.Data) != "404" {
		t.Errorf("our codec reads %v of a string", n)
	}
	again := must(wa.Unmarshal(must(wa.Unpack(must(theirs.AppendBinary(nil, n))(t)))(t)))(t)
	if _, ok := again.Content.([]byte); !ok {
		t.Errorf("their package reads %#v, want bytes", again.Content)
	}
}

// differOrder: nothing depends on the order, so that what is to be seen is that theirs has
// none.
func differOrder(t *testing.T) {
	n := wa.Node{Tag: "iq", Attrs: wa.Attrs{}}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		n.Attrs[name] = "x"
	}
	seen := map[string]bool{}
	for range 100 {
		seen[string(must(wa.Marshal(n))(t))] = true
	}
	if len(seen) == 1 {
		t.Error("their package keeps an order of attributes")
	}
}
