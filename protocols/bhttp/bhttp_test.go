package bhttp

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The messages of RFC 9292, Section 5, as their hex dumps give them.
const (
	requestControl = "\x03GET\x05https\x00\x0a/hello.txt"
	requestHeader  = "\x0auser-agent\x34curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3" +
		"\x04host\x0fwww.example.com\x0faccept-language\x06en, mi"
	knownGet         = "\x00" + requestControl + "\x40\x6c" + requestHeader + "\x00\x00"
	indeterminateGet = "\x02" + requestControl + requestHeader + "\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

	informed = "\x03" +
		"\x40\x66\x07running\x0a\"sleep 15\"\x00" +
		"\x40\x67\x04link\x23</style.css>; rel=preload; as=style" +
		"\x04link\x24</script.js>; rel=preload; as=script\x00" +
		"\x40\xc8\x04date\x1dMon, 27 Jul 2009 12:28:53 GMT\x06server\x06Apache" +
		"\x0dlast-modified\x1dWed, 22 Jul 2009 19:15:56 GMT\x04etag\x14\"34aa387-d-1568eb00\"" +
		"\x0daccept-ranges\x05bytes\x0econtent-length\x0251\x04vary\x0fAccept-Encoding" +
		"\x0ccontent-type\x0atext/plain\x00" +
		"\x33Hello World! My content includes a trailing CRLF.\x0d\x0a\x00\x00"
	chunked = "\x01\x40\xc8\x00\x1dThis content contains CRLF.\x0d\x0a\x0d\x07trailer\x04text"
)

// get is the request of RFC 9292, Section 5.1.
var get = &Request{
	Method: "GET", Scheme: "https", Path: "/hello.txt",
	Header: []Field{
		{"user-agent", "curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3"},
		{"host", "www.example.com"},
		{"accept-language", "en, mi"},
	},
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		data string
		want *Request
	}{
		"known length":              {knownGet, get},
		"known, without trailer":    {knownGet[:len(knownGet)-1], get},
		"known, without content":    {knownGet[:len(knownGet)-2], get},
		"indeterminate":             {indeterminateGet, get},
		"indeterminate, no padding": {indeterminateGet[:len(indeterminateGet)-12], get},
		"known, padded":             {knownGet + "\x00\x00\x00", get},
		// RFC 9458, Appendix A.
		"without header": {"\x00\x03GET\x05https\x0bexample.com\x01/",
			&Request{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/"}},
		// Integers need not have the least size (Section 3).
		"long integers": {"\x40\x00\x80\x00\x00\x03GET\xc0\x00\x00\x00\x00\x00\x00\x05https\x00\x01/",
			&Request{Method: "GET", Scheme: "https", Path: "/"}},
		"a pseudo-field of an extension": {"\x00\x07CONNECT\x05https\x00\x01/\x0f\x09:protocol\x04mimi",
			&Request{Method: "CONNECT", Scheme: "https", Path: "/", Header: []Field{{":protocol", "mimi"}}}},
		"chunks": {"\x02\x04POST\x05https\x00\x01/\x00\x02ab\x03cde\x00\x01t\x01v\x00",
			&Request{Method: "POST", Scheme: "https", Path: "/", Content: []byte("abcde"), Trailer: []Field{{"t", "v"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseRequest([]byte(row.data))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Content) == 0 {
				got.Content = nil
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
	if out, err := get.Marshal(); err != nil || string(out) != knownGet {
		t.Errorf("Marshal = %q, %v, want %q", out, err, knownGet)
	}
}

func TestResponses(t *testing.T) {
	t.Parallel()
	r, err := ParseResponse([]byte(informed))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Informational) != 2 || r.Informational[0].Status != 102 || r.Informational[1].Status != 103 ||
		!reflect.DeepEqual(Values(r.Informational[1].Header, "link"), []string{
			"</style.css>; rel=preload; as=style", "</script.js>; rel=preload; as=script"}) {
		t.Errorf("informational responses %+v", r.Informational)
	}
	if r.Status != 200 || len(r.Header) != 8 || !bytes.HasSuffix(r.Content, []byte("trailing CRLF.\r\n")) || len(r.Content) != 51 {
		t.Errorf("got %+v", r)
	}
	again, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := ParseResponse(again); err != nil || !reflect.DeepEqual(r, second) {
		t.Errorf("with known length it reads %+v, %v, want %+v", second, err, r)
	}

	r = &Response{Status: 200, Content: []byte("This content contains CRLF.\r\n"), Trailer: []Field{{"trailer", "text"}}}
	if out, err := r.Marshal(); err != nil || string(out) != chunked {
		t.Errorf("Marshal = %q, %v, want %q", out, err, chunked)
	}
	if got, err := ParseResponse([]byte(chunked)); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v, %v, want %+v", got, err, r)
	}
	if got, err := ParseResponse([]byte("\x01\x40\xc8")); err != nil || got.Status != 200 { // RFC 9458, Appendix A
		t.Errorf("status alone: got %+v, %v", got, err)
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	control := "\x00\x03GET\x05https\x00\x01/"
	for name, row := range map[string]struct{ data, says string }{
		"empty":                      {"", "ends before the framing indicator"},
		"a response":                 {chunked, "framing indicator 1, want 0 or 2"},
		"unknown framing":            {"\x04", "framing indicator 4"},
		"no path":                    {"\x00\x03GET\x05https\x00", "ends before the length of the path"},
		"empty path":                 {"\x00\x03GET\x05https\x00\x00\x00", "empty path"},
		"empty method":               {"\x00\x00\x05https\x00\x01/", "empty method"},
		"empty scheme":               {"\x00\x03GET\x00\x00\x01/", "empty scheme"},
		"space in method":            {"\x00\x03G T\x05https\x00\x01/", "byte 0x20 in the method"},
		"line break in path":         {"\x00\x03GET\x05https\x00\x03/\r\n", "byte 0x0d in the path"},
		"space in authority":         {"\x00\x03GET\x05https\x03a b\x01/", "byte 0x20 in the authority"},
		"half an integer":            {control + "\x40", "ends within the length of the header"},
		"header too long":            {control + "\x05\x01a", "is to have 5 bytes, 2 are left"},
		"length of 2^62-1":           {control + "\xff\xff\xff\xff\xff\xff\xff\xff", "is to have 4611686018427387903 bytes"},
		"empty name":                 {control + "\x03\x00\x01b", "empty field name"},
		"name alone":                 {control + "\x02\x01a", "ends before the length of the field value"},
		"space in name":              {control + "\x05\x02a \x01b", "byte 0x20 in the field name"},
		"line break in value":        {control + "\x05\x01a\x02b\n", `byte 0x0a in the value of "a"`},
		"space around value":         {control + "\x05\x01a\x02b ", `space around the value of "a"`},
		"control data as field":      {control + "\x08\x05:path\x01/", "which the control data has"},
		"pseudo after regular":       {control + "\x09\x01a\x01b\x02:c\x01d", "after a regular field"},
		"pseudo in trailer":          {control + "\x00\x00\x05\x02:c\x01d", "which only a header has"},
		"padding":                    {control + "\x00\x00\x00\x00\x01", "byte 0x01 at 1 of the padding"},
		"unterminated header":        {"\x02\x03GET\x05https\x00\x01/\x01a\x01b", "ends before the length of the field name"},
		"unterminated content":       {"\x02\x03GET\x05https\x00\x01/\x00\x01a", "ends before the length of the chunk"},
		"a lone colon":               {control + "\x04\x01:\x01b", "empty field name"},
		"a byte that is not a token": {control + "\x04\x01\xff\x01b", "byte 0xff in the field name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := ParseRequest([]byte(row.data))
			if m != nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %+v, error %v, want one that says %q", m, err, row.says)
			}
		})
	}
	for name, row := range map[string]struct{ data, says string }{
		"a request":          {knownGet, "framing indicator 0, want 1 or 3"},
		"status 99":          {"\x01\x40\x63", "status 99, want 200 to 599"},
		"status 600":         {"\x01\x42\x58", "status 600"},
		"informational only": {"\x01\x40\x66\x00", "ends before the status"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := ParseResponse([]byte(row.data))
			if m != nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %+v, error %v, want one that says %q", m, err, row.says)
			}
		})
	}
}

func TestMarshalRefuses(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]interface{ Marshal() ([]byte, error) }{
		"method":        &Request{Scheme: "https", Path: "/"},
		"header":        &Request{Method: "GET", Scheme: "https", Path: "/", Header: []Field{{"a", "b\r\nc: d"}}},
		"trailer":       &Request{Method: "GET", Scheme: "https", Path: "/", Trailer: []Field{{":a", "b"}}},
		"status":        &Response{Status: 199},
		"informational": &Response{Status: 200, Informational: []Informational{{Status: 200}}},
	} {
		if out, err := m.Marshal(); err == nil {
			t.Errorf("%s: got %q, want an error", name, out)
		}
	}
}

