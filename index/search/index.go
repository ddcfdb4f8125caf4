package search

import (
	"errors"
	"hash/maphash"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
)

// ErrClosed is returned after [Index.Close].
var ErrClosed = errors.New("search: index is closed")

// attribute is a field of the schema with its postings; one of them is set.
type attribute struct {
	*Field
	at      int // position in the schema
	text    int // position among the text fields, -1 for none
	vec     int // position among the vectors, -1 for none
	tags    *attr.Tags
	nums    *attr.Numeric
	geo     *attr.Geo
	shapes  *attr.Shapes
	vectors *several
	graph   *buffered // what is in it, where it is one
	load    func(f io.ReaderAt, size int64, p index.Params) (index.Index, error)
	missing index.Bitmap // INDEXMISSING: documents without the field
	sort    []string     // SORTABLE text and tags, by label
	has     []bool
}

// Index is a searchable set of documents. See the package's comment for its threading.
type Index struct {
	schema   atomic.Pointer[Schema]
	kinds    []index.Kind
	stemmer  attr.Stemmer
	language attr.Language // its
	stop     map[string]struct{}
	seed     maphash.Seed // of stripes
	key      uint64       // of hashes of vectors
	now      func() time.Time
	score    float64
	isStop   func(string) bool

	synonyms atomic.Pointer[Synonyms]

	// Changed by Extend, under life. An attribute stays where it is.
	fields []*attribute
	byName map[string]*attribute
	text   *attr.Text // nil without text fields
	vecs   []*attribute

	saves   sync.Mutex   // held by Save, and by Close before life
	life    sync.RWMutex // held for reading by every call, for writing by Close and Extend; nobody reads files or waits for a document with it
	closed  bool
	seq     atomic.Uint64 // versions of vectors
	stripes [256]stripe

	mu struct {
		sync.RWMutex
		docs   []doc        // by label
		oldest []uint64     // of each oldestBlock labels a version that none of them is below
		live   index.Bitmap // labels of visible documents
		expiry *attr.Numeric
		extras extras
		free   []uint32
		moment uint64 // counts changes of which documents are visible
		partly int    // labels whose postings are being put or removed, so hold invisible ones
	}

	watches watches
	flat    func(index.Params) (index.Index, error) // for vectors of watched searches

	epochs  epochs
	dead    atomic.Int64 // labels retired and not reclaimed
	reclaim struct {
		sync.Mutex
		retired []retired
	}

	claims map[string]claim // while documents are put that a saved graph knows
	saving bool             // no label is used again; under reclaim's lock

	indexing atomic.Int64 // nanoseconds spent in Put
	figures  struct {
		sync.Mutex
		failures int64
		last     FieldError
		field    []FieldError // by field
	}
}

// doc is the record of a label.
type doc struct {
	name     string
	version  uint64 // of the write, the default order
	expireAt int64
	born     uint64 // moment since which it is visible; 0: not yet; never: it is another vector of a document
	dead     uint64 // moment since which it is not; 0: it is
}

const never = math.MaxUint64

// written reports whether there is, or was, a document.
func (d *doc) written() bool { return d.born != 0 && d.born != never }

type retired struct {
	label uint32
	gen   uint64
}

// entry is what a stripe knows of a document's name.
type entry struct {
	label      uint32 // noLabel: deleted, or failed; kept so that older writes stay no-ops
	version    uint64
	expVersion uint64 // of the last change of expireAt alone
	expireAt   int64
	hashes     []uint64 // of the vectors' blobs; 0: none
}

const noLabel = ^uint32(0)

type stripe struct {
	mu    sync.Mutex
	names map[string]*entry
	tombs []tomb // oldest first
}

// tomb remembers that a name has no document, long enough for writes that were
// on their way when it was deleted.
type tomb struct {
	name    string
	version uint64
	at      time.Time
}

const (
	tombAge = time.Minute
	tombMin = 64 // a stripe's tombs below this number are not worth looking at
)

