package suite

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// TestSealManyCommonInfo: one slice of info for all jobs gives the same as a copy for
// each, and what one's own SealBase would give.
func TestSealManyCommonInfo(t *testing.T) {
	t.Parallel()
	for _, id := range IDs() {
		seal := func(own bool) []SealJob {
			s, err := NewSeeded(id, sha256.Sum256([]byte("common")), "")
			if err != nil {
				t.Fatal(err)
			}
			pair, err := s.GenerateKeyPair()
			if err != nil {
				t.Fatal(err)
			}
			info := bytes.Repeat([]byte("info"), 100)
			jobs := make([]SealJob, 20)
			for i := range jobs {
				jobs[i] = SealJob{Public: pair.Public, Info: info, Plaintext: []byte{byte(i)}}
				if own {
					jobs[i].Info = bytes.Clone(info)
				}
			}
			if err := SealMany(s, jobs); err != nil {
				t.Fatal(err)
			}
			for i, j := range jobs {
				got, err := s.OpenBase(j.Enc, pair.Private, info, nil, j.Ciphertext)
				if err != nil || len(got) != 1 || got[0] != byte(i) {
					t.Fatalf("suite %d: job %d opens as %x, %v", id, i, got, err)
				}
			}
			return jobs
		}
		a, b := seal(false), seal(true)
		for i := range a {
			if !bytes.Equal(a[i].Enc, b[i].Enc) || !bytes.Equal(a[i].Ciphertext, b[i].Ciphertext) {
				t.Errorf("suite %d: job %d differs", id, i)
			}
		}
	}
}
