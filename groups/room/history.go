package room

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// HistoryPolicy is the data of the chat_history_policy component, and what an
// update of it holds (room-policy-04, Chat history policy component):
//
//	struct {
//	    Optionality history_sharing;
//	    select (history_sharing) {
//	        case required, optional:              // the draft: mandatory
//	            uint32 roles_that_can_share<V>;   // neither 0 nor 1
//	            bool automatically_share;
//	            uint32 max_time_period;           // seconds
//	        case forbidden: struct {};
//	    };
//	} HistoryPolicy;
type HistoryPolicy struct {
	Sharing       Optionality `json:"history_sharing"`
	Roles         []uint32    `json:"roles_that_can_share,omitempty"`
	Automatically bool        `json:"automatically_share,omitempty"`
	MaxTimePeriod uint32      `json:"max_time_period,omitempty"`
}

func (p *HistoryPolicy) UnmarshalTLS(r *wire.Reader) {
	*p = HistoryPolicy{Sharing: readOptionality(r)}
	if p.Sharing != Forbidden {
		p.Roles = readCodes[uint32](r, r.Uint32)
		p.Automatically = readBool(r)
		p.MaxTimePeriod = r.Uint32()
	}
	readCheck(r, p)
}

func (p *HistoryPolicy) MarshalTLS(w *wire.Writer) {
	writeCheck(w, p)
	writeOptionality(w, p.Sharing)
	if p.Sharing != Forbidden {
		writeCodes(w, p.Roles, w.Uint32)
		writeBool(w, p.Automatically)
		w.Uint32(p.MaxTimePeriod)
	}
}

func (p *HistoryPolicy) check() error {
	if slices.Contains(p.Roles, RoleNone) || slices.Contains(p.Roles, RoleBanned) {
		return invalid("history is shared by roles %v, want neither 0 nor 1", p.Roles)
	}
	if p.Sharing == Forbidden && (len(p.Roles) > 0 || p.Automatically || p.MaxTimePeriod != 0) {
		return invalid("history sharing is forbidden and its other fields are not empty")
	}
	return nil
}
