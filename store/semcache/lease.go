package semcache

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/nearcache/nearcache/store/semcache/judge"
)

// lease is the right, and the duty, to compute the answer of a prompt that many ask
// for. Whoever waits for it waits for done.
type lease struct {
	token     string
	key       string // of the entry that is to be stored
	partition string
	prompt    *judge.Prompt // nil: only the very prompt waits for it
	vector    []float32     // of length 1; nil: the same
	before    string
	normal    string    // the prompt as it is compared, where there is something before it
	said      []float32 // what came before, likewise; nil: nothing that is compared by what it means
	owner     uint64
	began     int64     // Unix ms
	seen      time.Time // since when searches find what was stored; zero: they may not yet
	since     uint64    // by the clock of changes: what changed behind it may be in no answer
	ends      int64     // Unix ms
	time      int64     // ms that it was given
	stored    string    // the key under which there is an answer now; "" where there is none
	nth       uint64    // its place among the begins and ends of the namespace's leases
	vain      Vain      // why there is none, once done is closed
	done      chan struct{}
}

// Vain says why a lease has ended without an answer.
type Vain struct {
	Why     Why
	Failure any // what its holder said of it, for those who wait
	nth     uint64
}

// Why is one of these.
type Why uint8

// The reasons: none, as nobody has waited in vain; the holder has gone, or its time was up; it has an answer that
// is not kept; it could not make one.
const (
	NotInVain Why = iota
	Left
	NotKept
	Failed
)

// leases are those of a namespace. Its mutex is taken below the namespace's shard.
type leases struct {
	mu struct {
		sync.Mutex
		by     map[string]*lease // by the entry's key
		recent []*lease          // that were fulfilled a moment ago, the last at the end
		failed []*lease          // likewise
		nth    uint64            // counts begins and ends
		ended  bool              // the namespace has gone: there are none any more
	}
}

// Limits of leases: how many a namespace gives at once, and how many fulfilled ones
// it remembers for those who were about to ask for one.
const (
	maxLeases    = 10000
	recentLeases = 64
	failedLeases = 16 // they hold what was said of the failure
	MaxLease     = 10 * time.Minute
)

// lastly appends to a list of at most n.
func lastly(l []*lease, x *lease, n int) []*lease {
	if len(l) == n {
		l = l[:copy(l, l[1:])]
	}
	return append(l, x)
}

// endLocked ends a lease.
func (l *leases) endLocked(c *Cache, x *lease) { l.endForLocked(c, x, Vain{Why: Left}) }

func (l *leases) endForLocked(c *Cache, x *lease, v Vain) {
	l.mu.nth++
	x.vain, x.vain.nth = v, l.mu.nth
	if v.Why == Failed {
		l.mu.failed = lastly(l.mu.failed, x, failedLeases)
	}
	delete(l.mu.by, x.key)
	c.leases.Add(-1)
	close(x.done)
}

// end ends a lease without an answer, if it has not ended already.
func (l *leases) end(c *Cache, x *lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.by[x.key] == x {
		l.endLocked(c, x)
	}
}

// drop ends all leases: the namespace goes.
func (l *leases) drop(c *Cache) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.ended = true
	for _, x := range l.mu.by {
		l.endLocked(c, x)
	}
}

func (l *leases) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.ended
}

// ask is what a lease is wanted for.
type ask struct {
	key, partition string
	prompt         *judge.Prompt
	vector, said   []float32
	before, normal string
	since          time.Time // when the caller has looked for an answer
	owner          uint64
	now            int64
	time           time.Duration
	same           func(x *lease) bool // a paraphrase, by prompt and vector
	vain           Vain                // what the caller was told before
}

// take gives the caller a lease, or returns the one of another that it should wait
// for (mine is false), which may be fulfilled already. nil: there are too many, or the namespace has gone.
func (l *leases) take(c *Cache, a ask) (x *lease, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.mu.by[a.key]; x != nil {
		if x.ends > a.now {
			return x, false
		}
		l.endLocked(c, x)
	}
	if a.vain.Why == Failed {
		for _, x := range l.mu.failed { // who took it when its end was told may have ended already
			if x.key == a.key && x.nth > a.vain.nth {
				return x, false
			}
		}
	}
	if a.same != nil {
		for _, x := range l.mu.by {
			if x.ends <= a.now {
				l.endLocked(c, x)
			} else if x.partition == a.partition && x.prompt != nil && a.same(x) {
				return x, false
			}
		}
		for i := len(l.mu.recent) - 1; i >= 0; i-- {
			x := l.mu.recent[i]
			if x.partition == a.partition && x.prompt != nil && (x.seen.IsZero() || x.seen.After(a.since)) && a.same(x) {
				return x, false
			}
		}
	}
	if len(l.mu.by) >= maxLeases || l.mu.ended {
		return nil, false
	}
	var t [16]byte
	_, _ = rand.Read(t[:]) // it never fails
	x = &lease{
		token: hex.EncodeToString(t[:]), key: strings.Clone(a.key), partition: strings.Clone(a.partition), prompt: a.prompt, vector: a.vector, said: a.said, before: a.before, normal: a.normal,
		owner: a.owner, began: a.now, since: c.recent.now(), ends: a.now + a.time.Milliseconds(), time: a.time.Milliseconds(), done: make(chan struct{}),
	}
	l.mu.nth++
	x.nth = l.mu.nth
	l.mu.by[x.key] = x
	c.leases.Add(1)
	return x, true
}

