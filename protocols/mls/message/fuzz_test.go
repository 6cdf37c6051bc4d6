package message

import (
	"bytes"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// FuzzTypes reads data as one of the types of the wire and wants it written as
// it was read. Cost is bounded by TestCostBound, which knows the worst inputs.
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
	})
}

// FuzzParse reads data as an MLSMessage, by the numbers of two sets of code
// points. A message that is refused is nil.
func FuzzParse(f *testing.F) {
	others := DefaultCodePoints
	others.SelfRemove, others.AppEphemeral, others.AppDataUpdate = 0xf001, 0xf002, 0xf003
	for _, body := range []string{
		"\x00\x01" + sampleFramed + "\x01s\x01t\x01m",
		"\x00\x02" + samplePrivate,
		"\x00\x03\x00\x01\x06\x01r\x01k\x01c\x01i",
		"\x00\x04" + sampleContext + sampleExtensions + "\x01t\x00\x00\x00\x02\x01s",
		"\x00\x05" + sampleKeyPackage,
		"\x00\x01\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x04\x01a\x02\x00\x0a\x01s",
	} {
		f.Add([]byte("\x00\x01" + body))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, points := range []*CodePoints{nil, &others} {
			m, err := Parse(data, points)
			if (m == nil) != (err != nil) {
				t.Fatalf("Parse(%x) = %v, %v, want one of them nil", data, m, err)
			}
			if err != nil {
				continue
			}
			if m.WireFormat() == 0 {
				t.Fatalf("Parse(%x) is an empty message", data)
			}
			if got, err := wire.Marshal(m); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("read %x, wrote %x, %v", data, got, err)
			}
		}
	})
}

// FuzzPrivateContent reads data as a PrivateMessageContent, whose padding is what
// follows and is all zero.
func FuzzPrivateContent(f *testing.F) {
	f.Add(uint8(ContentApplication), []byte("\x02hi\x01s\x00\x00\x00"))
	f.Add(uint8(ContentProposal), []byte("\x00\x03\x00\x00\x00\x01\x01s"))
	f.Add(uint8(ContentCommit), []byte(sampleCommit+"\x01s\x01t\x00"))
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		typ := ContentType(1 + kind%3)
		var c AuthenticatedContent
		if err := c.ReadPrivateContent(data, typ, nil); err != nil {
			return
		}
		content, err := c.AppendPrivateContent(nil, 0)
		if err != nil || !bytes.HasPrefix(data, content) {
			t.Fatalf("read %x, wrote %x, %v", data, content, err)
		}
		if got, err := c.AppendPrivateContent(nil, len(data)-len(content)); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read %x, wrote %x with padding, %v", data, got, err)
		}
	})
}
