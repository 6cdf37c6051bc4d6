package suite

import "fmt"

// SealExporter is the ability to seal and export under one encapsulation.
type SealExporter interface {
	// SealExportBase is SealBase and SendExportBase with one enc.
	SealExportBase(public, info, aad, plaintext, exporterContext []byte, n int) (enc, ciphertext, secret []byte, err error)
}

// SealExportBase seals the first message of an HPKE context in base mode and exports
// a secret of n bytes, 0 <= n <= 255 * Sizes.Hash, from the same context (RFC 9180,
// Sections 5.2 and 5.3). Oblivious HTTP needs both (RFC 9458, Section 4.4). The
// recipient opens with OpenBase and exports with ReceiveExportBase. All suites of
// this package can; of others it returns an error.
func SealExportBase(s Suite, public, info, aad, plaintext, exporterContext []byte, n int) (enc, ciphertext, secret []byte, err error) {
	e, ok := s.(SealExporter)
	if !ok {
		return nil, nil, nil, fmt.Errorf("suite: %T cannot seal and export under one encapsulation", s)
	}
	return e.SealExportBase(public, info, aad, plaintext, exporterContext, n)
}

// SealExportBase implements [SealExporter].
func (s *std) SealExportBase(public, info, aad, plaintext, exporterContext []byte, n int) (enc, ciphertext, secret []byte, err error) {
	checkExpand(s.id, n)
	recipient, err := s.parsePublic(public)
	if err != nil {
		return nil, nil, nil, err
	}
	m := s.newMAC()
	defer s.putMAC(m)
	ephemeral, err := s.ephemeral(m)
	if err != nil {
		return nil, nil, nil, err
	}
	enc, ciphertext, err = s.seal(m, ephemeral, recipient, s.infoHash(m, m.info[:0], info), aad, plaintext)
	if err != nil {
		return nil, nil, nil, err
	}
	return enc, ciphertext, s.export(m, info, exporterContext, n), nil // of the secret that seal left in m
}

// SealExportBase implements [SealExporter]. It counts as a SealBase and a
// SendExportBase.
func (c *Counting) SealExportBase(public, info, aad, plaintext, exporterContext []byte, n int) (enc, ciphertext, secret []byte, err error) {
	c.counts[OpHPKESeal].add(len(plaintext) + len(aad))
	c.counts[OpHPKESend].add(n)
	return SealExportBase(c.suite, public, info, aad, plaintext, exporterContext, n)
}

// SealExportBase implements [SealExporter].
func (s *shape) SealExportBase(public, info, aad, plaintext, exporterContext []byte, n int) (enc, ciphertext, secret []byte, err error) {
	checkExpand(s.id, n)
	enc, m, err := s.setupS(public, info)
	if err != nil {
		return nil, nil, nil, err
	}
	a, dst := shapeAEAD{m}, make([]byte, 0, len(plaintext)+shapeTag)
	return enc, a.Seal(dst, make([]byte, shapeNonce), plaintext, aad), m.export(exporterContext, n), nil
}
