package conformance

import (
	"encoding/json"
	"reflect"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// runner verifies the cases of one file.
type runner struct {
	File
	run func(c *checker, raw json.RawMessage)
}

// runners is the list of them.
var runners = []runner{
	{File{"crypto-basics", "labelled hashes, signatures, encryption"}, withSuite(checkBasics)},
	{File{"deserialization", "lengths of vectors"}, plain(checkLength)},
	{File{"key-schedule", "secrets of epochs"}, withSuite(checkKeySchedule)},
	{File{"message-protection", "PublicMessage and PrivateMessage, both ways"}, withSuite(checkProtection)},
	{File{"messages", "every struct, read and written"}, plain(checkMessages)},
	{File{"passive-client-handling-commit", "a member who follows Commits of every kind"}, withSuite(checkPassive)},
	{File{"passive-client-random", "a member who follows 200 random Commits"}, withSuite(checkPassive)},
	{File{"passive-client-welcome", "a client who joins"}, withSuite(checkPassive)},
	{File{"psk_secret", "pre-shared keys"}, withSuite(checkPSK)},
	{File{"secret-tree", "keys of messages and of sender data"}, withSuite(checkSecretTree)},
	{File{"transcript-hashes", "transcript hashes and confirmation tags"}, withSuite(checkTranscript)},
	{File{"tree-math", "numbers of nodes"}, plain(checkTreeMath)},
	{File{"tree-operations", "proposals applied to trees"}, withSuite(checkOperation)},
	{File{"tree-validation", "resolutions, hashes and signatures of trees"}, withSuite(checkTree)},
	{File{"treekem", "update paths, opened and made"}, withSuite(checkTreeKEM)},
	{File{"welcome", "Welcomes, decrypted"}, withSuite(checkWelcome)},
}

// suited is what cases have that are for one cipher suite.
type suited struct {
	Suite suite.ID `json:"cipher_suite"`
}

func (s *suited) id() suite.ID { return s.Suite }

// plain runs check on cases without a cipher suite.
func plain[T any](check func(*checker, *T)) func(*checker, json.RawMessage) {
	return func(c *checker, raw json.RawMessage) {
		if v := new(T); c.decode(raw, v) {
			check(c, v)
		}
	}
}

// withSuite runs check on cases for a cipher suite, which it skips if there is no
// such suite.
func withSuite[T any, P interface {
	*T
	id() suite.ID
}](check func(*checker, suite.Suite, P)) func(*checker, json.RawMessage) {
	return func(c *checker, raw json.RawMessage) {
		v := P(new(T))
		if !c.decode(raw, v) {
			return
		}
		c.suite = v.id()
		if !c.suite.Known() {
			c.skipped = true
			return
		}
		if s, err := suite.NewSeeded(c.suite, [32]byte{}, c.label); c.ok("cipher_suite", err) {
			check(c, s, v)
		}
	}
}

// decode reads a case and says what it lacks and what is not known of it.
func (c *checker) decode(raw json.RawMessage, v any) bool {
	if path, why := differs(raw, reflect.TypeOf(v).Elem()); why != "" {
		c.fail("case"+path, "%s", why)
		return false
	}
	return c.ok("case", json.Unmarshal(raw, v))
}
