package conformance

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// pskCase is one of psk_secret.json.
type pskCase struct {
	suited
	PSKs []struct {
		ID    octets `json:"psk_id"`
		PSK   octets `json:"psk"`
		Nonce octets `json:"psk_nonce"`
	} `json:"psks"`
	Secret octets `json:"psk_secret"`
}

func checkPSK(c *checker, s suite.Suite, v *pskCase) {
	var psks []schedule.PSK
	for _, p := range v.PSKs {
		id := message.PreSharedKeyID{Type: message.PSKExternal, ID: p.ID, Nonce: p.Nonce}
		psks = append(psks, schedule.PSK{ID: id, Secret: p.PSK})
	}
	if secret, err := schedule.PSKSecret(s, psks); c.ok("psks", err) {
		c.equal("psk_secret", secret, v.Secret)
	}
}
