package catalog

import (
	"sync"

	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store"
)

// alteration is an index that is getting fields. Whoever needs them first adds them: a search
// behind FT.ALTER in the same EXEC, what puts a document that has them, or the work that FT.ALTER
// defers so that its shards are not held for that.
type alteration struct {
	c    *Catalog
	ix   *Index
	to   *search.Schema
	scan bool
	once sync.Once
	err  error
}

// Alter adds fields to an index. The Tx must hold all shards; the fields are there when
// the work that it defers is done, or Extended was called, and documents that exist are put
// anew in the background, unless skipScan is set. args is the command.
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
	a := &alteration{c: c, ix: ix, to: to, scan: !skipScan}
	ix.altering.Store(a)
	tx.Defer(a)
	return nil
}

// Do implements store.Deferred.
func (a *alteration) Do() {
	a.extend()
	if a.scan && a.err == nil {
		a.c.backfill(a.ix)
	}
}

func (a *alteration) extend() {
	a.once.Do(func() {
		a.err = a.ix.search.Extend(a.to)
		a.ix.altering.CompareAndSwap(a, nil) // unless another is on its way already
	})
}

// Extended adds the fields of an FT.ALTER that are not there yet. It may be called while shards are
// held, since nothing that it waits for waits for them.
func (ix *Index) Extended() {
	if a := ix.altering.Load(); a != nil {
		a.extend()
	}
}
