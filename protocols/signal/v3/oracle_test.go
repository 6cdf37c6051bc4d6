//go:build oracle && !nogpl

package v3

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/groups/ratchet"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// The tests in this file talk to the official implementation, npm's
// @signalapp/libsignal-client, in a node process. They need npm and node and
// fetch the package, so a build tag keeps them out of ordinary runs:
//
//	go test -tags oracle ./protocols/signal/v3 -run Oracle -v

//go:embed testdata/oracle.mjs
var oracleScript []byte

// oracle is a node process that runs testdata/oracle.mjs.
type oracle struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// request and answer are its lines. Bytes are base64 in JSON on both sides.
type request struct {
	Op string `json:"op"`

	Text    []byte `json:"text"`
	Type    string `json:"type"`
	Payload []byte `json:"payload"`

	ID             *uint32 `json:"id"` // of the one-time prekey
	Key            []byte  `json:"key"`
	RegistrationID uint32  `json:"registrationId"`
	Identity       []byte  `json:"identity"`
	SignedID       uint32  `json:"signedId"`
	SignedKey      []byte  `json:"signedKey"`
	Signature      []byte  `json:"signature"`

	LocalID   []byte `json:"localId"`
	LocalKey  []byte `json:"localKey"`
	RemoteID  []byte `json:"remoteId"`
	RemoteKey []byte `json:"remoteKey"`
}

type answer struct {
	request
	Error string `json:"error"`
}

// newOracle installs a version of the package in a temporary folder and starts
// the script there.
func newOracle(t *testing.T, version string) *oracle {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("package.json", []byte(`{"private": true}`))
	write("oracle.mjs", oracleScript)
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "@signalapp/libsignal-client@"+version)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	node := exec.Command("node", "oracle.mjs")
	node.Dir = dir
	node.Stderr = os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := node.Wait(); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	return &oracle{t, in, bufio.NewReader(out)}
}

