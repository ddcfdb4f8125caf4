package zset

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

type pair struct {
	m string
	s float64
}

// model is a sorted set that is plainly right.
type model []pair

func order(a, b pair) int { return cmp.Or(cmp.Compare(a.s, b.s), strings.Compare(a.m, b.m)) }

func (m *model) remove(member string) bool {
	i := slices.IndexFunc(*m, func(p pair) bool { return p.m == member })
	if i >= 0 {
		*m = slices.Delete(*m, i, i+1)
	}
	return i >= 0
}

func (m *model) set(member string, s float64) bool {
	was := m.remove(member)
	p := pair{member, s}
	i, _ := slices.BinarySearchFunc(*m, p, order)
	*m = slices.Insert(*m, i, p)
	return !was
}

// validate checks what must hold of a tree.
func (v *Value) validate(t *testing.T) {
	t.Helper()
	if v.t == nil {
		return
	}
	bytes := 0
	var walk func(nd *node) int
	walk = func(nd *node) int {
		bytes += nodeBytes
		if nd.below == nil {
			return nd.n
		}
		bytes += nodeBytes
		all := 0
		for i := range nd.n {
			k := nd.below.node[i]
			n := walk(k)
			if n != int(nd.below.count[i]) || n == 0 || nd.refs[i] != k.refs[0] || nd.scores[i] != k.scores[0] {
				t.Fatalf("entry %d: %d members, count %d, first %v %v", i, n, nd.below.count[i], nd.refs[i], k.refs[0])
			}
			all += n
		}
		return all
	}
	if n := walk(v.t.root); n != v.n || n != v.t.n {
		t.Fatalf("%d members in the tree, %d and %d counted", n, v.n, v.t.n)
	}
	if bytes != v.t.bytes {
		t.Fatalf("nodes of %d bytes, %d counted", bytes, v.t.bytes)
	}
	if n := v.t.members.Len(); n != v.n {
		t.Fatalf("%d of %d members are found by name", n, v.n)
	}
}

func same(t *testing.T, v *Value, m model) {
	t.Helper()
	v.validate(t)
	if v.Len() != len(m) {
		t.Fatalf("%d members, want %d", v.Len(), len(m))
	}
	for _, rev := range []bool{false, true} {
		from := 0
		if rev {
			from = len(m) - 1
		}
		it := v.From(from, rev)
		for i := range m {
			if rev {
				i = len(m) - 1 - i
			}
			if !it.Next() || string(it.Member()) != m[i].m || it.Score() != m[i].s {
				t.Fatalf("reverse %v, rank %d: %.40q %v, want %.40q %v", rev, i, it.Member(), it.Score(), m[i].m, m[i].s)
			}
		}
		if it.Next() {
			t.Fatal("more than there are")
		}
	}
}

