package search

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/index/query"
)

// TestFirstInTheOrderOfWrites: a page holds the same as the beginning of all rows, whatever was written over, in place
// or under another label, and deleted; and what is known of blocks of documents is as exact as it is meant to be.
func TestFirstInTheOrderOfWrites(t *testing.T) {
	t.Parallel()
	ix := newIndex(t, "g TAG v VECTOR FLAT 6 TYPE FLOAT32 DIM 1 DISTANCE_METRIC L2")
	p, err := query.Parse([]byte("@g:{a}"), query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	names := func(n int) (l []string) {
		res, err := ix.Search(p, Options{Num: n})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Release()
		for _, row := range res.Rows {
			l = append(l, row.Name)
		}
		return l
	}
	const docs = 5 * oldestBlock
	version := uint64(1)
	for round := range 6 {
		for i := range docs {
			if round > 0 {
				i = r.IntN(docs)
			}
			name := fmt.Sprint(i)
			if version++; r.IntN(8) == 0 {
				ix.Delete(name, version)
				continue
			}
			v := float32(0) // the same vector: written over in place
			if r.IntN(4) == 0 {
				v = r.Float32()
			}
			if err := ix.Put(name, version, 0, hash("g", string(rune('a'+r.IntN(2))), "v", string(blob(v)))); err != nil {
				t.Fatal(err)
			}
		}
		all := names(-1)
		for _, n := range []int{1, 3, 10, len(all) / 2} {
			if got := names(n); !slices.Equal(got, all[:n]) {
				t.Fatalf("round %d: the first %d are %v, of all %v", round, n, got, all[:n])
			}
		}
		for block, o := range ix.mu.oldest {
			least := uint64(math.MaxUint64)
			for _, d := range ix.mu.docs[block*oldestBlock : min((block+1)*oldestBlock, len(ix.mu.docs))] {
				if d.written() {
					least = min(least, d.version)
				}
			}
			if o != least {
				t.Fatalf("round %d: block %d begins at %d, is known to begin at %d", round, block, least, o)
			}
		}
	}
}