// New returns an empty index. The schema must not change any more.
func New(s *Schema, kinds []index.Kind) (*Index, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	ix := &Index{
		kinds: kinds, stop: map[string]struct{}{}, seed: maphash.MakeSeed(), key: rand.Uint64(), now: time.Now, score: s.Score,
	}
	if ix.score == 0 {
		ix.score = 1
	}
	language := s.Language
	if language == "" {
		language = "english"
	}
	var ok bool
	if ix.stemmer, ok = attr.NewStemmer(language); !ok {
		return nil, errorf("Invalid language: %s", s.Language)
	}
	ix.language, _ = attr.ParseLanguage(language)
	words := attr.DefaultStopWords
	if s.HasStopWords {
		words = s.StopWords
	}
	for _, w := range words {
		ix.stop[w] = struct{}{}
	}
	ix.isStop = func(word string) bool { _, ok := ix.stop[word]; return ok }
	ix.mu.expiry = attr.NewNumeric()
	ix.flat = func(index.Params) (index.Index, error) { return nil, index.ErrParams }
	for _, k := range kinds {
		if k.Name == "FLAT" {
			ix.flat = k.New
			break
		}
	}
	if err := ix.addFields(s); err != nil {
		_ = ix.Close()
		return nil, err
	}
	for i := range ix.stripes {
		ix.stripes[i].names = map[string]*entry{}
	}
	return ix, nil
}

// addFields makes what holds the fields of s behind those that there are. Nobody
// else uses the index meanwhile. After an error all is as it was.
func (ix *Index) addFields(s *Schema) error {
	fields := append(make([]*attribute, 0, len(s.Fields)), ix.fields...)
	for i := len(fields); i < len(s.Fields); i++ {
		f := &s.Fields[i]
		a := &attribute{Field: f, at: i, text: -1, vec: -1}
		switch f.Type {
		case TypeTag:
			a.tags = attr.NewTags(f.Separator, f.CaseSensitive, f.IndexEmpty)
			if f.SuffixTrie {
				a.tags.ListSuffixes()
			}
		case TypeNumeric:
			a.nums = attr.NewNumeric()
		case TypeGeo:
			a.geo = &attr.Geo{}
		case TypeShape:
			a.shapes = &attr.Shapes{}
		case TypeVector:
			var err error
			if err = ix.newVectors(a); err != nil {
				for _, made := range fields[len(ix.fields):] {
					if made.vectors != nil {
						_ = made.vectors.Close()
					}
				}
				return err
			}
		}
		fields = append(fields, a)
	}
	from := len(ix.fields)
	ix.fields, ix.vecs, ix.byName = fields, nil, make(map[string]*attribute, len(fields))
	for i, a := range fields {
		ix.byName[a.Name] = a
		if a.vectors != nil {
			a.vec = len(ix.vecs)
			ix.vecs = append(ix.vecs, a)
		}
		if a.Type == TypeText && i >= from {
			if ix.text == nil {
				ix.text = attr.NewText(nil, ix.stemmer)
				ix.text.SetLanguage(ix.language)
			}
			a.text = ix.text.AddField(attr.TextField{Weight: a.Weight, NoStem: a.NoStem, Phonetic: a.Phonetic != ""})
			if a.SuffixTrie {
				ix.text.ListSuffixes()
			}
		}
	}
	ix.schema.Store(s)
	ix.figures.Lock()
	ix.figures.field = append(ix.figures.field, make([]FieldError, len(fields)-from)...)
	ix.figures.Unlock()
	return nil
}

func (ix *Index) newVectors(a *attribute) error {
	for _, k := range ix.kinds {
		if k.Name == a.kind() {
			v, err := k.New(a.Vector)
			if err != nil {
				return errorf("Could not create vector index: %v", err)
			}
			a.vectors, a.load = &several{Index: v}, k.Open
			if k.Name == graphKind {
				p := a.Vector
				p.Quant, p.InitialCap = index.QuantAuto, 0
				a.graph = newBuffered(v, func() (index.Index, error) { return ix.flat(p) })
				a.vectors.Index = a.graph
			}
			return nil
		}
	}
	return errorf("Bad arguments for vector similarity algorithm: %s", errParse)
}

