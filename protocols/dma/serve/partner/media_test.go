package partner

import (
	"net/http/httptest"
	"testing"
)

// TestUser: a request is a user's if it has that user's credential.
func TestUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	credential, err := w.s.Join(t.Context(), "bob@partner.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, user, credential string
		ok                     bool
	}{
		{"the user's", "bob@partner.example", credential, true},
		{"another's", "carol@partner.example", credential, false},
		{"another one", "bob@partner.example", credential + "x", false},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		c := &Client{User: tt.user, Credential: tt.credential}
		if err := c.Authorize(r); err != nil {
			t.Fatal(err)
		}
		user, err := w.s.User(r)
		if (err == nil) != tt.ok || tt.ok && user != tt.user {
			t.Errorf("%s: got %q, %v, want %t", tt.name, user, err, tt.ok)
		}
	}
	r := httptest.NewRequest("POST", "/", nil)
	if (&Client{User: "bob@partner.example"}).Authorize(r) == nil {
		t.Error("no credential is taken for one")
	}
	if user, err := w.s.User(r); err == nil {
		t.Errorf("nobody is %q", user)
	}
}
