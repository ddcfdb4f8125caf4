package quant

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

// Distances are below Lower, and estimates off by more than Doubt, in rare
// cases only; and neither is so wide that it says nothing.
func TestBinaryErrorsAreBelievable(t *testing.T) {
	for _, m := range []index.Metric{index.L2, index.IP, index.Cosine} {
		for _, dim := range []int{24, 100, 384} {
			b := NewBinary(dim, m)
			r := rand.New(rand.NewPCG(uint64(dim), 3))
			vector := func(near []float32, share float64) []float32 {
				v := make([]float32, dim)
				n := 0.0
				for i := range v {
					x := r.NormFloat64() * (1 - share)
					if near != nil {
						x += share * float64(near[i]) * math.Sqrt(float64(dim))
					}
					v[i] = float32(x)
					n += x * x
				}
				for i := range v {
					v[i] /= float32(math.Sqrt(n))
				}
				return v
			}
			mem := make([]uint64, (b.Stride+Overread+b.QuerySize)/8+2)
			row := unsafe.Pointer(&mem[0])
			row = unsafe.Add(row, -uintptr(row)&15)
			q := unsafe.Add(row, b.Stride+Overread)
			const tries = 4000
			below, doubted := 0, 0
			var width float64
			for i := range tries {
				v := vector(nil, 0)
				w := vector(v, float64(i%10)/10)
				b.Query(q, v)
				b.Encode(row, w)
				var dist float32
				slot := uint32(0)
				b.Walk(&dist, q, row, &slot, 1)
				var true64 float64
				for j := range v {
					if m == index.L2 {
						d := float64(v[j]) - float64(w[j])
						true64 += d * d
					} else {
						true64 -= float64(v[j]) * float64(w[j])
					}
				}
				low := float64(b.Lower(dist, q, row))
				if true64 < low {
					below++
				}
				width += float64(dist) - low
				if math.Abs(true64-float64(dist)) > float64(b.Doubt(dist, q)) {
					doubted++
				}
			}
			scale := 1.0
			if m == index.L2 {
				scale = 2
			}
			width /= tries * scale
			if below > tries/500 || doubted > tries/100 || width > 6/math.Sqrt(float64(dim)) {
				t.Errorf("%v %d: %d of %d below Lower, %d beyond Doubt, Lower is %v below", m, dim, below, tries, doubted, width)
			}
		}
	}
}

func TestBinaryErrorsOfWhatOverflows(t *testing.T) {
	for _, m := range []index.Metric{index.L2, index.IP} {
		b := NewBinary(3, m)
		mem := make([]uint64, (b.Stride+Overread+b.QuerySize)/8+2)
		row := unsafe.Pointer(&mem[0])
		row = unsafe.Add(row, -uintptr(row)&15)
		q := unsafe.Add(row, b.Stride+Overread)
		for _, v := range [][]float32{{0, 0, 0}, {math.MaxFloat32, -math.MaxFloat32, 1}, {1, 1, 1}} {
			for _, w := range [][]float32{{0, 0, 0}, {-math.MaxFloat32, math.MaxFloat32, 0}, {1, 2, 3}} {
				b.Query(q, v)
				b.Encode(row, w)
				var d float32
				slot := uint32(0)
				b.Walk(&d, q, row, &slot, 1)
				low, doubt := b.Lower(d, q, row), b.Doubt(d, q)
				if low != low || low > d || doubt < 0 {
					t.Errorf("%v: %v and %v: %v, but at least %v, off by %v", m, v, w, d, low, doubt)
				}
			}
		}
	}
}
