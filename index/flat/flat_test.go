package flat

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/quant"
	"github.com/nearcache/nearcache/index/slot"
)

func TestMain(m *testing.M) {
	slot.HeapArenas = heapArenas
	goleak.VerifyTestMain(m)
}

// withCodes makes every scan of minCoded slots go by codes.
func withCodes(t testing.TB) {
	was := codedPerK
	codedPerK = 1
	t.Cleanup(func() { codedPerK = was })
}

// withParallel makes every scan one that helpers join.
func withParallel(t testing.TB) {
	was := parallelBytes
	parallelBytes = 0
	t.Cleanup(func() { parallelBytes = was })
}

var codedElements = []index.Element{index.Float32, index.Float64, index.Float16, index.BFloat16}

// blob is v as it comes off the wire, cut to what the element holds.
func blob(e index.Element, v []float64) []byte {
	var b []byte
	for _, x := range v {
		f := float32(min(max(x, -math.MaxFloat32), math.MaxFloat32))
		switch e {
		case index.Float64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		case index.Float32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
		case index.BFloat16:
			b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(f)>>16))
		case index.Float16:
			b = binary.LittleEndian.AppendUint16(b, half(f))
		}
	}
	return b
}

// half is f as an IEEE half, towards zero, and the largest where f is larger.
func half(f float32) uint16 {
	u := math.Float32bits(f)
	sign := uint16(u >> 16 & 0x8000)
	switch e := int(u>>23&0xff) - 127 + 15; {
	case e >= 31:
		return sign | 0x7bff
	case e <= 0:
		return sign | uint16((u&0x7fffff|0x800000)>>min(14-e, 31))
	default:
		return sign | uint16(e<<10) | uint16(u>>13&0x3ff)
	}
}

// shapes are sets of vectors that an error bound could stumble over.
var shapes = map[string]func(r *rand.Rand, dim int) func() []float64{
	"normal": func(r *rand.Rand, dim int) func() []float64 {
		return func() []float64 { return fill(dim, r.NormFloat64) }
	},
	"clusters": func(r *rand.Rand, dim int) func() []float64 {
		var c [][]float64
		for range 20 {
			c = append(c, fill(dim, r.NormFloat64))
		}
		return func() []float64 {
			v := slices.Clone(c[r.IntN(len(c))])
			for i := range v {
				v[i] += 0.1 * r.NormFloat64()
			}
			return v
		}
	},
	"few that are equal": func(r *rand.Rand, dim int) func() []float64 {
		var c [][]float64
		for range 5 {
			c = append(c, fill(dim, r.NormFloat64))
		}
		return func() []float64 { return c[r.IntN(len(c))] }
	},
	"bytes": func(r *rand.Rand, dim int) func() []float64 {
		return func() []float64 { return fill(dim, func() float64 { return float64(r.IntN(256)) }) }
	},
	"bits": func(r *rand.Rand, dim int) func() []float64 {
		return func() []float64 { return fill(dim, func() float64 { return float64(r.IntN(2)) }) }
	},
	"one huge component": func(r *rand.Rand, dim int) func() []float64 {
		return func() []float64 {
			v := fill(dim, r.NormFloat64)
			v[r.IntN(dim)] *= math.Pow(10, float64(r.IntN(12)))
			return v
		}
	},
	"far from zero": func(r *rand.Rand, dim int) func() []float64 {
		return func() []float64 { return fill(dim, func() float64 { return 1000 + r.NormFloat64() }) }
	},
	"any length": func(r *rand.Rand, dim int) func() []float64 {
		return func() []float64 {
			s := math.Pow(10, float64(r.IntN(90)-45))
			return fill(dim, func() float64 { return s * r.NormFloat64() })
		}
	},
	"denormal": func(r *rand.Rand, dim int) func() []float64 {
		return func() []float64 { return fill(dim, func() float64 { return 1e-43 * r.NormFloat64() }) }
	},
	"overflow": func(r *rand.Rand, dim int) func() []float64 {
		return func() []float64 {
			s := []float64{1, 1e15, 1e18, math.MaxFloat32, math.MaxFloat64}[r.IntN(5)]
			return fill(dim, func() float64 { return s * (2*r.Float64() - 1) })
		}
	},
	"zeros": func(r *rand.Rand, dim int) func() []float64 {
		return func() []float64 {
			s := float64(r.IntN(2))
			return fill(dim, func() float64 { return s * float64(r.IntN(3)-1) })
		}
	},
}

