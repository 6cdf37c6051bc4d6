package mls

import (
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// TestMergeOfTheEmbedded merges a Commit into the PublicGroup that a member's Group
// embeds, however the member came to it: that is refused and changes nothing, and the
// member merges the Commit as if nothing had been tried.
func TestMergeOfTheEmbedded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		member func(x *scene) *Group
	}{
		{"who made the group", func(x *scene) *Group { return x.groups["0"] }},
		{"who joined by a Welcome", func(x *scene) *Group { return x.groups["2"] }},
		{"who joined by an external Commit", func(x *scene) *Group {
			info, err := x.in.GroupInfo(GroupInfoOptions{External: true})
			if err != nil {
				x.t.Fatal(err)
			}
			e, err := JoinExternal(x.cfg, now, x.identity("10"), info, ExternalOptions{})
			if err != nil {
				x.t.Fatal(err)
			}
			staged, err := x.in.Process(now, e.Message)
			if err != nil {
				x.t.Fatal(err)
			}
			if err := x.in.Merge(staged.(*Staged)); err != nil {
				x.t.Fatal(err)
			}
			return e.Join()
		}},
		{"who was restored", func(x *scene) *Group {
			g, err := Restore(x.cfg, x.groups["2"].State())
			if err != nil {
				x.t.Fatal(err)
			}
			return g
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newScene(t, new(row))
			g := c.member(x)
			sent := forge(t, x.in, forgery{})
			m, err := message.Parse(sent, nil)
			if err != nil {
				t.Fatal(err)
			}
			byTracker, err := g.Stage(now, m.Public)
			if err != nil {
				t.Fatal(err)
			}
			byMember, err := g.Process(now, sent)
			if err != nil {
				t.Fatal(err)
			}
			before := fingerprint(g)
			for _, e := range []Event{byTracker, byMember} {
				err := g.PublicGroup.Merge(e.(*Staged))
				if err == nil || !strings.Contains(err.Error(), "which Group.Merge changes") {
					t.Errorf("error %v, want one that names Group.Merge", err)
				}
			}
			if fingerprint(g) != before {
				t.Fatal("the group has changed")
			}
			if err := g.Merge(byMember.(*Staged)); err != nil {
				t.Fatal(err)
			}
		})
	}
}
