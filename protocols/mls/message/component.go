package message

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// ComponentID names a part of an application (draft-ietf-mls-extensions-10,
// Component IDs).
// https://www.iana.org/assignments/mls/mls.xhtml
type ComponentID uint16

// SelfRemove removes its sender (draft-ietf-mls-extensions-10, SelfRemove
// Proposal): struct {} SelfRemove;
type SelfRemove struct{}

// AppDataUpdateOperation says what an AppDataUpdate does.
type AppDataUpdateOperation uint8

const (
	AppDataSet    AppDataUpdateOperation = 1 // update
	AppDataRemove AppDataUpdateOperation = 2 // remove
)

// AppDataUpdate changes a component's data in the GroupContext
// (draft-ietf-mls-extensions-10, Updating Application Data in the GroupContext):
//
//	struct {
//	    ComponentID component_id;
//	    AppDataUpdateOperation op; // update(1), remove(2)
//	    select (AppDataUpdate.op) {
//	        case update: opaque update<V>;
//	        case remove: struct{};
//	    };
//	} AppDataUpdate;
type AppDataUpdate struct {
	Component ComponentID
	Op        AppDataUpdateOperation
	Update    []byte // of AppDataSet
}

// AppEphemeral attaches a component's data to a Commit
// (draft-ietf-mls-extensions-10, Attaching Application Data to a Commit):
//
//	struct {
//	    ComponentID component_id;
//	    opaque data<V>;
//	} AppEphemeral;
type AppEphemeral struct {
	Component ComponentID
	Data      []byte
}

func (*SelfRemove) proposalBody()    {}
func (*AppDataUpdate) proposalBody() {}
func (*AppEphemeral) proposalBody()  {}

func (*SelfRemove) UnmarshalTLS(*wire.Reader) {}
func (*SelfRemove) MarshalTLS(*wire.Writer)   {}

func (a *AppDataUpdate) UnmarshalTLS(r *wire.Reader) {
	a.Component = ComponentID(r.Uint16())
	switch a.Op = AppDataUpdateOperation(r.Uint8()); a.Op {
	case AppDataSet:
		a.Update = r.Opaque()
	case AppDataRemove:
	default:
		unknown(r, "app data update operation", a.Op)
	}
}

func (a *AppDataUpdate) MarshalTLS(w *wire.Writer) {
	w.Uint16(uint16(a.Component))
	w.Uint8(uint8(a.Op))
	if a.Op == AppDataSet {
		w.Opaque(a.Update)
	}
}

func (a *AppEphemeral) UnmarshalTLS(r *wire.Reader) {
	a.Component = ComponentID(r.Uint16())
	a.Data = r.Opaque()
}

func (a *AppEphemeral) MarshalTLS(w *wire.Writer) {
	w.Uint16(uint16(a.Component))
	w.Opaque(a.Data)
}
