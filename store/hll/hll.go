package hll

import (
	"encoding/binary"
	"math"
	"math/bits"
)

const (
	magic     = "HYLL"
	headLen   = 16
	staleByte = 15 // of the head: its top bit says that the count is out of date

	indexBits = 14
	valueBits = 64 - indexBits // bits that are looked at for zeros

	// Registers is the number of registers.
	Registers = 1 << indexBits
	denseLen  = headLen + Registers*6/8

	maxRun    = 64   // registers of a short run of zeros
	maxSparse = 32   // the highest value of a run
	sparseMax = 3000 // hll-sparse-max-bytes: beyond, a string becomes dense
)

// Encodings.
const (
	Dense  = 0
	Sparse = 1
)

// New makes an empty sparse string.
func New() []byte {
	b := make([]byte, headLen, headLen+16)
	copy(b, magic)
	b[4] = Sparse
	return appendZeros(b, Registers)
}

// Valid reports whether b looks like one of our strings.
func Valid(b []byte) bool {
	return len(b) >= headLen && string(b[:4]) == magic && (b[4] == Sparse || b[4] == Dense && len(b) == denseLen)
}

// Encoding is Dense or Sparse.
func Encoding(b []byte) int { return int(b[4]) }

// Count is the cached count, and whether it is still true.
func Count(b []byte) (n uint64, ok bool) {
	return binary.LittleEndian.Uint64(b[8:]), b[staleByte]&0x80 == 0
}

// SetCount caches a count.
func SetCount(b []byte, n uint64) { binary.LittleEndian.PutUint64(b[8:], n) }

// Stale marks the cached count as out of date.
func Stale(b []byte) { b[staleByte] |= 0x80 }

// hash is MurmurHash64A (A. Appleby) with Redis' seed.
func hash(b []byte) uint64 {
	const m, r = 0xc6a4a7935bd1e995, 47
	h := uint64(0xadc83b19) ^ uint64(len(b))*m
	for ; len(b) >= 8; b = b[8:] {
		k := binary.LittleEndian.Uint64(b) * m
		k ^= k >> r
		h = (h ^ k*m) * m
	}
	if len(b) > 0 {
		for i, c := range b {
			h ^= uint64(c) << (8 * i)
		}
		h *= m
	}
	h = (h ^ h>>r) * m
	return h ^ h>>r
}

// place is the register of an element, and its value: one more than the zeros
// that its hash ends in, behind the bits that chose the register.
func place(element []byte) (register int, value uint8) {
	h := hash(element)
	return int(h & (Registers - 1)), uint8(bits.TrailingZeros64(h>>indexBits|1<<valueBits) + 1)
}

// Add adds an element to a string. It returns the string, which may have moved,
// and whether a register has changed; ok is false where the runs do not add up.
func Add(b, element []byte) (out []byte, changed, ok bool) {
	i, v := place(element)
	return Set(b, i, v)
}

// Set raises a register to a value.
func Set(b []byte, register int, value uint8) (out []byte, changed, ok bool) {
	if b[4] == Dense {
		return b, setDense(b[headLen:], register, value), true
	}
	return setSparse(b, register, value)
}

func getDense(b []byte, i int) uint8 {
	at, shift := i*6/8, i*6%8
	w := uint(b[at])
	if at+1 < len(b) {
		w |= uint(b[at+1]) << 8
	}
	return uint8(w>>shift) & 63
}

func setDense(b []byte, i int, v uint8) bool {
	if v <= getDense(b, i) {
		return false
	}
	putDense(b, i, v)
	return true
}

func putDense(b []byte, i int, v uint8) {
	at, shift := i*6/8, i*6%8
	b[at] = b[at]&^byte(63<<shift) | v<<shift
	if shift > 2 {
		b[at+1] = b[at+1]&^(63>>(8-shift)) | v>>(8-shift)
	}
}

// ToDense makes a sparse string dense. ok is false where the runs do not add up.
func ToDense(b []byte) (out []byte, ok bool) {
	if b[4] == Dense {
		return b, true
	}
	out = make([]byte, denseLen)
	copy(out, b[:headLen])
	out[4] = Dense
	regs := out[headLen:]
	ok = runs(b, func(first, n int, v uint8) {
		for i := first; v > 0 && i < first+n; i++ {
			putDense(regs, i, v)
		}
	})
	return out, ok
}

// runs calls f with the runs of a sparse string and reports whether they add up.
func runs(b []byte, f func(first, n int, value uint8)) bool {
	at := 0
	for p := headLen; p < len(b); {
		n, v, size := run(b, p)
		if at+n > Registers {
			return false
		}
		f(at, n, v)
		at += n
		p += size
	}
	return at == Registers
}

// Raise raises the registers in max to those of a string, and reports whether
// its runs add up.
func Raise(max *[Registers]uint8, b []byte) bool {
	if b[4] == Dense {
		for i, regs := 0, b[headLen:]; i < Registers; i, regs = i+4, regs[3:] {
			w := uint32(regs[0]) | uint32(regs[1])<<8 | uint32(regs[2])<<16
			four := (*[4]uint8)(max[i:])
			for k := range four {
				if v := uint8(w>>(6*k)) & 63; v > four[k] {
					four[k] = v
				}
			}
		}
		return true
	}
	return runs(b, func(first, n int, v uint8) {
		for i := first; i < first+n; i++ {
			if v > max[i] {
				max[i] = v
			}
		}
	})
}

// Put raises the registers of a string to those in max.
func Put(b []byte, max *[Registers]uint8) []byte {
	for i, v := range max {
		if v > 0 {
			if out, _, ok := Set(b, i, v); ok {
				b = out
			}
		}
	}
	return b
}

// Estimate counts anew, without the cache. ok is false where the runs do not add
// up.
func Estimate(b []byte) (n uint64, ok bool) {
	var histogram [64]int
	if b[4] == Dense {
		// Four registers at a time; two histograms, because neighbours are often
		// equal and would wait for each other.
		var other [64]int
		for regs := b[headLen:]; len(regs) >= 3; regs = regs[3:] {
			w := uint32(regs[0]) | uint32(regs[1])<<8 | uint32(regs[2])<<16
			histogram[w&63]++
			other[w>>6&63]++
			histogram[w>>12&63]++
			other[w>>18]++
		}
		for i, n := range other {
			histogram[i] += n
		}
		return estimate(&histogram), true
	}
	ok = runs(b, func(_, n int, v uint8) { histogram[v] += n })
	return estimate(&histogram), ok
}

// EstimateRegisters counts what registers stand for.
func EstimateRegisters(max *[Registers]uint8) uint64 {
	var histogram [64]int
	for _, v := range max {
		histogram[v&63]++
	}
	return estimate(&histogram)
}

// estimate is Algorithm 6 of the paper.
func estimate(histogram *[64]int) uint64 {
	const m = float64(Registers)
	const alpha = 0.721347520444481703680 // 1 / (2 ln 2)
	z := m * tau((m-float64(histogram[valueBits+1]))/m)
	for j := valueBits; j >= 1; j-- {
		z = (z + float64(histogram[j])) * 0.5
	}
	z += float64(m * sigma(float64(histogram[0])/m))
	return uint64(math.Round(alpha * m * m / z))
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += float64(x * y)
		y += y
		if z == before {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= float64((1 - x) * (1 - x) * y)
		if z == before {
			return z / 3
		}
	}
}
