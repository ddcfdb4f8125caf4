package slab

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkReplace frees a random one of n cells and allocates another: what a
// SET of an existing key costs at most.
func BenchmarkReplace(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("cells=%d", n), func(b *testing.B) {
			a := newTestArena(b)
			var h Heap
			h.Init(a)
			refs := make([]Ref, n)
			sizes := make([]uint8, n)
			r := rand.New(rand.NewPCG(1, 1))
			for i := range refs {
				sizes[i] = uint8(64 + r.IntN(128))
				refs[i] = h.Alloc(int(sizes[i]))
			}
			x := uint32(1)
			for b.Loop() {
				x = x*1664525 + 1013904223
				i := int(uint64(x) * uint64(n) >> 32)
				h.Free(refs[i], int(sizes[i]))
				sizes[i] = uint8(64 + x>>8%128)
				refs[i] = h.Alloc(int(sizes[i]))
			}
			b.ReportMetric(float64(h.Used())/float64(h.Held()), "occupancy")
		})
	}
}

// BenchmarkAllocFree is one cell that comes and goes.
func BenchmarkAllocFree(b *testing.B) {
	for _, n := range []int{16, 110, 1000, MaxCell} {
		b.Run(fmt.Sprintf("size=%d", n), func(b *testing.B) {
			a := newTestArena(b)
			var h Heap
			h.Init(a)
			h.Alloc(n)
			for b.Loop() {
				h.Free(h.Alloc(n), n)
			}
		})
	}
}

// BenchmarkFill allocates cells and frees them in another order: the price of
// pages is in it.
func BenchmarkFill(b *testing.B) {
	const n = 1 << 20
	a := newTestArena(b)
	var h Heap
	h.Init(a)
	refs := make([]Ref, n)
	for b.Loop() {
		for i := range refs {
			refs[i] = h.Alloc(110)
		}
		for i := range refs {
			h.Free(refs[i*7919%n], 110)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/pair")
}

// BenchmarkRandomRead reads a byte of cells at random: what huge pages are for.
func BenchmarkRandomRead(b *testing.B) {
	const n = 10_000_000
	for _, huge := range []bool{false, true, false, true} {
		b.Run(fmt.Sprintf("cells=%d/huge=%v", n, huge), func(b *testing.B) {
			a := newTestArena(b)
			a.mu.huge = huge && a.mu.huge
			var h [256]Heap
			for i := range h {
				h[i].Init(a)
			}
			refs := make([]uint32, n) // as a table of the keyspace would hold them
			for i := range refs {
				refs[i] = uint32(h[i%len(h)].Alloc(110))
				a.Bytes(Ref(refs[i]), 110)[50] = 1
			}
			x, sum := uint32(1), 0
			for b.Loop() {
				x = x*1664525 + 1013904223 + uint32(sum&1)
				sum += int(a.Bytes(Ref(refs[uint64(x)*n>>32]), 110)[50])
			}
			if sum == 0 {
				b.Fatal("nothing read")
			}
			held := int64(0)
			for i := range h {
				held += h[i].Held()
			}
			b.ReportMetric(float64(held+a.Stats().Meta)/n, "B/cell")
		})
	}
}

// BenchmarkOverhead reports Held/Used of 256 heaps with mixed sizes: after a
// random workload, after 70% were deleted, after evacuation.
func BenchmarkOverhead(b *testing.B) {
	const heaps, cells = 256, 2_000_000
	for _, mix := range []struct {
		name string
		size func(*rand.Rand) int
	}{
		{"90-120", func(r *rand.Rand) int { return 90 + r.IntN(30) }},
		{"32-1024", func(r *rand.Rand) int { return 32 + r.IntN(1+r.IntN(992)) }},
		{"16-16k", func(r *rand.Rand) int { return 16 + r.IntN(1+r.IntN(1+r.IntN(16<<10))) }},
	} {
		b.Run("size="+mix.name, func(b *testing.B) {
			for b.Loop() {
				a := newTestArena(b)
				n := cells
				if mix.name == "16-16k" {
					n = cells / 8
				}
				r := rand.New(rand.NewPCG(1, 1))
				h := make([]Heap, heaps)
				for i := range h {
					h[i].Init(a)
				}
				refs, sizes := make([]Ref, n), make([]int, n)
				at := map[Ref]int{}
				asked := 0
				for i := range refs {
					sizes[i] = mix.size(r)
					asked += sizes[i]
					refs[i] = h[i%heaps].Alloc(sizes[i])
				}
				report := func(when string) {
					held, used := int64(0), int64(0)
					for i := range h {
						held, used = held+h[i].Held(), used+h[i].Used()
					}
					b.ReportMetric(float64(held)/float64(used), when+"-held/used")
					b.ReportMetric(float64(held+a.Stats().Meta)/float64(asked), when+"-all/asked")
				}
				for range n {
					i := r.IntN(n)
					h[i%heaps].Free(refs[i], sizes[i])
					asked -= sizes[i]
					sizes[i] = mix.size(r)
					asked += sizes[i]
					refs[i] = h[i%heaps].Alloc(sizes[i])
				}
				report("1churned")
				for i := range refs {
					if r.IntN(10) < 7 {
						h[i%heaps].Free(refs[i], sizes[i])
						asked -= sizes[i]
						refs[i] = 0
					} else {
						at[refs[i]] = i
					}
				}
				report("2deleted")
				for k := range h {
					for h[k].Evacuate(1<<20, func(from Ref, size int) {
						i := at[from]
						delete(at, from)
						refs[i] = h[k].Alloc(size)
						at[refs[i]] = i
						h[k].Free(from, size)
					}) {
					}
				}
				a.Trim(1 << 40)
				report("3evacuated")
				a.Close()
			}
		})
	}
}

// BenchmarkSpan makes and drops pieces of memory and writes to them.
func BenchmarkSpan(b *testing.B) {
	for _, n := range []int{32 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("size=%d", n), func(b *testing.B) {
			a := newTestArena(b)
			b.SetBytes(int64(n))
			for b.Loop() {
				s, err := a.NewSpan(n)
				if err != nil {
					b.Fatal(err)
				}
				s.Bytes()[0] = 1
				s.Release()
			}
		})
	}
}
