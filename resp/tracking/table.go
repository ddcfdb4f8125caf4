package tracking

import (
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/slab"
)

// Table knows who tracks what.
type Table struct {
	sessions *session.Registry
	seed     maphash.Seed
	keys     keys
	clients  clients
	begin    sync.Once
	failed   error // of begin
	maxKeys  atomic.Int64
	maxItems atomic.Int64
	on       atomic.Int64 // clients with tracking on
	Searches atomic.Bool  // searches are tracked too (search-tracking)
	counters counters
	groups   groups
	monitors monitors
	bcast    broadcast
}

// DefaultMaxKeys is Redis' tracking-table-max-keys, and DefaultMaxItems our
// limit of pairs of a key and a client.
const (
	DefaultMaxKeys  = 1000000
	DefaultMaxItems = 20000000 // as the setting has it
)

// New makes an empty table. Redirections are looked up in sessions.
func New(sessions *session.Registry) *Table {
	t := &Table{sessions: sessions, seed: maphash.MakeSeed()}
	t.maxKeys.Store(DefaultMaxKeys)
	t.maxItems.Store(DefaultMaxItems)
	return t
}

// start takes what only a table that is used needs.
func (t *Table) start() error {
	t.begin.Do(func() {
		if t.keys.arena, t.failed = slab.NewArena(); t.failed != nil {
			return
		}
		for i := range t.keys.stripes {
			t.keys.stripes[i].mu.heap.Init(t.keys.arena)
		}
	})
	return t.failed
}

// Release gives the table's memory back. Nobody may use it any more.
func (t *Table) Release() {
	if t.keys.arena != nil {
		t.keys.arena.Close()
	}
}

// Read registers that s holds a copy of keys, where its mode wants that. The
// keys' shards must be held.
func (t *Table) Read(s *session.Session, each func(func(key []byte))) {
	if !t.Wants(s) {
		return
	}
	c := stateOf(s)
	each(func(key []byte) { t.add(c, key) })
	t.limit()
}

func (t *Table) add(c *client, key []byte) {
	hash := maphash.Bytes(t.seed, key)
	t.keys.add(hash, key, c.number)
	name := unsafe.String(unsafe.SliceData(key), len(key)) // not kept
	t.countRead(hash, name)
	t.show(c, "track", name, "")
}

// Wants reports whether the mode of s wants what its command reads registered.
func (t *Table) Wants(s *session.Session) bool {
	if !s.Tracked.Load() {
		return false
	}
	c := stateOf(s)
	o := c.options.Load()
	return o != nil && !o.BCast && (!o.OptIn || c.caching.Load() == cachingYes) && (!o.OptOut || c.caching.Load() != cachingNo)
}

// Note registers that s, which wants it, holds something under a name that is no
// key. Changed ends it.
func (t *Table) Note(s *session.Session, name string) {
	t.add(stateOf(s), []byte(name))
	t.limit()
}

// Changed tells those who hold what Note has named that it has died.
func (t *Table) Changed(name string) {
	t.keys.taken(maphash.String(t.seed, name), name, func(name string, readers []number) { t.tellAll(name, readers, "search") })
}

// Committed implements store.Observer. All that one commit has for a client is
// queued in one piece, in the order of its events.
func (t *Table) Committed(c *store.Commit) {
	if t.on.Load() == 0 {
		return
	}
	var m mail
	var room [16]number
	for i := range c.Events {
		e := &c.Events[i]
		if e.Flush {
			t.deliverAll(m)
			m = nil
			t.FlushAll()
			continue
		}
		if t.keys.n.Load() == 0 || e.Quiet {
			continue
		}
		hash, told := maphash.String(t.seed, e.Key), 0
		for _, n := range t.keys.take(hash, e.Key, room[:0]) {
			cl := t.clients.get(n)
			if cl == nil {
				continue
			}
			o := cl.options.Load()
			switch {
			case o == nil || o.BCast || o.NoLoop && cl.s.ID == c.Origin:
			default:
				told++
				t.show(cl, "invalidate", e.Key, e.Name)
				if len(c.Events) == 1 {
					t.send(cl, o, e.Key)
				} else {
					t.address(&m, cl, o, e.Key)
				}
			}
		}
		t.countDeath(hash, e.Key, told)
	}
	t.bcast.committed(t, c, &m)
	t.deliverAll(m)
}

