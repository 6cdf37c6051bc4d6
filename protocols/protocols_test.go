package protocols_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

func TestRetryable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{"no error", nil, false},
		{"no session", protocols.ErrNoSession, true},
		{"malformed", protocols.ErrMalformed, true},
		{"authentication", protocols.ErrAuthentication, true},
		{"key unknown", protocols.ErrKeyUnknown, true},
		{"too far ahead", protocols.ErrTooFarAhead, true},
		{"wrapped", fmt.Errorf("open: %w", protocols.ErrKeyUnknown), true},
		{"replayed", protocols.ErrReplayed, false},
		{"replayed, for want of a key", errors.Join(protocols.ErrReplayed, protocols.ErrKeyUnknown), false},
		{"pending", protocols.ErrPending, false},
		{"state", protocols.ErrState, false},
		{"foreign", io.ErrUnexpectedEOF, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := protocols.Retryable(tc.err); got != tc.want {
				t.Errorf("Retryable(%v) = %v, want %v", tc.err, got, tc.want)
			}
		})
	}
}

func TestMissingSessionsError(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("seal: %w", &protocols.MissingSessionsError{Peers: []protocols.Address{"b", "c"}})
	if !errors.Is(err, protocols.ErrNoSession) {
		t.Errorf("%v does not wrap ErrNoSession", err)
	}
	var missing *protocols.MissingSessionsError
	if !errors.As(err, &missing) || len(missing.Peers) != 2 {
		t.Errorf("peers of %v: %v", err, missing)
	}
}

func TestNoticeHas(t *testing.T) {
	t.Parallel()
	n := protocols.IdentityChanged | protocols.SessionStarted
	if !n.Has(protocols.IdentityChanged) || !n.Has(n) || n.Has(n|protocols.OneTimeKeyUsed) {
		t.Errorf("Has of %b is wrong", n)
	}
}

// exampleSuite is enough for an adapter that draws randomness and nothing else.
type exampleSuite struct {
	suite.Suite
	r io.Reader
}

func (s exampleSuite) Rand() io.Reader { return s.r }

// Two clients of one adapter exchange a message and its answer.
func Example() {
	adapter, err := adapters.ByName("signal-v3-sized")
	if err != nil {
		panic(err)
	}
	client := func(address protocols.Address, seed byte) protocols.Client {
		c, err := adapter.New(protocols.Config{
			Address: address,
			Suite:   exampleSuite{r: rand.NewChaCha8([32]byte{seed})},
		})
		if err != nil {
			panic(err)
		}
		return c
	}
	alice, bob := client("alice", 1), client("bob", 2)

	now := time.Unix(0, 0)
	keys, err := bob.Publish(now, 100) // to a server, which hands out one at a time
	if err != nil {
		panic(err)
	}
	bundle := protocols.Bundle{Static: keys.Static, OneTime: &keys.OneTime[0]}
	if _, err := alice.Establish(now, "bob", bundle); err != nil {
		panic(err)
	}
	say := func(from, to protocols.Client, fromName, toName protocols.Address, text string) {
		sealed, err := from.Seal(toName, []byte(text))
		if err != nil {
			panic(err)
		}
		opened, err := to.Open(fromName, sealed)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s, %d bytes: %s\n", sealed.Type, len(sealed.Payload), opened.Plaintext)
	}
	say(alice, bob, "alice", "bob", "hello")
	say(bob, alice, "bob", "alice", "hello yourself")
	say(alice, bob, "alice", "bob", "bye")
	// Output:
	// pkmsg, 146 bytes: hello
	// msg, 66 bytes: hello yourself
	// msg, 66 bytes: bye
}
