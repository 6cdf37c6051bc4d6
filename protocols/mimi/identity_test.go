package mimi

import (
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

func TestClient(t *testing.T) {
	t.Parallel()
	basic := func(s string) message.Credential { return message.BasicCredential([]byte(s)) }
	for name, row := range map[string]struct {
		credential message.Credential
		user, says string
	}{
		"client of a user": {basic("mimi://a.example/d/alice/ClientA1"), "mimi://a.example/u/alice", ""},
		"encoded":          {basic("mimi://a.example/d/al%20ice/1"), "mimi://a.example/u/al%20ice", ""},
		"client alone":     {basic("mimi://a.example/d/ClientA1"), "", "no URI of a client with its user"},
		"user":             {basic("mimi://a.example/u/alice"), "", "no URI of a client with its user"},
		"no URI":           {basic("alice"), "", "credential: "},
		"X.509":            {message.Credential{Type: message.CredentialX509}, "", "type 2, want basic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, user, err := Client(&row.credential)
			if row.says != "" {
				if err == nil || !strings.Contains(err.Error(), row.says) {
					t.Errorf("got %v, error %v, want one that says %q", user, err, row.says)
				}
				return
			}
			if err != nil || user.String() != row.user || client.String() != string(row.credential.Identity) {
				t.Errorf("got client %v, user %v, error %v, want user %s", client, user, err, row.user)
			}
		})
	}
}
