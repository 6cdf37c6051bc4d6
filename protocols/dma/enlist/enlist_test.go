package enlist

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

func sample() *Form {
	f := &Form{RegistrationID: 0x1c2d3e4f, SignedPreKeyID: 0x00a1b2, Token: "eyJh.eyJz.c2ln", Identifier: "bob@partner.example", Version: 1}
	for i := range 32 {
		f.AuthKey[i], f.Identity[i], f.SignedPreKey[i] = byte(i), byte(0x40+i), byte(0x80+i)
		f.Signature[i], f.Signature[32+i] = byte(0xc0+i), byte(0xff-i)
	}
	return f
}

// TestForm has the form written out: sizes and encoding are those of the Reference Offer.
func TestForm(t *testing.T) {
	t.Parallel()
	body, err := Names{}.Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	const want = "authkey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" +
		"&e_ident=QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8" +
		"&e_keytype=BQ&e_regid=HC0-Tw&e_skey_id=AKGy" +
		"&e_skey_sig=wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t___v38-_r5-Pf29fTz8vHw7-7t7Ovq6ejn5uXk4-Lh4A" +
		"&e_skey_val=gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8" +
		"&identifier=bob%40partner.example&interop_version=1&token=eyJh.eyJz.c2ln"
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	f, err := Names{}.Parse(body)
	if err != nil || *f != *sample() {
		t.Errorf("read %+v, %v", f, err)
	}
	names := Names{Identifier: "user", Version: "v"}
	if body, err = names.Encode(sample()); err != nil {
		t.Fatal(err)
	}
	if _, err := names.Parse(body); err != nil {
		t.Errorf("with other names: %v", err)
	}
	if _, err := (Names{}).Parse(body); err == nil {
		t.Error("other names were read by the default ones")
	}
	if s := fmt.Sprintf("%v %+v %#v %s", *f, f, f, f); strings.Contains(s, f.Token) {
		t.Errorf("the token is printed: %s", s)
	}
}

// TestFormRefused breaks each field in each way.
func TestFormRefused(t *testing.T) {
	t.Parallel()
	b64 := func(n int) string { return base64.RawURLEncoding.EncodeToString(make([]byte, n)) }
	type row struct {
		name, field string
		set         func(url.Values)
		reason      Reason
		says        string
	}
	set := func(k, v string) func(url.Values) { return func(f url.Values) { f.Set(k, v) } }
	var rows []row
	for _, b := range fields {
		b := b
		add := func(name string, set func(url.Values), says string) {
			rows = append(rows, row{b.name + " " + name, b.name, set, BadParam, says})
		}
		add("missing", func(f url.Values) { f.Del(b.name) }, "missing")
		add("twice", func(f url.Values) { f.Add(b.name, f.Get(b.name)) }, "2 times")
		add("short", set(b.name, b64(b.size-1)), "characters")
		add("long", set(b.name, b64(b.size+1)), "characters")
		add("empty", set(b.name, ""), "0 characters")
		add("huge", set(b.name, b64(6000)), "characters")
		add("padded", func(f url.Values) { f.Set(b.name, f.Get(b.name)+"=") }, "without padding")
		add("line break", func(f url.Values) { f.Set(b.name, f.Get(b.name)[1:]+"\n") }, "without padding")
		add("in standard base64", func(f url.Values) { f.Set(b.name, "+"+f.Get(b.name)[1:]) }, "base64url")
		if last := b64(b.size); b.size%3 != 0 {
			// The last character has bits that belong to no byte.
			add("loose bits", set(b.name, last[:len(last)-1]+"B"), "base64url")
		}
	}
	rows = append(rows,
		row{"key type", "e_keytype", set("e_keytype", "BA"), BadParam, "type 0x04, want 0x05"},
		row{"no token", "token", func(f url.Values) { f.Del("token") }, BadToken, "missing"},
		row{"two tokens", "token", func(f url.Values) { f.Add("token", "x") }, BadToken, "2 times"},
		row{"empty token", "token", set("token", ""), BadToken, "none"},
		row{"long token", "token", set("token", strings.Repeat("x", MaxToken+1)), BadToken, "4097 bytes, want at most 4096"},
		row{"token with a space", "token", set("token", "a b"), BadToken, "printable ASCII"},
		row{"token with a NUL", "token", set("token", "a\x00"), BadToken, "printable ASCII"},
		row{"no identifier", "identifier", func(f url.Values) { f.Del("identifier") }, BadIdentifier, "missing"},
		row{"empty identifier", "identifier", set("identifier", ""), BadIdentifier, "0 bytes"},
		row{"long identifier", "identifier", set("identifier", strings.Repeat("x", MaxIdentifier+1)), BadIdentifier, "257 bytes, want 1 to 256"},
		row{"identifier with a line break", "identifier", set("identifier", "a\nb"), BadIdentifier, "control"},
		row{"identifier that is no text", "identifier", set("identifier", "\xff"), BadIdentifier, "UTF-8"},
		row{"no version", "interop_version", func(f url.Values) { f.Del("interop_version") }, BadVersion, "missing"},
		row{"version that is no number", "interop_version", set("interop_version", "one"), BadVersion, `"one", want a number`},
		row{"version with a zero", "interop_version", set("interop_version", "01"), BadVersion, "want a number"},
		row{"version with a sign", "interop_version", set("interop_version", "+1"), BadVersion, "want a number"},
		row{"version 0", "interop_version", set("interop_version", "0"), BadVersion, "0, want 1 to 65535"},
		row{"large version", "interop_version", set("interop_version", "65536"), BadVersion, "want 1 to 65535"},
	)
	for _, tt := range rows {
		body, err := Names{}.Encode(sample())
		if err != nil {
			t.Fatal(err)
		}
		v, err := url.ParseQuery(string(body))
		if err != nil {
			t.Fatal(err)
		}
		tt.set(v)
		f, err := Names{}.Parse([]byte(v.Encode()))
		var e *Error
		if !errors.As(err, &e) || f != nil || e.Field != tt.field || e.Reason != tt.reason || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, %v; want field %s, %s and %q", tt.name, f, err, tt.field, tt.reason, tt.says)
		}
	}
}

