package stanza_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// A message goes over the wire in binary; people read it as XML.
func Example() {
	m := &stanza.Message{
		ID:   "3EB0C431C26A1916E2",
		To:   ident.Address{User: "10853634039893", Server: ident.Interop, Integrator: 1},
		Type: stanza.TextMessage,
		Enc:  []stanza.Enc{{Type: "msg", Version: 2, Payload: []byte{0x33, 0x0a, 0xff}}},
	}
	wire, err := stanza.AppendBinary(nil, m.Node())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d bytes: %x\n", len(wire), wire)

	n, err := stanza.ParseBinary(wire)
	if err != nil {
		fmt.Println(err)
		return
	}
	xml, err := stanza.IndentXML(n)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", xml)

	s, err := stanza.Parse(n)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.(*stanza.Message).To)
	// Output:
	// 48 bytes: 10f8080516fb093eb0c431c26a1916e20ef5ff07108536340398930000000103242ef801f8060c2736243ffc03330aff
	// <message id="3EB0C431C26A1916E2" to="1-10853634039893@interop" type="text">
	//   <enc v="2" type="msg">base64:Mwr/</enc>
	// </message>
	// 1-10853634039893@interop
}

// A failure names the rule that was broken, where, and what was expected.
func ExampleParse() {
	n, err := stanza.ParseXML([]byte(`<ack class="message" id="1" error="many"/>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = stanza.Parse(n)
	fmt.Println(err)
	// Output:
	// stanza: S3: value out of range: "ack/@error": "many", expected a number from 1 to 65535
}
