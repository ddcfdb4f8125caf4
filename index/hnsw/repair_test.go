package hnsw

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
	"github.com/nearcache/nearcache/index/slot"
)

// A repair gives a node another parent while an insertion selects the node's
// links: the children that were counted stay linked, and no more than fit.
func TestAParentThatComesWhileLinksAreSelected(t *testing.T) {
	p := index.Params{Dim: 24, Metric: index.L2, M: 4, EFConstruction: 40}
	g := grown(t, p, 300)
	sc := g.newScratch()
	tried := 0
	for s := range uint32(g.alloc.Count()) {
		n := g.node(s)
		if !n.has(linked) || n.parent.Load() == 0 {
			continue
		}
		near := slices.Clone(g.snapshot(&sc, 0, s))
		if len(near) < g.m0 {
			continue
		}
		cand := slices.Clone(g.sorted(&sc, s, near))
		was := n.parent.Load()
		n.parent.Store(0)
		free := g.m0 - g.markTied(cand, s)
		if free == g.m0 {
			n.parent.Store(was)
			continue // no children
		}
		n.parent.Store(keySlot(cand[0]) + 1) // the repair's adopt, between the two
		kept := g.selectMarked(&sc, cand, free)
		n.parent.Store(was)
		if len(kept) > g.m0 {
			t.Fatalf("slot %d: %d links of %d", s, len(kept), g.m0)
		}
		for _, c := range near {
			if g.node(c).parent.Load() == s+1 && !slices.Contains(kept, c) {
				t.Fatalf("slot %d has lost its child %d", s, c)
			}
		}
		tried++
	}
	if tried == 0 {
		t.Fatal("no node with a full list and children")
	}
}

// A node that an insertion has not hung on the tree yet may come to hang below
// the one that a repair moves: it is no parent for it.
func TestWhatIsNotInTheTreeMayBeBelow(t *testing.T) {
	g := grown(t, index.Params{Dim: 8, Metric: index.L2, M: 4}, 100)
	root := g.root.Load() - 1
	var o, c uint32
	for s := range uint32(g.alloc.Count()) {
		if n := g.node(s); n.has(linked) && n.parent.Load() == root+1 {
			o, c = c, s
		}
	}
	if g.below(o, c) || g.below(root, c) {
		t.Fatal("two children of the root, and it, are below one of them")
	}
	was := g.node(o).parent.Swap(0)
	defer g.node(o).parent.Store(was)
	if !g.below(o, c) {
		t.Fatal("what hangs nowhere is taken to hang elsewhere for ever")
	}
}

// A repair looks for the highest node that stays, and passes by one that is
// being inserted: that one has to look for itself when the repair has chosen.
func TestEntryPointIsTheHighestThoughARepairPassedItBy(t *testing.T) {
	g := grown(t, index.Params{Dim: 8, Metric: index.L2, M: 4}, 100)
	settle(g)
	e := g.entry.Load()
	s, top := uint32(e), int(e>>32)-1
	if top == 0 {
		t.Fatal("a graph of one level")
	}
	g.entryMu.Lock() // the repair's scan
	done := make(chan struct{})
	go func() {
		g.offerEntry(s, top)
		close(done)
	}()
	for range 1000 {
		runtime.Gosched()
	}
	g.entry.Store(entryOf(g.root.Load()-1, 0))
	g.entryMu.Unlock()
	<-done
	if got := g.entry.Load(); got != e {
		t.Fatalf("the entry point is %#x, not %#x", got, e)
	}
}

// The root and the entry point are doomed, and an insertion finds no place but
// the root's: the entry point stays the repair's to choose, as the highest.
func TestANewRootIsNotTheEntryPoint(t *testing.T) {
	g := grown(t, index.Params{Dim: 8, Metric: index.L2, M: 4}, 100)
	settle(g)
	e, root := g.entry.Load(), g.root.Load()-1
	for _, s := range []uint32{uint32(e), root} {
		g.node(s).state.Or(doomed)
		defer g.node(s).state.And(^uint32(doomed))
	}
	low := uint32(slot.None)
	for s := range uint32(g.alloc.Count()) {
		if n := g.node(s); n.has(linked) && n.level() == 0 && s != root {
			low = s
		}
	}
	sc := g.newScratch()
	g.adoptAnywhere(&sc, low)
	if g.root.Load() != low+1 || g.entry.Load() != e {
		t.Fatalf("root %d, entry point %#x, was %#x", g.root.Load()-1, g.entry.Load(), e)
	}
	g.moveEntry()
	if got := g.entry.Load(); got == e || got>>32 < 2 {
		t.Fatalf("the repair chose %#x", got)
	}
}

// Writers and repairs at once, with lists so short that all are full.
func TestTreeHoldsUnderWritersAndRepairs(t *testing.T) {
	p := index.Params{Dim: 24, Metric: index.L2, M: 4, EFConstruction: 24}
	const writers, labels, steps = 3, 100, 500
	for seed := range uint64(20) {
		g, err := New(p)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(w)))
				vectors := indextest.Vectors(100*seed+uint64(w), steps, p.Dim)
				for i := range steps {
					l := index.Label(r.IntN(labels)*writers + w)
					if i > labels && r.IntN(5) < 2 {
						g.Remove(l, uint64(i+1))
					} else if err := g.Add(l, uint64(i+1), indextest.Blob(p.Element, vectors[i])); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		g.Flush()
		if err := g.Validate(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		g.Close()
	}
}
