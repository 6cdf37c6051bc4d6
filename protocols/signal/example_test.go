package signal_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// What a server or an observer can read in a SignalMessage.
func ExampleParseMessage() {
	m := signal.Message{
		Version:    signal.VersionByte,
		RatchetKey: [32]byte{9},
		Counter:    3,
		Ciphertext: make([]byte, 48),
	}
	m, err := signal.ParseMessage(m.Append(nil))
	fmt.Println("message", m.Counter, "of its chain,", len(m.Ciphertext), "bytes of ciphertext,", err)

	_, err = signal.ParseMessage([]byte{signal.VersionByte})
	fmt.Println(err)
	// Output:
	// message 3 of its chain, 48 bytes of ciphertext, <nil>
	// signal: malformed SignalMessage: 1 bytes
}

// Two users see the same 60 digits.
func ExampleSafetyNumber() {
	alice, bob := [32]byte{1}, [32]byte{2}
	a := signal.SafetyNumber([]byte("+1"), &alice, []byte("+2"), &bob)
	b := signal.SafetyNumber([]byte("+2"), &bob, []byte("+1"), &alice)
	fmt.Println(a == b, len(a))
	// Output: true 60
}
