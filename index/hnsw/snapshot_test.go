package hnsw

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
	"github.com/nearcache/nearcache/index/slot"
)

// grown is a graph with all that a graph can have: chains, replaced and
// removed vectors, tombstones, slots that are free.
func grown(t testing.TB, p index.Params, n int) *Graph {
	t.Helper()
	g, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	r := rand.New(rand.NewPCG(uint64(n), 5))
	v := indextest.Fit(p.Element, indextest.Vectors(7, n, p.Dim))
	for i := range n {
		add(t, g, index.Label(i), 1, indextest.Blob(p.Element, v[i]))
	}
	for i := range n / 10 {
		g.Remove(index.Label(i), 2)
	}
	g.Flush()
	for i := range n / 20 {
		add(t, g, index.Label(n+i), 1, indextest.Blob(p.Element, v[i]))
	}
	for range n / 8 {
		l := index.Label(n/10 + r.IntN(n-n/10))
		add(t, g, l, 3, indextest.Blob(p.Element, v[r.IntN(n)]))
	}
	settle(g)
	for i := range min(n/20, minTombs-1) { // too few for a repair
		g.Remove(index.Label(n/2+i), 5)
	}
	add(t, g, 1<<40, 9, indextest.Blob(p.Element, v[0]))
	return g
}

// settle waits for a repair that was started.
func settle(g *Graph) {
	for g.Flush(); ; runtime.Gosched() {
		g.repair.tombs.Lock()
		running := g.repair.tombs.running
		g.repair.tombs.Unlock()
		if !running {
			return
		}
	}
}

func add(t testing.TB, g *Graph, l index.Label, version uint64, b []byte) {
	t.Helper()
	if err := g.Add(l, version, b); err != nil {
		t.Fatal(err)
	}
}

