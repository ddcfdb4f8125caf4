package space

import (
	"errors"
	"math"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

// FuzzParse gives any bytes to any space: what is accepted is finite and can
// be compared with itself and with what it came from.
func FuzzParse(f *testing.F) {
	for _, e := range elements {
		for m := range metrics {
			f.Add(uint8(e), uint8(m), uint16(3), indextest.Blob(e, []float64{1, -2, 0.5}))
		}
		f.Add(uint8(e), uint8(2), uint16(2), make([]byte, 2*e.Size()))
		f.Add(uint8(e), uint8(2), uint16(1), indextest.Blob(e, []float64{math.NaN()}))
	}
	f.Add(uint8(index.BFloat16), uint8(index.Cosine), uint16(2), []byte{0x7f, 0x7f, 1, 0})
	f.Add(uint8(index.BFloat16), uint8(index.Cosine), uint16(1), []byte{1, 0})
	f.Fuzz(func(t *testing.T, element, metric uint8, dim uint16, blob []byte) {
		e, m := elements[int(element)%len(elements)], metrics[int(metric)%len(metrics)]
		s := New(1+int(dim)%2048, e, m)
		x := newRows(s, 1)
		end := x.mem[s.Stride]
		err := s.Parse(x.row(0), blob)
		if x.mem[s.Stride] != end {
			t.Fatal("written behind the row")
		}
		v := indextest.Decode(e, blob[:len(blob)/e.Size()*e.Size()])
		finite, zero := true, true
		for _, c := range v {
			finite = finite && c-c == 0
			zero = zero && c == 0
		}
		switch {
		case len(blob) != s.Dim*e.Size():
			if !errors.Is(err, index.ErrDim) {
				t.Fatalf("%d bytes for %d components: %v", len(blob), s.Dim, err)
			}
			return
		case !finite:
			if !errors.Is(err, index.ErrNotFin) {
				t.Fatalf("%v: %v", v, err)
			}
			return
		case err != nil:
			t.Fatal(err)
		}
		walk, exact := x.ask(t, 0)
		if walk[0] != walk[0] || exact[0] != exact[0] {
			t.Fatalf("%v is at %v %v from itself", v, walk[0], exact[0])
		}
		switch {
		case m == index.L2 && (exact[0] != 0 || walk[0] != 0):
			t.Fatalf("%v is at %v %v from itself", v, walk[0], exact[0])
		case m == index.Cosine && zero && (exact[0] != 1 || walk[0] != 0):
			t.Fatalf("zero is at %v %v from itself", walk[0], exact[0])
		case m == index.Cosine && !zero && (exact[0] > near(s.Dim) || math.Abs(float64(walk[0])+1) > near(s.Dim)):
			t.Fatalf("%v is at %v %v from itself", v, walk[0], exact[0])
		}
		floats := make([]float32, s.Dim)
		s.Floats(floats, x.row(0))
		for _, c := range floats {
			if c-c != 0 {
				t.Fatalf("%v became %v", v, floats)
			}
		}
	})
}