// limit evicts keys at random until the table is within its limits; their
// readers get an invalidation, which is always safe.
func (t *Table) limit() {
	over := func(n *atomic.Int64, limit int64) bool { return limit > 0 && n.Load() > limit }
	for over(&t.keys.n, t.maxKeys.Load()) || over(&t.keys.items, t.maxItems.Load()) {
		place := rand.Uint64()
		t.keys.evict(&t.keys.stripes[place%stripes], place/stripes, func(key string, readers []number) {
			t.counters.forgotten.Add(1)
			t.tellAll(key, readers, "limit")
		})
	}
}

// tellAll tells the readers of a key that the table is about to forget. The
// shard of that key is not held, so they must hear of it before the stripe is let
// go: a writer that then finds no reader is acknowledged without telling anybody.
func (t *Table) tellAll(key string, readers []number, why string) {
	told := 0
	for _, n := range readers {
		if c := t.clients.get(n); c != nil {
			if o := c.options.Load(); o != nil && !o.BCast {
				told++
				t.show(c, "invalidate", key, why)
				t.send(c, o, key)
			}
		}
	}
	t.countDeath(maphash.String(t.seed, key), key, told)
}

// SetMaxKeys sets tracking-table-max-keys, 0 for no limit.
func (t *Table) SetMaxKeys(n int64) {
	t.maxKeys.Store(n)
	t.limit()
}

// SetMaxItems sets tracking-table-max-items, 0 for no limit.
func (t *Table) SetMaxItems(n int64) {
	t.maxItems.Store(n)
	t.limit()
}

// FlushAll tells every tracking client that all it holds is void. Every shard
// must be held, so that nobody reads meanwhile.
func (t *Table) FlushAll() {
	if t.on.Load() == 0 {
		return
	}
	t.keys.clear()
	t.counters.flushes.Add(1)
	for _, c := range t.bcast.everybody() {
		if o := c.options.Load(); o != nil {
			t.show(c, "flush", "", "")
			t.send(c, o)
		}
	}
}

// letter is one invalidation: keys that a client holds, none meaning all.
type letter struct {
	c    *client
	o    *Options
	keys []string
}

// mail is what a commit has for each session.
type mail map[*session.Session][]letter

// send queues one invalidation on whoever is to hear of c's keys.
func (t *Table) send(c *client, o *Options, keys ...string) {
	if target := t.target(c, o); target != nil {
		t.deliver(target, letter{c, o, keys})
	}
}

// address adds an invalidation to the mail of whoever is to hear of c's keys.
func (t *Table) address(m *mail, c *client, o *Options, keys ...string) {
	target := t.target(c, o)
	if target == nil {
		return
	}
	if *m == nil {
		*m = mail{}
	}
	(*m)[target] = append((*m)[target], letter{c, o, keys})
}

// target is the session that hears of c's keys; nil, and c is told, where it is
// gone.
func (t *Table) target(c *client, o *Options) *session.Session {
	if o.Redirect == 0 {
		return c.s
	}
	s := t.sessions.Get(o.Redirect)
	if s == nil {
		t.broken(c, o)
	}
	return s
}

func (t *Table) deliverAll(m mail) {
	for target, letters := range m {
		t.deliver(target, letters...)
	}
}

func (t *Table) deliver(target *session.Session, letters ...letter) {
	t.counters.pushes.Add(int64(len(letters)))
	for {
		proto := target.Proto.Load()
		var w resp.Writer
		w.SetProto(int(proto))
		for i := range letters {
			letters[i].write(&w, target)
		}
		if w.Len() == 0 || target.PushIn(proto, w.Bytes()) {
			return
		}
	}
}

func (l *letter) write(w *resp.Writer, target *session.Session) {
	switch {
	case w.Proto() == 3:
		w.Push(2)
		w.BulkString("invalidate")
	case l.o.Redirect != 0 && target.InPubSub():
		w.Array(3)
		w.BulkString("message")
		w.BulkString("__redis__:invalidate")
	default:
		return // RESP2 without redirection hears nothing
	}
	if len(l.keys) == 0 {
		w.Null()
		return
	}
	w.Array(len(l.keys))
	for _, k := range l.keys {
		w.BulkString(k)
	}
}

// broken tells c, once, that the client it redirects to is gone.
func (t *Table) broken(c *client, o *Options) {
	if c.broken.Swap(true) {
		return
	}
	var w resp.Writer
	w.SetProto(3)
	w.Push(2)
	w.BulkString("tracking-redir-broken")
	w.Int(int64(o.Redirect))
	c.s.PushIn(3, w.Bytes())
}