// Extend gives the index the fields that s has behind its own. Documents have them
// when they are put anew, with a version that is newer. It does nothing if the
// index has them. It waits for what searches and writes under way compute, never for
// the documents that they read, so whoever holds those may call it.
func (ix *Index) Extend(s *Schema) error {
	ix.life.Lock()
	defer ix.life.Unlock()
	if ix.closed {
		return ErrClosed
	}
	if len(s.Fields) <= len(ix.fields) {
		return nil
	}
	ix.EndWatches() // they know the fields by their place
	return ix.addFields(s)
}

// Schema is the schema of the index.
func (ix *Index) Schema() *Schema { return ix.schema.Load() }

// StopWord reports whether queries and documents leave a word out.
func (ix *Index) StopWord() func(word string) bool { return ix.isStop }

// Identifier is the hash field, or the path, of a field's name.
func (ix *Index) Identifier(name string) (string, bool) {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if a := ix.byName[name]; a != nil {
		return a.Identifier, true
	}
	return "", false
}

// Len is the number of documents, expired ones that nobody deleted included.
func (ix *Index) Len() int {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.mu.live.Len()
}

// Close waits for the calls that are under way and returns the vectors' memory.
func (ix *Index) Close() error {
	ix.saves.Lock()
	defer ix.saves.Unlock()
	ix.life.Lock()
	defer ix.life.Unlock()
	if ix.closed {
		return nil
	}
	ix.closed = true
	ix.EndWatches()
	var err error
	for _, a := range ix.vecs {
		err = errors.Join(err, a.vectors.Close())
	}
	return err
}

func (ix *Index) stripe(name string) *stripe { return &ix.stripes[ix.stripeAt(name)] }

func (ix *Index) stripeAt(name string) int {
	return int(maphash.String(ix.seed, name) % uint64(len(ix.stripes)))
}

// claimLocked makes version the last one of the name and returns its entry, or
// nil where a newer one, or this one, was there before.
func (st *stripe) claimLocked(name string, version uint64) *entry {
	e := st.names[name]
	if e == nil {
		e = &entry{label: noLabel}
		st.names[name] = e
	} else if version <= e.version {
		return nil
	}
	e.version = version
	return e
}

// Put is PutValues for a document of single values; field gives them by identifier.
func (ix *Index) Put(name string, version uint64, expireAt int64, field func(identifier string) ([]byte, bool)) error {
	return ix.PutValues(name, version, expireAt, Extra{}, func(i int) (Value, bool) {
		v, ok := field(ix.fields[i].Identifier)
		return Value{Data: v}, ok
	})
}

// PutValues indexes the document or replaces it; every search that begins after it
// returned sees it. value gives what the document holds in a field, by its position
// in the schema; it is called before any lock is taken, and what it returns is
// copied before PutValues returns.
// expireAt is in Unix milliseconds, 0 for never.
//
// version must grow with every write of the name: a version that is not newer
// than the last one (of Put or Delete) is a no-op, so calls may come out of
// order. It is also the default order of results.
//
// An error means that the document cannot be indexed: an older content of it
// is gone, and the failure is counted in [Info].
func (ix *Index) PutValues(name string, version uint64, expireAt int64, extra Extra, value func(field int) (Value, bool)) error {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return ErrClosed
	}
	start := ix.now()
	defer func() { ix.indexing.Add(int64(ix.now().Sub(start))) }()
	p := ix.prepare(value)
	p.extra, p.words.Language = extra, extra.Language
	defer p.release()

	st := ix.stripe(name)
	st.mu.Lock()
	defer st.mu.Unlock()
	e := st.claimLocked(name, version)
	if e == nil {
		return nil
	}
	if version > e.expVersion {
		e.expVersion, e.expireAt = version, expireAt
	}
	old := e.label
	err := p.err
	if err == nil {
		err = ix.put(name, e, p)
	}
	if err != nil {
		ix.failed(name, p.bad, err)
		ix.removeLocked(e)
		st.remember(name, e, ix.now())
	}
	if old != noLabel || e.label != noLabel {
		ix.changed(change{old, e.label}, p)
	}
	return err
}

// longDoc is how many words or tags are put or removed at once. More would keep
// searches waiting, so a longer document is put in parts under a label that is
// not visible yet, and removed in parts when its label is dead.
const longDoc = 4096

