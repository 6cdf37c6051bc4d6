package content_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/content"
)

// id32 is a message ID with a hash algorithm.
func id32(alg byte) []byte { return append([]byte{alg}, make([]byte, 31)...) }

// splice replaces the first old in b, both in hexadecimal.
func splice(t *testing.T, b []byte, old, new string) []byte {
	t.Helper()
	o := raw(old)
	if !bytes.Contains(b, o) {
		t.Fatalf("%x holds no %s", b, old)
	}
	return bytes.Replace(b, o, raw(new), 1)
}

// extensions is a message with extensions whose map is given in hexadecimal.
func extensions(t *testing.T, encoded string) []byte {
	return encode(t, map[int]any{fieldExtensions: raw(encoded)})
}

// many is a map of so many extensions, with keys from 2^16 on.
func many(n int) string {
	s := fmt.Sprintf("b9%04x", n)
	for i := range n {
		s += fmt.Sprintf("1a%08xf6", 1<<16+i)
	}
	return s
}

// TestRefused breaks each rule of the draft's CDDL and restrictions in turn. Where
// says in which field it was noticed.
func TestRefused(t *testing.T) {
	t.Parallel()
	plain := encode(t, nil)
	field := func(i int, v any) []byte { return encode(t, map[int]any{i: v}) }
	part := func(v any) []byte { return field(fieldPart, v) }
	value := func(encoded string) []byte { return extensions(t, "a103"+encoded) }
	tests := []struct {
		name  string
		in    []byte
		want  content.Check
		where string
	}{
		// CBOR itself.
		{"empty", nil, content.CheckTruncated, "mimiContent"},
		{"ends early", plain[:len(plain)-1], content.CheckTruncated, "part 0 nestedPart"},
		{"ends before an item", part(raw("83006161")), content.CheckTruncated, "part 0 cardinality"},
		{"ends in a head", part(raw("83007900")), content.CheckTruncated, "part 0 language"},
		{"ends in a string", plain[:10], content.CheckTruncated, "salt"},
		{"string without end", []byte{0x87, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, content.CheckTruncated, "salt"},
		{"array without end", part(raw("85010003009b7fffffffffffffff")), content.CheckType, "part 0 language"},
		{"parts without end", part(raw("85016003009b7fffffffffffffff")), content.CheckTruncated, "part 0 parts"},
		{"map without end", extensions(t, "bb7fffffffffffffff"), content.CheckTruncated, "mimiExtensions"},
		{"trailing byte", append(bytes.Clone(plain), 0), content.CheckTrailing, ""},
		{"long array head", append([]byte{0x98, 7}, plain[1:]...), content.CheckShortest, "mimiContent"},
		{"long string head", splice(t, plain, "8750", "875810"), content.CheckShortest, "salt"},
		{"long integer of 2 bytes", part(raw("83180060" + "00")), content.CheckShortest, "part 0 disposition"},
		{"long integer of 3 bytes", field(fieldExpires, raw("82f41900ff")), content.CheckShortest, "expires"},
		{"long integer of 5 bytes", field(fieldExpires, raw("82f41a0000ffff")), content.CheckShortest, "expires"},
		{"long integer of 9 bytes", field(fieldExpires, raw("82f41b00000000ffffffff")), content.CheckShortest, "expires"},
		{"indefinite array", append([]byte{0x9f}, append(bytes.Clone(plain[1:]), 0xff)...), content.CheckIndefinite, "mimiContent"},
		{"indefinite bytes", field(fieldTopic, raw("5f4101ff")), content.CheckIndefinite, "topicId"},
		{"indefinite text", part(raw("83007f6101ff00")), content.CheckIndefinite, "part 0 language"},
		{"indefinite map", extensions(t, "bfff"), content.CheckIndefinite, "mimiExtensions"},
		{"break", value("ff"), content.CheckIndefinite, "mimiExtensions"},
		{"reserved initial byte", value("1c"), content.CheckWellFormed, "mimiExtensions"},
		{"integer of indefinite length", value("1f"), content.CheckWellFormed, "mimiExtensions"},
		{"tag of indefinite length", value("df00"), content.CheckWellFormed, "mimiExtensions"},
		{"long simple value", value("f814"), content.CheckWellFormed, "mimiExtensions"},

		// Maps and the data model.
		{"keys out of order", extensions(t, "a204000300"), content.CheckKeyOrder, "mimiExtensions"},
		{"keys ordered by length first", extensions(t, "a2"+"20"+"00"+"190100"+"00"), content.CheckKeyOrder, "mimiExtensions"},
		{"key twice", extensions(t, "a203000300"), content.CheckKeyDuplicate, "mimiExtensions"},
		{"key twice within", value("a24101f64101f6"), content.CheckKeyDuplicate, "mimiExtensions"},
		{"keys out of order within", value("a2616200616100"), content.CheckKeyOrder, "mimiExtensions"},
		{"array as a key within", value("a18000"), content.CheckKeyType, "mimiExtensions"},
		{"null as a key", extensions(t, "a1f600"), content.CheckKeyType, "mimiExtensions"},
		{"bytes as a key", extensions(t, "a1410100"), content.CheckExtension, "mimiExtensions"},
		{"0 as a key", extensions(t, "a10000"), content.CheckExtension, "mimiExtensions"},
		{"empty text as a key", extensions(t, "a16000"), content.CheckExtension, "mimiExtensions"},
		{"text of 256 bytes as a key", extensions(t, "a1790100"+strings.Repeat("61", 256)+"00"), content.CheckExtension, "mimiExtensions"},
		{"key 2^53", extensions(t, "a11b002000000000000000"), content.CheckKeyRange, "mimiExtensions"},
		{"key -2^53", extensions(t, "a13b001fffffffffffff00"), content.CheckKeyRange, "mimiExtensions"},
		{"key 2^53 within", value("a11b002000000000000000"), content.CheckKeyRange, "mimiExtensions"},
		{"NaN with a payload", value("f97e01"), content.CheckNaN, "mimiExtensions"},
		{"signalling NaN", value("f97c01"), content.CheckNaN, "mimiExtensions"},
		{"negative NaN", value("f9fe00"), content.CheckNaN, "mimiExtensions"},
		{"NaN in 5 bytes", value("fa7fc00000"), content.CheckNaN, "mimiExtensions"},
		{"NaN in 9 bytes", value("fb7ff8000000000000"), content.CheckNaN, "mimiExtensions"},
		{"1.5 in 5 bytes", value("fa3fc00000"), content.CheckShortest, "mimiExtensions"},
		{"1.5 in 9 bytes", value("fb3ff8000000000000"), content.CheckShortest, "mimiExtensions"},
		{"infinity in 5 bytes", value("fa7f800000"), content.CheckShortest, "mimiExtensions"},
		{"smallest half in 5 bytes", value("fa33800000"), content.CheckShortest, "mimiExtensions"},
		{"bignum that fits", value("c248ffffffffffffffff"), content.CheckShortest, "mimiExtensions"},
		{"bignum with leading zero", value("c34900ffffffffffffffff"), content.CheckShortest, "mimiExtensions"},
		{"text that is no UTF-8", value("61ff"), content.CheckUTF8, "mimiExtensions"},
		{"key that is no UTF-8", extensions(t, "a161ff00"), content.CheckUTF8, "mimiExtensions"},
		{"5 levels", value("818181c100"), content.CheckDepth, "mimiExtensions"},
		{"5 levels of maps", value("a100a100a100a0"), content.CheckDepth, "mimiExtensions"},

		// mimiContent.
		{"no array", raw("a0"), content.CheckType, "mimiContent"},
		{"6 fields", append([]byte{0x86}, plain[1:]...), content.CheckLength, "mimiContent"},
		{"salt of 15 bytes", field(fieldSalt, make([]byte, 15)), content.CheckLength, "salt"},
		{"salt of 17 bytes", field(fieldSalt, make([]byte, 17)), content.CheckLength, "salt"},
		{"salt as text", field(fieldSalt, "0123456789abcdef"), content.CheckType, "salt"},
		{"no salt", field(fieldSalt, nil), content.CheckType, "salt"},
		{"replaces of 31 bytes", field(fieldReplaces, make([]byte, 31)), content.CheckLength, "replaces"},
		{"replaces by an unknown hash", field(fieldReplaces, id32(2)), content.CheckHash, "replaces"},
		{"replaces zero", field(fieldReplaces, id32(0)), content.CheckHash, "replaces"},
		{"replaces undefined", field(fieldReplaces, raw("f7")), content.CheckType, "replaces"},
		{"inReplyTo of 33 bytes", field(fieldInReplyTo, make([]byte, 33)), content.CheckLength, "inReplyTo"},
		{"inReplyTo by an unknown hash", field(fieldInReplyTo, id32(8)), content.CheckHash, "inReplyTo"},
		{"no topicId", field(fieldTopic, nil), content.CheckType, "topicId"},
		{"topicId of 4097 bytes", field(fieldTopic, make([]byte, 4097)), content.CheckTopic, "topicId"},
		{"expires as a number", field(fieldExpires, 1), content.CheckType, "expires"},
		{"expires of 3 items", field(fieldExpires, list{true, 1, 1}), content.CheckLength, "expires"},
		{"expires without a truth value", field(fieldExpires, list{1, 1}), content.CheckType, "expires"},
		{"expires with null", field(fieldExpires, list{nil, 1}), content.CheckType, "expires"},
		{"expires in 2^32 seconds", field(fieldExpires, list{true, 1 << 32}), content.CheckRange, "expires"},
		{"expires before 1970", field(fieldExpires, list{false, -1}), content.CheckType, "expires"},
		{"no extensions", field(fieldExtensions, nil), content.CheckType, "mimiExtensions"},
		{"1025 extensions", extensions(t, many(1025)), content.CheckExtensions, "mimiExtensions"},
		{"senderUri as bytes", extensions(t, "a1014161"), content.CheckType, "senderUri"},
		{"roomUri as a number", extensions(t, "a10200"), content.CheckType, "roomUri"},
		{"no body", field(fieldPart, nil), content.CheckType, "part 0 nestedPart"},
		{"longer than MaxSize", make([]byte, content.MaxSize+1), content.CheckSize, ""},

		// NestedPart.
		{"disposition 256", part(list{256, "", 0}), content.CheckRange, "part 0 disposition"},
		{"disposition -1", part(list{-1, "", 0}), content.CheckType, "part 0 disposition"},
		{"language as bytes", part(list{1, []byte("en"), 0}), content.CheckType, "part 0 language"},
		{"language that is no UTF-8", part(raw("830161ff00")), content.CheckUTF8, "part 0 language"},
		{"cardinality 4", part(list{1, "", 4}), content.CheckCardinality, "part 0 cardinality"},
		{"null with content", part(list{1, "", 0, ""}), content.CheckLength, "part 0 nestedPart"},
		{"single without content", part(list{1, "", 1, ""}), content.CheckLength, "part 0 nestedPart"},
		{"content as text", part(list{1, "", 1, "", ""}), content.CheckType, "part 0 content"},
		{"content type as bytes", part(list{1, "", 1, []byte{}, []byte{}}), content.CheckType, "part 0 contentType"},
		{"external with a field less", part(external(0, "")[:14]), content.CheckLength, "part 0 nestedPart"},
		{"external: contentType", part(external(0, 0)), content.CheckType, "part 0 contentType"},
		{"external: url", part(external(1, []byte{})), content.CheckType, "part 0 url"},
		{"external: expires", part(external(2, 1<<32)), content.CheckRange, "part 0 expires"},
		{"external: size", part(external(3, -1)), content.CheckType, "part 0 size"},
		{"external: encAlg", part(external(4, 1<<16)), content.CheckRange, "part 0 encAlg"},
		{"external: key", part(external(5, "")), content.CheckType, "part 0 key"},
		{"external: nonce", part(external(6, nil)), content.CheckType, "part 0 nonce"},
		{"external: aad", part(external(7, nil)), content.CheckType, "part 0 aad"},
		{"external: hashAlg", part(external(8, 256)), content.CheckRange, "part 0 hashAlg"},
		{"external: contentHash", part(external(9, "")), content.CheckType, "part 0 contentHash"},
		{"external: description", part(external(10, nil)), content.CheckType, "part 0 description"},
		{"external: filename", part(external(11, nil)), content.CheckType, "part 0 filename"},
		{"multi with semantics 3", part(list{1, "", 3, 3, list{single(""), single("")}}), content.CheckSemantics, "part 0 partSemantics"},
		{"multi of 1", part(list{1, "", 3, 0, list{single("")}}), content.CheckFewParts, "part 0 parts"},
		{"multi of 0", part(list{1, "", 3, 0, list{}}), content.CheckFewParts, "part 0 parts"},
		{"bad kid", part(list{1, "", 3, 0, list{single(""), list{1, "", 4}}}), content.CheckCardinality, "part 2 cardinality"},
		{"5 levels of parts", part(deep(5)), content.CheckDepth, "part 4 nestedPart"},
		{"1025 parts", part(wide(1025)), content.CheckParts, "part 0 parts"},
		{"1025 parts in two", part(list{1, "", 3, 2, list{wide(1000), wide(24)}}), content.CheckParts, "part 1001 parts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := content.Parse(tt.in)
			if m != nil || !errors.Is(err, tt.want) {
				t.Fatalf("got %v, %v; want %v", m, err, tt.want)
			}
			var e *content.Error
			if !errors.As(err, &e) || e.Where != tt.where || e.Offset > len(tt.in) {
				t.Errorf("got %v in %q; want it in %q", err, e.Where, tt.where)
			}
		})
	}
}

