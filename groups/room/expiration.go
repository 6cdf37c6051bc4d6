package room

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// MessageExpiration is the data of the message_expiration_policy component, and
// what an update of it holds (room-policy-04, Message expiration policy component).
// All durations are seconds.
//
//	struct {
//	    Optionality expiring_messages;
//	    select (expiring_messages) {
//	        case required, optional: // the draft: mandatory
//	            uint32 min_expiration_duration;
//	            uint32 max_expiration_duration;
//	            optional uint32 default_expiration_duration;
//	        case forbidden: struct {};
//	    };
//	} MessageExpiration;
type MessageExpiration struct {
	Expiring Optionality `json:"expiring_messages"`
	Min      uint32      `json:"min_expiration_duration,omitempty"`
	Max      uint32      `json:"max_expiration_duration,omitempty"`
	Default  *uint32     `json:"default_expiration_duration,omitempty"` // nil: no preference
}

func (p *MessageExpiration) UnmarshalTLS(r *wire.Reader) {
	*p = MessageExpiration{Expiring: readOptionality(r)}
	if p.Expiring != Forbidden {
		p.Min = r.Uint32()
		p.Max = r.Uint32()
		p.Default = readOptional32(r)
	}
	readCheck(r, p)
}

func (p *MessageExpiration) MarshalTLS(w *wire.Writer) {
	writeCheck(w, p)
	writeOptionality(w, p.Expiring)
	if p.Expiring != Forbidden {
		w.Uint32(p.Min)
		w.Uint32(p.Max)
		writeOptional32(w, p.Default)
	}
}

func (p *MessageExpiration) check() error {
	if p.Expiring == Forbidden && (p.Min != 0 || p.Max != 0 || p.Default != nil) {
		return invalid("expiring messages are forbidden and have durations")
	}
	if p.Min > p.Max {
		return invalid("messages expire after at least %d and at most %d seconds", p.Min, p.Max)
	}
	if p.Default != nil && (*p.Default < p.Min || *p.Default > p.Max) {
		return invalid("messages expire after %d seconds by default, want %d to %d", *p.Default, p.Min, p.Max)
	}
	return nil
}
