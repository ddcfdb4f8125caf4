package tracking

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
)

const stripes = 64

// Table knows who tracks what.
type Table struct {
	clients *session.Registry
	seed    maphash.Seed
	keys    [stripes]stripe
	nkeys   atomic.Int64 // keys in the table
	nitems  atomic.Int64 // (key, client) pairs
	bytes   atomic.Int64 // of key names
	maxKeys atomic.Int64
	on      atomic.Int64 // clients with tracking on
	bcast   broadcast
}

type stripe struct {
	mu struct {
		sync.Mutex
		readers map[string][]*client
	}
	_ [40]byte
}

// client is the tracking state of a session. Options change only on the
// session's own goroutine; others read them through the atomic pointer.
type client struct {
	s       *session.Session
	options atomic.Pointer[Options]
	broken  atomic.Bool // the redirect's target is gone
	caching atomic.Int32
	mu      struct {
		sync.Mutex
		keys map[string]struct{} // registered in the stripes
	}
}

// DefaultMaxKeys is Redis' tracking-table-max-keys.
const DefaultMaxKeys = 1000000

// New makes an empty table. Redirections are looked up in clients.
func New(clients *session.Registry) *Table {
	t := &Table{clients: clients, seed: maphash.MakeSeed()}
	t.maxKeys.Store(DefaultMaxKeys)
	for i := range t.keys {
		t.keys[i].mu.readers = map[string][]*client{}
	}
	return t
}

func (t *Table) stripe(key string) *stripe {
	return &t.keys[maphash.String(t.seed, key)%stripes]
}

func stateOf(s *session.Session) *client {
	c, _ := s.TrackingState.Load().(*client)
	return c
}

// Read registers that s holds a copy of keys, where its mode wants that. The
// keys' shards must be held.
func (t *Table) Read(s *session.Session, each func(func(key []byte))) {
	c := stateOf(s)
	o := c.options.Load()
	if o == nil || o.BCast || o.OptIn && c.caching.Load() != cachingYes || o.OptOut && c.caching.Load() == cachingNo {
		return
	}
	each(func(key []byte) { t.register(c, key) })
	t.limit()
}

func (t *Table) register(c *client, key []byte) {
	st := &t.keys[maphash.Bytes(t.seed, key)%stripes]
	st.mu.Lock()
	l, known := st.mu.readers[string(key)]
	for _, x := range l {
		if x == c {
			st.mu.Unlock()
			return
		}
	}
	name := string(key)
	st.mu.readers[name] = append(l, c)
	c.mu.Lock()
	if c.mu.keys == nil {
		c.mu.keys = map[string]struct{}{}
	}
	c.mu.keys[name] = struct{}{}
	c.mu.Unlock()
	if !known { // within the lock: the counters never run behind the table
		t.nkeys.Add(1)
		t.bytes.Add(int64(len(name)))
	}
	t.nitems.Add(1)
	st.mu.Unlock()
}

// take removes a key from the table and returns its readers.
func (t *Table) take(key string) []*client {
	st := t.stripe(key)
	st.mu.Lock()
	defer st.mu.Unlock()
	return t.takeLocked(st, key)
}

// takeLocked is take for a stripe that is held.
func (t *Table) takeLocked(st *stripe, key string) []*client {
	l := st.mu.readers[key]
	if l == nil {
		return nil
	}
	delete(st.mu.readers, key)
	for _, c := range l {
		c.mu.Lock()
		delete(c.mu.keys, key)
		c.mu.Unlock()
	}
	t.nkeys.Add(-1)
	t.bytes.Add(-int64(len(key)))
	t.nitems.Add(-int64(len(l)))
	return l
}

// Committed implements store.Observer. All that one commit has for a client is
// queued in one piece, in the order of its events.
func (t *Table) Committed(c *store.Commit) {
	if t.on.Load() == 0 {
		return
	}
	var m mail
	for i := range c.Events {
		e := &c.Events[i]
		if e.Flush {
			t.deliverAll(m)
			m = nil
			t.FlushAll()
			continue
		}
		if t.nkeys.Load() == 0 || e.Quiet {
			continue
		}
		for _, cl := range t.take(e.Key) {
			o := cl.options.Load()
			switch {
			case o == nil || o.BCast || o.NoLoop && cl.s.ID == c.Origin:
			case len(c.Events) == 1:
				t.send(cl, o, e.Key)
			default:
				t.address(&m, cl, o, e.Key)
			}
		}
	}
	t.bcast.committed(t, c, &m)
	t.deliverAll(m)
}

// limit evicts keys at random until the table is within its limit; their
// readers get an invalidation, which is always safe.
func (t *Table) limit() {
	limit := t.maxKeys.Load()
	for i := int(t.nkeys.Load()); limit > 0 && t.nkeys.Load() > limit; i++ {
		t.forgetOne(&t.keys[i%stripes])
	}
}

// forgetOne evicts some key of the stripe. The shard of that key is not held,
// so its readers must hear of it before the stripe is let go: a writer that
// then finds no reader is acknowledged without telling anybody.
func (t *Table) forgetOne(st *stripe) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for key := range st.mu.readers {
		for _, c := range t.takeLocked(st, key) {
			if o := c.options.Load(); o != nil && !o.BCast {
				t.send(c, o, key)
			}
		}
		return
	}
}

// SetMaxKeys sets tracking-table-max-keys, 0 for no limit.
func (t *Table) SetMaxKeys(n int64) {
	t.maxKeys.Store(n)
	t.limit()
}

// FlushAll tells every tracking client that all it holds is void.
func (t *Table) FlushAll() {
	if t.on.Load() == 0 {
		return
	}
	for i := range t.keys {
		st := &t.keys[i]
		st.mu.Lock()
		readers := st.mu.readers
		st.mu.readers = map[string][]*client{}
		for k, l := range readers {
			for _, c := range l {
				c.mu.Lock()
				delete(c.mu.keys, k)
				c.mu.Unlock()
			}
			t.nkeys.Add(-1)
			t.bytes.Add(-int64(len(k)))
			t.nitems.Add(-int64(len(l)))
		}
		st.mu.Unlock()
	}
	t.bcast.mu.Lock()
	all := maps.Clone(t.bcast.mu.all)
	t.bcast.mu.Unlock()
	for c := range all {
		if o := c.options.Load(); o != nil {
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
		deliver(target, letter{c, o, keys})
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
	s := t.clients.Get(o.Redirect)
	if s == nil {
		t.broken(c, o)
	}
	return s
}

func (t *Table) deliverAll(m mail) {
	for target, letters := range m {
		deliver(target, letters...)
	}
}

func deliver(target *session.Session, letters ...letter) {
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

// Stats are the figures of INFO.
type Stats struct{ Clients, Keys, Items, Prefixes, Bytes int64 }

// Stats returns the table's figures.
func (t *Table) Stats() Stats {
	t.bcast.mu.Lock()
	prefixes := int64(len(t.bcast.mu.prefixes))
	t.bcast.mu.Unlock()
	s := Stats{Clients: t.on.Load(), Keys: t.nkeys.Load(), Items: t.nitems.Load(), Prefixes: prefixes}
	s.Bytes = t.bytes.Load() + 96*s.Keys + 64*s.Items // map slots, headers and back references, estimated
	return s
}
