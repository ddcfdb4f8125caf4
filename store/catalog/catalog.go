package catalog

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store"
)

// Errors of the catalog.
var (
	ErrExists  = errors.New("catalog: index exists")
	ErrMissing = errors.New("catalog: no such index")
)

// Definition is what FT.CREATE says beside the schema.
type Definition struct {
	Name      string
	JSON      bool     // of JSON documents, otherwise of hashes
	Prefixes  []string // at least one; "" is every key
	Language  string
	Score     float64
	Args      [][]byte   // the FT.CREATE that made it
	Later     [][][]byte // the FT.ALTER since
	SkipScan  bool       // SKIPINITIALSCAN
	All       bool       // INDEXALL: nothing is done otherwise for it
	CreatedAt time.Time
	Owner     any // whose the index is, nil if FT.CREATE has made it; an Owner hears when it is dropped

	Filter        string // FILTER
	LanguageField string
	ScoreField    string
	PayloadField  string
	Temporary     time.Duration // it goes, and its documents, when nobody used it for so long; 0: never
}

// Owner is told that its index was dropped, with the catalog locked.
type Owner interface{ Dropped() }

// Index is an index attached to the keyspace.
type Index struct {
	Definition
	Uses atomic.Int64 // searches so far

	dialects atomic.Uint32 // those in which it was asked, a bit each

	search   *search.Index
	prefixes prefixes
	wants    []want // changed with all shards held
	rule     rule
	altering atomic.Pointer[alteration]
	jobs     *sync.WaitGroup      // with SKIPINITIALSCAN: those since the last Cut; changed with all shards held
	after    int                  // flushes before it in the commit that made it
	scan     atomic.Pointer[scan] // the last that began; nil: there was none
	stop     atomic.Bool
	swept    atomic.Int64
	used     atomic.Int64 // when it was, of a temporary one

	absorbing atomic.Bool // a goroutine does
}

// scan is a look at all keys that exist.
type scan struct {
	done  atomic.Int64 // keys looked at
	total atomic.Int64 // keys there were when it began
	ended atomic.Bool
}

// Expire reports whether nobody has asked it at this moment yet: a search need
// look for expired keys once a millisecond only.
func (ix *Index) Expire(now int64) bool { return ix.swept.Load() != now && ix.swept.Swap(now) != now }

// Search is the index itself. After a drop it is closed: it finds nothing and
// takes nothing.
func (ix *Index) Search() *search.Index { return ix.search }

// Progress is the share of existing keys that were looked at, 0 to 1, and
// whether the scan still runs.
func (ix *Index) Progress() (share float64, indexing bool) {
	sc := ix.scan.Load()
	if sc == nil || sc.ended.Load() {
		return 1, false
	}
	total := sc.total.Load()
	if total == 0 {
		return 0, true
	}
	return min(1, float64(sc.done.Load())/float64(total)), true
}

func (ix *Index) matches(key string) bool { return ix.prefixes.match(key) }

// prefixes is sorted, and none begins with another: of those that are not
// greater than a key only the last can be a prefix of it.
type prefixes []string

func prefixesOf(l []string) prefixes {
	var p prefixes
	for _, s := range slices.Sorted(slices.Values(l)) {
		if len(p) == 0 || !strings.HasPrefix(s, p[len(p)-1]) {
			p = append(p, s)
		}
	}
	return p
}

func (p prefixes) match(key string) bool {
	i, ok := slices.BinarySearch(p, key)
	return ok || i > 0 && strings.HasPrefix(key, p[i-1])
}

// Asked notes the dialect of a query.
func (ix *Index) Asked(dialect int) { ix.dialects.Or(1 << dialect) }

// InDialect is 1 if a query of that dialect was asked, and 0 if not.
func (ix *Index) InDialect(dialect int) int { return int(ix.dialects.Load() >> dialect & 1) }

// Catalog is the set of indexes. It is an observer of the keyspace.
type Catalog struct {
	Cursors aggregate.Cursors // of FT.AGGREGATE
	Dicts   Dicts
	Config  Config

	ks      *store.Keyspace
	kinds   []index.Kind
	mu      sync.Mutex
	set     atomic.Pointer[map[string]*Index]
	aliases atomic.Pointer[map[string]string] // to names of indexes
	bytes   atomic.Int64
	wg      sync.WaitGroup

	loading   atomic.Bool
	load      load        // while it is, and of who does
	absorbing atomic.Bool // a goroutine does, for vector sets
	closing   atomic.Bool
	saves     struct { // held while graphs are written, with no shard held
		sync.Mutex
		last map[any]kept // by *search.Index, or setID
	}

	// An EXEC may flush, and then create. Written with all shards held.
	open struct {
		flushes int      // of the commit under way, so far
		fresh   []*Index // made by it
	}
}

// New makes an empty catalog for the keyspace and adds it as an observer.
func New(ks *store.Keyspace, kinds []index.Kind) *Catalog {
	c := &Catalog{ks: ks, kinds: kinds}
	c.set.Store(&map[string]*Index{})
	c.aliases.Store(&map[string]string{})
	ks.Observe(c)
	ks.CountMemory(c.Bytes)
	return c
}

