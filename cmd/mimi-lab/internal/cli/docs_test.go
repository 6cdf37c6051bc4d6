package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli"
)

// root is the root of the module, where the commands of its documents run.
const root = "../../../.."

// documents hold commands to paste.
var documents = []string{"README.md", "CONTRIBUTING.md"}

// TestDocuments looks up what the commands of the documents name: subcommands and
// flags of mimi-lab, test functions, files. It runs none of them. That go test
// -fuzz passes with a warning when there is no such target is why it looks.
func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, name := range documents {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		found := pasted(string(text))
		if len(found) < 10 {
			t.Errorf("%s: %d commands found, want at least 10", name, len(found))
		}
		for _, command := range found {
			for _, complaint := range lookUp(command) {
				t.Errorf("%s: %s: %s", name, command, complaint)
			}
		}
	}
}

// TestLookUp makes sure that TestDocuments can fail.
func TestLookUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ command, want string }{
		{"go test ./protocols/stanza -run '^$' -fuzz FuzzXML -fuzztime 1m", ""},
		{"go test ./protocols/stanza -run '^$' -fuzz FuzzParseXML", "no test function begins with FuzzParseXML in ./protocols/stanza"},
		{"go test ./protocols/stanzas", "no ./protocols/stanzas"},
		{"go run ./cmd/mimi-lab mls interop --suite 1", ""},
		{"mimi-lab mls interop --suit 1", "unknown flag --suit"},
		{"go run ./cmd/mimi-lab mls interops", `unknown command "interops"`},
		{"cargo build --manifest-path bench/Cargo.toml", "no bench/Cargo.toml"},
	} {
		got := strings.Join(lookUp(tt.command), "; ")
		if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", tt.command, got, tt.want)
		}
	}
}

var (
	fence   = regexp.MustCompile("(?ms)^```\n(.*?)^```$")
	span    = regexp.MustCompile("`([^`\n]+)`")
	program = regexp.MustCompile(`^(go|mimi-lab|cargo) `)
)

// pasted returns the commands of a document: in blocks every line, elsewhere what
// is set as code and begins with a program; without what feeds them by a pipe.
func pasted(text string) []string {
	var lines []string
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(block[1], "\n")...)
	}
	for _, code := range span.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		lines = append(lines, code[1])
	}
	var found []string
	for _, line := range lines {
		for part := range strings.SplitSeq(line, " | ") {
			if part = strings.TrimSpace(part); program.MatchString(part) {
				found = append(found, part)
			}
		}
	}
	return found
}

// placeholder is a word in capitals that readers replace, such as PACKAGE or DIR.
var placeholder = regexp.MustCompile(`(^|/)[A-Z]+$`)

// lookUp says what of the things that a command names does not exist.
func lookUp(command string) (complaints []string) {
	words := strings.Fields(command)
	for i := range words {
		words[i] = strings.Trim(words[i], `'"`)
	}
	for _, w := range words {
		file := strings.TrimSuffix(w, "/...")
		if placeholder.MatchString(w) || !strings.HasPrefix(w, "./") && !strings.HasSuffix(w, ".toml") {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, file)); err != nil {
			complaints = append(complaints, "no "+w)
		}
	}
	switch {
	case words[0] == "mimi-lab":
		complaints = append(complaints, lookUpCommand(words[1:])...)
	case len(words) > 2 && words[1] == "run" && words[2] == "./cmd/mimi-lab":
		complaints = append(complaints, lookUpCommand(words[3:])...)
	case len(words) > 2 && words[1] == "test":
		complaints = append(complaints, lookUpTests(words[2:])...)
	}
	return complaints
}

// lookUpCommand finds the command of mimi-lab and lets it read its flags.
func lookUpCommand(args []string) []string {
	c, rest, err := cli.New(world(new(bytes.Buffer))).Find(args)
	if err == nil {
		if err = c.ParseFlags(rest); err != nil {
			err = c.FlagErrorFunc()(c, err)
		} else if c.HasSubCommands() {
			err = c.Args(c, rest) // which are no commands below it
		}
	}
	if err != nil {
		return []string{err.Error()}
	}
	return nil
}

// lookUpTests finds the functions that -run, -fuzz and -bench name by how they begin
// among the test files of the one package.
func lookUpTests(args []string) (complaints []string) {
	at := slices.IndexFunc(args, func(s string) bool { return strings.HasPrefix(s, "./") })
	for i, a := range args[:len(args)-1] {
		name := args[i+1]
		if !slices.Contains([]string{"-run", "-fuzz", "-bench"}, a) || name == "^$" || name == "." {
			continue
		}
		if at < 0 || !hasTest(filepath.Join(root, args[at]), name) {
			complaints = append(complaints, "no test function begins with "+name+" in "+args[max(at, 0)])
		}
	}
	return complaints
}

func hasTest(dir, name string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
	function := regexp.MustCompile(`(?m)^func (Test|Fuzz|Benchmark)?` + regexp.QuoteMeta(name))
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && function.Match(text)
	})
}
