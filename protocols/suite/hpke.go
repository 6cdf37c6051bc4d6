package suite

import (
	"crypto/cipher"
	"fmt"
	"runtime"
)

// This is HPKE in base mode (RFC 9180, Sections 4 and 5) over the suite's own DH,
// HKDF and AEAD, so that it costs little more than its multiplications.

// hpkeTable holds what is the same in every use of a suite.
var hpkeTable = func() (table [len(registry)]struct {
	kem, hpke string // suite_id (RFC 9180, Sections 4.1 and 5.1)
	pskIDHash []byte // psk_id_hash in base mode, whose psk_id is empty
}) {
	for _, id := range IDs() {
		r, row := &registry[id], &table[id]
		kem := string([]byte{byte(r.kem >> 8), byte(r.kem)})
		row.kem = "KEM" + kem
		row.hpke = "HPKE" + kem + string([]byte{byte(r.hash >> 8), byte(r.hash), byte(r.aead >> 8), byte(r.aead)})
		m := (&std{id: id}).newMAC()
		row.pskIDHash = m.labeledExtract(nil, nil, row.hpke, "psk_id_hash", nil)
	}
	return table
}()

// hpkeRoom is where a mac keeps the values of one HPKE operation.
type hpkeRoom struct {
	label   [48]byte               // of a labelled input, up to the label itself
	prk     [64]byte               // dkp_prk, eae_prk
	dh      [66]byte               // the shared secret of DH; on P-521 the longest
	shared  [64]byte               // shared_secret
	secret  [64]byte               // secret, of the key schedule
	context [2 * maxKEMPublic]byte // kem_context, then key_schedule_context
	info    [64]byte               // info_hash
	out     [64]byte               // key, base_nonce or exporter_secret
}

// modeBase is mode_base (RFC 9180, Table 1).
const modeBase = 0x00

// labeledExtract appends LabeledExtract of RFC 9180, Section 4, to dst.
func (m *mac) labeledExtract(dst, salt []byte, suiteID, label string, ikm []byte) []byte {
	m.start(salt)
	m.h.Write(append(append(append(m.label[:0], "HPKE-v1"...), suiteID...), label...))
	m.h.Write(ikm)
	return m.finish(dst)
}

// labeledExpand appends n bytes of LabeledExpand of RFC 9180, Section 4, to dst.
func (m *mac) labeledExpand(dst, prk []byte, suiteID, label string, info []byte, n int) []byte {
	head := append(m.label[:0], byte(n>>8), byte(n))
	head = append(append(append(head, "HPKE-v1"...), suiteID...), label...)
	return m.expand(dst, prk, head, info, n)
}

// agree puts the shared secret of the KEM into m.shared: ExtractAndExpand of the
// DH of our key with their public key (RFC 9180, Section 4.1).
func (s *std) agree(m *mac, ours dhKey, theirs dhPoint, enc, recipient []byte) error {
	dh, err := s.dh(m.dh[:0], ours, theirs)
	if err != nil {
		return err
	}
	id := hpkeTable[s.id].kem
	prk := m.labeledExtract(m.prk[:0], nil, id, "eae_prk", dh)
	context := append(append(m.context[:0], enc...), recipient...)
	m.labeledExpand(m.shared[:0], prk, id, "shared_secret", context, s.id.Sizes().Hash)
	return nil
}

// infoHash appends info_hash to dst (RFC 9180, Section 5.1).
func (s *std) infoHash(m *mac, dst, info []byte) []byte {
	return m.labeledExtract(dst, nil, hpkeTable[s.id].hpke, "info_hash", info)
}

// schedule is the first part of KeySchedule: it puts secret and
// key_schedule_context into m (RFC 9180, Section 5.1).
func (s *std) schedule(m *mac, infoHash []byte) (secret, context []byte) {
	t := &hpkeTable[s.id]
	context = append(append(append(m.context[:0], modeBase), t.pskIDHash...), infoHash...)
	secret = m.labeledExtract(m.secret[:0], m.shared[:s.id.Sizes().Hash], t.hpke, "secret", nil)
	return secret, context
}

