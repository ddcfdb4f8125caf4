package search

import (
	"time"

	"github.com/nearcache/nearcache/index/attr"
)

// Info are an index's figures, for FT.INFO.
type Info struct {
	NumDocs    int64
	MaxDocID   int64
	NumTerms   int64 // different words
	NumRecords int64 // entries of all postings
	TextTokens int64 // words of all documents
	Failures   int64 // documents that could not be indexed
	LastError  FieldError

	InvertedBytes int64 // postings of text
	OffsetBytes   int64 // the documents' words in order
	TagBytes      int64
	NumericBytes  int64
	GeoBytes      int64
	ShapeBytes    int64
	VectorBytes   int64
	DocTableBytes int64
	KeyTableBytes int64
	SortableBytes int64

	IndexingTime time.Duration
	Fields       []FieldError // by field of the schema
}

// FieldError says how often a field (or the index) failed and why it did last.
type FieldError struct {
	Failures int64
	Last     string // text of the error, "" for none
	LastKey  string
}

func (ix *Index) failed(name string, field int, err error) {
	f := &ix.figures
	f.Lock()
	defer f.Unlock()
	f.failures++
	f.last = FieldError{f.failures, err.Error(), name}
	if field >= 0 {
		f.field[field] = FieldError{f.field[field].Failures + 1, err.Error(), name}
	}
}

// Info reads the figures.
func (ix *Index) Info() Info {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return Info{}
	}
	var in Info
	f := &ix.figures
	f.Lock()
	in.Failures, in.LastError, in.IndexingTime = f.failures, f.last, time.Duration(ix.indexing.Load())
	in.Fields = append(in.Fields, f.field...)
	f.Unlock()

	ix.mu.RLock()
	in.NumDocs = int64(ix.mu.live.Len())
	in.MaxDocID = int64(len(ix.mu.docs))
	in.DocTableBytes = 64*int64(cap(ix.mu.docs)) + 8*int64(cap(ix.mu.oldest)) + ix.mu.expiry.Bytes()
	in.KeyTableBytes = 120 * in.NumDocs
	if t := ix.text; t != nil {
		in.NumTerms, in.TextTokens, in.NumRecords = int64(t.Terms()), t.Tokens(), t.Records()
		in.InvertedBytes, in.OffsetBytes = t.Bytes()
	}
	for _, a := range ix.fields {
		switch {
		case a.tags != nil:
			in.NumRecords += a.tags.Records()
			in.TagBytes += a.tags.Bytes()
		case a.nums != nil:
			in.NumRecords += int64(a.nums.Len())
			in.NumericBytes += a.nums.Bytes()
		case a.geo != nil:
			in.NumRecords += int64(a.geo.Len())
			in.GeoBytes += a.geo.Bytes()
		case a.shapes != nil:
			in.NumRecords += int64(a.shapes.Len())
			in.ShapeBytes += a.shapes.Bytes()
		}
		in.SortableBytes += 40 * int64(cap(a.sort))
	}
	ix.mu.RUnlock()
	for _, a := range ix.vecs {
		s := a.vectors.Stats()
		in.NumRecords += int64(s.Len)
		in.VectorBytes += s.Bytes
	}
	return in
}

// TagValues are the different values of a TAG field, sorted.
func (ix *Index) TagValues(field string) ([]string, error) {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return nil, ErrClosed
	}
	a := ix.byName[field]
	if a == nil {
		return nil, errorf("No such field")
	}
	if a.tags == nil {
		return nil, errorf("Not a tag field")
	}
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	out := make([]string, 0, a.tags.Len())
	a.tags.Each(func(tag string, _ *attr.Set) bool {
		out = append(out, tag)
		return true
	})
	return out, nil
}
