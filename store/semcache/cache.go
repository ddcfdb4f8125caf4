package semcache

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
)

// Fields of an entry. The names of those that RedisVL's semantic cache has are its own.
const (
	fieldPrompt    = "prompt"
	fieldAnswer    = "response"
	fieldVector    = "prompt_vector"
	fieldInserted  = "inserted_at" // Unix seconds
	fieldUpdated   = "updated_at"
	fieldPartition = "partition" // of scope and context, see partitionOf
	fieldScope     = "scope"     // field=value, each a tag
	fieldContext   = "context"
	fieldTags      = "tags"
	fieldDeps      = "deps"
	fieldModel     = "model"
	fieldAnswerID  = "answer_id" // the caller's, or a hash of the answer

	fieldBeforeVector = "context_vector" // of what came before the prompt …
	fieldBefore       = "context_text"   // …its text, where it was given …
	fieldBetween      = "between_vector" // …and what is between it and the prompt
	fieldAnswerVector = "answer_vector"  // where answers are compared by what they mean

	fieldCost     = "cost"
	fieldTokens   = "tokens"
	fieldLatency  = "latency_ms"
	fieldGood     = "good"
	fieldBad      = "bad"
	fieldShift    = "shift"    // what feedback adds to the log odds
	fieldAccepted = "accepted" // ids of prompts that were confirmed …
	fieldRefused  = "refused"  // …and of those that were not
	fieldHits     = "hits"     // how often it was served, now and then
	fieldUsed     = "used_at"  // …and when it was last, Unix seconds
)

// distance is the name under which searches yield it, which no field may have.
const distance = "__distance"

// separator stands between the tags of a field; no word may hold it.
const separator = '\x1f'

const keyPrefix = "sem:{"

// indexName is the name of a namespace's FT index, and the key of its figures;
// with a colon it is the prefix of its entries' keys.
func indexName(ns string) string { return keyPrefix + ns + "}" }

// Cache is the set of namespaces, attached to a keyspace and its catalog. Make
// it with New. It is an observer of the keyspace.
type Cache struct {
	ks     *store.Keyspace
	cat    *catalog.Catalog
	stop   chan struct{}
	closed sync.Once
	models embeddings
	side   sides
	leases atomic.Int64 // in all namespaces
	recent changes
}

// New makes an empty cache and adds it as an observer. Until Loaded it only
// follows what a log replays.
func New(ks *store.Keyspace, cat *catalog.Catalog) *Cache {
	c := &Cache{ks: ks, cat: cat, stop: make(chan struct{})}
	c.side.mu.of = map[string]*side{}
	c.side.mu.by = map[string]map[string]struct{}{}
	c.side.mu.marked = map[string]struct{}{}
	ks.Observe(c)
	ks.CountMemory(c.side.bytes.Load)
	return c
}

// Stop ends all waiting. The server calls it when it begins to shut down.
func (c *Cache) Stop() { c.closed.Do(func() { close(c.stop) }) }

// Call is the place where something is asked: the Tx of a command, or one made by Begin.
type Call struct {
	Ctx    context.Context
	Tx     *store.Tx                   // open; it holds nothing, or all shards
	After  func([]store.Deferred)      // takes over what is to be done after the unlock
	Settle func()                      // does it, and shows the indexes what the Tx has changed
	Locked bool                        // all shards are held
	Owner  uint64                      // the session: its leases end with it; 0 for none
	Gone   func() bool                 // nobody waits any more for what is asked; nil: never
	Look   func()                      // called with the shard held, before an answer is read
	Found  func(key []byte, a *Answer) // …and when a hit was read. The answer's bytes are valid until it returns
	Closer func(key string)            // called later, where Query.Track: an entry nearer than that of the key has come
}

// Begin makes a call on nobody's behalf. It may be used again, by one goroutine.
func (c *Cache) Begin(ctx context.Context) *Call {
	call := &Call{Ctx: ctx, Tx: new(store.Tx)}
	var late []store.Deferred
	call.After = func(d []store.Deferred) { late = append(late, d...) }
	call.Settle = func() {
		store.DoAll(late)
		clear(late)
		late = late[:0]
	}
	call.Tx.Begin(c.ks, 0, 0)
	return call
}

// now brings the call's clock up to date, after it has waited.
func (call *Call) now(c *Cache) {
	if !call.Locked {
		call.Tx.Now = c.ks.Now()
	}
}

// with runs f while the shard of key is held, on database 0, where all entries are.
func (call *Call) with(key []byte, f func(*store.Tx)) {
	db := call.Tx.DB
	call.Tx.DB = 0
	call.After(call.Tx.With(key, f))
	call.Tx.DB = db
}

// Namespace is a set of entries with parameters of its own. It is there as long
// as its index.
type Namespace struct {
	Name string
	Params
	c       *Cache
	index   atomic.Pointer[catalog.Index]
	prefix  string // of the keys
	without without
	bias    atomic.Uint64
	doubts  doubts
	copies  copies
	stats   counters
	leases  leases
}

