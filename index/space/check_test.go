package space

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

func TestCheckTakesWhatParseMakesAndNothingElse(t *testing.T) {
	for e := range index.Uint8 + 1 {
		for _, m := range []index.Metric{index.L2, index.IP, index.Cosine} {
			for _, dim := range []int{1, 3, 16, 31, 100} {
				s := New(dim, e, m)
				r := rand.New(rand.NewPCG(uint64(dim), 7))
				mem := make([]uint64, s.Stride/8+2)
				row := unsafe.Pointer(&mem[0])
				row = unsafe.Add(row, -uintptr(row)&15)
				v := make([]float64, dim)
				for i := range v {
					v[i] = r.NormFloat64() * 20
				}
				for _, v := range [][]float64{v, make([]float64, dim)} {
					if err := s.Parse(row, indextest.Blob(e, v)); err != nil {
						t.Fatal(err)
					}
					if err := s.Check(row); err != nil {
						t.Fatalf("%v %v %d: %v", e, m, dim, err)
					}
				}
				b := unsafe.Slice((*byte)(row), s.Stride)
				for i := dim * e.Size(); i < len(b); i++ {
					b[i] ^= 1
					if s.Check(row) == nil {
						t.Fatalf("%v %v %d: byte %d is changed", e, m, dim, i)
					}
					b[i] ^= 1
				}
				switch e {
				case index.Float32:
					*(*float32)(row) = float32(math.Inf(1))
				case index.Float64:
					*(*float64)(row) = math.NaN()
				case index.Float16, index.BFloat16:
					*(*uint16)(row) = 0x7fff
				default:
					continue
				}
				if err := s.Check(row); !errors.Is(err, index.ErrNotFin) {
					t.Fatalf("%v %v %d: %v", e, m, dim, err)
				}
			}
		}
		if e == index.Float32 {
			s := New(4, e, index.Cosine)
			v := [16]float32{0.5, 0.5, 0.5, 0.6}
			if s.Check(unsafe.Pointer(&v)) == nil {
				t.Fatal("a length above 1 is taken")
			}
		}
	}
}
