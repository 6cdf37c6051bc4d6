package suite

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func unhexString(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestHKDF holds test cases of RFC 5869, Appendix A.
func TestHKDF(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, ikm, salt, info, prk, okm string }{
		{"A.1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
			"077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
			"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
		{"A.3", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
			"19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
			"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
	}
	s, err := NewStd(X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			prk := s.Extract(unhexString(t, tt.salt), unhexString(t, tt.ikm))
			if got := hex.EncodeToString(prk); got != tt.prk {
				t.Errorf("Extract = %s, want %s", got, tt.prk)
			}
			if got := hex.EncodeToString(s.Expand(prk, unhexString(t, tt.info), 42)); got != tt.okm {
				t.Errorf("Expand = %s, want %s", got, tt.okm)
			}
		})
	}
}

// TestHMAC holds test case 2 of RFC 4231 for each hash.
func TestHMAC(t *testing.T) {
	t.Parallel()
	for id, want := range map[ID]string{
		X25519AES128GCMSHA256Ed25519: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		P384AES256GCMSHA384P384:      "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
		X448AES256GCMSHA512Ed448: "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554" +
			"9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
	} {
		s, err := NewStd(id)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(s.HMAC(nil, []byte("Jefe"), []byte("what do ya want for nothing?"))); got != want {
			t.Errorf("%v: HMAC = %s, want %s", id, got, want)
		}
	}
}

// TestEdDSA holds test vectors of RFC 8032, Sections 7.1 and 7.4.
func TestEdDSA(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                   string
		id                     ID
		seed, public, msg, sig string
	}{
		{"7.1 TEST 1", X25519AES128GCMSHA256Ed25519,
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"7.1 TEST 2", X25519ChaCha20Poly1305SHA256Ed25519,
			"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"7.4 Blank", X448AES256GCMSHA512Ed448,
			"6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b",
			"5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180", "",
			"533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980" +
				"ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := NewStd(tt.id)
			if err != nil {
				t.Fatal(err)
			}
			seed, msg := PrivateKey(unhexString(t, tt.seed)), unhexString(t, tt.msg)
			public, err := s.SignerPublicKey(seed)
			if err != nil || hex.EncodeToString(public) != tt.public {
				t.Errorf("SignerPublicKey = %x, %v, want %s", public, err, tt.public)
			}
			for _, private := range []PrivateKey{seed, append(bytes.Clone(seed), public...)} {
				sig, err := s.Sign(private, msg)
				if err != nil || hex.EncodeToString(sig) != tt.sig {
					t.Errorf("Sign = %x, %v, want %s", sig, err, tt.sig)
				}
			}
			if err := s.Verify(public, msg, unhexString(t, tt.sig)); err != nil {
				t.Errorf("Verify = %v, want nil", err)
			}
		})
	}
}

