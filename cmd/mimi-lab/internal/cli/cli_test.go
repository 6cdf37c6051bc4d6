package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/publishtest"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/cache"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mimi-lab": func() { os.Exit(cli.Main()) },
	})
}

// TestScripts runs the command line as its users do, in testdata/script.
// With -update it writes what the commands print into the scripts.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// The first is a real one, unless the tag nogpl leaves it out.
			env.Setenv("ADAPTER", adapters.All()[0].Name())
			// Where the vectors are that "publish" serves. A script itself starts without.
			dir, _ := cache.Find(os.Getenv)
			env.Setenv("PUBLISHED", dir)
			env.Setenv("COLUMNS", "10000") // so that scripts find a complaint in one line
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"publish": publish,
			"provide": provideScript,
			"start":   startScript,
			"capture": capture,
		},
	})
}

// exits runs a command and compares its exit code: exits 2 mimi-lab rnu.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if e, ok := err.(*exec.ExitError); ok {
		got = strings.TrimPrefix(e.ProcessState.String(), "exit status ")
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("%q exited with %s, want %s", args[1:], got, args[0])
	}
}

// condition knows [vectors]: the published vectors are there, as they must be under
// CI, and a command can be led to a server that stands in for their sources.
func condition(name string) (bool, error) {
	if name != "vectors" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	_, err := cache.Find(os.Getenv)
	if err != nil && os.Getenv("CI") == "true" {
		return false, err
	}
	return err == nil && standsIn(), nil
}

// standsIn reports whether Go heeds SSL_CERT_FILE here (crypto/x509).
func standsIn() bool { return runtime.GOOS != "darwin" && runtime.GOOS != "windows" }

// publish starts servers that publish the vectors of a folder, and leads the commands
// that follow to them: publish DIR MODE FILE, with the modes of publishtest for the
// one file, or for all if its name is empty. MIRROR becomes the URL of a mirror.
func publish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: publish DIR MODE FILE")
	}
	servers, err := publishtest.Start(ts.Getenv("WORK"), ts.MkAbs(args[0]), publishtest.Mode(args[1]), args[2])
	ts.Check(err)
	ts.Defer(servers.Close)
	ts.Setenv("MIRROR", servers.Mirror())
	for _, v := range servers.Env() {
		name, value, _ := strings.Cut(v, "=")
		ts.Setenv(name, value)
	}
}

// online starts servers that publish the vectors of dir, for one test.
func online(t *testing.T, dir string, mode publishtest.Mode) *publishtest.Servers {
	t.Helper()
	servers, err := publishtest.Start(t.TempDir(), dir, mode, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	return servers
}

// world is what a command sees in these tests: nobody looks, no environment.
func world(out *bytes.Buffer) *term.IO {
	return &term.IO{
		In: strings.NewReader(""), Out: out, Err: out, Width: 80,
		Getenv: func(string) string { return "" }, Now: time.Now,
	}
}

// commands returns the command and all below it.
func commands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, commands(sub)...)
	}
	return all
}

// TestHelp demands of every command that its help fits 80 columns, says what the
// command does and shows an example.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, c := range commands(cli.New(world(new(bytes.Buffer)))) {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: has no description or no example", c.CommandPath())
		}
		var out bytes.Buffer
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if code := cli.Run(context.Background(), world(&out), args); code != 0 {
			t.Errorf("%q: exit code %d, want 0\n%s", args, code, &out)
		}
		for _, line := range strings.Split(out.String(), "\n") {
			if n := len([]rune(line)); n > 80 {
				t.Errorf("%q: a line of %d columns, want at most 80: %s", args, n, line)
			}
			if strings.Contains(line, "(default [])") {
				t.Errorf("%q: a default that is none: %s", args, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("%q: white space at the end of %q", args, line)
			}
		}
	}
}

