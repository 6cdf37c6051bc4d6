package enlist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// Reason is why a gatekeeper refuses an enlistment, as its answer has it.
type Reason string

// The reason that the Reference Offer shows.
const BadIntegrator Reason = "bad_integrator" // no such partner, or none with an agreement

// Reasons that are assumed. That these checks are made is in the Reference Offer.
const (
	BadParam      Reason = "bad_param"      // a field is missing or of another form
	BadToken      Reason = "bad_token"      // the token is no good proof
	BadIdentifier Reason = "bad_identifier" // the identifier is not the token's
	BadVersion    Reason = "bad_version"    // another version of the protocol
	BadSignature  Reason = "bad_signature"  // the identity key has not signed the signed prekey
	TooMany       Reason = "too_many"       // ask again later
	Internal      Reason = "internal"       // the gatekeeper failed, or nobody knows: ask again later
)

// reasons are those with a meaning here.
var reasons = map[Reason]string{
	BadIntegrator: "no such partner, or one without an agreement",
	BadParam:      "a field is missing or malformed",
	BadToken:      "the token proves nothing",
	BadIdentifier: "the identifier is not the token's",
	BadVersion:    "the gatekeeper speaks another version of the protocol",
	BadSignature:  "the identity key has not signed the signed prekey",
	TooMany:       "too many enlistments at the moment",
	Internal:      "the gatekeeper failed",
}

// Assumed reports whether nothing public has the reason.
func (r Reason) Assumed() bool { return r != BadIntegrator }

// Sentence says what the reason means, "" if it is none of this package.
func (r Reason) Sentence() string { return reasons[r] }

// Error implements error.
func (r Reason) Error() string {
	if s := r.Sentence(); s != "" {
		return fmt.Sprintf("enlist: refused: %s (%s)", string(r), s)
	}
	return fmt.Sprintf("enlist: refused: %s", string(r))
}

// Definite reports whether the user is certainly not enlisted by the request.
func (r Reason) Definite() bool { return r != Internal }

// Answer is what a gatekeeper answers, with status code 200 whatever it is: an account,
// or a reason why there is none.
type Answer struct {
	Login  ident.Address // of a partner's user; zero beside a Reason
	Reason Reason
}

// wireAnswer has its fields in the order of the Reference Offer's samples.
type wireAnswer struct {
	Login  *string `json:"login,omitempty"`
	Reason *string `json:"reason,omitempty"`
	Status string  `json:"status"`
}

// Marshal returns the answer in JSON.
func (a Answer) Marshal() ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	w := wireAnswer{Status: "fail"}
	if a.Reason == "" {
		login := a.Login.String()
		w.Login, w.Status = &login, "ok"
	} else {
		reason := string(a.Reason)
		w.Reason = &reason
	}
	return json.Marshal(w)
}

func (a *Answer) check() error {
	switch {
	case a.Reason != "" && !a.Login.IsZero():
		return fmt.Errorf("enlist: answer: both a login and the reason %q, want one", clip(string(a.Reason)))
	case a.Reason != "":
		return a.Reason.check()
	}
	if err := a.Login.Validate(); err != nil {
		return fmt.Errorf("enlist: answer: login: %w", err)
	}
	if a.Login.Server != ident.Interop || a.Login.Device != 0 {
		return fmt.Errorf("enlist: answer: login %v, want the account of a partner's user", a.Login)
	}
	return nil
}

// check takes reasons that this package does not know, as long as they are words.
func (r Reason) check() error {
	for _, c := range []byte(r) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return fmt.Errorf("enlist: answer: reason %q, want small letters, digits and '_'", clip(string(r)))
		}
	}
	if len(r) > 64 {
		return fmt.Errorf("enlist: answer: reason of %d bytes, want 1 to 64", len(r))
	}
	return nil
}

// ParseAnswer reads an answer. Members that it does not know are skipped.
func ParseAnswer(body []byte) (Answer, error) {
	if len(body) > MaxAnswer {
		return Answer{}, fmt.Errorf("enlist: answer: %d bytes, want at most %d", len(body), MaxAnswer)
	}
	var w wireAnswer
	d := json.NewDecoder(bytes.NewReader(body))
	err := d.Decode(&w)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			err = nil
		} else {
			err = errors.New("bytes behind the value")
		}
	}
	if err != nil {
		return Answer{}, fmt.Errorf("enlist: answer: %w", err)
	}
	a, err := w.answer()
	if err == nil {
		err = a.check()
	}
	if err != nil {
		return Answer{}, err
	}
	return a, nil
}

func (w *wireAnswer) answer() (a Answer, err error) {
	switch {
	case w.Status == "ok" && w.Login != nil && w.Reason == nil:
		if a.Login, err = ident.ParseAddress(*w.Login); err != nil {
			err = fmt.Errorf("enlist: answer: login: %w", err)
		}
		return a, err
	case w.Status == "fail" && w.Reason != nil && *w.Reason != "" && w.Login == nil:
		return Answer{Reason: Reason(*w.Reason)}, nil
	}
	return a, fmt.Errorf("enlist: answer: status %q, want ok with a login or fail with a reason", clip(w.Status))
}
