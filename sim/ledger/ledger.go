// Package ledger counts what each party of a simulated world learns about its
// users: who they are, who writes to whom, when, from which address and how much.
//
// The question comes from the debate on DMA Article 7: a gatekeeper sees less if a
// partner puts a proxy in between, and the proxy then sees what the gatekeeper
// sees (Meta's engineering post of 6 March 2024 argues so against proxies;
// matrix.org's post of 16 September 2024 objects to handing client IP addresses to
// the gatekeeper). A [Ledger] turns the argument into numbers: for each role and
// kind of fact, how many facts it came to know, and which share of the truth that
// is.
//
// The ledger takes down what it is told; that a party is told only what its
// position shows it is the world's duty. It knows nothing of inference: a party
// that could guess a contact from timing has not learned it here.
package ledger

import "fmt"

// Role is a kind of party.
type Role uint8

// The roles. A network observer sees the encrypted connections of all devices, as
// a provider of internet access does. A gateway's server is one that translates between
// two end-to-end encryptions (package groups/gateway).
const (
	Gatekeeper Role = iota
	PartnerServer
	Proxy
	Network
	Hub
	Follower
	GatewayServer
	roles
)

// Roles lists the roles of a world without rooms, RoomRoles those of one in which a
// gateway connects rooms of MIMI to a gatekeeper.
var (
	Roles     = []Role{Gatekeeper, PartnerServer, Proxy, Network}
	RoomRoles = []Role{Gatekeeper, GatewayServer, Proxy, Follower, Hub}
)

var roleNames = [...]string{"gatekeeper", "partner server", "proxy", "network", "hub", "follower", "gateway"}

// String returns the role's name.
func (r Role) String() string {
	if r >= roles {
		return fmt.Sprintf("Role(%d)", uint8(r))
	}
	return roleNames[r]
}

// Fact is a kind of fact.
type Fact uint8

// The kinds of facts.
const (
	Identity  Fact = iota // that a user exists, by name
	Contact               // that one user writes to another
	Timestamp             // when a message was sent
	Address               // the IP address a device connects from
	Size                  // how large a message is, to within its framing
	Content               // what a message says
	Alias                 // that two names are of one user
	facts
)

// Facts lists what metadata tells; RoomFacts what there is to know of a room with a
// gateway.
var (
	Facts     = []Fact{Identity, Contact, Timestamp, Address, Size}
	RoomFacts = []Fact{Content, Size, Timestamp, Contact, Identity, Alias}
)

var factNames = [...]string{"identities", "contacts", "timestamps", "addresses", "sizes", "contents", "aliases"}

// String returns the name of the kind, in the plural.
func (f Fact) String() string {
	if f >= facts {
		return fmt.Sprintf("Fact(%d)", uint8(f))
	}
	return factNames[f]
}

// Ledger holds the facts of one run, apart for each route (such as "direct" and
// "proxied"). The zero value is ready to use; a nil Ledger takes nothing down.
type Ledger struct {
	routes map[string]*book
}

type book struct {
	truth   [facts]map[string]bool
	learned [roles][facts]map[string]bool
}

func (l *Ledger) book(route string) *book {
	b := l.routes[route]
	if b == nil {
		if l.routes == nil {
			l.routes = make(map[string]*book)
		}
		b = new(book)
		l.routes[route] = b
	}
	return b
}

// True says that a fact holds. The key tells facts of one kind apart.
func (l *Ledger) True(route string, f Fact, key string) {
	if l != nil {
		note(&l.book(route).truth[f], key)
	}
}

// Learn says that a party of the role came to know a fact.
func (l *Ledger) Learn(route string, r Role, f Fact, key string) {
	if l != nil {
		note(&l.book(route).learned[r][f], key)
	}
}

func note(set *map[string]bool, key string) {
	if *set == nil {
		*set = make(map[string]bool)
	}
	(*set)[key] = true
}

// Share is how much of the truth a role knows.
type Share struct {
	Known int // true facts that it learned
	Truth int // true facts
}

// Ratio returns the share as a number from 0 to 1, and whether there is a truth to
// know.
func (s Share) Ratio() (float64, bool) {
	if s.Truth == 0 {
		return 0, false
	}
	return float64(s.Known) / float64(s.Truth), true
}

// Share returns how much a role knows of a kind of fact about the users of a
// route.
func (l *Ledger) Share(route string, r Role, f Fact) Share {
	if l == nil || l.routes[route] == nil {
		return Share{}
	}
	b := l.routes[route]
	s := Share{Truth: len(b.truth[f])}
	for key := range b.learned[r][f] {
		if b.truth[f][key] {
			s.Known++
		}
	}
	return s
}
