package kernel

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestNormalize(t *testing.T) {
	f := func(in []float64) {
		t.Helper()
		v32, v64 := make([]float32, len(in)), append([]float64(nil), in...)
		for i, x := range in {
			v32[i] = float32(x)
		}
		Normalize32(v32)
		Normalize64(v64)
		var s32, s64 float64
		for i := range in {
			s32 += float64(v32[i]) * float64(v32[i])
			s64 += v64[i] * v64[i]
		}
		if math.Abs(s32-1) > 1e-6 || math.Abs(s64-1) > 1e-12 {
			t.Fatalf("%v: squared lengths %v, %v", in, s32, s64)
		}
	}
	f([]float64{1})
	f([]float64{3, 4})
	f([]float64{1e-30, 0, 1e-30})
	f([]float64{1e-44})
	f([]float64{3e38, -3e38, 3e38})
	f([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17})

	v := []float64{1e300, 5e-324, -1e300}
	Normalize64(v)
	if math.Abs(v[0]-math.Sqrt(0.5)) > 1e-12 {
		t.Fatalf("huge components: %v", v)
	}
	v = []float64{5e-324}
	if Normalize64(v); v[0] != 1 {
		t.Fatalf("the smallest number: %v", v)
	}
	zero := []float32{0, 0}
	if Normalize32(zero); zero[0] != 0 || zero[1] != 0 {
		t.Fatalf("zero vector became %v", zero)
	}
	Normalize32(nil)
	Normalize64(nil)
}

func TestFinite(t *testing.T) {
	f := func(v []float32, want bool) {
		t.Helper()
		w := make([]float64, len(v))
		for i := range v {
			w[i] = float64(v[i])
		}
		if Finite32(v) != want || Finite64(w) != want {
			t.Fatalf("%v: want %v", v, want)
		}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	f(nil, true)
	f([]float32{0}, true)
	f([]float32{3e38, 3e38}, true)
	f([]float32{1, nan}, false)
	f([]float32{inf, -inf}, false)
	f([]float32{1, 2, 3, 4, 5, 6, 7, 8, -inf}, false)
	if !Finite64([]float64{1e308, -1e308}) {
		t.Fatal("large but finite")
	}
}

func TestDecodeUnaligned(t *testing.T) {
	for off := range 9 {
		b := make([]byte, off+24)
		for i := range 3 {
			binary.LittleEndian.PutUint64(b[off+8*i:], math.Float64bits(float64(i)+0.5))
		}
		v := make([]float64, 3)
		Decode64(v, b[off:])
		if v[0] != 0.5 || v[2] != 2.5 {
			t.Fatalf("offset %d: %v", off, v)
		}
		for i := range 6 {
			binary.LittleEndian.PutUint32(b[off+4*i:], math.Float32bits(float32(i)+0.25))
		}
		w := make([]float32, 8)
		Decode32(w, b[off:])
		if w[0] != 0.25 || w[5] != 5.25 || w[6] != 0 {
			t.Fatalf("offset %d: %v", off, w)
		}
	}
}
