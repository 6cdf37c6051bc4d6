package chat

import (
	"reflect"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// add seeds a target with the binary form of stanzas.
func add(f *testing.F, list ...stanza.Stanza) {
	for _, s := range list {
		f.Add(must(new(stanza.Encoder).Append(nil, s)))
	}
}

// parse reads what is fuzzed.
func parse(b []byte) (stanza.Stanza, bool) {
	n, err := stanza.ParseBinary(b)
	if err != nil {
		return nil, false
	}
	s, err := stanza.Parse(n)
	return s, err == nil
}

// FuzzRead: whatever a client sends is read or refused by an error that can be told,
// and what is read is written and read again as the same.
func FuzzRead(f *testing.F) {
	for _, tt := range asked {
		add(f, must(Encode("1", tt.in)))
	}
	add(f, &stanza.IQ{ID: "1", Type: stanza.Get, Payload: stanza.KeepAlive{}})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := parse(b)
		if !ok {
			return
		}
		q, err := Read(alice, 7, s, nil)
		if err != nil {
			if q.Input != nil {
				t.Fatalf("an error, and yet %+v", q.Input)
			}
			if q.Answered() {
				a, err := q.Answer(nil, err)
				if err != nil {
					t.Fatal(err)
				}
				must(stanza.MarshalXML(a))
			}
			return
		}
		if q.Input == nil {
			return // a keepalive
		}
		again, err := Encode("1", q.Input)
		if err != nil {
			t.Fatalf("%+v: %v", q.Input, err)
		}
		if r, err := Read(alice, 7, again, nil); err != nil || !reflect.DeepEqual(r.Input, q.Input) {
			t.Fatalf("%+v\nafterwards %+v, %v", q.Input, r.Input, err)
		}
	})
}

// FuzzReadDelivery: whatever a provider sends is a delivery, none, or an error, and a
// delivery is written and read again as the same.
func FuzzReadDelivery(f *testing.F) {
	for _, tt := range delivered {
		add(f, must(Deliver(tt.d, nil)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := parse(b)
		if !ok {
			return
		}
		d, ok, err := ReadDelivery(alice, s, nil)
		if err != nil || !ok {
			return
		}
		again, err := Deliver(d, nil)
		if err != nil {
			t.Fatalf("%+v: %v", d, err)
		}
		if e, ok, err := ReadDelivery(alice, again, nil); err != nil || !ok || !reflect.DeepEqual(d, e) {
			t.Fatalf("%+v\nafterwards %+v, %v, %v", d, e, ok, err)
		}
	})
}

// FuzzReadAnswer: whatever a provider answers is a body, none, or an error.
func FuzzReadAnswer(f *testing.F) {
	for _, tt := range asked {
		q := must(Read(alice, 7, must(Encode("1", tt.in)), nil))
		for _, body := range tt.answers {
			add(f, must(q.Answer(body, nil)))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := parse(b)
		if !ok {
			return
		}
		for _, tt := range asked {
			ask := must(Encode("1", tt.in))
			if _, isAck := tt.in.(follower.Ack); isAck {
				continue
			}
			body, err := ReadAnswer(ask, s)
			if err != nil && body != nil {
				t.Fatalf("%v, and yet %+v", err, body)
			}
		}
	})
}
