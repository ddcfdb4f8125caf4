package tracking

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// counters count since the start, or CONFIG RESETSTAT.
type counters struct {
	reads         atomic.Int64 // registrations of a key or search, repeated ones included
	invalidations atomic.Int64 // (key, client) pairs that were told
	pushes        atomic.Int64 // messages that told them
	forgotten     atomic.Int64 // keys that the table's limits pushed out
	flushes       atomic.Int64
}

// Stats are the figures of INFO and TRACKING.STATS.
type Stats struct {
	Clients, Keys, Items, Prefixes, Bytes int64

	Reads, Invalidations, Pushes, Forgotten, Flushes int64
}

// Stats returns the table's figures.
func (t *Table) Stats() Stats {
	c := &t.counters
	return Stats{
		Clients: t.on.Load(), Keys: t.keys.n.Load(), Items: t.keys.items.Load(),
		Prefixes: t.bcast.prefixes.n.Load(), Bytes: t.keys.bytes.Load(),
		Reads: c.reads.Load(), Invalidations: c.invalidations.Load(), Pushes: c.pushes.Load(),
		Forgotten: c.forgotten.Load(), Flushes: c.flushes.Load(),
	}
}

// ResetStats sets the counters to zero.
func (t *Table) ResetStats() {
	c := &t.counters
	for _, n := range []*atomic.Int64{&c.reads, &c.invalidations, &c.pushes, &c.forgotten, &c.flushes} {
		n.Store(0)
	}
	t.groups.mu.Lock()
	defer t.groups.mu.Unlock()
	clear(t.groups.mu.by)
}

// PrefixStats are the figures of the keys that begin alike: up to their first
// colon. Reads and invalidations are estimates from one key in sampled; hits and
// misses are what clients have reported (TRACKING.REPORT), as the server does not
// see what is answered from a copy.
type PrefixStats struct {
	Prefix               string
	Reads, Invalidations int64
	Hits, Misses         int64
}

// HitRate is the share of look-ups that were answered from a copy; false where
// no client has reported any.
func (p *PrefixStats) HitRate() (float64, bool) {
	return float64(p.Hits) / float64(max(1, p.Hits+p.Misses)), p.Hits+p.Misses > 0
}

// groups counts by prefix.
type groups struct {
	mu struct {
		sync.Mutex
		by map[string]*PrefixStats
	}
}

const (
	sampled   = 16   // one key in so many is counted, always the same ones
	maxGroups = 1024 // prefixes that are told apart
	maxPrefix = 64
	otherKeys = "" // the prefix of those beyond, and of keys without a colon
)

func prefixOf(key string) string {
	if i := strings.IndexByte(key[:min(len(key), maxPrefix)], ':'); i >= 0 {
		return key[:i+1]
	}
	return otherKeys
}

// count adds to the figures of a key's prefix.
func (g *groups) count(key string, add func(*PrefixStats)) {
	p := prefixOf(key)
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.mu.by[p]
	if s == nil {
		if len(g.mu.by) >= maxGroups && p != otherKeys {
			p = otherKeys
			s = g.mu.by[p]
		}
		if s == nil {
			if g.mu.by == nil {
				g.mu.by = map[string]*PrefixStats{}
			}
			s = &PrefixStats{Prefix: strings.Clone(p)}
			g.mu.by[s.Prefix] = s
		}
	}
	add(s)
}

// countRead notes that a key was registered.
func (t *Table) countRead(hash uint64, key string) {
	t.counters.reads.Add(1)
	if hash>>16%sampled == 0 {
		t.groups.count(key, func(s *PrefixStats) { s.Reads += sampled })
	}
}

// countDeath notes that readers of a key were told.
func (t *Table) countDeath(hash uint64, key string, readers int) {
	t.counters.invalidations.Add(int64(readers))
	if hash>>16%sampled == 0 && readers > 0 {
		t.groups.count(key, func(s *PrefixStats) { s.Invalidations += sampled * int64(readers) })
	}
}

// Report adds what a client has answered from its copies, and what it has asked
// the server for, of keys with a prefix.
func (t *Table) Report(prefix string, hits, misses int64) {
	t.groups.count(prefix, func(s *PrefixStats) {
		s.Hits += hits
		s.Misses += misses
	})
}

// Groups returns the figures by prefix, those with most reads first, at most n.
func (t *Table) Groups(n int) []PrefixStats {
	t.groups.mu.Lock()
	l := make([]PrefixStats, 0, len(t.groups.mu.by))
	for _, s := range t.groups.mu.by {
		l = append(l, *s)
	}
	t.groups.mu.Unlock()
	slices.SortFunc(l, func(a, b PrefixStats) int {
		return cmp.Or(cmp.Compare(b.Reads+b.Hits, a.Reads+a.Hits), cmp.Compare(a.Prefix, b.Prefix))
	})
	return l[:min(n, len(l))]
}

// Tracked is a key and how many clients hold a copy of it.
type Tracked struct {
	Key     string
	Clients int
}

// Top returns the keys of which most clients hold a copy, at most n. It looks at
// the whole table, a stripe at a time.
func (t *Table) Top(n int) []Tracked {
	var top []Tracked
	least := 0
	add := func(key []byte, clients int) {
		if len(top) == n && clients <= least {
			return
		}
		x := Tracked{string(key), clients}
		i, _ := slices.BinarySearchFunc(top, x, byClients)
		top = slices.Insert(top, i, x)
		if len(top) > n {
			top = top[:n]
		}
		least = top[len(top)-1].Clients
	}
	if n <= 0 {
		return nil
	}
	for i := range t.keys.stripes {
		st := &t.keys.stripes[i]
		st.mu.Lock()
		for key, l := range st.mu.big {
			add([]byte(key), len(l))
		}
		for _, slot := range st.mu.slots {
			if slot != 0 {
				head := t.keys.arena.Bytes(refOf(slot), headSize)
				if clients := int(binary.LittleEndian.Uint32(head)); len(top) < n || clients > least {
					key, _ := t.keys.record(slot)
					add(key, clients)
				}
			}
		}
		st.mu.Unlock()
	}
	return top
}

func byClients(a, b Tracked) int {
	return cmp.Or(cmp.Compare(b.Clients, a.Clients), cmp.Compare(a.Key, b.Key))
}
