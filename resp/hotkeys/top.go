package hotkeys

import (
	"container/heap"
	"slices"
	"strings"
)

// countersPer is how many counters there are for each key asked for.
const countersPer = 50

// maxKey is the longest key that is counted: the tables should stay small
// whatever clients do.
const maxKey = 8 << 10

// top counts the keys of greatest weight, with Space-Saving.
type top struct {
	counters counters
	at       map[string]*counter
	total    uint64
	bytes    int
}

type counter struct {
	key   string
	count uint64
	over  uint64 // how much of count may be of keys that had the counter before
	pos   int
}

// counters is a heap, the smallest first.
type counters []*counter

func (c counters) Len() int           { return len(c) }
func (c counters) Less(i, j int) bool { return c[i].count < c[j].count }
func (c counters) Swap(i, j int) {
	c[i], c[j] = c[j], c[i]
	c[i].pos, c[j].pos = i, j
}

func (c *counters) Push(x any) {
	n := x.(*counter)
	n.pos = len(*c)
	*c = append(*c, n)
}

func (c *counters) Pop() any { panic("counters are never removed") }

const counterBytes = 96 // with its places in the heap and the map

func newTop(keys int) *top {
	n := keys * countersPer
	return &top{counters: make(counters, 0, n), at: make(map[string]*counter, n)}
}

func (t *top) add(key []byte, weight uint64) {
	t.total += weight
	if weight == 0 || len(key) > maxKey {
		return
	}
	x := t.at[string(key)]
	switch {
	case x != nil:
	case len(t.counters) < cap(t.counters):
		x = &counter{key: string(key)}
		t.at[x.key] = x
		t.bytes += counterBytes + len(key)
		heap.Push(&t.counters, x)
	default:
		x = t.counters[0]
		delete(t.at, x.key)
		t.bytes += len(key) - len(x.key)
		x.key, x.over = string(key), x.count
		t.at[x.key] = x
	}
	x.count += weight
	heap.Fix(&t.counters, x.pos)
}

// Key is a key with its weight: what was certainly its own.
type Key struct {
	Name   string
	Weight uint64
}

// first returns the n keys of greatest weight.
func (t *top) first(n int) []Key {
	l := make([]Key, 0, len(t.counters))
	for _, x := range t.counters {
		l = append(l, Key{x.key, x.count - x.over})
	}
	slices.SortFunc(l, func(a, b Key) int {
		switch {
		case a.Weight > b.Weight:
			return -1
		case a.Weight < b.Weight:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return slices.Clone(l[:min(n, len(l))])
}
