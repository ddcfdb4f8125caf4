package bitmap

import "math"

// Field is an integer of up to 64 bits somewhere in a string, the highest bit
// first. An unsigned one has at most 63.
type Field struct {
	Offset int64
	Bits   uint
	Signed bool
}

// Get is the value of the field; behind the end of b there are zeros.
func (f Field) Get(b []byte) int64 {
	var u uint64
	at, end := f.Offset, f.Offset+int64(f.Bits)
	for at < end {
		var x byte
		if i := at >> 3; i < int64(len(b)) {
			x = b[i]
		}
		left := 8 - uint(at&7)                // bits of this byte from here on
		n := min(left, uint(end-at))          // of them in the field
		u = u<<n | uint64(x<<(8-left)>>(8-n)) // a byte shifted left loses what is before
		at += int64(n)
	}
	if f.Signed {
		shift := 64 - f.Bits
		return int64(u<<shift) >> shift
	}
	return int64(u)
}

// Set writes the lowest bits of n to the field, which is in b.
func (f Field) Set(b []byte, n int64) {
	at, end := f.Offset, f.Offset+int64(f.Bits)
	for at < end {
		left := 8 - uint(at&7)
		k := min(left, uint(end-at))
		x := byte(uint64(n) >> uint64(end-at-int64(k))) // the k bits that come here, and above them others
		mask := byte(1<<k-1) << (left - k)
		b[at>>3] = b[at>>3]&^mask | x<<(left-k)&mask
		at += int64(k)
	}
}

// Overflow is what happens to a value that a field cannot hold.
type Overflow uint8

// The ways to treat it.
const (
	Wrap     Overflow = iota // its highest bits go
	Saturate                 // the largest, or smallest, value takes its place
	Fail                     // it is refused
)

func (f Field) limits() (lowest, highest int64) {
	if f.Signed {
		highest = math.MaxInt64 >> (64 - f.Bits)
		return -highest - 1, highest
	}
	return 0, math.MaxInt64 >> (63 - f.Bits)
}

// wrap is what the field holds after n is written to it.
func (f Field) wrap(n uint64) int64 {
	shift := 64 - f.Bits
	if f.Signed {
		return int64(n<<shift) >> shift
	}
	return int64(n << shift >> shift)
}

// Fit makes a value one that the field can hold, or reports that it is refused.
// To an unsigned field a negative value is one that is far too large; and so it is,
// as in Redis, to a signed one if the way up from it to the largest passes 64 bits.
func (f Field) Fit(n int64, o Overflow) (int64, bool) {
	lo, hi := f.limits()
	if lo <= n && n <= hi {
		return n, true
	}
	return f.overflow(uint64(n), !f.Signed || hi-n < 0, o)
}

// Add is the sum of what the field holds and n, made to fit.
func (f Field) Add(old, n int64, o Overflow) (int64, bool) {
	lo, hi := f.limits()
	sum := old + n
	if past64 := n > 0 && sum < old || n < 0 && sum > old; past64 || sum < lo || sum > hi {
		return f.overflow(uint64(sum), n > 0, o)
	}
	return sum, true
}

func (f Field) overflow(n uint64, above bool, o Overflow) (int64, bool) {
	lo, hi := f.limits()
	switch {
	case o == Wrap:
		return f.wrap(n), true
	case o == Fail:
		return 0, false
	case above:
		return hi, true
	}
	return lo, true
}
