package quant

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

// TestSplitKeepsTheVector: a component is kept bit for bit, or, where it is
// smaller than half a step, to 17 bits.
func TestSplitKeepsTheVector(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, dim := range append([]int{5, 12, 40}, dims...) {
		s := NewSplit(dim, index.L2)
		row, again := memory(s.Stride), memory(s.Stride)
		got := make([]float32, dim)
		f := func(name string, v []float32) {
			t.Helper()
			s.Encode(row, v)
			s.Decode(got, row)
			low, high := float64(slices.Min(v)), float64(slices.Max(v))
			if step := float64(s.header(row).scale); step > 2*max((high-low)/254, max(high, -low)*0x1p-23, 0x1p-127) {
				t.Fatalf("%s, dim %d: steps of %v from %v to %v", name, dim, step, low, high)
			}
			cut := 0
			for i := range v {
				if math.Float32bits(v[i]) == math.Float32bits(got[i]) || v[i] == 0 && got[i] == 0 {
					continue
				}
				cut++
				x, y, step := math.Abs(float64(v[i])), math.Abs(float64(got[i])), float64(s.header(row).scale)
				if !(x <= step/2 && math.Abs(x-y) <= max(x/(1<<16), step*0x1p-126)) {
					t.Fatalf("%s, dim %d: component %d is %v, was %v, of %v to %v", name, dim, i, got[i], v[i], low, high)
				}
			}
			if name == "far" || name == "bytes" || name == "signs" || name == "constant" {
				if cut > 0 {
					t.Errorf("%s, dim %d: %d components changed", name, dim, cut)
				}
			}
			if !s.Holds(row, got, again) {
				t.Fatalf("%s, dim %d: not a row, says Holds", name, dim)
			}
			// What was cut stays as it is.
			s.Encode(again, got)
			twice := make([]float32, dim)
			if s.Decode(twice, again); !slices.Equal(got, twice) {
				t.Fatalf("%s, dim %d: not the same, written twice", name, dim)
			}
		}
		for name, v := range vectors(r, dim) {
			f(name, v)
		}
		for name, v := range overflowing(r, dim) {
			f(name, v)
		}
		for range 20 {
			v := make([]float32, dim)
			for i := range v {
				v[i] = math.Float32frombits(r.Uint32())
				if v[i]-v[i] != 0 { // neither NaN nor infinite
					v[i] = math.MaxFloat32
				}
			}
			f("any bits", v)
		}
	}
}

// TestSplitKernelsAgree compares with the portable twins, bit for bit.
func TestSplitKernelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, dim := range []int{8, 16, 64, 200, 768} {
		s := NewSplit(dim, index.L2)
		for name, v := range vectors(r, dim) {
			row := memory(s.Stride)
			s.Encode(row, v)
			h := *s.header(row)
			codes, mids, lows := make([]byte, dim), make([]byte, dim), make([]uint16, dim)
			sums := partGeneric(v, codes, mids, lows, 1/h.scale, int32(offsetOf(&h)))
			gotMids, gotLows := s.rest(row)
			if !slices.Equal(codes, unsafe.Slice((*byte)(row), dim)) || !slices.Equal(mids, gotMids[:dim]) || !slices.Equal(lows, gotLows[:dim]) || sums.codes != h.errSum&sumMask {
				t.Errorf("%s, dim %d: another row", name, dim)
			}
			got, want := make([]float32, dim), make([]float32, dim)
			s.Decode(got, row)
			joinGeneric(want, codes, mids, lows, h.scale, int32(offsetOf(&h)))
			if !slices.Equal(got, want) {
				t.Errorf("%s, dim %d: another vector", name, dim)
			}
		}
	}
}

func TestSplitErrorIsWithinErr(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, dim := range dims {
		s := NewSplit(dim, index.L2)
		row := memory(s.Stride)
		f := func(name string, v []float32) {
			s.Encode(row, v)
			if e, most := math.Sqrt(squared(wide(v), exact(&s.SQ8, row))), float64(s.Err(row)); !(e <= most) || most > 1.1*e+float64(s.header(row).scale)*math.Sqrt(float64(dim))/64 {
				t.Errorf("%s, dim %d: off by %v, Err says %v", name, dim, e, most)
			}
		}
		for name, v := range vectors(r, dim) {
			f(name, v)
		}
		half := make([]float32, dim) // as far from codes as can be
		for i := range half {
			half[i] = float32(i%128) + 0.5
		}
		f("half", half)
	}
}

func TestHoldsTellsWhatIsNoRow(t *testing.T) {
	const dim = 70
	s := NewSplit(dim, index.L2)
	r := rand.New(rand.NewPCG(6, 6))
	row, again := memory(s.Stride), memory(s.Stride)
	v, got := vectors(r, dim)["normal"], make([]float32, dim)
	for i := range s.Stride {
		for bit := range 8 {
			s.Encode(row, v)
			at := (*byte)(unsafe.Add(row, i))
			*at ^= 1 << bit
			if !s.Holds(row, got, again) {
				continue
			}
			// Another vector then, of which this is a row.
			s.Decode(got, row)
			if slices.Equal(got, v) || i >= dim && i < s.mid {
				t.Fatalf("bit %d of byte %d is wrong and nobody sees it", bit, i)
			}
		}
	}
}