// messageKey is the part of KeySchedule that encryption needs, for the one
// message with sequence number 0. The nonce is in m.out.
func (s *std) messageKey(m *mac, infoHash []byte) (_ cipher.AEAD, nonce []byte, err error) {
	size, id := s.id.Sizes(), hpkeTable[s.id].hpke
	secret, context := s.schedule(m, infoHash)
	aead, err := s.AEAD(m.labeledExpand(m.out[:0], secret, id, "key", context, size.AEADKey))
	return aead, m.labeledExpand(m.out[:0], secret, id, "base_nonce", context, size.AEADNonce), err
}

// export is the part of KeySchedule that exporting needs, and Export (RFC 9180,
// Sections 5.1 and 5.3).
func (s *std) export(m *mac, info, exporterContext []byte, n int) []byte {
	id := hpkeTable[s.id].hpke
	secret, context := s.schedule(m, s.infoHash(m, m.info[:0], info))
	exporter := m.labeledExpand(m.out[:0], secret, id, "exp", context, s.id.Sizes().Hash)
	return m.labeledExpand(make([]byte, 0, n), exporter, id, "sec", exporterContext, n)
}

// encap is Encap with a given ephemeral key; the shared secret is in m.shared.
func (s *std) encap(m *mac, ephemeral dhKey, recipient dhPoint) (enc []byte, err error) {
	return ephemeral.public, s.agree(m, ephemeral, recipient, ephemeral.public, recipient.public)
}

// ephemeral makes the ephemeral key of a fresh encapsulation.
func (s *std) ephemeral(m *mac) (dhKey, error) {
	ikm, err := s.draw(s.id.Sizes().KEMPrivate)
	if err != nil {
		return dhKey{}, err
	}
	defer clear(ikm)
	return s.deriveKey(m, ikm)
}

// decap is Decap; the shared secret is in m.shared. The recipient's public key is
// nil if the caller does not know it.
func (s *std) decap(m *mac, enc []byte, private PrivateKey, public []byte) error {
	key, err := s.parsePrivate(private)
	if err != nil {
		return err
	}
	point, err := s.parsePublic(enc)
	if err != nil {
		return err
	}
	if public == nil {
		public = s.publicKey(key)
	}
	return s.agree(m, key, point, enc, public)
}

func (s *std) SealBase(public, info, aad, plaintext []byte) (enc, ciphertext []byte, err error) {
	recipient, err := s.parsePublic(public)
	if err != nil {
		return nil, nil, err
	}
	m := s.newMAC()
	defer s.putMAC(m)
	ephemeral, err := s.ephemeral(m)
	if err != nil {
		return nil, nil, err
	}
	defer clear(ephemeral.private)
	return s.seal(m, ephemeral, recipient, s.infoHash(m, m.info[:0], info), aad, plaintext)
}

// seal is SealBase with a given ephemeral key and the hash of the info.
func (s *std) seal(m *mac, ephemeral dhKey, recipient dhPoint, infoHash, aad, plaintext []byte) (enc, ciphertext []byte, err error) {
	enc, err = s.encap(m, ephemeral, recipient)
	if err != nil {
		return nil, nil, err
	}
	aead, nonce, err := s.messageKey(m, infoHash)
	if err != nil {
		return nil, nil, fmt.Errorf("suite: sealing: %w", err)
	}
	return enc, aead.Seal(make([]byte, 0, len(plaintext)+aead.Overhead()), nonce, plaintext, aad), nil
}

// sealBlock is how many jobs a core takes at once, if there are enough for all.
const sealBlock = 16

// SealMany implements [ManySealer]. The ikm of all ephemeral keys is drawn
// beforehand, in the order of the jobs.
func (s *std) SealMany(jobs []SealJob) error {
	for i := range jobs {
		if _, err := s.parsePublic(jobs[i].Public); err != nil {
			return failJobs(jobs, i, err)
		}
	}
	n := len(jobs)
	if n == 0 {
		return nil
	}
	size := s.id.Sizes().KEMPrivate
	ikm, err := s.draw(n * size)
	if err != nil {
		return failJobs(jobs, 0, err)
	}
	defer clear(ikm)
	common := s.commonInfo(jobs)
	errs := make([]error, n)
	procs := runtime.GOMAXPROCS(0)
	block := min((n+procs-1)/procs, sealBlock)
	parallel((n+block-1)/block, func(i int) {
		from, to := i*block, min((i+1)*block, n)
		s.sealJobs(jobs[from:to], ikm[from*size:to*size], common, errs[from:to])
	})
	for i, err := range errs {
		if err != nil {
			return failJobs(jobs, i, err)
		}
	}
	return nil
}

