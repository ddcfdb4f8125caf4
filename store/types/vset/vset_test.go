package vset

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearcache/nearcache/store/types/vset/filter"
)

func random(r *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// set is Set with the job done.
func set(t testing.TB, v *Value, name string, x []float32, attr []byte) bool {
	t.Helper()
	added, job, ok := v.Set([]byte(name), attr, slices.Clone(x), DefaultEF)
	if !ok {
		t.Fatalf("%s: a vector that cannot be kept", name)
	}
	if job != nil {
		job.Do()
	}
	return added
}

func search(t testing.TB, v *Value, x []float32, q Query) []Result {
	t.Helper()
	s, ok := v.Begin(slices.Clone(x))
	if !ok {
		t.Fatal("not a vector")
	}
	defer s.End()
	if q.Epsilon == 0 {
		q.Epsilon = 2
	}
	return s.Run(q)
}

// check compares what the value says of itself with a model.
func check(t *testing.T, v *Value, model map[string]string) {
	t.Helper()
	if v.Len() != len(model) {
		t.Fatalf("%d elements, want %d", v.Len(), len(model))
	}
	var names []string
	v.Range("", func(name string) bool { names = append(names, name); return true })
	want := make([]string, 0, len(model))
	attrs := 0
	for name, attr := range model {
		want = append(want, name)
		x, ok := v.Find([]byte(name))
		if !ok || x.Name() != name {
			t.Fatalf("%q is not there", name)
		}
		got, has := x.Attr()
		if attr != "" {
			attrs++
		}
		if has != (attr != "") || got != attr {
			t.Fatalf("%q has attributes %q, %v, want %q", name, got, has, attr)
		}
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Fatalf("in order %q, want %q", names, want)
	}
	if v.Attributes() != attrs {
		t.Fatalf("%d have attributes, want %d", v.Attributes(), attrs)
	}
	bytes := 0
	for l := range v.used {
		x := v.at(l)
		bytes += len(x.name)
		if a := x.attr.Load(); a != nil {
			bytes += len(*a)
		}
	}
	for _, l := range append(slices.Clone(v.limbo[0]), v.limbo[1]...) {
		x := v.at(l)
		bytes -= len(x.name)
		if a := x.attr.Load(); a != nil {
			bytes -= len(*a)
		}
	}
	if bytes != v.bytes {
		t.Fatalf("names and attributes are %d bytes, counted %d", bytes, v.bytes)
	}
}

// TestValueIsItsModel walks at random, from few elements to many and back.
func TestValueIsItsModel(t *testing.T) {
	for _, q := range quants {
		t.Run(q.String(), func(t *testing.T) {
			t.Parallel()
			const dim = 20
			r := rand.New(rand.NewPCG(1, uint64(q)))
			v := New(Params{Dim: dim, Quant: q, M: 8})
			model, vectors := map[string]string{}, map[string][]float32{}
			for step := range max(6000/slow, 2000) {
				name := strconv.Itoa(r.IntN(900))
				switch what := r.IntN(10); {
				case what < 6 || step < 1000:
					var attr []byte
					if r.IntN(2) == 0 {
						attr = fmt.Appendf(nil, `{"n":%d}`, r.IntN(5))
					}
					_, there := model[name]
					x := random(r, dim)
					if set(t, v, name, x, attr) == there {
						t.Fatalf("%s: added though there: %v", name, there)
					}
					if attr != nil {
						model[name] = string(attr)
					} else if !there {
						model[name] = ""
					}
					vectors[name] = x
				case what < 7:
					_, there := model[name]
					if there {
						x, _ := v.Find([]byte(name))
						x.SetAttr([]byte("x"))
						model[name] = "x"
					}
				default:
					_, there := model[name]
					if v.Remove([]byte(name)) != there {
						t.Fatalf("%s: removed though not there", name)
					}
					delete(model, name)
					delete(vectors, name)
				}
				if step%500 != 499 {
					continue
				}
				check(t, v, model)
				// The vector is what Set was given, and found first.
				for name, x := range vectors {
					e, _ := v.Find([]byte(name))
					row, length, _ := e.Raw()
					want, s, _ := q.encode(nil, slices.Clone(x))
					if string(row) != string(want) || length != s.length {
						t.Fatalf("%s: another row", name)
					}
					if len(model) > 300 && r.IntN(10) > 0 {
						continue
					}
					for _, truth := range []bool{false, true} {
						found := search(t, v, x, Query{Count: 3, Truth: truth})
						if len(found) == 0 || found[0].Name != name && found[0].Distance != newProbe(q, dim, want, s).distance(append(make([]byte, 0, padded(len(want))), want...), s) {
							t.Fatalf("%s, truth %v: found %v", name, truth, found)
						}
					}
				}
			}
			if v.graph == nil {
				t.Error("never many")
			}
			for name := range model {
				v.Remove([]byte(name))
				delete(model, name)
			}
			check(t, v, model)
		})
	}
}

// TestManyAreFoundAsByTruth compares the graph with a comparison of all.
func TestManyAreFoundAsByTruth(t *testing.T) {
	for _, q := range quants {
		t.Run(q.String(), func(t *testing.T) {
			t.Parallel()
			const dim, n = 64, 3000/slow + 400
			r := rand.New(rand.NewPCG(2, uint64(q)))
			v := New(Params{Dim: dim, Quant: q, M: 16})
			for i := range n {
				set(t, v, "e"+strconv.Itoa(i), random(r, dim), fmt.Appendf(nil, `{"n":%d}`, i%20))
			}
			program, _ := filter.Compile([]byte(".n == 7"))
			right := map[bool]int{}
			const asked, k = 40 / slow, 10
			for range asked {
				x := random(r, dim)
				for _, filtered := range []bool{false, true} {
					o := Query{Count: k, EF: 200, Effort: 2000}
					if filtered {
						o.Filter = program
					}
					got := search(t, v, x, o)
					o.Truth = true
					truth := search(t, v, x, o)
					if len(truth) != k {
						t.Fatalf("truth is %d elements", len(truth))
					}
					for i, g := range got {
						if i > 0 && g.Distance < got[i-1].Distance {
							t.Fatalf("not in order: %v", got)
						}
						if filtered && *g.Attr != `{"n":7}` {
							t.Fatalf("%s has attributes %s", g.Name, *g.Attr)
						}
						if g.Distance <= truth[k-1].Distance {
							right[filtered]++
						}
					}
				}
			}
			for filtered, n := range right {
				if n < asked*k*9/10 {
					t.Errorf("filtered %v: %d of %d are right", filtered, n, asked*k)
				}
			}
			if e := search(t, v, random(r, dim), Query{Count: 5, Epsilon: 1e-6}); len(e) != 0 {
				t.Errorf("nothing is so near: %v", e)
			}
			x, _ := v.Find([]byte("e5"))
			levels, links := 0, 0
			x.Links(func(level int, to []Result) {
				levels++
				links += len(to)
			})
			if levels == 0 || links < 4 {
				t.Errorf("%d links at %d levels", links, levels)
			}
		})
	}
}

// TestNoQuantIsFoundExactly: of few, the result is that of a plain sum.
func TestFewAreComparedExactly(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, dim := range []int{1, 2, 3, 17, 100} {
		v := New(Params{Dim: dim, Quant: F32, M: 16})
		vectors := map[string][]float32{}
		for i := range 100 {
			x := random(r, dim)
			name := strconv.Itoa(i)
			set(t, v, name, x, nil)
			vectors[name] = x
		}
		q := random(r, dim)
		cos := func(x []float32) float64 {
			var dot, a, b float64
			for i := range x {
				dot += float64(x[i]) * float64(q[i])
				a += float64(x[i]) * float64(x[i])
				b += float64(q[i]) * float64(q[i])
			}
			return 1 - dot/math.Sqrt(a*b)
		}
		for _, f := range search(t, v, q, Query{Count: 100}) {
			if d := cos(vectors[f.Name]); math.Abs(d-float64(f.Distance)) > 1e-5 {
				t.Fatalf("dim %d: %s at %v, want %v", dim, f.Name, f.Distance, d)
			}
		}
	}
}

// TestRebuildKeepsEveryBit goes through what a log would hold.
func TestRebuildKeepsEveryBit(t *testing.T) {
	for _, p := range []Params{{Dim: 20, Quant: Q8, M: 16}, {Dim: 70, Quant: Bin, M: 5}, {Dim: 9, Quant: F32, M: 4}, {Dim: 5, Input: 11, Quant: Q8, M: 16}} {
		if !slices.Contains(quants, p.Quant) {
			continue
		}
		for _, n := range []int{3, 700} {
			r := rand.New(rand.NewPCG(4, 4))
			v := New(p)
			for i := range n {
				var attr []byte
				if i%3 == 0 {
					attr = []byte(`{"a":1}`)
				}
				set(t, v, strconv.Itoa(i), random(r, p.Dim), attr)
			}
			w := New(p)
			v.Rebuild([]byte("key"), func(args ...[]byte) {
				if string(args[0]) != "VADD" || string(args[1]) != "key" || string(args[2]) != "RAW" {
					t.Fatalf("%q", args)
				}
				dim, input, ok := ParseRaw(args[3])
				if !ok || dim != p.Dim || input != p.Input {
					t.Fatal(dim, input, ok)
				}
				var attr []byte
				if i := slices.IndexFunc(args, func(a []byte) bool { return string(a) == "SETATTR" }); i > 0 {
					attr = args[i+1]
				}
				if _, job, ok := w.SetRaw(args[4], attr, args[3], DefaultEF); !ok {
					t.Fatalf("%q cannot be set", args)
				} else if job != nil {
					job.Do()
				}
			})
			if w.Len() != n || w.Attributes() != v.Attributes() {
				t.Fatalf("%d elements, %d with attributes", w.Len(), w.Attributes())
			}
			v.Range("", func(name string) bool {
				a, _ := v.Find([]byte(name))
				b, _ := w.Find([]byte(name))
				rowA, lengthA, mostA := a.Raw()
				rowB, lengthB, mostB := b.Raw()
				attrA, hasA := a.Attr()
				attrB, hasB := b.Attr()
				if string(rowA) != string(rowB) || lengthA != lengthB || mostA != mostB || attrA != attrB || hasA != hasB {
					t.Fatalf("%s is not the same", name)
				}
				return true
			})
		}
	}
	for _, raw := range []string{"", "short", strings.Repeat("\xff", 40), strings.Repeat("\x00", 40)} {
		if _, _, ok := ParseRaw([]byte(raw)); ok {
			t.Errorf("%q is taken", raw)
		}
	}
	v := New(Params{Dim: 3, Quant: F32, M: 16})
	if _, _, ok := v.SetRaw([]byte("x"), nil, make([]byte, 16+13), DefaultEF); ok {
		t.Error("a row of the wrong length is taken")
	}
	if _, _, ok := v.SetRaw([]byte("x"), nil, append(make([]byte, 16+8), 0, 0, 0xc0, 0x7f), DefaultEF); ok {
		t.Error("what is not a number is taken")
	}
}

func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	for _, x := range [][]float32{{nan, 1}, {inf, 1}, {1, -inf}} {
		v := New(Params{Dim: 2, Quant: F32, M: 16})
		if _, _, ok := v.Set([]byte("a"), nil, slices.Clone(x), DefaultEF); ok || v.Len() > 0 || v.Last > 0 {
			t.Errorf("%v is kept", x)
		}
		if _, ok := v.Begin(slices.Clone(x)); ok {
			t.Errorf("%v is searched for", x)
		}
		// As in Redis: of such vectors nothing is left.
		for _, q := range []Quant{Q8, Bin} {
			v := New(Params{Dim: 2, Quant: q, M: 16})
			set(t, v, "a", x, nil)
		}
	}
}

