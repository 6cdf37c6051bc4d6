package world

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/sim/check"
)

// leaky is an adapter that sends a copy of every plaintext along.
type leaky struct{ sized.Adapter }

func (a leaky) New(cfg protocols.Config) (protocols.Client, error) {
	c, err := a.Adapter.New(cfg)
	return leakyClient{c}, err
}

func (a leaky) Restore(cfg protocols.Config, records []protocols.Record) (protocols.Client, error) {
	c, err := a.Adapter.Restore(cfg, records)
	return leakyClient{c}, err
}

type leakyClient struct{ protocols.Client }

func (c leakyClient) Seal(peer protocols.Address, plaintext []byte) (protocols.Sealed, error) {
	s, err := c.Client.Seal(peer, plaintext)
	payload := binary.BigEndian.AppendUint32(nil, uint32(len(s.Payload)))
	s.Payload = append(append(payload, s.Payload...), plaintext...)
	return s, err
}

func (c leakyClient) Open(peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	n := 4 + binary.BigEndian.Uint32(s.Payload)
	s.Payload = s.Payload[4:n]
	return c.Client.Open(peer, s)
}

// TestLeakIsFound: what is readable outside of its two endpoints is a violation,
// which names who can read it.
func TestLeakIsFound(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"direct", "proxied"} {
		sc := load(t, "faulty-small", "partners.*.route="+route)
		out, err := Simulate(sc, "", 0, 1, Options{adapter: leaky{}})
		if err != nil {
			t.Fatal(err)
		}
		var who string
		for _, v := range out.Violations {
			if v.Check != check.Confidentiality {
				t.Errorf("%s: %v, want violations of confidentiality alone", route, v)
			}
			who += v.Detail + "\n"
		}
		for name, want := range map[string]bool{
			"whatsapp can read": true, "/proxy can read": route == "proxied", "the network on the way to ": true,
		} {
			if got := strings.Contains(who, name); got != want {
				t.Errorf("%s: is it found that %q: %v, want %v; found:\n%s", route, name, got, want, who)
			}
		}
	}
}
