package rooms

import (
	"flag"
	"testing"
)

var commits = flag.Int("commits", 12, "commits in it")
var perUser = flag.Int("devices", 5, "devices of each of their users")
var members = flag.Int("members", 60, "members of the large room")

// TestCrowd fills a room, changes it and holds it to all checks.
func TestCrowd(t *testing.T) {
	res, err := Crowd{Seed: 1, Members: *members, Providers: 20, Devices: *perUser, Commits: *commits}.Run()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range res.Violations {
		t.Error(v)
	}
	t.Logf("%+v", *res)
}
