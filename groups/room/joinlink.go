package room

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// JoinLinkPolicy is the data of the join_link_policy component, and what an update
// of it holds (room-policy-04, Join Link policies component):
//
//	struct {
//	    bool on_request;
//	    Uri join_link;      // the text calls it link_requests
//	    bool multiuser;
//	    uint32 expiration;  // seconds from a link's creation
//	} JoinLinkPolicy;
type JoinLinkPolicy struct {
	OnRequest  bool   `json:"on_request"`
	JoinLink   string `json:"join_link"` // where to ask for a code; empty: nowhere
	MultiUser  bool   `json:"multiuser"`
	Expiration uint32 `json:"expiration"`
}

func (p *JoinLinkPolicy) UnmarshalTLS(r *wire.Reader) {
	p.OnRequest = readBool(r)
	p.JoinLink = readURI(r)
	p.MultiUser = readBool(r)
	p.Expiration = r.Uint32()
}

func (p *JoinLinkPolicy) MarshalTLS(w *wire.Writer) {
	writeBool(w, p.OnRequest)
	writeURI(w, p.JoinLink)
	writeBool(w, p.MultiUser)
	w.Uint32(p.Expiration)
}

// JoinLink is an active join link:
//
//	struct {
//	    opaque join_link<V>; // draft -03 had no length
//	} JoinLink;
type JoinLink struct {
	Link Opaque `json:"join_link"`
}

func (l *JoinLink) UnmarshalTLS(r *wire.Reader) { l.Link = r.Opaque() }
func (l *JoinLink) MarshalTLS(w *wire.Writer)   { w.Opaque(l.Link) }

// JoinLinksData is the data of the join_links component: JoinLink
// JoinLinksData<V>.
type JoinLinksData struct {
	Links []JoinLink `json:"links"`
}

func (d *JoinLinksData) UnmarshalTLS(r *wire.Reader) { d.Links = wire.List[JoinLink](r) }
func (d *JoinLinksData) MarshalTLS(w *wire.Writer)   { wire.PutList(w, d.Links) }

// JoinLinksUpdate is what an AppDataUpdate of the join_links holds:
//
//	struct {
//	    uint32 removedIndices<V>;
//	    JoinLink added_links<V>;
//	} JoinLinksUpdate;
//
// The indices are places in the list of the current epoch; links are added at its
// end.
type JoinLinksUpdate struct {
	Removed []uint32   `json:"removedIndices"`
	Added   []JoinLink `json:"added_links"`
}

func (u *JoinLinksUpdate) UnmarshalTLS(r *wire.Reader) {
	u.Removed = readCodes[uint32](r, r.Uint32)
	u.Added = wire.List[JoinLink](r)
}

func (u *JoinLinksUpdate) MarshalTLS(w *wire.Writer) {
	writeCodes(w, u.Removed, w.Uint32)
	wire.PutList(w, u.Added)
}
