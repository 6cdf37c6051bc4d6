package content

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/fxamacker/cbor/v2"
)

// MaxKeyText is the longest text that is an extension key, in bytes (Data model
// restrictions).
const MaxKeyText = 255

// MaxExtensions bounds how many extensions a message has. It is a choice of this
// implementation: thousands of empty ones would take many times the memory of the
// message.
const MaxExtensions = 1024

// Key names an extension: a positive integer from the registry, or for private use
// a negative integer or a text of up to [MaxKeyText] bytes. Text counts if it is
// not empty.
//
//	name = int / tstr .size (1..255)
type Key struct {
	Int  int64
	Text string
}

// The keys of the registry (MIMI Content Extension Keys registry). Their values
// are text.
var (
	KeySenderURI = Key{Int: 1} // the sender as a MIMI participant
	KeyRoomURI   = Key{Int: 2} // the MIMI room URI
)

// String returns the name of a registered key, or the key itself.
func (k Key) String() string {
	switch {
	case k == KeySenderURI:
		return "senderUri"
	case k == KeyRoomURI:
		return "roomUri"
	case k.Text != "":
		return strconv.Quote(k.Text)
	}
	return strconv.FormatInt(k.Int, 10)
}

// check says what is wrong with a key.
func (k Key) check() (Check, string) {
	switch {
	case k.Text != "" && k.Int != 0:
		return CheckExtension, "both an integer and a text"
	case len(k.Text) > MaxKeyText:
		return CheckExtension, fmt.Sprintf("text of %d bytes, want 1 to %d", len(k.Text), MaxKeyText)
	case k.Text == "" && k.Int == 0:
		return CheckExtension, "0 or empty text"
	case k.Int > MaxKey || k.Int < -MaxKey:
		return CheckKeyRange, fmt.Sprintf("%d beyond ±(2^53-1)", k.Int)
	}
	return 0, ""
}

// write appends the encoding of a key.
func (k Key) write(w *writer) {
	switch k.major() {
	case majorText:
		w.text(k.Text)
	case majorNint:
		w.head(majorNint, uint64(-1-k.Int))
	default:
		w.uint(uint64(k.Int))
	}
}

// compare orders keys bytewise by their encodings (RFC 8949, Section 4.2.1): by
// major type, then by number, which for a text is first of all its length.
func (k Key) compare(other Key) int {
	if c := cmp.Compare(k.major(), other.major()); c != 0 {
		return c
	}
	switch k.major() {
	case majorUint:
		return cmp.Compare(k.Int, other.Int)
	case majorNint: // -1 - n
		return cmp.Compare(other.Int, k.Int)
	}
	return cmp.Or(cmp.Compare(len(k.Text), len(other.Text)), cmp.Compare(k.Text, other.Text))
}

func (k Key) major() byte {
	switch {
	case k.Text != "":
		return majorText
	case k.Int < 0:
		return majorNint
	}
	return majorUint
}

// Value is the value of an extension: one item of deterministic CBOR, of any type.
type Value []byte

// TextValue is a text.
func TextValue(s string) Value {
	w := &writer{}
	w.text(s)
	return w.b
}

// NewValue encodes v by the rules of package github.com/fxamacker/cbor/v2. What
// those allow and the draft does not, such as more than [MaxDepth] levels, is
// refused.
func NewValue(v any) (Value, error) {
	b, err := encoding.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("content: encoding the value of an extension: %w", err)
	}
	if err := Value(b).check(); err != nil {
		return nil, err
	}
	return b, nil
}

// Decode decodes the value into dst, a pointer, by the rules of package
// github.com/fxamacker/cbor/v2.
func (v Value) Decode(dst any) error {
	if err := decoding.Unmarshal(v, dst); err != nil {
		return fmt.Errorf("content: decoding the value of an extension: %w", err)
	}
	return nil
}

// String returns the value in the diagnostic notation of RFC 8949, Section 8.
func (v Value) String() string {
	s, err := cbor.Diagnose(v)
	if err != nil {
		return "h'" + shortHex(v) + "' (" + err.Error() + ")"
	}
	return s
}

// check demands one item that keeps the rules.
func (v Value) check() error {
	r := &reader{data: v, field: "value", part: -1}
	r.item(1)
	return r.done()
}

// encoding and decoding are for values of extensions in terms of Go.
var (
	encoding = must(cbor.CoreDetEncOptions().EncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey:       cbor.DupMapKeyEnforcedAPF,
		IndefLength:     cbor.IndefLengthForbidden,
		MaxNestedLevels: MaxDepth,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("content: options of the CBOR library: " + err.Error())
	}
	return v
}

