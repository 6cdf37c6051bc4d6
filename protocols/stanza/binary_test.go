package stanza_test

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBinaryForms pins the wire format: a change here is a new dictionary
// version.
func TestBinaryForms(t *testing.T) {
	t.Parallel()
	value := func(s string) stanza.Node { return node("a", []string{"b", s}) }
	const head = "10 f803 fc01 61 fc01 62" // version 1, a list of three: "a", "b"
	for _, tt := range []struct {
		name string
		node stanza.Node
		hex  string
	}{
		// The worked example of the Reference Offer 1.0.3 with this project's
		// tokens: tag, five attributes and content make a list of 12.
		{"reference offer", stanza.Node{Tag: "message", Attrs: []stanza.Attr{
			{Name: "to", Value: "11111111@s.whatsapp.net"}, {Name: "from", Value: "14155551000@s.whatsapp.net"},
			{Name: "id", Value: "123456"}, {Name: "type", Value: "text"}, {Name: "notify", Value: "joe"},
		}, Children: []stanza.Node{{Tag: "body", Data: []byte("hi")}}},
			"10 f80c 05 0e fa ff04 11111111 01 22 fa ff86 14155551000f 01 16 ff03 123456 24 2e 25 fc03 6a6f65 f801 f802 21 fc02 6869"},
		{"package comment", node("message", []string{"id", "123456"}, data("enc", 'a')), "10 f804 05 16 ff03 123456 f801 f802 0c fc01 61"},
		{"single token", value("7"), head + "3b"},
		{"double token", value("settings"), head + "ec00"},
		{"empty", value(""), head + "fc00"},
		{"nibble even", value("12.-"), head + "ff02 12ba"},
		{"nibble odd", value("123"), head + "ff82 123f"},
		{"nibble longest", value(strings.Repeat("1", 127)), head + "ffc0" + strings.Repeat("1", 127) + "f"},
		{"too long for nibble", value(strings.Repeat("1", 128)), head + "fc80" + strings.Repeat("31", 128)},
		{"hex even", value("A0"), head + "fb01 a0"},
		{"hex odd", value("F"), head + "fb81 ff"},
		{"user", value("42@s.whatsapp.net"), head + "fa ff01 42 01"},
		{"user of one digit", value("4@s.whatsapp.net"), head + "fa 38 01"},
		{"device", value("42:7@s.whatsapp.net"), head + "f7 00 07 ff01 42"},
		{"device past 255", value("42:256@s.whatsapp.net"), head + "fc15" + hex.EncodeToString([]byte("42:256@s.whatsapp.net"))},
		{"group", value("12-34@g.us"), head + "fa ff83 12a34f 02"},
		{"interop", value("258-42@interop"), head + "f5 ff01 42 0000 0102 03"},
		{"interop device", value("1-42:65535@interop"), head + "f5 ff01 42 ffff 0001 03"},
		{"messenger", value("42@msgr"), head + "f6 ff01 42 0000 04"},
		{"server", value("interop"), head + "03"},
		{"no address", value("042x@interop"), head + "fc0c" + hex.EncodeToString([]byte("042x@interop"))},
		{"raw of 256", value(strings.Repeat("x", 256)), head + "fd000100" + strings.Repeat("78", 256)},
		{"data", stanza.Node{Tag: "enc", Data: []byte("7")}, "10 f802 0c fc01 37"},
		{"children", node("ib", nil, node("dirty", nil), node("ping", nil)), "10 f802 09 f802 f801 20 f801 1e"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := unhex(t, tt.hex)
			got, err := stanza.AppendBinary([]byte{0xEE}, tt.node)
			if err != nil || !bytes.Equal(got[1:], want) {
				t.Fatalf("wrote %x, %v\nwant  %x", got, err, want)
			}
			checkCodecs(t, tt.node)
		})
	}
}

