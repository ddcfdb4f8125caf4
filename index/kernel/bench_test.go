package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/nearcache/nearcache/index/slot"
)

// bench measures batches of n rows, from few rows that stay in the cache or at
// random places of 100 MB.
func bench(b *testing.B, k Kernel, dim, n int, where string) {
	l := layout[k.Type]
	size := ((dim*l.bits+7)/8 + RowAlign - 1) &^ (RowAlign - 1)
	rows := 32
	if where == "memory" {
		rows = 100 << 20 / size
	}
	mem, err := slot.Reserve(uintptr(rows * size))
	if err != nil {
		b.Fatal(err)
	}
	defer mem.Close()
	if err := mem.Grow(uintptr(rows * size)); err != nil {
		b.Fatal(err)
	}
	all := unsafe.Slice((*uint64)(mem.Base()), rows*size/8)
	for i := range all { // the system's page of zeros would stay in the cache
		all[i] = 0
	}
	q := make([]uint64, size*l.queryBits/l.bits*l.planes/8)
	dst := make([]uint64, n)
	r := rand.New(rand.NewPCG(1, 2))
	slots := make([]uint32, 1<<18)
	for i := range slots {
		slots[i] = uint32(r.IntN(rows))
	}
	at := 0
	for b.Loop() {
		k.Func(unsafe.Pointer(&dst[0]), unsafe.Pointer(&q[0]), mem.Base(), &slots[at], n, size, size)
		if at += n; at+n > len(slots) {
			at = 0
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
}

func BenchmarkKernel(b *testing.B) {
	for _, k := range All {
		if !k.Supported() {
			continue
		}
		for _, dim := range []int{384, 768, 1536} {
			for _, where := range []string{"cache", "memory"} {
				b.Run(fmt.Sprintf("%v/%v/d=%d/%s/%s", k.Op, k.Type, dim, where, k.ISA), func(b *testing.B) {
					bench(b, k, dim, 16, where)
				})
			}
		}
	}
}

// BenchmarkBatch measures the batches of a graph walk.
func BenchmarkBatch(b *testing.B) {
	for _, k := range All {
		if !k.Supported() || k.ISA == Generic || k.Type != F32 && k.Type != SQ8 {
			continue
		}
		for _, where := range []string{"cache", "memory"} {
			for _, n := range []int{1, 2, 3, 5, 8, 11, 16, 32} {
				b.Run(fmt.Sprintf("%v/%v/d=384/%s/n=%d/%s", k.Op, k.Type, where, n, k.ISA), func(b *testing.B) {
					bench(b, k, 384, n, where)
				})
			}
		}
	}
}