// TestAccepted reads what stands on the allowed side of each bound, and writes it
// again byte for byte.
func TestAccepted(t *testing.T) {
	t.Parallel()
	field := func(i int, v any) []byte { return encode(t, map[int]any{i: v}) }
	part := func(v any) []byte { return field(fieldPart, v) }
	value := func(encoded string) []byte { return extensions(t, "a103"+encoded) }
	tests := []struct {
		name string
		in   []byte
	}{
		{"plainest", encode(t, nil)},
		{"topicId of 4096 bytes", field(fieldTopic, make([]byte, 4096))},
		{"references", encode(t, map[int]any{fieldReplaces: id32(1), fieldInReplyTo: id32(1)})},
		{"expires at once", field(fieldExpires, list{false, 0})},
		{"expires in 136 years", field(fieldExpires, list{true, 1<<32 - 1})},
		{"unknown disposition", part(list{255, "", 0})},
		{"unknown language", part(list{1, "xx-not-a-language,,", 0})},
		{"unknown content type", part(list{1, "", 1, "not a media type", []byte{0xff}})},
		{"largest external", part(list{6, "", 2, "", "", 1<<32 - 1, uint64(1<<64 - 1), 1<<16 - 1, []byte{1}, []byte{2}, []byte{3}, 255, []byte{4}, "d", "f"})},
		{"4 levels of parts", part(deep(4))},
		{"1024 parts", part(wide(1024))},
		{"keys in bytewise order", extensions(t, "a4"+"03"+"00"+"190100"+"00"+"20"+"00"+"6161"+"00")},
		{"largest keys", extensions(t, "a2"+"1b001fffffffffffff"+"00"+"3b001ffffffffffffe"+"00")},
		{"longest text key", extensions(t, "a178ff"+strings.Repeat("61", 255)+"00")},
		{"the draft's 4 levels", extensions(t, "a2016161190100"+"82"+"82421234d820"+"72687474703a2f2f6578616d706c652e636f6d"+"8242345619168b")},
		{"any type", value("8a" + "00" + "1bffffffffffffffff" + "3bffffffffffffffff" + "4100" + "6161" + "80" + "a0" + "f6" + "f7" + "f5")},
		{"any simple value", value("84" + "e0" + "f3" + "f820" + "f8ff")},
		{"1024 extensions", extensions(t, many(1024))},
		{"key types within", value("a4" + "00" + "00" + "20" + "00" + "4100" + "00" + "6161" + "00")},
		{"NaN", value("f97e00")},
		{"floats", value("86" + "f98000" + "f97c00" + "f90001" + "fa00000001" + "fa47c35000" + "fb3ff199999999999a")},
		{"bignums", value("82" + "c249010000000000000000" + "c349010000000000000000")},
		{"tags", value("84" + "c11a5f5e1000" + "c074" + "323031332d30332d32315432303a30343a30305a" + "d8534101" + "d9d9f7" + "00")},
		{"value of 5000 bytes", value("591388" + strings.Repeat("00", 5000))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := content.Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := m.Marshal(); err != nil || !bytes.Equal(got, tt.in) {
				t.Errorf("wrote %x (%v)\nwant  %x", got, err, tt.in)
			}
		})
	}
}

