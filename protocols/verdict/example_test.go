package verdict_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// The worst of several verdicts on a rule counts, and what was not reached is skipped.
func Example() {
	s := verdict.New([]verdict.Check{
		{ID: "push.token", Section: "RO push", Sent: "a push without a token", Want: "401"},
		{ID: "push.empty", Section: "RO push", Sent: "a push", Want: "an empty 200"},
		{ID: "push.http2", Section: "RO servers", Sent: "a push over HTTP/2", Want: "an empty 200"},
	})
	s.Note("push.token", verdict.Pass, "status %d", 401)
	s.Note("push.token", verdict.Fail, "status %d", 200)
	s.Note("push.empty", verdict.Pass, "an empty 200")
	results, tally := s.Seal("the server went away")
	for _, r := range results {
		fmt.Println(r.Verdict, r.ID+":", r.Seen)
	}
	fmt.Printf("%+v\n", tally)
	// Output:
	// fail push.token: status 200
	// pass push.empty: an empty 200
	// skip push.http2: the server went away
	// {Pass:1 Warn:0 Fail:1 Skip:1}
}