// put makes the prepared content visible. The stripe is locked.
func (ix *Index) put(name string, e *entry, p *prepared) error {
	old := e.label
	if old != noLabel && !p.long && sameVectors(e.hashes, p.hashes) {
		ix.mu.Lock()
		if !ix.longLocked(old) {
			defer ix.mu.Unlock()
			ix.unpost(old)
			ix.post(old, p)
			d := ix.mu.docs[old]
			d.version = e.version
			ix.setDocLocked(old, d)
			ix.setExpiryLocked(old, e.expireAt)
			e.hashes = append(e.hashes[:0], p.hashes...) // of fields that the index has got since, too
			return nil
		}
		ix.mu.Unlock()
	}
	label, known := ix.claimed(name, p)
	if !known {
		label = ix.allocate()
	}
	for i, a := range ix.vecs {
		if p.hashes[i] == 0 || known {
			continue
		}
		if err := ix.addVectors(a, label, p); err != nil {
			ix.retire(label) // takes out what the vector indexes hold already
			p.bad = a.at
			return err
		}
	}
	if p.long {
		ix.mu.Lock()
		ix.mu.partly++
		ix.mu.Unlock()
		ix.postLong(label, p)
	}
	ix.mu.Lock()
	ix.mu.moment++
	if p.long {
		ix.mu.partly--
	}
	ix.post(label, p)
	ix.setDocLocked(label, doc{name: name, version: e.version, born: ix.mu.moment})
	ix.mu.live.Add(index.Label(label))
	ix.setExpiryLocked(label, e.expireAt)
	if old != noLabel {
		ix.killLocked(old)
	}
	ix.mu.Unlock()
	e.label = label
	e.hashes = append(e.hashes[:0], p.hashes...)
	if old != noLabel {
		ix.bury(old)
	}
	return nil
}

// sameVectors reports whether the hashes of a document's vectors are what they were,
// when the schema may have had fewer of them.
func sameVectors(was, is []uint64) bool {
	n := min(len(was), len(is))
	return slices.Equal(was[:n], is[:n]) && !slices.ContainsFunc(is[n:], func(h uint64) bool { return h != 0 })
}

// postLong puts the words and tags of a long document, part by part.
func (ix *Index) postLong(label uint32, p *prepared) {
	part := func(f func() bool) {
		for done := false; !done; {
			ix.mu.Lock()
			done = f()
			ix.mu.Unlock()
		}
	}
	if ix.text != nil {
		var c attr.TextCursor
		part(func() bool { return ix.text.PutSome(label, &p.words, &c, longDoc) })
	}
	for i, a := range ix.fields {
		v := p.values[i]
		if v == nil || a.tags == nil || a.NoIndex {
			continue
		}
		part(func() bool { return a.tags.PutSome(label, &v, longDoc) })
		for more := p.others[i].values; len(more) > 0; {
			part(func() bool {
				n := min(len(more), longDoc)
				for _, v := range more[:n] {
					a.tags.PutSome(label, &v, len(v)+1)
				}
				more = more[n:]
				return true
			})
		}
	}
}

// longLocked reports whether a label holds more than may be removed at once.
func (ix *Index) longLocked(label uint32) bool {
	n := 0
	if ix.text != nil {
		n = ix.text.DocLen(label)
	}
	for _, a := range ix.fields {
		if a.tags != nil {
			n += a.tags.Count(label)
		}
	}
	return n > longDoc
}

// bury removes what killLocked left of a label and gives it free.
func (ix *Index) bury(label uint32) {
	if ix.unburied(label) {
		part := func(f func() bool) {
			for done := false; !done; {
				ix.mu.Lock()
				done = f()
				ix.mu.Unlock()
			}
		}
		if ix.text != nil {
			var c attr.TextCursor
			part(func() bool { return ix.text.RemoveSome(label, &c, longDoc) })
		}
		for _, a := range ix.fields {
			if a.tags != nil {
				part(func() bool { return a.tags.RemoveSome(label, longDoc) })
			}
		}
		ix.mu.Lock()
		ix.unpost(label)
		ix.mu.partly--
		ix.mu.Unlock()
	}
	ix.retire(label)
}