func fill(n int, f func() float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = f()
	}
	return v
}

// twins are an index that goes by codes and one that does not.
type twins struct{ coded, plain *Index }

func newTwins(t testing.TB, p index.Params) twins {
	t.Helper()
	open := func(codes *quant.SQ4) *Index {
		x, err := newIndex(p, codes)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		})
		return x
	}
	return twins{open(quant.NewSQ4(p.Dim, p.Metric)), open(nil)}
}

func (w twins) add(t testing.TB, l index.Label, version uint64, b []byte) {
	t.Helper()
	for _, x := range []*Index{w.coded, w.plain} {
		if err := x.Add(l, version, b); err != nil {
			t.Fatal(err)
		}
	}
}

// same checks that both find the same, and returns it.
func (w twins) same(t testing.TB, what string, f func(x *Index) ([]index.Neighbor, error)) []index.Neighbor {
	t.Helper()
	got, err := f(w.coded)
	want, err2 := f(w.plain)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if !slices.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Fatalf("%s: %d results, want %d; at %d: %v, want %v", what, len(got), len(want), i, got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
	}
	return got
}

func (w twins) search(t testing.TB, what string, q []byte, k int, allow *index.Bitmap) []index.Neighbor {
	t.Helper()
	return w.same(t, fmt.Sprintf("%s, k=%d", what, k), func(x *Index) ([]index.Neighbor, error) {
		return x.Search(nil, q, k, index.SearchOptions{Allow: allow})
	})
}

func (w twins) within(t testing.TB, what string, q []byte, radius float64, allow *index.Bitmap) {
	t.Helper()
	w.same(t, fmt.Sprintf("%s, within %v", what, radius), func(x *Index) ([]index.Neighbor, error) {
		return x.Range(nil, q, radius, index.SearchOptions{Allow: allow})
	})
}

func TestCodedSearchFindsWhatThePlainOneFinds(t *testing.T) {
	withCodes(t)
	dims := []int{1, 7, 33, 384}
	for _, parallel := range []bool{false, true} {
		if parallel {
			withParallel(t)
		}
		if parallel || raceEnabled || !quant.NewSQ4(33, index.L2).Fast() {
			dims = []int{33}
		}
		for _, dim := range dims {
			for name, shape := range shapes {
				for i, e := range codedElements {
					m := []index.Metric{index.L2, index.IP, index.Cosine}[(dim+i+len(name))%3]
					compare(t, index.Params{Dim: dim, Element: e, Metric: m}, name, shape, parallel)
				}
			}
		}
	}
}

func compare(t *testing.T, p index.Params, name string, shape func(*rand.Rand, int) func() []float64, parallel bool) {
	r := rand.New(rand.NewPCG(uint64(p.Dim), uint64(len(name))))
	next := shape(r, p.Dim)
	w := newTwins(t, p)
	n := 700
	if parallel {
		n = 64 * (chunkWords + 9)
	}
	if raceEnabled {
		n = minCoded + 9
	}
	v := make([][]byte, n)
	for i := range v {
		v[i] = blob(p.Element, next())
		w.add(t, index.Label(i), 1, v[i])
	}
	for range n / 10 { // some go and some change, so that slots are free and used again
		l := index.Label(r.IntN(n))
		if r.IntN(2) == 0 {
			w.coded.Remove(l, 2)
			w.plain.Remove(l, 2)
		} else {
			v[l] = blob(p.Element, next())
			w.add(t, l, 2, v[l])
		}
	}
	var allow index.Bitmap
	for i := range n {
		if i%3 != 0 {
			allow.Add(index.Label(i))
		}
	}
	if err := w.coded.Validate(); err != nil {
		t.Fatalf("%s, %+v: %v", name, p, err)
	}
	what := fmt.Sprintf("%s, dim %d %v %v", name, p.Dim, p.Element, p.Metric)
	queries := [][]byte{v[0], v[n/2], blob(p.Element, next()), blob(p.Element, make([]float64, p.Dim))}
	for _, q := range queries {
		for _, k := range []int{1, 10, 40} {
			w.search(t, what, q, k, nil)
			w.search(t, what, q, k, &allow)
		}
		all := w.search(t, what, q, n, nil)
		var far index.Bitmap // a bound comes late
		for _, nb := range all[2*len(all)/3:] {
			far.Add(nb.Label)
		}
		w.search(t, what, q, 10, &far)
		// Radii at which a row lies exactly.
		for _, at := range []int{0, 3, len(all) / 10, len(all) / 2} {
			w.within(t, what, q, all[at].Distance, nil)
			w.within(t, what, q, all[at].Distance, &allow)
			w.within(t, what, q, math.Nextafter(all[at].Distance, math.Inf(-1)), nil)
		}
	}
	for _, radius := range []float64{math.Inf(1), math.Inf(-1), math.NaN(), 0, -1} {
		w.within(t, what, v[0], radius, nil)
	}
}