func TestSetIsAsAModel(t *testing.T) {
	for _, size := range []int{20, 120, 500, 6000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(size), 1))
			v := New(0, 0)
			var m model
			member := func() string {
				n := rng.IntN(size)
				if n%97 == 0 && size > 200 {
					return strings.Repeat("x", n*n%40000) + fmt.Sprint(n)
				}
				return fmt.Sprint("m", n)
			}
			score := func() float64 {
				switch rng.IntN(8) {
				case 0:
					return rng.NormFloat64()
				case 1:
					return []float64{math.Inf(1), math.Inf(-1), 1 << 53, -1 << 60, 128, -129, 175, 176, -64, -65, 1e300, 32768}[rng.IntN(12)]
				}
				return float64(rng.IntN(40))
			}
			steps := 20_000
			for step := range steps {
				growing := step%(steps/2) < steps/4
				switch k := rng.IntN(20); {
				case k < 12 && (growing || k < 3):
					name, s := member(), score()
					if got, updated := v.Set([]byte(name), s); got != m.set(name, s) || got && updated {
						t.Fatalf("step %d: set %.40q: %v", step, name, got)
					}
				case k < 17:
					name := member()
					if got, want := v.Remove([]byte(name)), m.remove(name); got != want {
						t.Fatalf("step %d: remove %.40q: %v", step, name, got)
					}
				case k == 17 && len(m) > 0:
					lo := rng.IntN(len(m))
					hi := min(len(m), lo+rng.IntN(20))
					if rng.IntN(100) == 0 {
						hi = min(len(m), lo+rng.IntN(size))
					}
					v.RemoveRange(lo, hi)
					m = slices.Delete(m, lo, hi)
				case k == 18:
					name := member()
					i := slices.IndexFunc(m, func(p pair) bool { return p.m == name })
					rank, s, ok := v.Rank([]byte(name))
					if ok != (i >= 0) || ok && (rank != i || s != m[i].s) {
						t.Fatalf("step %d: rank of %.40q is %d %v %v, want %d", step, name, rank, s, ok, i)
					}
				case k == 19:
					r := ScoreRange{score(), score(), rng.IntN(2) == 0, rng.IntN(2) == 0}
					lo, hi := v.ScoreRange(&r)
					n := 0
					for i, p := range m {
						if in := !r.below(p.s) && !r.above(p.s); in != (lo <= i && i < hi) {
							t.Fatalf("step %d: range %+v is %d to %d", step, r, lo, hi)
						} else if in {
							n++
						}
					}
					if hi-lo != n {
						t.Fatalf("step %d: range %+v is %d to %d, want %d members", step, r, lo, hi, n)
					}
				}
				if step%1000 == 0 || len(m) < 3 {
					same(t, v, m)
				}
				if b, ok := v.Pack(); ok && step%7 == 0 {
					u := New(0, 0)
					u.Unpack(slices.Clone(b))
					v = u
				}
			}
			same(t, v, m)
			same(t, v.Clone().(*Value), m)
			u := New(0, 0)
			v.Rebuild([]byte("k"), func(args ...[]byte) {
				for i := 2; i < len(args); i += 2 {
					var s float64
					if _, err := fmt.Sscan(string(args[i]), &s); err != nil {
						t.Fatal(err)
					}
					u.Set(args[i+1], s)
				}
			})
			same(t, u, m)
		})
	}
}

func TestLexRange(t *testing.T) {
	for _, n := range []int{50, 1000} {
		v := New(0, 0)
		for i := range n {
			v.Set(fmt.Appendf(nil, "%04d", i), 1)
		}
		end := func(m string, ex bool) LexEnd { return LexEnd{Member: []byte(m), Ex: ex} }
		for _, rev := range []bool{false, true} {
			f := func(a, b LexEnd, lo, hi int) {
				t.Helper()
				l, h := v.LexRange(&LexRange{a, b}, rev)
				if l != lo && h != l || h-l != hi-lo {
					t.Errorf("%d members: %d to %d, want %d to %d", n, l, h, lo, hi)
				}
			}
			f(LexEnd{Inf: -1}, LexEnd{Inf: 1}, 0, n)
			f(end("0010", false), end("0020", false), 10, 21)
			f(end("0010", true), end("0020", true), 11, 20)
			f(end("0010x", false), LexEnd{Inf: 1}, 11, n)
			f(LexEnd{Inf: -1}, end("0003", true), 0, 3)
			f(end("0010", false), end("0010", true), 0, 0)
			f(LexEnd{Inf: 1}, LexEnd{Inf: -1}, 0, 0)
			f(end("z", false), LexEnd{Inf: 1}, 0, 0)
		}
	}
}

// TestScanVisitsWhatStays changes a set during a scan: who is there from the
// beginning to the end is visited.
func TestScanVisitsWhatStays(t *testing.T) {
	v := New(0, 0)
	for i := range 3000 {
		v.Set(fmt.Appendf(nil, "stay%d", i), float64(i))
	}
	seen := map[string]bool{}
	calls := 0
	for cursor := uint64(0); ; {
		cursor = v.Scan(cursor, 10, func(m []byte, _ float64) { seen[string(m)] = true })
		calls++
		for i := range 100 {
			v.Set(fmt.Appendf(nil, "new%d-%d", calls, i), 1)
			if calls > 50 {
				v.Remove(fmt.Appendf(nil, "new%d-%d", calls-50, i))
			}
		}
		if cursor == 0 {
			break
		}
	}
	for i := range 3000 {
		if !seen[fmt.Sprint("stay", i)] {
			t.Fatalf("stay%d was not visited in %d calls", i, calls)
		}
	}
	if calls < 100 {
		t.Errorf("%d calls for 3000 members by 10", calls)
	}
}

