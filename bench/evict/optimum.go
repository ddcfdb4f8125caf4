package evict

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// never is after the end of every trace.
const never = math.MaxInt32

// nextUses says for each request when its object is asked for again.
func (t *Trace) nextUses() []int32 {
	next, last := make([]int32, len(t.IDs)), make([]int32, len(t.Size))
	for i := range last {
		last[i] = never
	}
	for i := len(t.IDs) - 1; i >= 0; i-- {
		next[i] = last[t.IDs[i]]
		last[t.IDs[i]] = int32(i)
	}
	return next
}

// belady is the best that can be done with objects of equal size and cost: what
// is asked for last goes, and what would go first is not put in at all
// (L. A. Belady, 1966).
type belady struct {
	capacity int64
	next     []int32
	i        int
	h        useHeap
	current  map[uint32]int32 // what is there, and when it is asked for again
}

func newBelady(t *Trace, capacity int64) cache {
	return &belady{capacity: capacity, next: t.nextUses(), current: map[uint32]int32{}}
}

type use struct {
	id   uint32
	next int32
}

// useHeap has what is asked for last on top.
type useHeap []use

func (h useHeap) Len() int           { return len(h) }
func (h useHeap) Less(i, j int) bool { return h[i].next > h[j].next }
func (h useHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *useHeap) Push(x any)        { *h = append(*h, x.(use)) }

func (h *useHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func (b *belady) ask(id uint32) bool {
	next := b.next[b.i]
	b.i++
	_, hit := b.current[id]
	if next == never {
		delete(b.current, id)
		return hit
	}
	b.current[id] = next
	heap.Push(&b.h, use{id, next})
	for int64(len(b.current)) > b.capacity {
		x := heap.Pop(&b.h).(use)
		if n, there := b.current[x.id]; there && n == x.next { // otherwise it has been used since
			delete(b.current, x.id)
		}
	}
	return hit
}

// bound is more than any policy can reach, whatever sizes and costs are: to find
// an object again it must be kept from one request to the next, which takes its
// size times the requests between. No more of that can be had than the capacity
// times the length of the trace; so the intervals are chosen that give most for
// what they take (the relaxation of Berger, Beckmann and Harchol-Balter,
// "Practical Bounds on Optimal Caching with Variable Object Sizes", 2018), anew for
// each of the ratios.
func (t *Trace) bound(capacity int64) ratios {
	type interval struct {
		take float64
		id   uint32
	}
	var l []interval
	var all ratios
	next := t.nextUses()
	for i, id := range t.IDs {
		if i >= t.warm() {
			all.add(t, id)
		}
		if n := int(next[i]); n != never && n >= t.warm() {
			l = append(l, interval{float64(n-i) * float64(t.Size[id]), id})
		}
	}
	best := func(value func(id uint32) float64) float64 {
		slices.SortFunc(l, func(a, b interval) int { return cmp.Compare(a.take*value(b.id), b.take*value(a.id)) })
		left, sum := float64(capacity)*float64(len(t.IDs)), 0.0
		for _, x := range l {
			if x.take > left {
				return sum + value(x.id)*left/x.take
			}
			left -= x.take
			sum += value(x.id)
		}
		return sum
	}
	return ratios{
		best(func(uint32) float64 { return 1 }),
		best(func(id uint32) float64 { return float64(t.Size[id]) }),
		best(func(id uint32) float64 { return float64(t.Cost[id]) }),
	}.of(all)
}
