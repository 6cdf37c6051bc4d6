package conformance

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// lengthCase is one of deserialization.json.
type lengthCase struct {
	Header octets `json:"vlbytes_header"`
	Length uint32 `json:"length"`
}

func checkLength(c *checker, v *lengthCase) {
	r := wire.NewReader(v.Header)
	n := r.Length()
	if c.ok("vlbytes_header", r.Done()) {
		same(c, "length", uint32(n), v.Length)
	}
}
