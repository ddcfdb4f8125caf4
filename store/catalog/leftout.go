package catalog

import (
	"context"
	"sync"

	"github.com/nearcache/nearcache/store"
)

// An index that was made with SKIPINITIALSCAN holds what was written since. A copy of
// the keyspace does not tell when a key was written: behind it stand the documents
// that the index leaves out. They are looked for when the copy is made, not at its
// moment, and for that nothing need wait: what has been written since the moment comes
// in the log, or the stream, behind the copy, and is indexed by that.

// LeftOut is the command, of copies alone: the index, and names.
const LeftOut = "NC.LEFTOUT"

// Cut is a moment of the catalog: work that was deferred before it may be still to do.
type Cut struct {
	c    *Catalog
	jobs []*sync.WaitGroup
}

// Cut is called with all shards held.
func (c *Catalog) Cut() *Cut {
	cut := &Cut{c: c}
	for _, ix := range *c.set.Load() {
		if ix.SkipScan {
			cut.jobs = append(cut.jobs, ix.jobs)
			ix.jobs = new(sync.WaitGroup)
		}
	}
	return cut
}

// LeftOut calls emit with the commands that LeaveOut takes. No shard is held.
func (cut *Cut) LeftOut(ctx context.Context, emit func(args ...[]byte) error) error {
	for _, jobs := range cut.jobs {
		jobs.Wait()
	}
	return cut.c.Each(func(ix *Index) error {
		if !ix.SkipScan {
			return nil
		}
		args := [][]byte{[]byte(LeftOut), []byte(ix.Name)}
		head := len(args)
		var tx store.Tx
		var doc Document
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			tx.Begin(cut.c.ks, 0, 0)
			cursor = tx.Scan(cursor, backfillBatch, func(e *store.Entry) {
				if ix.matches(e.Key()) && ix.Open(&doc, e) && !ix.search.Has(e.Key()) {
					args = append(args, append([]byte(nil), e.Key()...))
				}
			})
			if len(args) > head && (cursor == 0 || len(args) >= rebuildWords) {
				if err := emit(args...); err != nil {
					return err
				}
				args = args[:head]
			}
		}
		return nil
	})
}

// LeaveOut takes documents out of an index, which they get back into when they are written. What
// was deferred of them must have been done.
func (c *Catalog) LeaveOut(name []byte, keys [][]byte) {
	ix, err := c.GetBytes(name)
	if err != nil || !ix.SkipScan { // it is another one since
		return
	}
	version := c.ks.NextSeq()
	for _, k := range keys {
		ix.search.Delete(string(k), version)
	}
}
