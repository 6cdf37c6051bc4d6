package noise

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mimi-lab/mimi-lab/protocols/wire/protofield"
)

// Bounds of a client's payload in bytes. The token's is that of the enlistment form
// (Reference Offer); the name's is assumed.
const (
	MaxToken    = 4 << 10
	MaxPushName = 128
)

// ClientPayload is what the client says of itself in the last handshake message. That
// it carries the token is in the Reference Offer; the form is the part that matters here
// of what public clients send, fields and numbers theirs:
//
//	message ClientPayload {
//	  uint64 username = 1;                // a native user's number
//	  string pushName = 7;
//	  Product product = 20;               // 0 WhatsApp, 1 Messenger, 2 and 3 their interop
//	  InteropData interopData = 38;       // a partner's user
//	  message InteropData { uint64 accountID = 1; bytes token = 2; }
//	}
//
// Which of the fields the interoperability service asks for is assumed.
type ClientPayload struct {
	Product  Product
	Username uint64 // of a native user, else 0
	PushName string
	// AccountID is what enlistment assigned to a partner's user, else 0. Whose partner's
	// the account is, the token says.
	AccountID uint64
	Token     []byte // the partner's proof of who the user is, a JWT; nil for native users
}

// Product says which service a client is for.
type Product uint8

// The products of public clients.
const (
	ProductWhatsApp Product = iota
	ProductMessenger
	ProductInterop
	ProductInteropMessenger
)

// Interop reports whether the product is for partners' users.
func (p Product) Interop() bool { return p == ProductInterop || p == ProductInteropMessenger }

// String leaves the token out.
func (p ClientPayload) String() string {
	return fmt.Sprintf("{product %d username %d account %d, token of %d bytes}", p.Product, p.Username, p.AccountID, len(p.Token))
}

// GoString leaves the token out.
func (p ClientPayload) GoString() string { return p.String() }

// Fields of ClientPayload and InteropData.
const (
	fieldUsername  = 1
	fieldPushName  = 7
	fieldProduct   = 20
	fieldInterop   = 38
	fieldAccountID = 1
	fieldToken     = 2
)

// check refuses what no client says.
func (p *ClientPayload) check() error {
	switch {
	case p.Product > ProductInteropMessenger:
		return fmt.Errorf("product %d, want 0 to %d", p.Product, ProductInteropMessenger)
	case len(p.PushName) > MaxPushName || !utf8.ValidString(p.PushName):
		return fmt.Errorf("push name of %d bytes, want at most %d in UTF-8", len(p.PushName), MaxPushName)
	case len(p.Token) > MaxToken:
		return fmt.Errorf("token of %d bytes, want at most %d", len(p.Token), MaxToken)
	case p.Product.Interop() && (p.AccountID == 0 || len(p.Token) == 0 || p.Username != 0):
		return fmt.Errorf("an interop client with account %d, token of %d bytes and username %d; want the first two alone", p.AccountID, len(p.Token), p.Username)
	case !p.Product.Interop() && (p.Username == 0 || p.AccountID != 0 || len(p.Token) > 0):
		return fmt.Errorf("a native client with username %d, account %d and token of %d bytes; want the first alone", p.Username, p.AccountID, len(p.Token))
	}
	return nil
}

// Marshal returns the payload in protobuf.
func (p *ClientPayload) Marshal() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, failed(ErrPayload, "client payload", err)
	}
	var b []byte
	number := func(dst []byte, field protowire.Number, n uint64) []byte {
		if n == 0 {
			return dst
		}
		return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), n)
	}
	b = number(b, fieldUsername, p.Username)
	if p.PushName != "" {
		b = protowire.AppendString(protowire.AppendTag(b, fieldPushName, protowire.BytesType), p.PushName)
	}
	b = number(b, fieldProduct, uint64(p.Product))
	if p.Product.Interop() {
		inner := number(nil, fieldAccountID, p.AccountID)
		inner = protowire.AppendBytes(protowire.AppendTag(inner, fieldToken, protowire.BytesType), p.Token)
		b = protowire.AppendBytes(protowire.AppendTag(b, fieldInterop, protowire.BytesType), inner)
	}
	return b, nil
}

// ParseClientPayload reads a payload. Fields it does not know are skipped; one that it
// knows and that comes twice is refused. It keeps nothing of data.
func ParseClientPayload(data []byte) (*ClientPayload, error) {
	p := new(ClientPayload)
	err := p.parse(data)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return nil, failed(ErrPayload, "client payload", err)
	}
	return p, nil
}

func (p *ClientPayload) parse(data []byte) error {
	known := map[protowire.Number]protowire.Type{
		fieldUsername: protowire.VarintType, fieldPushName: protowire.BytesType,
		fieldProduct: protowire.VarintType, fieldInterop: protowire.BytesType,
	}
	return eachKnown(data, known, func(num protowire.Number, v []byte, n uint64) error {
		switch num {
		case fieldUsername:
			p.Username = n
		case fieldPushName:
			p.PushName = string(v)
		case fieldProduct:
			if n > uint64(ProductInteropMessenger) {
				return fmt.Errorf("product %d, want 0 to %d", n, ProductInteropMessenger)
			}
			p.Product = Product(n)
		case fieldInterop:
			return p.parseInterop(v)
		}
		return nil
	})
}

func (p *ClientPayload) parseInterop(data []byte) error {
	known := map[protowire.Number]protowire.Type{fieldAccountID: protowire.VarintType, fieldToken: protowire.BytesType}
	return eachKnown(data, known, func(num protowire.Number, v []byte, n uint64) error {
		if num == fieldAccountID {
			p.AccountID = n
			return nil
		}
		if len(v) > MaxToken {
			return fmt.Errorf("token of %d bytes, want at most %d", len(v), MaxToken)
		}
		p.Token = append([]byte(nil), v...)
		return nil
	})
}

// eachKnown calls f for the fields that are known, once each and of their type.
func eachKnown(data []byte, known map[protowire.Number]protowire.Type, f func(num protowire.Number, v []byte, n uint64) error) error {
	seen := make(map[protowire.Number]bool, len(known))
	return protofield.Each(data, func(num protowire.Number, typ protowire.Type, v []byte, n uint64) error {
		want, ok := known[num]
		switch {
		case !ok:
			return nil
		case typ != want:
			return fmt.Errorf("field %d of wire type %d, want %d", num, typ, want)
		case seen[num]:
			return fmt.Errorf("field %d comes twice", num)
		}
		seen[num] = true
		return f(num, v, n)
	})
}
