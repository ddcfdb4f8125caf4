package catalog

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/nearcache/nearcache/index/expr"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/json"
)

// want is what a field of the schema needs of a document.
type want struct {
	field *search.Field
	cut   func(dst, value []byte) (rest, copied []byte) // of a hash's field; nil: all of it
	path  *json.Path                                    // ON JSON
}

// wantsOf lists what a schema needs of a document, by field.
func wantsOf(name string, s *search.Schema) ([]want, error) {
	l := make([]want, len(s.Fields))
	for i := range s.Fields {
		f := &s.Fields[i]
		l[i].field = f
		if !s.JSON {
			l[i].cut = cutOf(f)
			continue
		}
		l[i].path = new(json.Path)
		if l[i].path.Compile([]byte(f.Identifier)) != nil {
			return nil, &search.Error{Msg: fmt.Sprintf("Invalid JSONPath '%s' in attribute '%s' in index '%s'", f.Identifier, f.Name, name)}
		}
	}
	return l, nil
}

const (
	maxNumber = 512     // longer is no number, whatever follows
	maxShape  = 1 << 20 // longer is refused
	longTags  = 1 << 14 // from here on the copy of tags is cut to what is indexed
	maxTag    = 2 * 4096
)

// cutOf says how much of a field's value the index looks at. A hash may hold
// megabytes in a field that is indexed by its first bytes, or not at all.
func cutOf(f *search.Field) func(dst, value []byte) (rest, copied []byte) {
	switch {
	case f.Type == search.TypeNumeric || f.Type == search.TypeGeo:
		return func(dst, v []byte) ([]byte, []byte) { return add(dst, v[:min(len(v), maxNumber)]) }
	case f.Type == search.TypeShape:
		return func(dst, v []byte) ([]byte, []byte) { return add(dst, v[:min(len(v), maxShape)]) }
	case f.Type == search.TypeVector:
		size := f.Vector.Dim * f.Vector.Element.Size()
		return func(dst, v []byte) ([]byte, []byte) {
			if len(v) != size {
				return dst, v // refused for its length, its bytes are never read
			}
			return add(dst, v)
		}
	case f.Sortable:
		return nil
	case f.NoIndex:
		return func(dst, _ []byte) ([]byte, []byte) { return add(dst, nil) }
	case f.Type == search.TypeTag:
		sep := f.Separator
		return func(dst, v []byte) ([]byte, []byte) {
			if len(v) <= longTags {
				return add(dst, v)
			}
			n := len(dst)
			for found := true; found; {
				var tag []byte
				tag, v, found = bytes.Cut(v, []byte{sep})
				tag = bytes.TrimLeft(tag, " \t\n\v\f\r")
				dst = append(dst, tag[:min(len(tag), maxTag)]...)
				if found {
					dst = append(dst, sep)
				}
			}
			return dst, dst[n:len(dst):len(dst)]
		}
	}
	return nil
}

// add appends a copy of v, and returns it as well: never nil, since nil is what is not there.
func add(dst, v []byte) ([]byte, []byte) {
	if dst == nil {
		dst = []byte{}
	}
	n := len(dst)
	dst = append(dst, v...)
	return dst, dst[n:len(dst):len(dst)]
}

// job brings one document of one index up to date.
type job struct {
	ix      *Index
	key     string
	version uint64
	gone    bool
	expiry  bool // only expireAt has changed
	expire  int64
	values  []search.Value // by field; the zero value where the document has none
	buf     []byte         // what values are copied to …
	texts   [][]byte       // … where there are several
	numbers []float64
	query   json.Query
	extra   search.Extra
	doc     Document     // what the index's rule reads
	row     []expr.Value // of its filter
	eval    expr.Context
	get     func(int) (search.Value, bool)
	done    *sync.WaitGroup // told, unless nil
}

// maxJobBuffer is the largest copy of a document whose memory is used again,
// maxJobValues the most values of fields that have several.
const (
	maxJobBuffer = 16 << 10
	maxJobValues = 1 << 10
)

var jobs = sync.Pool{New: func() any {
	j := new(job)
	j.get = j.value
	return j
}}

// jobFor copies what the index needs of an entry; its shard is held.
func jobFor(ix *Index, key string, e *store.Entry, version uint64, expiryOnly bool) *job {
	j := jobs.Get().(*job)
	key = strings.Clone(key) // it lies in the record, and the job outlives the Tx
	j.ix, j.key, j.version, j.expiry = ix, key, version, expiryOnly
	if ix.SkipScan {
		j.done = ix.jobs
		j.done.Add(1)
	}
	j.gone = true
	if e == nil {
		return j
	}
	if ix.rule.any && !(ix.Open(&j.doc, e) && ix.rule.apply(j, &j.doc)) {
		return j
	}
	if ix.JSON {
		doc, ok := e.Value().(*json.Value)
		if !ok {
			return j
		}
		j.gone, j.expire = false, e.ExpireAt()
		j.valuesOf(doc)
		return j
	}
	h, ok := e.Value().(*hash.Value)
	if !ok {
		return j
	}
	j.gone, j.expire = false, e.ExpireAt()
	for i := range ix.wants {
		w := &ix.wants[i]
		v, ok := h.GetString(w.field.Identifier)
		switch {
		case !ok:
			v = nil
		case w.cut != nil:
			j.buf, v = w.cut(j.buf, v)
		default:
			j.buf, v = add(j.buf, v)
		}
		if ok && v == nil {
			v = []byte{}
		}
		j.values = append(j.values, search.Value{Data: v})
	}
	return j
}

func (j *job) valuesOf(doc *json.Value) {
	root := doc.Root()
	for i := range j.ix.wants {
		j.values = append(j.values, j.fromJSON(&j.ix.wants[i], root))
	}
	j.query.Release()
}

// value is what the document has in a field.
func (j *job) value(i int) (search.Value, bool) {
	if i >= len(j.values) {
		return search.Value{}, false // the schema has got the field since
	}
	v := j.values[i]
	return v, v.Data != nil || v.Numbers != nil || v.Err != nil
}

// Lengthy implements store.Lengthy.
func (j *job) Lengthy() {}

// Do implements store.Deferred.
func (j *job) Do() {
	s := j.ix.search
	j.ix.Extended() // the document may have the new fields
	switch {
	case j.gone:
		s.Delete(j.key, j.version)
	case j.expiry && s.Expire(j.key, j.version, j.expire):
	default:
		_ = s.PutValues(j.key, j.version, j.expire, j.extra, j.get) // counted in Info as an indexing failure
	}
	j.release()
}

// release gives the job's memory back.
func (j *job) release() {
	if j.done != nil {
		j.done.Done()
		j.done = nil
	}
	if cap(j.buf) > maxJobBuffer {
		j.buf = nil
	}
	if cap(j.texts)+cap(j.numbers) > maxJobValues {
		j.texts, j.numbers = nil, nil
	}
	clear(j.values)
	clear(j.texts)
	j.doc.Release()
	j.extra = search.Extra{}
	j.ix, j.key, j.values, j.buf, j.texts, j.numbers = nil, "", j.values[:0], j.buf[:0], j.texts[:0], j.numbers[:0]
	jobs.Put(j)
}
