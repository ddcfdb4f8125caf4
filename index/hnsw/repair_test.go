package hnsw

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
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
