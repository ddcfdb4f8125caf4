package tracking

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/nearcache/nearcache/store"
)

// broadcast is the table of prefixes, and of who redirects to whom.
type broadcast struct {
	prefixes prefixes
	mu       struct {
		sync.Mutex
		all     map[*client]struct{}            // every client with tracking on, whatever its mode
		sources map[uint64]map[*client]struct{} // id of a target → clients that redirect to it
	}
}

func (b *broadcast) committed(t *Table, c *store.Commit, m *mail) {
	if b.prefixes.n.Load() == 0 {
		return
	}
	b.prefixes.mu.RLock()
	defer b.prefixes.mu.RUnlock()
	var hit map[*node][]string // keys of this commit below a prefix
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
		b.prefixes.aboveLocked(key, func(n *node) {
			if hit == nil {
				hit = map[*node][]string{}
			}
			hit[n] = append(hit[n], key)
		})
	}
	for n, keys := range hit {
		for cl := range n.clients {
			if o := cl.options.Load(); o != nil && o.BCast && !(o.NoLoop && cl.s.ID == c.Origin) {
				t.counters.invalidations.Add(int64(len(keys)))
				if t.monitors.n.Load() > 0 {
					for _, k := range keys {
						t.show(cl, "invalidate", k, "prefix")
					}
				}
				t.address(m, cl, o, keys...)
			}
		}
	}
}

// add enters a client that has turned tracking on, or changed its options.
func (b *broadcast) add(c *client, before *Options, now *Options) {
	b.mu.Lock()
	if b.mu.all == nil {
		b.mu.all = map[*client]struct{}{}
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
	b.mu.Unlock()
	b.prefixes.add(c, now.Prefixes)
}

func (b *broadcast) unlinkLocked(c *client, o *Options) {
	delete(b.mu.sources[o.Redirect], c)
	if len(b.mu.sources[o.Redirect]) == 0 {
		delete(b.mu.sources, o.Redirect)
	}
}

// everybody lists the clients that have tracking on.
func (b *broadcast) everybody() []*client {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.mu.all))
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
	delete(b.mu.all, c)
	b.unlinkLocked(c, o)
	b.mu.Unlock()
	b.prefixes.remove(c, o.Prefixes)
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
