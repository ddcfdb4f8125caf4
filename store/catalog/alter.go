package catalog

import (
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store"
)

// alteration is an index that is getting fields. What is put into it waits until it has.
type alteration struct {
	c    *Catalog
	ix   *Index
	to   *search.Schema
	scan bool
	done chan struct{}
}

// Alter adds fields to an index. The Tx must hold all shards; the fields are there when
// the work that it defers is done, and documents that exist are put anew in the
// background, unless skipScan is set. args is the command.
func (c *Catalog) Alter(tx *store.Tx, ix *Index, add *search.Schema, skipScan bool, args [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := ix.search.Schema()
	if a := ix.altering.Load(); a != nil { // by the same EXEC, or the same pipeline
		from = a.to
	}
	to, err := from.Append(add)
	if err != nil {
		return err
	}
	wants, err := wantsOf(ix.Name, to)
	if err != nil {
		return err
	}
	ix.wants = wants
	ix.Later = append(ix.Later, args)
	a := &alteration{c: c, ix: ix, to: to, scan: !skipScan, done: make(chan struct{})}
	ix.altering.Store(a)
	tx.Defer(a)
	return nil
}

// Do implements store.Deferred.
func (a *alteration) Do() {
	err := a.ix.search.Extend(a.to)
	a.ix.altering.CompareAndSwap(a, nil) // unless another is on its way already
	close(a.done)
	if a.scan && err == nil {
		a.c.backfill(a.ix)
	}
}