func TestEncoding(t *testing.T) {
	f := func(v *Value, want string) {
		t.Helper()
		if got := v.Encoding(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	v := New(1, 1)
	for i := range 128 {
		v.Set(fmt.Appendf(nil, "%d", i), 0)
	}
	f(v, "listpack")
	v.Set([]byte("more"), 0)
	f(v, "skiplist")
	v.Remove([]byte("more"))
	f(v, "skiplist")
	v.Settle()
	f(v, "listpack")
	v = New(1, 1)
	v.Set(bytes.Repeat([]byte("x"), 64), math.Copysign(0, -1))
	f(v, "listpack")
	if s, _ := v.Score(bytes.Repeat([]byte("x"), 64)); math.Signbit(s) {
		t.Error("a listpack keeps -0")
	}
	v.Set(bytes.Repeat([]byte("x"), 65), math.Copysign(0, -1))
	f(v, "skiplist")
	if s, _ := v.Score(bytes.Repeat([]byte("x"), 65)); !math.Signbit(s) {
		t.Error("a skiplist loses the sign of -0")
	}
	if _, ok := v.Pack(); !ok {
		t.Error("two members are not packed")
	}
	f(New(129, 1), "skiplist")
	f(New(1, 65), "skiplist")
}

// TestMemoryComesBack removes most of a large set.
func TestMemoryComesBack(t *testing.T) {
	v := New(0, 0)
	for i := range 100_000 {
		v.Set(fmt.Appendf(nil, "member%d", i), float64(i))
	}
	full := v.Size()
	v.RemoveRange(1000, v.Len())
	v.validate(t)
	if v.Size() > full/20 {
		t.Errorf("%d bytes for 1,000 members, %d for 100,000", v.Size(), full)
	}
}

func TestSizeIsTrue(t *testing.T) {
	// What the heap has gained holds what the runtime has taken meanwhile, too. It takes more at times; so the least of a few counts.
	gained := func(n, many int) (least float64, size int) {
		for range 5 {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.GC() // what pools hold lives through one
			runtime.ReadMemStats(&before)
			keep := make([]*Value, many)
			for k := range keep {
				v := New(0, 0)
				for i := range n {
					v.Set(fmt.Appendf(nil, "member%d", i*7919%n), float64(i))
				}
				keep[k] = v
			}
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&after)
			if got := float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / float64(many); least == 0 || got < least {
				least = got
			}
			size = int(keep[0].Size())
			runtime.KeepAlive(keep)
		}
		return least, size
	}
	for _, n := range []int{100, 100_000} {
		real, size := gained(n, max(1, 100_000/n))
		t.Logf("%d members: %.1f bytes a member, Size says %.1f", n, real/float64(n), float64(size)/float64(n))
		if float64(size) < real*0.9 || float64(size) > real*1.1 {
			t.Errorf("%d members take %.0f bytes, Size says %d", n, real, size)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	for _, n := range []int{100, 1_000_000} {
		names := make([][]byte, n)
		for i := range names {
			names[i] = fmt.Appendf(nil, "member%d", i)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		v := New(0, 0)
		for _, i := range rng.Perm(n) {
			v.Set(names[i], rng.Float64())
		}
		b.Run(fmt.Sprintf("n=%d/set", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.Set(names[rng.IntN(n)], rng.Float64())
			}
		})
		b.Run(fmt.Sprintf("n=%d/score", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.Score(names[rng.IntN(n)])
			}
		})
		b.Run(fmt.Sprintf("n=%d/rank", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.Rank(names[rng.IntN(n)])
			}
		})
		b.Run(fmt.Sprintf("n=%d/range10", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				it := v.From(rng.IntN(n), false)
				for k := 0; k < 10 && it.Next(); k++ {
				}
			}
		})
	}
}
