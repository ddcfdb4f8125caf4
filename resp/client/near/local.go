package near

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp/client"
)

const shards = 32

// local holds the copies: for each key the replies of the commands that read it.
type local struct {
	seed   maphash.Seed
	live   atomic.Bool // copies may be used: the connection that keeps them true stands
	max    int64       // bytes of a shard
	shards [shards]shard
	stats  counters

	// names are pseudo-keys, each with the nodes whose copies die with it. Taken
	// below shards.
	names struct {
		sync.Mutex
		nodes map[string]map[string]struct{}
	}
}

type counters struct {
	hits, misses, shared, invalidations, flushes, evictions atomic.Int64
}

type shard struct {
	sync.Mutex
	keys    map[string]*node
	lru     node // ring: next is the most recently used
	bytes   int64
	answers map[string]*answered // by prefix, of the keys that are sampled
	_       [64]byte
}

// node is a key of which something is held, or asked for.
type node struct {
	key        string
	copies     []held // few: the commands that are used on one key
	watchers   []chan struct{}
	bytes      int64
	prev, next *node
}

// held is the reply to one command on the node's key, or the promise of one.
type held struct {
	cmd    string // the whole command but for the key; "" is GET
	value  client.Value
	life   life
	name   string  // pseudo-key that it dies with, "" for the node's own key
	flight *flight // set until the reply is there
}

// life is how long something lasts, in ms of the client's clock; 0 is for ever.
type life struct{ key, copy int64 }

// flight is a read on its way. Whoever wants the same waits for done.
type flight struct {
	done  chan struct{}
	value client.Value
	life  life
	err   error
}

func (h *held) dead(now func() int64) bool { return h.life.copy != 0 && h.life.copy <= now() }

func newLocal(maxBytes int64) *local {
	l := &local{seed: maphash.MakeSeed(), max: max(1, maxBytes/shards)}
	for i := range l.shards {
		sh := &l.shards[i]
		sh.keys = map[string]*node{}
		sh.lru.prev, sh.lru.next = &sh.lru, &sh.lru
	}
	return l
}

func (l *local) shard(key string) *shard { return &l.shards[l.hash(key)%shards] }

func (l *local) hash(key string) uint64 { return maphash.String(l.seed, key) }

// get returns the copy of a reply. now is asked only where a copy may end.
func (l *local) get(key, cmd string, now func() int64) (v client.Value, end life, ok bool) {
	if !l.live.Load() {
		return v, end, false
	}
	hash := l.hash(key)
	sh := &l.shards[hash%shards]
	sh.Lock()
	defer sh.Unlock()
	if hash>>16%sampled == 0 {
		defer func() { sh.count(key, ok) }()
	}
	n := sh.keys[key]
	if n == nil {
		return v, end, false
	}
	h := n.find(cmd)
	if h == nil || h.flight != nil || h.dead(now) {
		return v, end, false
	}
	if sh.lru.next != n {
		n.unlink()
		n.linkAfter(&sh.lru)
	}
	l.stats.hits.Add(1)
	return h.value, h.life, true
}

// begin joins the flight of a read, or makes it; mine says that the caller has
// to send it.
func (l *local) begin(key, cmd string, now func() int64) (f *flight, mine bool) {
	sh := l.shard(key)
	sh.Lock()
	defer sh.Unlock()
	n := sh.keys[key]
	if n == nil {
		n = &node{key: key}
		sh.keys[key] = n
		n.linkAfter(&sh.lru)
		sh.account(n, nodeCost+int64(len(key)))
	}
	h := n.find(cmd)
	switch {
	case h == nil:
		n.copies = append(n.copies, held{cmd: cmd})
		h = &n.copies[len(n.copies)-1]
	case h.flight != nil:
		l.stats.shared.Add(1)
		return h.flight, false
	case !h.dead(now):
		// It has come since the caller looked.
		f = &flight{done: make(chan struct{}), value: h.value, life: h.life}
		close(f.done)
		return f, false
	default:
		sh.account(n, -h.cost())
		*h = held{cmd: cmd}
	}
	l.stats.misses.Add(1)
	h.flight = &flight{done: make(chan struct{})}
	return h.flight, true
}

// land enters the reply of a flight. Reader only.
func (l *local) land(key, cmd string, f *flight, v client.Value) {
	sh := l.shard(key)
	sh.Lock()
	defer sh.Unlock()
	f.value = v
	n := sh.keys[key]
	if n == nil {
		return
	}
	if h := n.find(cmd); h != nil && h.flight == f {
		h.value, h.flight = v, nil
		sh.account(n, h.cost())
		l.evict(sh)
	}
}

// landUnder is land for a reply that dies with a pseudo-key; where it has none
// it is not kept. It lets go of those who wait. Reader only.
func (l *local) landUnder(key string, f *flight, v client.Value, name string, end life) {
	sh := l.shard(key)
	sh.Lock()
	defer sh.Unlock()
	f.value = v
	defer close(f.done)
	n := sh.keys[key]
	if n == nil {
		return
	}
	h := n.find("")
	if h == nil || h.flight != f {
		return
	}
	if name == "" {
		n.copies = remove(n.copies, func(h *held) bool { return h.flight == f })
		sh.dropEmpty(n)
		return
	}
	h.value, h.flight, h.name, h.life = v, nil, name, end
	l.names.Lock()
	if l.names.nodes == nil {
		l.names.nodes = map[string]map[string]struct{}{}
	}
	if l.names.nodes[name] == nil {
		l.names.nodes[name] = map[string]struct{}{}
	}
	l.names.nodes[name][key] = struct{}{}
	l.names.Unlock()
	sh.account(n, h.cost())
	l.evict(sh)
}