// TestExamples pastes every example of the help into a shell.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, c := range commands(cli.New(world(new(bytes.Buffer)))) {
		serves := c.Annotations["providers"] + c.Annotations["gatekeeper"]
		if testing.Short() && (c.Annotations["slow"] != "" || serves != "") {
			continue
		}
		t.Run(c.CommandPath(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			env := append(os.Environ(), "COLUMNS=10000") // errors are looked at line by line
			if c.Annotations["vectors"] != "" {
				published := vectorstest.Dir(t)
				if !standsIn() {
					t.Skip("this system does not let a server stand in for that of the vectors")
				}
				env = append(env, online(t, published, publishtest.Right).Env()...)
				env = append(env, "MIMI_LAB_VECTORS="+published, "HOME="+dir, "XDG_CACHE_HOME="+filepath.Join(dir, ".cache"))
			}
			if domains := strings.Fields(c.Annotations["providers"]); len(domains) > 0 {
				provide(t, dir, env, domains, c.Annotations["before"])
			}
			if c.Annotations["gatekeeper"] != "" {
				stop, err := start(dir, env, "gatekeeper", "serve")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(stop)
				before(t, dir, env, c.Annotations["before"])
			}
			for _, line := range strings.Split(strings.ReplaceAll(c.Example, "\\\n", ""), "\n") {
				if line = strings.TrimSpace(line); line == "" {
					continue
				}
				sh := exec.Command("sh", "-c", line)
				sh.Dir, sh.Env = dir, env
				out, err := sh.CombinedOutput()
				if bytes.Contains(out, []byte("is left out of this build by the tag nogpl")) {
					continue // which says what to do instead
				}
				if err != nil {
					t.Errorf("%s: %v\n%s", line, err, out)
				}
			}
		})
	}
}

// serve runs a provider in a folder until stop is called, and returns when it is there.
func serve(dir string, env []string, domain string, flags ...string) (stop func(), err error) {
	return start(dir, env, append([]string{"provider", "serve", "--dev", "mimi-dev", "--domain", domain}, flags...)...)
}

// start runs a command that serves in a folder until stop is called, and returns when it
// has said its first line.
func start(dir string, env []string, args ...string) (stop func(), err error) {
	server := exec.Command("mimi-lab", args...)
	server.Dir, server.Env = dir, env
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		return nil, err
	}
	stop = func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		stop()
		return nil, fmt.Errorf("%q does not start: %w", args, err)
	}
	return stop, nil
}

// provideScript runs a provider until the script ends: provide DOMAIN [FLAG...].
func provideScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: provide DOMAIN [FLAG...]")
	}
	stop, err := serve(ts.MkAbs("."), os.Environ(), args[0], args[1:]...)
	ts.Check(err)
	ts.Defer(stop)
}

// startScript runs a command that serves until the script ends: start mimi-lab ARG...
func startScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[0] != "mimi-lab" {
		ts.Fatalf("usage: start mimi-lab ARG...")
	}
	stop, err := start(ts.MkAbs("."), os.Environ(), args[1:]...)
	ts.Check(err)
	ts.Defer(stop)
}

// capture sets a variable to what matches a part of the last output: capture ID '"id": "(.*)"'.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("no part of the output matches %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// provide runs providers in a folder, and then the commands that examples want done
// before.
func provide(t *testing.T, dir string, env, domains []string, commands string) {
	t.Helper()
	for _, domain := range domains {
		stop, err := serve(dir, env, domain)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	before(t, dir, env, commands)
}

// before runs commands that examples want done before.
func before(t *testing.T, dir string, env []string, commands string) {
	t.Helper()
	for line := range strings.Lines(commands) {
		sh := exec.Command("sh", "-c", line)
		sh.Dir, sh.Env = dir, env
		if out, err := sh.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

// TestTerminal looks at what only a terminal gets, or is spared.
func TestTerminal(t *testing.T) {
	t.Parallel()
	const receipt = `<receipt id="3EB0" to="42@msgr" x="a b"/>`
	for _, tt := range []struct {
		name string
		args string
		set  func(*term.IO)
		code int
		want string
	}{
		{"colour", "stanza show", func(s *term.IO) { s.OutTTY = true }, 0, "\x1b[1mreceipt\x1b[0m  \x1b[36mid\x1b[0m=3EB0"},
		{"no colour wanted", "stanza show", func(s *term.IO) {
			s.OutTTY = true
			s.Getenv = func(k string) string { return map[string]string{"NO_COLOR": "1"}[k] }
		}, 0, `receipt  id=3EB0  to=42@msgr  x="a b"`},
		{"no bytes", "stanza encode --to binary", func(s *term.IO) { s.OutTTY = true }, 2, "would garble the terminal"},
		{"no picture", "sim trace faulty-small --set adapter=signal-v3-sized", func(s *term.IO) { s.OutTTY = true }, 2, "would fill the terminal"},
		{"no waiting", "stanza show", func(s *term.IO) { s.InTTY = true }, 2, "Name a file, or send the stanza through a pipe."},
	} {
		var out bytes.Buffer
		s := world(&out)
		s.In = strings.NewReader(receipt)
		tt.set(s)
		code := cli.Run(context.Background(), s, strings.Fields(tt.args))
		if code != tt.code || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: exit code %d with %q, want %d with %q", tt.name, code, &out, tt.code, tt.want)
		}
	}
}

// full is a disk without room.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestFullDisk holds that no command is done whose output could not be written.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"version", "version --json", "conformance list", "scenario list", "vectors list", "provider check --list", "stanza show", "stanza encode",
		"sim rooms --seeds 1 --members 4 --providers 2 --steps 4 -q", "sim crowd --members 4 --devices 2 --commits 1", "demo rooms", "room --help",
	} {
		var out bytes.Buffer
		s := world(&out)
		s.In, s.Out = strings.NewReader(`<receipt id="3EB0" to="42@msgr"/>`), full{}
		if code := cli.Run(context.Background(), s, strings.Fields(args)); code != 1 || strings.Count(out.String(), errFull.Error()) != 1 {
			t.Errorf("%s: exit code %d with %q, want 1 and once %q", args, code, &out, errFull)
		}
	}
}

