package suite

import (
	"fmt"
	"time"
)

// Cost is the time of one operation on one core: a fixed part, and a part per
// 1024 bytes of what its [Op] counts.
type Cost struct {
	Fixed  time.Duration
	PerKiB time.Duration
}

// CostModel holds a Cost per Op.
type CostModel [NumOps]Cost

// Time returns what the operations counted in c cost.
func (m *CostModel) Time(c Counts) time.Duration {
	var sum time.Duration
	for op, n := range c {
		sum += time.Duration(n.N)*m[op].Fixed + time.Duration(n.Bytes)*m[op].PerKiB/1024
	}
	return sum
}

// Scale returns the model of a device on which everything takes factor times as
// long.
func (m CostModel) Scale(factor float64) CostModel {
	for op := range m {
		m[op].Fixed = time.Duration(float64(m[op].Fixed) * factor)
		m[op].PerKiB = time.Duration(float64(m[op].PerKiB) * factor)
	}
	return m
}

// Device is a class of devices by speed.
type Device uint8

// The classes of devices.
const (
	Server   Device = iota // a server's core; the reference
	Laptop                 // a laptop's core
	Phone                  // a phone of recent years
	OldPhone               // an entry-level or old phone
)

// devices is the registry of classes. The factors are assumed, not measured:
// they stand for "as fast", "three times slower" and "ten times slower", and a
// study that hangs on them should vary them ([CostModel.Scale]).
var devices = [...]struct {
	name   string
	factor float64
}{
	Server:   {"server", 1},
	Laptop:   {"laptop", 1},
	Phone:    {"phone", 3},
	OldPhone: {"old-phone", 10},
}

// String returns the name by which scenarios call the class.
func (d Device) String() string {
	if int(d) >= len(devices) {
		return fmt.Sprintf("Device(%d)", uint8(d))
	}
	return devices[d].name
}

// ParseDevice returns the class of that name.
func ParseDevice(name string) (Device, error) {
	for d := range devices {
		if devices[d].name == name {
			return Device(d), nil
		}
	}
	return 0, fmt.Errorf("suite: unknown device %q, want server, laptop, phone or old-phone", name)
}

// NewCostModel returns the costs of a suite on a class of devices: the reference
// costs below times the assumed factor of the class.
func NewCostModel(id ID, d Device) (CostModel, error) {
	if err := id.check(); err != nil {
		return CostModel{}, err
	}
	if int(d) >= len(devices) {
		return CostModel{}, fmt.Errorf("suite: unknown device class %d, have 0 to %d", d, len(devices)-1)
	}
	return reference(id).Scale(devices[d].factor), nil
}

// ns is a cost in nanoseconds: fixed, and per KiB.
type ns [2]int64

func (n ns) cost() Cost { return Cost{time.Duration(n[0]), time.Duration(n[1])} }

