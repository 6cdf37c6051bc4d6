package mlsrun

// Scenario is a conversation in one or more parts, each of which begins anew.
type Scenario struct {
	Name  string // as the working group's configurations are called
	About string
	parts []namedPart
}

type namedPart struct {
	name string
	play func(*table)
}

// Scenarios returns all, in the order in which they are played.
func Scenarios() []Scenario {
	return []Scenario{
		{"welcome_join", "a Welcome, with the tree in it and beside it", welcomeJoin},
		{"application", "messages in and out of order, and late ones", application},
		{"commit", "Commits of every kind of proposal", commits},
		{"external_join", "external Commits", externalJoin},
		{"external_proposals", "proposals of those who are no members", externalProposals},
		{"reinit", "groups that go on with other parameters", reinits},
		{"branch", "groups of some of a group's members", branches},
		{"deep_random", "random changes by random members", []namedPart{{"random", deepRandom}}},
	}
}

var welcomeJoin = []namedPart{
	{"tree in the Welcome", func(t *table) {
		t.create("alice")
		t.keyPackage("bob")
		t.commit("alice", commit{refs: [][]byte{t.proposeAdd("alice", "bob")}, joiners: []string{"bob"}})
		t.hear("alice", t.say("bob", "here"), "here")
	}},
	{"tree beside it", func(t *table) {
		t.create("alice")
		t.keyPackage("bob")
		t.commit("alice", commit{values: values(add(t.actor("bob"))), joiners: []string{"bob"}, external: true})
	}},
	{"with a path", func(t *table) {
		t.create("alice")
		t.keyPackage("bob")
		t.commit("alice", commit{values: values(add(t.actor("bob"))), joiners: []string{"bob"}, path: true})
	}},
	{"with a pre-shared key", func(t *table) {
		t.create("alice")
		t.keyPackage("bob")
		t.psk("key", "alice", "bob")
		t.commit("alice", commit{values: values(add(t.actor("bob")), externalPSK("key")), joiners: []string{"bob"}})
	}},
}

var application = []namedPart{
	{"in order", func(t *table) {
		t.create("alice", "bob", "charlie")
		for _, by := range []string{"alice", "bob", "charlie", "alice"} {
			m := t.say(by, "from "+by)
			for _, a := range t.members(by) {
				t.hear(a.name, m, "from "+by)
			}
		}
	}},
	{"out of order", func(t *table) {
		t.create("alice", "bob")
		one, two, three := t.say("alice", "1"), t.say("alice", "2"), t.say("alice", "3")
		t.hear("bob", three, "3")
		t.hear("bob", one, "1")
		t.hear("bob", two, "2")
	}},
	{"across epochs", func(t *table) {
		t.create("alice", "bob")
		late := t.say("alice", "late")
		t.commit("bob", commit{})
		t.hear("bob", late, "late")
		t.hear("bob", t.say("alice", "new"), "new")
	}},
}

var commits = []namedPart{
	{"empty", func(t *table) {
		t.create("alice", "bob")
		t.commit("alice", commit{})
		t.commit("bob", commit{})
	}},
	{"add", func(t *table) {
		t.create("alice", "bob")
		for _, path := range []bool{true, false} {
			var names []string
			for i := range 3 {
				names = append(names, map[bool]string{true: "c", false: "d"}[path]+string(rune('1'+i)))
				t.keyPackage(names[i])
			}
			refs := [][]byte{t.proposeAdd("alice", names[0]), t.proposeAdd("bob", names[1])}
			t.commit("alice", commit{refs: refs, values: values(add(t.actor(names[2]))), joiners: names, path: path})
		}
	}},
	{"update", func(t *table) {
		t.create("alice", "bob", "charlie")
		t.commit("alice", commit{refs: [][]byte{t.proposeUpdate("bob")}})
		t.commit("charlie", commit{refs: [][]byte{t.proposeUpdate("bob"), t.proposeUpdate("alice")}})
		t.commit("bob", commit{})
	}},
	{"remove", func(t *table) {
		t.create("alice", "bob", "c", "d", "e")
		refs := [][]byte{t.proposeRemove("alice", "c"), t.proposeRemove("bob", "d")}
		t.commit("alice", commit{refs: refs, values: values(remove("e")), removed: []string{"c", "d", "e"}})
	}},
	{"group context extensions", func(t *table) {
		t.create("alice", "bob")
		t.commit("alice", commit{refs: [][]byte{t.proposeExtensions("alice", plainExtensions())}})
		t.commit("alice", commit{refs: [][]byte{t.proposeExtensions("bob", nil)}})
		t.commit("bob", commit{values: values(extensions(plainExtensions()[:1]))})
	}},
	{"external psk", func(t *table) {
		t.create("alice", "bob")
		for _, id := range []string{"1", "2", "3"} {
			t.psk(id, "alice", "bob")
		}
		refs := [][]byte{t.proposePSK("alice", "1"), t.proposePSK("bob", "2")}
		t.commit("alice", commit{refs: refs, values: values(externalPSK("3")), path: true})
		refs = [][]byte{t.proposePSK("alice", "1"), t.proposePSK("bob", "2")}
		t.commit("bob", commit{refs: refs, values: values(externalPSK("3"))})
	}},
	{"resumption psk", func(t *table) {
		t.create("alice", "bob")
		t.commit("alice", commit{})
		t.commit("bob", commit{})
		refs := [][]byte{t.proposeResumption("alice", 1), t.proposeResumption("bob", 2)}
		t.commit("alice", commit{refs: refs, values: values(resumptionPSK(3)), path: true})
	}},
	{"all together", func(t *table) {
		t.create("alice", "bob", "charlie", "dave")
		t.keyPackage("eve")
		t.psk("key", "alice", "bob", "dave", "eve")
		refs := [][]byte{
			t.proposeAdd("bob", "eve"), t.proposeUpdate("bob"), t.proposeRemove("dave", "charlie"),
			t.proposePSK("alice", "key"), t.proposeExtensions("bob", plainExtensions()),
		}
		t.commit("alice", commit{refs: refs, joiners: []string{"eve"}, removed: []string{"charlie"}})
		t.commit("eve", commit{})
	}},
}

var externalJoin = []namedPart{
	{"tree in the GroupInfo", func(t *table) {
		t.create("alice", "bob")
		t.external("charlie", t.groupInfo("alice", false), false)
		t.external("dave", t.groupInfo("charlie", false), false)
		t.commit("bob", commit{})
	}},
	{"tree beside it", func(t *table) {
		t.create("alice", "bob")
		t.external("charlie", t.groupInfo("bob", true), false)
	}},
	{"in the place of an earlier self", func(t *table) {
		t.create("alice", "bob", "charlie")
		t.external("bob", t.groupInfo("alice", false), true)
		t.hear("charlie", t.say("bob", "again"), "again")
	}},
	{"with a pre-shared key", func(t *table) {
		t.create("alice", "bob")
		t.psk("key", "alice", "bob")
		t.external("charlie", t.groupInfo("alice", false), false, "key")
	}},
}

func values[T any](v ...T) []T { return v }
