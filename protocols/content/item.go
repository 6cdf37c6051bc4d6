package content

import (
	"bytes"
	"math"
)

// MaxKey is the largest absolute value of an integer that is a map key (Data model
// restrictions).
const MaxKey = 1<<53 - 1

// item reads an item of any type, as the value of an extension may be, and demands
// what Encoding restrictions, Data model restrictions and Depth restrictions do.
// level is how many maps, arrays and tags it is in.
func (r *reader) item(level int) {
	at := r.off
	major, arg := r.head()
	if r.err != nil {
		return
	}
	if level == MaxDepth && (major == majorArray || major == majorMap || major == majorTag) {
		r.fail(at, CheckDepth, "%s within %d levels, want at most %d", majorNames[major], level, MaxDepth)
		return
	}
	switch major {
	case majorBytes:
		r.take(at, arg)
	case majorText:
		r.takeText(at, arg)
	case majorArray:
		for range r.items(at, arg, 1) {
			if r.item(level + 1); r.err != nil {
				return
			}
		}
	case majorMap:
		r.mapItems(at, arg, level)
	case majorTag:
		r.tagged(at, arg, level)
	case majorOther:
		r.float(at, arg)
	}
}

// mapItems reads the keys and values of a map.
func (r *reader) mapItems(at int, n uint64, level int) {
	var last []byte
	for range r.items(at, n, 2) {
		last = r.key(last)
		if r.item(level + 1); r.err != nil {
			return
		}
	}
}

// key reads the key of a map and returns its encoding, which must come after that
// of the key before it (RFC 8949, Section 4.2.1).
func (r *reader) key(last []byte) []byte {
	at := r.off
	major, arg := r.head()
	if r.err != nil {
		return nil
	}
	switch major {
	case majorUint, majorNint: // -1 - arg
		if arg > MaxKey || major == majorNint && arg == MaxKey {
			r.fail(at, CheckKeyRange, "%s beyond ±(2^53-1)", majorNames[major])
		}
	case majorBytes:
		r.take(at, arg)
	case majorText:
		r.takeText(at, arg)
	default:
		r.fail(at, CheckKeyType, "%s, want an integer, text or bytes", majorNames[major])
	}
	if r.err != nil {
		return nil
	}
	key := r.data[at:r.off]
	if last != nil {
		switch bytes.Compare(last, key) {
		case 0:
			r.fail(at, CheckKeyDuplicate, "%s", shortHex(key))
		case 1:
			r.fail(at, CheckKeyOrder, "%s after %s", shortHex(key), shortHex(last))
		}
	}
	return key
}

// tagged reads what is in a tag. A bignum must be one that fits no integer and has
// no leading zeros (RFC 8949, Sections 3.4.3 and 4.2.1).
func (r *reader) tagged(at int, tag uint64, level int) {
	const unsignedBignum, negativeBignum = 2, 3
	if tag != unsignedBignum && tag != negativeBignum {
		r.item(level + 1)
		return
	}
	b := r.bytes()
	if r.err == nil && (len(b) <= 8 || b[0] == 0) {
		r.fail(at, CheckShortest, "bignum of %d bytes", len(b))
	}
}

// float checks a float that was read, by the size of its argument; simple values
// pass.
func (r *reader) float(at int, arg uint64) {
	switch r.off - at {
	case 3:
		const quiet = 0x7e00
		if arg&0x7c00 == 0x7c00 && arg&0x3ff != 0 && arg != quiet {
			r.fail(at, CheckNaN, "0xf9%04x, want 0xf97e00", arg)
		}
	case 5:
		f := math.Float32frombits(uint32(arg))
		switch {
		case f != f:
			r.fail(at, CheckNaN, "0xfa%08x, want 0xf97e00", arg)
		case fitsHalf(uint32(arg)):
			r.fail(at, CheckShortest, "float %g in 5 bytes", f)
		}
	case 9:
		f := math.Float64frombits(arg)
		switch {
		case f != f:
			r.fail(at, CheckNaN, "0xfb%016x, want 0xf97e00", arg)
		case float64(float32(f)) == f:
			r.fail(at, CheckShortest, "float %g in 9 bytes", f)
		}
	}
}

// fitsHalf reports whether a single-precision number that is no NaN is a
// half-precision one as well (IEEE 754: 5 bits of exponent, 10 of fraction).
func fitsHalf(bits uint32) bool {
	exponent, fraction := int(bits>>23&0xff)-127, bits&(1<<23-1)
	switch {
	case bits<<1 == 0 || exponent == 128: // zeros and infinities
		return true
	case exponent >= -14 && exponent <= 15:
		return fraction&(1<<13-1) == 0
	case exponent >= -24 && exponent < -14: // subnormal: a multiple of 2^-24
		return (1<<23|fraction)&(1<<(-1-exponent)-1) == 0
	}
	return false
}
