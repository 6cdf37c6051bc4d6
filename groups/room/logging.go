package room

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// LoggingPolicy is the data of the logging_policy component, and what an update of
// it holds (room-policy-04, Logging policy component):
//
//	struct {
//	    Optionality logging;
//	    select (logging) {
//	        case required, optional:           // the draft: mandatory
//	            Uri logging_clients<V>;        // at least one if required
//	            Uri machine_readable_policy;   // may be empty
//	            Uri human_readable_policy;     // may be empty
//	        case forbidden: struct {};
//	    };
//	} LoggingPolicy;
type LoggingPolicy struct {
	Logging               Optionality `json:"logging"`
	Clients               []string    `json:"logging_clients,omitempty"`
	MachineReadablePolicy string      `json:"machine_readable_policy,omitempty"`
	HumanReadablePolicy   string      `json:"human_readable_policy,omitempty"`
}

func (p *LoggingPolicy) UnmarshalTLS(r *wire.Reader) {
	*p = LoggingPolicy{Logging: readOptionality(r)}
	if p.Logging != Forbidden {
		p.Clients = readURIs(r)
		p.MachineReadablePolicy = readURI(r)
		p.HumanReadablePolicy = readURI(r)
	}
	readCheck(r, p)
}

func (p *LoggingPolicy) MarshalTLS(w *wire.Writer) {
	writeCheck(w, p)
	writeOptionality(w, p.Logging)
	if p.Logging != Forbidden {
		writeURIs(w, p.Clients)
		writeURI(w, p.MachineReadablePolicy)
		writeURI(w, p.HumanReadablePolicy)
	}
}

func (p *LoggingPolicy) check() error {
	if p.Logging == Required && len(p.Clients) == 0 {
		return invalid("logging is required and has no logging_clients")
	}
	if p.Logging == Forbidden && (len(p.Clients) > 0 || p.MachineReadablePolicy != "" || p.HumanReadablePolicy != "") {
		return invalid("logging is forbidden and its other fields are not empty")
	}
	return nil
}

// Active reports whether the room is logged.
func (p *LoggingPolicy) Active() bool { return len(p.Clients) > 0 }
