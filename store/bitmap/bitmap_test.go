package bitmap

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func bitAt(b []byte, i int64) bool {
	return i>>3 < int64(len(b)) && b[i>>3]&(0x80>>(i&7)) != 0
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		switch rng.IntN(3) {
		case 0:
			b[i] = byte(rng.Uint32())
		case 1:
			b[i] = 0xff
		}
	}
	return b
}

func TestCountAndFindLookAtEachBit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for round := range 3000 {
		b := randomBytes(rng, rng.IntN([]int{80, 600}[round%2]))
		if round%3 == 0 {
			for i := range b {
				b[i] = byte(0 - round/3&1) // all zeros or ones, but for one bit
			}
			if len(b) > 0 {
				b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			}
		}
		n := int64(len(b)) * 8
		from := rng.Int64N(n + 1)
		to := from + rng.Int64N(n-from+1)
		want := int64(0)
		first := [2]int64{-1, -1}
		for i := to - 1; i >= from; i-- {
			k := 0
			if bitAt(b, i) {
				want++
				k = 1
			}
			first[k] = i
		}
		if got := Count(b, from, to); got != want {
			t.Fatalf("%x from %d to %d: %d set, want %d", b, from, to, got, want)
		}
		for k, want := range first {
			if got := Find(b, k == 1, from, to); got != want {
				t.Fatalf("%x from %d to %d: the first %d at %d, want %d", b, from, to, k, got, want)
			}
		}
	}
}

func TestOperationsLookAtEachBit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		length := []int{100, 600}[round%2]
		if round%100 == 0 {
			length = 2 * block
		}
		var sources [][]byte
		longest := 0
		for range 2 + rng.IntN(4) {
			b := randomBytes(rng, rng.IntN(length))
			sources = append(sources, b)
			longest = max(longest, len(b))
		}
		for op := And; op <= One; op++ {
			in := sources
			if op == Not {
				in = sources[:1]
			}
			dst := randomBytes(rng, longest)
			if op == Not {
				dst = dst[:len(in[0])]
			}
			op.Apply(dst, in)
			for i := range int64(len(dst)) * 8 {
				x, n, others := bitAt(in[0], i), 0, 0
				for k, s := range in {
					if bitAt(s, i) {
						n++
						if k > 0 {
							others++
						}
					}
				}
				want := map[Op]bool{
					And: n == len(in), Or: n > 0, Xor: n%2 == 1, Not: !x,
					Diff: x && others == 0, Diff1: !x && others > 0, AndOr: x && others > 0, One: n == 1,
				}[op]
				if bitAt(dst, i) != want {
					t.Fatalf("round %d, operation %d of %d: bit %d is %v", round, op, len(in), i, !want)
				}
			}
		}
	}
}

func TestFieldsHoldWhatIsWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	for range 20_000 {
		f := Field{Offset: rng.Int64N(50), Bits: uint(1 + rng.IntN(64)), Signed: rng.IntN(2) == 0}
		if !f.Signed && f.Bits == 64 {
			continue
		}
		b := randomBytes(rng, 16)
		before := append([]byte(nil), b...)
		lo, hi := f.limits()
		n := int64(rng.Uint64()) >> rng.IntN(64)
		n = min(max(n, lo), hi)
		f.Set(b, n)
		if got := f.Get(b); got != n {
			t.Fatalf("%+v: %d, want %d", f, got, n)
		}
		for i := range int64(len(b)) * 8 {
			if (i < f.Offset || i >= f.Offset+int64(f.Bits)) && bitAt(b, i) != bitAt(before, i) {
				t.Fatalf("%+v: bit %d beside it has changed", f, i)
			}
		}
		short := b[:rng.IntN(17)]
		zeros := append(append([]byte(nil), short...), make([]byte, 16)...)
		if got, want := f.Get(short), f.Get(zeros); got != want {
			t.Fatalf("%+v behind the end: %d, want %d", f, got, want)
		}
	}
}

func TestSumsThatDoNotFit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	edge := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1}
	number := func() int64 {
		if rng.IntN(2) == 0 {
			return edge[rng.IntN(len(edge))]
		}
		return int64(rng.Uint64()) >> rng.IntN(64)
	}
	for range 50_000 {
		f := Field{Bits: uint(1 + rng.IntN(64)), Signed: rng.IntN(2) == 0}
		if !f.Signed && f.Bits == 64 {
			continue
		}
		lo, hi := f.limits()
		old, n := min(max(number(), lo), hi), number()
		sum := new(big.Int).Add(big.NewInt(old), big.NewInt(n))
		f.check(t, fmt.Sprint(old, " + ", n), sum, func(o Overflow) (int64, bool) { return f.Add(old, n, o) })
		value := big.NewInt(n)
		if !f.Signed && n < 0 || f.Bits < 64 && hi-n < 0 && n < 0 { // to Redis, a very large number
			value.Add(value, new(big.Int).Lsh(big.NewInt(1), 64))
		}
		f.check(t, fmt.Sprint("set ", n), value, func(o Overflow) (int64, bool) { return f.Fit(n, o) })
	}
}

func (f Field) check(t *testing.T, what string, exact *big.Int, do func(Overflow) (int64, bool)) {
	t.Helper()
	lo, hi := f.limits()
	fits := exact.Cmp(big.NewInt(lo)) >= 0 && exact.Cmp(big.NewInt(hi)) <= 0
	size := new(big.Int).Lsh(big.NewInt(1), f.Bits)
	wrapped := new(big.Int).Mod(exact, size)
	if wrapped.Cmp(big.NewInt(hi)) > 0 {
		wrapped.Sub(wrapped, size)
	}
	saturated := exact
	if !fits && exact.Cmp(big.NewInt(hi)) > 0 {
		saturated = big.NewInt(hi)
	} else if !fits {
		saturated = big.NewInt(lo)
	}
	for o, want := range map[Overflow]*big.Int{Wrap: wrapped, Saturate: saturated, Fail: exact} {
		got, ok := do(o)
		if ok != (fits || o != Fail) || ok && got != want.Int64() {
			t.Fatalf("%+v, %s, overflow %d: %d %v, want %v (fits: %v)", f, what, o, got, ok, want, fits)
		}
	}
}

func BenchmarkCount(b *testing.B) {
	s := randomBytes(rand.New(rand.NewPCG(1, 1)), 1<<20)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Count(s, 0, int64(len(s))*8)
	}
}

func BenchmarkApply(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	sources := [][]byte{randomBytes(rng, 1<<20), randomBytes(rng, 1<<20), randomBytes(rng, 1<<20)}
	dst := make([]byte, 1<<20)
	for _, op := range []Op{And, Diff, One} {
		b.Run(fmt.Sprint(op), func(b *testing.B) {
			b.SetBytes(3 << 20)
			for b.Loop() {
				op.Apply(dst, sources)
			}
		})
	}
}