// findLocked finds a live lease by its token.
func (l *leases) findLocked(token string, now int64) *lease {
	for _, x := range l.mu.by {
		if x.token == token && x.ends > now {
			return x
		}
	}
	return nil
}

// Renew gives the holder of a lease more time, as long as before for 0; false where
// the lease has ended.
func (n *Namespace) Renew(call *Call, token string, d time.Duration) bool {
	l := &n.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.findLocked(token, call.Tx.Now)
	if x != nil {
		if d > 0 {
			x.time = d.Milliseconds()
		}
		x.ends = call.Tx.Now + x.time
	}
	return x != nil
}

// Abort ends a lease without an answer: the next of those who wait gets it. False
// where it has ended already.
func (n *Namespace) Abort(call *Call, token string) bool { return n.End(call, token, Vain{Why: Left}) }

// End is Abort that tells those who wait, with Once, why.
func (n *Namespace) End(call *Call, token string, v Vain) bool {
	l := &n.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.findLocked(token, call.Tx.Now)
	if x != nil {
		l.endForLocked(n.c, x, v)
	}
	return x != nil
}

// Release ends the leases of a session that has gone.
func (c *Cache) Release(owner uint64) {
	if c.leases.Load() == 0 {
		return
	}
	for _, n := range c.all() {
		l := &n.leases
		l.mu.Lock()
		for _, x := range l.mu.by {
			if x.owner == owner {
				l.endLocked(c, x)
			}
		}
		l.mu.Unlock()
	}
}

// fulfil ends the lease of a token: its answer is stored under key. It is called with the
// shard held, after the answer was written.
func (l *leases) fulfil(c *Cache, x *lease, key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.by[x.key] != x {
		return
	}
	x.stored = key
	l.mu.recent = lastly(l.mu.recent, x, recentLeases)
	l.endLocked(c, x)
}

// visible notes that the index has what was stored under a lease.
func (l *leases) visible(x *lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x.seen = time.Now()
}

// What a lease hears of: the change of a key, an invalidation by tag or model.
const (
	changedKey = 'k'
	byTag      = 't'
	byModel    = 'm'
	byScope    = 's'
)

// changes are those of the last moments, kept while there is a lease: the answer of
// its holder may have been made of what they have made stale. They have a clock of
// their own: who sees a change before it has ticked sees what was changed, too.
type changes struct {
	mu struct {
		sync.Mutex
		clock uint64
		at    map[string]uint64 // when it was last, by kind and name
		near  []nearby          // invalidations by what is meant
		since uint64            // what happened up to it is forgotten, or concerned everything
	}
}

// nearby is an invalidation of all that means the same.
type nearby struct {
	n      *Namespace
	vector []float32 // of length 1
	least  float64   // cosine
	at     uint64
}

// maxChanges and maxNear bound what is remembered; beyond them everything counts as changed.
const (
	maxChanges = 1 << 16
	maxNear    = 64
)

func (ch *changes) now() uint64 {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.mu.clock
}

func (ch *changes) add(kind byte, name string) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.mu.clock++
	if len(ch.mu.at) >= maxChanges {
		ch.mu.since, ch.mu.at = ch.mu.clock, nil
	}
	if ch.mu.at == nil {
		ch.mu.at = map[string]uint64{}
	}
	ch.mu.at[string(kind)+name] = ch.mu.clock
}

func (ch *changes) addNear(x nearby) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.mu.clock++
	if len(ch.mu.near) >= maxNear {
		ch.mu.since, ch.mu.near = ch.mu.clock, nil
	}
	x.at = ch.mu.clock
	ch.mu.near = append(ch.mu.near, x)
}

// afterNear reports whether what means the same as a vector was invalidated behind a time.
func (ch *changes) afterNear(n *Namespace, blob []byte, time uint64) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	var v []float32
	for _, x := range ch.mu.near {
		if x.n != n || x.at <= time {
			continue
		}
		if v == nil {
			v = unitOf(blob, n.Dim)
		}
		// An index may round a cosine otherwise.
		if v != nil && cosine(v, x.vector) >= x.least-1e-5 {
			return true
		}
	}
	return false
}

// all notes that everything has changed.
func (ch *changes) all() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.mu.clock++
	ch.mu.since = ch.mu.clock
}

// after reports whether something has changed behind a time.
func (ch *changes) after(kind byte, names []string, time uint64) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.mu.since > time {
		return true
	}
	for _, name := range names {
		if ch.mu.at[string(kind)+name] > time {
			return true
		}
	}
	return false
}