// schema is what the index of a namespace holds.
func schema(p Params) *search.Schema {
	tag := func(name string) search.Field {
		return search.Field{Identifier: name, Name: name, Type: search.TypeTag, Weight: 1, Separator: separator, CaseSensitive: true}
	}
	vector := func(name string) search.Field {
		return search.Field{
			Identifier: name, Name: name, Type: search.TypeVector, Weight: 1, Algorithm: "HNSW",
			Vector: index.Params{Dim: p.Dim, Metric: index.Cosine, EFRuntime: searchEffort},
		}
	}
	return &search.Schema{Language: "english", Score: 1, Fields: []search.Field{
		{Identifier: fieldPrompt, Name: fieldPrompt, Type: search.TypeText, Weight: 1},
		{Identifier: fieldInserted, Name: fieldInserted, Type: search.TypeNumeric, Weight: 1},
		tag(fieldPartition), tag(fieldScope), tag(fieldTags), tag(fieldDeps), tag(fieldModel),
		vector(fieldVector), vector(fieldBetween),
	}}
}

// searchEffort is the pool of a search: at 100,000 entries of 384 dimensions it finds
// more than 99 of 100 nearest entries, and takes a third of what judging them takes.
const searchEffort = 64

// Create makes a namespace. The Tx of the call must hold all shards and commit
// args as the effect: they are the command that makes the namespace again.
func (c *Cache) Create(call *Call, name string, p Params, args [][]byte) error {
	switch {
	case name == "" || len(name) > MaxName || strings.ContainsAny(name, "{}"):
		return paramErrorf("a namespace's name has 1 to %d bytes and no braces", MaxName)
	}
	if err := p.Validate(); err != nil {
		return err
	}
	if c.side.isLoaded() { // what no scope can have would refuse everything; an older log may want it
		for _, f := range p.Scopes {
			if err := checkField(f); err != nil {
				return err
			}
		}
	}
	// A namespace that names no embedder may live on vectors that come with the
	// prompts; one of the log may name one that is not there any more.
	if p.Embed != "" && c.side.isLoaded() {
		e, err := c.embedder(p.Embed)
		switch {
		case err != nil:
			return err
		case e != nil && e.Dim() != p.Dim && e.Dim() != 0:
			return paramErrorf("the vectors of %s have %d components, not %d", e.Name(), e.Dim(), p.Dim)
		}
	}
	n := &Namespace{Name: name, Params: p, c: c, prefix: indexName(name) + ":"}
	n.without, _ = leftOut(p.Without)
	n.doubts.begin()
	n.stats.written.Store(call.Tx.Now)
	n.leases.mu.by = map[string]*lease{}
	def := catalog.Definition{
		Name: indexName(name), Prefixes: []string{n.prefix}, Language: "english", Score: 1, Args: args,
		CreatedAt: timeOf(call.Tx.Now), Owner: n,
	}
	keys, _ := call.Tx.Len(0)
	if err := c.cat.Create(def, schema(p), keys); err != nil {
		return ErrExists
	}
	call.Tx.Effect(args...)
	db := call.Tx.DB
	call.Tx.DB = 0
	if h, ok := hashOf(call.Tx.Peek([]byte(def.Name))); ok {
		c.learned(name, h)
	}
	call.Tx.DB = db
	return nil
}

// Namespace finds a namespace.
func (c *Cache) Namespace(name string) (*Namespace, error) {
	var room [64]byte
	b := append(append(append(room[:0], keyPrefix...), name...), '}')
	ix, err := c.cat.GetBytes(b)
	if err != nil {
		return nil, ErrNoNamespace
	}
	n, ok := ix.Owner.(*Namespace)
	if !ok { // made by FT.CREATE under our name
		return nil, ErrNoNamespace
	}
	if n.index.Load() != ix { // a new one of the same keys: database 0 was exchanged
		n.index.Store(ix)
	}
	return n, nil
}

// List names the namespaces, sorted.
func (c *Cache) List() (names []string) {
	_ = c.cat.Each(func(ix *catalog.Index) error {
		if n, ok := ix.Owner.(*Namespace); ok {
			names = append(names, n.Name)
		}
		return nil
	})
	return names
}

// Drop removes a namespace and all of its entries. The Tx of the call must hold
// all shards.
func (c *Cache) Drop(call *Call, name string) error {
	n, err := c.Namespace(name)
	if err != nil {
		return err
	}
	call.Settle()
	// The index has none that do not fit it, of another dimension, say; and it alone what a transaction has stored.
	names := append(n.search().Names(), n.c.side.under(n.prefix)...)
	if err := c.cat.Drop(indexName(name)); err != nil {
		return ErrNoNamespace
	}
	tx := call.Tx
	db := tx.DB
	tx.DB = 0
	tx.Effect([]byte("FT.DROPINDEX"), []byte(indexName(name)))
	for _, k := range append(names, indexName(name)) {
		if tx.Delete([]byte(k), "del") {
			tx.Effect([]byte("DEL"), []byte(k))
		}
	}
	tx.DB = db
	return nil
}

// Dropped implements catalog.Owner: the leases end, however the index went.
func (n *Namespace) Dropped() { n.leases.drop(n.c) }

func (n *Namespace) search() *search.Index { return n.index.Load().Search() }

// Index is the name of the namespace's FT index.
func (n *Namespace) Index() string { return indexName(n.Name) }

// Len is the number of entries.
func (n *Namespace) Len() int { return n.search().Len() }

// Make makes a namespace on nobody's behalf. No shard may be held.
func (c *Cache) Make(ctx context.Context, name string, p Params) error {
	call := c.Begin(ctx)
	var set store.LockSet
	set.AddAll()
	call.Tx.Lock(&set)
	err := c.Create(call, name, p, p.args(name))
	call.After(call.Tx.End())
	call.Settle()
	return err
}