// token, value and fields draw what a message may hold.
var (
	token  = rapid.StringMatching("[a-z][a-z0-9-]{0,20}")
	value  = rapid.StringMatching("[!-~]{0,80}")
	fields = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Field {
		return Field{token.Draw(t, "name"), value.Draw(t, "value")}
	}), 0, 5)
)

// TestRoundTrip: what is written is read as it was.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := &Request{
			Method: token.Draw(t, "method"), Scheme: token.Draw(t, "scheme"),
			Authority: value.Draw(t, "authority"), Path: "/" + value.Draw(t, "path"),
			Header: fields.Draw(t, "header"), Trailer: fields.Draw(t, "trailer"),
			Content: rapid.SliceOfN(rapid.Byte(), 0, 70_000).Draw(t, "content"),
		}
		data, err := in.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		out, err := ParseRequest(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := out.Marshal()
		if err != nil || !bytes.Equal(data, again) {
			t.Fatalf("%q is read and written again as %q, %v", data, again, err)
		}
		if out.Method != in.Method || out.Path != in.Path || !bytes.Equal(out.Content, in.Content) || len(out.Header) != len(in.Header) {
			t.Fatalf("got %+v, want %+v", out, in)
		}
	})
}

// FuzzParse: no input panics; what is read can be written and reads the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{knownGet, indeterminateGet, informed, chunked, "\x01\x40\xc8"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := ParseRequest(data); err == nil {
			out, err := m.Marshal()
			if err != nil {
				t.Fatalf("read but not written: %v", err)
			}
			again, err := ParseRequest(out)
			if err != nil || len(again.Header) != len(m.Header) || !bytes.Equal(again.Content, m.Content) {
				t.Fatalf("%+v reads again as %+v, %v", m, again, err)
			}
		}
		if m, err := ParseResponse(data); err == nil {
			out, err := m.Marshal()
			if err != nil {
				t.Fatalf("read but not written: %v", err)
			}
			if again, err := ParseResponse(out); err != nil || again.Status != m.Status || !bytes.Equal(again.Content, m.Content) {
				t.Fatalf("%+v reads again as %+v, %v", m, again, err)
			}
		}
	})
}