func saved(t testing.TB, g *Graph) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := g.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// opened is the graph in a file, by Open.
func opened(t testing.TB, b []byte, p index.Params) *Graph {
	t.Helper()
	name := filepath.Join(t.TempDir(), "graph")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := Open(f, int64(len(b)), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func loaded(t testing.TB, b []byte, p index.Params) *Graph {
	t.Helper()
	g, err := Load(bytes.NewReader(b), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func search(t testing.TB, g *Graph, q []byte, k, ef int) []index.Neighbor {
	t.Helper()
	r, err := g.Search(nil, q, k, index.SearchOptions{EF: ef})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// forms are element types with the quantisations that they can have.
func forms(f func(e index.Element, q index.Quant)) {
	for e := range index.Uint8 + 1 {
		for _, q := range []index.Quant{index.QuantNone, index.QuantSQ8, index.QuantSQ8Only, index.QuantBinary, index.QuantSQ4} {
			if q == index.QuantNone || e < index.Int8 {
				f(e, q)
			}
		}
	}
}

func TestLoadedGraphAnswersAndGoesOnAsTheSavedOne(t *testing.T) {
	forms(func(e index.Element, q index.Quant) {
		for _, m := range []index.Metric{index.L2, index.IP, index.Cosine} {
			if short && int(e+index.Element(m))%3 != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%v/%v/%v", e, q, m), func(t *testing.T) {
				t.Parallel()
				// From dimension 64 on, float32 vectors lie in two parts.
				p := index.Params{Dim: 72, Element: e, Metric: m, Quant: q, M: 6, EFConstruction: 40}
				n := 600
				g := grown(t, p, n)
				file := saved(t, g)
				queries := indextest.Fit(e, indextest.Vectors(8, 20, p.Dim))
				for name, x := range map[string]*Graph{"Load": loaded(t, file, p), "Open": opened(t, file, p)} {
					if err := x.Validate(); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					if a, b := g.Stats(), x.Stats(); a.Len != b.Len || a.Deleted != b.Deleted || a.Levels != b.Levels {
						t.Fatalf("%s: %+v, was %+v", name, b, a)
					}
					if again := saved(t, x); !bytes.Equal(again, file) {
						t.Fatalf("%s: saved again, it is another file", name)
					}
					for _, v := range queries {
						b := indextest.Blob(e, v)
						if want, got := search(t, g, b, 10, 50), search(t, x, b, 10, 50); !slices.Equal(got, want) {
							t.Fatalf("%s: found %v, want %v", name, got, want)
						}
					}
					if x.Remove(3, 1) || x.Remove(index.Label(n/10), 1) {
						t.Fatalf("%s: an older version removes", name)
					}
					r := rand.New(rand.NewPCG(1, 2))
					for i := range 400 {
						l := index.Label(r.IntN(n))
						if i%3 == 0 {
							x.Remove(l, uint64(10+i))
							continue
						}
						add(t, x, l, uint64(10+i), indextest.Blob(e, indextest.Fit(e, indextest.Vectors(uint64(100+i), 1, p.Dim))[0]))
					}
					x.Flush()
					if err := x.Validate(); err != nil {
						t.Fatalf("%s, changed: %v", name, err)
					}
				}
			})
		}
	})
}

func TestEmptyGraphIsSaved(t *testing.T) {
	p := index.Params{Dim: 3, M: 4}
	g, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	v := indextest.Blob(index.Float32, []float64{1, 2, 3})
	for range 2 {
		file := saved(t, g)
		for _, x := range []*Graph{loaded(t, file, p), opened(t, file, p)} {
			if err := x.Validate(); err != nil || x.Len() != 0 {
				t.Fatal(x.Len(), err)
			}
			if err := x.Add(1, 7, v); err != nil {
				t.Fatal(err)
			}
			if r := search(t, x, v, 3, 0); len(r) != g.Len()+1 {
				t.Fatal(r)
			}
		}
		// And again, with a label that is known but not there.
		add(t, g, 1, 5, v)
		g.Remove(1, 6)
	}
	x := loaded(t, saved(t, g), p)
	if err := x.Add(1, 6, v); err != nil || x.Len() != 0 {
		t.Fatalf("a removed label's version is forgotten: %d %v", x.Len(), err)
	}
}

func TestOtherParametersAreRefused(t *testing.T) {
	p := index.Params{Dim: 5, Metric: index.Cosine, Quant: index.QuantSQ8, M: 4}
	file := saved(t, grown(t, p, 50))
	for _, f := range []func(*index.Params){
		func(p *index.Params) { p.Dim = 6 },
		func(p *index.Params) { p.Metric = index.L2 },
		func(p *index.Params) { p.Element = index.Float64 },
		func(p *index.Params) { p.Quant = index.QuantNone },
		func(p *index.Params) { p.M = 0 },
	} {
		o := p
		f(&o)
		if _, err := Load(bytes.NewReader(file), o); !errors.Is(err, index.ErrParams) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	p.Quant, p.EFRuntime, p.EFConstruction = index.QuantAuto, 77, 99
	if x := loaded(t, file, p); x.params.EFRuntime != 77 || x.params.Quant != index.QuantSQ8 {
		t.Errorf("%+v", x.params)
	}
}

// lag is a writer during whose work others have time.
type lag struct {
	bytes.Buffer
	wait func()
}

func (l *lag) Write(b []byte) (int, error) {
	l.wait()
	return l.Buffer.Write(b)
}

// Writers give each label the versions 1, 2, 3 … in this order and note what
// was acknowledged. What is saved must hold for every label at least what was
// acknowledged before, and at most what was begun.
func TestSaveWhileWriting(t *testing.T) {
	p := index.Params{Dim: 8, Metric: index.L2, M: 5, EFConstruction: 20}
	g, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	const writers, labels = 4, 40
	vector := func(l, version int) []byte {
		v := make([]float64, p.Dim)
		v[0], v[1] = float64(l), float64(version)
		return indextest.Blob(p.Element, v)
	}
	var begun, done [writers * labels]atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				l := w*labels + i%labels
				version := int(begun[l].Add(1))
				if version%7 == 0 {
					g.Remove(index.Label(l), uint64(version))
				} else if err := g.Add(index.Label(l), uint64(version), vector(l, version)); err != nil {
					t.Error(err)
				}
				done[l].Store(int64(version))
			}
		})
	}
	wg.Go(func() {
		for !stop.Load() {
			if _, err := g.Search(nil, vector(1, 1), 5, index.SearchOptions{EF: 20}); err != nil {
				t.Error(err)
			}
		}
	})
	for range 20 {
		var acknowledged, begunThen [writers * labels]int64
		for l := range acknowledged {
			acknowledged[l] = done[l].Load()
		}
		searched := false
		out := lag{wait: func() {
			if !searched { // searches do not wait for a save
				_, err := g.Search(nil, vector(1, 1), 5, index.SearchOptions{EF: 20})
				searched = err == nil
			}
		}}
		if err := g.Save(&out); err != nil || !searched {
			t.Fatal(err, searched)
		}
		for l := range begunThen {
			begunThen[l] = begun[l].Load()
		}
		x := loaded(t, out.Bytes(), p)
		if err := x.Validate(); err != nil {
			t.Fatal(err)
		}
		for l := range begunThen {
			last := int64(x.labels.Version(index.Label(l))) - 1
			if last < 0 {
				last = 0
			}
			if last < acknowledged[l] || last > begunThen[l] {
				t.Fatalf("label %d has version %d, acknowledged was %d, begun %d", l, last, acknowledged[l], begunThen[l])
			}
			s := x.labels.Slot(index.Label(l))
			if want := last > 0 && last%7 != 0; (s != slot.None) != want {
				t.Fatalf("label %d of version %d: slot %d", l, last, int32(s))
			}
			if s == slot.None {
				continue
			}
			if d, ok := x.Distance(vector(l, int(last)), index.Label(l)); !ok || d != 0 {
				t.Fatalf("label %d does not have the vector of version %d: at %v", l, last, d)
			}
		}
		x.Close()
	}
	stop.Store(true)
	wg.Wait()
}

func TestSaveReportsTheWritersError(t *testing.T) {
	g := grown(t, index.Params{Dim: 4, M: 4}, 100)
	full := errors.New("disk full")
	for n := range 8 {
		w := &failing{left: n, err: full}
		if err := g.Save(w); !errors.Is(err, full) {
			t.Fatalf("after %d writes: %v", n, err)
		}
	}
	add(t, g, 5, 100, indextest.Blob(index.Float32, []float64{1, 2, 3, 4})) // and nothing is locked
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
}

type failing struct {
	left int
	err  error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, f.err
	}
	return len(b), nil
}

func TestLayoutIsTheFilesAndNotTheMachines(t *testing.T) {
	p := index.Params{Dim: 70, Metric: index.Cosine, Quant: index.QuantNone, M: 4}
	v := indextest.Vectors(1, 200, p.Dim)
	for _, split := range []bool{false, true} {
		g, err := newGraph(p, split)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		for i := range v {
			add(t, g, index.Label(i), 1, indextest.Blob(p.Element, v[i]))
		}
		x := loaded(t, saved(t, g), p)
		if err := x.Validate(); err != nil || x.splits() != split {
			t.Fatal(x.splits(), err)
		}
		for i := range 20 {
			q := indextest.Blob(p.Element, v[i])
			if want, got := search(t, g, q, 10, 40), search(t, x, q, 10, 40); !slices.Equal(got, want) {
				t.Fatalf("found %v, want %v", got, want)
			}
		}
	}
}
