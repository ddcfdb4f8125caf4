package semcache

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/hash"
)

func timeOf(ms int64) time.Time { return time.UnixMilli(ms) }

// side is what is known of an entry beside its hash: what it depends on, what it has
// cost, how it is used. It follows the commits. The use is written into the hash now and then
// (use.go).
type side struct {
	deps    []string
	cost    float64
	tokens  int64
	latency int64
	last    int64 // Unix ms
	hits    int64
	size    int64
	kept    int64 // what last was when it was written
}

// sides are those of all entries, and the keys that entries depend on.
type sides struct {
	bytes atomic.Int64
	deps  atomic.Int64 // keys in mu.by: where it is 0, writes need not look
	mu    struct {
		sync.Mutex
		of     map[string]*side               // by the entry's key
		by     map[string]map[string]struct{} // by a key of DEPS: the entries' keys
		loaded bool
		marked map[string]struct{} // of a log that is loaded: entries whose removal it may not hold
	}
}

// sideCost is about what a side takes beside its strings.
const sideCost = 160

// Committed implements store.Observer.
func (c *Cache) Committed(cm *store.Commit) {
	var victims []string
	leased := c.leases.Load() > 0
	for i := range cm.Events {
		e := &cm.Events[i]
		if e.Quiet {
			continue
		}
		if e.Flush {
			victims = append(victims, c.side.flushed(e)...)
			if leased {
				c.recent.all()
			}
			continue
		}
		if leased {
			c.recent.add(changedKey, e.Key)
		}
		if c.side.deps.Load() > 0 {
			victims = c.side.dependents(victims, e.Key)
		}
		if e.DB == 0 && strings.HasPrefix(e.Key, keyPrefix) {
			c.follow(e, cm.At)
		}
	}
	if len(victims) > 0 && !c.ks.Follows() { // the source removes them
		cm.Defer(&removal{c, victims})
	}
}

// follow brings the side of an entry up to date.
func (c *Cache) follow(e *store.Event, now int64) {
	name, id, ok := strings.Cut(e.Key[len(keyPrefix):], "}")
	if !ok {
		return
	}
	var h *hash.Value
	if e.Entry != nil {
		h, _ = e.Entry.Value().(*hash.Value)
	}
	if id == "" {
		c.learned(name, h)
		return
	}
	s := &c.side
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.marked, e.Key)
	old := s.mu.of[e.Key]
	if old != nil {
		s.cutLocked(e.Key, old)
	}
	if h == nil {
		return
	}
	key := strings.Clone(e.Key)
	x := &side{cost: floatField(h, fieldCost), tokens: intField(h, fieldTokens), latency: intField(h, fieldLatency), size: int64(e.Entry.Size())}
	x.remember(h, old, now)
	if v, _ := h.GetString(fieldDeps); len(v) > 0 {
		x.deps = strings.Split(string(v), string(separator))
	}
	s.mu.of[key] = x
	n := sideCost + len(key)
	for _, d := range x.deps {
		if s.mu.by[d] == nil {
			s.mu.by[d] = map[string]struct{}{}
			s.deps.Add(1)
		}
		s.mu.by[d][key] = struct{}{}
		n += 2*len(d) + sideCost
	}
	s.bytes.Add(int64(n))
}

func (s *sides) cutLocked(key string, x *side) {
	n := sideCost + len(key)
	for _, d := range x.deps {
		n += 2*len(d) + sideCost
		if l := s.mu.by[d]; l != nil {
			if delete(l, key); len(l) == 0 {
				delete(s.mu.by, d)
				s.deps.Add(-1)
			}
		}
	}
	delete(s.mu.of, key)
	s.bytes.Add(-int64(n))
}

// dependents appends the entries that depend on a key that has changed. While a
// log is loaded they are marked: the log holds their removal, too, unless it ends
// between the two.
func (s *sides) dependents(dst []string, key string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.mu.by[key] {
		if s.mu.loaded {
			dst = append(dst, k)
		} else {
			s.mu.marked[k] = struct{}{}
		}
	}
	return dst
}

// Minds reports whether it matters to the cache that a string is stored under a key.
func (c *Cache) Minds(db int, key []byte) bool {
	if db == 0 && bytes.HasPrefix(key, []byte(keyPrefix)) || c.leases.Load() > 0 {
		return true
	}
	s := &c.side
	if s.deps.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, depended := s.mu.by[string(key)]
	return depended
}

// flushed follows the flush, or the swap, of a database: which of the keys that
// entries depend on were in it is not known, so all of them may have changed.
func (s *sides) flushed(e *store.Event) (victims []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.DB <= 0 && !e.Swap { // the entries are gone, too
		clear(s.mu.of)
		clear(s.mu.by)
		clear(s.mu.marked)
		s.deps.Store(0)
		s.bytes.Store(0)
		return nil
	}
	for k, x := range s.mu.of {
		if len(x.deps) == 0 {
			continue
		}
		if s.mu.loaded {
			victims = append(victims, k)
		} else {
			s.mu.marked[k] = struct{}{}
		}
	}
	return victims
}

// under lists the entries whose keys begin with a prefix.
func (s *sides) under(prefix string) (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.mu.of {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}

// BaseLoaded is called where a load has come to the end of what is of one moment: that
// a key was stored behind an entry that depends on it says nothing there.
func (c *Cache) BaseLoaded() {
	s := &c.side
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.mu.marked)
}

// Loaded ends the loading of a log. No shard may be held.
func (c *Cache) Loaded() {
	s := &c.side
	s.mu.Lock()
	s.mu.loaded = true
	var l []string
	for k := range s.mu.marked {
		l = append(l, k)
	}
	s.mu.marked = nil
	s.mu.Unlock()
	if len(l) > 0 {
		(&removal{c, l}).Do()
	}
}

func (s *sides) isLoaded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.loaded
}

// removal removes entries that depend on what has changed, once the shards are
// unlocked and before the writer gets its reply.
type removal struct {
	c    *Cache
	keys []string
}

// Do implements store.Deferred.
func (r *removal) Do() {
	call := r.c.Begin(context.Background())
	for _, k := range r.keys {
		call.remove([]byte(k), nil)
	}
	call.Settle()
}

// remove deletes an entry, if ok (nil: whatever it is), and reports whether it has.
func (call *Call) remove(key []byte, ok func(h *hash.Value) bool) (removed bool) {
	call.with(key, func(tx *store.Tx) {
		if ok != nil {
			h, is := hashOf(tx.Peek(key))
			if !is || !ok(h) {
				return
			}
		}
		if removed = tx.Delete(key, "del"); removed {
			tx.Effect([]byte("DEL"), key)
		}
	})
	return removed
}

func hashOf(e *store.Entry) (*hash.Value, bool) {
	if e == nil {
		return nil, false
	}
	h, ok := e.Value().(*hash.Value)
	return h, ok
}

func floatField(h *hash.Value, name string) float64 {
	v, ok := h.GetString(name)
	if !ok || len(v) > 64 {
		return 0
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

func intField(h *hash.Value, name string) int64 {
	v, ok := h.GetString(name)
	if !ok || len(v) > 64 {
		return 0
	}
	n, _ := strconv.ParseInt(string(v), 10, 64)
	return n
}
