package schedule

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// TestNewEpoch checks what the vectors do not hold: the secret of the extensions,
// that EpochOf is the second half of NewEpoch, and that no two secrets are equal.
func TestNewEpoch(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	member, context := testRoot(s), []byte("context")
	e := NewEpoch(s, member, context)
	secret := labeled.Expand(s, member, "epoch", context, 32)
	equal(t, "application_export_secret", e.ApplicationExport, labeled.DeriveSecret(s, secret, "application_export"))
	equal(t, "Init of EpochOf", EpochOf(s, secret).Init, e.Init)
	seen := map[string]string{}
	for name, b := range secretsOf(e) {
		if other, ok := seen[string(b)]; ok || len(b) != 32 {
			t.Errorf("%s is %x, as is %s", name, b, other)
		}
		seen[string(b)] = name
	}
	secrets := secretsOf(e)
	e.Wipe()
	for name, b := range secrets {
		if !bytes.Equal(b, make([]byte, 32)) {
			t.Errorf("%s is %x after Wipe", name, b)
		}
	}
	if e.Init != nil {
		t.Errorf("a wiped epoch has the init_secret %x", e.Init)
	}
}

func secretsOf(e *Epoch) map[string][]byte {
	return map[string][]byte{
		"SenderData": e.SenderData, "Encryption": e.Encryption, "Exporter": e.Exporter, "External": e.External,
		"Confirmation": e.Confirmation, "Membership": e.Membership, "Resumption": e.Resumption,
		"Authenticator": e.Authenticator, "Init": e.Init, "ApplicationExport": e.ApplicationExport,
	}
}

// TestRedaction: no verb prints a secret.
func TestRedaction(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	secret := []byte("0123456789abcdef0123456789abcdef")
	e := EpochOf(s, secret)
	e.Init = secret
	key := Key{3, secret, secret}
	psk := PSK{message.PreSharedKeyID{Type: message.PSKExternal}, secret}
	tree := NewSecretTree(s, secret, 1, Limits{})
	exporter := NewExporterTree(s, secret)
	exporter.frontier.nodes[1] = secret
	for _, v := range []any{e, *e, key, &key, []Key{key}, psk, &psk, []PSK{psk}, tree, *tree, exporter, *exporter,
		struct{ E *Epoch }{e}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			got := fmt.Sprintf(verb, v)
			for _, leak := range []string{string(secret), "30313233", "303132", "48 49 50", "0x30, 0x31"} {
				if strings.Contains(got, leak) {
					t.Errorf("%s of %T prints %q", verb, v, got)
				}
			}
		}
	}
}

// TestExternalInit (RFC 9420, Section 8.3): both ends compute the same init_secret.
func TestExternalInit(t *testing.T) {
	t.Parallel()
	for _, id := range suite.IDs() {
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			s := seeded(t, id)
			pair, err := ExternalKeyPair(s, testRoot(s))
			noError(t, err)
			again, err := ExternalKeyPair(s, testRoot(s))
			noError(t, err)
			equal(t, "external_pub of another member", again.Public, pair.Public)
			kemOutput, sent, err := ExternalInitSend(s, pair.Public)
			noError(t, err)
			received, err := ExternalInitReceive(s, kemOutput, pair)
			noError(t, err)
			equal(t, "init_secret", received, sent)
			if len(sent) != id.Sizes().Hash {
				t.Errorf("init_secret has %d bytes, want %d", len(sent), id.Sizes().Hash)
			}
			other, err := ExternalKeyPair(s, append(testRoot(s)[1:], 8))
			noError(t, err)
			if got, err := ExternalInitReceive(s, kemOutput, other); err == nil && bytes.Equal(got, sent) {
				t.Error("another key pair receives the same init_secret")
			}
			if _, err := ExternalInitReceive(s, kemOutput[1:], pair); !errors.Is(err, suite.ErrKey) {
				t.Errorf("receiving a short kem_output = %v, want %v", err, suite.ErrKey)
			}
			if _, _, err := ExternalInitSend(s, pair.Public[1:]); !errors.Is(err, suite.ErrKey) {
				t.Errorf("sending to a short key = %v, want %v", err, suite.ErrKey)
			}
		})
	}
}

