package tracking

import (
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/nearcache/nearcache/store"
)

// broadcast is the table of prefixes. A key is looked up under each of the
// lengths that prefixes have, so a write costs a few map reads however many
// prefixes there are.
type broadcast struct {
	mu struct {
		sync.Mutex
		all      map[*client]struct{} // every client with tracking on, whatever its mode
		prefixes map[string]map[*client]struct{}
		lengths  map[int]int // length → prefixes that have it
	}
}

func (b *broadcast) committed(t *Table, c *store.Commit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mu.prefixes) == 0 {
		return
	}
	var hit map[string][]string // prefix → keys of this commit
	for i := range c.Events {
		key := c.Events[i].Key
		if c.Events[i].Flush {
			continue
		}
		for n := range b.mu.lengths {
			if n > len(key) || b.mu.prefixes[key[:n]] == nil {
				continue
			}
			if hit == nil {
				hit = map[string][]string{}
			}
			if l := hit[key[:n]]; !slices.Contains(l, key) {
				hit[key[:n]] = append(l, key)
			}
		}
	}
	for prefix, keys := range hit {
		for cl := range b.mu.prefixes[prefix] {
			if o := cl.options.Load(); o != nil && o.BCast && !(o.NoLoop && cl.s.ID == c.Origin) {
				t.send(cl, o, keys...)
			}
		}
	}
}

func (b *broadcast) add(c *client, prefixes []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.all == nil {
		b.mu.all = map[*client]struct{}{}
		b.mu.prefixes = map[string]map[*client]struct{}{}
		b.mu.lengths = map[int]int{}
	}
	b.mu.all[c] = struct{}{}
	for _, p := range prefixes {
		if b.mu.prefixes[p] == nil {
			b.mu.prefixes[p] = map[*client]struct{}{}
			b.mu.lengths[len(p)]++
		}
		b.mu.prefixes[p][c] = struct{}{}
	}
}

func (b *broadcast) remove(c *client, prefixes []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.mu.all, c)
	for _, p := range prefixes {
		delete(b.mu.prefixes[p], c)
		if len(b.mu.prefixes[p]) > 0 {
			continue
		}
		delete(b.mu.prefixes, p)
		if b.mu.lengths[len(p)]--; b.mu.lengths[len(p)] == 0 {
			delete(b.mu.lengths, len(p))
		}
	}
}

// overlap returns an element of the sorted, overlap-free list that is a prefix
// of p or has p as a prefix. Only p's neighbours in the order can be.
func overlap(sorted []string, p string) (string, bool) {
	i := sort.SearchStrings(sorted, p)
	if i < len(sorted) && strings.HasPrefix(sorted[i], p) {
		return sorted[i], true
	}
	if i > 0 && strings.HasPrefix(p, sorted[i-1]) {
		return sorted[i-1], true
	}
	return "", false
}
