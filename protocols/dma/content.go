package dma

import (
	"cmp"
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/wire/protofield"
)

// ContentKind is what a message carries for the user.
type ContentKind uint8

// The kinds of DMA Article 7(2)(a) and, since version 1.0.1 of the Reference
// Offer, reactions. A reply is a content of any kind with ReplyTo set.
const (
	Text ContentKind = 1 + iota
	Image
	Voice
	Video
	File
	Reaction
)

// ContentKinds lists all kinds in their order.
var ContentKinds = []ContentKind{Text, Image, Voice, Video, File, Reaction}

var contentKindNames = [...]string{Text: "text", Image: "image", Voice: "voice", Video: "video", File: "file", Reaction: "reaction"}

// String returns the kind's name as scenarios write it.
func (k ContentKind) String() string {
	if k < Text || k > Reaction {
		return fmt.Sprintf("ContentKind(%d)", uint8(k))
	}
	return contentKindNames[k]
}

// Media reports whether the kind has a [MediaRef].
func (k ContentKind) Media() bool { return k >= Image && k <= File }

// Content is the plaintext of one message. Its protobuf schema is not public,
// so this one is assumed:
//
//	message Content {
//	  oneof body {
//	    string text = 1;
//	    Media media = 2;
//	    Reaction reaction = 3;
//	  }
//	  string reply_to = 10;
//	  string group = 11;       // address of the group that it was written to
//	  message Media {
//	    uint32 kind = 1;       // 2 image, 3 voice, 4 video, 5 file
//	    string ref = 2;        // download path at the media host
//	    bytes key = 3;         // 32 bytes
//	    bytes sha256 = 4;      // of the ciphertext, 32 bytes
//	    uint64 size = 5;       // of the ciphertext, in bytes
//	    string caption = 6;
//	    bytes thumbnail = 7;   // preview picture
//	    bytes plain_sha256 = 8; // of the medium itself, 32 bytes
//	    uint64 length = 9;     // of the medium itself, in bytes
//	    string mime_type = 10;
//	    string name = 11;      // of a file, for the user to read
//	  }
//	  message Reaction {
//	    string target = 1;     // ID of the message reacted to
//	    string emoji = 2;      // empty: the reaction is revoked
//	  }
//	}
type Content struct {
	Kind    ContentKind
	Text    string // the text, a medium's caption, or the emoji of a reaction
	Target  string // Reaction: the ID of the message reacted to
	ReplyTo string // ID of the message replied to, or empty
	// Group is the address of the group that it was written to, or empty. A device sets
	// it, and takes a content nowhere else: what was written to one person can't be
	// passed off as said to many, nor the other way round.
	Group string
	Media MediaRef
}

// MediaRef says where a medium's ciphertext lies and how to open it.
type MediaRef struct {
	Ref    string   // download path, at most [MaxMediaRef] bytes
	Key    [32]byte // media key
	SHA256 [32]byte // hash of the ciphertext
	Size   uint64   // size of the ciphertext in bytes
	// Thumbnail is a preview picture, at most [MaxThumbnail] bytes, or nil.
	Thumbnail []byte

	// What is known of the medium itself. Zero values mean that the message does not say
	// it; without hash and length a medium is not opened.
	Plain  [32]byte `json:",omitzero"` // hash
	Length uint64   `json:",omitzero"` // size in bytes
	MIME   string   `json:",omitzero"` // media type, at most [MaxMIME] bytes
	// Name is what the sender calls a file, at most [MaxName] bytes. It is for the user to
	// read: whoever makes a path of it lets a stranger choose the path.
	Name string `json:",omitzero"`
}

// Bounds on a content in bytes; they are implementation choices.
const (
	MaxText      = 64 << 10
	MaxThumbnail = 64 << 10
	MaxMediaRef  = 256
	MaxMIME      = 128
	MaxName      = 255
	MaxID        = 64
)

// Field numbers of the assumed schema.
const (
	fieldText     protowire.Number = 1
	fieldMedia    protowire.Number = 2
	fieldReaction protowire.Number = 3
	fieldReplyTo  protowire.Number = 10
	fieldGroup    protowire.Number = 11

	fieldMediaKind    protowire.Number = 1
	fieldMediaRef     protowire.Number = 2
	fieldMediaKey     protowire.Number = 3
	fieldMediaSHA256  protowire.Number = 4
	fieldMediaSize    protowire.Number = 5
	fieldMediaCaption protowire.Number = 6
	fieldThumbnail    protowire.Number = 7
	fieldMediaPlain   protowire.Number = 8
	fieldMediaLength  protowire.Number = 9
	fieldMediaMIME    protowire.Number = 10
	fieldMediaName    protowire.Number = 11

	fieldReactionTarget protowire.Number = 1
	fieldReactionEmoji  protowire.Number = 2
)

