package suite

import "fmt"

// The abilities of this file are what some suites do better than call by call.
// Callers use the functions, which find the ability by assertion and else make the
// calls; the results are the same.

// PairOpener is the ability to use a recipient's public key in opening.
type PairOpener interface {
	// OpenBaseWith is OpenBase for a recipient whose public key is known.
	OpenBaseWith(enc []byte, pair KeyPair, info, aad, ciphertext []byte) ([]byte, error)
}

// OpenBaseWith is s.OpenBase with pair.Private. The KEM takes the recipient's
// public key in (RFC 9180, Section 4.1), which otherwise is made from the private
// one: with X25519 that is more than a third of the time. If pair.Public is not
// the key of pair.Private, whether the ciphertext opens is not specified.
func OpenBaseWith(s Suite, enc []byte, pair KeyPair, info, aad, ciphertext []byte) ([]byte, error) {
	if o, ok := s.(PairOpener); ok {
		return o.OpenBaseWith(enc, pair, info, aad, ciphertext)
	}
	return s.OpenBase(enc, pair.Private, info, aad, ciphertext)
}

// SealJob is one message to seal and, once it is, what SealBase returns.
type SealJob struct {
	Public, Info, AAD, Plaintext []byte
	Enc, Ciphertext              []byte
}

// ManySealer is the ability to seal on several cores.
type ManySealer interface {
	// SealMany does all jobs or, with an error, none.
	SealMany(jobs []SealJob) error
}

// SealMany calls SealBase for every job and puts the results into it. It draws
// randomness as these calls would in order, so that the outputs of a seeded suite
// do not depend on how many cores work. With an error no job has a result.
func SealMany(s Suite, jobs []SealJob) error {
	if m, ok := s.(ManySealer); ok {
		return m.SealMany(jobs)
	}
	var err error
	for i := range jobs {
		j := &jobs[i]
		if j.Enc, j.Ciphertext, err = s.SealBase(j.Public, j.Info, j.AAD, j.Plaintext); err != nil {
			return failJobs(jobs, i, err)
		}
	}
	return nil
}

// failJobs takes all results back and says which job failed.
func failJobs(jobs []SealJob, i int, err error) error {
	for j := range jobs {
		jobs[j].Enc, jobs[j].Ciphertext = nil, nil
	}
	return fmt.Errorf("sealing %d of %d: %w", i+1, len(jobs), err)
}
