package indextest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/index"
)

func (s *suite) distances(t *testing.T) {
	a, b := []float64{1, 2, 3}, []float64{2, 0.5, 4}
	for _, m := range metrics {
		for _, e := range s.Elements {
			x := s.make(t, index.Params{Dim: 3, Metric: m, Element: e})
			a, b := Decode(e, Blob(e, a)), Decode(e, Blob(e, b))
			mustAdd(t, x, 7, 1, Blob(e, b))
			want := Distance(m, a, b)
			tol := s.off(e) * (1 + math.Abs(want))
			if e == index.Float32 && s.quant != index.QuantSQ8Only {
				tol = 1e-6
			}
			r := mustSearch(t, x, Blob(e, a), 5, index.SearchOptions{})
			if len(r) != 1 || r[0].Label != 7 || math.Abs(r[0].Distance-want) > tol {
				t.Fatalf("%v %v: %v, want %v", m, e, r, want)
			}
			if d, ok := x.Distance(Blob(e, a), 7); !ok || d != r[0].Distance {
				t.Fatalf("%v %v: Distance %v %v, Search %v", m, e, d, ok, r[0].Distance)
			}
			if _, ok := x.Distance(Blob(e, a), 8); ok {
				t.Fatal("a distance to nothing")
			}
			if r := mustSearch(t, x, Blob(e, b), 1, index.SearchOptions{}); m != index.IP && r[0].Distance > s.itself(m, e) {
				t.Fatalf("%v %v: a vector is %v from itself", m, e, r[0].Distance)
			}
		}
	}
}

func (s *suite) zero(t *testing.T) {
	for _, e := range s.Elements {
		p := index.Params{Dim: 4, Metric: index.Cosine, Element: e}
		x := s.make(t, p)
		zero := Blob(e, make([]float64, 4))
		mustAdd(t, x, 1, 1, zero)
		mustAdd(t, x, 2, 1, Blob(e, []float64{1, 2, 3, 4}))
		mustAdd(t, x, 3, 1, Blob(e, []float64{-1, -2, -3, -4})) // of UINT8 zero as well
		mustAdd(t, x, 4, 1, zero)
		for _, n := range mustSearch(t, x, zero, 9, index.SearchOptions{}) {
			if n.Distance != 1 {
				t.Errorf("%v: the zero vector finds %v", e, n)
			}
		}
		r := mustSearch(t, x, Blob(e, []float64{2, 4, 6, 8}), 9, index.SearchOptions{})
		if len(r) != 4 || r[0].Label != 2 || r[1].Distance != 1 || r[2].Distance != 1 || e != index.Uint8 && r[3].Label != 3 {
			t.Errorf("%v: %v", e, r)
		}
		Validate(t, x)
	}
}

// largest is what the element can hold.
var largest = [...]float64{
	index.Float32: math.MaxFloat32, index.Float64: math.MaxFloat64,
	index.Float16: 65504, index.BFloat16: 0x1.fep127, index.Int8: 127, index.Uint8: 255,
}

func (s *suite) overflow(t *testing.T) {
	for _, m := range metrics {
		for _, e := range s.Elements {
			big := largest[e]
			x := s.make(t, index.Params{Dim: 4, Metric: m, Element: e})
			r := rand.New(rand.NewPCG(8, 8))
			n := 300
			if s.Short {
				n = 90
			}
			for i := range n {
				v := make([]float64, 4)
				for j := range v {
					switch i % 3 {
					case 0:
						v[j] = big * float64(r.IntN(3)-1)
					case 1:
						v[j] = big * (2*r.Float64() - 1)
					default:
						v[j] = r.NormFloat64()
					}
				}
				mustAdd(t, x, index.Label(i), 1, Blob(e, v))
			}
			Validate(t, x)
			for _, q := range [][]float64{{1, 1, 1, 1}, {big, big, -big, big}, {0, 0, 0, 0}} {
				if got := mustSearch(t, x, Blob(e, q), n, index.SearchOptions{}); len(got) != n {
					t.Errorf("%v %v: found %d of %d", m, e, len(got), n)
				}
				if got := mustSearch(t, x, Blob(e, q), 10, index.SearchOptions{}); len(got) != 10 {
					t.Errorf("%v %v: found %d of 10", m, e, len(got))
				}
			}
			for i := range n {
				if !x.Remove(index.Label(i), 2) {
					t.Fatalf("label %d was not there", i)
				}
			}
			Settle(x)
			Validate(t, x)
		}
	}
}

func (s *suite) identical(t *testing.T) {
	for _, m := range []index.Metric{index.L2, index.Cosine} {
		for _, e := range s.Elements {
			p := index.Params{Dim: 48, Metric: m, Element: e, M: 4, EFConstruction: 16}
			x, set := s.filled(t, p, Fit(e, Vectors(10, s.n(1500), p.Dim)))
			s.selfFound(t, x, p, set)
		}
	}
}
