// Package peer runs mimi-lab's stanza codec and chat channel against those of
// go.mau.fi/whatsmeow (https://github.com/tulir/whatsmeow), a public client of WhatsApp.
// It has tests alone:
//
//	go test .
//
// README.md lists what can't match, and with which test that is held.
package peer
