package slot

import (
	"cmp"
	"slices"

	"github.com/nearcache/nearcache/index"
)

// Top keeps the k nearest of what is offered to it; of equal distances, the
// smaller labels. It grows with what it holds, not with k.
type Top struct {
	k    int
	heap []index.Neighbor // the farthest at 0 once there are k
}

// Reset empties it, to hold k.
func (t *Top) Reset(k int) {
	t.k = k
	t.heap = t.heap[:0]
	if cap(t.heap) > 1<<16 { // one huge search shall not keep its memory
		t.heap = nil
	}
}

// Len is how many it holds.
func (t *Top) Len() int { return len(t.heap) }

// Full reports whether it holds k.
func (t *Top) Full() bool { return len(t.heap) >= t.k }

// Worst is the farthest distance held.
func (t *Top) Worst() float64 { return t.heap[0].Distance }

func farther(a, b index.Neighbor) bool {
	return a.Distance > b.Distance || a.Distance == b.Distance && a.Label > b.Label
}

// Offer takes n in if it is among the k nearest so far.
func (t *Top) Offer(n index.Neighbor) {
	if len(t.heap) < t.k {
		t.heap = append(t.heap, n)
		if len(t.heap) == t.k {
			for i := t.k/2 - 1; i >= 0; i-- {
				t.down(i)
			}
		}
		return
	}
	if t.k > 0 && farther(t.heap[0], n) {
		t.heap[0] = n
		t.down(0)
	}
}

func (t *Top) down(i int) {
	h := t.heap
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && farther(h[c+1], h[c]) {
			c++
		}
		if !farther(h[c], h[i]) {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

// AppendTo appends what it holds to dst, nearest first.
func (t *Top) AppendTo(dst []index.Neighbor) []index.Neighbor {
	n := len(dst)
	dst = append(dst, t.heap...)
	Sort(dst[n:])
	return dst
}

// Sort puts the nearest first, and of equal distances the smaller label.
func Sort(r []index.Neighbor) {
	slices.SortFunc(r, func(a, b index.Neighbor) int {
		if c := cmp.Compare(a.Distance, b.Distance); c != 0 {
			return c
		}
		return cmp.Compare(a.Label, b.Label)
	})
}