// TestSearchesWhileAllChanges races searches with insertions, updates, removals and
// attributes. Names that are found are of elements that were there.
func TestSearchesWhileAllChanges(t *testing.T) {
	const dim, names = 16, 1500
	r := rand.New(rand.NewPCG(6, 6))
	v := New(Params{Dim: dim, Quant: Q8, M: 8})
	var lock sync.Mutex // the key's
	for i := range names / 2 {
		set(t, v, strconv.Itoa(i), random(r, dim), []byte(`{"n":1}`))
	}
	program, _ := filter.Compile([]byte(".n == 1"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(w)))
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				q := Query{Count: 5, Epsilon: 2, EF: 20, Effort: 200, Truth: i%50 == 0}
				if i%3 == 0 {
					q.Filter = program
				}
				lock.Lock()
				s, _ := v.Begin(random(r, dim))
				lock.Unlock()
				for _, f := range s.Run(q) {
					if n, err := strconv.Atoi(f.Name); err != nil || n >= names {
						t.Errorf("found %q", f.Name)
					}
					if q.Filter != nil && f.Attr == nil {
						t.Errorf("%q has no attributes", f.Name)
					}
				}
				s.End()
			}
		})
	}
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(8, uint64(w)))
			for range 1500 / slow {
				name := []byte(strconv.Itoa(r.IntN(names)))
				lock.Lock()
				var job *Job
				switch r.IntN(4) {
				case 0:
					v.Remove(name)
				case 1:
					if x, ok := v.Find(name); ok {
						x.SetAttr([]byte(`{"n":1}`))
						x.Vector(nil)
						x.Links(func(int, []Result) {})
					}
				default:
					_, job, _ = v.Set(name, []byte(`{"n":1}`), random(r, dim), 50)
				}
				lock.Unlock()
				if job != nil {
					job.Do()
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	wg.Wait()
	model := map[string]string{}
	v.Range("", func(name string) bool { model[name] = `{"n":1}`; return true })
	v.settle()
	check(t, v, model)
	for name := range model {
		e, _ := v.Find([]byte(name))
		if f := search(t, v, e.Vector(nil), Query{Count: 1}); len(f) == 0 || f[0].Distance > 0.05 {
			t.Fatalf("%s is not found by its vector: %v", name, f)
		}
	}
}

// TestLabelsComeBack: removing and adding for ever takes no more room.
func TestLabelsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	v := New(Params{Dim: 8, Quant: Q8, M: 4})
	for i := range 700 {
		set(t, v, strconv.Itoa(i), random(r, 8), nil)
	}
	for i := range 5000 / slow {
		v.Remove([]byte(strconv.Itoa(i)))
		set(t, v, strconv.Itoa(i+700), random(r, 8), nil)
		set(t, v, strconv.Itoa(i+700), random(r, 8), nil)
	}
	if v.used > 1000 {
		t.Errorf("%d labels for 700 elements", v.used)
	}
}

