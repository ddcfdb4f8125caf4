package blocking

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
)

// Key names a key in a database.
type Key struct {
	DB   int
	Name string
}

// Table knows who waits for what. Make it with New.
type Table struct {
	seed  maphash.Seed
	late  func([]Key)
	wide  atomic.Int64
	keys  atomic.Int64
	gone  atomic.Int64
	slots [slots]slot
	n     atomic.Int64
	timed atomic.Int64 // of them with a timeout
	mu    struct {
		sync.Mutex
		spots     map[Key]*spot
		bySession map[*session.Session]*Waiter
	}
}

// slots is the number of filter slots: a change of a key that nobody waits for
// is found to be one without the lock.
const slots = 1024

// slot sums up the keys whose names share a hash.
type slot struct {
	waiting atomic.Int32  // places in queues
	wide    int           // of them wide waiters; this and what follows under Table.mu
	shards  store.LockSet // what the wide ones need, and perhaps more: it shrinks when the last goes
}

// spot is a key that is waited for: a queue for each type and reason.
type spot struct {
	queues []*queue
	n      int  // waiters in all queues
	gone   int  // of them with Gone
	ready  bool // to be served: somebody has seen a change
}

// queue is a list of waiters, the longest waiting first.
type queue struct {
	kind        object.ID
	gone        bool
	n           int
	first, last *node
}

// node is a waiter's place in a queue.
type node struct {
	w          *Waiter
	q          *queue
	prev, next *node
}

// New makes an empty table. late serves keys of which the table has heard by a
// commit: no shard is held when it is called.
func New(late func([]Key)) *Table {
	t := &Table{seed: maphash.MakeSeed(), late: late}
	t.mu.spots = map[Key]*spot{}
	t.mu.bySession = map[*session.Session]*Waiter{}
	return t
}

// Len is the number of clients that wait.
func (t *Table) Len() int64 { return t.n.Load() }

// Timed is how many of them will not wait for ever.
func (t *Table) Timed() int64 { return t.timed.Load() }

// Keys is the number of keys waited for, and of those of which the deletion is.
func (t *Table) Keys() (all, gone int64) { return t.keys.Load(), t.gone.Load() }

// Wide reports whether commands that write must ask Widen.
func (t *Table) Wide() bool { return t.wide.Load() != 0 }

func (t *Table) slot(key []byte) *slot { return &t.slots[maphash.Bytes(t.seed, key)%slots] }

func (t *Table) slotOf(key string) *slot { return &t.slots[maphash.String(t.seed, key)%slots] }

// Widen adds to set the shards that serving the waiters of a key may take, in
// whatever database.
func (t *Table) Widen(key []byte, set *store.LockSet) {
	sl := t.slot(key)
	if sl.waiting.Load() == 0 {
		return
	}
	t.mu.Lock()
	set.AddSet(&sl.shards)
	t.mu.Unlock()
}

func (t *Table) link(w *Waiter) {
	wide := w.wide()
	t.mu.Lock()
	defer t.mu.Unlock()
	w.nodes = make([]node, len(w.Keys))
	for i, name := range w.Keys {
		k := Key{w.DB, name}
		s := t.mu.spots[k]
		if s == nil {
			s = &spot{}
			t.mu.spots[k] = s
			t.keys.Add(1)
		}
		if s.n++; w.Gone {
			if s.gone++; s.gone == 1 {
				t.gone.Add(1)
			}
		}
		w.nodes[i] = node{w: w}
		s.queue(w.Type, w.Gone).push(&w.nodes[i])
		sl := t.slotOf(name)
		sl.waiting.Add(1)
		if wide {
			sl.wide++
			sl.shards.AddSet(&w.Shards)
		}
	}
	if wide {
		t.wide.Add(1)
	}
	t.mu.bySession[w.Session] = w
	t.n.Add(1)
	if w.Timeout > 0 {
		t.timed.Add(1)
	}
}

