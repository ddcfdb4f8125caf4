package hll

import (
	"bytes"
	"math"
	"strconv"
	"testing"
)

func add(t testing.TB, b []byte, from, to int) []byte {
	t.Helper()
	for i := from; i < to; i++ {
		var ok bool
		if b, _, ok = Add(b, strconv.AppendInt(nil, int64(i), 10)); !ok {
			t.Fatalf("element %d: the runs do not add up", i)
		}
	}
	return b
}

// The bytes of real Redis 8.10.2 after PFADD k a b c and PFCOUNT k.
func TestBytesOfRedis(t *testing.T) {
	b := New()
	for _, e := range []string{"a", "b", "c"} {
		b, _, _ = Add(b, []byte(e))
	}
	n, ok := Estimate(b)
	if !ok || n != 3 {
		t.Fatalf("counts %d", n)
	}
	SetCount(b, n)
	const want = "HYLL\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00"
	if !bytes.HasPrefix(b, []byte(want)) || !Valid(b) {
		t.Errorf("%q", b)
	}
}

func TestCountIsNear(t *testing.T) {
	b := New()
	for n := 1; n <= 300_000; n *= 3 {
		b = add(t, b, n/3, n)
		got, ok := Estimate(b)
		if !ok || math.Abs(float64(got)-float64(n)) > 0.03*float64(n)+1 {
			t.Errorf("%d elements count as %d", n, got)
		}
		var max [Registers]uint8
		if !Raise(&max, b) || EstimateRegisters(&max) != got {
			t.Errorf("%d elements: the registers count as %d, the string as %d", n, EstimateRegisters(&max), got)
		}
	}
	if Encoding(b) != Dense {
		t.Error("still sparse")
	}
}

func TestSparseIsAsDense(t *testing.T) {
	sparse := New()
	dense, _ := ToDense(New())
	for i := range 2500 {
		e := strconv.AppendInt(nil, int64(i*7919), 10)
		var a, b bool
		sparse, a, _ = Add(sparse, e)
		dense, b, _ = Add(dense, e)
		if a != b {
			t.Fatalf("element %d: sparse has changed %v, dense %v", i, a, b)
		}
		if i%100 == 0 {
			same, ok := ToDense(sparse)
			if !ok || !bytes.Equal(same[headLen:], dense[headLen:]) {
				t.Fatalf("element %d: sparse and dense differ", i)
			}
		}
	}
}

func TestMerge(t *testing.T) {
	a, b := add(t, New(), 0, 5000), add(t, New(), 3000, 9000)
	var max [Registers]uint8
	if !Raise(&max, a) || !Raise(&max, b) {
		t.Fatal("the runs do not add up")
	}
	all := add(t, New(), 0, 9000)
	merged := Put(New(), &max)
	if x, y := merged[headLen:], all[headLen:]; !bytes.Equal(x, y) {
		t.Error("merged is not the same as added")
	}
}

// FuzzString does everything to strings of users.
func FuzzString(f *testing.F) {
	f.Add(New(), []byte("x"))
	f.Add(add(f, New(), 0, 500), []byte("y"))
	f.Add(add(f, New(), 0, 5000), []byte("z"))
	f.Add([]byte("HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f"), []byte("a"))
	f.Add([]byte("HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x40\x00\x7f\xfe"), []byte("b"))
	f.Add([]byte("HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\xff\xff\xff\xff\x7f\xef"), []byte("c"))
	f.Fuzz(func(t *testing.T, b, element []byte) {
		if !Valid(b) {
			t.Skip()
		}
		var max [Registers]uint8
		_, ok := Estimate(b)
		if Raise(&max, b) != ok {
			t.Fatal("Raise and Estimate disagree")
		}
		if _, dense := ToDense(b); dense != ok {
			t.Fatal("ToDense and Estimate disagree")
		}
		AppendRuns(nil, b, func(dst []byte, _ int) []byte { return dst })
		out, changed, added := Add(bytes.Clone(b), element)
		if !Valid(out) {
			t.Fatalf("%q became %q", b, out)
		}
		if ok && !added {
			t.Fatal("an element was refused")
		}
		if !ok || !added {
			return
		}
		i, v := place(element)
		if changed != (v > max[i]) {
			t.Fatalf("changed %v, from %d to %d", changed, max[i], v)
		}
		max[i] = v
		var after [Registers]uint8
		if !Raise(&after, out) || changed && after != max {
			t.Fatal("another register has changed")
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	s := add(b, New(), 0, 100_000)
	b.ReportAllocs()
	var text [20]byte
	for i := 0; b.Loop(); i++ {
		s, _, _ = Add(s, strconv.AppendInt(text[:0], int64(i), 10))
	}
}

func BenchmarkEstimate(b *testing.B) {
	s := add(b, New(), 0, 100_000)
	for b.Loop() {
		Estimate(s)
	}
}
