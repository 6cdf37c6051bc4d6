package gateway

import (
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// userState says how far a user takes part.
type userState string

const (
	opening userState = "opening" // has agreed; the account is being made
	on      userState = "on"
	leaving userState = "leaving" // has ended it; the rooms are being left
	closing userState = "closing" // the account is being removed
	off     userState = "off"
)

// user is a Signal user who has agreed.
type user struct {
	userRecord
	addr    ident.Address
	key     string // addr as text
	uri     ident.URI
	client  ident.URI
	member  *member.Member  // nil when closing or off
	records map[string]bool // the keys of the member's records
	// keys are the first KeyPackages of a client while its account is being made. They
	// stay the same however often that is asked for.
	keys    []message.KeyPackage
	wakeAt  time.Time
	threads map[int]*thread // by line
	// skipped is the first delivery of each room that was left to come again and did not
	// yet.
	skipped map[ident.URI]uint64
}

// userRecord is what is kept of a user.
type userRecord struct {
	Name     string    `json:"name"`
	State    userState `json:"state"`
	Private  []byte    `json:"private,omitempty"` // the signature key of the member
	Public   []byte    `json:"public,omitempty"`
	Invites  []invite  `json:"invites,omitempty"`
	Invited  int       `json:"invited,omitempty"` // the number of the last invitation
	LastLine int       `json:"last_line,omitempty"`
}

// invite is an invitation that waits for an answer.
type invite struct {
	N    int       `json:"n"`
	By   ident.URI `json:"by"`
	Room ident.URI `json:"room,omitzero"` // zero for every room
}

// newUser makes a user of a Signal user, who gets a name once.
func (g *Gateway) newUser(addr ident.Address, name string) (*user, error) {
	uri, err := ident.NewURI(ident.KindUser, g.cfg.Domain, viaSignal(name))
	if err != nil {
		return nil, err
	}
	client, err := ident.NewURI(ident.KindClient, g.cfg.Domain, viaSignal(name), g.cfg.Place.client())
	if err != nil {
		return nil, err
	}
	u := &user{
		userRecord: userRecord{Name: name, State: off}, addr: addr, key: addr.String(), uri: uri, client: client,
		records: make(map[string]bool), threads: make(map[int]*thread), skipped: make(map[ident.URI]uint64),
	}
	g.users[addr], g.byClient[client], g.names[name] = u, u, u
	u.threads[0] = g.newThread(u, 0, ident.URI{})
	return u, nil
}

// identity is the member's.
func (u *user) identity() *mls.Identity {
	return &mls.Identity{
		Credential: message.BasicCredential([]byte(u.client.String())),
		Signer:     suite.KeyPair{Private: u.Private, Public: u.Public},
	}
}

// memberConfig is the configuration of a user's member.
func (g *Gateway) memberConfig(u *user) member.Config {
	return member.Config{Client: u.client, Identity: u.identity(), Groups: g.cfg.Groups}
}

// desk takes what somebody writes to the desk, or who has not agreed to any line.
func (g *Gateway) desk(l *line, u *user, e dma.Event) {
	c := e.Content
	name, arg, _ := parseCommand(c.Text)
	if c.Kind != dma.Text {
		name = ""
	}
	if u == nil || u.State == off {
		if name != "agree" {
			g.stranger(l, e.Peer, g.cfg.terms())
			return
		}
		g.agree(l, u, e.Peer, arg)
		return
	}
	switch d := u.threads[0]; name {
	case "agree":
		g.tell(d, "", fmt.Sprintf("You have agreed already. Rooms know you as %s.", viaSignal(u.Name)))
	case "rooms":
		g.tell(d, "", g.listRooms(u))
	case "accept":
		g.answerInvite(u, arg, true)
	case "decline":
		g.answerInvite(u, arg, false)
	case "stop":
		g.stop(u)
	default:
		g.tell(d, "", help(true))
	}
}

// stranger answers somebody who takes no part, but not too often.
func (g *Gateway) stranger(l *line, peer ident.Address, text string) {
	if g.cfg.Place == OnDevice && peer != g.cfg.Owner {
		text = notice + "This gateway serves its owner alone."
	}
	now := g.now.UnixMilli()
	if at, ok := g.strangers[peer]; ok && now < at+g.limits.TellAgain.Milliseconds() {
		return
	}
	if _, ok := g.strangers[peer]; !ok && len(g.strangers) >= g.limits.Strangers {
		var oldest ident.Address
		for a, at := range g.strangers {
			if o := g.strangers[oldest]; oldest.IsZero() || at < o || at == o && a.String() < oldest.String() {
				oldest = a
			}
		}
		delete(g.strangers, oldest)
		g.put(strangerKey(oldest), nil)
	}
	g.strangers[peer] = now
	g.put(strangerKey(peer), mustJSON(now))
	if _, err := g.stepLine(l, dma.Compose{To: peer, Content: dma.Content{Kind: dma.Text, Text: text}}); err != nil {
		g.trouble(nil, ident.URI{}, "answer to a stranger", err)
	}
}

// agree makes a user of who has agreed, and an account for it.
func (g *Gateway) agree(l *line, u *user, peer ident.Address, name string) {
	refuse := func(text string) { g.stranger(l, peer, notice+text) }
	// Who names a name was told the terms; that may be repeated at once.
	if at, ok := g.strangers[peer]; ok {
		g.strangers[peer] = at - g.limits.TellAgain.Milliseconds()
	}
	other := g.names[name]
	switch {
	case g.cfg.Place == OnDevice && peer != g.cfg.Owner:
		refuse("")
		return
	case !validName(name):
		refuse(fmt.Sprintf("A name has 1 to %d of a to z, 0 to 9 and dashes, such as /agree bob.", maxName))
		return
	case u != nil && u.Name != name:
		refuse("Rooms have known you as " + u.Name + ". To agree again, answer /agree " + u.Name + ".")
		return
	case u == nil && other != nil:
		refuse("Somebody else has that name. Choose another one.")
		return
	case u == nil && len(g.users) >= g.limits.Users:
		refuse("There is no room for more users at present.")
		return
	}
	id, err := mls.NewIdentity(g.cfg.Groups.Suite, nil)
	if err == nil && u == nil {
		u, err = g.newUser(peer, name)
	}
	if err != nil {
		g.trouble(u, ident.URI{}, "new user", err)
		refuse("That did not work. Try again later.")
		return
	}
	u.Private, u.Public = id.Signer.Private, id.Signer.Public
	if u.member, err = member.New(g.memberConfig(u)); err != nil {
		g.trouble(u, ident.URI{}, "new member", err)
		refuse("That did not work. Try again later.")
		return
	}
	if u.keys, err = g.makeKeys(u); err != nil {
		g.trouble(u, ident.URI{}, "KeyPackages", err)
		g.dropMember(u)
		refuse("That did not work. Try again later.")
		return
	}
	u.State = opening
	delete(g.strangers, peer)
	g.put(strangerKey(peer), nil)
	g.saveUser(u)
	g.saveKeys(u)
	g.saveThread(u.threads[0])
	g.openAccount(u)
}

// How many KeyPackages a new client has for others to claim.
const keyPackages = 8

// makeKeys makes the first KeyPackages of a client.
func (g *Gateway) makeKeys(u *user) (list []message.KeyPackage, err error) {
	before := len(g.out.Provider)
	_, err = g.stepMember(u, member.PublishKeyPackages{N: keyPackages, LastResort: true})
	for _, in := range g.out.Provider[before:] {
		if p, ok := in.(follower.Publish); ok {
			list = append(list, p.KeyPackages...)
		}
	}
	g.out.Provider = g.out.Provider[:before]
	return list, err
}

// openAccount asks for the account of a user.
func (g *Gateway) openAccount(u *user) {
	g.out.Accounts = append(g.out.Accounts, Account{User: u.uri, Client: u.client, KeyPackages: slices.Clone(u.keys)})
}

// accountDone takes the answer to an Account.
func (g *Gateway) accountDone(in AccountDone) error {
	u := g.byClient[in.Client]
	if u == nil {
		return fmt.Errorf("gateway: account of %v, which is no client of a user", in.Client)
	}
	if u.State == opening {
		u.keys = nil
		g.put(keysKey(u), nil)
	}
	switch {
	case u.State == opening && in.Err == nil:
		u.State = on
		g.saveUser(u)
		g.event(Agreed{u.addr, u.uri})
		g.say(u.threads[0], dma.Content{Kind: dma.Text, Text: g.cfg.welcome(viaSignal(u.Name))})
	case u.State == opening:
		g.trouble(u, ident.URI{}, "account", in.Err)
		g.tell(u.threads[0], "", "The name could not be had. Agree again, or ask "+g.cfg.Operator+".")
		g.dropMember(u)
		u.State = off
		g.saveUser(u)
	case u.State == closing && in.Err != nil:
		g.trouble(u, ident.URI{}, "removal of the account", in.Err) // asked again by Resume
	case u.State == closing:
		u.State = off
		g.saveUser(u)
		g.event(Ended{u.addr, u.uri})
		g.tell(u.threads[0], "", "You take part no more: nothing passes in either direction.")
	}
	return nil
}

// stop ends it: nothing passes from now on, the rooms are left, and then the account
// goes.
func (g *Gateway) stop(u *user) {
	if u.State != on {
		g.tell(u.threads[0], "", "You are leaving.")
		return
	}
	u.State, u.Invites = leaving, nil
	g.saveUser(u)
	for _, no := range sortedKeys(u.threads) {
		if t := u.threads[no]; t.State == open {
			g.leave(t)
		}
	}
	g.settleLeaving(u)
}

// settleLeaving removes the account of a user who has left all rooms.
func (g *Gateway) settleLeaving(u *user) {
	if u.State != leaving {
		return
	}
	for _, t := range u.threads {
		if t.State == open || t.State == goes {
			return
		}
	}
	g.dropMember(u)
	u.State = closing
	g.saveUser(u)
	g.out.Accounts = append(g.out.Accounts, Account{User: u.uri, Client: u.client, Remove: true})
}

// dropMember forgets a user's member and all its keys.
func (g *Gateway) dropMember(u *user) {
	for _, k := range sortedKeys(u.records) {
		g.put(memberKey(u, k), nil)
	}
	clear(u.records)
	clear(u.skipped)
	u.member, u.Private, u.Public = nil, nil, nil
	delete(g.behind, u)
}