// unburied reports whether killLocked left the postings of a label to be removed in parts.
func (ix *Index) unburied(label uint32) bool {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.longLocked(label)
}

// Delete removes the document; false if there is none or the version is older
// than the last Put's.
func (ix *Index) Delete(name string, version uint64) bool {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return false
	}
	st := ix.stripe(name)
	st.mu.Lock()
	defer st.mu.Unlock()
	e := st.claimLocked(name, version)
	if e == nil {
		return false
	}
	old := e.label
	had := ix.removeLocked(e)
	st.remember(name, e, ix.now())
	if had {
		ix.changed(change{old, noLabel}, nil)
	}
	return had
}

// Expire sets only when the document expires (EXPIRE, PERSIST); 0 is never. False
// means that the document is not known: its Put may still be on its way.
func (ix *Index) Expire(name string, version uint64, expireAt int64) bool {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return false
	}
	st := ix.stripe(name)
	st.mu.Lock()
	defer st.mu.Unlock()
	e := st.names[name]
	if e == nil || e.label == noLabel {
		return false
	}
	if version > e.version && version > e.expVersion {
		e.expVersion, e.expireAt = version, expireAt
		ix.mu.Lock()
		ix.setExpiryLocked(e.label, expireAt)
		ix.mu.Unlock()
	}
	return true
}

// removeLocked takes the document of a locked stripe out of the index.
func (ix *Index) removeLocked(e *entry) bool {
	label := e.label
	if label == noLabel {
		return false
	}
	e.label, e.hashes = noLabel, nil
	ix.mu.Lock()
	ix.mu.moment++
	ix.killLocked(label)
	ix.mu.Unlock()
	ix.bury(label)
	return true
}

// remember keeps the version of a name without a document, and forgets old ones.
func (st *stripe) remember(name string, e *entry, now time.Time) {
	st.tombs = append(st.tombs, tomb{name, e.version, now})
	for len(st.tombs) > tombMin && now.Sub(st.tombs[0].at) > tombAge {
		t := st.tombs[0]
		st.tombs[0] = tomb{}
		st.tombs = st.tombs[1:]
		if e := st.names[t.name]; e != nil && e.label == noLabel && e.version == t.version {
			delete(st.names, t.name)
		}
	}
}

// allocate takes a label that nobody holds.
func (ix *Index) allocate() uint32 {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	return ix.allocateLocked()
}

func (ix *Index) allocateLocked() uint32 {
	if n := len(ix.mu.free); n > 0 {
		l := ix.mu.free[n-1]
		ix.mu.free = ix.mu.free[:n-1]
		return l
	}
	ix.mu.docs = append(ix.mu.docs, doc{})
	return uint32(len(ix.mu.docs) - 1)
}

// oldestBlock is how many labels share an entry of mu.oldest. To find the least version of them anew is much less
// work than to put a document.
const oldestBlock = 256

// setDocLocked writes a label's record.
func (ix *Index) setDocLocked(label uint32, d doc) {
	was := ix.mu.docs[label]
	ix.mu.docs[label] = d
	block := int(label / oldestBlock)
	for len(ix.mu.oldest) <= block {
		ix.mu.oldest = append(ix.mu.oldest, math.MaxUint64)
	}
	o := &ix.mu.oldest[block]
	if was.written() && was.version == *o {
		*o = math.MaxUint64
		for _, d := range ix.mu.docs[block*oldestBlock : min((block+1)*oldestBlock, len(ix.mu.docs))] {
			if d.written() {
				*o = min(*o, d.version)
			}
		}
	} else if d.written() {
		*o = min(*o, d.version)
	}
}

func (ix *Index) setExpiryLocked(label uint32, at int64) {
	ix.mu.docs[label].expireAt = at
	if at > 0 {
		ix.mu.expiry.Put(label, float64(at))
	} else {
		ix.mu.expiry.Remove(label)
	}
}

// killLocked makes a label invisible. bury must follow when mu is unlocked.
func (ix *Index) killLocked(label uint32) {
	if ix.longLocked(label) {
		ix.mu.partly++
	} else {
		ix.unpost(label)
	}
	ix.mu.expiry.Remove(label)
	ix.mu.docs[label].dead = ix.mu.moment
	ix.mu.live.Remove(index.Label(label))
}

