package catalog

import (
	"errors"
	"hash/crc32"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/vset"
	"github.com/nearcache/nearcache/store/vfs"
)

// The graph of a vector set is saved as that of an index is. It is opened when the set's first element
// comes, so that rows are in memory once; and where the set got its name later, at the end.

// setKey is where a vector set is.
type setKey struct {
	db  int
	key string
}

// setPrefix begins the definition of a set, before its database.
const setPrefix = "set."

func (k setKey) definition() string { return setPrefix + strconv.Itoa(k.db) }

// setOf is the key of a line of the manifest that is a set's.
func setOf(s saved) (setKey, bool) {
	db, ok := strings.CutPrefix(s.definition, setPrefix)
	n, err := strconv.Atoi(db)
	return setKey{n, s.name}, ok && err == nil && n >= 0 && n < store.Databases
}

// setID tells vector sets apart, whatever they are called.
type setID uint64

// load is what is known while a log is loaded.
type load struct {
	fsys     vfs.FS
	dir      string
	log      *slog.Logger
	indexes  map[string]saved    // by name
	ahead    map[string]*reading // what is read of them already
	sets     map[setKey]saved
	restored map[setKey]setID
}

// Loading reports whether a log is loaded. Vectors stay beside their graphs then.
func (c *Catalog) Loading() bool { return c.loading.Load() }

// eachSet calls f with all vector sets that have a graph, their shard locked, until the catalog is closed.
func (c *Catalog) eachSet(f func(k setKey, v *vset.Value)) {
	if vset.Graphs() == 0 { // mostly, and a look at all keys takes time
		return
	}
	var tx store.Tx
	for db := range store.Databases {
		for cursor := uint64(0); !c.closing.Load(); {
			tx.Begin(c.ks, db, 0)
			cursor = tx.Scan(cursor, backfillBatch, func(e *store.Entry) {
				if e.Type().ID != object.VectorSet {
					return
				}
				if v := e.Value().(*vset.Value); v.HasGraph() {
					f(setKey{db, strings.Clone(e.Key())}, v)
				}
			})
			if cursor == 0 {
				break
			}
		}
	}
}

// withSet calls f with the vector set of that key, its shard locked; false where there is none.
func (c *Catalog) withSet(k setKey, f func(v *vset.Value)) bool {
	var tx store.Tx
	tx.Begin(c.ks, k.db, 0)
	tx.NoTouch, tx.Reads = true, true
	key := []byte(k.key)
	tx.LockKey(key)
	e := tx.Peek(key)
	ok := e != nil && e.Type().ID == object.VectorSet
	if ok {
		f(e.Value().(*vset.Value))
	}
	store.DoAll(tx.End())
	return ok
}

// setGraphs are those of all vector sets.
func (c *Catalog) setGraphs() (l []toSave) {
	c.eachSet(func(k setKey, v *vset.Value) {
		changes := v.Changes()
		if v.Late() > 0 {
			changes = unsettled
		}
		l = append(l, toSave{setID(v.ID), k.definition(), k.key, changes, func(fsys vfs.FS, dir string, s saved) error {
			return c.saveSet(fsys, dir, k, v, s)
		}})
	})
	return l
}

// tablePart is how many elements are written of a table with the shard locked.
const tablePart = 512

func (c *Catalog) saveSet(fsys vfs.FS, dir string, k setKey, v *vset.Value, s saved) error {
	defer func() {
		if v.Late() > 0 {
			c.absorbSets()
		}
	}()
	err := writeTo(fsys, filepath.Join(dir, s.graph(0)), v.Save)
	if err == nil {
		err = writeTo(fsys, filepath.Join(dir, s.labels()), func(w io.Writer) error { return c.writeTable(w, k, v) })
	}
	if err != nil { // the disk may be full of them
		_ = fsys.Remove(filepath.Join(dir, s.graph(0)))
		_ = fsys.Remove(filepath.Join(dir, s.labels()))
	}
	return err
}

