//go:build !nogpl

package v3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.mau.fi/libsignal/cipher"
	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/serialize"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/signalerror"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/util/keyhelper"
	"go.mau.fi/libsignal/util/optional"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// Each test in this file is of one defect of go.mau.fi/libsignal v0.2.1. The part
// under "library" shows that the library has it, and fails once it no longer has;
// the part under "client" shows that it does not reach the users of this package.

// bare is a client as the library's documentation has it: its own ciphers over
// stores that keep live objects.
type bare struct {
	name       string
	serializer *serialize.Serializer
	identity   *identity.KeyPair
	sessions   map[string]*record.Session
	preKeys    map[uint32]*record.PreKey
	signed     *record.SignedPreKey

	mu   sync.Mutex
	load func() // called inside LoadSession, for races that are sure to happen
}

func newBare(t testing.TB, name string) *bare {
	t.Helper()
	silence()
	b := &bare{name: name, serializer: serialize.NewProtoBufSerializer(),
		sessions: make(map[string]*record.Session), preKeys: make(map[uint32]*record.PreKey)}
	var err error
	if b.identity, err = keyhelper.GenerateIdentityKeyPair(); err != nil {
		t.Fatal(err)
	}
	if b.signed, err = keyhelper.GenerateSignedPreKey(b.identity, 1, b.serializer.SignedPreKeyRecord); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bare) GetIdentityKeyPair() *identity.KeyPair   { return b.identity }
func (b *bare) GetLocalRegistrationID() uint32          { return 1000 }
func (b *bare) DeleteAllSessions(context.Context) error { return nil }
func (b *bare) SaveIdentity(context.Context, *protocol.SignalAddress, *identity.Key) error {
	return nil
}
func (b *bare) IsTrustedIdentity(context.Context, *protocol.SignalAddress, *identity.Key) (bool, error) {
	return true, nil
}
func (b *bare) LoadPreKey(_ context.Context, id uint32) (*record.PreKey, error) {
	return b.preKeys[id], nil
}
func (b *bare) StorePreKey(_ context.Context, id uint32, k *record.PreKey) error {
	b.preKeys[id] = k
	return nil
}
func (b *bare) ContainsPreKey(_ context.Context, id uint32) (bool, error) {
	return b.preKeys[id] != nil, nil
}
func (b *bare) RemovePreKey(_ context.Context, id uint32) error {
	delete(b.preKeys, id)
	return nil
}
func (b *bare) LoadSession(_ context.Context, a *protocol.SignalAddress) (*record.Session, error) {
	b.mu.Lock()
	s := b.sessions[a.String()]
	b.mu.Unlock()
	if b.load != nil {
		b.load()
	}
	if s == nil {
		return record.NewSession(b.serializer.Session, b.serializer.State), nil
	}
	return s, nil
}
func (b *bare) GetSubDeviceSessions(context.Context, string) ([]uint32, error) { return nil, nil }
func (b *bare) StoreSession(_ context.Context, a *protocol.SignalAddress, s *record.Session) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions[a.String()] = s
	return nil
}
func (b *bare) ContainsSession(_ context.Context, a *protocol.SignalAddress) (bool, error) {
	return b.sessions[a.String()] != nil, nil
}
func (b *bare) DeleteSession(context.Context, *protocol.SignalAddress) error { return nil }
func (b *bare) LoadSignedPreKey(context.Context, uint32) (*record.SignedPreKey, error) {
	return b.signed, nil
}
func (b *bare) LoadSignedPreKeys(context.Context) ([]*record.SignedPreKey, error) { return nil, nil }
func (b *bare) StoreSignedPreKey(context.Context, uint32, *record.SignedPreKey) error {
	return nil
}
func (b *bare) ContainsSignedPreKey(context.Context, uint32) (bool, error) { return true, nil }
func (b *bare) RemoveSignedPreKey(context.Context, uint32) error           { return nil }

func (b *bare) cipher(peer *bare) *session.Cipher {
	a := protocol.NewSignalAddress(peer.name, 1)
	return session.NewCipher(session.NewBuilder(b, b, b, b, a, b.serializer), a)
}

