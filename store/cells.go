package store

import (
	"sync"

	"github.com/nearcache/nearcache/store/slab"
)

// cells are where the records of some neighbouring shards lie. Shards that had
// cells of their own would each have pages that are not full, of every size
// there is: a quarter of a gigabyte in all. The lock is a leaf, held for some
// 20 ns; reading, and writing in place, need none.
type cells struct {
	sync.Mutex
	heap slab.Heap
}

// groupShards is how many shards share their cells.
const (
	groupShards = 16
	groups      = Shards / groupShards
)

func newCells(a *slab.Arena) *cells {
	c := &cells{}
	c.heap.Init(a)
	return c
}

func (c *cells) alloc(n int) slab.Ref {
	c.Lock()
	defer c.Unlock() // Alloc panics where the system refuses memory
	return c.heap.Alloc(n)
}

func (c *cells) free(ref slab.Ref, n int) {
	c.Lock()
	c.heap.Free(ref, n)
	c.Unlock()
}

// sizes are the bytes of the cells in use, and of the pages that they lie in.
func (c *cells) sizes() (used, held int64) {
	c.Lock()
	defer c.Unlock()
	return c.heap.Used(), c.heap.Held()
}