// try sends a request and returns what the script answers.
func (o *oracle) try(r request) (answer, error) {
	o.t.Helper()
	line, err := json.Marshal(r)
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(o.in, "%s\n", line); err != nil {
		o.t.Fatal(err)
	}
	reply, err := o.out.ReadBytes('\n')
	if err != nil {
		o.t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(reply, &a); err != nil {
		o.t.Fatalf("%s: %v", reply, err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

func (o *oracle) do(r request) answer {
	o.t.Helper()
	a, err := o.try(r)
	if err != nil {
		o.t.Fatalf("%s: %v", r.Op, err)
	}
	return a
}

// bundle is key material that the oracle published.
func (o *oracle) bundle(id *uint32) protocols.Bundle {
	o.t.Helper()
	a := o.do(request{Op: "bundle", ID: id})
	static := signal.Static{
		RegistrationID: a.RegistrationID,
		IdentityKey:    [32]byte(a.Identity[1:]),
		SignedPreKeyID: a.SignedID,
		SignedPreKey:   [32]byte(a.SignedKey[1:]),
		Signature:      [64]byte(a.Signature),
	}
	b := protocols.Bundle{Static: static.Append(nil)}
	if id != nil {
		b.OneTime = &protocols.OneTimeKey{ID: *id, Value: a.Key[1:]}
	}
	return b
}

// establish hands the oracle key material of ours.
func (o *oracle) establish(b protocols.Bundle) {
	o.t.Helper()
	s, err := signal.ParseStatic(b.Static)
	if err != nil {
		o.t.Fatal(err)
	}
	r := request{
		Op: "establish", RegistrationID: s.RegistrationID, SignedID: s.SignedPreKeyID, Signature: s.Signature[:],
		Identity: signal.Signed(&s.IdentityKey), SignedKey: signal.Signed(&s.SignedPreKey),
	}
	if b.OneTime != nil {
		r.ID, r.Key = &b.OneTime.ID, signal.Signed((*[32]byte)(b.OneTime.Value))
	}
	o.do(r)
}

const oraclePeer protocols.Address = "oracle"

// converse exchanges n messages in random directions and returns how many arrived
// at each side. Any message may be overtaken by up to four later ones: more could
// begin more chains than a session keeps.
func converse(t *testing.T, o *oracle, ours *client, n int, oursFirst bool) (toThem, toUs int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 141592))
	type flying struct {
		toThem bool
		text   string
		sealed protocols.Sealed
	}
	var held []flying
	deliver := func(f flying) {
		t.Helper()
		if f.toThem {
			toThem++
			a := o.do(request{Op: "decrypt", Type: f.sealed.Type, Payload: f.sealed.Payload})
			if string(a.Text) != f.text {
				t.Fatalf("the oracle read %q, want %q", a.Text, f.text)
			}
			return
		}
		toUs++
		mustOpen(t, ours, oraclePeer, f.sealed, f.text)
	}
	for i := range n {
		f := flying{toThem: rng.IntN(2) == 0, text: fmt.Sprint(i, strings.Repeat(" text", rng.IntN(300)))}
		if i < 3 {
			f.toThem = oursFirst // an initiator's first messages
		}
		if f.toThem {
			f.sealed = mustSeal(t, ours, oraclePeer, f.text)
		} else {
			a := o.do(request{Op: "encrypt", Text: []byte(f.text)})
			f.sealed = protocols.Sealed{Type: a.Type, Version: wireVersion, Payload: a.Payload}
		}
		if i < 3 {
			deliver(f)
			continue
		}
		if held = append(held, f); i%5 == 4 {
			rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
			for _, f := range held {
				deliver(f)
			}
			held = held[:0]
		}
	}
	for _, f := range held {
		deliver(f)
	}
	return toThem, toUs
}

// oracleClient makes the client that the oracle knows as its peer. Each has an
// identity and keys of its own.
func oracleClient(t *testing.T, seed string) *client {
	t.Helper()
	c, err := Adapter{}.New(protocols.Config{Address: "peer", Suite: suiteOf(seed)})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*client)
}

// TestOracleSessions talks to the oldest and the newest official clients that
// speak version 3: 0.23.1 marks its messages 0x33 and 0.72.1 marks them 0x34.
func TestOracleSessions(t *testing.T) {
	const messages = 400
	zero, big := uint32(0), uint32(signal.MaxPreKeyID)
	for _, version := range []string{"0.23.1", "0.72.1"} {
		t.Run(version, func(t *testing.T) {
			o := newOracle(t, version)
			for i, id := range []*uint32{nil, &zero, &big} {
				ours := oracleClient(t, fmt.Sprint(version, " first ", i))
				if _, err := ours.Establish(epoch, oraclePeer, o.bundle(id)); err != nil {
					t.Fatal(err)
				}
				toThem, toUs := converse(t, o, ours, messages, true)
				t.Logf("we initiate: %d messages to %s, %d from it", toThem, version, toUs)
			}
			for _, oneTime := range []int{0, 1} {
				ours := oracleClient(t, fmt.Sprint(version, " second ", oneTime))
				o.establish(bundleOf(t, ours, oneTime))
				toThem, toUs := converse(t, o, ours, messages, false)
				t.Logf("it initiates: %d messages to %s, %d from it", toThem, version, toUs)
			}
		})
	}
}

// oracleSenderKeys is the newest official client when this was written.
const oracleSenderKeys = "0.103.0"

func TestOracleSenderKeys(t *testing.T) {
	const messages = 200
	o := newOracle(t, oracleSenderKeys)
	layout := signal.LayoutOfficial
	rng := rand.New(rand.NewPCG(2, 718281828))

	r := random{reader: suiteOf("sender keys").Rand()}
	own, err := newSenderKey(&r)
	if err != nil {
		t.Fatal(err)
	}
	o.do(request{Op: "receiveDistribution", Payload: own.distribution(layout)})
	d, err := layout.ParseDistribution(o.do(request{Op: "distribute"}).Payload)
	if err != nil {
		t.Fatal(err)
	}
	theirs := &senderKey{
		distributionID: d.DistributionID, chainID: d.ChainID,
		chain:   ratchet.NewSenderChainKey(d.Iteration, d.ChainKey[:]),
		signing: ecc.NewECKeyPair(ecc.NewDjbECPublicKey(d.SigningKey), nil),
	}
	var toThem, toUs [][]byte
	for i := range messages {
		payload, err := own.encrypt(&r, layout, fmt.Append(nil, "to them ", i))
		if err != nil {
			t.Fatal(err)
		}
		toThem = append(toThem, payload)
		toUs = append(toUs, o.do(request{Op: "groupEncrypt", Text: fmt.Append(nil, "to us ", i)}).Payload)
	}
	for _, i := range rng.Perm(messages) {
		if got := o.do(request{Op: "groupDecrypt", Payload: toThem[i]}); string(got.Text) != fmt.Sprint("to them ", i) {
			t.Fatalf("the oracle read %q", got.Text)
		}
		m, err := layout.ParseSenderKeyMessage(toUs[i])
		if err != nil || m.DistributionID != theirs.distributionID || m.ChainID != theirs.chainID {
			t.Fatalf("parse: %+v, %v", m, err)
		}
		got, err := theirs.decrypt(&m, toUs[i])
		if err != nil || string(got) != fmt.Sprint("to us ", i) {
			t.Fatalf("we read %q, %v", got, err)
		}
	}
	forged := append([]byte(nil), toThem[0]...)
	forged[len(forged)-1] ^= 1
	if _, err := o.try(request{Op: "groupDecrypt", Payload: forged}); err == nil {
		t.Error("the oracle accepts anything")
	}
	t.Logf("sender keys: %d messages to %s and %d from it, in random order", len(toThem), oracleSenderKeys, len(toUs))
}

func TestOracleSafetyNumbers(t *testing.T) {
	const numbers = 20
	o := newOracle(t, oracleSenderKeys)
	for i := range numbers {
		alice, bob := newClient(t, Adapter{}, protocols.Address(fmt.Sprint("a", i))), newClient(t, Adapter{}, protocols.Address(fmt.Sprint("b", i)))
		establish(t, alice, bob)
		got, err := alice.SafetyNumber([]byte(alice.address), []byte(bob.address), bob.address)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := public(alice.self.identity), public(bob.self.identity)
		want := o.do(request{
			Op: "safetyNumber", LocalID: []byte(alice.address), LocalKey: signal.Signed(&ours),
			RemoteID: []byte(bob.address), RemoteKey: signal.Signed(&theirs),
		})
		if got != string(want.Text) {
			t.Errorf("safety number %s, official %s", got, want.Text)
		}
	}
	t.Logf("%d safety numbers agree with %s", numbers, oracleSenderKeys)
}
