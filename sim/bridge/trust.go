package bridge

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/sim/ledger"
)

// party is a server, with all that it ever had: the frames that it sent and got, and
// what it kept.
type party struct {
	role   ledger.Role
	name   string
	frames []*Frame
	kept   [][]byte
	// names is what its frames say in their stanzas, which pack addresses.
	names []string
}

// parties returns the servers of the world, in the order of ledger.RoomRoles.
func (s *Story) parties() (list []*party) {
	w := s.World
	if s.cached != nil {
		return s.cached
	}
	for _, role := range ledger.RoomRoles {
		p := &party{role: role}
		var node string
		switch role {
		case ledger.Gatekeeper:
			node, p.name, p.kept = GatekeeperNode, "gatekeeper", w.keeper.store.ever
		case ledger.GatewayServer:
			if w.cfg.Place == gateway.OnDevice {
				continue
			}
			node, p.name, p.kept = ServerNode, OperatorDomain+", gateway", w.gateway.store.ever
		case ledger.Proxy:
			if w.cfg.Place == gateway.AtServer {
				continue
			}
			node, p.name = ProxyNode, OperatorDomain+", proxy"
		case ledger.Follower:
			node, p.name, p.kept = OperatorDomain, OperatorDomain+", follower", w.providers[OperatorDomain].store.ever
		case ledger.Hub:
			node, p.name, p.kept = HubDomain, HubDomain+", hub", w.providers[HubDomain].store.ever
		}
		for _, f := range w.frames {
			if f.From != node && f.To != node {
				continue
			}
			p.frames = append(p.frames, f)
			if n, err := stanza.ParseBinary(f.Body); err == nil {
				p.names = append(p.names, attributes(n)...)
			}
		}
		list = append(list, p)
	}
	s.cached = list
	return list
}

// attributes returns the values of all attributes in a stanza.
func attributes(n stanza.Node) (list []string) {
	for _, a := range n.Attrs {
		list = append(list, a.Value)
	}
	for _, c := range n.Children {
		list = append(list, attributes(c)...)
	}
	return list
}

// has says where a party has some bytes, as they are or in base64, as JSON has them; or
// "".
func (p *party) has(b []byte) string {
	for _, form := range forms(b) {
		for _, f := range p.frames {
			if bytes.Contains(f.Body, form) {
				return fmt.Sprintf("frame %d, from %s to %s", f.Number, f.From, f.To)
			}
		}
		for _, r := range p.kept {
			if bytes.Contains(r, form) {
				return "a record"
			}
		}
	}
	for _, a := range p.names {
		if strings.Contains(a, string(b)) {
			return "a stanza"
		}
	}
	return ""
}

// forms returns what to look for if some bytes are anywhere in others, which may be in
// base64: then those digits that depend on nothing but them, by where they begin among
// three bytes. Digits too few to be found by no accident are left out.
func forms(b []byte) [][]byte {
	const fewest = 7
	list := [][]byte{b}
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), b...))
		first, last := (before*8+5)/6, (before+len(b))*8/6
		if last-first >= fewest {
			list = append(list, []byte(text[first:last]))
		}
	}
	return list
}

// saw reports whether a party sent or got anything while a message was on its way that
// carries one.
func (p *party) saw(x *saying) bool {
	for _, f := range p.frames {
		carries := strings.HasPrefix(f.What, "message") || f.What == "submitMessage" || f.What == "notify" || f.What == "event"
		if f.Number > x.from && f.Number <= x.on && carries {
			return true
		}
	}
	return false
}

// privateKeys returns the signature keys that the gateway's members ever had.
func (g *bridge) privateKeys() (list [][]byte) {
	for _, r := range g.store.ever {
		key, value, _ := bytes.Cut(r, []byte(" "))
		if !bytes.HasSuffix(key, []byte("|self")) || !bytes.HasPrefix(key, []byte("user|")) {
			continue
		}
		var u struct {
			Private []byte `json:"private"`
		}
		const seed = 32 // of Ed25519; the public key follows it
		if json.Unmarshal(value, &u) == nil && len(u.Private) >= seed {
			list = append(list, u.Private[:seed])
		}
	}
	return list
}

