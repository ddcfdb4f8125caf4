package tracking

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/nearcache/nearcache/store"
)

// broadcast is the table of prefixes, and of who redirects to whom. A key is looked up under each of the
// lengths that prefixes have, so a write costs a few map reads however many
// prefixes there are.
type broadcast struct {
	mu struct {
		sync.Mutex
		all      map[*client]struct{} // every client with tracking on, whatever its mode
		prefixes map[string]map[*client]struct{}
		lengths  map[int]int                     // length → prefixes that have it
		sources  map[uint64]map[*client]struct{} // id of a target → clients that redirect to it
	}
}

func (b *broadcast) committed(t *Table, c *store.Commit, m *mail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mu.prefixes) == 0 {
		return
	}
	var hit map[string][]string // prefix → keys of this commit
	var seen map[string]struct{}
	for i := range c.Events {
		key := c.Events[i].Key
		if c.Events[i].Flush || c.Events[i].Quiet {
			continue
		}
		if len(c.Events) > 1 {
			if _, dup := seen[key]; dup {
				continue
			}
			if seen == nil {
				seen = map[string]struct{}{}
			}
			seen[key] = struct{}{}
		}
		for n := range b.mu.lengths {
			if n > len(key) || b.mu.prefixes[key[:n]] == nil {
				continue
			}
			if hit == nil {
				hit = map[string][]string{}
			}
			hit[key[:n]] = append(hit[key[:n]], key)
		}
	}
	for prefix, keys := range hit {
		for cl := range b.mu.prefixes[prefix] {
			if o := cl.options.Load(); o != nil && o.BCast && !(o.NoLoop && cl.s.ID == c.Origin) {
				t.address(m, cl, o, keys...)
			}
		}
	}
}

// add enters a client that has turned tracking on, or changed its options.
func (b *broadcast) add(c *client, before *Options, now *Options) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.all == nil {
		b.mu.all = map[*client]struct{}{}
		b.mu.prefixes = map[string]map[*client]struct{}{}
		b.mu.lengths = map[int]int{}
		b.mu.sources = map[uint64]map[*client]struct{}{}
	}
	b.mu.all[c] = struct{}{}
	if before != nil {
		b.unlinkLocked(c, before)
	}
	if id := now.Redirect; id != 0 {
		if b.mu.sources[id] == nil {
			b.mu.sources[id] = map[*client]struct{}{}
		}
		b.mu.sources[id][c] = struct{}{}
	}
	for _, p := range now.Prefixes {
		if b.mu.prefixes[p] == nil {
			b.mu.prefixes[p] = map[*client]struct{}{}
			b.mu.lengths[len(p)]++
		}
		b.mu.prefixes[p][c] = struct{}{}
	}
}

func (b *broadcast) unlinkLocked(c *client, o *Options) {
	delete(b.mu.sources[o.Redirect], c)
	if len(b.mu.sources[o.Redirect]) == 0 {
		delete(b.mu.sources, o.Redirect)
	}
}

// sourcesOf lists the clients that redirect to a session.
func (b *broadcast) sourcesOf(id uint64) []*client {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.mu.sources[id]))
}

// remove takes out a client that has turned tracking off.
func (b *broadcast) remove(c *client, o *Options) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.mu.all, c)
	b.unlinkLocked(c, o)
	for _, p := range o.Prefixes {
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