// estimates are what Split and Binary have in common with SQ8.
type estimates interface {
	Encode(row unsafe.Pointer, v []float32)
	Query(q unsafe.Pointer, v []float32)
	Walk(dst *float32, q, base unsafe.Pointer, slots *uint32, n int)
}

// walked is what Walk says of the distances from the first of v to the others.
func walked(e estimates, stride, query int, v [][]float32) []float32 {
	base, q := memory(len(v)*stride+Overread), memory(query)
	slots := make([]uint32, len(v)-1)
	for i, x := range v {
		e.Encode(unsafe.Add(base, i*stride), x)
		if i > 0 {
			slots[i-1] = uint32(i)
		}
	}
	e.Query(q, v[0])
	dst := make([]float32, len(slots))
	e.Walk(&dst[0], q, base, &slots[0], len(slots))
	return dst
}

func distance(m index.Metric, a, b []float32) float64 {
	if m == index.L2 {
		return squared(wide(a), wide(b))
	}
	return -dot(wide(a), wide(b))
}

func clustered(r *rand.Rand, n, dim int, m index.Metric) [][]float32 {
	v := make([][]float32, n)
	center := make([]float64, dim)
	for i := range center {
		center[i] = r.NormFloat64() + 0.3
	}
	for i := range v {
		v[i] = make([]float32, dim)
		for j := range v[i] {
			v[i][j] = float32(center[j] + r.NormFloat64())
		}
		if m == index.Cosine {
			n := math.Sqrt(dot(wide(v[i]), wide(v[i])))
			for j := range v[i] {
				v[i][j] = float32(float64(v[i][j]) / n)
			}
		}
	}
	return v
}

func TestSplitEstimatesAreWithinTheirBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, m := range []index.Metric{index.L2, index.IP, index.Cosine} {
		for _, dim := range []int{3, 31, 64, 200, 384} {
			s := NewSplit(dim, m)
			v := clustered(r, 200, dim, m)
			row, q := memory(s.Stride), memory(s.QuerySize)
			s.Query(q, v[0])
			beyond := 0
			for i, d := range walked(s, s.Stride, s.QuerySize, v) {
				want := distance(m, v[0], v[i+1])
				s.Encode(row, v[i+1])
				if low := s.Lower(d, q, row); float64(low) > want {
					t.Fatalf("%v dim %d: %v is below Lower, %v", m, dim, want, low)
				}
				if math.Abs(float64(d)-want) > float64(s.Doubt(d, q)) {
					beyond++
				}
			}
			if beyond > 4 {
				t.Errorf("%v dim %d: %d of 199 estimates are farther off than Doubt", m, dim, beyond)
			}
		}
	}
}

func TestBinaryEstimatesAreRightOnAverage(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, m := range []index.Metric{index.L2, index.Cosine} {
		for _, dim := range []int{64, 100, 384, 768} {
			b := NewBinary(dim, m)
			v := clustered(r, 2000, dim, m)
			var sum, squares, spread float64
			for i, d := range walked(b, b.Stride, b.QuerySize, v) {
				e := float64(d) - distance(m, v[0], v[i+1])
				sum += e
				squares += e * e
				spread += math.Abs(distance(m, v[0], v[i+1]))
			}
			n := float64(len(v) - 1)
			off := math.Sqrt(squares / n)
			// RaBitQ's error is about 0.75/sqrt(dim) of the two lengths.
			length := dot(wide(v[0]), wide(v[0]))
			if m == index.L2 {
				length *= 2
			}
			if most := 1.2 / math.Sqrt(float64(dim)) * length; off > most {
				t.Errorf("%v dim %d: off by %v, at most %v is usual", m, dim, off, most)
			}
			if math.Abs(sum/n) > off/2 {
				t.Errorf("%v dim %d: off by %v on average, by %v at all", m, dim, sum/n, off)
			}
		}
	}
}

func TestBinaryDecodesWhatItEncodes(t *testing.T) {
	b := NewBinary(70, index.L2)
	v := make([]float32, 70)
	for i := range v {
		v[i] = 5 - 2*float32(i%2) // 5 or 3: exactly mean and spread
	}
	row := memory(b.Stride + Overread)
	b.Encode(row, v)
	got := make([]float32, 70)
	b.Decode(got, row)
	for i := range v {
		if v[i] != got[i] {
			t.Fatalf("component %d is %v, want %v", i, got[i], v[i])
		}
	}
	for _, x := range []float32{0, 7, -3} { // no spread at all
		for i := range v {
			v[i] = x
		}
		if d := walked(b, b.Stride, b.QuerySize, [][]float32{v, v})[0]; d != 0 {
			t.Errorf("a vector of %v is at distance %v from itself", x, d)
		}
	}
}
