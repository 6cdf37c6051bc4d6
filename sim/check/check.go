// Package check judges a simulation run: a [Checker] is told what users did and
// saw, by the world and not by the machines under test, and finds what must not
// be.
//
// The invariants are those that users of interoperable messaging rely on (DMA
// Article 7(3): the level of security must be preserved) and that the machines of
// protocols/dma promise:
//
//	durability       what the gatekeeper acknowledged is shown to its recipient,
//	                 unless it expired or consent or agreement ended
//	duplicates       nothing is shown to a user twice
//	order            within a conversation, one user's messages are shown in the
//	                 order of writing, but for those that had to be sealed anew
//	                 and those that left the mailbox while a copy was under way
//	confidentiality  no plaintext in bytes that anyone but the endpoints holds
//	consent          no message of a partner's user is shown to a native user who
//	                 had not agreed to it
//
// Everything here is exact: a violation is a fact, not a suspicion. What the
// checker can't see it does not judge; a run that ends before its messages had
// the time to arrive must say so by not calling [Checker.End].
package check

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Name is the name of an invariant.
type Name string

// The invariants.
const (
	Durability      Name = "durability"
	Duplicates      Name = "duplicates"
	Order           Name = "order"
	Confidentiality Name = "confidentiality"
	Consent         Name = "consent"
)

// Names lists all invariants.
var Names = []Name{Durability, Duplicates, Order, Confidentiality, Consent}

// Violation is a broken invariant.
type Violation struct {
	Check   Name     `json:"check"`
	At      des.Time `json:"at_ns"`
	Message string   `json:"message,omitempty"` // ID, if one is concerned
	Detail  string   `json:"detail"`
}

// String returns the violation in one line.
func (v Violation) String() string {
	s := fmt.Sprintf("%s at %v: %s", v.Check, v.At, v.Detail)
	if v.Message != "" {
		s += " (message " + v.Message + ")"
	}
	return s
}

// MaxViolations is how many violations of one run are kept; the others are
// counted.
const MaxViolations = 20

// Checker watches one run. The zero value is not usable: [New] is the way in. It
// is not safe for concurrent use.
type Checker struct {
	on       map[Name]bool
	messages map[string]message // written and not shown yet
	pairs    map[pair]*conversation
	consents map[pair][]consent
	secret   []byte
	found    []Violation
	count    int
}

// pair is an ordered pair of users: who writes to whom, or who agrees to hear from
// whom. Users are named as the world likes.
type pair struct{ a, b string }

type message struct {
	conv   *conversation
	number int32 // position within the conversation
	is     state
}

// state is a set of things that happened to a message.
type state uint8

const (
	accepted state = 1 << iota
	excused        // dropped for a reason that is not a loss
	retried
)

type conversation struct {
	pair
	written int32
	shown   int32 // number of the last message shown that was not retried, plus 1
}

type consent struct {
	from  des.Time
	given bool
}

// New returns a checker of the given invariants. Secret is a byte string that
// stands in every plaintext and, by chance, nowhere else.
func New(names []Name, secret []byte) *Checker {
	c := &Checker{
		on: make(map[Name]bool), messages: make(map[string]message),
		pairs: make(map[pair]*conversation), consents: make(map[pair][]consent), secret: secret,
	}
	for _, n := range names {
		c.on[n] = true
	}
	return c
}

// Checks reports whether an invariant is checked.
func (c *Checker) Checks(n Name) bool { return c.on[n] }

// Written says that from wrote a message to to.
func (c *Checker) Written(id, from, to string) {
	p := pair{from, to}
	conv := c.pairs[p]
	if conv == nil {
		conv = &conversation{pair: p}
		c.pairs[p] = conv
	}
	c.messages[id] = message{conv: conv, number: conv.written}
	conv.written++
}

// Accepted says that the sender was told that its message is durable.
func (c *Checker) Accepted(id string) { c.mark(id, accepted) }

// Retried says that a message is sealed anew because it could not be decrypted.
func (c *Checker) Retried(id string) { c.mark(id, retried) }

// Excused says that a message will not arrive for a reason its sender has to live
// with: it expired, or consent or agreement ended.
func (c *Checker) Excused(id string) { c.mark(id, excused) }

func (c *Checker) mark(id string, s state) {
	if m, ok := c.messages[id]; ok {
		m.is |= s
		c.messages[id] = m
	}
}

// Consents says that native agrees, or no longer agrees, to hear from partner.
func (c *Checker) Consents(at des.Time, native, partner string, given bool) {
	p := pair{native, partner}
	c.consents[p] = append(c.consents[p], consent{at, given})
}

// Delivered says that a message was shown to its recipient. needsConsent says that
// a partner's user wrote to a native one; handedOut is when the gatekeeper sent it.
func (c *Checker) Delivered(at des.Time, id, from, to string, needsConsent bool, handedOut des.Time) {
	m, known := c.messages[id]
	if !known || m.conv.pair != (pair{from, to}) {
		c.fail(Duplicates, at, id, "%s is shown a message of %s that was shown before or that nobody wrote", to, from)
		return
	}
	delete(c.messages, id)
	if m.is&(retried|excused) == 0 {
		if m.number < m.conv.shown {
			c.fail(Order, at, id, "%s is shown message %d of %s after message %d", to, m.number+1, from, m.conv.shown)
		}
		m.conv.shown = max(m.conv.shown, m.number+1)
	}
	if needsConsent && !c.agreed(pair{to, from}, handedOut) {
		c.fail(Consent, at, id, "%s is reached by %s without having agreed", to, from)
	}
}

// agreed reports whether consent was given at the time.
func (c *Checker) agreed(p pair, at des.Time) bool {
	given := false
	for _, x := range c.consents[p] {
		if x.from > at {
			break
		}
		given = x.given
	}
	return given
}

// Observed looks at bytes that somebody other than the two endpoints holds.
func (c *Checker) Observed(at des.Time, by string, b []byte) {
	if c.on[Confidentiality] && bytes.Contains(b, c.secret) {
		c.fail(Confidentiality, at, "", "%s can read plaintext in %d bytes", by, len(b))
	}
}

// End says that everything under way had the time to arrive.
func (c *Checker) End(at des.Time) {
	if !c.on[Durability] {
		return
	}
	var lost []string
	for id, m := range c.messages {
		if m.is&accepted != 0 && m.is&excused == 0 {
			lost = append(lost, id)
		}
	}
	slices.Sort(lost)
	for _, id := range lost {
		p := c.messages[id].conv.pair
		c.fail(Durability, at, id, "the message of %s to %s was acknowledged and never shown", p.a, p.b)
	}
}

func (c *Checker) fail(n Name, at des.Time, id, format string, args ...any) {
	if !c.on[n] {
		return
	}
	c.count++
	if len(c.found) < MaxViolations {
		c.found = append(c.found, Violation{Check: n, At: at, Message: id, Detail: fmt.Sprintf(format, args...)})
	}
}

// Violations returns what was found, at most [MaxViolations], and how many there
// were in all.
func (c *Checker) Violations() ([]Violation, int) { return c.found, c.count }
