package gateway

import (
	"fmt"
	"strings"
)

// notice is how everything begins that the gateway itself says, in chats and rooms.
// Nothing that others write does: in chats their names stand before it, and in rooms see
// plain.
const notice = "[gateway] "

// lossy is what the terms say of what is lost each time.
const lossy = "Formatting, topics, previews, typing and read receipts do not pass."

// terms is what a user has to agree to.
func (c *Config) terms() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%sThis is a gateway of %s to rooms of MIMI. ", notice, c.Operator)
	if c.Place == OnDevice {
		b.WriteString("It runs on your own device: no server can read your messages. ")
	} else {
		fmt.Fprintf(&b, "YOUR MESSAGES ARE NOT END-TO-END ENCRYPTED: %s can read every message that you send to a room or get from one. ", c.Operator)
	}
	b.WriteString("The others in a room are told so. " + lossy + "\nTo agree, answer /agree NAME, with the name by which rooms will know you. /stop ends it at any time.")
	return b.String()
}

// warning is what the members of a room are told.
func (c *Config) warning() string {
	if c.Place == OnDevice {
		return notice + "I take part with Signal, through a gateway on my own device. " +
			"No server reads this room by it; the gatekeeper of my Signal app passes on ciphertext of Signal."
	}
	return notice + fmt.Sprintf("WARNING: I take part with Signal, through a gateway of %s, WHICH READS EVERY MESSAGE OF THIS ROOM as long as I am in it. "+
		"There is no end-to-end encryption between us.", c.Operator)
}

// welcome is what a user is told who has agreed.
func (c *Config) welcome(name string) string {
	return fmt.Sprintf("%sRooms know you as %s. Who invites you invites mimi://%s/u/%s.\n%s", notice, name, c.Domain, name, help(true))
}

// viaSignal makes a user's name that says that it is bridged.
func viaSignal(name string) string { return name + "-via-signal" }

// client is the last part of the URI of a user's client.
func (p Place) client() string {
	if p == OnDevice {
		return "own-device"
	}
	return "gateway"
}
