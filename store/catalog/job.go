package catalog

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/hash"
)

// want is a field of the hash that an index needs, and how much of it.
type want struct {
	id  string
	cut func(dst, value []byte) (rest, copied []byte) // nil: all of it
}

// wantsOf lists what a schema needs of a hash, each identifier once.
func wantsOf(s *search.Schema) []want {
	var l []want
	place := make(map[string]int, len(s.Fields))
	for i := range s.Fields {
		f := &s.Fields[i]
		if k, ok := place[f.Identifier]; ok { // of two uses neither is cut
			l[k].cut = nil
			continue
		}
		place[f.Identifier] = len(l)
		l = append(l, want{f.Identifier, cutOf(f)})
	}
	return l
}

const (
	maxNumber = 512     // longer is no number, whatever follows
	longTags  = 1 << 14 // from here on the copy of tags is cut to what is indexed
	maxTag    = 2 * 4096
)

// cutOf says how much of a field's value the index looks at. A hash may hold
// megabytes in a field that is indexed by its first bytes, or not at all.
func cutOf(f *search.Field) func(dst, value []byte) (rest, copied []byte) {
	switch {
	case f.Type == search.TypeNumeric || f.Type == search.TypeGeo:
		return func(dst, v []byte) ([]byte, []byte) { return add(dst, v[:min(len(v), maxNumber)]) }
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

func add(dst, v []byte) ([]byte, []byte) {
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
	values  [][]byte // by the index's wants; nil where the hash has no such field
	next    int      // the want that is probably asked for next
	buf     []byte   // what the values are copied to
	get     func(string) ([]byte, bool)
}

// maxJobBuffer is the largest copy of a document whose memory is used again.
const maxJobBuffer = 16 << 10

var jobs = sync.Pool{New: func() any {
	j := new(job)
	j.get = j.field
	return j
}}

// jobFor copies what the index needs of an entry; its shard is held.
func jobFor(ix *Index, key string, e *store.Entry, version uint64, expiryOnly bool) *job {
	j := jobs.Get().(*job)
	key = strings.Clone(key) // it lies in the record, and the job outlives the Tx
	j.ix, j.key, j.version, j.expiry = ix, key, version, expiryOnly
	j.gone = true
	if e == nil {
		return j
	}
	h, ok := e.Value().(*hash.Value)
	if !ok {
		return j
	}
	j.gone = false
	j.expire = e.ExpireAt()
	for i := range ix.wants {
		w := &ix.wants[i]
		v, ok := h.GetString(w.id)
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
		j.values = append(j.values, v)
	}
	return j
}

// field is a value by its identifier. The index asks in the schema's order.
func (j *job) field(id string) ([]byte, bool) {
	w := j.ix.wants
	i := j.next
	if i >= len(w) || w[i].id != id {
		if i = slices.IndexFunc(w, func(w want) bool { return w.id == id }); i < 0 {
			return nil, false
		}
	}
	j.next = i + 1
	return j.values[i], j.values[i] != nil
}

// Do implements store.Deferred.
func (j *job) Do() {
	s := j.ix.search
	switch {
	case j.gone:
		s.Delete(j.key, j.version)
	case j.expiry && s.Expire(j.key, j.version, j.expire):
	default:
		_ = s.Put(j.key, j.version, j.expire, j.get) // counted in Info as an indexing failure
	}
	if cap(j.buf) > maxJobBuffer {
		j.buf = nil
	}
	clear(j.values)
	*j = job{values: j.values[:0], buf: j.buf[:0], get: j.get}
	jobs.Put(j)
}
