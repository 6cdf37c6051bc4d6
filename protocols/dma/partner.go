package dma

import (
	"fmt"
	"time"
)

// Partner is a partner's server as far as messages need it: it takes the
// gatekeeper's pushes and wakes its users' devices, and hosts the ciphertext of
// the media that its users send.
type Partner struct {
	users map[string]bool
	media Media
	out   Output
}

// Inputs of a [Partner].
type (
	// Join makes a user known by the user-visible identifier.
	Join struct{ Visible string }
	// PushRequest: the gatekeeper POSTed {"to": To} to {base}/push.
	PushRequest struct{ To string }
)

func (Join) input()        {}
func (PushRequest) input() {}

// NewPartner returns a partner server without users.
func NewPartner() *Partner { return &Partner{users: make(map[string]bool)} }

// Media returns the store of the media that the partner's users sent.
func (p *Partner) Media() *Media { return &p.media }

// Step takes one input at a time. The output is valid until the next Step:
// Output.Wakes names the users whose devices are to be woken.
func (p *Partner) Step(now time.Time, in Input) (Output, error) {
	p.out.reset()
	switch in := in.(type) {
	case Join:
		if in.Visible == "" || p.users[in.Visible] {
			return Output{}, fmt.Errorf("dma: partner: user %q is empty or known already", in.Visible)
		}
		p.users[in.Visible] = true
	case PushRequest:
		if !p.users[in.To] {
			return Output{}, fmt.Errorf("dma: partner: push for unknown user %q", in.To)
		}
		p.out.Wakes = append(p.out.Wakes, in.To)
	case Wake:
	default:
		return Output{}, fmt.Errorf("dma: partner: input %T, want one of a partner's", in)
	}
	return p.out, nil
}
