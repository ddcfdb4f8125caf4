package catalog

import (
	"time"

	"github.com/nearcache/nearcache/store"
)

// Touch tells that an index is used: searched, or written to. A TEMPORARY one stays
// for its time from now on.
func (ix *Index) Touch(now int64) {
	if ix.Temporary > 0 {
		ix.used.Store(now)
	}
}

func (ix *Index) idle(now int64) bool {
	return ix.Temporary > 0 && time.Duration(now-ix.used.Load())*time.Millisecond >= ix.Temporary
}

// DropIdle drops the temporary indexes that nobody has used for their time, with their
// documents, as RediSearch does. The server calls it now and then.
func (c *Catalog) DropIdle() {
	for _, ix := range *c.set.Load() {
		if ix.idle(c.ks.Now()) {
			c.dropIdle(ix)
		}
	}
}

func (c *Catalog) dropIdle(ix *Index) {
	var tx store.Tx
	var all store.LockSet
	all.AddAll()
	tx.Begin(c.ks, 0, 0)
	tx.Lock(&all)
	if (*c.set.Load())[ix.Name] == ix && ix.idle(tx.Now) {
		_ = c.DropDocs(&tx, ix)
	}
	store.DoAll(tx.End())
}

// DropDocs drops an index, and deletes its documents. The Tx must hold all shards.
func (c *Catalog) DropDocs(tx *store.Tx, ix *Index) error {
	names := ix.search.Names()
	if err := c.Drop(ix.Name); err != nil {
		return err
	}
	// Named one by one: a replay may still be filling the index.
	tx.Effect([]byte("FT.DROPINDEX"), []byte(ix.Name))
	db := tx.DB
	tx.DB = 0
	for _, n := range names {
		if tx.Delete([]byte(n), "del") {
			tx.Effect([]byte("DEL"), []byte(n))
		}
	}
	tx.DB = db
	return nil
}
