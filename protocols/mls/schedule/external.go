package schedule

import "github.com/mimi-lab/mimi-lab/protocols/suite"

// externalInit is the exporter context of both ends (RFC 9420, Section 8.3).
var externalInit = []byte("MLS 1.0 external init secret")

// ExternalKeyPair returns the key pair that all members hold for those who join by
// an external Commit (RFC 9420, Section 8). external is the epoch's external_secret.
func ExternalKeyPair(s suite.Suite, external []byte) (suite.KeyPair, error) {
	return s.DeriveKeyPair(external)
}

// ExternalInitSend makes an init_secret and what tells it to the holders of an
// external key pair (RFC 9420, Section 8.3). Its errors are those of [suite.Suite].
func ExternalInitSend(s suite.Suite, externalPub []byte) (kemOutput, initSecret []byte, err error) {
	return s.SendExportBase(externalPub, nil, externalInit, s.ID().Sizes().Hash)
}

// ExternalInitReceive is the other end of [ExternalInitSend].
func ExternalInitReceive(s suite.Suite, kemOutput []byte, pair suite.KeyPair) (initSecret []byte, err error) {
	return s.ReceiveExportBase(kemOutput, pair.Private, nil, externalInit, s.ID().Sizes().Hash)
}