// TestUnwritable proves that what can't be read isn't written either.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	text := content.Text("x")
	multi := func(s content.Semantics, parts ...content.NestedPart) content.NestedPart {
		return content.NestedPart{Part: content.MultiPart{Semantics: s, Parts: parts}}
	}
	tooDeep := text
	for range content.MaxDepth {
		tooDeep = multi(content.ProcessAll, text, tooDeep)
	}
	ext := func(k content.Key, v content.Value) content.Message {
		return content.Message{Extensions: content.Extensions{{Key: k, Value: v}}}
	}
	null := content.Value{0xf6}
	tests := []struct {
		name string
		m    content.Message
		want content.Check
	}{
		{"replaces by an unknown hash", content.Message{Replaces: content.MessageID{2}}, content.CheckHash},
		{"inReplyTo by an unknown hash", content.Message{InReplyTo: content.MessageID{0, 1}}, content.CheckHash},
		{"topicId", content.Message{TopicID: make([]byte, 4097)}, content.CheckTopic},
		{"expires", content.Message{Expires: content.Expiration{Kind: 3}}, content.CheckRange},
		{"expires never after a second", content.Message{Expires: content.Expiration{Seconds: 1}}, content.CheckRange},
		{"language", content.Message{Body: content.NestedPart{Language: "\xff"}}, content.CheckUTF8},
		{"content type", content.Message{Body: content.NestedPart{Part: content.SinglePart{ContentType: "\xff"}}}, content.CheckUTF8},
		{"URL", content.Message{Body: content.NestedPart{Part: content.ExternalPart{URL: "\xff"}}}, content.CheckUTF8},
		{"semantics", content.Message{Body: multi(3, text, text)}, content.CheckSemantics},
		{"one part", content.Message{Body: multi(content.ChooseOne, text)}, content.CheckFewParts},
		{"5 levels", content.Message{Body: tooDeep}, content.CheckDepth},
		{"1025 parts", content.Message{Body: multi(content.ProcessAll, make([]content.NestedPart, 1024)...)}, content.CheckParts},
		{"longer than MaxSize", content.Message{Body: content.Text(strings.Repeat("x", content.MaxSize))}, content.CheckSize},
		{"no key", ext(content.Key{}, null), content.CheckExtension},
		{"two keys", ext(content.Key{Int: 3, Text: "x"}, null), content.CheckExtension},
		{"long key", ext(content.Key{Text: strings.Repeat("x", 256)}, null), content.CheckExtension},
		{"large key", ext(content.Key{Int: 1 << 53}, null), content.CheckKeyRange},
		{"small key", ext(content.Key{Int: -1 << 53}, null), content.CheckKeyRange},
		{"1025 extensions", content.Message{Extensions: make(content.Extensions, 1025)}, content.CheckExtensions},
		{"no value", ext(content.Key{Int: 3}, nil), content.CheckTruncated},
		{"two values", ext(content.Key{Int: 3}, content.Value{0, 0}), content.CheckTrailing},
		{"value in a long form", ext(content.Key{Int: 3}, content.Value{0x18, 0}), content.CheckShortest},
		{"sender that is no text", ext(content.KeySenderURI, null), content.CheckType},
		{"keys out of order", content.Message{Extensions: content.Extensions{{content.Key{Int: -1}, null}, {content.Key{Int: 3}, null}}}, content.CheckKeyOrder},
		{"key twice", content.Message{Extensions: content.Extensions{{content.Key{Int: 3}, null}, {content.Key{Int: 3}, null}}}, content.CheckKeyDuplicate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dst := []byte{1, 2}
			got, err := tt.m.Append(dst)
			if !errors.Is(err, tt.want) || !bytes.Equal(got, dst) {
				t.Errorf("got %x, %v; want %v", got[:min(len(got), 20)], err, tt.want)
			}
		})
	}
}