// establish starts a session towards peer, with a one-time prekey of that id.
func (b *bare) establish(t testing.TB, peer *bare, id uint32) {
	t.Helper()
	one, err := ecc.GenerateKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	peer.preKeys[id] = record.NewPreKey(id, one, peer.serializer.PreKeyRecord)
	a := protocol.NewSignalAddress(peer.name, 1)
	err = session.NewBuilder(b, b, b, b, a, b.serializer).ProcessBundle(context.Background(), prekey.NewBundle(
		1000, 1, optional.NewOptionalUint32(id), 1, one.PublicKey(), peer.signed.KeyPair().PublicKey(),
		peer.signed.Signature(), peer.identity.PublicKey()))
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bare) encrypt(t testing.TB, peer *bare, text string) []byte {
	t.Helper()
	m, err := b.cipher(peer).Encrypt(context.Background(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m.Serialize()
}

func (b *bare) decrypt(peer *bare, message []byte) ([]byte, error) {
	m, err := protocol.NewSignalMessageFromBytes(message, b.serializer.SignalMessage)
	if err != nil {
		return nil, err
	}
	return b.cipher(peer).Decrypt(context.Background(), m)
}

func (b *bare) decryptPreKey(peer *bare, message []byte) ([]byte, error) {
	m, err := protocol.NewPreKeySignalMessageFromBytes(message, b.serializer.PreKeySignalMessage, b.serializer.SignalMessage)
	if err != nil {
		return nil, err
	}
	return b.cipher(peer).DecryptMessage(context.Background(), m)
}

// barePair returns two of the library's clients in conversation.
func barePair(t testing.TB) (alice, bob *bare) {
	t.Helper()
	alice, bob = newBare(t, "alice"), newBare(t, "bob")
	alice.establish(t, bob, 1)
	if _, err := bob.decryptPreKey(alice, alice.encrypt(t, bob, "hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.decrypt(bob, bob.encrypt(t, alice, "hi")); err != nil {
		t.Fatal(err)
	}
	return alice, bob
}

func panics(f func()) (p any) {
	defer func() { p = recover() }()
	f()
	return nil
}

func TestShieldPanics(t *testing.T) {
	t.Parallel()
	silence()
	s := serialize.NewProtoBufSerializer()
	valid := signal.Message{Version: signal.VersionByte, Ciphertext: make([]byte, 16)}
	emptyKey := append([]byte{signal.VersionByte, 0x0a, 0x00, 0x10, 0, 0x18, 0, 0x22, 16}, make([]byte, 16+signal.MACSize)...)
	tests := []struct {
		name   string
		theirs func()
		client protocols.Sealed
	}{
		{"empty PreKeySignalMessage",
			func() { s.PreKeySignalMessage.Deserialize(nil) },
			protocols.Sealed{Type: typePreKey}},
		{"empty SenderKeyDistributionMessage",
			func() { s.SenderKeyDistributionMessage.Deserialize(nil) },
			protocols.Sealed{}},
		{"empty ratchet key",
			func() { protocol.NewSignalMessageFromBytes(emptyKey, s.SignalMessage) },
			protocols.Sealed{Type: typeMessage, Payload: emptyKey}},
		{"ciphertext that is not of whole blocks",
			func() { cipher.DecryptCbc(make([]byte, 16), make([]byte, 32), make([]byte, 17)) },
			protocols.Sealed{Type: typeMessage, Payload: func() []byte {
				m := valid
				m.Ciphertext = make([]byte, 17)
				return m.Append(nil)
			}()}},
	}
	alice, _ := pair(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if panics(test.theirs) == nil {
				t.Error("library: does not panic any more")
			}
			var err error
			p := panics(func() {
				if test.client.Type == "" {
					_, err = signal.LayoutWhatsApp.ParseDistribution(nil)
					return
				}
				test.client.Version = wireVersion
				_, err = alice.Open("bob", test.client)
			})
			if p != nil {
				t.Errorf("client: panics: %v", p)
			}
			if !errors.Is(err, protocols.ErrMalformed) && !errors.Is(err, signal.ErrFormat) {
				t.Errorf("client: %v", err)
			}
		})
	}
}

func TestShieldShortKey(t *testing.T) {
	t.Parallel()
	short := []byte{0x05, 0x09}
	k, err := ecc.DecodePoint(short, 0)
	if err != nil || k.PublicKey() != [32]byte{9} {
		t.Errorf("library: %v, does not fill a one-byte key up with zeros any more", err)
	}
	b := []byte{signal.VersionByte, 0x0a, 2, 0x05, 0x09, 0x10, 0, 0x18, 0, 0x22, 16}
	b = append(b, make([]byte, 16+signal.MACSize)...)
	if _, err := signal.ParseMessage(b); !errors.Is(err, signal.ErrFormat) {
		t.Errorf("client: %v", err)
	}
}

func TestShieldPadding(t *testing.T) {
	t.Parallel()
	key, iv := make([]byte, 32), make([]byte, 16)
	// Sixteen bytes of which the last says that three are padding, which differ.
	block := []byte("0123456789abc\x01\x02\x03")
	ciphertext, err := encryptCBC(key, iv, block)
	if err != nil {
		t.Fatal(err)
	}
	ciphertext = ciphertext[:16] // the block alone, without its own padding
	got, err := cipher.DecryptCbc(iv, key, bytes.Clone(ciphertext))
	if err != nil || string(got) != "0123456789abc" {
		t.Errorf("library: %q, %v, does not accept inconsistent padding any more", got, err)
	}
	if got, err := decryptCBC(key, iv, ciphertext); !errors.Is(err, errPadding) {
		t.Errorf("client: %q, %v", got, err)
	}
	for n := range 17 { // 0 and 17 are no lengths of padding
		block[15] = byte(n % 17 * 17)
		ciphertext, _ := encryptCBC(key, iv, block)
		if got, err := decryptCBC(key, iv, ciphertext[:16]); !errors.Is(err, errPadding) {
			t.Errorf("client: padding of %d: %q, %v", block[15], got, err)
		}
	}
}

func TestShieldSpareCapacity(t *testing.T) {
	t.Parallel()
	alice, _ := pair(t)
	tests := []struct {
		name    string
		encrypt func([]byte) error
		writes  bool
	}{
		{"library", func(b []byte) error {
			_, err := cipher.EncryptCbc(make([]byte, 16), make([]byte, 32), b)
			return err
		}, true},
		{"client", func(b []byte) error {
			_, err := alice.Seal("bob", b)
			return err
		}, false},
	}
	for _, test := range tests {
		buffer := []byte("text, and what the caller keeps behind it")
		if err := test.encrypt(buffer[:4]); err != nil {
			t.Fatal(err)
		}
		wrote := string(buffer) != "text, and what the caller keeps behind it"
		if wrote != test.writes {
			t.Errorf("%s: writes behind the plaintext: %v, want %v", test.name, wrote, test.writes)
		}
	}
}

func TestShieldForgery(t *testing.T) {
	t.Parallel()
	t.Run("library", func(t *testing.T) {
		t.Parallel()
		alice, bob := barePair(t)
		genuine := alice.encrypt(t, bob, "genuine")
		forged := bytes.Clone(genuine)
		forged[len(forged)-1] ^= 1
		if _, err := bob.decrypt(alice, forged); err == nil {
			t.Fatal("forgery accepted")
		}
		if _, err := bob.decrypt(alice, genuine); !errors.Is(err, signalerror.ErrOldCounter) {
			t.Errorf("%v, a forgery does not kill the genuine message any more", err)
		}
	})
	t.Run("client", func(t *testing.T) {
		t.Parallel()
		alice, bob := pair(t)
		bob.Changes()
		genuine := mustSeal(t, alice, "bob", "genuine")
		forged := genuine
		forged.Payload = bytes.Clone(genuine.Payload)
		forged.Payload[len(forged.Payload)-1] ^= 1
		if _, err := bob.Open("alice", forged); !errors.Is(err, protocols.ErrAuthentication) {
			t.Errorf("forgery: %v", err)
		}
		if changed := bob.Changes(); len(changed) != 0 {
			t.Errorf("the forgery changed %s", changed[0].Key)
		}
		mustOpen(t, bob, "alice", genuine, "genuine")
	})
}

// repeated returns how many of the SignalMessages repeat another's counter.
func repeated(t *testing.T, messages [][]byte) (n int) {
	t.Helper()
	seen := make(map[uint32]bool)
	for _, b := range messages {
		m, err := signal.ParseMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		if seen[m.Counter] {
			n++
		}
		seen[m.Counter] = true
	}
	return n
}

func TestShieldConcurrency(t *testing.T) {
	t.Parallel()
	const workers = 4
	t.Run("library", func(t *testing.T) {
		t.Parallel()
		alice, bob := barePair(t)
		// A store that deserialises, and all workers between their load and store.
		gate := make(chan struct{}, workers)
		var loaded sync.WaitGroup
		loaded.Add(workers)
		alice.load = func() { loaded.Done(); loaded.Wait() }
		encoded := alice.sessions["bob:1"].Serialize()
		messages := make([][]byte, workers)
		for i := range workers {
			go func() {
				defer func() { gate <- struct{}{} }()
				s, err := record.NewSessionFromBytes(encoded, alice.serializer.Session, alice.serializer.State)
				if err != nil {
					return
				}
				own := &bare{name: "alice", serializer: alice.serializer, identity: alice.identity,
					sessions: map[string]*record.Session{"bob:1": s}, load: alice.load}
				m, err := own.cipher(bob).Encrypt(context.Background(), []byte("at once"))
				if err == nil {
					messages[i] = m.Serialize()
				}
			}()
		}
		for range workers {
			<-gate
		}
		if n := repeated(t, messages); n != workers-1 {
			t.Errorf("%d of %d messages repeat a counter, and so key and IV", n, workers)
		}
	})
	t.Run("client", func(t *testing.T) {
		t.Parallel()
		alice, bob := pair(t)
		const each = 100
		messages := make([][]byte, workers*each)
		var group sync.WaitGroup
		for w := range workers {
			group.Go(func() {
				for i := range each {
					s, err := alice.Seal("bob", fmt.Append(nil, w, i))
					if err != nil {
						t.Error(err)
						return
					}
					messages[w*each+i] = s.Payload
				}
			})
		}
		group.Wait()
		if n := repeated(t, messages); n != 0 {
			t.Errorf("%d messages repeat a counter", n)
		}
		for _, m := range messages {
			if _, err := bob.Open("alice", protocols.Sealed{Type: typeMessage, Version: wireVersion, Payload: m}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestShieldPreviousCounter(t *testing.T) {
	t.Parallel()
	previous := func(b []byte) uint32 {
		t.Helper()
		m, err := signal.ParseMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		return m.PreviousCounter
	}
	alice, bob := newBare(t, "alice"), newBare(t, "bob")
	alice.establish(t, bob, 1)
	if _, err := bob.decryptPreKey(alice, alice.encrypt(t, bob, "hello")); err != nil {
		t.Fatal(err)
	}
	if got := previous(bob.encrypt(t, alice, "hi")); got != 1<<32-1 {
		t.Errorf("library: previous counter of the first reply = %d, does not underflow any more", got)
	}

	a, b := newClient(t, Adapter{}, "alice"), newClient(t, Adapter{}, "bob")
	establish(t, a, b)
	turn := func(from, to *client, n int, want uint32) {
		t.Helper()
		for range n {
			s := mustSeal(t, from, to.address, "text")
			if s.Type == typeMessage && previous(s.Payload) != want {
				t.Errorf("client: previous counter = %d, want %d", previous(s.Payload), want)
			}
			mustOpen(t, to, from.address, s, "text")
		}
	}
	turn(a, b, 4, 0) // in PreKeySignalMessages
	turn(b, a, 3, 0) // nothing sent before
	turn(a, b, 1, 3) // 0 to 3 were sent
	turn(b, a, 1, 2)
	turn(a, b, 1, 0)
}

func TestShieldPreKeyIDZero(t *testing.T) {
	t.Parallel()
	alice, bob := newBare(t, "alice"), newBare(t, "bob")
	alice.establish(t, bob, 0)
	first := alice.encrypt(t, bob, "hello")
	if _, err := bob.decryptPreKey(alice, first); err == nil {
		t.Error("library: takes prekey id 0 for an id now")
	}
	m, err := signal.ParsePreKeyMessage(first)
	if err != nil || !m.HasPreKey || m.PreKeyID != 0 {
		t.Errorf("client: prekey id 0 of the library's message parsed as %v, %v", m.HasPreKey, err)
	}
	// This package's clients never publish it, but a peer's bundle may hold it.
	a, b := newClient(t, Adapter{}, "alice"), newClient(t, Adapter{}, "bob")
	bundle := bundleOf(t, b, 1)
	moved := b.store.begin()
	moved.put(oneTimeKey(0), b.store.get(oneTimeKey(bundle.OneTime.ID)))
	moved.commit()
	bundle.OneTime.ID = 0
	if _, err := a.Establish(epoch, "bob", bundle); err != nil {
		t.Fatal(err)
	}
	if n := mustOpen(t, b, "alice", mustSeal(t, a, "bob", "hello"), "hello"); !n.Has(protocols.OneTimeKeyUsed) {
		t.Errorf("client: notice = %b", n)
	}
}

// TestShieldReceivedBytes: a MAC is over the bytes that were sent, not over what
// the receiver would have written.
func TestShieldReceivedBytes(t *testing.T) {
	t.Parallel()
	t.Run("library", func(t *testing.T) {
		t.Parallel()
		alice, bob := barePair(t)
		b := alice.encrypt(t, bob, "text")
		b[0] = 0x3c // nobody authenticated this byte
		if got, err := bob.decrypt(alice, b); err != nil || string(got) != "text" {
			t.Errorf("%q, %v, notices a changed version byte now", got, err)
		}
		b = alice.encrypt(t, bob, "text")
		unknown := slices.Insert(bytes.Clone(b), len(b)-protocol.MacLength, 0x50, 1)
		if got, err := bob.decrypt(alice, unknown); err != nil || string(got) != "text" {
			t.Errorf("%q, %v, notices a field that was added on the way now", got, err)
		}
	})
	t.Run("client", func(t *testing.T) {
		t.Parallel()
		alice, bob := pair(t)
		s := mustSeal(t, alice, "bob", "text")
		for b := range 256 {
			forged := s
			forged.Payload = bytes.Clone(s.Payload)
			if forged.Payload[0] = byte(b); b == signal.VersionByte {
				continue
			}
			if _, err := bob.Open("alice", forged); err == nil {
				t.Errorf("version byte %#02x accepted", b)
			}
		}
		unknown := s
		unknown.Payload = slices.Insert(bytes.Clone(s.Payload), len(s.Payload)-signal.MACSize, 0x50, 1)
		if _, err := bob.Open("alice", unknown); !errors.Is(err, protocols.ErrMalformed) {
			t.Errorf("field added on the way: %v", err)
		}
		mustOpen(t, bob, "alice", s, "text")

		// An encoder that writes the fields in another order, and marks the message
		// with the other version byte, is understood.
		states, err := decodeSession(alice.store.get(sessionKey("bob")))
		if err != nil {
			t.Fatal(err)
		}
		state, h, err := decodeState(states[0])
		if err != nil {
			t.Fatal(err)
		}
		keys := state.SenderChainKey().MessageKeys()
		ours, err := encrypt(state, []byte("reordered"))
		if err != nil {
			t.Fatal(err)
		}
		body := ours[1 : len(ours)-signal.MACSize]
		theirs := slices.Concat([]byte{signal.VersionByteOfV4}, body[35:], body[:35])
		mac := macOf(keys, state.LocalIdentityKey(), state.RemoteIdentityKey(), theirs)
		states[0] = encodeState(structure(state), h)
		theirs = append(theirs, mac[:signal.MACSize]...)
		mustOpen(t, bob, "alice", protocols.Sealed{Type: typeMessage, Version: wireVersion, Payload: theirs}, "reordered")
	})
}

// TestShieldPromotion is a defect found on the way: when an archived state is
// promoted, the library keeps a stale copy of it among the archived ones, with
// keys that were to be deleted.
func TestShieldPromotion(t *testing.T) {
	t.Parallel()
	alice, bob := barePair(t)
	late := alice.encrypt(t, bob, "late")
	stored, err := record.NewSessionFromBytes(bob.sessions["alice:1"].Serialize(), bob.serializer.Session, bob.serializer.State)
	if err != nil {
		t.Fatal(err)
	}
	bob.sessions["alice:1"] = stored // a record that was never stored is not archived
	alice.establish(t, bob, 2)
	if _, err := bob.decryptPreKey(alice, alice.encrypt(t, bob, "again")); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.decrypt(alice, late); err != nil {
		t.Fatal(err)
	}
	if s := bob.sessions["alice:1"]; len(s.PreviousSessionStates()) != 2 {
		t.Errorf("library: %d archived states of two in all, keeps no copy any more", len(s.PreviousSessionStates()))
	}

	a, b := pair(t)
	overtaken := mustSeal(t, a, "bob", "late")
	establish(t, a, b)
	mustOpen(t, b, "alice", mustSeal(t, a, "bob", "again"), "again")
	mustOpen(t, b, "alice", overtaken, "late")
	states, err := decodeSession(b.store.get(sessionKey("alice")))
	if err != nil || len(states) != 2 {
		t.Errorf("client: %d states, %v, want 2", len(states), err)
	}
}