// FuzzCoded builds the vectors of the fuzzer's bytes.
func FuzzCoded(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), byte(0), byte(0))
	f.Add([]byte{0, 0, 128, 127, 255, 255, 127, 127, 1, 0, 0, 0, 0, 0, 128, 63}, byte(1), byte(2))
	withCodes(f)
	f.Fuzz(func(t *testing.T, data []byte, element, metric byte) {
		e := codedElements[int(element)%len(codedElements)]
		p := index.Params{Dim: 5, Element: e, Metric: index.Metric(metric % 3)}
		w := newTwins(t, p)
		size := p.Dim * e.Size()
		if len(data) < 2*size {
			return
		}
		n := 0
		for i := range minCoded + 100 {
			b := slices.Clone(data[i%(len(data)-size+1):][:size])
			b[i%size] ^= byte(i / len(data))
			if w.coded.Add(index.Label(i), 1, b) == nil {
				w.add(t, index.Label(i), 2, b)
				n++
			}
		}
		if err := w.coded.Validate(); err != nil {
			t.Fatal(err)
		}
		q := data[:size]
		if n == 0 || w.coded.Add(1<<20, 1, q) != nil {
			return
		}
		w.coded.Remove(1<<20, 2)
		for _, k := range []int{1, 7, 30} {
			if r := w.search(t, "fuzz", q, k, nil); len(r) > 0 {
				w.within(t, "fuzz", q, r[len(r)-1].Distance, nil)
			}
		}
	})
}

// A search must find every label at each moment, whatever is done to the others
// and to its slot.
func TestCodedSearchWhileReplacing(t *testing.T) {
	withCodes(t)
	withParallel(t)
	const dim, n = 40, minCoded + 100
	x, err := newIndex(index.Params{Dim: dim}, quant.NewSQ4(dim, index.L2))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	r := rand.New(rand.NewPCG(5, 5))
	v := make([][]byte, n)
	far := make([][]byte, n)
	for i := range v {
		v[i] = blob(index.Float32, fill(dim, r.NormFloat64))
		far[i] = blob(index.Float32, fill(dim, func() float64 { return 50 + r.NormFloat64() }))
		if err := x.Add(index.Label(i), 1, v[i]); err != nil {
			t.Fatal(err)
		}
	}
	var done atomic.Bool
	var writers, searchers sync.WaitGroup
	for w := range 2 {
		writers.Add(1)
		go func() { // odd labels come and go, so that slots change hands
			defer writers.Done()
			r := rand.New(rand.NewPCG(6, uint64(w)))
			for version := uint64(2); !done.Load(); version++ {
				l := index.Label(r.IntN(n/2)*2 + 1)
				switch r.IntN(3) {
				case 0:
					x.Remove(l, version)
				default:
					_ = x.Add(l, version, far[r.IntN(n)])
				}
				// An even label's vector moves to another slot.
				e := index.Label(r.IntN(n/4)*4 + 2*w)
				_ = x.Add(e, 2*version, far[e])
				_ = x.Add(e, 2*version+1, v[e])
			}
		}()
	}
	rounds := 300
	if raceEnabled {
		rounds = 60
	}
	for s := range 3 {
		searchers.Add(1)
		go func() {
			defer searchers.Done()
			r := rand.New(rand.NewPCG(7, uint64(s)))
			for range rounds {
				l := index.Label(r.IntN(n/2) * 2)
				// At its own place or at the far one.
				a, err := x.Search(nil, v[l], 1, index.SearchOptions{})
				if err != nil || len(a) != 1 {
					t.Errorf("label %d: %v %v", l, a, err)
					return
				}
				all, err := x.Range(nil, v[l], math.Inf(1), index.SearchOptions{})
				if err != nil || !slices.ContainsFunc(all, func(n index.Neighbor) bool { return n.Label == l }) {
					t.Errorf("label %d is not among %d", l, len(all))
					return
				}
			}
		}()
	}
	searchers.Wait()
	done.Store(true)
	writers.Wait()
	if err := x.Validate(); err != nil {
		t.Error(err)
	}
}

