package check

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// Gatekeeper is what the checker plays.
type Gatekeeper struct {
	Audience    string          // what the partner's tokens say in aud
	Certificate tls.Certificate // of the enlistment server, for 127.0.0.1 too
	Roots       *x509.CertPool  // who has signed it
	Static      suite.KeyPair   // of the chat channel
	Dialect     noise.Dialect
	HTTPS, Chat net.Listener // where the partner's device connects
}

// Config says what is checked and by whom. It is not modified.
type Config struct {
	// Base is the URL of the partner's server, and Issuer what its tokens say in iss; ""
	// means the same.
	Base, Issuer string
	// Media is its {3p_base_url}, below which it hosts what its users send; "" means Base
	// and partner.MediaPath.
	Media string
	Roots *x509.CertPool // who signs its certificate; nil means the system's
	// Dial makes connections to it in place of the network; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Gatekeeper Gatekeeper
	Adapter    protocols.Adapter // of the end-to-end encryption
	Suite      suite.Suite
	// Numbers are those of the checker's two users: the first lets the partner's user
	// write, the second does once it is pinged. "" means numbers of its own.
	Numbers [2]string

	// Ask asks the partner's user to do something. It must not block.
	Ask func(Ask)
	// Wait is how long that is waited for; default 2 min. Timeout is how long the
	// implementation has for what it does by itself; default 10 s. KeepAlive is within what
	// time it says that it is there; default 32 s.
	Wait, Timeout, KeepAlive time.Duration
	// Progress is told which milestone is being checked; nil tells nobody.
	Progress func(milestone string, done, total int)
}

// Ask is what the partner's user is asked to do.
type Ask struct {
	Step Step
	Text string // for people
	// Number is the user of the checker's that it is about, and Message the ID of a message,
	// or empty.
	Number, Message string
}

// Step is what is asked for.
type Step string

// The steps, in the order in which they are asked for.
const (
	Enlist  Step = "enlist"  // enlist a user, and connect the device
	Send    Step = "send"    // send a text to the number
	Read    Step = "read"    // read what has come from it
	React   Step = "react"   // react to the message
	Revoke  Step = "revoke"  // take the reaction back
	Reply   Step = "reply"   // reply to the message
	Photo   Step = "photo"   // send a photo to the number
	Type    Step = "type"    // begin to write to the number, and send nothing
	Leave   Step = "leave"   // disconnect
	Return  Step = "return"  // connect again
	Ping    Step = "ping"    // ask the number to be allowed to write
	Block   Step = "block"   // block the number
	Unblock Step = "unblock" // unblock it
	Delete  Step = "delete"  // delete the account
	Again   Step = "again"   // enlist the same user again, and connect
)

// complete returns the configuration with its defaults.
func (c Config) complete() (Config, error) {
	c.Issuer = cmp.Or(c.Issuer, c.Base)
	c.Media = cmp.Or(c.Media, strings.TrimSuffix(c.Base, "/")+partner.MediaPath)
	c.Wait = cmp.Or(c.Wait, 2*time.Minute)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.KeepAlive = cmp.Or(c.KeepAlive, 32*time.Second)
	for i, n := range []string{"4915100000001", "4915100000002"} {
		c.Numbers[i] = cmp.Or(c.Numbers[i], n)
	}
	if c.Progress == nil {
		c.Progress = func(string, int, int) {}
	}
	switch g := &c.Gatekeeper; {
	case c.Base == "" || c.Ask == nil:
		return c, errors.New("check: config: no partner, or nobody to ask")
	case c.Adapter == nil || c.Suite == nil:
		return c, errors.New("check: config: no end-to-end encryption")
	case g.HTTPS == nil || g.Chat == nil || g.Audience == "":
		return c, errors.New("check: config: the gatekeeper has no listeners or no name")
	case min(c.Wait, c.Timeout, c.KeepAlive) < 0:
		return c, errors.New("check: config: a time is negative")
	case c.Numbers[0] == c.Numbers[1]:
		return c, fmt.Errorf("check: config: number %s twice", c.Numbers[0])
	}
	return c, nil
}

// Report is what a run found.
type Report struct {
	Against string           `json:"against"` // what is checked against
	Checked string           `json:"checked"` // who
	Checks  []verdict.Result `json:"checks"`  // all there are, in their order
	verdict.Tally
	Seconds float64 `json:"seconds"`
}

// Against is what is checked against.
const Against = "WhatsApp's Reference Offer 1.0.3, public clients, and assumptions"

// Find returns the result of a check.
func (r *Report) Find(id string) (verdict.Result, bool) {
	for _, c := range r.Checks {
		if c.ID == id {
			return c, true
		}
	}
	return verdict.Result{}, false
}

// Milestone counts the checks of one: those that passed, those that failed, and all.
func (r *Report) Milestone(name string) (passed, failed, all int) {
	for i := range r.Checks {
		c := &r.Checks[i]
		if c.Group() != name {
			continue
		}
		all++
		switch c.Verdict {
		case verdict.Pass:
			passed++
		case verdict.Fail:
			failed++
		}
	}
	return passed, failed, all
}
