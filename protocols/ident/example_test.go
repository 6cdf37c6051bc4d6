package ident_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

func ExampleParseAddress() {
	a, err := ident.ParseAddress("1-10853634039893:2@interop")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Server, a.Integrator, a.User, a.Device)
	fmt.Println(a.Account())

	_, err = ident.ParseAddress("1-alice@interop")
	fmt.Println(err)
	// Output:
	// interop 1 10853634039893 2
	// 1-10853634039893@interop
	// ident: address "1-alice@interop": at byte 2: expected an account of 1 to 20 digits
}

func ExampleParseURI() {
	u, err := ident.ParseURI("mimi://A.example/d/alice/Phone%201")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u)
	fmt.Printf("%v at %v: %q\n", u.Kind(), u.Provider(), u.Segments())
	// Output:
	// mimi://a.example/d/alice/Phone%201
	// client at a.example: ["alice" "Phone 1"]
}

func ExampleNewVisible() {
	v, err := ident.NewVisible(ident.Email, "Alice@A.Example")
	fmt.Println(v, err)
	// Output: email:Alice@a.example <nil>
}
