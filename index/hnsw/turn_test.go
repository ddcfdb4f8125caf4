package hnsw

import (
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/thread"
)

// An insertion with a pool of 2000 takes many turns, and lets others have the processor between them; no lock that
// another insertion or a search could wait for is held then.
func TestInsertionEndsItsTurns(t *testing.T) {
	n := 1500
	if short {
		n = 200
	}
	blobs, dim := minilm(t, n+1)
	g, err := New(index.Params{Dim: dim, Metric: index.Cosine, EFConstruction: 2000})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for i, v := range blobs[:n] {
		if err := g.AddEF(index.Label(i), 1, v, 20); err != nil {
			t.Fatal(err)
		}
	}
	turns := 0
	g.endTurn = func() {
		turns++
		if _, err := g.Search(nil, blobs[0], 3, index.SearchOptions{}); err != nil {
			t.Error(err)
		}
		for i := range g.stripe {
			if !g.stripe[i].TryLock() {
				t.Fatal("a node is locked")
			}
			g.stripe[i].Unlock()
		}
	}
	if err := g.Add(index.Label(n), 1, blobs[n]); err != nil {
		t.Fatal(err)
	}
	if turns < 2 {
		t.Errorf("an insertion ended %d turns of %v", turns, thread.Turn)
	}
}