// retire hands a label that is not visible any more over for reuse, and with it, so that they
// are reclaimed together, what belongs to it.
func (ix *Index) retire(label uint32) {
	labels := ix.withOthers(label)
	ix.dead.Add(int64(len(labels)))
	ix.reclaim.Lock()
	gen := ix.epochs.gen.Load()
	for _, l := range labels {
		ix.reclaim.retired = append(ix.reclaim.retired, retired{l, gen})
	}
	ix.reclaim.Unlock()
	ix.sweep()
}

// sweep reclaims the labels that no search can hold any more.
func (ix *Index) sweep() {
	if ix.dead.Load() == 0 || !ix.reclaim.TryLock() {
		return
	}
	defer ix.reclaim.Unlock()
	if ix.saving {
		return
	}
	list := ix.reclaim.retired
	gen := ix.epochs.gen.Load()
	for range 2 {
		if n := len(list); n > 0 && list[n-1].gen+2 > gen {
			gen = ix.epochs.advance()
		}
	}
	n := 0
	for n < len(list) && list[n].gen+2 <= gen {
		for _, a := range ix.vecs {
			a.vectors.Remove(index.Label(list[n].label), ix.seq.Add(1))
		}
		n++
	}
	if n == 0 {
		return
	}
	ix.mu.Lock()
	for _, r := range list[:n] {
		ix.setDocLocked(r.label, doc{})
		ix.mu.free = append(ix.mu.free, r.label)
	}
	ix.mu.Unlock()
	ix.reclaim.retired = append(list[:0], list[n:]...)
	ix.dead.Add(int64(-n))
}

// post puts a prepared document into the postings, less what postLong did. mu is locked.
func (ix *Index) post(label uint32, p *prepared) {
	if ix.text != nil && !p.long {
		ix.text.Put(label, &p.words)
	}
	ix.mu.extras.put(label, &p.extra)
	for i, a := range ix.fields {
		v := p.values[i]
		if v == nil {
			if a.IndexMissing {
				a.missing.Add(index.Label(label))
			}
			continue
		}
		switch {
		case a.tags != nil && p.long: // postLong did
		case a.tags != nil && !a.NoIndex:
			a.tags.Put(label, v)
			for _, v := range p.others[i].values {
				a.tags.PutSome(label, &v, len(v)+1)
			}
		case a.nums != nil:
			a.nums.Put(label, p.numbers[i], p.others[i].numbers...)
		case a.geo != nil && !a.NoIndex:
			a.geo.Put(label, p.places[i], p.others[i].places...)
		case a.shapes != nil && !a.NoIndex:
			a.shapes.Put(label, p.others[i].shape)
		}
		if a.Sortable && (a.Type == TypeText || a.Type == TypeTag) {
			for int(label) >= len(a.sort) {
				a.sort, a.has = append(a.sort, ""), append(a.has, false)
			}
			a.sort[label], a.has[label] = a.sortValue(v), true
		}
	}
}

// unpost takes a label out of the postings. mu is locked.
func (ix *Index) unpost(label uint32) {
	if ix.text != nil {
		ix.text.Remove(label)
	}
	ix.mu.extras.remove(label)
	for _, a := range ix.fields {
		a.missing.Remove(index.Label(label))
		switch {
		case a.tags != nil:
			a.tags.Remove(label)
		case a.nums != nil:
			a.nums.Remove(label)
		case a.geo != nil:
			a.geo.Remove(label)
		case a.shapes != nil:
			a.shapes.Remove(label)
		}
		if int(label) < len(a.sort) {
			a.sort[label], a.has[label] = "", false
		}
	}
}

// visible reports whether a label was part of the index at the moment, and has not expired. mu is locked.
func (ix *Index) visible(label uint32, moment uint64, now int64) bool {
	if int(label) >= len(ix.mu.docs) {
		return false
	}
	d := &ix.mu.docs[label]
	return d.born != 0 && d.born <= moment && (d.dead == 0 || d.dead > moment) && (d.expireAt == 0 || d.expireAt > now)
}