func TestFormAsAWhole(t *testing.T) {
	t.Parallel()
	good, err := Names{}.Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, body, says string }{
		{"empty", "", "authkey: missing"},
		{"JSON", `{"authkey":"x"}`, "missing"},
		{"bad escape", string(good) + "&x=%zz", "invalid URL escape"},
		{"semicolon", string(good) + ";x=1", "semicolon"},
		{"too long", string(good) + "&x=" + strings.Repeat("x", MaxForm), "want at most 16384"},
		{"too many", string(good) + strings.Repeat("&", maxFields), "fields, want at most 64"},
	} {
		if _, err := (Names{}).Parse([]byte(tt.body)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
		}
	}
	if _, err := (Names{}).Parse(append(good, "&e_later=AA"...)); err != nil {
		t.Errorf("a field of a later version: %v", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*Form){
		"prekey ID":  func(f *Form) { f.SignedPreKeyID = 1 << 24 },
		"token":      func(f *Form) { f.Token = strings.Repeat("x", MaxToken+1) },
		"identifier": func(f *Form) { f.Identifier = "" },
		"version":    func(f *Form) { f.Version = 0 },
	} {
		f := sample()
		set(f)
		if b, err := (Names{}).Encode(f); err == nil || b != nil {
			t.Errorf("%s: got %s, %v, want an error", name, b, err)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	login, err := ident.ParseAddress("1-10853634039893@interop")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		a    Answer
		text string // the first two are the samples of the Reference Offer
	}{
		{Answer{Login: login}, `{"login":"1-10853634039893@interop","status":"ok"}`},
		{Answer{Reason: BadIntegrator}, `{"reason":"bad_integrator","status":"fail"}`},
		{Answer{Reason: "of_later"}, `{"reason":"of_later","status":"fail"}`},
	} {
		b, err := tt.a.Marshal()
		if err != nil || string(b) != tt.text {
			t.Errorf("got %s, %v, want %s", b, err, tt.text)
		}
		if got, err := ParseAnswer([]byte(tt.text)); err != nil || got != tt.a {
			t.Errorf("%s: read %+v, %v", tt.text, got, err)
		}
	}
	if got, err := ParseAnswer([]byte(`{"status":"ok","login":"1-1@interop","later":[1]}` + "\n")); err != nil || got.Login.User != "1" {
		t.Errorf("with a member of a later version: %v, %v", got, err)
	}
}

func TestAnswerRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, says string }{
		{"empty", "", "EOF"},
		{"no JSON", "<html>", "invalid character"},
		{"two", `{"reason":"x","status":"fail"}{}`, "behind"},
		{"no status", `{"login":"1-1@interop"}`, `status "", want`},
		{"ok without login", `{"status":"ok"}`, `status "ok", want ok with a login`},
		{"fail without reason", `{"status":"fail"}`, `status "fail"`},
		{"fail with an empty reason", `{"reason":"","status":"fail"}`, `status "fail"`},
		{"both", `{"login":"1-1@interop","reason":"x","status":"ok"}`, `status "ok"`},
		{"no address", `{"login":"1-1","status":"ok"}`, "login"},
		{"a native user", `{"login":"4915112345678@s.whatsapp.net","status":"ok"}`, "want the account of a partner's user"},
		{"a device", `{"login":"1-1:2@interop","status":"ok"}`, "want the account of a partner's user"},
		{"reason that is no word", `{"reason":"<script>","status":"fail"}`, "small letters"},
		{"long reason", `{"reason":"` + strings.Repeat("x", 65) + `","status":"fail"}`, "65 bytes"},
		{"long", strings.Repeat(" ", MaxAnswer) + `{}`, "want at most 4096"},
		{"number", `{"login":1,"status":"ok"}`, "login"},
	} {
		if a, err := ParseAnswer([]byte(tt.text)); err == nil || a != (Answer{}) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %+v, %v, want %q", tt.name, a, err, tt.says)
		}
	}
	for name, a := range map[string]Answer{
		"nothing": {}, "both": {Login: ident.Address{User: "1", Server: ident.Interop, Integrator: 1}, Reason: BadToken},
		"a native user": {Login: ident.Address{User: "1", Server: ident.User}}, "no word": {Reason: "Bad!"},
	} {
		if b, err := a.Marshal(); err == nil {
			t.Errorf("%s: marshals to %s", name, b)
		}
	}
}