// TestGraphIsClosedWhenNobodyHasIt: its memory is not the collector's.
func TestGraphIsClosedWhenNobodyHasIt(t *testing.T) {
	h, err := newGraph(indexParams(Params{Dim: 4, Quant: Q8, M: 4}, 1))
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	runtime.AddCleanup(h, func(c chan struct{}) { close(c) }, closed)
	h = nil
	for range 1000 {
		runtime.GC()
		select {
		case <-closed:
			return
		case <-time.After(time.Millisecond):
		}
	}
	t.Error("something still refers to the graph")
}

func TestSampleAndRandom(t *testing.T) {
	v := New(Params{Dim: 2, Quant: Q8, M: 16})
	for i := range 50 {
		set(t, v, strconv.Itoa(i), []float32{1, float32(i)}, nil)
	}
	for _, n := range []int{1, 5, 20, 49, 50, 100} {
		seen := map[string]bool{}
		v.Sample(n, func(name string) { seen[name] = true })
		if len(seen) != min(n, 50) {
			t.Errorf("%d different ones of %d", len(seen), n)
		}
	}
	seen := map[string]bool{}
	for range 2000 {
		seen[v.Random()] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d of 50 come up", len(seen))
	}
}

func TestPlacesOfLabels(t *testing.T) {
	last, at := 0, -1
	for l := range uint32(20000) {
		i, p := place(l)
		if i == last {
			at++
		} else {
			if i != last+1 || p != 0 || l%firstChunk != 0 {
				t.Fatalf("label %d in chunk %d at %d", l, i, p)
			}
			last, at = i, 0
		}
		if p != at || p >= chunkSize(l-uint32(p)) {
			t.Fatalf("label %d in chunk %d at %d of %d", l, i, p, chunkSize(l-uint32(p)))
		}
	}
}

