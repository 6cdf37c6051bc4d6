package mls

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/bench/peers/mlsrun"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// TestServe: the command says where it listens, plays there, and ends when it is
// interrupted.
func TestServe(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := runServe(ctx, &serveOptions{IO: &term.IO{Out: w, Err: io.Discard, Now: time.Now}})
		w.Close()
		ended <- err
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("it says %q", line)
	}
	p, err := mlsrun.Dial(ctx, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	report, err := mlsrun.Run(ctx, []*mlsrun.Peer{p}, mlsrun.Options{Scenarios: mlsrun.Scenarios()[:1], Suites: []uint32{2}})
	if err != nil || report.Count(mlsrun.Passed) != 8 {
		t.Errorf("%v, %+v", err, report.Games)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