// Bytes is the memory that all indexes held when Measure ran last.
func (c *Catalog) Bytes() int64 { return c.bytes.Load() }

// Measure brings Bytes up to date. The server does it a few times a second:
// the sum is too dear for every write.
func (c *Catalog) Measure() {
	c.Cursors.Sweep(c.ks.Now())
	n := c.Cursors.Bytes()
	for _, ix := range *c.set.Load() {
		info := ix.search.Info()
		n += info.Bytes()
	}
	c.bytes.Store(n)
}

// Create adds an index and starts to fill it from the keys that are there, as
// many as database 0 has. The Tx must hold all shards, so that no write falls between the two; what it has
// changed so far must have been previewed, and it must commit an effect.
func (c *Catalog) Create(def Definition, schema *search.Schema, keys int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.set.Load()
	if old[def.Name] != nil {
		return ErrExists
	}
	wants, err := wantsOf(def.Name, schema)
	if err != nil {
		return err
	}
	rule, err := ruleOf(&def, schema)
	if err != nil {
		return err
	}
	s, err := search.New(schema, c.kinds)
	if err != nil {
		return err
	}
	ix := &Index{Definition: def, rule: rule, search: s, prefixes: prefixesOf(def.Prefixes), wants: wants, after: c.open.flushes, jobs: new(sync.WaitGroup)}
	ix.Touch(c.ks.Now())
	c.open.fresh = append(c.open.fresh, ix)
	next := maps.Clone(old)
	next[def.Name] = ix
	c.set.Store(&next)
	if c.loading.Load() {
		c.readAhead(ix)
	}
	if def.SkipScan || keys == 0 {
		return nil
	}
	c.backfill(ix)
	return nil
}

// refill makes every index anew of the keys that there are now: database 0 was
// exchanged for another.
func (c *Catalog) refill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[string]*Index{}
	for name, old := range *c.set.Load() {
		schema := old.search.Schema()
		if a := old.altering.Load(); a != nil {
			schema = a.to
		}
		s, err := search.New(schema, c.kinds)
		if err != nil { // it was made of the same schema once
			next[name] = old
			continue
		}
		ix := &Index{Definition: old.Definition, rule: old.rule, search: s, prefixes: old.prefixes, wants: old.wants, after: old.after, jobs: new(sync.WaitGroup)}
		ix.Uses.Store(old.Uses.Load())
		ix.dialects.Store(old.dialects.Load())
		ix.used.Store(old.used.Load())
		s.SetSynonyms(old.search.Synonyms())
		next[name] = ix
		if i := slices.Index(c.open.fresh, old); i >= 0 {
			c.open.fresh[i] = ix
		}
		c.retire(old)
		c.backfill(ix)
	}
	c.set.Store(&next)
}

// Get returns the index of that name, or of that alias.
func (c *Catalog) Get(name string) (*Index, error) {
	set := *c.set.Load()
	if ix := set[name]; ix != nil {
		return ix, nil
	}
	if ix := set[(*c.aliases.Load())[name]]; ix != nil {
		return ix, nil
	}
	return nil, ErrMissing
}

// GetBytes is Get of a name that need not be a string.
func (c *Catalog) GetBytes(name []byte) (*Index, error) {
	if ix := (*c.set.Load())[string(name)]; ix != nil {
		return ix, nil
	}
	return nil, ErrMissing
}

// Names lists the indexes, sorted.
func (c *Catalog) Names() []string {
	return slices.Sorted(maps.Keys(*c.set.Load()))
}

// Each calls f with every index, sorted by name, until it returns an error.
func (c *Catalog) Each(f func(*Index) error) error {
	set := *c.set.Load()
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if err := f(set[name]); err != nil {
			return err
		}
	}
	return nil
}

// Drop removes an index and its aliases, and frees its memory once no search uses it.
func (c *Catalog) Drop(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.set.Load()
	ix := old[name]
	if ix == nil {
		return ErrMissing
	}
	next := maps.Clone(old)
	delete(next, name)
	c.set.Store(&next)
	c.cutAliasesLocked()
	c.dropped(ix)
	return nil
}

// dropped ends an index that no other takes the place of.
func (c *Catalog) dropped(ix *Index) {
	c.retire(ix)
	if o, ok := ix.Owner.(Owner); ok {
		o.Dropped()
	}
}

// retire closes an index in the background: a long search may still use it.
func (c *Catalog) retire(ix *Index) {
	ix.stop.Store(true)
	c.Cursors.Drop(ix.Name)
	ix.search.EndWatches() // who keeps an answer hears of it before the drop is acknowledged
	c.wg.Go(func() { _ = ix.search.Close() })
}

// Close drops all indexes and waits for background work.
func (c *Catalog) Close() {
	c.closing.Store(true)
	c.dropAll()
	c.Cursors.CloseAll()
	c.wg.Wait()
	c.load.end()
}

