package dma

import (
	"errors"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// FuzzContentCheck: check refuses what the peer could not parse and nothing else, and
// size is what Append appends.
func FuzzContentCheck(f *testing.F) {
	f.Add(byte(Text), "hello", "", "3EB0", "", uint64(0), 0, byte(0), uint64(0), "", "")
	f.Add(byte(Text), "\xff", "", "", "", uint64(0), 0, byte(0), uint64(0), "", "")
	f.Add(byte(Image), "caption", "", "", "/v/t1", uint64(1)<<40, 2048, byte(1), uint64(1)<<40, "image/jpeg", "a.jpg")
	f.Add(byte(File), "", "", "", "", uint64(0), MaxThumbnail+1, byte(0), uint64(0), "", "")
	f.Add(byte(Reaction), "👍", "3EB0", "", "", uint64(0), 0, byte(0), uint64(0), "", "")
	f.Add(byte(Reaction), "", "", "", "", uint64(0), 0, byte(0), uint64(0), "", "")
	f.Add(byte(File), "", "", "", "/v/t1", uint64(26), 0, byte(1), uint64(9), strings.Repeat("x", MaxMIME+1), "a")
	f.Add(byte(File), "", "", "", "/v/t1", uint64(26), 0, byte(1), uint64(9), "text/plain", strings.Repeat("x", MaxName+1))
	f.Fuzz(func(t *testing.T, kind byte, text, target, replyTo, ref string, size uint64, thumbnail int, plain byte, length uint64, mime, name string) {
		c := Content{
			Kind: Text + ContentKind(kind)%Reaction, Text: text, Target: target, ReplyTo: replyTo,
			Media: MediaRef{Ref: ref, Size: size, Thumbnail: make([]byte, max(0, thumbnail)%(2*MaxThumbnail)),
				Plain: [32]byte{plain}, Length: length, MIME: mime, Name: name},
		}
		b := c.Append(nil)
		if len(b) != c.size() {
			t.Errorf("%v of %d bytes, size says %d", c.Kind, len(b), c.size())
		}
		_, want := ParseContent(b)
		if err := c.check(); (err == nil) != (want == nil) || err != nil && !errors.Is(err, protocols.ErrMalformed) {
			t.Errorf("check says %v, and the parser %v", err, want)
		}
	})
}