// TestReasons: what is public is not called assumed, and each has a meaning.
func TestReasons(t *testing.T) {
	t.Parallel()
	for r := range reasons {
		if r.Sentence() == "" || r.Assumed() != (r != "bad_integrator") || r.check() != nil || !strings.Contains(r.Error(), string(r)) {
			t.Errorf("%s: %q, assumed %v", string(r), r.Error(), r.Assumed())
		}
	}
	if Internal.Definite() || !BadToken.Definite() {
		t.Error("after internal nobody knows, after bad_token everybody does")
	}
}

func FuzzForm(f *testing.F) {
	good, err := Names{}.Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("authkey=AA&e_keytype=BQ"))
	f.Fuzz(func(t *testing.T, body []byte) {
		form, err := Names{}.Parse(body)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || form != nil || e.Reason == "" {
				t.Fatalf("got %v, %T %v, want an *Error alone", form, err, err)
			}
			return
		}
		again, err := Names{}.Encode(form)
		if err != nil {
			t.Fatalf("%v does not encode: %v", form, err)
		}
		if f2, err := (Names{}).Parse(again); err != nil || *f2 != *form {
			t.Fatalf("%v came back as %v, %v", form, f2, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"login":"1-10853634039893@interop","status":"ok"}`))
	f.Add([]byte(`{"reason":"bad_integrator","status":"fail"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := ParseAnswer(body)
		if err != nil {
			return
		}
		b, err := a.Marshal()
		if err != nil {
			t.Fatalf("%+v does not marshal: %v", a, err)
		}
		again, err := ParseAnswer(b)
		if err != nil || again != a {
			t.Fatalf("%+v came back as %+v, %v", a, again, err)
		}
		c, err := again.Marshal()
		if err != nil || !bytes.Equal(b, c) {
			t.Fatalf("%s and %s, %v", b, c, err)
		}
	})
}