// Append appends the encoding of c to dst.
func (c *Content) Append(dst []byte) []byte {
	switch {
	case c.Kind == Text:
		dst = appendString(dst, fieldText, c.Text)
	case c.Kind.Media():
		dst = protowire.AppendTag(dst, fieldMedia, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(c.bodySize()))
		dst = protowire.AppendTag(dst, fieldMediaKind, protowire.VarintType)
		dst = protowire.AppendVarint(dst, uint64(c.Kind))
		dst = appendString(dst, fieldMediaRef, c.Media.Ref)
		dst = protowire.AppendTag(dst, fieldMediaKey, protowire.BytesType)
		dst = protowire.AppendBytes(dst, c.Media.Key[:])
		dst = protowire.AppendTag(dst, fieldMediaSHA256, protowire.BytesType)
		dst = protowire.AppendBytes(dst, c.Media.SHA256[:])
		dst = protowire.AppendTag(dst, fieldMediaSize, protowire.VarintType)
		dst = protowire.AppendVarint(dst, c.Media.Size)
		if c.Text != "" {
			dst = appendString(dst, fieldMediaCaption, c.Text)
		}
		if len(c.Media.Thumbnail) > 0 {
			dst = protowire.AppendTag(dst, fieldThumbnail, protowire.BytesType)
			dst = protowire.AppendBytes(dst, c.Media.Thumbnail)
		}
		dst = c.Media.appendPlain(dst)
	case c.Kind == Reaction:
		dst = protowire.AppendTag(dst, fieldReaction, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(c.bodySize()))
		dst = appendString(dst, fieldReactionTarget, c.Target)
		if c.Text != "" {
			dst = appendString(dst, fieldReactionEmoji, c.Text)
		}
	default:
		panic("dma: content kind out of range: " + c.Kind.String())
	}
	if c.ReplyTo != "" {
		dst = appendString(dst, fieldReplyTo, c.ReplyTo)
	}
	if c.Group != "" {
		dst = appendString(dst, fieldGroup, c.Group)
	}
	return dst
}

// appendPlain appends what is known of the medium itself.
func (m *MediaRef) appendPlain(dst []byte) []byte {
	if m.Plain != [32]byte{} {
		dst = protowire.AppendTag(dst, fieldMediaPlain, protowire.BytesType)
		dst = protowire.AppendBytes(dst, m.Plain[:])
	}
	if m.Length != 0 {
		dst = protowire.AppendTag(dst, fieldMediaLength, protowire.VarintType)
		dst = protowire.AppendVarint(dst, m.Length)
	}
	if m.MIME != "" {
		dst = appendString(dst, fieldMediaMIME, m.MIME)
	}
	if m.Name != "" {
		dst = appendString(dst, fieldMediaName, m.Name)
	}
	return dst
}

// plainSize is how many bytes appendPlain appends.
func (m *MediaRef) plainSize() int {
	n := optionalSize(len(m.MIME)) + optionalSize(len(m.Name))
	if m.Plain != [32]byte{} {
		n += sizeBytes(len(m.Plain))
	}
	if m.Length != 0 {
		n += 1 + protowire.SizeVarint(m.Length)
	}
	return n
}

// size is how many bytes Append appends.
func (c *Content) size() int {
	n := sizeBytes(c.bodySize()) // the numbers of bodies have tags of one byte, as have those below
	if c.ReplyTo != "" {
		n += sizeBytes(len(c.ReplyTo))
	}
	if c.Group != "" {
		n += sizeBytes(len(c.Group))
	}
	return n
}

// bodySize is the size of what is in the body's field.
func (c *Content) bodySize() int {
	switch {
	case c.Kind.Media():
		m := &c.Media
		return 1 + protowire.SizeVarint(uint64(c.Kind)) + sizeBytes(len(m.Ref)) + sizeBytes(len(m.Key)) + sizeBytes(len(m.SHA256)) +
			1 + protowire.SizeVarint(m.Size) + optionalSize(len(c.Text)) + optionalSize(len(m.Thumbnail)) + m.plainSize()
	case c.Kind == Reaction:
		return sizeBytes(len(c.Target)) + optionalSize(len(c.Text))
	}
	return len(c.Text)
}

// sizeBytes is the size of a field of n bytes with its tag, of one byte, and length.
func sizeBytes(n int) int { return 1 + protowire.SizeBytes(n) }

// optionalSize is that of a field that is left out if it has no bytes.
func optionalSize(n int) int {
	if n == 0 {
		return 0
	}
	return sizeBytes(n)
}

// check refuses what ParseContent would refuse once it is encoded.
func (c *Content) check() error {
	var err error
	text := func(s, name string, limit int) {
		if err == nil {
			err = cmp.Or(checkSize(len(s), name, limit), checkUTF8(s, name))
		}
	}
	switch {
	case c.Kind.Media():
		text(c.Media.Ref, "media ref", MaxMediaRef)
		text(c.Text, "caption", MaxText)
		if err == nil {
			err = checkSize(len(c.Media.Thumbnail), "thumbnail", MaxThumbnail)
		}
		text(c.Media.MIME, "mime type", MaxMIME)
		text(c.Media.Name, "name", MaxName)
	case c.Kind == Reaction:
		text(c.Target, "reaction target", MaxID)
		text(c.Text, "emoji", MaxID)
		if err == nil && c.Target == "" {
			err = errNoTarget
		}
	default:
		text(c.Text, "text", MaxText)
	}
	text(c.ReplyTo, "reply_to", MaxID)
	text(c.Group, "group", ident.MaxAddress)
	return malformedContent(err)
}