// commonInfo returns the hash of the info if all jobs have the same slice of it, and
// else nil. A Welcome is sealed to each new member with all of its GroupInfo as
// info (RFC 9420, Section 12.4.3.1): hashed for each, that would cost time in
// proportion to the square of a group's size.
func (s *std) commonInfo(jobs []SealJob) []byte {
	first := jobs[0].Info
	for i := range jobs {
		info := jobs[i].Info
		if len(info) != len(first) || len(info) > 0 && &info[0] != &first[0] {
			return nil
		}
	}
	m := s.newMAC()
	defer s.putMAC(m)
	return s.infoHash(m, nil, first)
}

// sealJobs does the jobs with the ephemeral keys that ikm determines. common is the
// hash of the info of all jobs, nil if each has its own.
func (s *std) sealJobs(jobs []SealJob, ikm, common []byte, errs []error) {
	m := s.newMAC()
	defer s.putMAC(m)
	n := s.id.Sizes().KEMPrivate
	for i := range jobs {
		errs[i] = s.sealJob(m, &jobs[i], ikm[i*n:][:n], common)
	}
}

func (s *std) sealJob(m *mac, j *SealJob, ikm, infoHash []byte) error {
	recipient, err := s.parsePublic(j.Public)
	if err != nil {
		return err
	}
	ephemeral, err := s.deriveKey(m, ikm)
	if err != nil {
		return err
	}
	defer clear(ephemeral.private)
	if infoHash == nil {
		infoHash = s.infoHash(m, m.info[:0], j.Info)
	}
	j.Enc, j.Ciphertext, err = s.seal(m, ephemeral, recipient, infoHash, j.AAD, j.Plaintext)
	return err
}

func (s *std) OpenBase(enc []byte, private PrivateKey, info, aad, ciphertext []byte) ([]byte, error) {
	return s.open(enc, private, nil, info, aad, ciphertext)
}

// OpenBaseWith implements [PairOpener].
func (s *std) OpenBaseWith(enc []byte, pair KeyPair, info, aad, ciphertext []byte) ([]byte, error) {
	if want := s.id.Sizes().KEMPublic; len(pair.Public) != want {
		return nil, fmt.Errorf("%w: public key of %d bytes, want %d", ErrKey, len(pair.Public), want)
	}
	return s.open(enc, pair.Private, pair.Public, info, aad, ciphertext)
}

// open is OpenBase; public is nil if the caller does not know it.
func (s *std) open(enc []byte, private PrivateKey, public, info, aad, ciphertext []byte) ([]byte, error) {
	m := s.newMAC()
	defer s.putMAC(m)
	if err := s.decap(m, enc, private, public); err != nil {
		return nil, err
	}
	aead, nonce, err := s.messageKey(m, s.infoHash(m, m.info[:0], info))
	if err != nil {
		return nil, fmt.Errorf("suite: opening: %w", err)
	}
	plaintext, err := aead.Open(nil, nonce, ciphertext, aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

func (s *std) SendExportBase(public, info, exporterContext []byte, n int) (enc, secret []byte, err error) {
	checkExpand(s.id, n)
	recipient, err := s.parsePublic(public)
	if err != nil {
		return nil, nil, err
	}
	m := s.newMAC()
	defer s.putMAC(m)
	ephemeral, err := s.ephemeral(m)
	if err != nil {
		return nil, nil, err
	}
	defer clear(ephemeral.private)
	enc, err = s.encap(m, ephemeral, recipient)
	if err != nil {
		return nil, nil, err
	}
	return enc, s.export(m, info, exporterContext, n), nil
}

func (s *std) ReceiveExportBase(enc []byte, private PrivateKey, info, exporterContext []byte, n int) ([]byte, error) {
	checkExpand(s.id, n)
	m := s.newMAC()
	defer s.putMAC(m)
	if err := s.decap(m, enc, private, nil); err != nil {
		return nil, err
	}
	return s.export(m, info, exporterContext, n), nil
}
