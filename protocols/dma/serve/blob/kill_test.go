//go:build unix

package blob

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// childDir is the environment variable by which TestKill starts this test program as a process
// that takes media and is killed.
const childDir = "MIMI_LAB_BLOB_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := takeForever(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// killMedium is the n-th medium of a process, which is told by its ciphertext.
func killMedium(n int) []byte {
	b := ciphertext(100 << 10)
	binary.BigEndian.PutUint64(b, uint64(n))
	return b
}

// takeForever takes media one after the other, and says of each that it is accepted.
func takeForever(dir string) error {
	s, err := Open(Config{Dir: dir})
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		b := killMedium(n)
		sum := sha256.Sum256(b)
		ref, err := s.Put(context.Background(), "alice", bytes.NewReader(b), int64(len(b)), &sum)
		if err != nil {
			return err
		}
		fmt.Println(n, ref)
	}
}

// TestKill: whatever was accepted is whole after kill -9, and nothing else is there but at most
// the one that was being accepted.
func TestKill(t *testing.T) {
	t.Parallel()
	for point := range 10 {
		dir := t.TempDir()
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childDir+"="+dir)
		out, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		accepted := map[string]int{}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			n, ref, _ := strings.Cut(lines.Text(), " ")
			i, err := strconv.Atoi(n)
			must(t, err)
			accepted[ref] = i
			if len(accepted) == 3*point+1 {
				must(t, child.Process.Kill()) // what it says until it is dead counts as well
			}
		}
		_ = child.Wait()
		s := open(t, Config{Dir: dir})
		for ref, n := range accepted {
			if r := get(s, ref); r.StatusCode != http.StatusOK || body(t, r) != string(killMedium(n)) {
				t.Errorf("killed after %d: medium %d: status %d, or another content", len(accepted), n, r.StatusCode)
			}
		}
		if k := s.Kept(); len(accepted) < 3*point+1 || k.Media > len(accepted)+1 {
			t.Errorf("killed after %d: %+v kept", len(accepted), k)
		}
		for ref := range s.items {
			b, err := io.ReadAll(get(s, ref).Body)
			must(t, err)
			if len(b) != len(killMedium(0)) {
				t.Errorf("killed after %d: one of %d bytes is kept", len(accepted), len(b))
			}
		}
	}
}
