package provider

import (
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestAtOnce starts providers of a new directory at the same time: there is one
// authority, which has signed all of their certificates.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lab")
	domains := []string{"a.example", "b.example", "c.example", "d.example", "e.example", "f.example"}
	var wg sync.WaitGroup
	for _, domain := range domains {
		wg.Go(func() {
			if _, err := development(dir, domain, time.Now()); err != nil {
				t.Errorf("%s: %v", domain, err)
			}
		})
	}
	wg.Wait()
	root, err := readCertificate(filepath.Join(dir, rootName))
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range domains {
		p, err := readCertificate(filepath.Join(dir, domain))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Leaf.CheckSignatureFrom(root.Leaf); err != nil {
			t.Errorf("%s: %v", domain, err)
		}
	}
}