// binaryRefused are encodings with the rule that each breaks.
var binaryRefused = []struct {
	name, hex string
	check     stanza.Check
}{
	{"nothing", "", stanza.CheckTruncated},
	{"header alone", "10", stanza.CheckTruncated},
	{"unknown version", "20 f801 05", stanza.CheckHeader},
	{"unknown flag", "11 f801 05", stanza.CheckHeader},
	{"trailing byte", "10 f801 05 00", stanza.CheckTrailing},
	{"no list", "10 05", stanza.CheckMarker},
	{"empty list", "10 00", stanza.CheckMarker},
	{"list of nothing", "10 f800", stanza.CheckCanonical},
	{"short list in the long form", "10 f90001 05", stanza.CheckCanonical},
	{"list as tag", "10 f801 f801", stanza.CheckMarker},
	{"tag without name", "10 f801 00", stanza.CheckMarker},
	{"tag that is no name", "10 f801 3d", stanza.CheckName},
	{"raw tag that is no name", "10 f801 fc01 20", stanza.CheckName},
	{"empty tag", "10 f801 fc00", stanza.CheckName},
	{"unused token", "10 f801 eb", stanza.CheckMarker},
	{"unused double token", "10 f801 ecff", stanza.CheckMarker},
	{"unused dictionary", "10 f801 ed00", stanza.CheckMarker},
	{"unused marker", "10 f801 f0", stanza.CheckMarker},
	{"token spelt out", "10 f801 fc03 656e63", stanza.CheckCanonical},
	{"name packed", "10 f803 05 fb01 ab 3d", stanza.CheckMarker},
	{"address as name", "10 f801 fa 3a 01", stanza.CheckMarker},
	{"half an attribute", "10 f803 05 16", stanza.CheckTruncated},
	{"more attributes than bytes", "10 f83f 05", stanza.CheckTruncated},
	{"33 attributes", "10 f843 05" + strings.Repeat("16 3d", 33), stanza.CheckAttrs},
	{"attribute twice", "10 f805 05 16 3d 16 3d", stanza.CheckDuplicate},
	{"value token spelt out", "10 f803 05 16 fc04 74657874", stanza.CheckCanonical},
	{"digits not packed", "10 f803 05 16 fc02 3132", stanza.CheckCanonical},
	{"digits packed as hex", "10 f803 05 16 fb01 12", stanza.CheckCanonical},
	{"token packed", "10 f803 05 16 ff81 7f", stanza.CheckCanonical},
	{"nothing packed", "10 f803 05 16 ff00", stanza.CheckCanonical},
	{"nothing packed, odd", "10 f803 05 16 ff80", stanza.CheckCanonical},
	{"128 characters packed", "10 f803 05 16 ff40" + strings.Repeat("11", 64), stanza.CheckCanonical},
	{"unknown nibble", "10 f803 05 16 ff01 1c", stanza.CheckMarker},
	{"odd packing not closed", "10 f803 05 16 ff82 1234", stanza.CheckMarker},
	{"even packing closed", "10 f803 05 16 ff02 123f", stanza.CheckMarker},
	{"packing cut", "10 f803 05 16 ff02 12", stanza.CheckTruncated},
	{"address spelt out", "10 f803 05 16 fc07" + hex.EncodeToString([]byte("42@msgr")), stanza.CheckCanonical},
	{"address without user", "10 f803 05 16 fa 00 01", stanza.CheckAddress},
	{"address of an empty user", "10 f803 05 16 fa ff00 01", stanza.CheckCanonical},
	{"address with a word as user", "10 f803 05 16 fa 05 01", stanza.CheckAddress},
	{"address at no server", "10 f803 05 16 fa ff01 42 05", stanza.CheckAddress},
	{"address at a spelt server", "10 f803 05 16 fa ff01 42 fc04 6d736772", stanza.CheckAddress},
	{"interop as a pair", "10 f803 05 16 fa ff83 1a421f 03", stanza.CheckAddress},
	{"messenger as a pair", "10 f803 05 16 fa ff01 42 04", stanza.CheckCanonical},
	{"interop of integrator 0", "10 f803 05 16 f5 ff01 42 0000 0000 03", stanza.CheckAddress},
	{"interop at another server", "10 f803 05 16 f5 ff01 42 0000 0001 04", stanza.CheckAddress},
	{"messenger marker at s.whatsapp.net", "10 f803 05 16 f6 ff01 42 0000 01", stanza.CheckCanonical},
	{"device 0 marked", "10 f803 05 16 f7 00 00 ff01 42", stanza.CheckCanonical},
	{"device of another domain", "10 f803 05 16 f7 01 07 ff01 42", stanza.CheckAddress},
	{"user of one digit packed", "10 f803 05 16 fa ff81 4f 01", stanza.CheckCanonical},
	{"value with a control character", "10 f803 05 16 fc01 0a", stanza.CheckValue},
	{"value not UTF-8", "10 f803 05 16 fc01 ff", stanza.CheckValue},
	{"value too long", "10 f803 05 16 fd001001" + strings.Repeat("78", 4097), stanza.CheckValue},
	{"list as value", "10 f803 05 16 f801 05", stanza.CheckMarker},
	{"content missing", "10 f802 05", stanza.CheckTruncated},
	{"empty content", "10 f802 05 00", stanza.CheckMarker},
	{"content of no bytes", "10 f802 05 fc00", stanza.CheckCanonical},
	{"content of no children", "10 f802 05 f800", stanza.CheckCanonical},
	{"content as a token", "10 f802 05 16", stanza.CheckMarker},
	{"content packed", "10 f802 05 ff01 12", stanza.CheckMarker},
	{"8-bit length in 20 bits", "10 f802 05 fd000001 37", stanza.CheckCanonical},
	{"20-bit length of 21 bits", "10 f802 05 fd100000", stanza.CheckMarker},
	{"20-bit length in 32 bits", "10 f802 05 fe00000001 37", stanza.CheckCanonical},
	{"huge length", "10 f802 05 feffffffff", stanza.CheckSize},
	{"length past the end", "10 f802 05 fefffff0", stanza.CheckTruncated},
	{"data past the end", "10 f802 05 fc02 37", stanza.CheckTruncated},
	{"children past the end", "10 f802 05 f9ffff f801 05", stanza.CheckTruncated},
	{"17 levels", "10" + strings.Repeat("f802 05 f801", 16) + "f801 05", stanza.CheckDepth},
	{"65537 nodes", "10 f802 05 f802 f802 05 f9ffff" + strings.Repeat("f80105", 65535) + "f801 05", stanza.CheckNodes},
	{"name too long", "10 f801 fc41" + strings.Repeat("61", 65), stanza.CheckName},
	{"compressed nothing", "12", stanza.CheckCompress},
	{"compressed no zlib", "12 f801 05", stanza.CheckCompress},
}

func TestParseBinaryRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range binaryRefused {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n, err := stanza.ParseBinary(unhex(t, tt.hex))
			var fe *stanza.FormatError
			if !errors.Is(err, tt.check) || !errors.As(err, &fe) || fe.Offset < 0 {
				t.Fatalf("got %v, %v; want %v", n, err, tt.check)
			}
		})
	}
}

func TestParseBinaryRefusesEveryTruncation(t *testing.T) {
	t.Parallel()
	for _, s := range samples {
		b, err := stanza.AppendBinary(nil, s.stanza.Node())
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			if _, err := stanza.ParseBinary(b[:i]); !errors.Is(err, stanza.CheckTruncated) {
				t.Fatalf("%s cut at %d: %v; want %v", s.name, i, err, stanza.CheckTruncated)
			}
		}
	}
}

func deflate(t *testing.T, plain []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	buf.WriteByte(stanza.DictionaryVersion<<4 | 2)
	w := zlib.NewWriter(&buf)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestParseBinaryRefusesBadCompression(t *testing.T) {
	t.Parallel()
	good := deflate(t, []byte{0xF8, 1, 5})
	if n, err := stanza.ParseBinary(good); err != nil || n.Tag != "message" {
		t.Fatalf("refused what is right: %v, %v", n, err)
	}
	if _, err := stanza.ParseBinary(append(good[:len(good):len(good)], 0)); !errors.Is(err, stanza.CheckTrailing) {
		t.Errorf("byte after the stream: %v; want %v", err, stanza.CheckTrailing)
	}
	for i := 1; i < len(good); i++ {
		if _, err := stanza.ParseBinary(good[:i]); !errors.Is(err, stanza.CheckCompress) {
			t.Errorf("cut at %d: %v; want %v", i, err, stanza.CheckCompress)
		}
	}
	bad := bytes.Clone(good)
	bad[len(bad)-1] ^= 1
	if _, err := stanza.ParseBinary(bad); !errors.Is(err, stanza.CheckCompress) {
		t.Errorf("wrong sum: %v; want %v", err, stanza.CheckCompress)
	}
	if _, err := stanza.ParseBinary(good); err != nil {
		t.Errorf("refused what is right after what is wrong: %v", err)
	}
	bomb := deflate(t, make([]byte, 3*stanza.MaxSize))
	if len(bomb) > stanza.MaxSize/10 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	if _, err := stanza.ParseBinary(bomb); !errors.Is(err, stanza.CheckSize) {
		t.Errorf("bomb of %d bytes: %v; want %v", len(bomb), err, stanza.CheckSize)
	}
}

// TestParseBinaryMemory bounds what hostile bytes can make ParseBinary allocate:
// the promises below are far larger than what is there to keep them.
func TestParseBinaryMemory(t *testing.T) {
	nodes := "10 f802 05 f9f000" + strings.Repeat("f80105", 4000)
	for _, tt := range []struct {
		name, hex string
		most      uint64 // bytes
	}{
		{"length", "10 f802 05 fe00ffff00 00", 4 << 10},
		{"children", "10 f802 05 f9ffff f801 05", 4 << 10},
		{"nested children", "10" + strings.Repeat("f802 05 f9ff00", 8) + "f80105", 4 << 10},
		{"many nodes", nodes, 1 << 20},
		{"name", "10 f801 fd0fffff" + strings.Repeat("61", 1<<20-1), 4 << 10},
		{"value", "10 f803 05 16 fd0fffff" + strings.Repeat("78", 1<<20-1), 4 << 10},
	} {
		b := unhex(t, tt.hex)
		var err error
		got := uint64(math.MaxUint64)
		for range 5 { // the least is the parser's own: the runtime may allocate meanwhile
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = stanza.ParseBinary(b)
			runtime.ReadMemStats(&after)
			got = min(got, after.TotalAlloc-before.TotalAlloc)
		}
		if err == nil || got > tt.most {
			t.Errorf("%s: %d bytes for %d, %v; want an error and at most %d", tt.name, got, len(b), err, tt.most)
		}
	}
}

func TestParseBinarySharesNoMemory(t *testing.T) {
	t.Parallel()
	for _, s := range samples {
		want := s.stanza.Node()
		b, err := stanza.AppendBinary(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := stanza.ParseBinary(b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] ^= 0xFF
		}
		if !got.Equal(&want) {
			t.Errorf("%s changed with the bytes it was read from", s.name)
		}
	}
}
