package message

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// PSKType is where a pre-shared key comes from (RFC 9420, Section 8.4;
// draft-ietf-mls-extensions-10, Pre-Shared Keys).
type PSKType uint8

const (
	PSKExternal    PSKType = 1
	PSKResumption  PSKType = 2
	PSKApplication PSKType = 3
)

// ResumptionPSKUsage says what a resumption PSK is used for (RFC 9420, Section 8.4).
type ResumptionPSKUsage uint8

const (
	ResumptionApplication ResumptionPSKUsage = 1
	ResumptionReInit      ResumptionPSKUsage = 2
	ResumptionBranch      ResumptionPSKUsage = 3
)

var (
	pskNames   = map[PSKType]string{PSKExternal: "external", PSKResumption: "resumption", PSKApplication: "application"}
	usageNames = map[ResumptionPSKUsage]string{ResumptionApplication: "application", ResumptionReInit: "reinit", ResumptionBranch: "branch"}
)

// String returns the specification's name, or the number.
func (t PSKType) String() string { return name(pskNames, t) }

// String returns the specification's name, or the number.
func (u ResumptionPSKUsage) String() string { return name(usageNames, u) }

// PreSharedKeyID names a pre-shared key and one use of it (RFC 9420, Section 8.4):
//
//	struct {
//	    PSKType psktype;
//	    select (PreSharedKeyID.psktype) {
//	        case external:    opaque psk_id<V>;
//	        case resumption:  ResumptionPSKUsage usage;
//	                          opaque psk_group_id<V>;
//	                          uint64 psk_epoch;
//	        case application: ComponentID component_id; // draft-ietf-mls-extensions-10
//	                          opaque psk_id<V>;
//	    };
//	    opaque psk_nonce<V>;
//	} PreSharedKeyID;
type PreSharedKeyID struct {
	Type      PSKType
	ID        []byte             // of PSKExternal and PSKApplication
	Component ComponentID        // of PSKApplication
	Usage     ResumptionPSKUsage // of PSKResumption
	GroupID   []byte             // of PSKResumption
	Epoch     uint64             // of PSKResumption
	Nonce     []byte             // Sizes.Hash bytes
}

func (p *PreSharedKeyID) UnmarshalTLS(r *wire.Reader) {
	switch p.Type = PSKType(r.Uint8()); p.Type {
	case PSKExternal:
		p.ID = r.Opaque()
	case PSKResumption:
		p.Usage = ResumptionPSKUsage(r.Uint8())
		if r.Err() == nil && (p.Usage < ResumptionApplication || p.Usage > ResumptionBranch) {
			unknown(r, "resumption psk usage", p.Usage)
		}
		p.GroupID = r.Opaque()
		p.Epoch = r.Uint64()
	case PSKApplication:
		p.Component = ComponentID(r.Uint16())
		p.ID = r.Opaque()
	default:
		unknown(r, "psktype", p.Type)
	}
	p.Nonce = r.Opaque()
}

func (p *PreSharedKeyID) MarshalTLS(w *wire.Writer) {
	w.Uint8(uint8(p.Type))
	switch p.Type {
	case PSKExternal:
		w.Opaque(p.ID)
	case PSKResumption:
		w.Uint8(uint8(p.Usage))
		w.Opaque(p.GroupID)
		w.Uint64(p.Epoch)
	case PSKApplication:
		w.Uint16(uint16(p.Component))
		w.Opaque(p.ID)
	}
	w.Opaque(p.Nonce)
}