// TestInterruptAtOnce interrupts before a run is finished: nothing is said of means.
func TestInterruptAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	args := []string{"sim", "run", "faulty-small", "--set", "adapter=signal-v3-sized", "--out", t.TempDir()}
	if code := cli.Run(ctx, world(&out), args); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	got := out.String()
	if !strings.Contains(got, "Interrupted: 0 of ") || strings.Contains(got, "One run") || strings.Contains(got, "Means") {
		t.Errorf("interrupted before the first run was finished: %q", got)
	}
}

// TestInterrupt interrupts commands that take their time.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range []string{
		"bench engine --pending 1000 --time 1m",
		"sim check faulty-small --set adapter=signal-v3-sized --seeds 1000000",
		"sim run faulty-small --set adapter=signal-v3-sized --set replications=10000 --out " + dir,
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		interrupted, stop := context.WithCancel(context.Background())
		context.AfterFunc(ctx, stop)
		var out bytes.Buffer
		code := cli.Run(interrupted, world(&out), strings.Fields(args))
		cancel()
		if code != 130 || !strings.Contains(out.String(), "mimi-lab: interrupted") {
			t.Errorf("%s: exit code %d with %q, want 130", args, code, &out)
		}
	}

	// What was finished before is whole, and says that it is not all.
	var manifest struct {
		Complete     bool
		Replications struct{ Planned, Done int }
	}
	read := func(name string, v any) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(data, v)
		}
		if err != nil {
			t.Errorf("after an interruption: %v", err)
		}
	}
	read("manifest.json", &manifest)
	read("summary.json", new(any))
	if n := manifest.Replications; manifest.Complete || n.Planned != 10000 || n.Done >= n.Planned {
		t.Errorf("the manifest of an interrupted run: %+v, want part of 10000 replications, not complete", manifest)
	}
	if page, err := os.ReadFile(filepath.Join(dir, "report.html")); err != nil || !bytes.HasSuffix(bytes.TrimSpace(page), []byte("</html>")) {
		t.Errorf("the page of an interrupted run: %v, of %d bytes; want a whole one", err, len(page))
	}
}

// TestInterruptConformance interrupts a check, which then counts whole files alone.
func TestInterruptConformance(t *testing.T) {
	t.Parallel()
	dir := vectorstest.Dir(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	code := cli.Run(ctx, world(&out), []string{"conformance", "run", "mls", "tree-math", "--dir", dir})
	got := out.String()
	if code != 130 || !strings.Contains(got, "Interrupted after 0 of 1 files.") || strings.Contains(got, "passed in") {
		t.Errorf("exit code %d with %q, want 130", code, got)
	}
}

// TestInterruptFetch interrupts a fetch in the middle of a file, which leaves no
// trace.
func TestInterruptFetch(t *testing.T) {
	t.Parallel()
	servers := online(t, t.TempDir(), publishtest.Hang)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	context.AfterFunc(servers.Hung, cancel)
	var out bytes.Buffer
	code := cli.Run(ctx, world(&out), []string{"vectors", "fetch", "--from", servers.Mirror(), "--dir", dir})
	if code != 130 || !strings.Contains(out.String(), "Interrupted after 0 files of 53.") || !strings.Contains(out.String(), "mimi-lab: interrupted") {
		t.Errorf("exit code %d with %q, want 130", code, &out)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, "*", ".*"))
	if err != nil || len(left)+len(hidden) > 0 {
		t.Errorf("left behind: %q %q, %v; want nothing", left, hidden, err)
	}
}
