package dma

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// Inputs of a [Gatekeeper] that make accounts.
type (
	// Register makes an account for a native user; Output.Account is its address.
	Register struct {
		User     string // the user part of the address: a phone number, say
		Eligible bool   // is and remains in the EEA (Reference Offer 7.5.1)
		Device   *EnlistedDevice
	}
	// Enlist makes an account for a partner's user; Output.Account is its address.
	// The caller has verified that the user owns the identifier.
	Enlist struct {
		Integrator uint16
		Visible    string // user-visible identifier
		Device     *EnlistedDevice
	}
)

func (Register) input() {}
func (Enlist) input()   {}

// EnlistedDevice is the one device of a user, as the form of an enlistment has it. A
// simulation that has no chat channels to authenticate leaves it nil.
//
// With it, a user who has an account already gets that one: its device is replaced, the
// connection of the one before ends, and what waits in the mailbox waits for the new one,
// which asks for it anew if it can't be decrypted. That the account stays the same is
// assumed.
type EnlistedDevice struct {
	AuthKey []byte      // the static key of its chat channel, 32 bytes
	Keys    stanza.Keys // in Signal's form; one-time keys come over the chat channel
}

// authKeySize is the size of a static key on the chat channel in bytes.
const authKeySize = 32

// maxVisible bounds a user-visible identifier in bytes.
const maxVisible = 256

// identity is how a partner's user is known before there is an account.
type identity struct {
	integrator uint16
	visible    string
}

// Account is what a shell must know of an account to authenticate its device.
type Account struct {
	Address   ident.Address
	Visible   string // user-visible identifier
	AuthKey   []byte // nil if none was enlisted
	Connected bool
}

// Account returns the account at an address, and whether there is one.
func (g *Gatekeeper) Account(addr ident.Address) (Account, bool) {
	a := g.accounts[addr]
	if a == nil {
		return Account{}, false
	}
	return Account{Address: a.addr, Visible: a.visible, AuthKey: slices.Clone(a.authKey), Connected: a.conn != 0}, true
}

func (g *Gatekeeper) register(in Register) error {
	addr := ident.Address{User: in.User, Server: g.cfg.Native}
	if _, err := ident.ParseAddress(addr.String()); err != nil {
		return fmt.Errorf("dma: register: %w", err)
	}
	if err := g.checkDevice(in.Device); err != nil {
		return fmt.Errorf("dma: register %v: %w", addr, err)
	}
	if a := g.accounts[addr]; a != nil && in.Device != nil {
		return g.replaceDevice(a, in.Device)
	}
	return g.add(&account{addr: addr, visible: in.User, eligible: in.Eligible}, in.Device)
}

func (g *Gatekeeper) enlist(in Enlist) error {
	if !g.agreements[in.Integrator] {
		return fmt.Errorf("dma: enlist %q: %w", in.Visible, stanza.AgreementRevoked)
	}
	if n := len(in.Visible); n < 1 || n > maxVisible {
		return fmt.Errorf("dma: enlist: identifier of %d bytes, want 1 to %d", n, maxVisible)
	}
	if err := g.checkDevice(in.Device); err != nil {
		return fmt.Errorf("dma: enlist %q: %w", in.Visible, err)
	}
	if a := g.enlisted[identity{in.Integrator, in.Visible}]; a != nil && in.Device != nil {
		return g.replaceDevice(a, in.Device)
	}
	addr := ident.Address{User: strconv.FormatUint(g.nextAccount, 10), Server: ident.Interop, Integrator: in.Integrator}
	if err := g.add(&account{addr: addr, visible: in.Visible}, in.Device); err != nil {
		return err
	}
	g.nextAccount++
	return nil
}

// checkDevice refuses a device that no form describes.
func (g *Gatekeeper) checkDevice(d *EnlistedDevice) error {
	if d == nil {
		return nil
	}
	if len(d.AuthKey) != authKeySize {
		return fmt.Errorf("%w: auth key of %d bytes, want %d", protocols.ErrMalformed, len(d.AuthKey), authKeySize)
	}
	form, static, oneTime, err := parseKeys(&d.Keys)
	switch {
	case err != nil:
		return err
	case form != SignalKeys || len(oneTime) > 0:
		return fmt.Errorf("%w: keys of another form or one-time keys, want Signal's reusable ones", protocols.ErrMalformed)
	}
	return g.checkSignature(form, static)
}

func (g *Gatekeeper) add(a *account, d *EnlistedDevice) error {
	if g.accounts[a.addr] != nil {
		return fmt.Errorf("dma: account %v exists already", a.addr)
	}
	g.accounts[a.addr] = a
	g.setDevice(a, d)
	g.out.Account = a.addr
	return nil
}

// replaceDevice gives an account another device.
func (g *Gatekeeper) replaceDevice(a *account, d *EnlistedDevice) error {
	if a.conn != 0 {
		g.out.Sends = append(g.out.Sends, Send{Conn: a.conn, Close: true})
		g.disconnect(a.conn)
	}
	g.setDevice(a, d)
	g.out.Account = a.addr
	return nil
}

// setDevice notes the keys of a device that was checked, and saves the account.
func (g *Gatekeeper) setDevice(a *account, d *EnlistedDevice) {
	if d == nil {
		g.saveAccount(a)
		return
	}
	a.authKey = slices.Clone(d.AuthKey)
	g.index(a)
	if code, err := g.upload(a, &stanza.KeyUpload{Keys: d.Keys}); code != 0 || err != nil {
		panic(fmt.Sprintf("dma: keys of a device that was checked do not go: %v, %v", code, err))
	}
}

// index lets an account with a device be found by the user's identifier.
func (g *Gatekeeper) index(a *account) {
	if a.partner() && a.authKey != nil {
		g.enlisted[identity{a.addr.Integrator, a.visible}] = a
	}
}
