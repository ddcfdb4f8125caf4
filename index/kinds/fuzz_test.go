package kinds

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

// program reads a fuzzer's bytes as numbers; behind the end all are 0.
type program []byte

func (p *program) more() bool { return len(*p) > 0 }

func (p *program) next(n int) int {
	if len(*p) == 0 {
		return 0
	}
	b := (*p)[0]
	*p = (*p)[1:]
	return int(b) % n
}

func (p *program) take(n int) []byte {
	b := make([]byte, n)
	*p = (*p)[copy(b, *p):]
	return b
}

// vector is one of few, so that equal ones come often, or any bytes.
func (p *program) vector(e index.Element, dim int) []byte {
	n := p.next(256)
	if n >= 240 {
		return p.take(dim * e.Size())
	}
	v := make([]float64, dim)
	for i := range v {
		v[i] = float64((n*(i+3)*(i+7))%19) - 9
		if e == index.Uint8 {
			v[i] += 9
		}
	}
	return indextest.Blob(e, v)
}

// plain reports whether the distances of a vector can be held against
// float64's: neither overflow nor underflow takes part.
func plain(v []float64) bool {
	for _, x := range v {
		if x != 0 && !(math.Abs(x) > 1e-3 && math.Abs(x) < 1e3) {
			return false
		}
	}
	return true
}

// off is how far a distance may be from float64's.
func off(p index.Params, a, b []float64) float64 {
	d := 1 + math.Abs(indextest.Distance(p.Metric, a, b))
	if p.Quant != index.QuantSQ8Only {
		return 1e-3 * d
	}
	zero := make([]float64, len(a))
	return 0.02 * (d + math.Sqrt(indextest.Distance(index.L2, a, zero)*indextest.Distance(index.L2, b, zero)))
}

func finite(v []float64) bool {
	for _, x := range v {
		if x-x != 0 {
			return false
		}
	}
	return true
}