// TestPSKSecret (RFC 9420, Section 8.4).
func TestPSKSecret(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	compute := func(psks ...PSK) []byte {
		b, err := PSKSecret(s, psks)
		noError(t, err)
		return b
	}
	a := PSK{message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("a"), Nonce: make([]byte, 32)}, []byte("secret")}
	b := PSK{message.PreSharedKeyID{Type: message.PSKResumption, Usage: message.ResumptionBranch, GroupID: []byte("g"), Epoch: 1, Nonce: make([]byte, 32)}, []byte("secret")}
	otherNonce, otherSecret := a, a
	otherNonce.ID.Nonce = bytes.Repeat([]byte{1}, 32)
	otherSecret.Secret = []byte("other")
	t.Run("none is all-zero", func(t *testing.T) {
		equal(t, "psk_secret", compute(), make([]byte, 32))
	})
	t.Run("order, name, nonce and secret count", func(t *testing.T) {
		seen := map[string]int{}
		for i, list := range [][]PSK{{}, {a}, {b}, {a, b}, {b, a}, {a, a}, {otherNonce}, {otherSecret}} {
			secret := string(compute(list...))
			if j, ok := seen[secret]; ok {
				t.Errorf("lists %d and %d give the same psk_secret", j, i)
			}
			seen[secret] = i
		}
	})
	t.Run("inputs stay", func(t *testing.T) {
		compute(a, b)
		equal(t, "a's secret", a.Secret, []byte("secret"))
	})
	t.Run("65536", func(t *testing.T) {
		if _, err := PSKSecret(s, make([]PSK, math.MaxUint16+1)); !errors.Is(err, ErrTooManyPSKs) {
			t.Errorf("PSKSecret = %v, want %v", err, ErrTooManyPSKs)
		}
	})
}

// TestExport (RFC 9420, Section 8.5).
func TestExport(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	root := testRoot(s)
	seen := map[string]string{}
	for _, in := range [][2]string{{"", ""}, {"a", ""}, {"", "a"}, {"a", "a"}, {"b", "a"}, {"a", "b"}} {
		b, err := Export(s, root, in[0], []byte(in[1]), 16)
		noError(t, err)
		if other, ok := seen[string(b)]; ok {
			t.Errorf("label and context %q give the same as %q", in, other)
		}
		seen[string(b)] = fmt.Sprint(in)
	}
	for n, ok := range map[int]bool{-1: false, 0: true, 1: true, 255 * 32: true, 255*32 + 1: false, math.MaxInt: false} {
		b, err := Export(s, root, "label", nil, n)
		if ok && (err != nil || len(b) != n) || !ok && !errors.Is(err, ErrExportLength) {
			t.Errorf("Export of %d bytes = %d bytes, %v, want them: %t", n, len(b), err, ok)
		}
	}
}

// TestTranscript (RFC 9420, Section 8.2): the hashes of epoch 0 begin with nothing,
// and an encoded tag has its length before it.
func TestTranscript(t *testing.T) {
	t.Parallel()
	s := seeded(t, suite1)
	equal(t, "confirmed", ConfirmedTranscriptHash(s, nil, []byte("input")), s.Hash(nil, []byte("input")))
	equal(t, "interim", InterimTranscriptHash(s, nil, []byte("tag")), s.Hash(nil, []byte("\x03tag")))
	equal(t, "confirmed after interim", ConfirmedTranscriptHash(s, []byte("before"), []byte("input")), s.Hash(nil, []byte("beforeinput")))
}

// TestExporterTree (draft-ietf-mls-extensions-10, Exported Secrets): the exported
// secret of a component is the leaf of a tree of 2^16; it is consumed when it is
// generated, with all that it came from.
func TestExporterTree(t *testing.T) {
	t.Parallel()
	for _, id := range suite.IDs() {
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			s := seeded(t, id)
			ref := naive{s, 16, testRoot(s)}
			tree := NewExporterTree(s, testRoot(s))
			for i, component := range []uint16{9, 0, 0xffff, 8, 0x8000} {
				b, err := tree.SafeExport(component)
				noError(t, err)
				equal(t, fmt.Sprintf("secret of component %d", component), b, ref.leaf(uint32(component)))
				if b, err := tree.SafeExport(component); !errors.Is(err, ErrConsumed) {
					t.Errorf("the secret of component %d came twice: %x, %v", component, b, err)
				}
				state, err := tree.Marshal()
				noError(t, err)
				for level := range 17 {
					var path []bool
					for bit := 15; bit >= level; bit-- {
						path = append(path, component>>bit&1 == 1)
					}
					if bytes.Contains(state, ref.node(path...)) {
						t.Errorf("after component %d the state holds the node %d above it", component, level)
					}
				}
				if i%2 == 0 {
					tree, err = UnmarshalExporterTree(s, state)
					noError(t, err)
				}
				again, err := tree.Marshal()
				noError(t, err)
				equal(t, "state", again, state)
			}
			tree.Wipe()
			if _, err := tree.SafeExport(1); !errors.Is(err, ErrConsumed) {
				t.Errorf("SafeExport after Wipe = %v, want %v", err, ErrConsumed)
			}
			if b, err := tree.Marshal(); err == nil {
				t.Errorf("a wiped tree was stored as %x", b)
			}
		})
	}
}
