package flat

import (
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

// Validate checks that labels, slots and live bits agree, and that codes let
// each vector be found by itself. Nothing may be written meanwhile.
func (x *Index) Validate() error {
	c := x.pool.Enter()
	defer x.pool.Leave(c)
	count, live := x.alloc.Count(), 0
	for w := range (count + 63) / 64 {
		live += bits.OnesCount64(atomic.LoadUint64(x.word(w)))
	}
	if live != x.Len() {
		return fmt.Errorf("flat: %d live slots, Len %d", live, x.Len())
	}
	labels := 0
	var err error
	x.labels.Each(func(l index.Label, s uint32) {
		labels++
		switch {
		case int(s) >= count:
			err = fmt.Errorf("flat: label %d has slot %d of %d", l, s, count)
		case *x.name(s) != uint64(l):
			err = fmt.Errorf("flat: label %d has slot %d, which is of %d", l, s, *x.name(s))
		case *x.word(int(s / 64))>>(s%64)&1 == 0:
			err = fmt.Errorf("flat: label %d has slot %d, which is not live", l, s)
		case x.codes != nil && !c.S.passes(s):
			err = fmt.Errorf("flat: label %d is not found by its codes", l)
		}
	})
	if err == nil && labels != live {
		err = fmt.Errorf("flat: %d labels, %d live slots", labels, live)
	}
	return err
}

// passes reports whether the slot passes a scan for its own vector.
func (s *search) passes(t uint32) bool {
	x, w := s.x, &s.own
	x.space.Query(s.query, x.row(t))
	x.space.Floats(s.floats, x.row(t))
	x.codes.Query(s.coded, s.floats)
	w.slots = append(w.slots[:0], t)
	x.space.Exact(&w.dist[0], s.query, x.vectors.Base(), &w.slots[0], 1)
	w.grow()
	w.limit = x.codes.Limit(s.coded, w.dist[0])
	x.codes.Scan(&w.est[0], &w.pass[0], s.coded, &w.limit, unsafe.Add(x.blocks.Base(), int(t/64)*x.wordBytes()), 1)
	return w.pass[0]>>(t%64)&1 == 1
}