// Extension is an extension field.
type Extension struct {
	Key   Key
	Value Value
}

// Extensions are the extension fields of a message, those that are unknown among
// them, in ascending order of the encoding of their keys (Extension Fields):
//
//	extensions = {
//	  ? &(senderUri: 1) ^ => tstr,
//	  ? &(roomUri: 2) ^ => tstr,
//	  * $$otherKnownExtensions,
//	  * unknownExtension
//	}
type Extensions []Extension

// Find returns the value of an extension.
func (e Extensions) Find(k Key) (Value, bool) {
	i, ok := e.search(k)
	if !ok {
		return nil, false
	}
	return e[i].Value, true
}

// With returns the extensions with one set. The extensions themselves are not
// changed.
func (e Extensions) With(k Key, v Value) Extensions {
	i, ok := e.search(k)
	e = slices.Clone(e)
	if ok {
		e[i].Value = v
		return e
	}
	return slices.Insert(e, i, Extension{k, v})
}

// Without returns the extensions without one. The extensions themselves are not
// changed.
func (e Extensions) Without(k Key) Extensions {
	return slices.DeleteFunc(slices.Clone(e), func(x Extension) bool { return x.Key == k })
}

func (e Extensions) search(k Key) (int, bool) {
	return slices.BinarySearchFunc(e, k, func(x Extension, k Key) int { return x.Key.compare(k) })
}

// text returns an extension whose value is text.
func (e Extensions) text(k Key) (string, bool) {
	v, ok := e.Find(k)
	if !ok {
		return "", false
	}
	r := &reader{data: v, part: -1}
	s := r.text()
	return s, r.done() == nil
}

// extensions reads the map of extensions.
func (r *reader) extensions() Extensions {
	at, n := r.typed(majorMap)
	count := r.items(at, n, 2)
	if count > MaxExtensions {
		r.fail(at, CheckExtensions, "%d, want at most %d", count, MaxExtensions)
	}
	if r.err != nil || count == 0 {
		return nil
	}
	all := make(Extensions, 0, count)
	var last []byte
	for range count {
		var x Extension
		atKey := r.off
		last = r.key(last)
		x.Key = r.extensionKey(atKey, last)
		atValue := r.off
		if x.Key == KeySenderURI || x.Key == KeyRoomURI {
			r.field = x.Key.String()
			r.text()
			r.field = "mimiExtensions"
		} else {
			r.item(1)
		}
		if r.err != nil {
			return nil
		}
		x.Value = r.data[atValue:r.off:r.off]
		all = append(all, x)
	}
	return all
}

// extensionKey takes a key apart that was read, and demands that it is one of an
// extension.
func (r *reader) extensionKey(at int, key []byte) Key {
	if r.err != nil {
		return Key{}
	}
	in := &reader{data: key, part: -1}
	var k Key
	switch major, arg := in.head(); major {
	case majorUint:
		k.Int = int64(arg)
	case majorNint:
		k.Int = -1 - int64(arg)
	case majorText:
		k.Text = string(key[in.off:])
	default:
		r.fail(at, CheckExtension, "a %s, want an integer or text", majorNames[major])
		return Key{}
	}
	if c, detail := k.check(); c != 0 {
		r.fail(at, c, "%s", detail)
	}
	return k
}

// extensions writes the map of extensions.
func (w *writer) extensions(e Extensions) {
	if len(e) > MaxExtensions {
		w.fail(CheckExtensions, "%d, want at most %d", len(e), MaxExtensions)
	}
	w.head(majorMap, uint64(len(e)))
	for i, x := range e {
		if c, detail := x.Key.check(); c != 0 {
			w.fail(c, "%s", detail)
			return
		}
		if i > 0 {
			switch e[i-1].Key.compare(x.Key) {
			case 0:
				w.fail(CheckKeyDuplicate, "%s", x.Key)
			case 1:
				w.fail(CheckKeyOrder, "%s after %s", x.Key, e[i-1].Key)
			}
		}
		x.Key.write(w)
		w.extensionValue(x)
		if w.err != nil {
			return
		}
	}
}

func (w *writer) extensionValue(x Extension) {
	r := &reader{data: x.Value, field: "value", part: -1}
	if x.Key == KeySenderURI || x.Key == KeyRoomURI {
		r.text()
	} else {
		r.item(1)
	}
	if err := r.done(); err != nil {
		e := err.(*Error)
		w.fail(e.Check, "value of %s, byte %d: %s", x.Key, e.Offset, e.Detail)
		return
	}
	w.b = append(w.b, x.Value...)
}