// TestStatusRefused breaks each rule of status reports.
func TestStatusRefused(t *testing.T) {
	t.Parallel()
	one := func(id, status any) []byte { return pack(t, list{list{id, status}}) }
	for _, tt := range []struct {
		name string
		in   []byte
		want content.Check
	}{
		{"empty", nil, content.CheckTruncated},
		{"no array", raw("a0"), content.CheckType},
		{"endless", raw("9b7fffffffffffffff"), content.CheckTruncated},
		{"trailing", raw("8000"), content.CheckTrailing},
		{"ID of 31 bytes", one(make([]byte, 31), 1111), content.CheckLength},
		{"status 256", one(make([]byte, 32), 256), content.CheckRange},
		{"status as text", one(make([]byte, 32), "read"), content.CheckType},
		{"three items", pack(t, list{list{make([]byte, 32), 1, 1}}), content.CheckLength},
		{"too long", make([]byte, content.MaxSize+1), content.CheckSize},
	} {
		if report, err := content.ParseStatusReport(tt.in); report != nil || !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, %v; want %v", tt.name, report, err, tt.want)
		}
	}
	if _, err := make(content.StatusReport, content.MaxReports+1).Marshal(); !errors.Is(err, content.CheckReports) {
		t.Errorf("%d reports: %v, want %v", content.MaxReports+1, err, content.CheckReports)
	}
	full := make(content.StatusReport, content.MaxReports)
	for i := range full {
		full[i].Status = 255 // takes two bytes
	}
	if _, err := full.Marshal(); !errors.Is(err, content.CheckSize) {
		t.Errorf("the longest statuses: %v, want %v", err, content.CheckSize)
	}
}

// TestCheckNames demands that each check has an identifier of its own.
func TestCheckNames(t *testing.T) {
	t.Parallel()
	seen := map[string]content.Check{}
	for c := content.CheckTruncated; c <= content.CheckSelfReplace; c++ {
		id, text, ok := strings.Cut(c.Error(), ": ")
		if !ok || text == "" || seen[id] != 0 {
			t.Errorf("check %d is %q, want an identifier of its own and a text", uint8(c), c.Error())
		}
		seen[id] = c
	}
	if got := content.Check(0).Error(); got != "check 0" {
		t.Errorf("check 0 is %q", got)
	}
	err := fmt.Errorf("%w", &content.Error{Check: content.CheckParts, Offset: 61, Where: "part 0 parts", Detail: "x"})
	if want := "content: at byte 61, part 0 parts: M6: too many parts: x"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