var errNoTarget = errors.New("reaction without target")

// malformedContent says of what err is one, if it is one.
func malformedContent(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("dma: content: %w: %w", protocols.ErrMalformed, err)
}

func appendString(dst []byte, field protowire.Number, s string) []byte {
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	return protowire.AppendString(dst, s)
}

// ParseContent parses what [Content.Append] makes. Fields it does not know are
// skipped; a body given twice, a missing body and values out of bounds are
// errors that wrap [protocols.ErrMalformed]. The thumbnail is a part of data.
func ParseContent(data []byte) (Content, error) {
	var c Content
	err := protofield.Each(data, func(num protowire.Number, typ protowire.Type, v []byte, n uint64) error {
		if num > fieldReaction && num != fieldReplyTo && num != fieldGroup || num < fieldText {
			return nil
		}
		if typ != protowire.BytesType {
			return fmt.Errorf("field %d has wire type %d, want bytes", num, typ)
		}
		if num == fieldReplyTo {
			return setString(&c.ReplyTo, v, "reply_to", MaxID)
		}
		if num == fieldGroup {
			return setString(&c.Group, v, "group", ident.MaxAddress)
		}
		if c.Kind != 0 {
			return fmt.Errorf("a second body in field %d", num)
		}
		switch num {
		case fieldText:
			c.Kind = Text
			return setString(&c.Text, v, "text", MaxText)
		case fieldMedia:
			return parseMedia(&c, v)
		default:
			return parseReaction(&c, v)
		}
	})
	if err == nil && c.Kind == 0 {
		err = fmt.Errorf("no body")
	}
	if err != nil {
		return Content{}, malformedContent(err)
	}
	return c, nil
}

func parseMedia(c *Content, data []byte) error {
	err := protofield.Each(data, func(num protowire.Number, typ protowire.Type, v []byte, n uint64) error {
		switch num {
		case fieldMediaKind:
			if n < uint64(Image) || n > uint64(File) || typ != protowire.VarintType {
				return fmt.Errorf("media kind %d, want 2 to 5", n)
			}
			c.Kind = ContentKind(n)
		case fieldMediaRef:
			return setString(&c.Media.Ref, v, "media ref", MaxMediaRef)
		case fieldMediaKey:
			return setArray(&c.Media.Key, v, "media key")
		case fieldMediaSHA256:
			return setArray(&c.Media.SHA256, v, "media sha256")
		case fieldMediaSize:
			if typ != protowire.VarintType {
				return fmt.Errorf("media size has wire type %d, want varint", typ)
			}
			c.Media.Size = n
		case fieldMediaCaption:
			return setString(&c.Text, v, "caption", MaxText)
		case fieldThumbnail:
			if err := checkSize(len(v), "thumbnail", MaxThumbnail); err != nil {
				return err
			}
			if len(v) > 0 {
				c.Media.Thumbnail = v[:len(v):len(v)]
			}
		case fieldMediaPlain:
			return setArray(&c.Media.Plain, v, "media plain_sha256")
		case fieldMediaLength:
			if typ != protowire.VarintType {
				return fmt.Errorf("media length has wire type %d, want varint", typ)
			}
			c.Media.Length = n
		case fieldMediaMIME:
			return setString(&c.Media.MIME, v, "mime type", MaxMIME)
		case fieldMediaName:
			return setString(&c.Media.Name, v, "name", MaxName)
		}
		return nil
	})
	if err == nil && c.Kind == 0 {
		err = fmt.Errorf("media without kind")
	}
	return err
}

func parseReaction(c *Content, data []byte) error {
	c.Kind = Reaction
	err := protofield.Each(data, func(num protowire.Number, typ protowire.Type, v []byte, n uint64) error {
		switch num {
		case fieldReactionTarget:
			return setString(&c.Target, v, "reaction target", MaxID)
		case fieldReactionEmoji:
			return setString(&c.Text, v, "emoji", MaxID)
		}
		return nil
	})
	if err == nil && c.Target == "" {
		err = errNoTarget
	}
	return err
}

func setString(dst *string, v []byte, name string, limit int) error {
	if err := checkSize(len(v), name, limit); err != nil {
		return err
	}
	*dst = string(v)
	return checkUTF8(*dst, name)
}

func checkSize(n int, name string, limit int) error {
	if n > limit {
		return fmt.Errorf("%s of %d bytes, want at most %d", name, n, limit)
	}
	return nil
}

func checkUTF8(s, name string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s is not UTF-8", name)
	}
	return nil
}

func setArray(dst *[32]byte, v []byte, name string) error {
	if len(v) != len(dst) {
		return fmt.Errorf("%s of %d bytes, want %d", name, len(v), len(dst))
	}
	copy(dst[:], v)
	return nil
}
