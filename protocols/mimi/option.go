package mimi

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// RatchetTreeRepresentation says where a ratchet tree is
// (draft-mahy-mls-ratchet-tree-options-04, Conveying the Ratchet Tree):
//
//	enum {
//	    reserved(0),
//	    full(1),
//	    httpsUri(2),
//	    outOfBand(3),
//	    distributionService(4),
//	    (255)
//	} RatchetTreeRepresentation;
type RatchetTreeRepresentation uint8

const (
	TreeFull                RatchetTreeRepresentation = 1
	TreeHTTPSURI            RatchetTreeRepresentation = 2
	TreeOutOfBand           RatchetTreeRepresentation = 3
	TreeDistributionService RatchetTreeRepresentation = 4
)

var treeNames = map[RatchetTreeRepresentation]string{
	TreeFull:                "full",
	TreeHTTPSURI:            "httpsUri",
	TreeOutOfBand:           "outOfBand",
	TreeDistributionService: "distributionService",
}

// String returns the draft's name, or the number.
func (t RatchetTreeRepresentation) String() string { return name(treeNames, t) }

// RatchetTreeOption is a ratchet tree, or where it is
// (draft-mahy-mls-ratchet-tree-options-04, Conveying the Ratchet Tree):
//
//	struct {
//	    RatchetTreeRepresentation representation;
//	    select (representation) {
//	        case full:
//	            Node ratchet_tree<V>;
//	        case httpsUrl:
//	            opaque ratchet_tree_url<V>;
//	        case outOfBand:
//	            struct {};
//	        case distributionService:
//	            struct {};
//	    };
//	} RatchetTreeOption;
//
// The tree is read as the data of a ratchet_tree extension, whose nodes are
// optional, and the case httpsUrl as that of httpsUri (deviation 21). Up to revision -03
// there was a signature with a tree that is elsewhere (deviation 22).
type RatchetTreeOption struct {
	Representation RatchetTreeRepresentation
	// RatchetTree, of TreeFull, is the data of a ratchet_tree extension with its
	// length in front, as package tree parses it. Nothing here looks into it.
	RatchetTree    []byte
	RatchetTreeURL string // of TreeHTTPSURI
}

func (o *RatchetTreeOption) UnmarshalTLS(r *wire.Reader) {
	switch o.Representation = code(r, "RatchetTreeRepresentation", treeNames); o.Representation {
	case TreeFull:
		w := wire.NewWriter(nil)
		w.Opaque(r.Opaque())
		o.RatchetTree, _ = w.Bytes() // what was read can be written
	case TreeHTTPSURI:
		o.RatchetTreeURL = text(r)
	}
}

func (o *RatchetTreeOption) MarshalTLS(w *wire.Writer) {
	putCode(w, "RatchetTreeRepresentation", treeNames, o.Representation)
	switch o.Representation {
	case TreeFull:
		r := wire.NewReader(o.RatchetTree)
		nodes := r.Opaque()
		if err := r.Done(); err != nil {
			w.Fail(err)
			return
		}
		w.Opaque(nodes)
	case TreeHTTPSURI:
		putText(w, o.RatchetTreeURL)
	}
}

// RatchetTreePresence says whether a GroupInfo has a ratchet_tree extension, and
// whether that of the epoch before had
// (draft-mahy-mls-ratchet-tree-options-04, Conveying the GroupInfo):
//
//	enum {
//	    no_ratchet_tree(0),
//	    present(1),
//	    removed(2),
//	    added(3),
//	    (255)
//	} RatchetTreePresence;
type RatchetTreePresence uint8

const (
	NoRatchetTree      RatchetTreePresence = 0
	RatchetTreePresent RatchetTreePresence = 1
	RatchetTreeRemoved RatchetTreePresence = 2
	RatchetTreeAdded   RatchetTreePresence = 3
)

var presenceNames = map[RatchetTreePresence]string{
	NoRatchetTree:      "no_ratchet_tree",
	RatchetTreePresent: "present",
	RatchetTreeRemoved: "removed",
	RatchetTreeAdded:   "added",
}

// String returns the draft's name, or the number.
func (p RatchetTreePresence) String() string { return name(presenceNames, p) }

// PartialGroupInfo is what of a GroupInfo a hub that follows the group can't know
// (draft-mahy-mls-ratchet-tree-options-04, Conveying the GroupInfo):
//
//	struct {
//	    RatchetTreePresence ratchet_tree_presence;
//	    Extension group_info_extensions<V>; // without ratchet_tree
//	    opaque signature<V>;
//	} PartialGroupInfo;
type PartialGroupInfo struct {
	RatchetTreePresence RatchetTreePresence
	GroupInfoExtensions message.Extensions
	Signature           []byte
}

func (p *PartialGroupInfo) UnmarshalTLS(r *wire.Reader) {
	p.RatchetTreePresence = code(r, "RatchetTreePresence", presenceNames)
	p.GroupInfoExtensions.UnmarshalTLS(r)
	p.Signature = r.Opaque()
}

func (p *PartialGroupInfo) MarshalTLS(w *wire.Writer) {
	putCode(w, "RatchetTreePresence", presenceNames, p.RatchetTreePresence)
	p.GroupInfoExtensions.MarshalTLS(w)
	w.Opaque(p.Signature)
}

// GroupInfoRepresentation says how much of a GroupInfo there is
// (draft-ietf-mimi-protocol-06, Update Room State):
//
//	enum {
//	    reserved(0),
//	    full(1),
//	    partial(2),
//	    (255)
//	} GroupInfoRepresentation;
type GroupInfoRepresentation uint8

const (
	GroupInfoFull    GroupInfoRepresentation = 1
	GroupInfoPartial GroupInfoRepresentation = 2
)

var groupInfoNames = map[GroupInfoRepresentation]string{GroupInfoFull: "full", GroupInfoPartial: "partial"}

// String returns the draft's name, or the number.
func (g GroupInfoRepresentation) String() string { return name(groupInfoNames, g) }

// GroupInfoOption is the GroupInfo of the epoch that a Commit starts, or what the
// hub needs to make it (draft-ietf-mimi-protocol-06, Update Room State). Exactly one
// of the fields is set.
//
//	struct {
//	    GroupInfoRepresentation representation;
//	    select (representation) {
//	        case full:    GroupInfo groupInfo;
//	        case partial: PartialGroupInfo partialGroupInfo;
//	    }
//	} GroupInfoOption;
type GroupInfoOption struct {
	Full    *message.GroupInfo
	Partial *PartialGroupInfo
}

// Representation returns which field is set, or 0.
func (o *GroupInfoOption) Representation() GroupInfoRepresentation {
	switch {
	case o.Full != nil:
		return GroupInfoFull
	case o.Partial != nil:
		return GroupInfoPartial
	}
	return 0
}

func (o *GroupInfoOption) UnmarshalTLS(r *wire.Reader) {
	switch code(r, "GroupInfoRepresentation", groupInfoNames) {
	case GroupInfoFull:
		o.Full = new(message.GroupInfo)
		o.Full.UnmarshalTLS(r)
	case GroupInfoPartial:
		o.Partial = new(PartialGroupInfo)
		o.Partial.UnmarshalTLS(r)
	}
}

func (o *GroupInfoOption) MarshalTLS(w *wire.Writer) {
	putCode(w, "GroupInfoRepresentation", groupInfoNames, o.Representation())
	switch {
	case o.Full != nil:
		o.Full.MarshalTLS(w)
	case o.Partial != nil:
		o.Partial.MarshalTLS(w)
	}
}