// TestDH holds the vectors of RFC 7748, Section 6.1.
func TestDH(t *testing.T) {
	t.Parallel()
	s, err := NewStd(X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	const (
		alice    = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
		alicePub = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
		bobPub   = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
		shared   = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
	)
	private := PrivateKey(unhexString(t, alice))
	if got, err := s.PublicKey(private); err != nil || hex.EncodeToString(got) != alicePub {
		t.Errorf("PublicKey = %x, %v, want %s", got, err, alicePub)
	}
	if got, err := s.DH(private, unhexString(t, bobPub)); err != nil || hex.EncodeToString(got) != shared {
		t.Errorf("DH = %x, %v, want %s", got, err, shared)
	}
}

// hpkeVectors are of RFC 9180, Appendix A, in base mode: the first message and
// the export in the context "TestContext". The row of X448 is from the file of
// vectors that the appendix points to.
var hpkeVectors = []struct {
	name                                  string
	id                                    ID
	ikmE, ikmR, skR, pkR, enc, ct, export string
}{
	{
		name: "A.1.1", id: X25519AES128GCMSHA256Ed25519,
		ikmE:   "7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234",
		ikmR:   "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037",
		skR:    "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
		pkR:    "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
		enc:    "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
		ct:     "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
		export: "e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931",
	},
	{
		name: "A.2.1", id: X25519ChaCha20Poly1305SHA256Ed25519,
		ikmE:   "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b",
		ikmR:   "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df",
		skR:    "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
		pkR:    "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a",
		enc:    "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
		ct:     "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
		export: "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53",
	},
	{
		name: "A.3.1", id: P256AES128GCMSHA256P256,
		ikmE: "4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e",
		ikmR: "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550",
		skR:  "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
		pkR: "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6" +
			"aa8f80e30f1d128aafd68a2ce72ea0",
		enc: "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be86" +
			"3c403ce65c9bfcb9382657222d18c4",
		ct:     "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434",
		export: "d8f1ea7942adbba7412c6d431c62d01371ea476b823eb697e1f6e6cae1dab85a",
	},
	{
		name: "A.6.1", id: P521AES256GCMSHA512P521,
		ikmE: "7f06ab8215105fc46aceeb2e3dc5028b44364f960426eb0d8e4026c2f8b5d7e7a986688f1591abf5ab753c357a5d6f044041" +
			"4b4ed4ede71317772ac98d9239f70904",
		ikmR: "2ad954bbe39b7122529f7dde780bff626cd97f850d0784a432784e69d86eccaade43b6c10a8ffdb94bf943c6da479db13791" +
			"4ec835a7e715e36e45e29b587bab3bf1",
		skR: "01462680369ae375e4b3791070a7458ed527842f6a98a79ff5e0d4cbde83c27196a3916956655523a6a2556a7af62c5cadab" +
			"e2ef9da3760bb21e005202f7b2462847",
		pkR: "0401b45498c1714e2dce167d3caf162e45e0642afc7ed435df7902ccae0e84ba0f7d373f646b7738bbbdca11ed91bdeae3cd" +
			"cba3301f2457be452f271fa6837580e661012af49583a62e48d44bed350c7118c0d8dc861c238c72a2bda17f64704f464b57" +
			"338e7f40b60959480c0e58e6559b190d81663ed816e523b6b6a418f66d2451ec64",
		enc: "040138b385ca16bb0d5fa0c0665fbbd7e69e3ee29f63991d3e9b5fa740aab8900aaeed46ed73a49055758425a0ce36507c54" +
			"b29cc5b85a5cee6bae0cf1c21f2731ece2013dc3fb7c8d21654bb161b463962ca19e8c654ff24c94dd2898de12051f1ed069" +
			"2237fb02b2f8d1dc1c73e9b366b529eb436e98a996ee522aef863dd5739d2f29b0",
		ct:     "170f8beddfe949b75ef9c387e201baf4132fa7374593dfafa90768788b7b2b200aafcc6d80ea4c795a7c5b841a",
		export: "f389beaac6fcf6c0d9376e20f97e364f0609a88f1bc76d7328e9104df8477013",
	},
	{
		name: "X448 (not in the appendix)", id: X448AES256GCMSHA512Ed448,
		ikmE: "39ed47496020ec7c2afc214425fc6a15fb6f1e16759c2b066265b6624c84ed50ee6c3129d9ed71318b19a96e5c5cc6b27aca" +
			"5e1ae9cdc7e0",
		ikmR: "93e714430d3cb00e8e8a03dd820dcbcc7f0141f93c63a7dede2dfb152b5b23982a1a55f2d86dd9e0f5a0f53b9c21605257ec" +
			"1349d7f89e53",
		skR: "c4e72a57af1640806c01617b947ee6d1bbe5eb1a5b4616fb705a5d2ed30b7f4317365c504249750e090805d44a2ddc297017" +
			"2414a90a09e5",
		pkR: "d920db89afdb25df110a44cf0d7dc4e4d4b74f09ceaba5e76a12d3cafefcd962e244804a58bfd12303732be21d511f877ddc" +
			"2ed694447b3d",
		enc: "390f2971ca97d513915a2bc5aac0cb81b832d9424d2264eaa9e868d80862edd7918276883a8d0434309e049408fec2340ae5" +
			"799702f948d7",
		ct:     "6a5ef0f8c88a17c6d26bee63b4468cd43360eb69804fb392d8c9b8eba2f9bd806726c7d99cb9073022000ce41a",
		export: "419d16ff65523a00452d37ba2fd5f2b1a9261aeb30f1b1736cc2f3febb16c884",
	},
}

// TestHPKE gives the suite the ephemeral key's ikm as its randomness, which fixes
// the enc of RFC 9180.
func TestHPKE(t *testing.T) {
	t.Parallel()
	info, aad, pt := []byte("Ode on a Grecian Urn"), []byte("Count-0"), []byte("Beauty is truth, truth beauty")
	for _, tt := range hpkeVectors {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ikmE := unhexString(t, tt.ikmE)
			s := &std{id: tt.id, rand: bytes.NewReader(append(ikmE, ikmE...))}
			pair, err := s.DeriveKeyPair(unhexString(t, tt.ikmR))
			if err != nil || hex.EncodeToString(pair.Private) != tt.skR || hex.EncodeToString(pair.Public) != tt.pkR {
				t.Fatalf("DeriveKeyPair = %s, %x, %v, want %s, %s", hex.EncodeToString(pair.Private), pair.Public, err, tt.skR, tt.pkR)
			}
			enc, ct, err := s.SealBase(pair.Public, info, aad, pt)
			if err != nil || hex.EncodeToString(enc) != tt.enc || hex.EncodeToString(ct) != tt.ct {
				t.Errorf("SealBase = %x, %x, %v, want %s, %s", enc, ct, err, tt.enc, tt.ct)
			}
			got, err := s.OpenBase(unhexString(t, tt.enc), pair.Private, info, aad, unhexString(t, tt.ct))
			if err != nil || !bytes.Equal(got, pt) {
				t.Errorf("OpenBase = %q, %v, want %q", got, err, pt)
			}
			_, secret, err := s.SendExportBase(pair.Public, info, []byte("TestContext"), 32)
			if err != nil || hex.EncodeToString(secret) != tt.export {
				t.Errorf("SendExportBase = %x, %v, want %s", secret, err, tt.export)
			}
			secret, err = s.ReceiveExportBase(enc, pair.Private, info, []byte("TestContext"), 32)
			if err != nil || hex.EncodeToString(secret) != tt.export {
				t.Errorf("ReceiveExportBase = %x, %v, want %s", secret, err, tt.export)
			}
		})
	}
}