// The reference costs: the least of some twenty short runs of BenchmarkOps,
// rounded, on one core of a virtual x86-64 server with AES, SHA and vector
// instructions that others shared; Go 1.26.8, circl 1.6.5, November 2026. DH on
// P-384 and P-521, where those runs spread most, is what HPKE's figures, which
// contain it, leave for it. A single Ed25519 signature is verified under a key that
// was seen before; one that was not takes 8 µs more. The two costs of a batch are
// from BenchmarkVerifyBatch on one core: right for about a thousand signatures, and
// up to a fifth too low for fewer. All are what this code costs, its allocations and
// the parsing of keys included, and not the best that is possible.
var (
	hashCosts = [...]struct{ hash, hmac, extract, expand ns }{
		sha256Alg: {ns{110, 930}, ns{320, 760}, ns{350, 760}, ns{200, 6850}},
		sha384Alg: {ns{280, 2100}, ns{960, 1750}, ns{1000, 1780}, ns{700, 12100}},
		sha512Alg: {ns{280, 2100}, ns{960, 1750}, ns{1000, 1780}, ns{750, 9000}},
	}
	aeadCosts = [...]struct{ key, seal, open ns }{
		aes128gcmAlg:        {ns{580, 0}, ns{85, 180}, ns{70, 180}},
		aes256gcmAlg:        {ns{580, 0}, ns{95, 240}, ns{80, 220}},
		chacha20poly1305Alg: {ns{55, 0}, ns{190, 770}, ns{180, 810}},
	}
	kemCosts = map[kemAlg]struct{ generate, derive, public, dh, seal, open, openWith ns }{
		kemX25519: {ns{13700, 0}, ns{12900, 0}, ns{12500, 0}, ns{40000, 0}, ns{56200, 0}, ns{55300, 0}, ns{42800, 0}},
		kemP256:   {ns{17500, 0}, ns{17300, 0}, ns{16400, 0}, ns{83200, 0}, ns{88700, 0}, ns{87300, 0}, ns{87300, 0}},
		kemX448:   {ns{114000, 0}, ns{114000, 0}, ns{106000, 0}, ns{170000, 0}, ns{299000, 0}, ns{298000, 0}, ns{191000, 0}},
		kemP384:   {ns{178000, 0}, ns{178000, 0}, ns{176000, 0}, ns{720000, 0}, ns{724000, 0}, ns{743000, 0}, ns{743000, 0}},
		kemP521:   {ns{398000, 0}, ns{398000, 0}, ns{395000, 0}, ns{1690000, 0}, ns{1750000, 0}, ns{1710000, 0}, ns{1710000, 0}},
	}
	signCosts = [...]struct{ generate, derive, public, sign, verify, batch, batched ns }{
		ed25519Sign: {ns{13800, 0}, ns{13300, 0}, ns{35, 0}, ns{13800, 3600}, ns{31800, 2400}, ns{42000, 0}, ns{16600, 2400}},
		p256Sign:    {ns{21300, 0}, ns{20400, 0}, ns{18900, 0}, ns{61000, 850}, ns{91200, 850}, ns{1, 0}, ns{91200, 850}},
		ed448Sign:   {ns{99000, 0}, ns{98500, 0}, ns{60, 0}, ns{103000, 4000}, ns{219000, 2000}, ns{1, 0}, ns{219000, 2000}},
		p384Sign:    {ns{191000, 0}, ns{190000, 0}, ns{171000, 0}, ns{447000, 2200}, ns{826000, 2200}, ns{1, 0}, ns{826000, 2200}},
		p521Sign:    {ns{463000, 0}, ns{463000, 0}, ns{424000, 0}, ns{1020000, 2600}, ns{1990000, 2600}, ns{1, 0}, ns{1990000, 2600}},
	}
	randCost = ns{50, 2400} // of a seeded stream
)

// reference puts the costs of a suite together from those of its algorithms.
// HPKE's key schedule depends on the hash of the KEM alone, and what it encrypts
// on the AEAD.
func reference(id ID) CostModel {
	r := &registry[id]
	h, a, k, s := hashCosts[r.hash], aeadCosts[r.aead], kemCosts[r.kem], signCosts[r.sign]
	return CostModel{
		OpRand:           randCost.cost(),
		OpHash:           h.hash.cost(),
		OpHMAC:           h.hmac.cost(),
		OpExtract:        h.extract.cost(),
		OpExpand:         h.expand.cost(),
		OpAEADKey:        a.key.cost(),
		OpAEADSeal:       a.seal.cost(),
		OpAEADOpen:       a.open.cost(),
		OpKeyGenerate:    k.generate.cost(),
		OpKeyDerive:      k.derive.cost(),
		OpKeyPublic:      k.public.cost(),
		OpDH:             k.dh.cost(),
		OpHPKESeal:       Cost{k.seal.cost().Fixed, a.seal.cost().PerKiB},
		OpHPKEOpen:       Cost{k.open.cost().Fixed, a.open.cost().PerKiB},
		OpHPKEOpenWith:   Cost{k.openWith.cost().Fixed, a.open.cost().PerKiB},
		OpHPKESend:       Cost{k.seal.cost().Fixed, h.expand.cost().PerKiB},
		OpHPKEReceive:    Cost{k.open.cost().Fixed, h.expand.cost().PerKiB},
		OpSignerGenerate: s.generate.cost(),
		OpSignerDerive:   s.derive.cost(),
		OpSignerPublic:   s.public.cost(),
		OpSign:           s.sign.cost(),
		OpVerify:         s.verify.cost(),
		OpVerifyBatch:    s.batch.cost(),
		OpVerifyBatched:  s.batched.cost(),
	}
}
