package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// TestStubborn checks providers that give one answer to everything, and says what of
// that passes: nothing that the answer does not show.
func TestStubborn(t *testing.T) {
	t.Parallel()
	// What has to be refused, whatever else is.
	refused := "proxyDownload.path "
	for i := range mimi.Endpoints {
		if e := &mimi.Endpoints[i]; e.Method == "POST" {
			refused += fmt.Sprintf("%[1]s.malformed %[1]s.path %[1]s.endless ", e.Name)
		}
	}
	refused += `update.unknown-room submitMessage.unknown-room groupInfo.unknown-room reportAbuse.unknown-room keyMaterial.protocol notify.other-hub
		requestConsent.operation requestConsent.requester requestConsent.target updateConsent.operation updateConsent.target `
	for _, tt := range []struct {
		canned
		passes string
	}{
		{canned{200, ""}, `requestConsent.unknown`},
		{canned{201, ""}, `requestConsent.request requestConsent.repeated requestConsent.cancel requestConsent.cancel-none requestConsent.unknown
			updateConsent.grant updateConsent.revoke`},
		{canned{403, "no"}, refused},
		{canned{404, "nothing"}, refused + `requestConsent.unknown`},
		{canned{500, "oh"}, ``},
	} {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			t.Parallel()
			r := newRun(t, tt.canned)
			d, err := mimi.NewDirectory("https://a.example")
			if err != nil {
				t.Fatal(err)
			}
			r.directory = d
			for _, u := range []struct {
				to *ident.URI
				is string
			}{{&r.cfg.User, "u/bob"}, {&r.cfg.Refusing, "u/rufus"}, {&r.cfg.Room, "r/clubhouse"}} {
				if *u.to, err = ident.ParseURI("mimi://a.example/" + u.is); err != nil {
					t.Fatal(err)
				}
			}
			r.cfg.Query = &mimi.QueryElement{SearchType: mimi.SearchNick, SearchValue: "bob"}
			r.cfg.Asset = "https://assets.a.example/asset"
			ctx := context.Background()
			for _, stage := range []func(context.Context){
				r.checkBodies, r.checkIdentifierQuery, r.checkConsent, r.checkKeyMaterial, r.checkFollower, r.checkRoom, r.checkDownload, r.checkOblivious,
			} {
				stage(ctx)
			}
			var passed []string
			for _, c := range r.report(0).Checks {
				if c.Verdict == Pass {
					passed = append(passed, c.ID)
				}
			}
			slices.Sort(passed)
			want := strings.Fields(tt.passes)
			slices.Sort(want)
			if !slices.Equal(passed, want) {
				t.Errorf("passed:\n%q\nwant\n%q", passed, want)
			}
		})
	}
}
