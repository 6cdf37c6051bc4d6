package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	vectorscli "github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/vectors"
	"github.com/mimi-lab/mimi-lab/groups/kat"
	mls "github.com/mimi-lab/mimi-lab/protocols/mls/conformance"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

// runOptions are those of the command conformance run.
type runOptions struct {
	IO    *term.IO
	Dir   string
	Quiet bool
	JSON  bool
}

func newRun(t *term.IO) *cobra.Command {
	o := &runOptions{IO: t}
	c := &cobra.Command{
		Use:   "run PROTOCOL [FILE...]",
		Short: "Check a protocol against its vectors",
		Long: `Check a protocol against its vectors: against all files, or against those that
are named. The vectors are looked for in the folder that --dir or else
MIMI_LAB_VECTORS names, or else in the one that "vectors fetch" fills.

Those of mimi are in the folder that --dir names: what "vectors generate mimi"
made, or files of others in that format.

A case passes if everything in it was verified. One that fails is printed with
what differed, and the exit code is 3; so it is if a case was skipped. A file
that is not as it was published is checked all the same, and named.`,
		Example: `  mimi-lab conformance run mls tree-math welcome
  mimi-lab conformance run mimi-content
  mimi-lab vectors generate mimi --out mimi-vectors
  mimi-lab conformance run mimi --dir mimi-vectors`,
		Annotations:       map[string]string{"vectors": "reads"},
		Args:              command.Args(1, 1000, "the name of a protocol"),
		ValidArgsFunction: complete,
		RunE: func(c *cobra.Command, args []string) error {
			p, files, err := choose(args)
			if err != nil {
				return err
			}
			return runRun(c.Context(), o, p, files)
		},
	}
	c.Flags().StringVar(&o.Dir, "dir", "", "`folder` of vectors")
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "show no progress, and print nothing if all cases pass")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object that names every failure")
	return c
}

// choose finds the protocol and the files that the arguments name, all files if they
// name none.
func choose(args []string) (protocol, []string, error) {
	all := protocols()
	at := slices.IndexFunc(all, func(p protocol) bool { return p.source.Name == args[0] })
	const hint = `"mimi-lab conformance list" lists them.`
	if at < 0 {
		return protocol{}, nil, command.Unknown("protocol", args[0], names(), hint)
	}
	p := all[at]
	var known, files []string
	for _, f := range p.files {
		known = append(known, f.name)
	}
	for _, arg := range args[1:] {
		name := strings.TrimPrefix(arg, p.source.Name+"/")
		for _, end := range p.parts {
			name = strings.TrimSuffix(name, end)
		}
		if !slices.Contains(known, name) {
			return protocol{}, nil, command.Unknown("file", arg, known, hint)
		}
		if !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	if files == nil {
		files = known
	}
	return p, files, nil
}

// complete completes the names of a protocol and of its files.
func complete(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return names(), cobra.ShellCompDirectiveNoFileComp
	}
	_, files, err := choose(args[:1])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.DeleteFunc(files, func(f string) bool { return slices.Contains(args[1:], f) }), cobra.ShellCompDirectiveNoFileComp
}

// input is a file of vectors as it was read.
type input struct {
	name    string
	cases   cases
	bytes   int
	changed []string // files that are not as they were published
}

func runRun(ctx context.Context, o *runOptions, p protocol, files []string) error {
	dir, hint, err := folder(o, p)
	if err != nil {
		return err
	}
	var inputs []input
	for _, name := range files {
		if ctx.Err() != nil {
			break
		}
		in, err := load(dir, p, name)
		if err != nil {
			return exit.Failuref(hint, "%s: %w", dir, err)
		}
		inputs = append(inputs, in)
	}
	res := o.check(ctx, dir, p, inputs)
	res.Complete = len(res.Files) == len(files)
	bad := res.Passed != res.Cases
	if o.JSON {
		if err := o.IO.JSON(res); err != nil {
			return err
		}
	} else if bad || !o.Quiet {
		res.print(o.IO, len(files))
	}
	switch {
	case bad:
		return exit.Violationf("", "%s: of %d cases, %d failed and %d were skipped", p.source.Name, res.Cases, res.Failed, res.Skipped)
	case !res.Complete:
		return ctx.Err()
	}
	return nil
}

// folder returns where the vectors of a protocol are, and what to do if they are not.
func folder(o *runOptions, p protocol) (dir, hint string, err error) {
	if !p.own {
		return vectorscli.Folder(o.IO, o.Dir)
	}
	generate := func(dir string) string {
		return fmt.Sprintf("\"mimi-lab vectors generate %s --out %s\" makes them.", p.source.Name, command.Quote(dir))
	}
	if o.Dir == "" {
		return "", "", exit.Usagef(generate(p.source.Name+"-vectors"), "--dir is missing, want a folder with vectors of %s", p.source.Name)
	}
	return o.Dir, generate(o.Dir) + " If the folder has few of the files, name them.", nil
}