// FuzzSequence does to an index of any kind what the bytes say, and compares
// with a map.
func FuzzSequence(f *testing.F) {
	for k := range All {
		for e := range 6 {
			for m := range 3 {
				f.Add([]byte{
					byte(k), byte(e), byte(m), 3, 0, 9, byte(e + m),
					0, 1, 10, 0, 2, 20, 0, 3, 10, 5, 10, 2, 1, 6, 10, 3, 1, 0, 1, 30, 7, 10, 9, 4, 8, 0, 2, 250, 1, 2, 3, 4,
				})
			}
		}
	}
	f.Add([]byte{0, 0, 2, 0, 0, 0, 0, 0, 1, 7, 0, 2, 7, 0, 3, 7, 3, 1, 3, 2, 0, 1, 7, 8, 3, 3, 5, 7, 1})
	f.Add([]byte{1, 3, 2, 1, 0, 0, 0, 0, 1, 255, 0x7f, 0x7f, 0x7f, 0xff, 0, 2, 255, 1, 0, 1, 0, 5, 255, 0x80, 0x7f, 9, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 {
			return
		}
		r := program(data)
		kind := All[r.next(len(All))]
		p := index.Params{
			Element: index.Element(r.next(6)), Metric: index.Metric(r.next(3)),
			Dim: 1 + r.next(9), M: 2 + r.next(4), EFConstruction: 1 + r.next(30),
		}
		o := options[kind.Name]
		if q := r.next(1 + len(o.Quants)); q > 0 && slices.Contains(o.Quantised, p.Element) {
			p.Quant = o.Quants[q-1]
		}
		x, err := kind.New(p)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		model := map[index.Label][]float64{}
		newest := map[index.Label]uint64{}
		version := uint64(10)
		newer := func(l index.Label, v uint64) bool {
			last, ok := newest[l]
			return !ok || v > last
		}
		check := func(got []index.Neighbor, q []float64) {
			t.Helper()
			for i, g := range got {
				v, ok := model[g.Label]
				if !ok || g.Distance != g.Distance || i > 0 && g.Distance < got[i-1].Distance {
					t.Fatalf("%+v: result %d: %v, live %v", p, i, g, ok)
				}
				if want := indextest.Distance(p.Metric, q, v); plain(q) && plain(v) && math.Abs(g.Distance-want) > off(p, q, v) {
					t.Fatalf("%+v: %v from %v is at %v, want %v", p, v, q, g.Distance, want)
				}
			}
		}
		for r.more() {
			switch op := r.next(10); op {
			case 0, 1, 2: // an addition, now and then of an old version
				l, v := index.Label(r.next(120)), version
				if version++; op == 2 {
					v -= 8
				}
				blob := r.vector(p.Element, p.Dim)
				vec := indextest.Decode(p.Element, blob)
				switch err := x.Add(l, v, blob); {
				case !finite(vec):
					if !errors.Is(err, index.ErrNotFin) {
						t.Fatalf("%+v: %v: %v", p, vec, err)
					}
				case err != nil:
					t.Fatal(err)
				case newer(l, v):
					model[l], newest[l] = vec, v
				}
			case 3, 4:
				l, v := index.Label(r.next(120)), version
				if version++; op == 4 {
					v -= 8
				}
				_, want := model[l]
				if newer(l, v) {
					delete(model, l)
					newest[l] = v
				} else {
					want = false
				}
				if got := x.Remove(l, v); got != want {
					t.Fatalf("%+v: Remove(%d) = %v", p, l, got)
				}
			case 5, 6, 7:
				blob := r.vector(p.Element, p.Dim)
				q := indextest.Decode(p.Element, blob)
				k := r.next(8)
				o := index.SearchOptions{EF: r.next(20)}
				if op == 6 {
					o.Allow = &index.Bitmap{}
					for _, b := range r.take(4) {
						o.Allow.Add(index.Label(b % 120))
					}
				}
				var got []index.Neighbor
				if op == 7 {
					got, err = x.Range(nil, blob, float64(k), o)
				} else if got, err = x.Search(nil, blob, k, o); len(got) > k {
					t.Fatalf("%+v: %d results for k = %d", p, len(got), k)
				}
				if !finite(q) {
					if !errors.Is(err, index.ErrNotFin) {
						t.Fatalf("%+v: %v: %v", p, q, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				check(got, q)
				for _, g := range got {
					if o.Allow != nil && !o.Allow.Contains(g.Label) {
						t.Fatalf("%+v: %d is not allowed", p, g.Label)
					}
				}
			case 8:
				indextest.Settle(x)
			case 9:
				indextest.Validate(t, x)
			}
		}
		indextest.Validate(t, x)
		indextest.Settle(x)
		indextest.Validate(t, x)
		if x.Len() != len(model) {
			t.Fatalf("%+v: Len %d, want %d", p, x.Len(), len(model))
		}
		q := r.vector(p.Element, p.Dim)
		found, err := x.Search(nil, q, len(model)+1, index.SearchOptions{})
		if err != nil || len(found) != len(model) {
			t.Fatalf("%+v: found %d of %d: %v", p, len(found), len(model), err)
		}
		check(found, indextest.Decode(p.Element, q))
		// Each is found by itself. What overflows is no nearer to itself than to others.
		for l, v := range model {
			got, err := x.Search(nil, indextest.Blob(p.Element, v), 1, index.SearchOptions{})
			if err != nil || len(got) != 1 {
				t.Fatalf("%+v: label %d: %v %v", p, l, got, err)
			}
			if g := model[got[0].Label]; p.Metric != index.IP && plain(v) && plain(g) &&
				indextest.Distance(p.Metric, v, g) > indextest.Distance(p.Metric, v, v)+off(p, v, g) {
				t.Fatalf("%+v: %v is found for %v", p, g, v)
			}
		}
	})
}
