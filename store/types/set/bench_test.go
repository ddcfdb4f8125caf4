package set

import (
	"fmt"
	"testing"
)

func manyMembers(n int) [][]byte {
	l := make([][]byte, n)
	for i := range l {
		l[i] = fmt.Append(nil, "member:", i)
	}
	return l
}

func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{100, 500, 100_000} {
		l := manyMembers(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				v := New(l[0], 1)
				for _, m := range l {
					v.Add(m)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/member")
		})
	}
}

func BenchmarkHas(b *testing.B) {
	for _, n := range []int{10, 128, 100_000} {
		l := manyMembers(n)
		v := New(l[0], 1)
		for _, m := range l {
			v.Add(m)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				v.Has(l[i*7919%n])
			}
		})
	}
}

func BenchmarkEach(b *testing.B) {
	l := manyMembers(100_000)
	v := New(l[0], 1)
	for _, m := range l {
		v.Add(m)
	}
	sum := 0
	for b.Loop() {
		v.Each(func(m []byte) bool { sum += len(m); return true })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(l)), "ns/member")
}

func BenchmarkClone(b *testing.B) {
	l := manyMembers(100_000)
	v := New(l[0], 1)
	for _, m := range l {
		v.Add(m)
	}
	for b.Loop() {
		v.Clone()
	}
}