func writeTo(fsys vfs.FS, name string, write func(w io.Writer) error) error {
	f, err := createFile(fsys, name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func (c *Catalog) writeTable(w io.Writer, k setKey, v *vset.Value) error {
	sum := uint32(0)
	var b []byte
	for from, more := "", true; more; more = from != "" {
		there := false
		c.withSet(k, func(x *vset.Value) {
			if there = x == v; there {
				b, from = v.AppendTable(b[:0], from, tablePart)
			}
		})
		if !there {
			return errGone
		}
		sum = crc32.Update(sum, castagnoli, b)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	_, err := w.Write(vset.EndTable(nil, sum))
	return err
}

// restoreSets opens the graphs of sets that have just come, while a log is loaded: it is called with their shards held.
func (c *Catalog) restoreSets(events []store.Event) {
	for i := range events {
		e := &events[i]
		if e.Entry == nil || e.Entry.Type().ID != object.VectorSet {
			continue
		}
		k := setKey{e.DB, e.Key}
		s, ok := c.load.sets[k]
		if _, done := c.load.restored[k]; !ok || done {
			continue
		}
		// One of other dimensions may be under that name first.
		if err := c.restoreSet(k, e.Entry.Value().(*vset.Value), s); err != nil && !errors.Is(err, index.ErrParams) {
			c.load.log.Warn(graphUnusable, "key", k.key, "error", err)
			delete(c.load.sets, k)
		}
	}
}

func (c *Catalog) restoreSet(k setKey, v *vset.Value, s saved) error {
	start := time.Now()
	table, err := readAll(c.load.fsys, filepath.Join(c.load.dir, s.labels()), maxLabels)
	if err != nil {
		return err
	}
	f, err := c.load.fsys.Open(filepath.Join(c.load.dir, s.graph(0)))
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	if err := v.Restore(table, f, size); err != nil {
		return err
	}
	c.load.restored[k] = setID(v.ID)
	c.load.log.Info("opened a saved graph", "key", k.key, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// endSets restores the sets that have got their names last, and lets go of what the others have not taken over.
func (c *Catalog) endSets() {
	for k, s := range c.load.sets {
		c.withSet(k, func(v *vset.Value) {
			if c.load.restored[k] != setID(v.ID) {
				if err := c.restoreSet(k, v, s); err != nil {
					c.load.log.Warn(graphUnusable, "key", k.key, "error", err)
					return
				}
			}
			v.Restored()
			if n := v.Late(); n == 0 {
				c.saves.last[setID(v.ID)] = kept{s, v.Changes()}
			} else {
				c.load.log.Info("vectors are put into a graph in the background", "key", k.key, "vectors", n)
			}
		})
	}
	c.absorbSets()
}

// absorbSets has a goroutine bring the vectors of all sets into their graphs that are not there yet.
func (c *Catalog) absorbSets() {
	if vset.Graphs() == 0 || !c.absorbing.CompareAndSwap(false, true) {
		return
	}
	c.wg.Go(func() {
		for !c.closing.Load() {
			var late []setKey
			c.eachSet(func(k setKey, v *vset.Value) {
				if v.Late() > 0 {
					late = append(late, k)
				}
			})
			if len(late) == 0 {
				break
			}
			for _, k := range late {
				c.absorbSet(k)
			}
			time.Sleep(absorbPause)
		}
		c.absorbing.Store(false)
	})
}

func (c *Catalog) absorbSet(k setKey) {
	work := make(chan *vset.Job)
	var wg sync.WaitGroup
	for range absorbers() {
		wg.Go(func() {
			for j := range work {
				j.Do()
			}
		})
	}
	for at, more := uint32(0), true; more && !c.closing.Load(); more = at > 0 {
		var jobs []*vset.Job
		c.withSet(k, func(v *vset.Value) { jobs, at = v.Absorb(at) })
		for _, j := range jobs {
			work <- j
		}
		if jobs == nil && at == 0 {
			break
		}
	}
	close(work)
	wg.Wait()
}
