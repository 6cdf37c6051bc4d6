package wire_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Credential is a struct with all that is usual.
//
//	struct {
//	    uint16 credential_type;
//	    opaque identity<V>;
//	    optional<uint64> not_after;
//	} Credential;
type Credential struct {
	Type     uint16
	Identity []byte
	NotAfter *uint64
}

func (c *Credential) MarshalTLS(w *wire.Writer) {
	w.Uint16(c.Type)
	w.Opaque(c.Identity)
	w.Optional(c.NotAfter != nil, func() { w.Uint64(*c.NotAfter) })
}

func (c *Credential) UnmarshalTLS(r *wire.Reader) {
	c.Type = r.Uint16()
	c.Identity = r.Opaque()
	r.Optional(func() {
		v := r.Uint64()
		c.NotAfter = &v
	})
}

func Example() {
	b, err := wire.Marshal(&Credential{Type: 1, Identity: []byte("alice")})
	fmt.Printf("%x %v\n", b, err)

	var c Credential
	fmt.Println(wire.Unmarshal(b, &c), string(c.Identity))
	fmt.Println(wire.Unmarshal(b[:4], &c))
	// Output:
	// 000105616c69636500 <nil>
	// <nil> alice
	// wire: at byte 2: input ends early
}