// TestLargeProjectionsAreTheSameProduct compares the short way with the long one.
func TestLargeProjectionsAreTheSameProduct(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	for _, p := range []Params{{Dim: 1, Input: 1}, {Dim: 3, Input: 3}, {Dim: 7, Input: 100}, {Dim: 100, Input: 100}, {Dim: 384, Input: 1536}} {
		x := random(r, p.Input)
		want := p.Project(x)
		scaled := slices.Clone(x)
		for i := range scaled {
			scaled[i] *= float32(1 / math.Sqrt(float64(p.Input)))
		}
		got := hadamard(scaled, p.Dim)
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 1e-4 {
				t.Fatalf("%d of %d: component %d is %v, want %v", p.Dim, p.Input, i, got[i], want[i])
			}
		}
	}
	p := Params{Dim: MaxDim, Input: MaxDim}
	if v := p.Project(random(r, MaxDim)); len(v) != MaxDim {
		t.Errorf("%d components", len(v))
	}
}

// FuzzRaw reads what a log may hold of an element: what is taken comes back the same.
func FuzzRaw(f *testing.F) {
	for _, p := range []Params{{Dim: 3, Quant: F32, M: 16}, {Dim: 5, Input: 9, Quant: Q8, M: 4}, {Dim: 65, Quant: Bin, M: 16}} {
		v := New(p)
		x := make([]float32, p.Dim)
		for i := range x {
			x[i] = float32(i) - 1
		}
		set(f, v, "a", x, nil)
		f.Add(uint8(p.Quant), v.raw(v.byName["a"]))
	}
	f.Add(uint8(Q8), []byte("short"))
	f.Add(uint8(F32), append(make([]byte, 16), 0, 0, 0xc0, 0x7f))
	f.Fuzz(func(t *testing.T, q uint8, raw []byte) {
		dim, input, ok := ParseRaw(raw)
		if !ok || Quant(q) > Bin {
			return
		}
		v := New(Params{Dim: dim, Input: input, Quant: Quant(q), M: 16})
		if _, _, ok := v.SetRaw([]byte("a"), nil, raw, DefaultEF); !ok {
			if v.Len() > 0 {
				t.Fatal("refused and kept")
			}
			return
		}
		if got := v.raw(v.byName["a"]); string(got) != string(raw) {
			t.Fatalf("%q came back as %q", raw, got)
		}
		x, _ := v.Find([]byte("a"))
		if s, ok := v.Begin(x.Vector(nil)); ok {
			s.Run(Query{Count: 1, Epsilon: 2})
			s.End()
		}
	})
}