// maxBytes bounds a file that is not one of those published, which are smaller.
const maxBytes = 64 << 20

// load reads a file of vectors and takes it apart.
func load(dir string, p protocol, name string) (input, error) {
	if p.own {
		return loadOwn(dir, p, name)
	}
	in := input{name: name}
	var parts [][]byte
	for _, end := range p.parts {
		file := p.source.Name + "/" + name + end
		b, err := vectors.Read(os.DirFS(dir), file)
		var changed *vectors.MismatchError
		if errors.As(err, &changed) {
			in.changed = append(in.changed, file)
			b, err = readBounded(filepath.Join(dir, filepath.FromSlash(file)))
		}
		if err != nil {
			return in, err
		}
		in.bytes += len(b)
		parts = append(parts, b)
	}
	var err error
	in.cases, err = p.read(name, parts)
	return in, err
}

// loadOwn reads a file that nobody has published. If there is a manifest beside it the
// file should be as that has it.
func loadOwn(dir string, p protocol, name string) (input, error) {
	in := input{name: name}
	file := name + p.parts[0]
	b, err := readBounded(filepath.Join(dir, file))
	if err != nil {
		return in, err
	}
	if list, err := readBounded(filepath.Join(dir, kat.ManifestName)); err == nil {
		m, err := kat.ParseManifest(list)
		if err != nil {
			return in, err
		}
		if m.Changed(file, b) {
			in.changed = []string{file}
		}
	}
	in.bytes = len(b)
	in.cases, err = p.read(name, [][]byte{b})
	return in, err
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && len(b) > maxBytes {
		err = fmt.Errorf("%s has more than %d bytes", path, maxBytes)
	}
	return b, err
}

// check verifies the files one after the other, until ctx is cancelled. What is in
// the result is whole files.
func (o *runOptions) check(ctx context.Context, dir string, p protocol, inputs []input) checked {
	res := checked{Protocol: p.source.Name, Dir: dir, Files: []checkedFile{}, Failures: []failure{}, original: "it was published"}
	if p.own {
		res.original = kat.ManifestName + " has it"
	}
	total, done := 0, 0
	for _, in := range inputs {
		total += in.bytes
	}
	progress := o.IO.Progress("checking", o.Quiet)
	defer progress.Done()
	for _, in := range inputs {
		start := o.IO.Now()
		outcomes, ok := checkFile(ctx, in, func(share float64) {
			progress.Set(float64(done)+share*float64(in.bytes), float64(total))
		})
		if !ok {
			return res
		}
		res.add(in, outcomes, o.IO.Now().Sub(start))
		done += in.bytes
	}
	return res
}

// checkFile verifies the cases of a file on all cores. It reports false if it was
// interrupted.
func checkFile(ctx context.Context, in input, progress func(share float64)) ([]mls.Outcome, bool) {
	outcomes := make([]mls.Outcome, in.cases.Len())
	var next, finished atomic.Int64
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(outcomes)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(outcomes) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				outcomes[i] = in.cases.Check(i)
				progress(float64(finished.Add(1)) / float64(len(outcomes)))
			}
		})
	}
	wait.Wait()
	return outcomes, int(finished.Load()) == len(outcomes)
}

// checked is what the command found, as JSON.
type checked struct {
	Protocol string `json:"protocol"`
	Dir      string `json:"dir"`
	Complete bool   `json:"complete"`
	tally
	Files    []checkedFile `json:"files"`
	Failures []failure     `json:"failures"`
	original string        // what files are compared with
}

// tally counts cases.
type tally struct {
	Cases   int     `json:"cases"`
	Passed  int     `json:"passed"`
	Failed  int     `json:"failed"`
	Skipped int     `json:"skipped"`
	Seconds float64 `json:"seconds"`
}

type checkedFile struct {
	Name      string `json:"name"`
	Published bool   `json:"published"` // false if the file is not as it was published
	tally
	changed []string
}

// failure is one thing that differs; a case may have several.
type failure struct {
	File  string `json:"file"`
	Case  int    `json:"case"`  // from 0
	Suite int    `json:"suite"` // the number of the cipher suite, 0 if the case has none
	What  string `json:"what"`
}

func (res *checked) add(in input, outcomes []mls.Outcome, took time.Duration) {
	var r mls.Result
	for _, out := range outcomes {
		r.Add(out)
	}
	t := tally{r.Cases, r.Passed, r.Failed, r.Skipped, took.Seconds()}
	res.Files = append(res.Files, checkedFile{in.name, len(in.changed) == 0, t, in.changed})
	res.Cases += t.Cases
	res.Passed += t.Passed
	res.Failed += t.Failed
	res.Skipped += t.Skipped
	res.Seconds += t.Seconds
	for _, f := range r.Failures {
		res.Failures = append(res.Failures, failure{in.name, f.Case, int(f.Suite), f.What})
	}
}
