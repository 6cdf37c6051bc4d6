package gateway

import (
	"fmt"
	"strings"
)

// Command is something that a user writes to the gateway itself.
type Command struct {
	Name string // without the slash
	Use  string // as a user writes it
	Help string
	Desk bool // at the desk; else in a room's chat
}

// Commands are all commands. What begins with a slash in a chat with a line is a
// command; two slashes begin a text that begins with one.
var Commands = []Command{
	{"agree", "/agree NAME", "take part, under the terms above, as NAME: a to z, 0 to 9 and dashes", true},
	{"rooms", "/rooms", "which chat is which room", true},
	{"accept", "/accept N", "accept invitation N", true},
	{"decline", "/decline N", "decline invitation N", true},
	{"stop", "/stop", "leave all rooms and end it", true},
	{"help", "/help", "this list", true},
	{"who", "/who", "who is in the room", false},
	{"leave", "/leave", "leave the room", false},
	{"edit", "/edit TEXT", "as an answer to a message of yours: change it", false},
	{"delete", "/delete", "as an answer to a message of yours: take it back", false},
	{"help", "/help", "this list", false},
}

// parseCommand takes a text apart: a command with its argument, or a text for the
// room.
func parseCommand(s string) (name, arg, text string) {
	rest, slash := strings.CutPrefix(s, "/")
	switch {
	case !slash:
		return "", "", s
	case strings.HasPrefix(rest, "/"):
		return "", "", rest
	}
	name, arg, _ = strings.Cut(rest, " ")
	if head, tail, ok := strings.Cut(name, "\n"); ok {
		name, arg = head, tail+" "+arg
	}
	return strings.ToLower(name), strings.TrimSpace(arg), ""
}

// help lists the commands of the desk or of a room's chat.
func help(desk bool) string {
	var b strings.Builder
	b.WriteString("Commands:")
	for _, c := range Commands {
		if c.Desk == desk {
			fmt.Fprintf(&b, "\n%s: %s", c.Use, c.Help)
		}
	}
	if !desk {
		b.WriteString("\nAll else goes to the room; // begins a text that begins with a slash.")
	}
	return b.String()
}

// maxName bounds the name of a user in bytes.
const maxName = 32

// validName reports whether a user may be called so.
func validName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
