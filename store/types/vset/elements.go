package vset

import (
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"
)

// element is what a label stands for. Its name, number and scale do not change
// while it is there.
type element struct {
	name   string
	attr   atomic.Pointer[string]  // nil: none
	row    atomic.Pointer[waiting] // nil: it is in the graph
	state  atomic.Uint32
	number uint64 // of all that were ever entered; 0: the label is free
	scale
}

// States of an element. All but the first are still in the graph, and will leave it.
const (
	current  = iota
	replaced // its name has another label, which is on its way to the graph
	gone     // nobody may see it: the name has another label beside the graph, or was removed
)

const elementSize = int(unsafe.Sizeof(element{}))

// Elements do not move: searches look at them without a lock. They are allocated
// in chunks, the first of firstChunk, each of the next as large as all before it
// up to maxChunk.
const (
	firstChunk = 16
	maxChunk   = 4096
)

// place is the chunk of a label, and its place there.
func place(label uint32) (i, at int) {
	if label >= maxChunk {
		i, at = int(label/maxChunk), int(label%maxChunk)
		return i + bits.Len(maxChunk/firstChunk) - 1, at
	}
	if i = bits.Len32(label / firstChunk); i > 0 {
		at = firstChunk << (i - 1)
	}
	return i, int(label) - at
}

// chunkSize is the size of the chunk that begins with a label.
func chunkSize(label uint32) int { return min(max(int(label), firstChunk), maxChunk) }

type elements struct {
	chunks atomic.Pointer[[][]element]
	used   uint32 // labels ever given
	free   []uint32
	// Labels that searches may still see, by the parity of the epoch in which
	// they were removed.
	limbo  [2][]uint32
	epoch  uint64
	active [2]atomic.Int64 // searches that began in an epoch of this parity
	bytes  int             // of names and attributes
}

func (e *elements) at(label uint32) *element {
	i, at := place(label)
	return &(*e.chunks.Load())[i][at]
}

// take gives out a label.
func (e *elements) take() uint32 {
	if len(e.free) == 0 {
		e.reclaim()
	}
	if n := len(e.free); n > 0 {
		l := e.free[n-1]
		e.free = e.free[:n-1]
		return l
	}
	return e.next()
}

// next is a label that never was.
func (e *elements) next() uint32 {
	l := e.used
	if _, at := place(l); at == 0 {
		var chunks [][]element
		if all := e.chunks.Load(); all != nil {
			chunks = *all
		}
		// A search may have the older slice; what it sees of it stays.
		chunks = append(chunks, make([]element, chunkSize(l)))
		e.chunks.Store(&chunks)
	}
	e.used++
	return l
}

// reset forgets all labels. No search may be under way.
func (e *elements) reset() {
	e.chunks.Store(nil)
	e.used, e.free, e.limbo, e.bytes = 0, nil, [2][]uint32{}, 0
}

// drop takes a label back.
func (e *elements) drop(label uint32) {
	x := e.at(label)
	e.bytes -= len(x.name)
	if a := x.attr.Load(); a != nil {
		e.bytes -= len(*a)
	}
	e.limbo[e.epoch&1] = append(e.limbo[e.epoch&1], label)
}

// reclaim frees the labels that no search can see any more. Those removed in
// the last epoch are free when all searches have ended that began in it: one that
// begins later does not find them.
func (e *elements) reclaim() {
	for range 2 {
		before := (e.epoch + 1) & 1
		if e.active[before].Load() > 0 {
			return
		}
		for _, l := range e.limbo[before] {
			x := e.at(l)
			x.name, x.number, x.scale = "", 0, scale{}
			x.attr.Store(nil)
			x.state.Store(current)
		}
		e.free = append(e.free, e.limbo[before]...)
		e.limbo[before] = e.limbo[before][:0]
		e.epoch++
	}
}

// begin enters a search; the parity is for end.
func (e *elements) begin() int {
	p := int(e.epoch & 1)
	e.active[p].Add(1)
	return p
}

func (e *elements) end(parity int) { e.active[parity].Add(-1) }

// size is the memory held.
func (e *elements) size() int {
	n := e.bytes + 4*(cap(e.free)+cap(e.limbo[0])+cap(e.limbo[1]))
	if e.used > 0 {
		last := e.used - 1
		_, at := place(last)
		n += elementSize * (int(last) - at + chunkSize(last-uint32(at)))
	}
	return n
}

// order holds labels by their names.
type order struct{ runs [][]uint32 }

// maxRun is when a run is cut in two.
const maxRun = 512

// find is the place of the first name that is not before: name, or behind it.
func (o *order) find(e *elements, name string) (run, at int) {
	run, _ = slices.BinarySearchFunc(o.runs, name, func(r []uint32, name string) int {
		if e.at(r[len(r)-1]).name < name {
			return -1
		}
		return 1
	})
	if run < len(o.runs) {
		at, _ = slices.BinarySearchFunc(o.runs[run], name, func(l uint32, name string) int {
			return strings.Compare(e.at(l).name, name)
		})
	}
	return run, at
}

func (o *order) insert(e *elements, label uint32) {
	run, at := o.find(e, e.at(label).name)
	if run == len(o.runs) {
		if run == 0 {
			o.runs = append(o.runs, []uint32{label})
			return
		}
		run--
		at = len(o.runs[run])
	}
	r := slices.Insert(o.runs[run], at, label)
	o.runs[run] = r
	if len(r) > maxRun {
		o.runs[run] = slices.Clip(r[:len(r)/2])
		o.runs = slices.Insert(o.runs, run+1, slices.Clone(r[len(r)/2:]))
	}
}

func (o *order) remove(e *elements, label uint32) {
	run, at := o.find(e, e.at(label).name)
	o.runs[run] = slices.Delete(o.runs[run], at, at+1)
	if len(o.runs[run]) == 0 {
		o.runs = slices.Delete(o.runs, run, run+1)
	}
}

// replace gives a name another label.
func (o *order) replace(e *elements, old, label uint32) {
	run, at := o.find(e, e.at(old).name)
	o.runs[run][at] = label
}

// from calls f with the labels from name on, in order, until it returns false.
func (o *order) from(e *elements, name string, f func(label uint32) bool) {
	run, at := o.find(e, name)
	for ; run < len(o.runs); run, at = run+1, 0 {
		for _, l := range o.runs[run][at:] {
			if !f(l) {
				return
			}
		}
	}
}

// nth is the label at a place of the order.
func (o *order) nth(n int) uint32 {
	for _, r := range o.runs {
		if n < len(r) {
			return r[n]
		}
		n -= len(r)
	}
	panic("vset: no such place")
}