func (c *Catalog) dropAll() { c.dropBefore(1) }

// dropBefore drops the indexes that are older than the n-th flush of the commit
// under way.
func (c *Catalog) dropBefore(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[string]*Index{}
	for name, ix := range *c.set.Load() {
		if ix.after >= n && slices.Contains(c.open.fresh, ix) {
			next[name] = ix
		} else {
			c.dropped(ix)
		}
	}
	c.set.Store(&next)
	c.cutAliasesLocked()
}

// Committed implements store.Observer.
func (c *Catalog) Committed(cm *store.Commit) {
	if c.loading.Load() && len(c.load.sets) > 0 {
		c.restoreSets(cm.Events)
	}
	if len(*c.set.Load()) == 0 && c.Dicts.none() {
		return
	}
	events := cm.Events
	flushes, swapped := 0, false
	for i := range cm.Events {
		e := &cm.Events[i]
		switch {
		case !e.Flush || e.DB > 0:
			continue
		case e.Swap:
			swapped = true
		default:
			flushes++
		}
		events = cm.Events[i+1:]
	}
	if flushes > c.open.flushes {
		c.Dicts.clear()
	}
	if flushes > 0 { // as RediSearch does: a flush takes the indexes too
		c.open.flushes = flushes
		c.dropBefore(flushes)
	}
	if swapped {
		c.refill()
	}
	if len(c.open.fresh)+flushes > 0 && len(cm.Effects) > 0 { // no preview, but the end
		c.open.flushes, c.open.fresh = 0, nil
	}
	set := *c.set.Load()
	loading := c.loading.Load()
	fates := fatesOf(events)
	for i := range events {
		e := &events[i]
		if !indexed(e) {
			continue
		}
		f, ok := fates[e.Key]
		if !ok {
			f = fateIn(events, e.Key)
		}
		if f.last != i {
			continue
		}
		for _, ix := range set {
			if !ix.matches(e.Key) {
				continue
			}
			ix.Touch(cm.At)
			if !loading || ix.SkipScan {
				cm.Defer(jobFor(ix, e.Key, e.Entry, cm.Seq, f.expiry))
			}
		}
	}
}

// fate is what a commit has done to a key.
type fate struct {
	last   int  // the last of its events
	expiry bool // they have changed nothing but its time to live
}

func (f *fate) add(i int, e *store.Event) {
	f.last = i
	f.expiry = f.expiry && (e.Name == "expire" || e.Name == "persist")
}

// indexed reports whether an index has to look at the key of an event.
func indexed(e *store.Event) bool {
	return e.DB == 0 && !e.Flush && !(e.Quiet && e.Name == "")
}

// fateIn is what events of database 0 say of a key. It looks at all of them.
func fateIn(events []store.Event, key string) fate {
	f := fate{expiry: true}
	for i := range events {
		if e := &events[i]; indexed(e) && e.Key == key {
			f.add(i, e)
		}
	}
	return f
}

// manyEvents is from how many events on a map is faster than looking.
const manyEvents = 16

// fatesOf is fateIn for all keys of many events, nil for few.
func fatesOf(events []store.Event) map[string]fate {
	if len(events) < manyEvents {
		return nil
	}
	fates := make(map[string]fate, len(events))
	for i := range events {
		if e := &events[i]; indexed(e) {
			f, known := fates[e.Key]
			f.expiry = f.expiry || !known
			f.add(i, e)
			fates[e.Key] = f
		}
	}
	return fates
}

// backfillBatch is how many keys a step of the scan looks at.
const backfillBatch = 256

// backfill begins to index the keys that were there before the index, or before it
// got its last fields. Keys that change from now on come through Committed as well; the
// commit's number decides, which is higher than that of the scan, so that the order of
// writes is that of documents. A scan that is still under way ends.
func (c *Catalog) backfill(ix *Index) {
	if c.loading.Load() && !ix.SkipScan { // EndLoad will
		return
	}
	sc := new(scan)
	ix.scan.Store(sc)
	version := c.ks.Seq()
	c.wg.Go(func() { c.look(ix, sc, version) })
}

func (c *Catalog) look(ix *Index, sc *scan, version uint64) {
	var tx store.Tx
	tx.Begin(c.ks, 0, 0)
	total, _ := tx.Len(0)
	sc.total.Store(int64(total))
	var jobs []store.Deferred
	for cursor := uint64(0); !ix.stop.Load() && ix.scan.Load() == sc; {
		tx.Begin(c.ks, 0, 0)
		cursor = tx.Scan(cursor, backfillBatch, func(e *store.Entry) {
			sc.done.Add(1)
			if ix.matches(e.Key()) {
				jobs = append(jobs, jobFor(ix, e.Key(), e, version, false))
			}
		})
		store.DoAll(jobs)
		clear(jobs)
		if jobs = jobs[:0]; cursor == 0 {
			break
		}
	}
	sc.ended.Store(true)
}
