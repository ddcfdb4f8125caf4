package resp

import (
	"math"
	"math/bits"
)

// appendDigits appends digits that read back as f, which is positive and finite:
// f is near digits times 10 to the k.
//
// It is Grisu2 (F. Loitsch, Printing floating-point numbers quickly and
// accurately with integers, 2010), which Redis uses too. For about one number in
// a thousand it finds a digit more than are needed, and clients see which.
func appendDigits(b []byte, f float64) (digits []byte, k int) {
	frac, exp := math.Float64bits(f)&(1<<52-1), int(math.Float64bits(f)>>52)
	if exp > 0 {
		frac |= 1 << 52
		exp -= 1075
	} else {
		exp = -1074
	}
	// The numbers half way to the neighbours, which would still read as f, with
	// one exponent; upper has its highest bit set.
	shift := bits.LeadingZeros64(frac<<1 + 1)
	upper, upperExp := (frac<<1+1)<<shift, exp-1-shift
	below := 1
	if frac == 1<<52 { // the neighbour below is nearer
		below = 2
	}
	lower := (frac<<below - 1) << (exp - below - upperExp)
	w := frac << bits.LeadingZeros64(frac)

	power, powerExp, k := scale(upperExp)
	w, upper, lower = mulHigh(w, power), mulHigh(upper, power)-1, mulHigh(lower, power)+1
	digits, more := cutDigits(b, w, upper, lower, -(upperExp + powerExp + 64))
	return digits, more - k
}

// scale is a power of ten that brings a number of 64 bits with an exponent to an
// exponent between -60 and -32: its first bits, their exponent, and the power.
func scale(exp int) (frac uint64, fracExp, power int) {
	const first, step = -348, 8
	approx := int(-float64(exp+len(powers)) * 0.30102999566398114)
	for i := (approx - first) / step; ; {
		power = first + i*step
		fracExp = (power*217706)>>16 - 63 // the logarithm to the base 2
		switch e := exp + fracExp + 64; {
		case e < -60:
			i++
		case e > -32:
			i--
		default:
			return powers[i], fracExp, power
		}
	}
}

// mulHigh is the upper half of a product, rounded.
func mulHigh(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi + lo>>63
}

// cutDigits appends the digits of upper, which has so many binary places, until
// what is left out is below upper less lower; then it steps down towards w.
func cutDigits(b []byte, w, upper, lower uint64, places int) (digits []byte, k int) {
	start := len(b)
	one := uint64(1) << places
	gap, delta := upper-w, upper-lower
	whole, part := upper>>places, upper&(one-1)
	k = 10
	for unit := uint64(1e9); k > 0; unit /= 10 {
		d := whole / unit
		if d != 0 || len(b) > start {
			b = append(b, byte('0'+d))
		}
		whole -= d * unit
		k--
		if rest := whole<<places + part; rest <= delta {
			roundDown(b, delta, rest, unit<<places, gap)
			return b, k
		}
	}
	for unit := uint64(10); ; unit *= 10 {
		part *= 10
		delta *= 10
		k--
		d := part >> places
		if d != 0 || len(b) > start {
			b = append(b, byte('0'+d))
		}
		if part &= one - 1; part < delta {
			roundDown(b, delta, part, one, gap*unit)
			return b, k
		}
	}
}

// roundDown lowers the last digit while that brings the number nearer to the one
// that is meant, gap below upper.
func roundDown(b []byte, delta, rest, unit, gap uint64) {
	for rest < gap && delta-rest >= unit && (rest+unit < gap || gap-rest > rest+unit-gap) {
		b[len(b)-1]--
		rest += unit
	}
}