// heldIDs are the messages of which the gateway says that it held their plaintext.
func (s *Story) heldIDs() map[string]bool {
	ids := make(map[string]bool)
	for _, e := range s.World.gateway.events {
		if h, ok := e.Event.(gateway.Held); ok {
			ids[h.ID] = true
		}
	}
	return ids
}

// idOf returns the ID of a message where it comes from.
func (s *Story) idOf(x *saying) string {
	if x.by == "bob" {
		return x.signal
	}
	for _, d := range s.devices() {
		for _, e := range d.Events {
			if m, ok := e.Event.(member.Sent); ok && d.Name == x.by && m.ID == x.id {
				return m.Message.String()
			}
		}
	}
	return ""
}

// Row is what one party learned: for each of ledger.RoomFacts, how much of it.
type Row struct {
	Party  string
	Shares []ledger.Share
}

// route is the ledger's name of the story's users.
const route = "gateway"

// Ledger takes down who learned what: contents from what the gateway says that it held
// and from all bytes that each server had, all else from those bytes.
func (s *Story) Ledger() *ledger.Ledger {
	l := new(ledger.Ledger)
	phone := strings.Split(s.World.phone.Addr.String(), "@")[0]
	names := map[string]string{"alice": s.alice.User.String(), "bob in rooms": BobInRooms.String(), "bob at Signal": phone}
	if s.carol != nil {
		names["carol"] = s.carol.User.String()
	}
	truth := func(f ledger.Fact, key string) { l.True(route, f, key) }
	for k := range names {
		truth(ledger.Identity, k)
	}
	truth(ledger.Alias, "bob")
	held := s.heldIDs()
	for i, x := range s.said {
		if x.by != "bob" && !contains(x.to, "bob") {
			continue // after he has left
		}
		key := fmt.Sprint(i)
		for _, f := range []ledger.Fact{ledger.Content, ledger.Size, ledger.Timestamp} {
			truth(f, key)
		}
		for _, p := range s.parties() {
			if p.role == ledger.GatewayServer && held[s.idOf(x)] || p.has([]byte(x.text)) != "" {
				l.Learn(route, p.role, ledger.Content, key)
			}
			if p.saw(x) {
				l.Learn(route, p.role, ledger.Size, key)
				l.Learn(route, p.role, ledger.Timestamp, key)
			}
		}
	}
	for _, who := range []string{"alice", "carol"} {
		if names[who] != "" {
			truth(ledger.Contact, who)
		}
	}
	for _, p := range s.parties() {
		known := make(map[string]bool)
		for k, name := range names {
			if p.has([]byte(name)) != "" {
				known[k] = true
				l.Learn(route, p.role, ledger.Identity, k)
			}
		}
		for _, who := range []string{"alice", "carol"} {
			if known[who] && (known["bob in rooms"] || known["bob at Signal"]) {
				l.Learn(route, p.role, ledger.Contact, who)
			}
		}
		if known["bob in rooms"] && known["bob at Signal"] {
			l.Learn(route, p.role, ledger.Alias, "bob")
		}
	}
	return l
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// Trust is the table of who learned what.
func (s *Story) Trust() (rows []Row) {
	l := s.Ledger()
	for _, p := range s.parties() {
		r := Row{Party: p.name}
		for _, f := range ledger.RoomFacts {
			r.Shares = append(r.Shares, l.Share(route, p.role, f))
		}
		rows = append(rows, r)
	}
	return rows
}

// Statement says in a sentence whom one has to trust.
func (s *Story) Statement() string {
	if s.World.cfg.Place == gateway.AtServer {
		return "One has to trust " + s.World.gateway.config.Operator + ", which reads every message of the room while Bob is in it: " +
			"two encryptions end at its gateway, and neither goes from end to end."
	}
	return "One has to trust nobody but the ends: the gateway is on Bob's own device, and the servers passed on ciphertext. " +
		"What they know is metadata, and more parties have it than without a gateway; " + OperatorDomain +
		" has two of them, and could tell by the times of messages that they serve one user."
}
