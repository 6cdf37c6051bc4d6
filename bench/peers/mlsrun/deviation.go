package mlsrun

import (
	"slices"
	"strings"
)

// Failure says at which call a game ended.
type Failure struct {
	Call string `json:"call"` // as the interface names it
	Peer string `json:"peer"` // that was called
	// Maker is the peer whose Commit or Welcome the call was about, where one was.
	Maker string `json:"maker,omitempty"`
	// Status is the name of the call's gRPC status. It is OK where there was an
	// answer, but another one than from the others.
	Status string `json:"status"`
}

// Role is what an implementation did in a call that failed.
type Role string

const (
	Called Role = "called" // it refused, or answered otherwise than the others
	Maker  Role = "maker"  // another, or itself, refused what it had made
)

// Deviation is a known departure of one release of an implementation from RFC
// 9420, or a part of it that the release does not have. A game that fails so is
// [Known]. It ends there, so nothing is known of what would have come after it.
//
// A deviation is told by what stays the same from run to run, never by the words of
// an error.
type Deviation struct {
	// Peer is the name and the version that the implementation gives. What follows
	// after a space, such as its cryptographic provider, is not looked at.
	Peer     string   `json:"peer"`
	Scenario string   `json:"scenario"`
	Part     string   `json:"part"`
	Role     Role     `json:"role"`
	Calls    []string `json:"calls"`  // any of which may fail
	Status   string   `json:"status"` // as in [Failure]
	Reason   string   `json:"reason"` // what Peer does, in a sentence that goes on after its name
}

// Deviations returns what is known, in the order of the scenarios.
func Deviations() []Deviation {
	return []Deviation{
		{
			Peer: "OpenMLS 0.9.2", Scenario: "commit", Part: "external psk",
			Role: Maker, Calls: []string{"HandleCommit"}, Status: "Aborted",
			Reason: "derives another psk_secret than RFC 9420, Section 8.4, from several PSKs in one Commit that it makes; " +
				"not even another OpenMLS can follow",
		},
		{
			Peer: "OpenMLS 0.9.2", Scenario: "commit", Part: "resumption psk",
			Role: Called, Calls: []string{"ResumptionPSKProposal"}, Status: "Aborted",
			Reason: "makes no PreSharedKey proposal of a resumption PSK (RFC 9420, Section 8.6)",
		},
		{
			Peer: "OpenMLS 0.9.2", Scenario: "external_proposals", Part: "psk",
			Role: Called, Calls: []string{"Commit", "HandleCommit"}, Status: "Aborted",
			Reason: "takes no PreSharedKey proposal of an external sender, which RFC 9420, Section 12.1.8, allows",
		},
		{
			Peer: "mls-rs 0.57.0", Scenario: "branch", Part: "with extensions, tree beside",
			Role: Called, Calls: []string{"HandleBranch"}, Status: "Aborted",
			Reason: "joins no branch whose extensions are not those of its group, which is none of the checks of RFC 9420, Section 11.3",
		},
	}
}

// of reports whether the deviation is one of the peer of that name.
func (d *Deviation) of(peer string) bool {
	return peer == d.Peer || strings.HasPrefix(peer, d.Peer+" ")
}

// explains reports whether the game failed in the way of the deviation.
func (d *Deviation) explains(g *Game) bool {
	f := g.Failure
	if f == nil || g.Scenario != d.Scenario || g.Part != d.Part || f.Status != d.Status || !slices.Contains(d.Calls, f.Call) {
		return false
	}
	if d.Role == Maker {
		return d.of(f.Maker)
	}
	return d.of(f.Peer)
}

// contradicts reports whether the game shows that the deviation is no more: the
// implementation played and the game passed.
func (d *Deviation) contradicts(g *Game) bool {
	return g.Outcome == Passed && g.Scenario == d.Scenario && g.Part == d.Part && slices.ContainsFunc(g.Peers, d.of)
}

// judge tells known failures from new ones and finds the deviations that games
// contradict.
func (r *Report) judge(known []Deviation) {
	for _, d := range known {
		seen, gone := false, false
		for i := range r.Games {
			g := &r.Games[i]
			gone = gone || d.contradicts(g)
			if d.explains(g) {
				seen = true
				g.Outcome, g.Reason = Known, d.Peer+" "+d.Reason
			}
		}
		if gone && !seen {
			r.Stale = append(r.Stale, d)
		}
	}
}