// unname forgets that the node's copy dies with the name.
func (l *local) unname(name, key string) {
	l.names.Lock()
	defer l.names.Unlock()
	if delete(l.names.nodes[name], key); len(l.names.nodes[name]) == 0 {
		delete(l.names.nodes, name)
	}
}

// expire sets when the copy that f has left ends, and lets go of those who wait.
// Reader only.
func (l *local) expire(key, cmd string, f *flight, end life) {
	sh := l.shard(key)
	sh.Lock()
	defer sh.Unlock()
	f.life = end
	if n := sh.keys[key]; n != nil {
		// Where an invalidation came between the two replies, the copy is gone.
		if h := n.find(cmd); h != nil && h.flight == nil {
			h.life = end
		}
	}
	close(f.done)
}

// fail ends a flight without a reply.
func (l *local) fail(key, cmd string, f *flight, err error) {
	sh := l.shard(key)
	sh.Lock()
	defer sh.Unlock()
	f.err = err
	if n := sh.keys[key]; n != nil {
		n.copies = remove(n.copies, func(h *held) bool { return h.cmd == cmd && h.flight == f })
		sh.dropEmpty(n)
	}
	close(f.done)
}

// drop forgets the copies of a key, or pseudo-key. Replies still on their way
// are newer than what has died and stay.
func (l *local) drop(key string) (had bool) {
	l.names.Lock()
	nodes := l.names.nodes[key]
	delete(l.names.nodes, key)
	l.names.Unlock()
	for k := range nodes {
		had = l.dropNode(k) || had
	}
	return l.dropNode(key) || had
}

func (l *local) dropNode(key string) (had bool) {
	sh := l.shard(key)
	sh.Lock()
	defer sh.Unlock()
	n := sh.keys[key]
	if n == nil {
		return false
	}
	return l.dropLocked(sh, n)
}

func (l *local) dropLocked(sh *shard, n *node) (had bool) {
	for _, w := range n.watchers {
		close(w)
	}
	had = n.watchers != nil
	n.watchers = nil
	n.copies = remove(n.copies, func(h *held) bool {
		if h.flight != nil {
			return false
		}
		had = true
		if h.name != "" {
			l.unname(h.name, n.key)
		}
		sh.account(n, -h.cost())
		return true
	})
	sh.dropEmpty(n)
	return had
}

// flush forgets everything that is not on its way.
func (l *local) flush() {
	l.stats.flushes.Add(1)
	for i := range l.shards {
		sh := &l.shards[i]
		sh.Lock()
		for _, n := range sh.keys {
			l.dropLocked(sh, n)
		}
		sh.Unlock()
	}
}

// watch returns a channel that is closed when the copies of key are dropped. ok
// is false where there is no copy of its string, or not one that is missing, or
// there, as the caller has seen it: that has changed already.
func (l *local) watch(key string, missing bool) (ch chan struct{}, ok bool) {
	sh := l.shard(key)
	sh.Lock()
	defer sh.Unlock()
	n := sh.keys[key]
	if n == nil {
		return nil, false
	}
	if h := n.find(""); h == nil || h.flight != nil || h.value.IsNull() != missing {
		return nil, false
	}
	ch = make(chan struct{})
	n.watchers = append(n.watchers, ch)
	return ch, true
}

// evict drops the least recently used keys of a shard that holds too much, but
// not those that somebody waits for.
func (l *local) evict(sh *shard) {
	for n := sh.lru.prev; sh.bytes > l.max && n != &sh.lru; {
		prev := n.prev
		if n.watchers == nil && n.holds() {
			l.dropLocked(sh, n)
			l.stats.evictions.Add(1)
		}
		n = prev
	}
}

func (n *node) find(cmd string) *held {
	for i := range n.copies {
		if n.copies[i].cmd == cmd {
			return &n.copies[i]
		}
	}
	return nil
}

// holds reports whether there is a copy, not only the promise of one.
func (n *node) holds() bool {
	for i := range n.copies {
		if n.copies[i].flight == nil {
			return true
		}
	}
	return false
}

func (n *node) linkAfter(at *node) {
	n.prev, n.next = at, at.next
	n.prev.next, n.next.prev = n, n
}

func (n *node) unlink() { n.prev.next, n.next.prev = n.next, n.prev }

func (sh *shard) dropEmpty(n *node) {
	if len(n.copies) == 0 && n.watchers == nil {
		n.unlink()
		delete(sh.keys, n.key)
		sh.bytes -= n.bytes
	}
}

// Costs of the cache's own structures, in bytes: a map's slot with room to
// grow, and the node; a copy's place in it.
const (
	nodeCost = 160
	heldCost = 88
)

func (sh *shard) account(n *node, d int64) {
	n.bytes += d
	sh.bytes += d
}

func (h *held) cost() int64 { return heldCost + int64(len(h.cmd)) + weight(&h.value) }

// weight is the memory of a reply in bytes, without the Value itself.
func weight(v *client.Value) int64 {
	n := int64(len(v.Str))
	for i := range v.Elems {
		n += valueCost + weight(&v.Elems[i])
	}
	return n
}

const valueCost = 56

// remove deletes the copies that gone says, in place.
func remove(l []held, gone func(*held) bool) []held {
	out := l[:0]
	for i := range l {
		if !gone(&l[i]) {
			out = append(out, l[i])
		}
	}
	clear(l[len(out):])
	return out
}

// size is what is held.
func (l *local) size() (keys int, bytes int64) {
	for i := range l.shards {
		sh := &l.shards[i]
		sh.Lock()
		keys += len(sh.keys)
		bytes += sh.bytes
		sh.Unlock()
	}
	return keys, bytes
}
