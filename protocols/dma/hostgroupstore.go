package dma

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// groupRecord is the stored form of a group without its members, each of which has a
// record: a change writes what it changed.
type groupRecord struct {
	Subject string `json:"subject,omitempty"`
	Creator string `json:"creator"`
	Key     string `json:"key"`
	Created int64  `json:"created"` // Unix seconds
	Version uint64 `json:"version"`
}

type memberRecord struct {
	Admin bool   `json:"admin,omitempty"`
	Since uint64 `json:"since"`
}

func (g *Gatekeeper) saveGroup(gr *group) {
	if !g.records.off {
		g.records.put("group/"+gr.addr.String(), mustJSON(groupRecord{gr.subject, gr.wish.by.String(), gr.wish.key, gr.created, gr.version}))
	}
}

// deleteGroup forgets a group, whose number is not given again.
func (g *Gatekeeper) deleteGroup(gr *group) {
	if !g.records.off {
		g.records.delete("group/" + gr.addr.String())
		g.records.put("nextgroup/", strconv.AppendUint(nil, g.nextGroup, 10))
	}
}

func memberKey(gr *group, a ident.Address) string {
	return "member/" + gr.addr.String() + "/" + a.String()
}

func (g *Gatekeeper) saveMember(gr *group, m *membership) {
	if !g.records.off {
		g.records.put(memberKey(gr, m.account.addr), mustJSON(memberRecord{m.admin, m.since}))
	}
}

func (g *Gatekeeper) deleteMember(gr *group, a ident.Address) {
	if !g.records.off {
		g.records.delete(memberKey(gr, a))
	}
}

func (g *restorer) restoreGroup(addr ident.Address, data []byte) error {
	var r groupRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	by, err := ident.ParseAddress(r.Creator)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(addr.User, 10, 64)
	if err != nil || addr.Server != ident.Group || r.Version == 0 || r.Created < 0 {
		return fmt.Errorf("not a group of this gatekeeper")
	}
	gr := &group{
		addr: addr, subject: r.Subject, wish: groupWish{by, r.Key}, created: r.Created, version: r.Version,
		members: make(map[ident.Address]*membership),
	}
	g.groups[addr], g.groupsMade[gr.wish] = gr, gr
	g.nextGroup = max(g.nextGroup, n+1)
	return nil
}

func (g *restorer) restoreMember(addr ident.Address, member string, data []byte) error {
	a, err := ident.ParseAddress(member)
	if err != nil {
		return err
	}
	gr, account := g.groups[addr], g.accounts[a]
	if gr == nil || account == nil {
		return fmt.Errorf("no group %v, or no account %v", addr, a)
	}
	var r memberRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	gr.members[a] = &membership{account: account, admin: r.Admin, since: r.Since}
	if account.groups == nil {
		account.groups = make(map[ident.Address]*group)
	}
	account.groups[addr] = gr
	return nil
}
