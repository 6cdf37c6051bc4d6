package mimi

import (
	"bytes"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// fuzzBody reads data as a body and wants it written as it was read.
func fuzzBody(f *testing.F, e EndpointName, response bool) {
	f.Helper()
	endpoint, ok := FindEndpoint(e)
	if !ok {
		f.Fatalf("no endpoint %s", e)
	}
	typ, parse := endpoint.Request, endpoint.ParseRequest
	if response {
		typ, parse = endpoint.Response, endpoint.ParseResponse
	}
	for _, tt := range types {
		if len(tt.name) >= len(typ) && tt.name[:len(typ)] == typ {
			f.Add([]byte(tt.sample))
		}
	}
	other := DefaultCodePoints
	other.MLS.AppDataUpdate, other.MLS.SelfRemove, other.MLS.AppEphemeral = 0xf003, 0xf001, 0xf002
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, points := range []*CodePoints{nil, &other} {
			m, err := parse(data, points)
			if (m == nil) != (err != nil) {
				t.Fatalf("%x: %v, %v, want one of them nil", data, m, err)
			}
			if err != nil {
				continue
			}
			if b, err := Marshal(m); err != nil || !bytes.Equal(b, data) {
				t.Fatalf("read %x, wrote %x, %v", data, b, err)
			}
			check(m)
		}
	})
}

// check asks a body what else it can say of itself, which must not panic.
func check(m any) {
	switch m := m.(type) {
	case *KeyMaterialRequest:
		m.Check()
		m.TBS()
	case *KeyMaterialResponse:
		m.Check()
	case *UpdateRequest:
		m.Check()
	case []FanoutMessage:
		for i := range m {
			m[i].Check()
		}
	case *GroupInfoRequest:
		m.TBS()
	case *GroupInfoResponse:
		m.TBS()
	case *ConsentEntry:
		m.Check(EndpointRequestConsent)
		m.Check(EndpointUpdateConsent)
	case *IdentifierRequest:
		m.Check()
	case *IdentifierResponse:
		m.Check()
	}
}

func FuzzKeyMaterialRequest(f *testing.F)    { fuzzBody(f, EndpointKeyMaterial, false) }
func FuzzKeyMaterialResponse(f *testing.F)   { fuzzBody(f, EndpointKeyMaterial, true) }
func FuzzUpdateRequest(f *testing.F)         { fuzzBody(f, EndpointUpdate, false) }
func FuzzUpdateRoomResponse(f *testing.F)    { fuzzBody(f, EndpointUpdate, true) }
func FuzzSubmitMessageRequest(f *testing.F)  { fuzzBody(f, EndpointSubmitMessage, false) }
func FuzzSubmitMessageResponse(f *testing.F) { fuzzBody(f, EndpointSubmitMessage, true) }
func FuzzFanoutMessages(f *testing.F)        { fuzzBody(f, EndpointNotify, false) }
func FuzzGroupInfoRequest(f *testing.F)      { fuzzBody(f, EndpointGroupInfo, false) }
func FuzzGroupInfoResponse(f *testing.F)     { fuzzBody(f, EndpointGroupInfo, true) }
func FuzzConsentEntry(f *testing.F)          { fuzzBody(f, EndpointRequestConsent, false) }
func FuzzIdentifierRequest(f *testing.F)     { fuzzBody(f, EndpointIdentifierQuery, false) }
func FuzzIdentifierResponse(f *testing.F)    { fuzzBody(f, EndpointIdentifierQuery, true) }
func FuzzAbuseReport(f *testing.F)           { fuzzBody(f, EndpointReportAbuse, false) }

// FuzzTypes reads data as any type of the wire, those that are parts of bodies or are
// encrypted in them among them.
func FuzzTypes(f *testing.F) {
	for i, tt := range types {
		f.Add(uint8(i), []byte(tt.sample))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		tt := types[int(which)%len(types)]
		v := tt.make()
		if err := wire.Unmarshal(data, v); err != nil {
			return
		}
		if got, err := wire.Marshal(v); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%s: read %x, wrote %x, %v", tt.name, data, got, err)
		}
		if m, ok := v.(*GroupInfoRatchetTreeTBE); ok {
			m.Check()
		}
	})
}

// FuzzDirectory reads data as a directory, which is then written and read again.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(`{"update":"https://a.example/{roomId}","x":[1,{"y":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDirectory(data)
		if err != nil {
			return
		}
		d.Check("a.example")
		d.Defects()
		for _, e := range Endpoints {
			tmpl, err := d.Template(e.Name)
			if err != nil {
				continue
			}
			if got, ok := tmpl.Match(tmpl.path + Escape(string(room)) + tmpl.after); !ok || got != string(room) {
				t.Fatalf("%s: its own expansion is matched as %q, %v", e.Name, got, ok)
			}
		}
		b, err := d.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseDirectory(b)
		if err != nil {
			t.Fatalf("wrote %s: %v", b, err)
		}
		if c, err := again.MarshalJSON(); err != nil || !bytes.Equal(b, c) {
			t.Fatalf("wrote %s, then %s, %v", b, c, err)
		}
	})
}

// FuzzHeaders reads data as From, Host and a download URL.
func FuzzHeaders(f *testing.F) {
	for _, s := range []string{"mimi@a.example", "a.example:443", "https://assets.a.example/x?y", "[::1]:80", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseFrom(s); err == nil {
			if again, err := ParseFrom(From(d)); err != nil || again != d {
				t.Fatalf("From %q is of %q, and then of %q, %v", s, d, again, err)
			}
		}
		if d, err := ParseHost(s); err == nil {
			if again, err := ParseHost(d); err != nil || again != d {
				t.Fatalf("Host %q is %q, and then %q, %v", s, d, again, err)
			}
		}
		DownloadURL(s)
		for subject := range subjectNames {
			subject.ParseSubject(s)
		}
	})
}