func (t *Table) unlink(w *Waiter) {
	wide := w.wide()
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, name := range w.Keys {
		k := Key{w.DB, name}
		s := t.mu.spots[k]
		w.nodes[i].q.remove(&w.nodes[i])
		if w.Gone {
			if s.gone--; s.gone == 0 {
				t.gone.Add(-1)
			}
		}
		if s.n--; s.n == 0 {
			delete(t.mu.spots, k)
			t.keys.Add(-1)
		}
		sl := t.slotOf(name)
		sl.waiting.Add(-1)
		if wide {
			if sl.wide--; sl.wide == 0 {
				sl.shards = store.LockSet{}
			}
		}
	}
	if wide {
		t.wide.Add(-1)
	}
	delete(t.mu.bySession, w.Session)
	t.n.Add(-1)
	if w.Timeout > 0 {
		t.timed.Add(-1)
	}
}

// requeue puts w behind all others that wait for its keys.
func (t *Table) requeue(w *Waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range w.nodes {
		x := &w.nodes[i]
		x.q.remove(x)
		x.q.push(x)
	}
}

func (t *Table) head(q *queue) *Waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.first == nil {
		return nil
	}
	return q.first.w
}

// queue is the queue for a type and reason. Queues stay as long as the spot.
func (s *spot) queue(kind object.ID, gone bool) *queue {
	for _, q := range s.queues {
		if q.kind == kind && q.gone == gone {
			return q
		}
	}
	q := &queue{kind: kind, gone: gone}
	s.queues = append(s.queues, q)
	return q
}

func (q *queue) push(x *node) {
	x.q, x.prev, x.next = q, q.last, nil
	if q.last != nil {
		q.last.next = x
	} else {
		q.first = x
	}
	q.last = x
	q.n++
}

func (q *queue) remove(x *node) {
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		q.first = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		q.last = x.prev
	}
	x.prev, x.next = nil, nil
	q.n--
}

// Ready appends to dst the keys among the changes that are waited for and not
// yet in another such list. Whoever gets a key must Serve it. The shards of the
// changes must be held.
func (t *Table) Ready(changes []store.Event, dst []Key) []Key {
	for i := range changes {
		e := &changes[i]
		if e.Swap {
			dst = t.readyAll(-1, dst)
			continue
		}
		if e.Flush {
			dst = t.readyAll(e.DB, dst)
			continue
		}
		if e.Quiet && !e.Wakes || t.slotOf(e.Key).waiting.Load() == 0 {
			continue
		}
		t.mu.Lock()
		if s := t.mu.spots[Key{e.DB, e.Key}]; s != nil && !s.ready && (e.Entry != nil || s.gone > 0) {
			s.ready = true
			dst = append(dst, Key{e.DB, strings.Clone(e.Key)})
		}
		t.mu.Unlock()
	}
	return dst
}

// readyAll is Ready for a change of a whole database, -1 for all of them.
func (t *Table) readyAll(db int, dst []Key) []Key {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := len(dst)
	for k, s := range t.mu.spots {
		if (db < 0 || k.DB == db) && !s.ready {
			s.ready = true
			dst = append(dst, k)
		}
	}
	slices.SortFunc(dst[from:], func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
	return dst
}

// look makes the keys of w ready though nothing has changed, and has them served.
func (t *Table) look(w *Waiter) {
	t.mu.Lock()
	var keys []Key
	for _, name := range w.Keys {
		k := Key{w.DB, name}
		if s := t.mu.spots[k]; s != nil && !s.ready {
			s.ready = true
			keys = append(keys, k)
		}
	}
	t.mu.Unlock()
	if len(keys) > 0 {
		t.late(keys)
	}
}

// Forget takes back what Ready has returned and nobody will serve.
func (t *Table) Forget(keys []Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		if s := t.mu.spots[k]; s != nil {
			s.ready = false
		}
	}
}

// Committed implements store.Observer. A command serves those whom it wakes
// itself, and says so. What is left are changes on the server's own account, which
// whoever made them serves after its shards are unlocked.
func (t *Table) Committed(c *store.Commit) {
	if c.Served || t.n.Load() == 0 {
		return
	}
	if keys := t.Ready(c.Events, nil); len(keys) > 0 {
		c.Defer(late{t, keys})
	}
}

type late struct {
	t    *Table
	keys []Key
}

// Do implements store.Deferred.
func (l late) Do() { l.t.late(l.keys) }
