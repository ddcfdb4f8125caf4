package search

import (
	"slices"
	"sync"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
)

// column is a distance that rows carry.
type column struct {
	name   string
	near   []index.Neighbor // ascending by label once sorted
	sorted bool
}

// exec is one search under way.
type exec struct {
	ix       *Index
	o        Options
	order    order
	root     *plan
	scoring  attr.Scorer
	inFields attr.Mask
	moment   uint64
	live     *index.Bitmap // at moment, without what expired; only where it is needed
	expired  *index.Bitmap // nil if nothing has
	inKeys   *index.Bitmap // labels of the documents of INKEYS
	used     []*index.Bitmap
	cols     []column
	main     int // the column whose distances stand in the candidates, -1 for none
	knn      bool
	cands    []index.Neighbor
	items    []item
	near     attr.NearScratch
	ticks    int
	began    time.Time // when the search began, where it is profiled
	locked   time.Time // when mu was locked last
	timedOut bool
}

var (
	execPool   = sync.Pool{New: func() any { return new(exec) }}
	bitmapPool = sync.Pool{New: func() any { return new(index.Bitmap) }}
)

func (e *exec) bitmap() *index.Bitmap {
	b := bitmapPool.Get().(*index.Bitmap)
	e.used = append(e.used, b)
	return b
}

// release gives a bitmap back before the search ends.
func (e *exec) release(b *index.Bitmap) {
	for i := len(e.used) - 1; i >= 0; i-- {
		if e.used[i] == b {
			e.used = slices.Delete(e.used, i, i+1)
			b.Reset()
			bitmapPool.Put(b)
			return
		}
	}
}

func (e *exec) free() {
	for _, b := range e.used {
		b.Reset()
		bitmapPool.Put(b)
	}
	for i := range e.cols {
		e.cols[i] = column{near: e.cols[i].near[:0]}
	}
	clear(e.used)
	clear(e.items)
	*e = exec{used: e.used[:0], cols: e.cols[:0], cands: e.cands[:0], items: e.items[:0], near: e.near}
	execPool.Put(e)
}

// maxLocked is how long one search may keep writers waiting; it is RediSearch's
// default TIMEOUT. Only a query that is made for it needs so long. Tests change it.
var maxLocked = 500 * time.Millisecond

// stopped asks at every 16th call whether the search is to end.
func (e *exec) stopped() bool {
	if e.timedOut {
		return true
	}
	if e.ticks++; e.ticks&15 == 0 && !e.stop() && time.Since(e.locked) > maxLocked {
		e.timedOut = true
	}
	return e.timedOut
}

// stop asks Stop.
func (e *exec) stop() bool {
	if e.o.Stop != nil && !e.timedOut && e.o.Stop() {
		e.timedOut = true
	}
	return e.timedOut
}

// yield makes the column of distances that are told under a name, which nothing else may have.
func (e *exec) yield(name string) (col int, err error) {
	if e.ix.byName[name] != nil {
		return -1, errorf("Property `%s` already exists in schema", name)
	}
	if slices.ContainsFunc(e.cols, func(c column) bool { return c.name == name }) {
		return -1, errorf("Property `%s` specified more than once", name)
	}
	if n := len(e.cols); n < cap(e.cols) {
		e.cols = e.cols[:n+1] // with its memory
		e.cols[n].name = name
		return n, nil
	}
	e.cols = append(e.cols, column{name: name})
	return len(e.cols) - 1, nil
}

func (e *exec) stopFunc() func() bool {
	if e.o.Stop == nil {
		return nil
	}
	return e.stop
}

// clock reads the clock where the search is profiled.
func (e *exec) clock() time.Time {
	if e.o.Profile == nil {
		return time.Time{}
	}
	return time.Now()
}