func TestParallelSearchDoesNotAllocate(t *testing.T) {
	withCodes(t)
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	withParallel(t)
	const dim, n = 64, 64 * chunkWords * 3
	p := index.Params{Dim: dim, Metric: index.Cosine}
	w := newTwins(t, p)
	r := rand.New(rand.NewPCG(8, 8))
	for i := range n {
		w.add(t, index.Label(i), 1, blob(index.Float32, fill(dim, r.NormFloat64)))
	}
	q := blob(index.Float32, fill(dim, r.NormFloat64))
	dst := make([]index.Neighbor, 0, 100)
	for _, x := range []*Index{w.coded, w.plain} {
		run := func() {
			dst, _ = x.Search(dst[:0], q, 10, index.SearchOptions{})
			dst, _ = x.Range(dst[:0], q, 0.5, index.SearchOptions{})
		}
		// Not AllocsPerRun: that leaves one processor, and so no helper.
		for range 100 {
			run()
		}
		// The runtime makes goroutines now and then, until there is one of those that have ended on every processor.
		got := allocs(1000, run)
		for try := 0; got > 0.1 && try < 10; try++ {
			got = allocs(1000, run)
		}
		if got > 0.1 {
			t.Errorf("%v allocations", got)
		}
	}
}

// allocs is how many allocations f makes.
func allocs(n int, f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

func TestStopEndsAParallelSearch(t *testing.T) {
	withParallel(t)
	const dim = 4
	x, err := newIndex(index.Params{Dim: dim}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	n := 64 * chunkWords * 6
	if raceEnabled {
		n = 64 * chunkWords * 2
	}
	r := rand.New(rand.NewPCG(9, 9))
	for i := range n {
		if err := x.Add(index.Label(i), 1, blob(index.Float32, fill(dim, r.NormFloat64))); err != nil {
			t.Fatal(err)
		}
	}
	q := blob(index.Float32, make([]float64, dim))
	for range 20 {
		asked := 0
		got, err := x.Search(nil, q, 3, index.SearchOptions{Stop: func() bool { asked++; return true }})
		if err != nil || asked > 1 {
			t.Errorf("asked %d times, %v %v", asked, got, err)
		}
	}
	if got := scanning.Load(); got != 0 {
		t.Errorf("%d goroutines count as scanning", got)
	}
}

func TestStatsCountTheCodes(t *testing.T) {
	if raceEnabled {
		t.Skip("the heap's arenas are too small")
	}
	const dim, n = 384, 5000
	w := newTwins(t, index.Params{Dim: dim, Metric: index.Cosine})
	r := rand.New(rand.NewPCG(10, 10))
	for i := range n {
		w.add(t, index.Label(i), 1, blob(index.Float32, fill(dim, r.NormFloat64)))
	}
	more := w.coded.Stats().Bytes - w.plain.Stats().Bytes
	if least := int64(n * (dim/2 + 16)); more < least || more > least+least/4+4<<20 {
		t.Errorf("codes take %d bytes, expected about %d", more, least)
	}
}

func TestCandidatesSortByDistance(t *testing.T) {
	inf := float32(math.Inf(1))
	lower := []float32{-inf, -math.MaxFloat32, -1.5, -1, -math.SmallestNonzeroFloat32, 0, math.SmallestNonzeroFloat32, 1, 2.25, math.MaxFloat32, inf}
	for i, e := range lower {
		c := newCandidate(e, uint32(i))
		if c.lower() != e || c.slot() != uint32(i) {
			t.Errorf("%v, %d came back as %v, %d", e, i, c.lower(), c.slot())
		}
		if i > 0 && c <= newCandidate(lower[i-1], math.MaxUint32) {
			t.Errorf("%v is not behind %v", e, lower[i-1])
		}
	}
}

func TestNearestFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		c := make([]candidate, 1+r.IntN(300))
		for i := range c {
			c[i] = newCandidate(float32(r.IntN(50)), uint32(i))
		}
		want := slices.Sorted(slices.Values(c))
		n := 1 + r.IntN(len(c))
		nearestFirst(c, n)
		if !slices.Equal(c[:n], want[:n]) {
			t.Fatalf("%d of %d: %v", n, len(c), c[:n])
		}
		slices.Sort(c)
		if !slices.Equal(c, want) {
			t.Fatal("candidates are lost")
		}
	}
}
